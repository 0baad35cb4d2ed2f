//! The ledger as a whole.

mod equal;
mod limits;
mod payment;
mod random;
mod refusals;
pub(crate) mod thaw;

mod laws {
    crate::ledger_laws!(crate::MemoryLedger::new("sim"));

    mod where_all_that_ended_is_thawed {
        crate::ledger_laws!(crate::MemoryLedger::folding("sim", 0));
    }

    mod where_one_that_ended_is_at_hand {
        crate::ledger_laws!(crate::MemoryLedger::folding("sim", 1));
    }
}
