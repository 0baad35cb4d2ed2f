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
    params: &[
        required("entity", Kind::ENTITY),
        optional("after", Kind::COUNT.saying("a step: only what came behind it")),
        optional("detail", Kind::FLAG.saying("true: keep values and durations for a while")),
    ],
    scope: Scope::Read,
    errors: &[],
    result: "{\"entity\": id, \"trace\": [{\"time\": UTC to the millisecond, \"system\": name, \
             \"entity\": {\"entity\": id, component: value, …}, \"step\": number, \
             \"changes\": [{\"component\", \"change\": \"attached\", \"changed\" or \
             \"detached\", \"value\"}, …], \"others\": [id, …], \"duration_us\", \
             \"answer_ms\"}, …], \"gone\": number}",
    doc: "The Systems that ran on an Entity, oldest first, each with the Components it required as \
          it matched, and with what it changed: by its Step, by the reply to what it asked for, or \
          as an external System by its answer. `others`: Entities that it wrote to besides. \
          Components that the caller is not for are left out, and so are the values of secret \
          ones. `step` counts all that ran since the start, `gone` those of the Entity that are \
          not kept any more. Values of `changes` and `duration_us`, how long the engine was at \
          it, are kept only while somebody looks: Systems are observed, or a call with `detail` \
          was made in the last ten seconds; with `after` it asks for what is new. `answer_ms`: \
          after how many milliseconds an external System answered. Empty for an unknown Entity.",
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
    let (id, after) = (args.entity("entity")?, args.read::<u64>("after")?);
    if args.read("detail")? == Some(true) {
        engine.trace_in_detail();
    }
    let steps = engine.trace_after(id, after.unwrap_or_default());
    let entries = steps.into_iter().map(|mut entry| {
        entry.components.retain(|(name, _)| args.caller().may_touch(name));
        entry.changes.retain(|change| args.caller().may_touch(&change.component));
        entry_object(id, entry)
    });
    let trace = Json::array(entries);
    let gone = Json::of(&engine.trace_gone(id));
    Ok(Json::object([("entity", Json::of(&id)), ("trace", trace), ("gone", gone)]).into())
}

fn entry_object(id: EntityId, entry: TraceEntry) -> Json {
    let matched = std::iter::once(("entity".into(), Json::of(&id))).chain(entry.components);
    let others = (!entry.others.is_empty()).then(|| ("others", Json::of(&entry.others)));
    let took = entry.took_us.map(|us| ("duration_us", Json::of(&us)));
    let answer = entry.answer_ms.map(|ms| ("answer_ms", Json::of(&ms)));
    let fields = [
        ("time", Json::of(&utc_text(entry.now_ms))),
        ("system", Json::of(&entry.system)),
        ("entity", Json::object(matched)),
        ("step", Json::of(&entry.step)),
        ("changes", Json::of(&entry.changes)),
    ];
    Json::object(fields.into_iter().chain(others).chain(took).chain(answer))
}
