//! What we wait to be paid for.

mod issued;
mod wanted;
mod facts;

pub use facts::{InvoiceFacts, Over, OverKind, ReceiptCounts, ReceiptFacts, ReceiptOrder};
pub use issued::{
    AddReceiptError, CLTV_BLOCKS_MIN, IssuedInvoice, IssuedReceipt, ReceiptSecrets, SeedId,
};
pub use wanted::{Chosen, GivenSecrets, ReceiptKey, ReceiptRequest, Terms};

use super::PartImage;
use bevy_ecs::prelude::Resource;
use ecs_core::Json;
use payecs_units::{
    Blocks, Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a receipt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// Waiting.
    Unpaid,
    /// Its preimage leaves, or has left: no other set can be settled.
    Settling,
    /// Settled; never again.
    Paid,
    /// Withdrawn.
    Cancelled,
}

/// Which totals a receipt takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverpayRule {
    /// From what is asked for to twice that (BOLT 4). No upper end where twice overflows.
    #[default]
    Bolt,
    /// Exactly what is asked for.
    Exact,
    /// Anything from what is asked for on.
    Any,
}

/// Something we can be paid for, known by its hash. Secret and preimage stay behind the port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What it asks for; `None`: any amount above zero.
    pub amount_msat: Option<Msat>,
    /// Which totals it takes.
    pub overpay: OverpayRule,
    /// Blocks that each HTLC must have left when it comes in.
    pub cltv: Blocks,
    /// When it stops being payable: at that moment it no longer is.
    pub expires_at: Timestamp,
    /// A complete set waits for a decision.
    pub hold: bool,
    /// Whether the preimage is here; else it comes with the decision.
    pub preimage_known: bool,
    /// Where it stands.
    pub state: ReceiptState,
}

impl Receipt {
    /// Whether HTLCs that sum to `total` are what is asked for.
    /// ```
    /// # use ecs_systems::port::{OverpayRule, Receipt, ReceiptState};
    /// # use ecs_systems::units::{Blocks, Msat, Preimage, Timestamp};
    /// let receipt = Receipt {
    ///     payment_hash: Preimage([1; 32]).hash(),
    ///     amount_msat: Some(Msat(100)),
    ///     overpay: OverpayRule::Bolt,
    ///     cltv: Blocks(18),
    ///     expires_at: Timestamp(0),
    ///     hold: false,
    ///     preimage_known: true,
    ///     state: ReceiptState::Unpaid,
    /// };
    /// let taken = [99, 100, 200, 201].map(|msat| receipt.takes(Msat(msat)));
    /// assert_eq!(taken, [false, true, true, false]);
    /// ```
    #[must_use]
    pub fn takes(&self, total: Msat) -> bool {
        let Some(asked) = self.amount_msat else { return total > Msat::ZERO };
        let most = match self.overpay {
            OverpayRule::Bolt => asked.checked_mul(2).unwrap_or(Msat(u64::MAX)),
            OverpayRule::Exact => asked,
            OverpayRule::Any => Msat(u64::MAX),
        };
        asked <= total && total <= most
    }
}

/// HTLCs that together pay one receipt, as their payer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// What they are locked to.
    pub payment_hash: PaymentHash,
    /// What they are worth.
    pub amount_msat: Msat,
    /// What all parts are said to sum to; more than the amount where others pay the rest.
    pub total_msat: Msat,
    /// What the payer shows.
    pub payment_secret: Option<PaymentSecret>,
}

/// What becomes of what was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is taken, for this preimage.
    Settle(Preimage),
    /// It is refused, in words for our own log; a remote payer would only learn
    /// `incorrect_or_unknown_payment_details`.
    Refuse(String),
}

/// The receipts.
///
/// The laws are `receipts_laws!`: a receipt is settled at most once; the same HTLCs judged again
/// get the same verdict until its preimage is released; a refusal leaves it payable; no preimage
/// leaves before a `Settle` verdict. The same lines at the same moments lead to the same receipts.
pub trait Receipts: Send + Sync {
    /// The receipt with that hash.
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt>;

    /// Whether a payer shows the secret of that receipt, in a time that does not tell where they
    /// differ. `false` where there is no such receipt.
    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool;

    /// Whether what is offered would be taken, had it come at `at`. Changes nothing.
    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict;

    /// What the record of such a receipt says; changes nothing. The id must be drawn at random.
    ///
    /// # Errors
    /// [`AddReceiptError::NoSeed`].
    fn draft(
        &self,
        wanted: &ReceiptRequest,
        receipt_id: ReceiptId,
    ) -> Result<IssuedReceipt, AddReceiptError>;

    /// What a payer of that receipt must show, for whoever issues it. `None`: nothing, or it is not
    /// here.
    fn payment_secret(&self, payment_hash: &PaymentHash) -> Option<PaymentSecret>;

    /// What a payer of a receipt will have to show that is drafted and not issued yet.
    fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret>;

    /// Everything that may be told of the receipt with that hash.
    fn facts(&self, payment_hash: &PaymentHash) -> Option<ReceiptFacts>;

    /// The preimage of a receipt that was paid; `None` for any other: it proves that.
    fn proof(&self, payment_hash: &PaymentHash) -> Option<Preimage>;

    /// The receipts from that place on, at most so many, in order, each with its place.
    fn in_order(&self, order: ReceiptOrder, from: u64, most: usize) -> Vec<(u64, PaymentHash)>;

    /// A number that is another one after each change of any receipt, also one that was deleted.
    fn changes(&self) -> u64;

    /// The receipt that was issued with that idempotency key, while it is here, and what was asked
    /// for.
    fn of_key(&self, idempotency_key: &str) -> Option<(PaymentHash, RequestHash)>;

    /// The receipt whose invoice has that label, while it is here.
    fn of_label(&self, label: &str) -> Option<PaymentHash>;

    /// What was counted, of all receipts or of those alone that have an invoice.
    fn counts(&self, invoices: bool) -> ReceiptCounts;

    /// How many are not paid, not being paid and not cancelled, also those that have expired.
    fn unpaid(&self) -> u64;

    /// Those of [`Receipts::unpaid`] that are not noted as expired, by when they do, at most so
    /// many.
    fn expiring(&self, most: usize) -> Vec<(Timestamp, PaymentHash)>;

    /// Whether [`Receipts::issue`] would take a receipt now; changes nothing.
    ///
    /// # Errors
    /// What it would refuse it with.
    fn check(&self, issued: &IssuedReceipt) -> Result<(), AddReceiptError>;

    /// Adds a receipt that is issued at `at`.
    ///
    /// # Errors
    /// See [`AddReceiptError`].
    fn issue(&mut self, issued: &IssuedReceipt, at: Timestamp) -> Result<(), AddReceiptError>;

    /// Withdraws a receipt. Twice is no error.
    ///
    /// # Errors
    /// Unknown, paid or being paid, in words.
    fn withdraw(&mut self, payment_hash: &PaymentHash, at: Timestamp) -> Result<(), String>;

    /// Notes that the preimage leaves: from now on no other set is settled.
    ///
    /// # Errors
    /// Unknown, or not unpaid, in words.
    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String>;

    /// Notes that the preimage did not leave after all: the receipt can be paid again, or expires.
    ///
    /// # Errors
    /// Its preimage was not released, in words.
    fn restore(&mut self, payment_hash: &PaymentHash) -> Result<(), String>;

    /// Notes that the receipt has been paid. Its preimage may have been released before.
    ///
    /// # Errors
    /// Unknown or cancelled, or paid before with another amount, in words. Paid before with the
    /// same amount is no error.
    fn settle(
        &mut self,
        payment_hash: &PaymentHash,
        amount: Msat,
        at: Timestamp,
    ) -> Result<(), String>;

    /// Notes that an unpaid receipt has expired: that is a change of it. What began to come in for
    /// it before is taken all the same.
    ///
    /// # Errors
    /// Unknown, or not unpaid, in words.
    fn expire(&mut self, payment_hash: &PaymentHash) -> Result<(), String>;

    /// Takes a receipt away. Its hash stays refused where that is asked for, and where it was paid.
    ///
    /// # Errors
    /// Unknown, or being paid, in words.
    fn delete(&mut self, payment_hash: &PaymentHash, keep_tombstone: bool) -> Result<(), String>;

    /// The receipts that were paid, cancelled or have expired by `until`, oldest first, at most so
    /// many, behind the one that ended at the moment of `after` and has that `created_index`. One
    /// that expires while it is received for is among them until its preimage is released.
    fn over(&self, after: Option<(Timestamp, u64)>, until: Timestamp, most: usize) -> Vec<Over>;

    /// Takes a receipt away that is over, as its time has come, and counts that. Its hash stays
    /// refused where it was paid.
    ///
    /// # Errors
    /// Unknown, or being paid, in words.
    fn clean(&mut self, payment_hash: &PaymentHash) -> Result<(), String>;

    /// Forgets what the invoice of a receipt is for. The invoice itself still says it.
    ///
    /// # Errors
    /// Unknown, without an invoice, or with one that has no description, in words.
    fn undescribe(&mut self, payment_hash: &PaymentHash) -> Result<(), String>;

    /// A preimage as a record may have it; `None`: there is no seed here, or no receipt of its hash
    /// that was issued.
    fn seal(&self, preimage: &Preimage) -> Option<Sealed>;

    /// Takes the preimage of a receipt that was issued with its hash alone. Twice is no error.
    ///
    /// # Errors
    /// Unknown, not waiting for a preimage, or not its preimage, in words.
    fn reveal(&mut self, payment_hash: &PaymentHash, preimage: &Sealed) -> Result<(), String>;

    /// The receipts that were issued, as they are now. No secret is in it.
    fn image(&self) -> PartImage;

    /// Takes an image back. To be called on receipts that are empty.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that says what to do.
    fn take_back(&mut self, image: &Json) -> Result<(), String>;
}

/// The receipts as Systems see them.
#[derive(Resource)]
pub struct ReceiptsBook(pub Box<dyn Receipts>);

impl fmt::Debug for ReceiptsBook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ReceiptsBook(…)")
    }
}
