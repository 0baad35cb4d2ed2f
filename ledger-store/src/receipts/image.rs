//! The receipts as data: no secret is in it.

use super::{
    MemoryReceipts, Seed,
    invoices::{Counted, InvoicePlaces, Invoices},
    made::{Held, Made, Outcome},
    order::{Order, Places},
};
use crate::guards::Guards;
use ecs_core::Json;
use ecs_systems::port::{IssuedReceipt, PartImage, ReceiptCounts, SeedId};
use ecs_systems::units::{PaymentHash, Sealed};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// What an image says.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// The seed of all receipts, also of those that are no longer here; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<SeedId>,
    receipts: Vec<StoredReceipt>,
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
    #[serde(default)] Option<Box<InvoicePlaces>>,
);

/// The receipts now. What is in no record is left out.
pub(super) fn of(receipts: &MemoryReceipts) -> PartImage {
    let held = receipts.held.iter().map(|(hash, held)| (*hash, Arc::clone(held)));
    let held: Vec<(PaymentHash, Arc<Held>)> = held.collect();
    let (seed, paid_before) = (receipts.issued_under, receipts.paid_before.clone());
    let (last, invoices) = (receipts.order.counts(), receipts.invoices.counted());
    let deleted = receipts.deleted.clone();
    PartImage::new(move || {
        let issued = held.iter().filter_map(|(_, held)| match &held.made {
            Made::Issued(issued) => {
                let given = held.invoiced.clone();
                Some(StoredReceipt(issued.clone(), held.outcome, held.places, given))
            }
            Made::Here(_) => None,
        });
        let paid_before = paid_before.texts().collect();
        let receipts = issued.collect();
        let deleted = deleted.texts().collect();
        let came = |(hash, held): &(PaymentHash, Arc<Held>)| Some((*hash, held.revealed?));
        let revealed = held.iter().filter_map(came).collect();
        Json::of(&Stored { seed, receipts, paid_before, last, invoices, deleted, revealed })
    })
}

/// Brings the receipts of an image back.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) fn take_back(receipts: &mut MemoryReceipts, from: &Json) -> Result<(), String> {
    let stored: Stored = from.decode().map_err(|error| format!("no image of receipts: {error}"))?;
    if !receipts.held.is_empty() || receipts.issued_under.is_some() {
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
            places = receipts.order.issue(payment_hash);
        } else {
            receipts.order.put(payment_hash, places);
        }
        let key = issued.key.as_ref().map(|key| (key.idempotency_key.clone(), payment_hash));
        receipts.keys.extend(key);
        match (&issued.invoice, &mut invoiced) {
            (Some(invoice), Some(given)) => receipts.invoices.put(payment_hash, invoice, **given),
            (Some(invoice), given @ None) => {
                *given = Some(Box::new(receipts.invoices.issue(payment_hash, invoice)));
            }
            (None, given) => *given = None,
        }
        let revealed = revealed.get(&payment_hash).copied();
        let made = Made::Issued(issued);
        if let Some((line, at)) = receipts.line(&made, outcome) {
            line.insert((at, payment_hash));
        }
        let held = Held { made, outcome, places, revealed, invoiced };
        receipts.held.insert(payment_hash, Arc::new(held));
    }
    Ok(())
}
