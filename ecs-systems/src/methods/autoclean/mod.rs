//! Cleaning by age of what is over on the receiving side, by the names of Core Lightning.

mod work;

pub(crate) use work::Cleaning;
pub use work::{CLEANED_PER_RECORD_MAX, clean_some, next_cleaning};

use super::paycodes::receipts;
use crate::{
    policy::{Intake, Policy},
    port::{OverKind, ReceiptCounts, Receipts},
    refusal::{INTAKE_CLOSED, TOO_BUSY},
};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Reply, Scope, optional, required};
use payecs_units::Seconds;
use work::{Cleaned, begin_once, must_have_room};

pub(super) const AUTOCLEAN_ONCE: Method = Method {
    name: "autoclean-once",
    params: &[
        required("subsystem", SUBSYSTEM),
        required("age", Kind::COUNT.saying("an integer from 0: seconds since it was over")),
    ],
    scope: Scope::Receive,
    errors: &[209, INTAKE_CLOSED, TOO_BUSY],
    result: r#"{"autoclean": {subsystem: {"cleaned": count, "uncleaned": count}}}"#,
    doc: "Deletes what is over for `age` seconds or more: invoices (`paidinvoices`, \
          `expiredinvoices`) or paycodes without one (`paidpaycodes`, `expiredpaycodes`). The age \
          is that of the payment, or of the expiry; what was cancelled counts as expired, from \
          then on. `uncleaned` are those that are over and stay: too young, or HTLCs for them are \
          here. At most 100 are deleted at a time, and others have their turn between; the answer \
          comes when all are. The hash of what was paid stays refused (901); any other is free \
          again, as are label and idempotency key. It fails with 2330 while new work is not taken \
          on, with 2340 where 16 such calls are under way. When the engine stops meanwhile, the \
          rest stays until it is asked for again.",
    handle: autoclean_once,
    check: |engine, _| may_begin(engine),
};

pub(super) const AUTOCLEAN_STATUS: Method = Method {
    name: "autoclean-status",
    params: &[optional("subsystem", SUBSYSTEM)],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"autoclean": {subsystem: {"enabled": bool, "age": seconds, "cleaned": count}}}"#,
    doc: "What is deleted by itself of what is over on the receiving side, of one `subsystem` or \
          of all: at which `age`, where that is `enabled`, and how many were `cleaned` away ever, \
          by itself or by `autoclean-once`.",
    handle: autoclean_status,
    check: |engine, _| receipts(engine).map(drop),
};

const SUBSYSTEM: Kind = Kind {
    shape: "`paidinvoices`, `expiredinvoices`, `paidpaycodes` or `expiredpaycodes`: payments that \
            have ended the engine collects by itself, forwards and network events are the node's",
    schema: r#"{"enum":["paidinvoices","expiredinvoices","paidpaycodes","expiredpaycodes"]}"#,
    fits: |json| json.decode::<OverKind>().is_ok(),
};

/// Refuses to begin where nothing new is taken on.
fn may_begin(engine: &Engine) -> Result<(), ErrorObject> {
    receipts(engine)?;
    engine.resource::<Intake>().copied().unwrap_or_default().check()?;
    must_have_room(engine)
}

fn autoclean_once(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    may_begin(engine)?;
    let kind: OverKind = args.need("subsystem")?;
    let answer = begin_once(engine, kind, Seconds(args.need("age")?));
    let look = move |_: &Engine| {
        let cleaned = answer.get()?.clone();
        Some(cleaned.map(|Cleaned { cleaned, uncleaned }| {
            let counts = [("cleaned", Json::of(&cleaned)), ("uncleaned", Json::of(&uncleaned))];
            told([(kind, Json::object(counts))]).into()
        }))
    };
    Ok(Reply::later(look, None))
}

fn autoclean_status(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let one: Option<OverKind> = args.read("subsystem")?;
    let receipts = receipts(engine)?;
    let default = Policy::default();
    let autoclean = &engine.resource::<Policy>().unwrap_or(&default).autoclean;
    let kinds = OverKind::ALL.into_iter().filter(|kind| one.is_none_or(|one| one == *kind));
    let of_kind = |kind| {
        let age = autoclean.age(kind);
        let fields = [
            ("enabled", Some(Json::of(&age.is_some()))),
            ("age", age.map(|age| Json::of(&age.0))),
            ("cleaned", Some(Json::of(&cleaned(receipts, kind)))),
        ];
        let there = fields.into_iter().filter_map(|(name, json)| Some((name, json?)));
        (kind, Json::object(there))
    };
    Ok(told(kinds.map(of_kind)).into())
}

fn told(of_kinds: impl IntoIterator<Item = (OverKind, Json)>) -> Json {
    let named = of_kinds.into_iter().map(|(kind, json)| (name(kind), json));
    Json::object([("autoclean", Json::object(named))])
}

fn name(kind: OverKind) -> &'static str {
    match kind {
        OverKind::PaidInvoices => "paidinvoices",
        OverKind::ExpiredInvoices => "expiredinvoices",
        OverKind::PaidPaycodes => "paidpaycodes",
        OverKind::ExpiredPaycodes => "expiredpaycodes",
    }
}

/// How many were cleaned away ever.
fn cleaned(receipts: &dyn Receipts, kind: OverKind) -> u64 {
    let [all, invoices] = [false, true].map(|invoices| receipts.counts(invoices));
    let paid = |counts: ReceiptCounts| counts.cleaned_paid;
    let expired = |counts: ReceiptCounts| counts.cleaned_expired;
    match kind {
        OverKind::PaidInvoices => paid(invoices),
        OverKind::ExpiredInvoices => expired(invoices),
        OverKind::PaidPaycodes => paid(all).saturating_sub(paid(invoices)),
        OverKind::ExpiredPaycodes => expired(all).saturating_sub(expired(invoices)),
    }
}
