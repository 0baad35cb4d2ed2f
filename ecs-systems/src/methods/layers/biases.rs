//! What layers favour.

use super::{Changed, DESCRIPTION, DIRECTION, NAME, kinds, named, timestamp};
use crate::components::{BiasedNode, ChannelBias};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Scope, optional, required};
use payecs_planner::BIAS_MAX;
use payecs_units::{ChannelDirection, NodeId};

const BIAS: Kind = Kind {
    shape: "an integer from -100 to 100",
    schema: r#"{"type":"integer","minimum":-100,"maximum":100}"#,
    fits: |json| json.decode::<i8>().is_ok_and(|bias| (-BIAS_MAX..=BIAS_MAX).contains(&bias)),
};
const WAY: Kind = Kind {
    shape: "`in` or `out`",
    schema: r#"{"type":"string","enum":["in","out"]}"#,
    fits: |json| json.as_str().is_some_and(|text| ["in", "out"].contains(&&*text)),
};

pub(super) const BIAS_CHANNEL: Method = Method {
    name: "askrene-bias-channel",
    params: &[
        required("layer", NAME),
        required("short_channel_id_dir", DIRECTION),
        required("bias", BIAS),
        optional("description", DESCRIPTION),
        optional("relative", Kind::FLAG),
    ],
    scope: Scope::Pay,
    errors: &[],
    result: r#"{"biases": [{"layer", "short_channel_id_dir", "bias", "description",
        "timestamp"}]}"#,
    doc: "Favours a direction of a channel in a layer, and not the other one: what it costs, with \
          its delay and its chance to fail, counts e^(−bias × ln 30 / 100) times where routes are \
          chosen. 100 makes it 30 times cheaper, −100 as much dearer; fees and probabilities stay \
          what they are, and it forbids nothing. `relative` adds to the bias that is there; −100 \
          and 100 are never passed. One of 0 is forgotten.",
    handle: |engine, args| of_channel(engine, args)?.done(engine),
    check: |engine, args| of_channel(engine, args).map(drop),
};

pub(super) const BIAS_NODE: Method = Method {
    name: "askrene-bias-node",
    params: &[
        required("layer", NAME),
        required("node", kinds::NODE),
        required("direction", WAY),
        required("bias", BIAS),
        optional("description", DESCRIPTION),
        optional("relative", Kind::FLAG),
    ],
    scope: Scope::Pay,
    errors: &[],
    result: r#"{"node_biases": [{"layer", "node", "in_bias", "out_bias", "description",
        "timestamp"}]}"#,
    doc: "Favours all directions that end at a node (`in`) or start from it (`out`) in a layer, as \
          `askrene-bias-channel` does one. All biases of a direction and of the nodes at its ends, \
          in all layers that are named, are summed up.",
    handle: |engine, args| of_node(engine, args)?.done(engine),
    check: |engine, args| of_node(engine, args).map(drop),
};

/// A bias as it is after the call.
fn biased(args: &Args<'_>, before: i8) -> Result<i8, ErrorObject> {
    let bias: i8 = args.need("bias")?;
    let is_relative = args.read("relative")?.unwrap_or(false);
    let sum = if is_relative { before.saturating_add(bias) } else { bias };
    Ok(sum.clamp(-BIAS_MAX, BIAS_MAX))
}

fn of_channel(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let short_channel_id_dir: ChannelDirection = args.need("short_channel_id_dir")?;
    let place = facts.biases.iter().position(|it| it.short_channel_id_dir == short_channel_id_dir);
    let before = place.map_or(0, |place| facts.biases.remove(place).bias);
    let (bias, description) = (biased(args, before)?, args.read("description")?);
    let timestamp = timestamp(engine);
    let set = ChannelBias { short_channel_id_dir, bias, description, timestamp };
    let told = (bias != 0).then(|| with_layer(&facts.layer, Json::of(&set)));
    facts.biases.extend((bias != 0).then_some(set));
    let answer = Json::object([("biases", Json::array(told))]);
    Changed::layer(id, facts, answer)
}

fn of_node(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let (node, way): (NodeId, String) = (args.need("node")?, args.need("direction")?);
    let place = facts.node_biases.iter().position(|it| it.node == node);
    let before = place.map(|place| facts.node_biases.remove(place));
    let (in_bias, out_bias) = before.map_or((0, 0), |before| (before.in_bias, before.out_bias));
    let (in_bias, out_bias) = match &*way {
        "in" => (biased(args, in_bias)?, out_bias),
        _ => (in_bias, biased(args, out_bias)?),
    };
    let (description, timestamp) = (args.read("description")?, timestamp(engine));
    let set = BiasedNode { node, in_bias, out_bias, description, timestamp };
    let is_set = (in_bias, out_bias) != (0, 0);
    let told = is_set.then(|| with_layer(&facts.layer, Json::of(&set)));
    facts.node_biases.extend(is_set.then_some(set));
    let answer = Json::object([("node_biases", Json::array(told))]);
    Changed::layer(id, facts, answer)
}

/// A fact with the layer that it is in.
pub(super) fn with_layer(layer: &str, fact: Json) -> Json {
    let mut fields = vec![("layer".to_owned(), Json::of(layer))];
    fields.extend(fact.entries().into_iter().flatten());
    Json::object(fields)
}
