//! Listing invoices.

use super::{element::element, label};
use crate::{
    bolt11,
    methods::{
        decode, kinds,
        paycodes::{
            page::{self, Page},
            receipts,
        },
    },
    port::ReceiptOrder,
};
use ecs_core::{Args, Engine, ErrorObject, Method, Reply, Scope, optional};
use payecs_units::PaymentHash;

pub(in crate::methods) const LIST_INVOICES: Method = Method {
    name: "listinvoices",
    params: &[
        optional("label", label::LABEL),
        optional("invstring", kinds::INVOICE),
        optional("payment_hash", kinds::HASH),
        optional("offer_id", kinds::NOT_SUPPORTED),
        page::INDEX,
        page::START,
        page::LIMIT,
    ],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"invoices": [{"label", "bolt11", "payment_hash", "amount_msat", "status":
        "unpaid", "paid" or "expired", "pay_index", "amount_received_msat", "paid_at",
        "payment_preimage", "metadata", "description", "expires_at", "created_index",
        "updated_index"}, …], "next": index}"#,
    doc: "Lists invoices, no bare paycodes: the one of a `label`, an `invstring` or a \
          `payment_hash`, which exclude each other, or all in the order in which they were made \
          (`index` `created`, the default) or in which they changed (`updated`), from `start` on, \
          `limit` at most, and 1000. `unpaid` is one that waits or has HTLCs that are not booked \
          yet, `expired` also one whose paycode was cancelled. `amount_msat` is absent where any \
          was asked for, `description` where it was deleted; `payment_preimage` is told of a paid \
          one, to callers who may read secrets. `pay_index` counts paid invoices in the order of \
          payment, without a gap; paycodes have none. `next`, where there may be more, is the \
          `start` of the next page. `start` and `limit` need `index`. What was paid is listed \
          until 100000 others were or it is deleted, what expired for 31 days.",
    handle: list_invoices,
    check: |engine, args| receipts(engine).and_then(|_| Asked::of(engine, args)).map(drop),
};

/// Which invoices.
enum Asked {
    All,
    One(Option<PaymentHash>),
}

impl Asked {
    fn of(engine: &Engine, args: &Args<'_>) -> Result<Self, ErrorObject> {
        if args.given("offer_id").is_some() {
            return Err(ErrorObject::invalid("`offer_id`: there are no offers here"));
        }
        let (label, hash) = (label::given(args), args.read::<PaymentHash>("payment_hash")?);
        let text = args.read::<String>("invstring")?;
        match (label, text, hash) {
            (None, None, None) => Ok(Self::All),
            (Some(label), None, None) => Ok(Self::One(receipts(engine)?.of_label(&label))),
            (None, None, Some(hash)) => Ok(Self::One(Some(hash))),
            (None, Some(text), None) => {
                let hash = decode::read(&text)?.payment_hash();
                let facts = hash.and_then(|hash| receipts(engine).ok()?.facts(&hash));
                let text = bolt11::stripped(&text);
                let is_it = |issued: &str| issued.eq_ignore_ascii_case(text);
                let found = facts.filter(|facts| {
                    facts.invoice.as_ref().is_some_and(|it| is_it(&it.issued.bolt11))
                });
                Ok(Self::One(found.map(|facts| facts.receipt.payment_hash)))
            }
            (_, _, _) => Err(ErrorObject::invalid(
                "give one of `label`, `invstring` and `payment_hash` at most",
            )),
        }
    }
}

fn list_invoices(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let orders = [ReceiptOrder::InvoiceCreated, ReceiptOrder::InvoiceUpdated];
    let page = Page::of("invoices", args, orders)?;
    let secrets = args.caller().secrets;
    Ok(match Asked::of(engine, args)? {
        Asked::All => page.all(move |engine, facts| element(engine, facts, secrets)),
        Asked::One(hash) => {
            let facts = hash.and_then(|hash| receipts(engine).ok()?.facts(&hash));
            page.one(facts.as_ref(), |facts| element(engine, facts, secrets))
        }
    })
}
