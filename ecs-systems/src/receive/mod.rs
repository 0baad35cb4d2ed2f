//! Receiving: sets of HTLCs that pay one receipt of ours. Rows R8, R8b, R9b and R10, for sets that
//! cross no channel.

pub mod settle_set;
pub mod refuse_set;
