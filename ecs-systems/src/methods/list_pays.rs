//! Listing payments.

use super::{
    books, decode, kinds,
    past::{PastPayment, Told, payments, told},
    seconds,
};
use crate::{
    components::{Claimed, Description, Invoice, Label},
    port::{Books, BooksReader, HistoryError, HoldState, PastEntry, PastLook, PaymentRef},
    refusal::from_ledger,
};
use ecs_core::{
    Args, Engine, Entities, EntityId, ErrorObject, Fields, Json, Kind, Method, Reply, Scope,
    optional,
};
use payecs_units::PaymentHash;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most payments of one answer, and most that are looked at for one.
const LISTED_MAX: usize = 10_000;
/// Most entries of the ledger that are looked through for one answer.
const LOOKED_THROUGH_MAX: usize = 1_000_000;
/// Entries that are read at a time.
const READ_AT_ONCE: usize = 1_024;
/// Most Entities that are looked at in one go.
const LOOKED_AT_MAX: usize = 128;

pub(super) const LIST_PAYS: Method = Method {
    name: "listpays",
    params: &[
        optional("bolt11", kinds::INVOICE),
        optional("payment_hash", kinds::HASH),
        optional("status", STATUS),
        optional("index", INDEX),
        optional("start", Kind::COUNT.saying("an integer: the first index that is listed")),
        optional("limit", kinds::LIMIT),
    ],
    scope: Scope::Read,
    errors: &[209, 2321, 2322],
    result: r#"{"pays": [{"payment_hash", "status": "pending", "complete" or "failed",
        "destination", "created_at", "completed_at", "label", "bolt11", "description", "preimage",
        "amount_msat", "amount_sent_msat", "number_of_parts", "created_index", "updated_index",
        "fee_msat", "groupid", "entity", "idempotency_key", "error"}, …], "next": index}"#,
    doc: "Lists the payments that claimed their hash, by when they did (`index` `created`, the \
          default) or by when they ended (`updated`, those that have), from `start` on, `limit` at \
          most. Each try to pay a hash is one element. `amount_msat` is what the payee gets or was \
          to get; `amount_sent_msat` and `fee_msat` sum the parts that did not fail. \
          `number_of_parts` is there where these are several, `completed_at` and `preimage` where \
          it is complete, the preimage only for callers who may read secrets; `bolt11` and \
          `description` while the engine has the payment, which is an hour after its end by \
          default. `next`, where there may be more, is the `start` of the next page: an answer \
          looks at 10000 payments and 1000000 entries of the ledger at most, so that one with a \
          `status` may be empty and have a `next`. `start` and `limit` need `index`. Of `bolt11` \
          and `payment_hash` one can be given.",
    handle: list_pays,
    check: |_, args| Asked::of(args).map(drop),
};

const STATUS: Kind = Kind {
    shape: "`pending`, `complete` or `failed`",
    schema: r#"{"enum":["pending","complete","failed"]}"#,
    fits: |json| json.as_str().is_some_and(|it| ["pending", "complete", "failed"].contains(&&*it)),
};

const INDEX: Kind = Kind {
    shape: "`created` or `updated`",
    schema: r#"{"enum":["created","updated"]}"#,
    fits: |json| json.decode::<Order>().is_ok(),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Created,
    Updated,
}

/// What a caller wants to see.
struct Asked {
    payment_hash: Option<PaymentHash>,
    status: Option<String>,
    order: Order,
    /// The first entry of the ledger that counts.
    from: u64,
    limit: usize,
    secrets: bool,
}

impl Asked {
    fn of(args: &Args<'_>) -> Result<Self, ErrorObject> {
        let mut payment_hash = args.read::<PaymentHash>("payment_hash")?;
        if let Some(invoice) = args.read::<String>("bolt11")? {
            if payment_hash.is_some() {
                let what = "Can only specify one of {bolt11} or {payment_hash}";
                return Err(ErrorObject::invalid(what));
            }
            payment_hash = decode::read(&invoice)?.payment_hash();
        }
        let order = args.read::<Order>("index")?;
        for name in ["start", "limit"] {
            if order.is_none() && args.given(name).is_some() {
                return Err(ErrorObject::invalid(format!("`{name}` needs `index`")));
            }
        }
        let limit = args.read::<u32>("limit")?.map_or(LISTED_MAX, |limit| limit as usize);
        Ok(Self {
            payment_hash,
            status: args.read("status")?,
            order: order.unwrap_or(Order::Created),
            from: args.read::<u64>("start")?.unwrap_or(1).saturating_sub(1),
            limit: limit.min(LISTED_MAX),
            secrets: args.caller().secrets,
        })
    }

    fn wants(&self, paying: &PastPayment) -> bool {
        self.status.as_deref().is_none_or(|status| status == paying.status())
            && self.place(paying).is_some_and(|place| place >= self.from)
    }

    /// The only hashes that can be listed; `None`: any.
    fn hashes(&self, books: &Books) -> Option<BTreeSet<PaymentHash>> {
        if let Some(hash) = self.payment_hash {
            return Some([hash].into());
        }
        let open = || books.0.open_payments().into_iter();
        let is_pending = self.status.as_deref() == Some("pending");
        is_pending.then(|| open().map(|it| it.claim.payment.payment_hash).collect())
    }

    /// The entry by which it is listed.
    fn place(&self, paying: &PastPayment) -> Option<u64> {
        match self.order {
            Order::Created => Some(paying.created.0),
            Order::Updated => paying.end.as_ref().map(|end| end.entry.0),
        }
    }
}

/// What only the engine knows of a payment.
struct Noted {
    bolt11: Option<Json>,
    description: Option<Json>,
    label: Option<Json>,
}

fn list_pays(_: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let mut asked = Some(Asked::of(args)?);
    let (mut noted, mut after) = (BTreeMap::new(), None);
    Ok(Reply::in_steps(move |engine| {
        if !note_some(engine, &mut after, &mut noted) {
            return None;
        }
        let (asked, noted) = (asked.take()?, std::mem::take(&mut noted));
        let books = match books(engine) {
            Ok(books) => books,
            Err(error) => return Some(Err(error)),
        };
        let (hashes, reader) = (asked.hashes(books), books.0.reader());
        Some(Ok(Reply::Elsewhere(Box::new(move || {
            let listed = list(&reader, &asked, hashes, &noted);
            listed.map_err(|error| from_ledger(&error.into()))
        }))))
    }))
}

/// Looks at some more Entities; whether these were the last.
fn note_some(
    engine: &Engine,
    after: &mut Option<EntityId>,
    noted: &mut BTreeMap<PaymentRef, Noted>,
) -> bool {
    let Some(live) = engine.resource::<Entities>() else { return true };
    let mut looked_at = 0;
    for id in live.after(*after).take(LOOKED_AT_MAX) {
        looked_at += 1;
        *after = Some(id);
        let Some(Claimed(facts)) = engine.get(id) else { continue };
        let of = Noted {
            bolt11: engine.get::<Invoice>(id).map(|invoice| invoice.0.clone()),
            description: engine
                .get::<Description>(id)
                .map(|description| description.0.clone())
                .or_else(|| engine.component(id, "lightningd:invoice:description")),
            label: engine.get::<Label>(id).map(|label| label.0.clone()),
        };
        noted.insert(facts.claim.payment, of);
    }
    looked_at < LOOKED_AT_MAX
}

fn list(
    reader: &BooksReader,
    asked: &Asked,
    hashes: Option<BTreeSet<PaymentHash>>,
    noted: &BTreeMap<PaymentRef, Noted>,
) -> Result<Json, HistoryError> {
    let mut look = reader.look()?;
    let (mut found, mut next) = (Vec::new(), None);
    if let Some(hashes) = hashes {
        for hash in hashes {
            let all = payments(hash, look.lines_of(&hash)?).into_values();
            found.extend(all.filter(|paying| asked.wants(paying)));
        }
        found.sort_by_key(|paying| asked.place(paying));
        next = found.get(asked.limit).and_then(|paying| asked.place(paying));
        found.truncate(asked.limit);
    } else {
        let (mut from, mut looked_through, mut looked_at) = (asked.from, 0, 0);
        loop {
            let entries = look.entries(from, READ_AT_ONCE)?;
            let Some(last) = entries.last() else { break };
            from = last.index.saturating_add(1);
            looked_through += entries.len();
            next = add(&mut found, &mut looked_at, &entries, &mut look, asked)?;
            if next.is_none() && looked_through >= LOOKED_THROUGH_MAX {
                next = Some(from);
            }
            if next.is_some() {
                break;
            }
        }
    }
    let pays = found.iter().map(|paying| element(paying, asked, noted.get(&paying.claim.payment)));
    let mut fields = vec![("pays", Json::array(pays))];
    fields.extend(next.map(|index| ("next", Json::of(&index.saturating_add(1)))));
    Ok(Json::object(fields))
}

/// Adds what these entries list. Where there is too much, it answers with the first entry that is
/// left out.
fn add(
    found: &mut Vec<PastPayment>,
    looked_at: &mut usize,
    entries: &[PastEntry],
    look: &mut PastLook<'_>,
    asked: &Asked,
) -> Result<Option<u64>, HistoryError> {
    for entry in entries {
        for (payment, told) in entry.lines.iter().filter_map(told) {
            let lists = match (&told, asked.order) {
                (Told::Claimed(_), Order::Created)
                | (Told::Complete(_) | Told::Failed(_), Order::Updated) => true,
                (Told::Claimed(_), Order::Updated)
                | (Told::Complete(_) | Told::Failed(_), Order::Created)
                | (
                    Told::Reserved(..)
                    | Told::Sent(_)
                    | Told::Part(..)
                    | Told::Overspent(..)
                    | Told::ToSelf(_),
                    _,
                ) => false,
            };
            if !lists {
                continue;
            }
            if *looked_at == LISTED_MAX {
                return Ok(Some(entry.index));
            }
            *looked_at += 1;
            let hash = payment.payment_hash;
            let paying = payments(hash, look.lines_of(&hash)?).remove(&payment.group_id);
            // Said before, or said again later.
            let here = |paying: &PastPayment| asked.place(paying) == Some(entry.index);
            let Some(paying) = paying.filter(|it| here(it) && asked.wants(it)) else { continue };
            if found.len() == asked.limit {
                return Ok(Some(entry.index));
            }
            found.push(paying);
        }
    }
    Ok(None)
}

fn element(paying: &PastPayment, asked: &Asked, noted: Option<&Noted>) -> Json {
    let claim = &paying.claim;
    let standing = paying.count(HoldState::Held).saturating_add(paying.count(HoldState::Paid));
    let index = |entry: u64| Json::of(&entry.saturating_add(1));
    let label = || paying.label.as_deref().map(Json::of);
    let preimage = paying.preimage().filter(|_| asked.secrets);
    let fields = [
        ("payment_hash", Some(Json::of(&claim.payment.payment_hash))),
        ("status", Some(Json::of(paying.status()))),
        ("destination", Some(Json::of(&claim.destination))),
        ("created_at", Some(seconds(paying.created.1))),
        ("completed_at", paying.completed_at().map(seconds)),
        ("label", noted.and_then(|noted| noted.label.clone()).or_else(label)),
        ("bolt11", noted.and_then(|noted| noted.bolt11.clone())),
        ("description", noted.and_then(|noted| noted.description.clone())),
        ("preimage", preimage.map(|preimage| Json::of(&preimage.reveal()))),
        ("amount_msat", Some(Json::of(&claim.amount_msat))),
        ("amount_sent_msat", paying.sent_msat().map(|msat| Json::of(&msat))),
        ("number_of_parts", (standing > 1).then(|| Json::of(&standing))),
        ("created_index", Some(index(paying.created.0))),
        ("updated_index", paying.end.as_ref().map(|end| index(end.entry.0))),
        ("fee_msat", paying.fee_msat().map(|msat| Json::of(&msat))),
        ("groupid", Some(Json::of(&claim.payment.group_id))),
        ("entity", Some(Json::of(&claim.entity))),
        ("idempotency_key", claim.idempotency_key.as_deref().map(Json::of)),
        ("error", paying.error().map(Json::of)),
    ];
    let fields = fields.into_iter().filter_map(|(name, json)| Some((name.to_owned(), json?)));
    Json::object(fields.collect::<Fields>())
}
