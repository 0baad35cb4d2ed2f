//! Registering Systems, and which there are.

use super::NAMES;
use crate::{
    Engine, ErrorObject, Json, Owner, SystemDef,
    args::Args,
    method::{
        CHECK_KINDS, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, permit_component,
        required,
    },
    registry::Registered,
};
use std::borrow::Cow;

/// Longest timeout a System may ask for: a day.
const TIMEOUT_S_MAX: u64 = 86_400;

pub(super) const NEW_SYSTEM: Method = Method {
    name: "payecs_newsystem",
    params: &[
        required("system", Kind::TEXT.saying("the name of the System")),
        required("required", NAMES),
        optional("disallowed", NAMES),
        optional("timeout", TIMEOUT),
    ],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED],
    result: "{}",
    doc: "Registers an external System: where it matches, it is announced as \
          `payecs_system_invoke`, and its answer is payecs_advance. The same again, with identical \
          lists in identical order, is no error. Without `timeout`: 60 seconds.",
    handle: new_system,
    check: |engine, args| {
        let (def, _) = external(args)?;
        Ok(engine.systems.judge_external(&def, &mut engine.names)?)
    },
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
        Ok(Json::object([("systems", Json::array(systems))]).into())
    },
    check: CHECK_KINDS,
};

const TIMEOUT: Kind =
    Kind { fits: |json| matches!(json.decode(), Ok(1_u64..=TIMEOUT_S_MAX)), ..Kind::COUNT }
        .saying("seconds an invocation may take: an integer from 1 to 86400");

fn new_system(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    match external(args)? {
        (def, None) => engine.add_external_system(def)?,
        (def, Some(seconds)) => engine.add_external_system_for(def, seconds * 1_000)?,
    }
    Ok(Json::nothing().into())
}

/// The System that is to be registered, and its timeout in seconds.
fn external(args: &Args<'_>) -> Result<(SystemDef, Option<u64>), ErrorObject> {
    let owned = |names: Vec<String>| names.into_iter().map(Cow::Owned).collect();
    let def = SystemDef {
        system: args.need::<String>("system")?.into(),
        required: owned(args.strings("required")?),
        disallowed: owned(args.strings("disallowed")?),
    };
    for name in def.required.iter().chain(&def.disallowed) {
        permit_component(args.caller(), name)?;
    }
    Ok((def, args.read("timeout")?))
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
