//! The ledger as a whole.

mod limits;
mod payment;
mod random;
mod refusals;

mod laws {
    crate::ledger_laws!(crate::MemoryLedger::new("sim"));
}
