//! Receiving: HTLCs that come in, and sets of them that pay one receipt of ours.

pub mod sets;
mod gathering;
mod holds;
pub mod match_paycode;
pub mod check_secret;
pub mod check_amounts;
pub mod check_cltv;
pub mod join_set;
pub mod set_timeout;
pub mod complete_set;
pub mod apply_reject;
pub mod hold_set;
mod own_parts;
pub mod settle_set;
pub mod set_settled;
pub mod refuse_htlc;
pub mod refuse_set;
#[cfg(test)]
pub(crate) mod fixture;
