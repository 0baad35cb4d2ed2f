//! Serving external Systems: being told of their invocations, each by one server.

use super::wait::{TIMEOUT, TIMEOUT_S_DEFAULT};
use crate::{
    Engine, ErrorObject, Json, QUOTA_REACHED,
    args::Args,
    effect::Invoke,
    error::METHOD_NOT_FOUND,
    method::{Kind, Method, NOT_PERMITTED, Reply, Scope, optional, required},
    serving::AT_ONCE_MAX,
};

/// Without `limit` so many are in an answer.
const TAKEN_DEFAULT: u32 = 1;

const SYSTEMS: Kind = Kind::TEXTS.saying("an array of names of external Systems, or one name");
const LIMIT: Kind =
    Kind { fits: |json| matches!(json.decode(), Ok(1..=AT_ONCE_MAX)), ..Kind::COUNT }
        .saying("an integer from 1 to 1000: how many invocations at a time");

pub(super) const SERVE: Method = Method {
    name: "payecs_serve",
    params: &[required("systems", SYSTEMS), optional("limit", LIMIT)],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, QUOTA_REACHED],
    result: "{\"subscription\", \"result\": {\"system\", \"invocation\", \"entity\": {\"entity\": \
             id, …}}} with each payecs_system_invoke",
    doc: "Over WebSocket: serves these external Systems. Each invocation goes to one of those who \
          serve its System, in turn, as a notification `payecs_system_invoke`; its answer is \
          payecs_advance with `invocation`. The answer to this call is the number of the \
          subscription, which `payecs_unserve` ends. First come the invocations that are \
          outstanding and that nobody has, also those of before a restart. What a server has goes \
          to another when it goes away, with the same number; when it runs out of time, with a \
          new one, three times at most, then the Entity fails with 2203. A server has at most \
          `limit` at a time (64 without it); more wait. The announcement of what an advance comes \
          to is sent before the answer to it. Where all its Systems were removed, or given to \
          another token, `{\"ended\": {\"code\", \"message\"}}` comes in place of an invocation, \
          and the subscription is over.",
    handle: |_, _| {
        let what = "Subscriptions need a WebSocket: elsewhere call `payecs_invocations`";
        Err(ErrorObject::new(METHOD_NOT_FOUND, what))
    },
    check: |engine, args| engine.may_serve(args.caller(), &args.strings("systems")?),
};

pub(super) const INVOCATIONS: Method = Method {
    name: "payecs_invocations",
    params: &[
        required("systems", SYSTEMS),
        optional("timeout", TIMEOUT),
        optional("limit", LIMIT.saying("an integer from 1 to 1000: most invocations")),
    ],
    scope: Scope::Flow,
    errors: &[NOT_PERMITTED, 2340],
    result: "{\"invocations\": [{\"system\", \"invocation\", \"entity\": {\"entity\": id, …}}, …]}",
    doc: "Serves these external Systems once, over any transport: answers the next invocations \
          that nobody has, the oldest first, and none once it has waited for `timeout`. Each goes \
          to one server alone, as payecs_serve says; it is the caller's until it is answered by \
          payecs_advance with `invocation`, or runs out of time: then it goes to another, under a \
          new number, where one waits. Who goes away before the answer has taken none. Where one \
          of the Systems is removed, or given to another token (1502), the answer is an error, at \
          once. One invocation where there \
          is no `limit`, 60 seconds without `timeout`.",
    handle: invocations,
    check: |engine, args| engine.may_serve(args.caller(), &args.strings("systems")?),
};

fn invocations(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let systems = args.strings("systems")?;
    let seconds = args.read::<u64>("timeout")?.unwrap_or(TIMEOUT_S_DEFAULT);
    let limit = args.read::<u32>("limit")?.unwrap_or(TAKEN_DEFAULT);
    let mut serving = Some(engine.enter(args.caller(), &systems, limit)?);
    let look = move |engine: &Engine| {
        let server = serving.as_ref()?.server();
        let has = engine.held_by(server);
        if has.is_empty() {
            return engine.why_gone(server).map(Err);
        }
        // It has them once it is given the answer: who is gone by then has taken none.
        let mut serving = serving.take()?;
        Some(Ok(Reply::Elsewhere(Box::new(move || {
            serving.takes(has.iter().filter_map(|invoke| invoke.invocation).collect());
            Ok(answer(&has))
        }))))
    };
    Ok(Reply::waiting(look, Some(seconds * 1_000)).or_when_late(answer(&[])))
}

fn answer(invokes: &[Invoke]) -> Json {
    let invokes = invokes.iter().map(Json::of);
    Json::object([("invocations", Json::array(invokes))])
}
