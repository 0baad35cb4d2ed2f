//! From amounts and limits to what may be spent: rows 11 to 28.

#![warn(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation
)]

pub mod amount;
pub mod partial;
pub mod defaults;
pub mod require_amount;
pub mod feebudget;
pub mod claim;
pub mod preapprove;
pub mod policy;
pub mod self_pay;
pub mod reserve;
pub mod cancel;
pub mod exposure;
