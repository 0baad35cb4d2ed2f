//! Listing paycodes.

use super::{
    element::element,
    receipts,
    standing::{Status, status},
};
use crate::{
    methods::kinds,
    port::{ReceiptOrder, Receipts},
};
use ecs_core::{Args, Engine, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, optional};
use payecs_units::PaymentHash;
use serde::Deserialize;

/// Most paycodes of one answer.
const LISTED_MAX: usize = 1_000;
/// Most that are looked at for one.
const LOOKED_AT_MAX: usize = 10_000;
/// Most that are looked at in one go.
const AT_ONCE_MAX: usize = 256;

pub(in crate::methods) const LIST_PAYCODES: Method = Method {
    name: "listpaycodes",
    params: &[
        optional("payment_hash", kinds::HASH),
        optional("status", STATUS),
        optional("index", INDEX),
        optional("start", Kind::COUNT.saying("an integer: the first index that is listed")),
        optional("limit", kinds::LIMIT),
    ],
    scope: Scope::Read,
    errors: &[209],
    result: r#"{"paycodes": [{"payment_hash", "status": "unpaid", "receiving", "held", "paid",
        "expired" or "cancelled", "amount_msat", "amount_received_msat", "expires_at", "paid_at",
        "payment_preimage", "parts": [{"short_channel_id", "htlc_id", "amount_msat",
        "cltv_expiry", "accepted_at"}, …], "held_until_height", "metadata", "created_index",
        "updated_index"}, …], "next": index}"#,
    doc: "Lists paycodes, in the order in which they were made (`index` `created`, the default) or \
          in which they changed (`updated`), from `start` on, `limit` at most, and 1000. `status` \
          is `unpaid` while nothing is there, `receiving` while HTLCs gather or are being settled, \
          `held` while all are there and wait for a decision, `paid` once they are booked, \
          `expired` after its time, unless a set that began before is still there, and \
          `cancelled`. A set that is given back leaves it as it was. `amount_received_msat` is \
          what the set there has, or what was paid, and `parts` the HTLCs of that set, none of a \
          payment to ourselves; of a paycode that is paid while the engine has them, which is an \
          hour by default. `payment_preimage` is told of a paid one, to callers who may read \
          secrets. `amount_msat` is absent where any was asked for. `updated_index` is another one \
          with each change of the paycode itself; HTLCs that come and go, and time that passes, \
          change none. `next`, where there may be more, is the `start` of the next page: an answer \
          looks at 10000 paycodes at most, so that one with a `status` may be empty and have a \
          `next`. `start` and `limit` need `index`. What was paid or cancelled is listed until \
          10000 others were, what expired for 31 days.",
    handle: list_paycodes,
    check: |engine, args| receipts(engine).and_then(|_| Asked::of(args)).map(drop),
};

/// Where a paycode stands, by name.
pub(super) const STATUS: Kind = Kind {
    shape: "`unpaid`, `receiving`, `held`, `paid`, `expired` or `cancelled`",
    schema: r#"{"enum":["unpaid","receiving","held","paid","expired","cancelled"]}"#,
    fits: |json| json.decode::<Status>().is_ok(),
};

const INDEX: Kind = Kind {
    shape: "`created` or `updated`",
    schema: r#"{"enum":["created","updated"]}"#,
    fits: |json| json.decode::<Index>().is_ok(),
};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Index {
    Created,
    Updated,
}

/// What a caller wants to see.
struct Asked {
    payment_hash: Option<PaymentHash>,
    status: Option<Status>,
    order: ReceiptOrder,
    start: u64,
    limit: usize,
    secrets: bool,
}

impl Asked {
    fn of(args: &Args<'_>) -> Result<Self, ErrorObject> {
        let index = args.read::<Index>("index")?;
        for name in ["start", "limit"] {
            if index.is_none() && args.given(name).is_some() {
                return Err(ErrorObject::invalid(format!("`{name}` needs `index`")));
            }
        }
        let limit = args.read::<u32>("limit")?.map_or(LISTED_MAX, |limit| limit as usize);
        Ok(Self {
            payment_hash: args.read("payment_hash")?,
            status: args.read("status")?,
            order: match index {
                Some(Index::Updated) => ReceiptOrder::Updated,
                Some(Index::Created) | None => ReceiptOrder::Created,
            },
            start: args.read("start")?.unwrap_or(0),
            limit: limit.min(LISTED_MAX),
            secrets: args.caller().secrets,
        })
    }

    /// The paycode of a hash, if it is what is wanted.
    fn told(&self, engine: &Engine, receipts: &dyn Receipts, hash: &PaymentHash) -> Option<Json> {
        let facts = receipts.facts(hash)?;
        let wanted = self.status.is_none_or(|it| it == status(engine, &facts.receipt));
        wanted.then(|| element(engine, &facts, self.secrets))
    }
}

fn list_paycodes(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let asked = Asked::of(args)?;
    if let Some(hash) = &asked.payment_hash {
        let receipts = receipts(engine)?;
        let place = receipts.facts(hash).map(|facts| match asked.order {
            ReceiptOrder::Created => facts.created_index,
            ReceiptOrder::Updated => facts.updated_index,
        });
        let is_behind = place.is_some_and(|place| place >= asked.start);
        let told = asked.told(engine, receipts, hash).filter(|_| is_behind);
        return Ok(page(told, None).into());
    }
    let (mut from, mut looked_at, mut found) = (asked.start, 0, Vec::new());
    Ok(Reply::in_steps(move |engine| {
        let receipts = match receipts(engine) {
            Ok(receipts) => receipts,
            Err(error) => return Some(Err(error)),
        };
        let some = receipts.in_order(asked.order, from, AT_ONCE_MAX);
        let is_all = some.len() < AT_ONCE_MAX;
        for (place, hash) in some {
            if found.len() == asked.limit || looked_at == LOOKED_AT_MAX {
                return Some(Ok(page(found.drain(..), Some(place)).into()));
            }
            (from, looked_at) = (place.saturating_add(1), looked_at + 1);
            found.extend(asked.told(engine, receipts, &hash));
        }
        is_all.then(|| Ok(page(found.drain(..), None).into()))
    }))
}

fn page(found: impl IntoIterator<Item = Json>, next: Option<u64>) -> Json {
    let mut fields: Fields = vec![("paycodes".to_owned(), Json::array(found))];
    fields.extend(next.map(|next| ("next".to_owned(), Json::of(&next))));
    Json::object(fields)
}
