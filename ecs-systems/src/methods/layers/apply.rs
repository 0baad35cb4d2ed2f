//! What `getroutes` counts with of the layers that it names.

use super::{find, reserve::reservations, unknown};
use crate::components::{LayerFacts, Said};
use ecs_core::{Engine, ErrorObject};
use payecs_planner::{Channel, Exclusion, Informed, Layer, NodeBias, TermsChange};
use payecs_units::ChannelDirection;
use std::collections::BTreeMap;

/// Layers that say what is done anyway.
const ANYWAY: [&str; 2] = ["auto.localchans", "auto.sourcefree"];
/// One part only.
const NO_PARTS: &str = "auto.no_mpp_support";

/// What layers come to.
#[derive(Debug, Default)]
pub(in crate::methods) struct Applied {
    pub(in crate::methods) layer: Layer,
    pub(in crate::methods) exclude: Vec<Exclusion>,
    /// Only one route is asked for.
    pub(in crate::methods) is_one_part: bool,
}

/// All layers of these names together, and what is reserved.
///
/// # Errors
/// There is none of a name, or what it stands for isn't supported.
pub(in crate::methods) fn apply(engine: &Engine, names: &[String]) -> Result<Applied, ErrorObject> {
    let mut applied = Applied::default();
    let mut terms: BTreeMap<ChannelDirection, TermsChange> = BTreeMap::new();
    for name in names {
        if ANYWAY.contains(&&**name) {
            continue;
        }
        if name == NO_PARTS {
            applied.is_one_part = true;
            continue;
        }
        if name == "auto.include_fees" {
            let what = format!("layer `{name}` is not supported: fees come on top of the amount");
            return Err(ErrorObject::invalid(what));
        }
        let (_, facts) = find(engine, name).ok_or_else(|| unknown(name))?;
        applied.add(facts);
        for update in &facts.channel_updates {
            terms.entry(update.short_channel_id_dir).or_default().change(update.terms);
        }
    }
    let off = terms.iter().filter(|(_, terms)| terms.enabled == Some(false));
    applied.exclude.extend(off.map(|(direction, _)| Exclusion::Channel(*direction)));
    applied.layer.terms = terms.into_iter().collect();
    let counts = reservations(engine)
        .iter()
        .filter(|reserved| reserved.layer.as_ref().is_none_or(|only| names.contains(only)));
    let counts = counts.map(|reserved| (reserved.short_channel_id_dir, reserved.amount_msat));
    applied.layer.reserved = counts.collect();
    Ok(applied)
}

impl Applied {
    /// What one layer says, terms left aside.
    fn add(&mut self, facts: &LayerFacts) {
        let layer = &mut self.layer;
        self.exclude.extend(facts.disabled_nodes.iter().copied().map(Exclusion::Node));
        layer.channels.extend(facts.created_channels.iter().map(|created| Channel {
            short_channel_id: created.short_channel_id,
            node_a: created.source,
            node_b: created.destination,
            capacity: created.capacity_msat,
        }));
        layer.biases.extend(facts.biases.iter().map(|it| (it.short_channel_id_dir, it.bias)));
        layer.node_biases.extend(facts.node_biases.iter().map(|it| {
            let bias = NodeBias { into: it.in_bias, out: it.out_bias };
            (it.node, bias)
        }));
        layer.informed.extend(facts.informed.iter().map(|it| {
            let informed = match it.said {
                Said::Minimum(msat) => Informed::AtLeast(msat),
                Said::Maximum(msat) => Informed::AtMost(msat),
                Said::Succeeded(msat) => Informed::Moved(msat),
            };
            (it.short_channel_id_dir, informed)
        }));
    }
}
