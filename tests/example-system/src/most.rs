//! A Component of one's own.

use ecs_core::bevy_ecs::component::{Component, Mutable, StorageType};
use ecs_core::{ComponentSpec, Json, Shape, WireComponent};
use ecs_systems::units::Msat;

/// A limit for one payment, below that of the plugin: `acme:most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most(pub Msat);

// By hand: the derive wants `bevy_ecs` among the dependencies.
impl Component for Most {
    const STORAGE_TYPE: StorageType = StorageType::SparseSet;
    type Mutability = Mutable;
}

impl WireComponent for Most {
    const SPEC: ComponentSpec = ComponentSpec::input(
        "acme:most",
        "an amount: integer msat, or `\"Nmsat\"`, `\"Nsat\"`, `\"N.DDDsat\"`, `\"N.Dbtc\"`",
        "What this payment may be at most; above the plugin's limit it allows no more than that.",
    );

    fn from_json(json: &Json) -> Result<Self, Shape> {
        Ok(Self(json.decode()?))
    }

    fn to_json(&self) -> Json {
        Json::of(&self.0.to_string())
    }
}
