//! What the flow needs of the world outside: one trait and one law suite for each seam.
//!
//! | port | who stands behind it |
//! |---|---|
//! | [`Node`] | a Lightning node, or the simulated network |
//! | [`Planner`] | our planner, a node's own, a test's |
//! | [`Ledger`] | the books: claims, reservations, postings |
//! | [`Receipts`] | what we wait to be paid for |
//!
//! Time and randomness are no ports: each command carries them (`ecs_core::Inputs`).

pub mod failure;
pub mod blame;
pub mod image;
pub mod ledger;
pub mod node;
pub mod node_view;
pub mod planner;
pub mod knowledge;
pub mod receipts;
pub mod tlv;
pub mod laws;

pub use blame::{Blame, HEIGHT_AHEAD_MAX};
pub use failure::{Failure, FailureCode, NotOfAPayee, PayeeFailure};
pub use image::PartImage;
pub use knowledge::{KnowledgeDesk, KnowledgeSlot};
pub use ledger::{
    Balance, BalanceObject, Book, Books, BooksImage, BooksReader, Claim, ClaimState, Decision,
    Ends, EntryId, History, HistoryError, HoldState, Ledger, LedgerEntry, LedgerError, LinesOf,
    OpenPayment, PaidReceipt, PartHold, PastEntry, PastLook, PaymentRef, Posting, PostingState,
    SetRef, SetShare, SpendLimit, TAIL_ENTRIES_MAX,
};
pub use node::{
    HtlcId, IncomingHtlc, InvoiceDescription, InvoiceDraft, Node, NodeError, NodeEvent, NodeReply,
    NodeRequest, PartKey, PartRecord, PartStatus, Preapproval, RequestId, SendPart,
};
pub use node_view::{Capabilities, Network, NodeView};
pub use planner::{Lesson, LessonsKept, PlanJob, PlanSlot, Planner, PlansAsked};
pub use receipts::{
    AddReceiptError, CLTV_BLOCKS_MIN, Chosen, GivenSecrets, InvoiceFacts, IssuedInvoice,
    IssuedReceipt, Offered, Over, OverKind, OverpayRule, Receipt, ReceiptCounts, ReceiptFacts,
    ReceiptKey, ReceiptOrder, ReceiptRequest, ReceiptSecrets, ReceiptState, Receipts, ReceiptsBook,
    SeedId, Terms, Verdict,
};
pub use tlv::CustomTlv;
