//! What is said in layers of channels and nodes.

use super::{CHANNEL, Changed, DIRECTION, NAME, kinds, named};
use crate::components::{ChannelUpdate, CreatedChannel};
use ecs_core::{Args, Engine, ErrorObject, Json, Kind, Method, Scope, optional, required};
use payecs_planner::TermsChange;
use payecs_units::{ChannelDirection, NodeId, ShortChannelId};

const PPM: Kind = Kind {
    shape: "millionths: an integer from 0 to 4294967295",
    schema: r#"{"type":"integer","minimum":0,"maximum":4294967295}"#,
    fits: |json| json.decode::<u32>().is_ok(),
};
const DELTA: Kind = Kind {
    shape: "a number of blocks: an integer from 0 to 65535",
    schema: r#"{"type":"integer","minimum":0,"maximum":65535}"#,
    fits: |json| json.decode::<u16>().is_ok(),
};

pub(super) const CREATE_CHANNEL: Method = Method {
    name: "askrene-create-channel",
    params: &[
        required("layer", NAME),
        required("source", kinds::NODE),
        required("destination", kinds::NODE),
        required("short_channel_id", CHANNEL),
        required("capacity_msat", kinds::MSAT),
    ],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Says in a layer that there is a channel which isn't announced. A direction of it can be \
          used once `askrene-update-channel` says on which terms. One that is announced after all \
          counts as it is announced.",
    handle: |engine, args| created(engine, args)?.done(engine),
    check: |engine, args| created(engine, args).map(drop),
};

fn created(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let (source, destination): (NodeId, NodeId) = (args.need("source")?, args.need("destination")?);
    if source == destination {
        return Err(ErrorObject::invalid("`source` and `destination` are the same node"));
    }
    let short_channel_id: ShortChannelId = args.need("short_channel_id")?;
    if facts.created_channels.iter().any(|it| it.short_channel_id == short_channel_id) {
        let what = format!("the layer has a channel {short_channel_id} already");
        return Err(ErrorObject::invalid(what));
    }
    facts.created_channels.push(CreatedChannel {
        source: source.min(destination),
        destination: source.max(destination),
        short_channel_id,
        capacity_msat: args.need("capacity_msat")?,
    });
    Changed::layer(id, facts, Json::nothing())
}

pub(super) const UPDATE_CHANNEL: Method = Method {
    name: "askrene-update-channel",
    params: &[
        required("layer", NAME),
        required("short_channel_id_dir", DIRECTION),
        optional("enabled", Kind::FLAG),
        optional("htlc_minimum_msat", kinds::MSAT),
        optional("htlc_maximum_msat", kinds::MSAT),
        optional("fee_base_msat", kinds::MSAT),
        optional("fee_proportional_millionths", PPM),
        optional("cltv_expiry_delta", DELTA),
    ],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Says in a layer what holds for a direction in place of what is announced. What is left \
          out stays as it was said before, or else as it is announced; of a channel that isn't \
          announced it asks for nothing. One that isn't `enabled` is not used.",
    handle: |engine, args| updated(engine, args)?.done(engine),
    check: |engine, args| updated(engine, args).map(drop),
};

fn updated(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let short_channel_id_dir: ChannelDirection = args.need("short_channel_id_dir")?;
    let terms = TermsChange {
        fee_base_msat: args.read("fee_base_msat")?,
        fee_proportional_millionths: args.read("fee_proportional_millionths")?,
        cltv_expiry_delta: args.read("cltv_expiry_delta")?,
        htlc_minimum_msat: args.read("htlc_minimum_msat")?,
        htlc_maximum_msat: args.read("htlc_maximum_msat")?,
        enabled: args.read("enabled")?,
    };
    let mut updates = facts.channel_updates.iter_mut();
    match updates.find(|it| it.short_channel_id_dir == short_channel_id_dir) {
        Some(update) => update.terms.change(terms),
        None => facts.channel_updates.push(ChannelUpdate { short_channel_id_dir, terms }),
    }
    Changed::layer(id, facts, Json::nothing())
}

pub(super) const REMOVE_CHANNEL_UPDATE: Method = Method {
    name: "askrene-remove-channel-update",
    params: &[required("layer", NAME), required("short_channel_id_dir", DIRECTION)],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Forgets what a layer says of the terms of a direction. Where it says nothing, nothing \
          changes.",
    handle: |engine, args| forgotten(engine, args)?.done(engine),
    check: |engine, args| forgotten(engine, args).map(drop),
};

fn forgotten(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let direction: ChannelDirection = args.need("short_channel_id_dir")?;
    facts.channel_updates.retain(|it| it.short_channel_id_dir != direction);
    Changed::layer(id, facts, Json::nothing())
}

pub(super) const DISABLE_NODE: Method = Method {
    name: "askrene-disable-node",
    params: &[required("layer", NAME), required("node", kinds::NODE)],
    scope: Scope::Pay,
    errors: &[],
    result: "{}",
    doc: "Says in a layer that no route goes through a node, whatever channels it has by then. The \
          ends of a route may be it.",
    handle: |engine, args| disabled(engine, args)?.done(engine),
    check: |engine, args| disabled(engine, args).map(drop),
};

fn disabled(engine: &Engine, args: &Args<'_>) -> Result<Changed, ErrorObject> {
    let (id, mut facts) = named(engine, args)?;
    let node: NodeId = args.need("node")?;
    if !facts.disabled_nodes.contains(&node) {
        facts.disabled_nodes.push(node);
    }
    Changed::layer(id, facts, Json::nothing())
}
