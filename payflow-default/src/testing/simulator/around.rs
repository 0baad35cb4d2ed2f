//! What may stand around pieces of the engine, so that a test can break one.

use ecs_systems::port::{Ledger, Node, Receipts};
use ledger_store::store::Kept;
use node_sim::TruthRecord;
use payecs_journal::MemoryDisk;

/// Stands around pieces of the engine. By itself it changes nothing.
pub trait Around: Send + Sync {
    /// What stands between the engine and its node.
    fn node(&self, node: Box<dyn Node>) -> Box<dyn Node> {
        node
    }

    /// What stands between the engine and its books.
    fn ledger(&self, ledger: Box<dyn Ledger>) -> Box<dyn Ledger> {
        ledger
    }

    /// What stands between the engine and its receipts.
    fn receipts(&self, receipts: Box<dyn Receipts>) -> Box<dyn Receipts> {
        receipts
    }

    /// How far the journal is said to have come.
    fn kept(&self, kept: Kept) -> Kept {
        kept
    }

    /// What becomes of the disk when the engine dies, after what the death itself does to it.
    fn dies(&self, _disk: &MemoryDisk) {}

    /// What a caller hears of an answer of that method, as JSON text.
    fn answer(&self, _method: &str, answer: String) -> String {
        answer
    }

    /// What the auditor reads of a line of the network's log.
    fn fact(&self, fact: TruthRecord) -> Option<TruthRecord> {
        Some(fact)
    }

    /// Whether files that are damaged are taken for whole, and without what is in them.
    fn overlooks_damage(&self) -> bool {
        false
    }
}

/// Nothing is changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItIs;

impl Around for AsItIs {}
