//! What we wait to be paid for.

use bevy_ecs::prelude::Resource;
use payecs_units::{Msat, PaymentHash, PaymentSecret, Preimage, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a receipt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// Waiting.
    Unpaid,
    /// Settled; never again.
    Paid,
    /// Withdrawn.
    Cancelled,
}

/// Something we can be paid for, known by its hash. The preimage stays behind the port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What it asks for; `None`: any amount.
    pub amount_msat: Option<Msat>,
    /// When it stops being payable.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: ReceiptState,
}

/// An HTLC from ourselves to ourselves, which crosses no channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualHtlc {
    /// What it is locked to.
    pub payment_hash: PaymentHash,
    /// What it is worth.
    pub amount_msat: Msat,
    /// What all parts sum to; more than the amount where others pay the rest.
    pub total_msat: Msat,
    /// What the payer shows.
    pub payment_secret: Option<PaymentSecret>,
}

/// What becomes of a virtual HTLC.
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
/// The laws are `receipts_laws!`: a receipt is settled at most once; the same HTLC judged again
/// gets the same verdict until it is settled; a refusal leaves it payable; no preimage leaves
/// before a `Settle` verdict.
pub trait Receipts: Send + Sync {
    /// The receipt with that hash.
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt>;

    /// Whether a virtual HTLC would be taken at `now`. Changes nothing.
    fn judge(&self, htlc: &VirtualHtlc, now: Timestamp) -> Verdict;

    /// Notes that the receipt has been paid.
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
}

/// The receipts as Systems see them.
#[derive(Resource)]
pub struct ReceiptsBook(pub Box<dyn Receipts>);

impl fmt::Debug for ReceiptsBook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ReceiptsBook(…)")
    }
}
