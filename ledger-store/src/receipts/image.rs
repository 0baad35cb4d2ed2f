//! The receipts as data: no secret is in it.

use super::{
    MemoryReceipts, Seed,
    invoices::{Counted, InvoicePlaces, Invoices},
    made::{Held, Later, Made, Outcome},
    order::{Order, Places},
    shelf::Shelf,
};
use crate::guards::Guards;
use ecs_core::Json;
use ecs_systems::port::{IssuedReceipt, PartImage, ReceiptCounts, SeedId};
use ecs_systems::units::{PaymentHash, Sealed};
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::BTreeMap, sync::Arc};

/// What an image says. There may be many receipts: they are written one by one.
#[derive(Serialize, Deserialize)]
struct Stored<Receipts = Vec<StoredReceipt>> {
    /// The seed of all receipts, also of those that are no longer here; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<SeedId>,
    receipts: Receipts,
    paid_before: Vec<String>,
    /// The last places that were given.
    #[serde(default)]
    last: ReceiptCounts,
    /// What was counted of invoices.
    #[serde(default)]
    invoices: Counted,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<String>,
    /// The preimages that came later, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revealed: Vec<(PaymentHash, Sealed)>,
}

/// One receipt. Where it has no places, they are given in the order of the image.
#[derive(Serialize, Deserialize)]
struct StoredReceipt(
    IssuedReceipt,
    Outcome,
    #[serde(default)] Places,
    #[serde(default)] Option<InvoicePlaces>,
);

/// Receipts, of which those are written that a record has issued.
struct Each<'a> {
    shelf: &'a Shelf,
    seed: Option<SeedId>,
}

impl Serialize for Each<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.shelf.from(0).filter_map(|held| {
            let record = held.made.record(self.seed?)?;
            Some(StoredReceipt(record, held.outcome, held.places, held.invoiced().copied()))
        }))
    }
}

/// The receipts now. What is in no record is left out.
pub(super) fn of(receipts: &MemoryReceipts) -> PartImage {
    let shelf = receipts.shelf.clone();
    let (seed, paid_before) = (receipts.issued_under, receipts.paid_before.clone());
    let (last, invoices) = (receipts.order.counts(), receipts.invoices.counted());
    let deleted = receipts.deleted.clone();
    PartImage::new(move |to| {
        let came = |held: &Arc<Held>| Some((held.made.hash, *held.revealed()?));
        let stored = Stored {
            seed,
            receipts: Each { shelf: &shelf, seed },
            paid_before: paid_before.texts().collect(),
            last,
            invoices,
            deleted: deleted.texts().collect(),
            revealed: shelf.from(0).filter_map(came).collect(),
        };
        Ok(serde_json::to_writer(to, &stored)?)
    })
}

/// Brings the receipts of an image back.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) fn take_back(receipts: &mut MemoryReceipts, from: &Json) -> Result<(), String> {
    let stored: Stored = from.decode().map_err(|error| format!("no image of receipts: {error}"))?;
    if receipts.count() > 0 || receipts.issued_under.is_some() {
        return Err("the receipts are in use already".to_owned());
    }
    let ours = receipts.seed.as_ref().map(Seed::id);
    if let (Some(theirs), Some(ours)) = (stored.seed, ours)
        && theirs != ours
    {
        return Err(format!(
            "they are of seed {theirs}, here is seed {ours}: put the file of theirs back"
        ));
    }
    let guards = Guards::read(&stored.paid_before);
    receipts.paid_before = guards.ok_or("its fingerprints are not as they were written")?;
    receipts.issued_under = stored.seed;
    let guards = Guards::read(&stored.deleted);
    receipts.deleted = guards.ok_or("its fingerprints are not as they were written")?;
    let revealed: BTreeMap<PaymentHash, Sealed> = stored.revealed.into_iter().collect();
    receipts.order = Order::behind(stored.last);
    receipts.invoices = Invoices::behind(stored.invoices);
    for StoredReceipt(issued, outcome, mut places, mut invoiced) in stored.receipts {
        let payment_hash = issued.payment_hash;
        if Some(issued.seed) != stored.seed {
            return Err(format!("the receipt of hash {payment_hash} is of another seed"));
        }
        if places == Places::default() {
            places = receipts.order.next();
        }
        receipts.order.put(places.created, places);
        let key = issued.key.as_ref().map(|key| (key.idempotency_key.clone(), places.created));
        receipts.keys.extend(key);
        match (&issued.invoice, &mut invoiced) {
            (Some(invoice), Some(given)) => {
                receipts.invoices.put(places.created, invoice, *given);
            }
            (Some(invoice), given @ None) => {
                *given = Some(receipts.invoices.issue(places.created, invoice));
            }
            (None, given) => *given = None,
        }
        let revealed = revealed.get(&payment_hash).copied();
        let made = Made::issued(issued);
        if let Some((line, at)) = receipts.line(&made, outcome) {
            line.insert((at.0, places.created));
        }
        let later = Later { revealed, invoiced };
        receipts.shelf.put(Held::new(made, outcome, places, later));
    }
    Ok(())
}
