//! The two ends of a payment: rows 33 and 34.

#![warn(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation
)]

#[expect(clippy::module_inception, reason = "the System has the name of its phase")]
pub mod settle;
pub mod finish_error;
