//! A System of one's own: a limit on what one payment may be, before the default flow.

mod limit;

pub use limit::{Limit, OVER_THE_LIMIT};
