//! The books: who may spend what, and what was spent.

mod about;
mod answer;
mod books;
mod claim;
mod decision;
mod ends;
mod error;
mod history;
mod hold;
mod posting;
mod set;

pub use books::{Book, Books, BooksReader, LinesOf, PastLook, TAIL_ENTRIES_MAX};
pub use claim::{Claim, ClaimState, PaymentRef};
pub use decision::Decision;
pub use ends::Ends;
pub use error::LedgerError;
pub(super) use history::milliseconds;
pub use history::{BooksImage, History, HistoryError, PastEntry};
pub use hold::{HoldState, OpenPayment, PartHold, SpendLimit};
pub use posting::{Balance, BalanceObject, EntryId, Posting, PostingState};
pub use set::{PaidReceipt, SetRef, SetShare};

use super::HtlcId;
use ecs_core::{EntityId, ErrorObject, Json};
use payecs_units::{Msat, PartId, PaymentHash, Preimage, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One line of a ledger batch: what happened, not how it is booked.
///
/// The ledger turns it into postings (accounts: docs/GLOSSARY.md). Each kind is visible in traces
/// as the System [`LedgerEntry::system`] names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum LedgerEntry {
    /// A channel is ours with this much in it: from equity.
    Opening {
        /// The channel.
        short_channel_id: ShortChannelId,
        /// Our balance.
        amount_msat: Msat,
    },
    /// What the books say is ours in a channel is not what the node says, after a restored backup:
    /// the difference comes from equity, or goes there. At most one in a batch.
    Adjust {
        /// The channel; it was opened.
        short_channel_id: ShortChannelId,
        /// By how much; above zero.
        amount_msat: Msat,
        /// There is more than was booked; else there is less.
        more: bool,
    },
    /// From here on these books are those of a backup: what the node has done since is not in them.
    /// Nothing is posted.
    Backup,
    /// The books of a backup know what the node knows: new payments may be taken on. Nothing is
    /// posted.
    Reconciled {
        /// Hashes with parts of which the node could not say what became of them: an operator
        /// accepted that. They stay claimed.
        accepted: Vec<PaymentHash>,
        /// Parts may be missing in the node's list: the operator who took that on, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forgotten: Option<Decision>,
    },
    /// Compare-and-set of the hash: refused while another claim on it is open or complete.
    Claim(Claim),
    /// Set aside amount and fee budget, within the limits and what is there.
    Reserve {
        /// For whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// What the payee is to get.
        amount_msat: Msat,
        /// What fees may take.
        fee_budget_msat: Msat,
        /// The label that limits look at.
        label: Option<String>,
        /// The limits, checked in this order.
        limits: Vec<SpendLimit>,
    },
    /// Parts leave: their share moves from the reservation to their channels. Linked.
    Dispatch {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The parts.
        parts: Vec<PartHold>,
    },
    /// A part arrived.
    PostPart {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The part.
        #[serde(rename = "partid")]
        part_id: PartId,
        /// What really left us for fees; at most what was held.
        fee_msat: Msat,
        /// It came back to us over another channel: no expense but the fee.
        circular: bool,
    },
    /// A part failed: its share goes back to the reservation.
    VoidPart {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The part.
        #[serde(rename = "partid")]
        part_id: PartId,
    },
    /// The node took more for a part that arrived than was held for it: the excess leaves the
    /// part's channel as a fee. What its payment has still set aside covers it first.
    Overspend {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The part; it is paid.
        #[serde(rename = "partid")]
        part_id: PartId,
        /// What left us beyond what was held.
        amount_msat: Msat,
        /// As the part was posted.
        circular: bool,
    },
    /// A part that had failed arrived after all: its amount and fee leave its channel. What its
    /// payment has still set aside covers it first. Refused while the payment counts as failed.
    LatePart {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The part; it was voided.
        #[serde(rename = "partid")]
        part_id: PartId,
        /// What really left us for fees; more than was held is taken too.
        fee_msat: Msat,
        /// It came back to us over another channel: no expense but the fee.
        circular: bool,
    },
    /// A payment that had failed turns out paid: it is complete from now on, so that its hash is
    /// never paid again. Nothing is posted. One that is complete stays as it is.
    Prove {
        /// Whose.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The proof.
        preimage: Preimage,
    },
    /// We paid ourselves without a channel: expense and income through `control:self`. Linked.
    SelfPay {
        /// Of whom.
        #[serde(flatten)]
        payment: PaymentRef,
        /// How much.
        amount_msat: Msat,
        /// What was paid; absent in ledgers that were written before it was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paid: Option<PaidReceipt>,
    },
    /// A complete set waits for a decision: what it is worth is held, on both sides.
    HoldSet {
        /// Which one.
        #[serde(flatten)]
        set: SetRef,
        /// Its HTLCs.
        htlcs: Vec<SetShare>,
    },
    /// The preimage of a set leaves: what its HTLCs bring is pending, and is held no more.
    SettleSet {
        /// Which one.
        #[serde(flatten)]
        set: SetRef,
        /// Its HTLCs.
        htlcs: Vec<SetShare>,
        /// Our circular payment that the own shares belong to.
        payer: Option<PaymentRef>,
    },
    /// The HTLCs of a set are ours, but for those that the node lost.
    ClaimSet {
        /// Which one.
        #[serde(flatten)]
        set: SetRef,
        /// What is not ours after all.
        lost: Vec<HtlcId>,
        /// What was paid, which is what was posted; absent in ledgers that were written before it
        /// was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paid: Option<PaidReceipt>,
    },
    /// A set that was held, or whose preimage did not leave after all, is refused.
    VoidSet {
        /// Which one.
        #[serde(flatten)]
        set: SetRef,
    },
    /// The payment is complete: what is left of the reservation goes back. Refused while a part of
    /// it is open.
    Complete {
        /// Whose.
        #[serde(flatten)]
        payment: PaymentRef,
        /// The proof.
        preimage: Preimage,
        /// All fees.
        fee_msat: Msat,
        /// Parts that arrived.
        #[serde(default)]
        successful_parts: u32,
        /// Parts that failed.
        #[serde(default)]
        failed_parts: u32,
        /// What the payee got of us; absent in ledgers that were written before it was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount_msat: Option<Msat>,
    },
    /// The payment failed: what is left of the reservation goes back. Refused while a part of it is
    /// open or paid.
    Fail {
        /// Whose.
        #[serde(flatten)]
        payment: PaymentRef,
        /// What its caller was told; in the line it is JSON in a string.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "answer")]
        answer: Option<ErrorObject>,
    },
    /// A payment failed before it claimed a hash. Nothing is posted, and what the books know of its
    /// hash stays as it is.
    FailDraft {
        /// What was to be paid, if that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<PaymentHash>,
        /// As of [`LedgerEntry::Fail`].
        #[serde(default, skip_serializing_if = "Option::is_none", with = "answer")]
        answer: Option<ErrorObject>,
    },
}

/// The books.
///
/// The laws are `ledger_laws!`: a batch is written whole or not at all; debits equal credits,
/// pending and posted, after each; a pending posting is resolved exactly once and by at most its
/// amount; no limited account is overdrawn; what is complete is never claimed again; the same entry
/// again with the same fields is no error and no second posting, with other fields it is an
/// invariant's breach.
pub trait Ledger: Send + Sync {
    /// Writes a batch.
    ///
    /// # Errors
    /// See [`LedgerError`]; then nothing was written.
    fn commit(
        &mut self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError>;

    /// Whether [`Ledger::commit`] would take a batch now; writes nothing.
    ///
    /// # Errors
    /// What it would refuse the batch with.
    fn check(
        &self,
        batch: &[LedgerEntry],
        entity: Option<EntityId>,
        at: Timestamp,
    ) -> Result<(), LedgerError>;

    /// The claim that counts on a hash: the complete one; without one the latest.
    ///
    /// # Errors
    /// [`LedgerError::HistoryOpening`] or [`LedgerError::HistoryUnreadable`], where the claim is of
    /// a payment that ended before. A claim that is open is always known.
    fn claim(&self, payment_hash: &PaymentHash)
    -> Result<Option<(Claim, ClaimState)>, LedgerError>;

    /// The claim on a hash whose payment runs. It is always known.
    fn running(&self, payment_hash: &PaymentHash) -> Option<Claim>;

    /// The latest claim with that idempotency key, whatever became of it.
    ///
    /// # Errors
    /// As [`Ledger::claim`].
    fn claim_of_key(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<(Claim, ClaimState)>, LedgerError>;

    /// The line that ended a payment, [`LedgerEntry::Complete`] or [`LedgerEntry::Fail`]; `None`
    /// for one that runs, or that is unknown. One that failed may have turned out paid since.
    ///
    /// # Errors
    /// As [`Ledger::claim`].
    fn end_of(&self, payment: &PaymentRef) -> Result<Option<LedgerEntry>, LedgerError>;

    /// What is neither spent nor set aside.
    fn available(&self) -> Msat;

    /// What became of a part; `None` for one that was never dispatched.
    ///
    /// # Errors
    /// As [`Ledger::claim`]. Once it has answered, a batch on the same hash does not fail so, if
    /// nothing else is asked in between.
    fn part(&self, payment: &PaymentRef, part_id: PartId)
    -> Result<Option<HoldState>, LedgerError>;

    /// What a part holds or held; `None` for one that was never dispatched.
    ///
    /// # Errors
    /// As [`Ledger::claim`].
    fn part_hold(
        &self,
        payment: &PaymentRef,
        part_id: PartId,
    ) -> Result<Option<PartHold>, LedgerError>;

    /// Whether these are the books of a backup that has not been reconciled with the node.
    fn is_backup(&self) -> bool;

    /// Every claim whose payment has not ended, with its parts and what became of each, by hash.
    fn open_payments(&self) -> Vec<OpenPayment>;

    /// One of [`Ledger::open_payments`]; `None` where it has ended.
    fn open_payment(&self, payment: &PaymentRef) -> Option<OpenPayment>;

    /// Whether a channel was opened in the books, if with nothing in it.
    fn has_channel(&self, short_channel_id: ShortChannelId) -> bool;

    /// What of one channel is neither spent nor in a part; zero for one that was not opened.
    fn channel_available(&self, short_channel_id: ShortChannelId) -> Msat;

    /// An account's sums; zeros for one without postings.
    fn balance(&self, account: &str) -> Balance;

    /// Every account with postings, in byte order.
    fn trial_balance(&self) -> Vec<(String, Balance)>;

    /// The balance as wallets know it.
    fn balance_object(&self) -> BalanceObject;

    /// Postings from number `from` on (the first is 0), `limit` at most. Books that leave their
    /// history to others have none to show.
    fn postings(&self, from: u64, limit: u32) -> Vec<Posting>;

    /// The postings of one payment, in order.
    ///
    /// # Errors
    /// As [`Ledger::claim`].
    fn postings_of(&self, payment: &PaymentRef) -> Result<Vec<Posting>, LedgerError>;

    /// How many batches they took: the entries of the ledger.
    fn entries(&self) -> u64;

    /// Everything that they were told until now, to be read on any thread.
    fn reader(&self) -> BooksReader;

    /// Checks everything that can be checked from what these books hold alone.
    ///
    /// # Errors
    /// The first invariant that does not hold, with its figures.
    fn verify(&self) -> Result<(), LedgerError>;

    /// The books now, to be brought back by [`Ledger::restore`].
    fn image(&self) -> BooksImage;

    /// Puts the books of an image in place of these, which must have taken no batch.
    ///
    /// # Errors
    /// What is wrong with the image, as a sentence. The books are of no use then.
    fn restore(&mut self, image: &Json) -> Result<(), String>;

    /// Has another tell the past while a restart brings batches again that were taken before;
    /// `None`: the one of every day.
    fn recall_by(&mut self, past: Option<Arc<dyn History>>);
}

#[cfg(test)]
mod tests;
