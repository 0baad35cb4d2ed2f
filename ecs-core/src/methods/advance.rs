//! Advancing Entities, and what ran on them.

use super::{EXPECTED, INVOCATION, WRITES, components};
use crate::{
    Engine, EntityId, ErrorObject, Json, QUOTA_REACHED, TraceEntry, Writer,
    args::Args,
    method::{CHECK_KINDS, Kind, Method, NOT_PERMITTED, Reply, Scope, optional, required},
    time::utc_text,
};

pub(super) const ADVANCE: Method = Method {
    name: "payecs_advance",
    params: &[
        required("entity", Kind::ENTITY),
        optional("writes", WRITES),
        optional("expected", EXPECTED),
        optional("invocation", INVOCATION),
    ],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, 2207, 2205, 2244, QUOTA_REACHED, 2200, 2201],
    result: "{}",
    doc: "Runs the first System of the Entity's list that matches, and again from the top, until \
          the Entity rests. With `writes` and `expected` those come first, in the same record, as \
          payecs_setcomponents would; those that detach the Entity's `lightningd:systems` end it, \
          and nothing is advanced. An answer (`invocation`) that attaches `lightningd:error` to a \
          draft fails it with that. A busy Entity is advanced when its reply is in. Errors after \
          the first match are only recorded in `lightningd:systems`.",
    handle: advance,
    check: |engine, args| {
        let (id, invocation) = (args.entity("entity")?, args.read::<u64>("invocation")?);
        engine.check_invocation(id, invocation)?;
        let (writes, expected) = (components::writes(engine, args)?, components::expected(args)?);
        Ok(engine.judge_components(&Writer::Caller, &writes, &expected)?)
    },
};

pub(super) const TRACE: Method = Method {
    name: "payecs_systrace",
    params: &[required("entity", Kind::ENTITY)],
    scope: Scope::Read,
    errors: &[],
    result: "{\"entity\": id, \"trace\": [{\"time\": UTC to the millisecond, \"system\": name, \
             \"entity\": {\"entity\": id, component: value, …}}, …]}",
    doc: "The Systems that ran on an Entity, oldest first, each with the Components it required as \
          it matched; secret ones, and those the caller is not for, are left out. Empty for an \
          unknown Entity.",
    handle: trace,
    check: CHECK_KINDS,
};

fn advance(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (id, invocation) = (args.entity("entity")?, args.read::<u64>("invocation")?);
    let (writes, expected) = (components::writes(engine, args)?, components::expected(args)?);
    engine.advance_with(id, invocation, &writes, &expected)?;
    Ok(Json::nothing().into())
}

fn trace(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = args.entity("entity")?;
    let entries = engine.trace(id).into_iter().map(|mut entry| {
        entry.components.retain(|(name, _)| args.caller().may_touch(name));
        entry_object(id, entry)
    });
    Ok(Json::object([("entity", Json::of(&id)), ("trace", Json::array(entries))]).into())
}

fn entry_object(id: EntityId, entry: TraceEntry) -> Json {
    let matched = std::iter::once(("entity".into(), Json::of(&id))).chain(entry.components);
    Json::object([
        ("time", Json::of(&utc_text(entry.now_ms))),
        ("system", Json::of(&entry.system)),
        ("entity", Json::object(matched)),
    ])
}
