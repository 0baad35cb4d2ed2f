//! From routes to HTLCs and what became of them: rows 31, S1 to S4 and 32.

pub mod dispatch;
pub mod send_part;
pub mod part_end;
pub(crate) mod told;
pub mod late;
pub mod learn;
