//! Units and identifiers of the Lightning Network.
//!
//! Money is [`Msat`], an integer with checked arithmetic; shares are [`MicroPercent`] or [`Ppm`];
//! waiting is [`Blocks`], [`Seconds`] or a [`Timestamp`]. Identifiers parse from and print as the
//! texts that BOLTs and Core Lightning use. Secrets ([`Preimage`], [`PaymentSecret`]) do not print.

#![warn(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation
)]

mod msat;
mod percent;
mod text;
mod time;
mod hash;
mod id;

pub use hash::{PaymentHash, PaymentSecret, Preimage, ReceiptId, RequestHash, Sealed};
pub use id::{ChannelDirection, Direction, GroupId, NodeId, PartId, ShortChannelId};
pub use msat::Msat;
pub use percent::{MicroPercent, Ppm};
pub use time::{BlockHeight, Blocks, Seconds, Timestamp};

/// A text that is not the unit or identifier it was read as.
///
/// The message says what was expected and what came, so that it can go to the caller as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got `{got}`")]
pub struct ParseUnitError {
    /// What the place asks for, e.g. `msat`.
    pub expected: &'static str,
    /// What came, cut to 80 characters.
    pub got: String,
}

impl ParseUnitError {
    fn new(expected: &'static str, got: &str) -> Self {
        Self { expected, got: got.chars().take(80).collect() }
    }
}
