//! What is known of each direction, in shards that copies share until one of them changes it.

use super::{Learned, twin_of};
use litemap::LiteMap;
use payecs_units::{ChannelDirection, Direction, Msat, ShortChannelId, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A change copies one shard: so many keep that short, and a copy of all quick.
const SHARDS: u64 = 128;

/// What is known of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Way {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) learned: Option<Learned>,
    pub(super) in_flight: Msat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disabled_until: Option<Timestamp>,
}

impl Way {
    pub(super) fn refused_from(&self, now: Timestamp, half_life_ms: u64) -> Option<Msat> {
        let ceiling = self.learned?.ceiling?;
        let young = now.0.saturating_sub(ceiling.at.0) < half_life_ms;
        young.then_some(ceiling.refused)
    }

    pub(super) fn is_disabled(&self, now: Timestamp) -> bool {
        self.disabled_until.is_some_and(|until| now < until)
    }
}

/// Both directions of each channel, in order: most changes copy it.
type Shard = LiteMap<ShortChannelId, [Way; 2]>;

/// What is known, by direction. Nothing is kept of a direction of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<ChannelDirection, Way>", into = "BTreeMap<ChannelDirection, Way>")]
pub(super) struct Ways {
    shards: Vec<Arc<Shard>>,
    learned: usize,
    disabled: usize,
}

impl Default for Ways {
    fn default() -> Self {
        let empty = Arc::new(Shard::new());
        Self { shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(), learned: 0, disabled: 0 }
    }
}

impl Ways {
    /// How many directions something was learned about.
    pub(super) fn learned_count(&self) -> usize {
        self.learned
    }

    /// How many directions are or were disabled.
    pub(super) fn disabled_count(&self) -> usize {
        self.disabled
    }

    /// A direction and its twin; `None` where nothing is known of either.
    pub(super) fn both(&self, direction: ChannelDirection) -> Option<[&Way; 2]> {
        let ways = self.shards[shard_of(direction.scid)].get(&direction.scid)?;
        let bit = usize::from(direction.direction.bit());
        Some([&ways[bit], &ways[1 - bit]])
    }

    /// A direction.
    pub(super) fn get(&self, direction: ChannelDirection) -> Way {
        self.both(direction).map_or_else(Way::default, |[own, _]| *own)
    }

    /// Puts what is known of a direction in place of what was.
    pub(super) fn set(&mut self, direction: ChannelDirection, way: Way) {
        let old = self.get(direction);
        if old == way {
            return;
        }
        let counted =
            |count: usize, was: bool, is: bool| count + usize::from(is) - usize::from(was);
        self.learned = counted(self.learned, old.learned.is_some(), way.learned.is_some());
        let [was, is] = [old, way].map(|way| way.disabled_until.is_some());
        self.disabled = counted(self.disabled, was, is);
        let twin = self.get(twin_of(direction));
        let shard = Arc::make_mut(&mut self.shards[shard_of(direction.scid)]);
        if way == Way::default() && twin == way {
            shard.remove(&direction.scid);
        } else {
            let mut both = [twin; 2];
            both[usize::from(direction.direction.bit())] = way;
            shard.insert(direction.scid, both);
        }
    }

    /// Every direction that something is known of.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ChannelDirection, &Way)> {
        let channels = self.shards.iter().flat_map(|shard| shard.iter());
        let each = channels.flat_map(|(scid, ways)| {
            let directions = [Direction::Zero, Direction::One];
            directions
                .into_iter()
                .zip(ways)
                .map(|(direction, way)| (ChannelDirection { scid: *scid, direction }, way))
        });
        each.filter(|(_, way)| **way != Way::default())
    }
}

/// Channels of one block are spread by the multiplication.
fn shard_of(scid: ShortChannelId) -> usize {
    let mixed = scid.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from(mixed % SHARDS).expect("there are few shards")
}

impl From<BTreeMap<ChannelDirection, Way>> for Ways {
    fn from(all: BTreeMap<ChannelDirection, Way>) -> Self {
        let mut ways = Self::default();
        for (direction, way) in all {
            ways.set(direction, way);
        }
        ways
    }
}

impl From<Ways> for BTreeMap<ChannelDirection, Way> {
    fn from(ways: Ways) -> Self {
        ways.iter().map(|(direction, way)| (direction, *way)).collect()
    }
}
