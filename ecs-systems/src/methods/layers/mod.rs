//! Layers: what callers say of channels and nodes under a name, for the plans that name it.
//!
//! Each is an Entity with one Component, so that the journal keeps it as it keeps everything else.
//! What a method changes is written anew as a whole: layers are small.

mod manage;
mod channels;
mod biases;
mod informed;
mod reserve;
mod apply;
#[cfg(test)]
mod tests;

pub(super) use apply::{Applied, apply};

use super::{kinds, now};
use crate::components::{LayerFacts, NamedLayer, Reservations};
use ecs_core::{
    Args, Engine, Entities, EntityId, ErrorObject, Json, Kind, Method, Reply, WireComponent, Write,
    Writer,
};
use payecs_units::{ChannelDirection, ShortChannelId};

/// Most layers at a time.
const LAYERS_MAX: usize = 100;
/// Most facts in a layer, and most reservations at a time.
const FACTS_MAX: usize = 1_000;
/// Longest name of a layer, and longest description, in bytes.
const TEXT_BYTES_MAX: usize = 128;
/// What the names of layers begin with that are no caller's.
const OWN_PREFIX: &str = "auto.";

/// All methods for them.
pub(super) const ALL: [&Method; 14] = [
    &manage::CREATE_LAYER,
    &manage::REMOVE_LAYER,
    &manage::LIST_LAYERS,
    &manage::AGE,
    &channels::CREATE_CHANNEL,
    &channels::UPDATE_CHANNEL,
    &channels::REMOVE_CHANNEL_UPDATE,
    &channels::DISABLE_NODE,
    &biases::BIAS_CHANNEL,
    &biases::BIAS_NODE,
    &informed::INFORM_CHANNEL,
    &reserve::RESERVE,
    &reserve::UNRESERVE,
    &reserve::LIST_RESERVATIONS,
];

const NAME: Kind = Kind {
    shape: "the name of a layer: a string of 1 to 128 bytes",
    schema: r#"{"type":"string","minLength":1,"maxLength":128}"#,
    fits: |json| json.as_str().is_some_and(|text| (1..=TEXT_BYTES_MAX).contains(&text.len())),
};
const DESCRIPTION: Kind = Kind {
    shape: "a string of at most 128 bytes",
    schema: r#"{"type":"string","maxLength":128}"#,
    fits: |json| json.as_str().is_some_and(|text| text.len() <= TEXT_BYTES_MAX),
};
const DIRECTION: Kind = Kind {
    shape: "a direction of a channel: `BxTxO/D`",
    schema: r#"{"type":"string","pattern":"^[0-9]+x[0-9]+x[0-9]+/[01]$"}"#,
    fits: |json| json.decode::<ChannelDirection>().is_ok(),
};
const CHANNEL: Kind = Kind {
    shape: "a channel: `BxTxO`",
    schema: r#"{"type":"string","pattern":"^[0-9]+x[0-9]+x[0-9]+$"}"#,
    fits: |json| json.decode::<ShortChannelId>().is_ok(),
};

/// What a call changes, and what it answers.
struct Changed {
    writes: Vec<Write>,
    answer: Json,
}

impl Changed {
    /// A layer is to be like this.
    ///
    /// # Errors
    /// It would have too many facts.
    fn layer(id: EntityId, facts: LayerFacts, answer: Json) -> Result<Self, ErrorObject> {
        if facts.facts_count() > FACTS_MAX {
            let name = facts.layer.escape_debug();
            let what = format!("layer `{name}`: it holds at most {FACTS_MAX} facts");
            return Err(ErrorObject::invalid(what));
        }
        Ok(Self { writes: vec![Write::to(id).attach(&NamedLayer(facts))], answer })
    }

    /// Does it.
    fn done(self, engine: &mut Engine) -> Result<Reply, ErrorObject> {
        engine.set_components(&Writer::Engine, &self.writes, &[])?;
        Ok(self.answer.into())
    }
}

/// All Entities that have a Component, by number.
fn all<C: WireComponent>(engine: &Engine) -> impl Iterator<Item = (EntityId, &C)> {
    let entities = engine.resource::<Entities>().into_iter().flat_map(|all| all.after(None));
    entities.filter_map(|id| Some((id, engine.get::<C>(id)?)))
}

/// A layer by its name.
fn find<'a>(engine: &'a Engine, name: &str) -> Option<(EntityId, &'a LayerFacts)> {
    let named = all::<NamedLayer>(engine).find(|(_, layer)| layer.0.layer == name);
    named.map(|(id, layer)| (id, &layer.0))
}

fn unknown(name: &str) -> ErrorObject {
    ErrorObject::invalid(format!("there is no layer `{}`", name.escape_debug()))
}

/// The layer that the param `layer` names, to be changed.
///
/// # Errors
/// There is none.
fn named(engine: &Engine, args: &Args<'_>) -> Result<(EntityId, LayerFacts), ErrorObject> {
    let name: String = args.need("layer")?;
    let (id, facts) = find(engine, &name).ok_or_else(|| unknown(&name))?;
    Ok((id, facts.clone()))
}

/// The moment of the command, in seconds since 1970 UTC.
fn timestamp(engine: &Engine) -> u64 {
    now(engine).unix_seconds()
}

/// Takes away what doesn't outlive a restart: layers that aren't persistent, and reservations.
///
/// # Panics
/// If an Entity can't end: our own mistake.
pub fn forget_passing(engine: &mut Engine) {
    let passing = all::<NamedLayer>(engine).filter(|(_, layer)| !layer.0.persistent);
    let passing = passing.map(|(id, _)| id);
    let writes: Vec<Write> =
        passing.chain(all::<Reservations>(engine).map(|(id, _)| id)).map(Write::end).collect();
    if writes.is_empty() {
        return;
    }
    tracing::info!(target: "payflow::plan", entities = writes.len(), "passing layers forgotten");
    engine.set_components(&Writer::Engine, &writes, &[]).expect("an Entity may always end");
}
