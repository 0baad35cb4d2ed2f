//! Waiting for an Entity without asking again and again.

use crate::{
    Engine, EntityId, Error, ErrorObject, Json,
    args::Args,
    component::check_name,
    inputs::Entities,
    method::{
        CHECK_KINDS, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, permit_component,
        required,
    },
};

/// Without `timeout` a caller waits so long.
pub(super) const TIMEOUT_S_DEFAULT: u64 = 60;
/// Longest wait: a day.
const TIMEOUT_S_MAX: u64 = 86_400;

pub(super) const TIMEOUT: Kind = Kind { fits: is_timeout, ..Kind::COUNT }
    .saying("how long to wait, in seconds: an integer from 0 to 86400");

pub(super) const WAIT: Method = Method {
    name: "payecs_wait",
    params: &[
        required("entity", Kind::ENTITY),
        optional("until", Kind::TEXT.saying("the name of a component")),
        optional("timeout", TIMEOUT),
    ],
    scope: Scope::Read,
    errors: &[NOT_PERMITTED, 2204, 2000],
    result: r#"{"entity": id, "state": "idle", "attached" or "ended"}"#,
    doc: "Answers once the Entity has the component `until`, or has ended; without `until` once it \
          is idle or has ended. Idle: no System runs, and no reply and no external System is \
          awaited; a timer may be. Without `timeout`: 60 seconds.",
    handle: wait,
    check: CHECK_KINDS,
};

fn is_timeout(json: &Json) -> bool {
    json.decode::<u64>().is_ok_and(|seconds| seconds <= TIMEOUT_S_MAX)
}

fn wait(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = args.entity("entity")?;
    let until = args.read::<String>("until")?;
    if let Some(name) = &until {
        check_name(name)?;
        permit_component(args.caller(), name)?;
    }
    let seconds = args.read::<u64>("timeout")?.unwrap_or(TIMEOUT_S_DEFAULT);
    if engine.find(id).is_none() && id >= engine.world.resource::<Entities>().next {
        return Err(Error::UnknownEntity(id).into());
    }
    let look = move |engine: &Engine| {
        let state = Json::of(state_of(engine, id, until.as_deref())?);
        Some(Ok(Json::object([("entity", Json::of(&id)), ("state", state)]).into()))
    };
    Ok(Reply::waiting(look, Some(seconds * 1_000)))
}

fn state_of(engine: &Engine, id: EntityId, until: Option<&str>) -> Option<&'static str> {
    if engine.find(id).is_none() {
        return Some("ended");
    }
    match until {
        Some(name) => engine.component(id, name).map(|_| "attached"),
        None => engine.is_idle(id).then_some("idle"),
    }
}
