//! Listing paycodes.

use super::{
    element::element,
    page::{self, Page},
    receipts,
    standing::{Status, status},
};
use crate::{
    methods::kinds,
    port::{ReceiptFacts, ReceiptOrder},
};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Reply, Scope, optional};
use payecs_units::PaymentHash;

pub(in crate::methods) const LIST_PAYCODES: Method = Method {
    name: "listpaycodes",
    params: &[
        optional("payment_hash", kinds::HASH),
        optional("status", STATUS),
        page::INDEX,
        page::START,
        page::LIMIT,
    ],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"paycodes": [{"payment_hash", "status": "unpaid", "receiving", "held", "paid",
        "expired" or "cancelled", "amount_msat", "amount_received_msat", "expires_at", "paid_at",
        "payment_preimage", "parts": [{"short_channel_id", "htlc_id", "amount_msat",
        "cltv_expiry", "accepted_at", "payment_metadata": hex, "tlvs": [{"type", "value": hex},
        …]}, …], "held_until_height", "invoice_label",
        "metadata", "created_index", "updated_index"}, …], "next": index}"#,
    doc: "Lists paycodes, in the order in which they were made (`index` `created`, the default) or \
          in which they changed (`updated`), from `start` on, `limit` at most, and 1000. `status` \
          is `unpaid` while nothing is there, `receiving` while HTLCs gather or are being settled, \
          `held` while all are there and wait for a decision, `paid` once they are booked, \
          `expired` after its time, unless a set that began before is still there, and \
          `cancelled`. A set that is given back leaves it as it was. `amount_received_msat` is \
          what the set there has, or what was paid, and `parts` the HTLCs of that set, none of a \
          payment to ourselves; of a paycode that is paid while the engine has them, which is an \
          hour by default. `payment_metadata` is that of the invoice, as the payer brought it, and \
          `tlvs` what it told beside (BOLT 4, types of 65536 and more); they and the \
          `payment_preimage` of a paid one are told to callers who may read secrets. `amount_msat` \
          is absent where any was asked for, `invoice_label` where it has no invoice. \
          `updated_index` is another one with each change of the paycode itself, to expire is one; \
          HTLCs that come and go change none. `next`, where there may be more, is the `start` of \
          the next page: an answer looks at 10000 paycodes at most, so that one with a `status` \
          may be empty and have a `next`. `start` and `limit` need `index`. What was paid or \
          cancelled is listed until 10000 others were, what expired for 31 days.",
    handle: list_paycodes,
    check: |engine, args| receipts(engine).and_then(|_| Asked::of(args)).map(drop),
};

/// Where a paycode stands, by name.
pub(super) const STATUS: Kind = Kind {
    shape: "`unpaid`, `receiving`, `held`, `paid`, `expired` or `cancelled`",
    schema: r#"{"enum":["unpaid","receiving","held","paid","expired","cancelled"]}"#,
    fits: |json| json.decode::<Status>().is_ok(),
};

/// What a caller wants to see.
#[derive(Clone, Copy)]
struct Asked {
    payment_hash: Option<PaymentHash>,
    status: Option<Status>,
    page: Page,
    secrets: bool,
}

impl Asked {
    fn of(args: &Args<'_>) -> Result<Self, ErrorObject> {
        Ok(Self {
            payment_hash: args.read("payment_hash")?,
            status: args.read("status")?,
            page: Page::of("paycodes", args, [ReceiptOrder::Created, ReceiptOrder::Updated])?,
            secrets: args.caller().secrets,
        })
    }

    /// A paycode, if it is what is wanted.
    fn told(self, engine: &Engine, facts: &ReceiptFacts) -> Option<Json> {
        let wanted = self.status.is_none_or(|it| it == status(engine, &facts.receipt));
        wanted.then(|| element(engine, facts, self.secrets))
    }
}

fn list_paycodes(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(args)?;
    let Some(hash) = &asked.payment_hash else {
        return Ok(asked.page.all(move |engine, facts| asked.told(engine, facts)));
    };
    let facts = receipts(engine)?.facts(hash);
    Ok(asked.page.one(facts.as_ref(), |facts| asked.told(engine, facts)))
}
