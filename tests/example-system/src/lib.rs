//! A System and a Component of one's own: a limit on what one payment may be, before the default
//! flow, and a smaller one that a caller may give.

mod most;
mod limit;

pub use limit::{Limit, OVER_THE_LIMIT};
pub use most::Most;
