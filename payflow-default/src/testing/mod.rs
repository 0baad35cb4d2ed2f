//! What tests are made with, those of third parties too: behind the feature `testing`.
//!
//! Start with [`flow_laws!`](crate::flow_laws): it holds a flow with Systems of your own against
//! the laws of payments. [`flow::Bench`] pays single invoices, [`strategies`] are for properties of
//! your own, and the [`simulator`] lets everything go wrong under one seed.

pub mod flow;
pub mod strategies;
pub mod laws;
pub mod simulator;
pub mod shared;
pub mod difficult;
