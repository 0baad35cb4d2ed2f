//! The method table as a program reads it.

use crate::{
    Json,
    method::{CHECK_KINDS, Method, Param, Scope},
};

/// The version of `OpenRPC` that the document follows.
const OPENRPC: &str = "1.3.2";

pub(super) const DISCOVER: Method = Method {
    name: "rpc.discover",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: "an OpenRPC document",
    doc: "All methods with their params and errors, as an OpenRPC document. `x-scope` is what a \
          caller needs, `x-result` the shape of the answer in words.",
    handle: |engine, _| {
        let methods = engine.methods().map(method_object);
        let info = [("title", "payecs"), ("version", env!("CARGO_PKG_VERSION"))];
        let info = info.map(|(name, value)| (name, Json::of(value)));
        let document = [
            ("openrpc", Json::of(OPENRPC)),
            ("info", Json::object(info)),
            ("methods", Json::array(methods)),
        ];
        Ok(Json::object(document).into())
    },
    check: CHECK_KINDS,
};

fn method_object(method: &Method) -> Json {
    let errors = method.errors.iter().map(|code| {
        Json::object([("code", Json::of(code)), ("message", Json::of("see the reference"))])
    });
    let result = [("name", Json::of("result")), ("schema", Json::nothing())];
    Json::object([
        ("name", Json::of(method.name)),
        ("description", Json::of(method.doc)),
        ("paramStructure", Json::of("either")),
        ("params", Json::array(method.params.iter().map(param_object))),
        ("result", Json::object(result)),
        ("errors", Json::array(errors)),
        ("x-scope", Json::of(&format!("{:?}", method.scope).to_lowercase())),
        ("x-result", Json::of(method.result)),
    ])
}

fn param_object(param: &Param) -> Json {
    Json::object([
        ("name", Json::of(param.name)),
        ("description", Json::of(param.kind.shape)),
        ("required", Json::of(&param.required)),
        ("schema", Json::parse(param.kind.schema).expect("a test parses it")),
    ])
}
