//! Paying, in the order of a payment: decode, limit, plan, send, settle.

pub mod decode;
pub mod limit;
pub mod plan;
pub mod send;
pub mod settle;
mod start;

pub use start::start_payment;
