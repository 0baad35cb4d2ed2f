//! Knowledge as data, for a restart.

use super::{Ceiling, Knowledge, KnowledgeConfig, Learned, ways::Way};
use payecs_units::{ChannelDirection, Direction, Msat, NodeId, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};

/// After so many half-lives what was learned of a direction is left out of an image.
pub const DECAYED_HALF_LIVES: u64 = 24;

/// What is worth keeping of a [`Knowledge`]: see [`Knowledge::image`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeImage {
    version: u64,
    learned: Vec<LearnedRow>,
    in_flight: Vec<(Place, u64)>,
    disabled: Vec<(Place, u64)>,
    disabled_nodes: Vec<(NodeId, u64)>,
}

/// A direction: the channel as 64 bits, and 0 or 1.
type Place = (u64, u8);

/// What could pass, since when in milliseconds, and the ceiling, if there is one: what could not,
/// the least HTLC that was refused, and when in milliseconds. Then the greatest that was refused:
/// where it isn't said there was one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LearnedRow(Place, u64, u64, Option<(u64, u64, u64)>, #[serde(default)] u64);

impl Knowledge {
    /// What is known at `now`, as data. What was learned more than [`DECAYED_HALF_LIVES`] ago is
    /// left out, and so is who is not avoided any more: bounds that come back differ from what they
    /// were by at most 2⁻²⁴ of what was learned, nothing else differs.
    #[must_use]
    pub fn image(&self, now: Timestamp) -> KnowledgeImage {
        let stays_ms = self.config.half_life_ms().saturating_mul(DECAYED_HALF_LIVES);
        let until = |until: Timestamp| Some(until.0).filter(|_| now < until);
        let nodes = self.disabled_nodes.iter();
        let mut image = KnowledgeImage {
            version: self.version,
            learned: Vec::new(),
            in_flight: Vec::new(),
            disabled: Vec::new(),
            disabled_nodes: nodes.filter_map(|(node, end)| Some((*node, until(*end)?))).collect(),
        };
        for (direction, way) in self.ways.iter() {
            let at = place(direction);
            let stays = |it: &Learned| now.0.saturating_sub(it.learned_at().0) <= stays_ms;
            if let Some(known) = way.learned.filter(stays) {
                let ceiling = known.ceiling.map(|it| (it.hi.0, it.refused.0, it.at.0));
                let most = known.ceiling.map_or(0, |it| it.refused_most.0);
                image.learned.push(LearnedRow(at, known.lo.0, known.lo_at.0, ceiling, most));
            }
            if way.in_flight > Msat::ZERO {
                image.in_flight.push((at, way.in_flight.0));
            }
            image.disabled.extend(way.disabled_until.and_then(until).map(|end| (at, end)));
        }
        image
    }

    /// The knowledge of an image, to be remembered as `config` says.
    ///
    /// # Errors
    /// It names a direction that is none, in words.
    pub fn of_image(config: KnowledgeConfig, image: &KnowledgeImage) -> Result<Self, String> {
        let mut known = Self { version: image.version, ..Self::new(config) };
        let mut note = |at: Place, note: &dyn Fn(&mut Way)| -> Result<(), String> {
            let direction = direction(at)?;
            let mut way = known.ways.get(direction);
            note(&mut way);
            known.ways.set(direction, way);
            Ok(())
        };
        for LearnedRow(at, lo, lo_at, ceiling, most) in &image.learned {
            let ceiling = ceiling.map(|(hi, refused, at)| Ceiling {
                hi: Msat(hi),
                refused: Msat(refused),
                refused_most: Msat(refused.max(*most)),
                at: Timestamp(at),
            });
            let learned = Learned { lo: Msat(*lo), lo_at: Timestamp(*lo_at), ceiling };
            note(*at, &|way| way.learned = Some(learned))?;
        }
        for (at, msat) in &image.in_flight {
            note(*at, &|way| way.in_flight = Msat(*msat))?;
        }
        for (at, until) in &image.disabled {
            note(*at, &|way| way.disabled_until = Some(Timestamp(*until)))?;
        }
        let nodes = image.disabled_nodes.iter();
        known.disabled_nodes = nodes.map(|(node, until)| (*node, Timestamp(*until))).collect();
        known.evict();
        Ok(known)
    }
}

fn place(direction: ChannelDirection) -> Place {
    let side = match direction.direction {
        Direction::Zero => 0,
        Direction::One => 1,
    };
    (direction.scid.0, side)
}

fn direction((scid, side): Place) -> Result<ChannelDirection, String> {
    let direction = match side {
        0 => Direction::Zero,
        1 => Direction::One,
        other => return Err(format!("{other} is no direction of a channel")),
    };
    Ok(ChannelDirection { scid: ShortChannelId(scid), direction })
}
