//! What we say of ourselves when lightningd asks.

use super::{names::RECEIVED, options};
use ecs_core::{EffectBody, Invoke, Json, Method};
use std::collections::BTreeMap;

/// The notification that a stop is near.
pub(super) const SHUTDOWN: &str = "shutdown";

/// The answer to `getmanifest`.
pub(super) fn manifest(methods: &BTreeMap<String, &'static Method>) -> Json {
    let texts = |names: &[&str]| Json::array(names.iter().map(|name| Json::of(*name)));
    let topics = [Invoke::KIND].into_iter().chain(RECEIVED.map(|(_, name)| name));
    Json::object([
        ("options", Json::array(options::ALL.iter().map(option))),
        ("rpcmethods", Json::array(methods.iter().map(|(name, method)| command(name, method)))),
        ("subscriptions", texts(&[SHUTDOWN])),
        ("hooks", texts(&[])),
        (
            "notifications",
            Json::array(topics.map(|name| Json::object([("method", Json::of(name))]))),
        ),
        ("nonnumericids", Json::yes()),
        // Of a plugin that can't, lightningd calls every `check` right.
        ("cancheck", Json::yes()),
        ("dynamic", Json::yes()),
    ])
}

fn option(known: &options::Known) -> Json {
    let default = known.default.map(|default| ("default", Json::of(default)));
    let fields = [
        ("name", Json::of(known.name)),
        ("type", Json::of(known.kind)),
        ("description", Json::of(known.description)),
    ];
    let dynamic = known.dynamic.then(|| ("dynamic", Json::yes()));
    Json::object(fields.into_iter().chain(default).chain(dynamic))
}

fn command(name: &str, method: &Method) -> Json {
    Json::object([
        ("name", Json::of(name)),
        ("usage", Json::of(&usage(method))),
        ("description", Json::of(method.doc)),
    ])
}

/// The params in their order, those that may be left out in brackets.
fn usage(method: &Method) -> String {
    let shown = |param: &ecs_core::Param| {
        let name = param.name;
        if param.required { name.to_owned() } else { format!("[{name}]") }
    };
    method.params.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecs_core::Engine;

    #[test]
    fn each_method_is_described_with_its_params_as_lightningd_shows_them() {
        let engine = Engine::new();
        let methods = engine.methods().map(|method| (method.name.to_owned(), method)).collect();
        let manifest = manifest(&methods).fields().unwrap();
        let commands = manifest["rpcmethods"].items().unwrap();
        assert_eq!(commands.len(), methods.len());
        for (command, usage) in commands.iter().filter_map(|command| {
            let fields = command.fields()?;
            let text = |name: &str| fields[name].as_str().map(std::borrow::Cow::into_owned);
            assert!(text("description").is_some_and(|text| !text.is_empty()), "{command}");
            Some((text("name")?, text("usage")?))
        }) {
            let wanted = match command.as_str() {
                "payecs_newentity" => "",
                "payecs_getcomponents" => "entity components",
                "payecs_setcomponents" => "writes [expected] [invocation]",
                "payecs_delentity" => "entity",
                _ => continue,
            };
            assert_eq!(usage, wanted, "{command}");
        }
    }
}
