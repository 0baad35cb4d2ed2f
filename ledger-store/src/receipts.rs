//! What we wait to be paid for.
//!
//! Receipts that are issued by a command are in its record, and come back from the journal; see
//! [`Issuer`]. Their secrets are in no record: they follow from a [`Seed`].

mod made;
mod seed;
mod file;
mod issue;
mod judge;
mod ages;
mod order;
mod shelf;
mod invoices;
mod port;
mod image;

pub use file::{SECRETS_DIR, SEED_FILE, SeedFile, SeedFileError};
pub use issue::withdraw;
pub use issue::{IssueError, Issued, Issuer, RECEIPTS_PER_COMMAND_MAX};
pub use made::{CancelReceiptError, NewReceipt};
pub use seed::Seed;

use crate::{
    guards::{self, Guards},
    sorted::Sorted,
};
use ecs_systems::port::{
    AddReceiptError, CLTV_BLOCKS_MIN, Offered, ReceiptSecrets, ReceiptState, Receipts, SeedId,
};
use ecs_systems::units::{Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Seconds, Timestamp};
use invoices::Invoices;
use judge::{is_payable, same_secret, takes};
use made::{Held, Later, Made, Outcome, Secrets};
use order::Order;
use shelf::Shelf;
use std::{collections::BTreeMap, sync::Arc};

/// How many receipts that were paid or cancelled stay at hand; beyond it the oldest go.
pub const ENDED_RECEIPTS_MAX: usize = 10_000;
/// The same of receipts with an invoice, so that nobody who reads them one after the other misses
/// one soon.
pub const ENDED_INVOICES_MAX: usize = 100_000;
/// How long a receipt stays that expired unpaid: no HTLC that came in before lasts so long.
pub const EXPIRED_RECEIPTS_STAY: Seconds = Seconds(31 * 86_400);
/// How many receipts go with one line at most. Each line adds one at most.
const FORGOTTEN_PER_LINE_MAX: u32 = 4;

/// Receipts in the order in which they go: when in milliseconds, and their places on the shelf.
type Line = Sorted<(u64, u64)>;

/// The receipts in memory. No preimage and no secret of theirs prints.
///
/// With a seed they are those of an engine that keeps a journal: each is issued by a command.
/// Without one they are made in code and live as long as the process; receipts that were issued are
/// taken back from a journal too, but nothing can be paid with them, as their secrets are not here.
///
/// What was paid or cancelled stays until [`ENDED_RECEIPTS_MAX`] others were, or
/// [`ENDED_INVOICES_MAX`] with an invoice where it has one, what expired unpaid for
/// [`EXPIRED_RECEIPTS_STAY`]. Then it is unknown here; of what was paid a fingerprint of 8
/// bytes stays for ever, so that its preimage, which others know, makes no second receipt.
///
/// ```
/// use ecs_systems::port::{Offered, Receipts, Verdict};
/// use ecs_systems::units::{Blocks, Msat, Preimage, Timestamp};
/// use ledger_store::{MemoryReceipts, NewReceipt, Terms};
///
/// let mut receipts = MemoryReceipts::default();
/// let payment_hash = receipts.add(&NewReceipt {
///     preimage: Preimage([7; 32]),
///     payment_secret: None,
///     amount_msat: Some(Msat(100)),
///     expires_at: Timestamp(1_000),
///     terms: Terms::default(),
/// })?;
/// let amount_msat = Msat(100);
/// let (total_msat, payment_secret) = (amount_msat, None);
/// let whole = Offered { payment_hash, amount_msat, total_msat, payment_secret };
/// assert_eq!(receipts.judge(&whole, Timestamp(999)), Verdict::Settle(Preimage([7; 32])));
/// assert!(matches!(receipts.judge(&whole, Timestamp(1_000)), Verdict::Refuse(_)), "expired");
/// # Ok::<(), ledger_store::AddReceiptError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryReceipts {
    seed: Option<Seed>,
    /// The seed of the receipts that were issued.
    issued_under: Option<SeedId>,
    shelf: Shelf,
    order: Order,
    invoices: Invoices,
    /// Those that have an idempotency key, by their places on the shelf.
    keys: BTreeMap<String, u64>,
    /// Unpaid ones, by when they expire.
    unpaid: Line,
    /// Those that are noted as expired, by when they did.
    expired: Line,
    /// Paid and cancelled ones without an invoice, by when they ended.
    ended: Line,
    /// Paid and cancelled ones with an invoice, by when they ended.
    ended_invoices: Line,
    /// What was paid, and is no longer here.
    paid_before: Guards,
    /// What was deleted, and whose hash is not free again.
    deleted: Guards,
}

impl MemoryReceipts {
    /// No receipts yet, of an engine that keeps a journal. A restart brings back those that were
    /// issued under this seed, and refuses others.
    #[must_use]
    pub fn with_seed(seed: Seed) -> Self {
        Self { seed: Some(seed), ..Self::default() }
    }

    /// Adds a receipt that is in no record. The same one again is no error and changes nothing.
    ///
    /// # Errors
    /// It asks for nothing or for too few blocks, its preimage is another receipt's, or these
    /// receipts have a seed.
    pub fn add(&mut self, receipt: &NewReceipt) -> Result<PaymentHash, AddReceiptError> {
        if self.seed.is_some() {
            return Err(AddReceiptError::Kept);
        }
        let (amount_msat, cltv) = (receipt.amount_msat, receipt.terms.cltv);
        let made = Made::here(receipt);
        let hash = made.hash;
        match self.shelf.get(&hash) {
            Some(held) if held.made == made => return Ok(hash),
            Some(_) | None => self.may_be_added(hash, amount_msat, cltv)?,
        }
        self.put(made);
        Ok(hash)
    }

    fn may_be_added(
        &self,
        payment_hash: PaymentHash,
        amount_msat: Option<Msat>,
        cltv: Blocks,
    ) -> Result<(), AddReceiptError> {
        if amount_msat == Some(Msat::ZERO) {
            return Err(AddReceiptError::ZeroAmount);
        }
        if cltv < CLTV_BLOCKS_MIN {
            return Err(AddReceiptError::CltvTooShort { cltv });
        }
        if self.shelf.get(&payment_hash).is_some() {
            return Err(AddReceiptError::HashTaken { payment_hash });
        }
        if self.paid_before.contains(guards::of_hash(&payment_hash)) {
            return Err(AddReceiptError::WasPaid { payment_hash });
        }
        if self.deleted.contains(guards::of_hash(&payment_hash)) {
            return Err(AddReceiptError::WasDeleted { payment_hash });
        }
        Ok(())
    }

    fn put(&mut self, made: Made) {
        let places = self.order.next();
        self.order.put(places.created, places);
        self.unpaid.insert((made.expires_at.0, places.created));
        self.keys.extend(made.key().map(|key| (key.idempotency_key.clone(), places.created)));
        let invoice = made.invoice();
        let invoiced = invoice.map(|it| self.invoices.issue(places.created, it));
        let later = Later { revealed: None, invoiced };
        self.shelf.put(Held::new(made, Outcome::Unpaid, places, later));
    }

    /// The line that a receipt stands in with such an outcome, if it does, and where.
    fn line(&mut self, made: &Made, outcome: Outcome) -> Option<(&mut Line, Timestamp)> {
        let ended = match made.invoice() {
            Some(_) => &mut self.ended_invoices,
            None => &mut self.ended,
        };
        match outcome {
            Outcome::Unpaid => Some((&mut self.unpaid, made.expires_at)),
            Outcome::Expired => Some((&mut self.expired, made.expires_at)),
            Outcome::Settling => None,
            Outcome::Paid { at_ms, .. } | Outcome::Cancelled { at_ms } => {
                Some((ended, Timestamp(at_ms)))
            }
        }
    }

    /// Takes a receipt away, and answers what it was.
    fn remove(&mut self, place: u64) -> Option<Arc<Held>> {
        let held = self.shelf.take(place)?;
        self.order.remove(place, held.places);
        if let Some(key) = held.made.key() {
            self.keys.remove(&key.idempotency_key);
        }
        if let (Some(invoice), Some(given)) = (held.made.invoice(), held.invoiced()) {
            self.invoices.remove(place, invoice, given);
        }
        Some(held)
    }

    /// Withdraws a receipt that is in no record; see [`withdraw`] for those that are. Twice is no
    /// error.
    ///
    /// # Errors
    /// There is none, or it was paid or is being paid.
    pub fn cancel(&mut self, payment_hash: &PaymentHash) -> Result<(), CancelReceiptError> {
        self.cancel_at(*payment_hash, Timestamp(0))
    }

    fn cancel_at(
        &mut self,
        payment_hash: PaymentHash,
        at: Timestamp,
    ) -> Result<(), CancelReceiptError> {
        let held = self.shelf.get(&payment_hash);
        match held.ok_or(CancelReceiptError::Unknown { payment_hash })?.outcome {
            Outcome::Paid { received_msat, .. } => {
                Err(CancelReceiptError::Paid { payment_hash, received_msat })
            }
            Outcome::Settling => Err(CancelReceiptError::Settling { payment_hash }),
            Outcome::Cancelled { .. } => Ok(()),
            Outcome::Unpaid | Outcome::Expired => {
                self.become_outcome(&payment_hash, Outcome::Cancelled { at_ms: at.0 });
                self.forget(at);
                Ok(())
            }
        }
    }

    /// From one state to another.
    fn change(
        &mut self,
        payment_hash: &PaymentHash,
        from: ReceiptState,
        to: Outcome,
    ) -> Result<(), String> {
        match self.find(payment_hash).map(|receipt| receipt.state) {
            Some(state) if state == from => self.become_outcome(payment_hash, to),
            Some(state) => {
                return Err(format!("the receipt of hash {payment_hash} is {state:?}"));
            }
            None => return Err(format!("no receipt of hash {payment_hash}")),
        }
        Ok(())
    }

    fn become_outcome(&mut self, payment_hash: &PaymentHash, to: Outcome) {
        let is_paid = matches!(to, Outcome::Paid { .. });
        let Some(held) = self.change_places(payment_hash, is_paid) else { return };
        let from = std::mem::replace(&mut held.outcome, to);
        let Some(held) = self.shelf.get(payment_hash).cloned() else { return };
        let place = held.places.created;
        if let Some((line, at)) = self.line(&held.made, from) {
            line.remove((at.0, place));
        }
        if let Some((line, at)) = self.line(&held.made, to) {
            line.insert((at.0, place));
        }
    }

    /// Gives a receipt that changes its new places.
    fn change_places(&mut self, payment_hash: &PaymentHash, is_paid: bool) -> Option<&mut Held> {
        let held = self.shelf.get_mut(payment_hash)?;
        self.order.change(held.places.created, &mut held.places);
        if let Some(given) = held.later.as_mut().and_then(|later| later.invoiced.as_mut()) {
            self.invoices.change(held.places.created, given, is_paid);
        }
        Some(held)
    }

    /// Lets some go that ended: as far as it is their time at `at`.
    fn forget(&mut self, at: Timestamp) {
        for _ in 0..FORGOTTEN_PER_LINE_MAX {
            let expired = [&self.unpaid, &self.expired].map(Line::first).into_iter().flatten();
            let expired = expired.min().copied();
            let expired = expired.filter(|it| Timestamp(it.0).after(EXPIRED_RECEIPTS_STAY) <= at);
            let beyond = |line: &Line, most| line.first().copied().filter(|_| line.len() > most);
            let ended = beyond(&self.ended, ENDED_RECEIPTS_MAX);
            let ended = ended.or_else(|| beyond(&self.ended_invoices, ENDED_INVOICES_MAX));
            let Some(gone) = expired.or(ended) else { return };
            let Self { unpaid, expired, ended, ended_invoices, .. } = self;
            for line in [unpaid, expired, ended, ended_invoices] {
                line.remove(gone);
            }
            let Some(held) = self.remove(gone.1) else { return };
            if matches!(held.outcome, Outcome::Paid { .. }) {
                self.paid_before.insert(guards::of_hash(&held.made.hash));
            }
        }
    }

    /// How many receipts are here, ended ones too.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shelf.len()
    }

    /// What a receipt was paid with, and when; `None` where it wasn't, or that is long ago.
    #[must_use]
    pub fn paid(&self, payment_hash: &PaymentHash) -> Option<(Msat, Timestamp)> {
        match self.shelf.get(payment_hash)?.outcome {
            Outcome::Paid { received_msat, at_ms } => Some((received_msat, Timestamp(at_ms))),
            Outcome::Unpaid | Outcome::Expired | Outcome::Settling | Outcome::Cancelled { .. } => {
                None
            }
        }
    }

    /// The secrets of a receipt, without the preimage where that is somebody else's; `None`: they
    /// are not here.
    fn secrets_of(&self, held: &Held) -> Option<(Option<Preimage>, Option<PaymentSecret>)> {
        let secrets = match held.made.more.as_deref().map(|more| &more.secrets) {
            Some(Secrets::Here(preimage, secret)) => return Some((Some(*preimage), *secret)),
            Some(Secrets::Issued(secrets)) => *secrets,
            None => ReceiptSecrets::Derived,
        };
        let seed = self.seed.as_ref().filter(|seed| self.issued_under == Some(seed.id()))?;
        let name = held.made.name();
        let (preimage, secret) = seed.secrets_of(name, secrets);
        let came = || held.revealed().map(|sealed| seed.opened(name, sealed));
        Some((preimage.or_else(came), secret))
    }

    /// What becomes of what is offered. The order follows BOLT 4 and Core Lightning: what is known
    /// of the receipt, then the secret, then the amounts.
    fn verdict(&self, offered: &Offered, at: Timestamp) -> Result<Preimage, String> {
        let receipt = self.find(&offered.payment_hash);
        let held = self.shelf.get(&offered.payment_hash);
        let (Some(receipt), Some(held)) = (receipt, held) else {
            return Err("no receipt of this hash".to_owned());
        };
        is_payable(&receipt, held, at)?;
        let (preimage, payment_secret) =
            self.secrets_of(held).ok_or("the secrets of the receipt are not here")?;
        if !same_secret(payment_secret.as_ref(), offered.payment_secret.as_ref()) {
            return Err("the payment secret is wrong".to_owned());
        }
        takes(&receipt, offered)?;
        let preimage = preimage.ok_or("the preimage of the receipt is not here yet")?;
        if preimage.hash() != offered.payment_hash {
            return Err("the preimage of the receipt is not that of its hash".to_owned());
        }
        Ok(preimage)
    }
}

#[cfg(test)]
mod tests;
