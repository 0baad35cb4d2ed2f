//! Layers as a whole.

use super::{Changed, LAYERS_MAX, NAME, OWN_PREFIX, all, find, named, unknown};
use crate::components::{InformedChannel, LayerFacts, NamedLayer, Said};
use ecs_core::{
    Args, Engine, Entities, EntityId, ErrorObject, Fields, Json, Kind, Method, Scope, Write,
    optional, required,
};

/// What is told of a layer.
const LAYERS: &str = r#"{"layers": [{"layer", "persistent", "disabled_nodes", "created_channels",
        "channel_updates", "constraints", "impressions", "biases", "node_biases"}]}"#;

pub(super) const CREATE_LAYER: Method = Method {
    name: "askrene-create-layer",
    params: &[required("layer", NAME), optional("persistent", Kind::FLAG)],
    scope: Scope::Pay,
    errors: &[],
    result: LAYERS,
    doc: "Makes a layer: a name for what is said of channels and nodes. It counts for `getroutes` \
          that name it in `layers`, and for no payment. Names that begin with `auto.` are no \
          caller's. One that is `persistent` is kept until it is removed, and made again it stays \
          as it is; another one is gone after a restart. At most 100 layers, of 1000 facts each. \
          The methods, params and answers for layers are those of Core Lightning's askrene.",
    handle: |engine, args| created(engine, args)?.done(engine),
    check: |engine, args| created(engine, args).map(drop),
};

fn created(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (layer, persistent): (String, Option<bool>) =
        (args.need("layer")?, args.read("persistent")?);
    let persistent = persistent.unwrap_or(false);
    let shown = layer.escape_debug();
    if layer.starts_with(OWN_PREFIX) {
        let what = format!("layer `{shown}`: names that begin with `{OWN_PREFIX}` are no caller's");
        return Err(ErrorObject::invalid(what));
    }
    if let Some((_, known)) = find(engine, &layer) {
        if persistent {
            return Ok(Changed { writes: Vec::new(), answer: listed([known]) });
        }
        return Err(ErrorObject::invalid(format!("there is a layer `{shown}` already")));
    }
    if all::<NamedLayer>(engine).count() >= LAYERS_MAX {
        let what = format!("there are {LAYERS_MAX} layers already: remove one first");
        return Err(ErrorObject::invalid(what));
    }
    let facts = LayerFacts { layer, persistent, ..LayerFacts::default() };
    let answer = listed([&facts]);
    Changed::layer(free(engine), facts, answer)
}

/// The number of an Entity that is not there yet.
pub(super) fn free(engine: &Engine) -> EntityId {
    let entities = engine.resource::<Entities>();
    entities.and_then(|all| all.free().next()).expect("there are 2³² numbers")
}

pub(super) const REMOVE_LAYER: Method = Method {
    name: "askrene-remove-layer",
    params: &[required("layer", NAME)],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Takes a layer away, with all that is said in it.",
    handle: |engine, args| removed(engine, args)?.done(engine),
    check: |engine, args| removed(engine, args).map(drop),
};

fn removed(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, _) = named(engine, args)?;
    Ok(Changed { writes: vec![Write::end(id)], answer: Json::nothing() })
}

pub(super) const LIST_LAYERS: Method = Method {
    name: "askrene-listlayers",
    params: &[optional("layer", NAME)],
    scope: Scope::Read,
    errors: &[],
    result: LAYERS,
    doc: "The layers with all that is said in them, or one of them, by name.",
    handle: |engine, args| listed_ones(engine, args).map(Into::into),
    check: |engine, args| listed_ones(engine, args).map(drop),
};

fn listed_ones(engine: &Engine, args: &Args<'_>) -> Result<Json, ErrorObject> {
    let Some(name) = args.read::<String>("layer")? else {
        return Ok(listed(all::<NamedLayer>(engine).map(|(_, layer)| &layer.0)));
    };
    let (_, facts) = find(engine, &name).ok_or_else(|| unknown(&name))?;
    Ok(listed([facts]))
}

/// Layers as they are told.
fn listed<'a>(layers: impl IntoIterator<Item = &'a LayerFacts>) -> Json {
    let layers = layers.into_iter().map(|it| {
        let is_bound = |informed: &&InformedChannel| !matches!(informed.said, Said::Succeeded(_));
        let (bounds, passed): (Vec<&InformedChannel>, Vec<&InformedChannel>) =
            it.informed.iter().partition(is_bound);
        let fields: Fields = [
            ("layer", Json::of(&it.layer)),
            ("persistent", Json::of(&it.persistent)),
            ("disabled_nodes", Json::of(&it.disabled_nodes)),
            ("created_channels", Json::of(&it.created_channels)),
            ("channel_updates", Json::of(&it.channel_updates)),
            ("constraints", Json::of(&bounds)),
            ("impressions", Json::of(&passed)),
            ("biases", Json::of(&it.biases)),
            ("node_biases", Json::of(&it.node_biases)),
        ]
        .map(|(name, json)| (name.to_owned(), json))
        .into();
        Json::object(fields)
    });
    Json::object([("layers", Json::array(layers))])
}

pub(super) const AGE: Method = Method {
    name: "askrene-age",
    params: &[required("layer", NAME), required("cutoff", Kind::COUNT.saying(SECONDS))],
    scope: Scope::Pay,
    errors: &[],
    result: r#"{"layer", "num_removed"}"#,
    doc: "Forgets what a layer was informed of, and its biases, where that is older than `cutoff`.",
    handle: |engine, args| aged(engine, args)?.done(engine),
    check: |engine, args| aged(engine, args).map(drop),
};

const SECONDS: &str = "a moment: seconds since 1970 UTC";

fn aged(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let cutoff: u64 = args.need("cutoff")?;
    let before = facts.facts_count();
    facts.informed.retain(|it| it.timestamp >= cutoff);
    facts.biases.retain(|it| it.timestamp >= cutoff);
    facts.node_biases.retain(|it| it.timestamp >= cutoff);
    let answer = Json::object([
        ("layer", Json::of(&facts.layer)),
        ("num_removed", Json::of(&(before - facts.facts_count()))),
    ]);
    Changed::layer(id, facts, answer)
}
