//! What tests read of the books while an engine owns them.

use ecs_systems::{
    port::{
        Balance, Claim, ClaimState, History, HistoryError, Ledger, PartHold, PastEntry, PaymentRef,
        Posting,
    },
    units::{PartId, PaymentHash},
};
use ledger_store::{Account, MemoryLedger, MemoryReceipts};
use payflow_default::testing::shared::Shared;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The name that our node has in its books.
pub(crate) const NODE: &str = "sim";

/// Books that outlive the engine, as a database does.
pub(crate) type SharedBooks = Shared<MemoryLedger>;
/// Receipts that outlive the engine.
pub(crate) type SharedReceipts = Shared<MemoryReceipts>;

/// Empty books of our node, which have to thaw whatever has ended.
pub(crate) fn empty_books() -> SharedBooks {
    Shared::new(MemoryLedger::folding(NODE, 0))
}

/// No receipts.
pub(crate) fn no_receipts() -> SharedReceipts {
    Shared::new(MemoryReceipts::default())
}

/// What tests ask the books.
pub(crate) trait Audited {
    /// What an account's postings sum to.
    fn sums(&self, account: Account) -> Balance;

    /// What was posted to the debit of an account, less what was posted to its credit.
    fn posted(&self, account: Account) -> i128 {
        let sums = self.sums(account);
        i128::from(sums.debits_posted_msat.0) - i128::from(sums.credits_posted_msat.0)
    }

    /// The claim that counts on a hash.
    fn known(&self, payment_hash: &PaymentHash) -> (Claim, ClaimState);

    /// What a part holds or held.
    fn hold(&self, payment: &PaymentRef, part_id: PartId) -> PartHold;

    /// All postings so far.
    fn all(&self) -> Vec<Posting>;
}

impl Audited for SharedBooks {
    fn sums(&self, account: Account) -> Balance {
        self.balance(&account.of(NODE))
    }

    fn known(&self, payment_hash: &PaymentHash) -> (Claim, ClaimState) {
        self.claim(payment_hash).expect("the past is told").expect("it was claimed")
    }

    fn hold(&self, payment: &PaymentRef, part_id: PartId) -> PartHold {
        self.part_hold(payment, part_id).expect("the past is told").expect("it was dispatched")
    }

    fn all(&self) -> Vec<Posting> {
        self.postings(0, u32::MAX)
    }
}

/// All entries so far, to be told once it is open.
#[derive(Debug)]
pub(crate) struct Opening {
    entries: Vec<PastEntry>,
    open: AtomicBool,
}

impl Opening {
    /// Puts books in place that need it for all that has ended.
    pub(crate) fn below(books: &SharedBooks) -> Arc<Self> {
        let entries = books.copy().entries();
        let history = Arc::new(Self { entries, open: AtomicBool::new(true) });
        let mut cold = MemoryLedger::over(NODE, history.clone(), 0);
        for entry in &history.entries {
            cold.commit(&entry.lines, entry.entity, entry.at).expect("it was taken before");
        }
        books.set(&cold);
        history.set_open(false);
        history
    }

    /// Whether it tells anything.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    fn tell<T>(&self, told: T) -> Result<T, HistoryError> {
        let open = self.open.load(Ordering::Relaxed);
        if open { Ok(told) } else { Err(HistoryError::Opening { done: 1, of: 2 }) }
    }
}

impl History for Opening {
    fn known(&self) -> u64 {
        self.entries.len() as u64
    }

    fn lines_of(&self, _: &PaymentHash) -> Result<Vec<PastEntry>, HistoryError> {
        self.tell(self.entries.clone())
    }

    fn payment_of_key(&self, _: &str) -> Result<Option<PaymentRef>, HistoryError> {
        self.tell(None)
    }
}
