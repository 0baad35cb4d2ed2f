//! What an order is made of, beside the hash and the secret of its paycode, which have names of the
//! flow: `lightningd:payment_hash` and `lightningd:invoice:payment_secret`.

use ecs_core::bevy_ecs::component::{Component, Mutable, StorageType};
use ecs_core::{ComponentSpec, Engine, EntityId, Json, Shape, WireComponent};
use ecs_systems::units::{MicroPercent, Msat, ShortChannelId};
use serde::{Deserialize, Serialize};

/// What is to be done: `rebalance:order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The channel.
    pub short_channel_id: ShortChannelId,
    /// What should be spendable there, in msat.
    pub target_msat: Msat,
    /// What was spendable there when the order came, in msat.
    pub before_msat: Msat,
    /// What a try may cost, in millionths of a percent of what it moves.
    pub maxfee_share: MicroPercent,
    /// What it may cost at most, in msat; `None`: the share alone bounds it.
    pub maxfee_msat: Option<Msat>,
    /// How long each payment may try, in seconds.
    pub retry_for: u32,
}

/// The payment that is under way: `rebalance:trying`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// Its Entity.
    pub payment: EntityId,
    /// What it moves, in msat.
    pub amount_msat: Msat,
}

/// How many payments have failed: `rebalance:tried`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried(pub u32);

/// What was moved: `rebalance:moved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The payment that moved it.
    pub payment: EntityId,
    /// How much, in msat.
    pub amount_msat: Msat,
    /// What it cost, in msat.
    pub fee_msat: Msat,
}

/// Components that are their serde form. The derive wants `bevy_ecs` among the dependencies.
macro_rules! components {
    ($($type:ty = $spec:expr;)*) => {
        pub(crate) fn register(app: &mut Engine) {
            $(app.add_component::<$type>();)*
        }

        $(
            impl Component for $type {
                const STORAGE_TYPE: StorageType = StorageType::SparseSet;
                type Mutability = Mutable;
            }

            impl WireComponent for $type {
                const SPEC: ComponentSpec = $spec;

                fn from_json(json: &Json) -> Result<Self, Shape> {
                    Ok(json.decode()?)
                }

                fn to_json(&self) -> Json {
                    Json::of(self)
                }
            }
        )*
    };
}

components! {
    Order = ComponentSpec::engine(
        "rebalance:order",
        "an object: `short_channel_id`, `target_msat`, `before_msat`, `maxfee_share`, \
         `maxfee_msat`, `retry_for`",
        "What is to be spendable on a channel of ours, and what that may cost.",
    );
    Trying = ComponentSpec::input(
        "rebalance:trying",
        "an object: `payment` an entity id, `amount_msat`",
        "The payment that is under way for the order.",
    );
    Tried = ComponentSpec::input(
        "rebalance:tried",
        "a count",
        "How many payments of the order have failed: each one tries half of the one before.",
    );
    Moved = ComponentSpec::input(
        "rebalance:moved",
        "an object: `payment` an entity id, `amount_msat`, `fee_msat`",
        "What the order has moved, and at what fee.",
    );
}
