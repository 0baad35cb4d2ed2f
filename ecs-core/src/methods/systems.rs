//! Registering Systems, and which there are.

use super::NAMES;
use crate::{
    Engine, ErrorObject, Json, Owner, SystemDef,
    args::Args,
    method::{Method, Scope, optional, required},
    registry::Registered,
};
use std::borrow::Cow;

/// Longest timeout a System may ask for: a day.
const TIMEOUT_S_MAX: u64 = 86_400;

pub(super) const NEW_SYSTEM: Method = Method {
    name: "payecs_newsystem",
    params: &[
        required("system", "the name of the System"),
        required("required", NAMES),
        optional("disallowed", NAMES),
        optional("timeout", "seconds an invocation may take: an integer from 1 to 86400"),
    ],
    scope: Scope::Flow,
    errors: &[],
    result: "{}",
    doc: "Registers an external System: where it matches, it is announced as \
          `payecs_system_invoke`, and its answer is payecs_advance. The same again, with identical \
          lists in identical order, is no error. Without `timeout`: 60 seconds.",
    handle: new_system,
};

pub(super) const LIST_SYSTEMS: Method = Method {
    name: "payecs_listsystems",
    params: &[],
    scope: Scope::Read,
    errors: &[],
    result: "{\"systems\": [{\"system\", \"required\", \"disallowed\", \"owner\", \"builtin\", \
             \"invocations\", \"answers\", \"latency_ms\"}, …]}",
    doc: "Lists the registered Systems in order of registration: who owns each (`payecs`, the \
          prefix of a plugin in this process, or `external`), how often it was run or announced, \
          and of external ones how many announcements were answered, and after how many \
          milliseconds on average (null before the first answer).",
    handle: |engine, _| {
        let systems = engine.systems.iter().map(system_object);
        Ok(Json::object([("systems", Json::array(systems))]))
    },
};

fn new_system(engine: &mut Engine, args: &Args<'_>) -> Result<Json, ErrorObject> {
    let owned = |names: Vec<String>| names.into_iter().map(Cow::Owned).collect();
    let def = SystemDef {
        system: args.need::<String>("system")?.into(),
        required: owned(args.strings("required")?),
        disallowed: owned(args.strings("disallowed")?),
    };
    match args.read::<u64>("timeout")? {
        None => engine.add_external_system(def)?,
        Some(seconds @ 1..=TIMEOUT_S_MAX) => {
            engine.add_external_system_for(def, seconds * 1_000)?;
        }
        Some(_) => return Err(args.misshapen("timeout")),
    }
    Ok(Json::nothing())
}

fn system_object(system: &Registered) -> Json {
    let owner = match &system.owner {
        Owner::BuiltIn => "payecs",
        Owner::Plugin(prefix) => prefix.trim_end_matches(':'),
        Owner::External => "external",
    };
    let counts = system.counts;
    let latency_ms = counts.answers_ms.checked_div(counts.answers);
    Json::object([
        ("system", Json::of(&system.def.system)),
        ("required", Json::of(&system.def.required)),
        ("disallowed", Json::of(&system.def.disallowed)),
        ("owner", Json::of(owner)),
        ("builtin", Json::of(&(system.owner == Owner::BuiltIn))),
        ("invocations", Json::of(&counts.runs)),
        ("answers", Json::of(&counts.answers)),
        ("latency_ms", Json::of(&latency_ms)),
    ])
}
