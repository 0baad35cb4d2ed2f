//! What a payer tells the payee beside what BOLT has words for.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A record of an onion whose type is not BOLT's (BOLT 1, "Type-Length-Value Format"). It does not
/// print: some payers put a preimage there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomTlv {
    /// Its type: 65536 or more.
    #[serde(rename = "type")]
    pub kind: u64,
    /// What it says, as hexadecimal digits. An onion has room for less than 1300 bytes of all
    /// records.
    pub value: String,
}

impl fmt::Debug for CustomTlv {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, value: _ } = self;
        out.debug_struct("CustomTlv").field("kind", kind).finish_non_exhaustive()
    }
}
