//! The ends of payments, and receipts that are paid, told from the ledger: whoever keeps one number
//! hears of each.

mod kind;
mod page;

use super::{books, kinds};
use crate::{
    port::{Books, BooksReader, Ends},
    refusal::from_ledger,
};
use ecs_core::{
    Args, Engine, ErrorObject, Json, Kind, METHOD_NOT_FOUND, Method, Param, Reply, Scope, optional,
};
use kind::Wanted;
use std::num::NonZeroU32;

/// Events of one answer where no limit is given.
const TOLD_DEFAULT: u32 = 100;
/// Most events of one answer.
const TOLD_MAX: u32 = 1_000;
/// Longest wait: a day.
const TIMEOUT_S_MAX: u64 = 86_400;

const SINCE: Param = optional("since", Kind::COUNT.saying("a cursor: an integer from 0"));

pub(super) const EVENTS: Method = Method {
    name: "payecs_events",
    params: &[
        SINCE,
        optional("limit", kinds::LIMIT),
        optional(
            "timeout",
            Kind { fits: is_timeout, ..Kind::COUNT }
                .saying("how long to wait for an event, in seconds: an integer from 0 to 86400"),
        ),
        optional("events", kind::KINDS),
    ],
    scope: Scope::Read,
    errors: &[209, 2340, 2321, 2322],
    result: r#"{"events": [{"cursor", "event": "pay_success", "recorded_at", "entity": id,
        "payment_hash", "groupid", "amount_msat", "fee_msat", "successful_parts", "failed_parts",
        "late": true} or {"cursor", "event": "pay_failure", "recorded_at", "entity": id,
        "payment_hash", "groupid", "error": {"code", "message", "data"}} or {"cursor",
        "event": "paycode_payment" or "invoice_payment", "recorded_at", "payment_hash",
        "amount_msat", "paid_at", "label", "to_self": true, "circular": true}, …], "cursor"}"#,
    doc: "Tells how payments ended, and which paycodes (`paycode_payment`) and invoices \
          (`invoice_payment`) were paid, in order, each at least once: those behind the cursor \
          `since`, or without it those from now on. With `events` it tells only of these kinds; \
          without, of all. 100 events where there is no `limit`, 1000 at most. The `cursor` of the \
          answer is the next `since`: keep it once the events are dealt with, then nothing is \
          missed, whoever was away meanwhile. It is the `index` of an entry of the ledger; 0 is \
          before the first. With `timeout`, where there is nothing to tell, it waits so long for \
          an event, and answers without events where none came; without, it answers at once. An \
          answer may be without events and have a higher `cursor`: then ask on. `pay_failure` has \
          no `payment_hash` where that was not known yet, and no `groupid` where the hash was not \
          claimed; `error.data` says whether it is `final`, and the `exposure` of one that was \
          cancelled. `late`: a payment that was told of as failed is paid after all. What is paid \
          or failed already, and only answered again, is no new end. What was received is told of \
          also when the paycode or invoice is gone since; `paid_at` is in seconds, and only \
          invoices have a `label`. `to_self`: this node has paid it, without a channel. \
          `circular`: a payment of this node that went around, as those of `rebalance`, brought \
          it or a part of it, which is no income. Preimages are told by `listpaycodes` and \
          `listinvoices`. A cursor behind the end of the ledger is refused.",
    handle: events,
    check: |engine, args| Asked::of(engine, args).map(drop),
};

/// A subscription: it is served where a connection is kept open.
const fn subscription(name: &'static str, result: &'static str, doc: &'static str) -> Method {
    Method {
        name,
        params: &[SINCE],
        scope: Scope::Read,
        errors: &[209, 2340, 2321, 2322],
        result,
        doc,
        handle: |_, _| {
            let what = "Subscriptions need a WebSocket: elsewhere call `payecs_events`";
            Err(ErrorObject::new(METHOD_NOT_FOUND, what))
        },
        check: |engine, args| Asked::since(engine, args).map(drop),
    }
}

pub(super) const SUBSCRIBE_PAY_SUCCESS: Method = subscription(
    "subscribe_pay_success",
    r#"{"subscription", "result": {"cursor", "event": "pay_success", …}} with each pay_success"#,
    "Over WebSocket: tells of each payment that succeeds, in the shape of `payecs_events`, as \
     notifications `pay_success`. The answer is the number of the subscription, which \
     `unsubscribe_pay_success` ends. First it tells what succeeded behind the cursor `since`, then \
     what succeeds, in order, without a gap; without `since` what succeeds from now on. Who is \
     slow is told later, and loses nothing. Where the ledger can't be read it is told \
     `{\"lost\": null, \"cursor\"}`: subscribe again from there. The token must be for all \
     Components.",
);

pub(super) const SUBSCRIBE_PAY_FAILURE: Method = subscription(
    "subscribe_pay_failure",
    r#"{"subscription", "result": {"cursor", "event": "pay_failure", …}} with each pay_failure"#,
    "Over WebSocket: tells of each payment that fails, as notifications `pay_failure`, as \
     `subscribe_pay_success` does of those that succeed. `unsubscribe_pay_failure` ends it.",
);

pub(super) const SUBSCRIBE_PAYCODE_PAYMENT: Method = subscription(
    "subscribe_paycode_payment",
    r#"{"subscription", "result": {"cursor", "event": "paycode_payment", …}} with each
        paycode_payment"#,
    "Over WebSocket: tells of each paycode without an invoice that is paid, as notifications \
     `paycode_payment`, as `subscribe_pay_success` does of payments. \
     `unsubscribe_paycode_payment` ends it.",
);

pub(super) const SUBSCRIBE_INVOICE_PAYMENT: Method = subscription(
    "subscribe_invoice_payment",
    r#"{"subscription", "result": {"cursor", "event": "invoice_payment", …}} with each
        invoice_payment"#,
    "Over WebSocket: tells of each invoice that is paid, as notifications `invoice_payment`, as \
     `subscribe_pay_success` does of payments. `unsubscribe_invoice_payment` ends it. Of invoices \
     that are made, `wait` tells (`invoices`, `created`).",
);

pub(super) const OBSERVE: Method = subscription(
    "payecs_observe",
    r#"{"subscription", "result": {"system", "entity": {"entity": id, …}, "invocation", "cursor"}}
        with each payecs_system_invoke"#,
    "Over WebSocket: tells of each System that runs, or is announced to whoever runs it, as \
     notifications `payecs_system_invoke`. The answer is the number of the subscription, which \
     `payecs_unobserve` ends. `cursor` is that of the last event of `payecs_events` before it. \
     What Systems did is not kept: `{\"lost\": how many, \"cursor\"}` in place of an invocation \
     says how many the subscriber was too slow for, and with `since` it is told first, with `lost` \
     null, as nobody knows how many there were. `cursor` is then the `since` with which \
     `payecs_events` tells what happened meanwhile. The token must be for all Components.",
);

fn is_timeout(json: &Json) -> bool {
    json.decode::<u64>().is_ok_and(|seconds| seconds <= TIMEOUT_S_MAX)
}

/// What a caller wants to hear.
#[derive(Clone, Debug)]
struct Asked {
    since: u64,
    limit: usize,
    timeout_s: u64,
    wanted: Wanted,
}

impl Asked {
    fn of(engine: &Engine, args: &Args<'_>) -> Result<Self, ErrorObject> {
        let since = Self::since(engine, args)?;
        let limit = args.read::<NonZeroU32>("limit")?.map_or(TOLD_DEFAULT, NonZeroU32::get);
        let timeout_s = args.read("timeout")?.unwrap_or(0);
        let wanted = args.given("events").and_then(Wanted::read).unwrap_or_default();
        Ok(Self { since, limit: limit.min(TOLD_MAX) as usize, timeout_s, wanted })
    }

    /// The cursor that was given; else the last.
    fn since(engine: &Engine, args: &Args<'_>) -> Result<u64, ErrorObject> {
        let last = books(engine)?.0.reader().count();
        match args.read::<u64>("since")? {
            Some(since) if since > last => {
                let what = format!("`since`: there is no cursor {since}, the last one is {last}");
                Err(ErrorObject::invalid(what))
            }
            since => Ok(since.unwrap_or(last)),
        }
    }
}

fn events(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(engine, args)?;
    if asked.timeout_s == 0 {
        return Ok(told(books(engine)?.0.reader(), asked));
    }
    let (since, timeout_s) = (asked.since, asked.timeout_s);
    let look = move |engine: &Engine| {
        let books = engine.resource::<Books>()?;
        let ends = engine.resource::<Ends>().copied().unwrap_or_default();
        let is_there = asked.since < ends.cursor(books.0.entries());
        is_there.then(|| Ok(told(books.0.reader(), asked.clone())))
    };
    let nothing = page::object([], since);
    Ok(Reply::waiting(look, Some(timeout_s * 1_000)).or_when_late(nothing))
}

fn told(reader: BooksReader, asked: Asked) -> Reply {
    Reply::Elsewhere(Box::new(move || {
        let page = page::behind(&reader, asked.since, asked.limit, &asked.wanted);
        page.map_err(|error| from_ledger(&error.into()))
    }))
}
