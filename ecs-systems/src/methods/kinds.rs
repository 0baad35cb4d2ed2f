//! What parameters take.

use crate::components::{
    Amount, Exclude, IdempotencyKey, Invoice, Label, MaxDelay, Metadata, RetryFor,
};
use ecs_core::{Json, Kind, WireComponent};
use payecs_units::{Msat, NodeId, PaymentHash, Preimage};
use std::num::NonZeroU32;

/// An invoice; whether it is a good one is for the method to say.
pub(super) const INVOICE: Kind =
    Kind { fits: fits::<Invoice>, ..Kind::TEXT }.saying("an invoice: a string of 1 to 8192 bytes");

/// An amount, perhaps none.
pub(super) const MSAT: Kind = Kind {
    shape: "an amount: integer msat, or a string `N`, `Nmsat`, `Nsat`, `N.DDDsat` or `N.Dbtc`",
    schema: r#"{"oneOf":[{"type":"integer","minimum":0,"maximum":18446744073709551615},
        {"type":"string","pattern":"^[0-9]+(\\.[0-9]{1,11})?(msat|sat|btc)?$"}]}"#,
    fits: |json| json.decode::<Msat>().is_ok(),
};

/// An amount that is not nothing.
pub const AMOUNT: Kind = Kind { fits: fits::<Amount>, ..MSAT }.saying(
    "an amount above zero: integer msat, or a string `N`, `Nmsat`, `Nsat`, `N.DDDsat` or `N.Dbtc`",
);

/// A hash.
pub(super) const HASH: Kind = Kind {
    shape: "64 hex digits",
    schema: r#"{"type":"string","pattern":"^[0-9a-fA-F]{64}$"}"#,
    fits: |json| json.decode::<PaymentHash>().is_ok(),
};

/// A preimage. What does not fit is not repeated.
pub(super) const PREIMAGE: Kind = Kind { fits: |json| json.decode::<Preimage>().is_ok(), ..HASH };

/// How many at most.
pub(super) const LIMIT: Kind = Kind {
    shape: "an integer from 1 to 4294967295: how many at most",
    schema: r#"{"type":"integer","minimum":1,"maximum":4294967295}"#,
    fits: |json| json.decode::<NonZeroU32>().is_ok(),
};

/// A node.
pub(super) const NODE: Kind = Kind {
    shape: "a node id: 66 hex digits",
    schema: r#"{"type":"string","pattern":"^[0-9a-fA-F]{66}$"}"#,
    fits: |json| json.decode::<NodeId>().is_ok(),
};

/// Blocks, perhaps none.
pub(super) const COUNT_32: Kind = Kind {
    shape: "a number of blocks: an integer from 0 to 4294967295",
    schema: r#"{"type":"integer","minimum":0,"maximum":4294967295}"#,
    fits: |json| json.decode::<u32>().is_ok(),
};

/// A time.
pub(super) const SECONDS: Kind = Kind {
    shape: "a number of seconds from 0 to 86400",
    schema: r#"{"type":"number","minimum":0,"maximum":86400}"#,
    fits: fits::<RetryFor>,
};

/// How long to wait: a day at most.
pub(super) const WAIT: Kind = Kind {
    shape: "how long to wait, in seconds: an integer from 0 to 86400",
    schema: r#"{"type":"integer","minimum":0,"maximum":86400}"#,
    fits: |json| json.decode::<u64>().is_ok_and(|seconds| seconds <= WAIT_S_MAX),
};
const WAIT_S_MAX: u64 = 86_400;

/// A delay.
pub(super) const BLOCKS: Kind = Kind {
    shape: "a number of blocks: an integer from 1 to 4294967295",
    schema: r#"{"type":"integer","minimum":1,"maximum":4294967295}"#,
    fits: fits::<MaxDelay>,
};

/// A label.
pub(super) const LABEL: Kind =
    Kind { fits: fits::<Label>, ..Kind::TEXT }.saying("a string of 1 to 1024 bytes");

/// An idempotency key.
pub(super) const KEY: Kind =
    Kind { fits: fits::<IdempotencyKey>, ..Kind::TEXT }.saying("a string of 1 to 128 bytes");

/// What no route may use.
pub(super) const EXCLUDED: Kind = Kind {
    shape: "an array of node ids and channel directions `BxTxO/D`",
    schema: r#"{"type":"array","items":{"type":"string"}}"#,
    fits: fits::<Exclude>,
};

/// Free facts.
pub(super) const METADATA: Kind =
    Kind { fits: fits::<Metadata>, ..Kind::OBJECT }.saying("an object of at most 4096 bytes");

/// What may not be given.
pub(super) const NOT_SUPPORTED: Kind = Kind {
    shape: "nothing: it is not supported, and refused",
    schema: r#"{"type":"null"}"#,
    fits: |_| true,
};

/// Whether a value is one that a Component takes.
fn fits<C: WireComponent>(json: &Json) -> bool {
    C::from_json(json).is_ok()
}
