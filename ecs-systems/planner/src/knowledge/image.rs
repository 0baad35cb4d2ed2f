//! Knowledge as data, for a restart.

use super::{Ceiling, Knowledge, KnowledgeConfig, Learned};
use payecs_units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};

/// After so many half-lives what was learned of a direction is left out of an image.
pub const DECAYED_HALF_LIVES: u64 = 24;

/// What is worth keeping of a [`Knowledge`]: see [`Knowledge::image`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeImage {
    version: u64,
    learned: Vec<LearnedRow>,
    in_flight: Vec<(Way, u64)>,
    disabled: Vec<(Way, u64)>,
    disabled_nodes: Vec<(NodeId, u64)>,
}

/// A direction: the channel as 64 bits, and 0 or 1.
type Way = (u64, u8);

/// What could pass, since when in milliseconds, and the ceiling, if there is one: what could not,
/// the least HTLC that was refused, and when in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LearnedRow(Way, u64, u64, Option<(u64, u64, u64)>);

impl Knowledge {
    /// What is known at `now`, as data. What was learned more than [`DECAYED_HALF_LIVES`] ago is
    /// left out, and so is who is not avoided any more: bounds that come back differ from what they
    /// were by at most 2⁻²⁴ of what was learned, nothing else differs.
    #[must_use]
    pub fn image(&self, now: Timestamp) -> KnowledgeImage {
        let stays_ms = self.config.half_life_ms().saturating_mul(DECAYED_HALF_LIVES);
        let learned = self.learned.iter();
        let learned = learned
            .filter(|(_, known)| now.0.saturating_sub(known.learned_at().0) <= stays_ms)
            .map(|(direction, known)| {
                let ceiling = known.ceiling.map(|it| (it.hi.0, it.refused.0, it.at.0));
                LearnedRow(way(*direction), known.lo.0, known.lo_at.0, ceiling)
            });
        let until = |until: &Timestamp| Some(until.0).filter(|until| now.0 < *until);
        let disabled = self.disabled.iter();
        let nodes = self.disabled_nodes.iter();
        KnowledgeImage {
            version: self.version,
            learned: learned.collect(),
            in_flight: self.in_flight.iter().map(|(at, msat)| (way(*at), msat.0)).collect(),
            disabled: disabled.filter_map(|(at, end)| Some((way(*at), until(end)?))).collect(),
            disabled_nodes: nodes.filter_map(|(node, end)| Some((*node, until(end)?))).collect(),
        }
    }

    /// The knowledge of an image, to be remembered as `config` says.
    ///
    /// # Errors
    /// It names a direction that is none, in words.
    pub fn of_image(config: KnowledgeConfig, image: &KnowledgeImage) -> Result<Self, String> {
        let mut known = Self { version: image.version, ..Self::new(config) };
        for LearnedRow(way, lo, lo_at, ceiling) in &image.learned {
            let ceiling = ceiling.map(|(hi, refused, at)| Ceiling {
                hi: Msat(hi),
                refused: Msat(refused),
                at: Timestamp(at),
            });
            let learned = Learned { lo: Msat(*lo), lo_at: Timestamp(*lo_at), ceiling };
            known.learned.insert(direction(*way)?, learned);
        }
        for (way, msat) in &image.in_flight {
            known.in_flight.insert(direction(*way)?, Msat(*msat));
        }
        for (way, until) in &image.disabled {
            known.disabled.insert(direction(*way)?, Timestamp(*until));
        }
        let nodes = image.disabled_nodes.iter();
        known.disabled_nodes = nodes.map(|(node, until)| (*node, Timestamp(*until))).collect();
        known.evict();
        Ok(known)
    }
}

fn way(direction: ChannelDirection) -> Way {
    let side = match direction.direction {
        Direction::Zero => 0,
        Direction::One => 1,
    };
    (direction.scid.0, side)
}

fn direction((scid, side): Way) -> Result<ChannelDirection, String> {
    let direction = match side {
        0 => Direction::Zero,
        1 => Direction::One,
        other => return Err(format!("{other} is no direction of a channel")),
    };
    Ok(ChannelDirection { scid: ShortChannelId(scid), direction })
}
