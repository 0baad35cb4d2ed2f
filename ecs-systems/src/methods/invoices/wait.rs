//! Waiting for an invoice, or for any.

use super::{
    element::{InvoiceStatus, element, status},
    gone, label, of_label,
};
use crate::{
    methods::{kinds, now, paycodes::receipts},
    port::{ReceiptFacts, ReceiptOrder, Receipts},
    receive::sets::Sets,
    refusal::{PAYCODE_EXPIRED, PAYCODE_WAIT_TIMED_OUT},
};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Reply, Scope, optional, required};
use payecs_units::PaymentHash;

pub(in crate::methods) const WAIT_INVOICE: Method = Method {
    name: "waitinvoice",
    params: &[required("label", label::LABEL)],
    scope: Scope::Read,
    errors: &[209, -1, 903, 2340],
    result: r#"{"label", "status", …} as in listinvoices"#,
    doc: "Answers with the invoice once it is paid. It fails with 903 once it has expired or was \
          cancelled, and `data` is the invoice; with −1 where there is none of that label, and as \
          soon as it is deleted. Who waits costs nothing while nothing is received.",
    handle: wait_invoice,
    check: |engine, args| found(engine, args).map(drop),
};

pub(in crate::methods) const WAIT_ANY_INVOICE: Method = Method {
    name: "waitanyinvoice",
    params: &[
        optional(
            "lastpay_index",
            Kind::COUNT.saying("an integer: the `pay_index` of the last invoice known; 0: none"),
        ),
        optional("timeout", kinds::WAIT),
    ],
    scope: Scope::Read,
    errors: &[209, 904, 2340],
    result: r#"{"label", "status": "paid", "pay_index", …} as in listinvoices, "warning_missed"}"#,
    doc: "Answers with the invoice that was paid next after the one with `lastpay_index`: at once \
          if there is one, else when one is paid. Asked again with the `pay_index` of each answer, \
          it tells each paid invoice once, in the order of payment, whoever is slow or restarts. \
          `warning_missed` says which were paid after `lastpay_index` and are gone, deleted or let \
          go when 100000 others were paid. It fails with 904 after `timeout` seconds, at once \
          where that is 0; without it, it waits.",
    handle: wait_any_invoice,
    check: |engine, _| receipts(engine).map(drop),
};

fn found(engine: &Engine, args: &Args<'_>) -> Result<ReceiptFacts, ErrorObject> {
    of_label(engine, &label::needed(args)?)?.ok_or_else(|| gone("Label not found"))
}

fn wait_invoice(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let facts = found(engine, args)?;
    let (hash, expires_at) = (facts.receipt.payment_hash, facts.receipt.expires_at);
    let secrets = args.caller().secrets;
    let mut seen = None;
    let look = move |engine: &Engine| {
        let changes = receipts(engine).ok().map(Receipts::changes);
        let sets = engine.resource::<Sets>().map(Sets::changes);
        let seeing = (changes, sets, now(engine) >= expires_at);
        if seen.replace(seeing) == Some(seeing) {
            return None;
        }
        answer(engine, &hash, secrets)
    };
    Ok(Reply::waiting(look, None).looking_at(expires_at.0))
}

/// What who waits for that invoice is told, once there is something.
fn answer(
    engine: &Engine,
    hash: &PaymentHash,
    secrets: bool,
) -> Option<Result<Reply, ErrorObject>> {
    let facts = match receipts(engine) {
        Ok(receipts) => receipts.facts(hash),
        Err(error) => return Some(Err(error)),
    };
    let told = facts.as_ref().and_then(|facts| element(engine, facts, secrets));
    let (Some(facts), Some(told)) = (facts, told) else {
        return Some(Err(gone("Invoice deleted during wait")));
    };
    match status(engine, &facts) {
        InvoiceStatus::Unpaid => None,
        InvoiceStatus::Paid => Some(Ok(told.into())),
        InvoiceStatus::Expired => {
            let what = "invoice expired during wait";
            Some(Err(ErrorObject::new(PAYCODE_EXPIRED, what).with_data(&told)))
        }
    }
}

fn wait_any_invoice(_: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let last = args.read::<u64>("lastpay_index")?.unwrap_or(0);
    let timeout_ms = args.read::<u64>("timeout")?.map(|seconds| seconds * 1_000);
    let secrets = args.caller().secrets;
    let late =
        ErrorObject::new(PAYCODE_WAIT_TIMED_OUT, "Timed out while waiting for invoice to be paid");
    let mut seen = None;
    let look = move |engine: &Engine| {
        let receipts = match receipts(engine) {
            Ok(receipts) => receipts,
            Err(error) => return Some(Err(error)),
        };
        let seeing = Some(receipts.changes());
        if seen == seeing {
            return None;
        }
        seen = seeing;
        next(engine, receipts, last, secrets).map(|told| Ok(told.into()))
    };
    Ok(Reply::waiting(look, timeout_ms).or_error_when_late(late))
}

/// The invoice that was paid next after the `last` one.
fn next(engine: &Engine, receipts: &dyn Receipts, last: u64, secrets: bool) -> Option<Json> {
    let next = last.checked_add(1)?;
    let (index, hash) = *receipts.in_order(ReceiptOrder::InvoicePaid, next, 1).first()?;
    let told = element(engine, &receipts.facts(&hash)?, secrets)?;
    if index == next {
        return Some(told);
    }
    let mut fields = told.entries().unwrap_or_default();
    let missed = format!("pay_index {next} to {} are gone", index.saturating_sub(1));
    fields.push(("warning_missed".to_owned(), Json::of(&missed)));
    Some(Json::object(fields))
}
