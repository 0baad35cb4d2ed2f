//! Methods called as a transport calls them, on an engine without a node.

mod alone;
mod decode;

use crate::PaymentSystems;
use ecs_core::{Caller, Engine, ErrorObject, Inputs, Json, Plugin, Reply};

/// A moment at which BOLT 11's examples have expired.
const NOW_MS: u64 = 1_700_000_000_000;

pub(super) fn engine() -> Engine {
    let mut app = Engine::new();
    PaymentSystems::default().build(&mut app).unwrap();
    app
}

pub(super) fn call(app: &mut Engine, name: &str, params: &str) -> Result<Reply, ErrorObject> {
    let inputs = Inputs { now_ms: NOW_MS, ..Inputs::default() };
    app.call(&Caller::owner(), inputs, name, Some(&Json::parse(params).unwrap()))
}

/// The answer of a call that nothing has to happen for.
pub(super) fn answer(app: &mut Engine, name: &str, params: &str) -> Result<Json, ErrorObject> {
    match call(app, name, params)? {
        Reply::Now(json) => Ok(json),
        Reply::Elsewhere(work) => work(),
        Reply::Later(later) => panic!("{name} {params} waits: {later:?}"),
    }
}

/// What a call is refused with: code and message.
pub(super) fn refusal(app: &mut Engine, name: &str, params: &str) -> (i32, String) {
    let error = match call(app, name, params) {
        Err(error) => error,
        Ok(Reply::Elsewhere(work)) => work().expect_err(params),
        Ok(reply) => panic!("{name} {params} is done: {reply:?}"),
    };
    (error.code, error.message)
}

#[test]
fn every_method_says_what_it_takes_and_answers() {
    let app = engine();
    for method in super::all() {
        assert!(app.methods().any(|known| known.name == method.name), "{}", method.name);
        assert!(method.doc.ends_with('.') && method.result.starts_with('{'), "{}", method.name);
        let all = method.params.iter();
        let behind = all.skip_while(|param| param.required).find(|param| param.required);
        assert!(behind.is_none(), "{}: what is required comes first", method.name);
        for param in method.params {
            assert!(Json::parse(param.kind.schema).is_ok(), "{} {}", method.name, param.name);
        }
    }
}
