//! The default payment flow: the ordered list, the driver, the binary.
//!
//! Read [`flow`] first. [`Driver`] does what Systems ask for, without I/O; [`shell`] runs it in
//! real time.

extern crate self as payflow_default;

pub mod flow;
pub mod outline;
pub mod app;
pub mod entropy;
pub mod planner;
mod driver;
pub mod measures;
pub mod service;
pub mod shell;
pub mod cli;
pub mod plugin;
#[cfg(feature = "testing")]
pub mod testing;

pub use driver::{
    ASK_AGAIN_MS_FIRST, ASK_AGAIN_MS_MAX, ASK_SILENT_MS_FIRST, Announcer, Answer, Asker,
    COLLECTED_PER_POLL_MAX, Call, Driver, Job, JobId, JournalRecord, Outlet, ReconcileReport,
    Reconciliation, Retention,
};
