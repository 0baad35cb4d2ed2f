//! What is really on each side of a channel.

use payecs_planner::Graph;
use payecs_units::{ChannelDirection, Direction, Msat, ShortChannelId};
use serde::Serialize;
use std::fmt;

/// How balances are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Any share of the channel is equally likely.
    Uniform,
    /// Most channels are nearly empty on one side.
    Bimodal,
}

impl Model {
    /// What the node with the lesser id has of `capacity`.
    fn share(self, draw: u64, capacity: Msat) -> Msat {
        let msat = match self {
            Self::Uniform => {
                let product = u128::from(draw) * (u128::from(capacity.0) + 1);
                u64::try_from(product >> 64).expect("the upper half of 128 bits")
            }
            Self::Bimodal => {
                let unit = wide(draw >> 11) / wide(1 << 53);
                let share = 0.5 + 0.5 * libm::cbrt(2.0 * unit - 1.0);
                #[expect(clippy::cast_possible_truncation, reason = "a share of a capacity")]
                #[expect(clippy::cast_sign_loss, reason = "a share is not below 0")]
                let msat = (share.clamp(0.0, 1.0) * wide(capacity.0)) as u64;
                msat.min(capacity.0)
            }
        };
        Msat(msat)
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is below 2⁵³ loses nothing")]
fn wide(value: u64) -> f64 {
    value as f64
}

impl fmt::Display for Model {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Uniform => "uniform",
            Self::Bimodal => "bimodal",
        })
    }
}

/// The balances of every channel of a graph.
#[derive(Debug)]
pub struct Balances {
    /// By channel, sorted: what the lesser and what the greater end has.
    sides: Vec<(ShortChannelId, [Msat; 2])>,
}

impl Balances {
    /// Those that a seed draws.
    #[must_use]
    pub fn new(graph: &Graph, model: Model, seed: u64) -> Self {
        let sides = graph.channels().map(|channel| {
            let (scid, capacity) = (channel.short_channel_id, channel.capacity);
            let lesser = model.share(draw(seed, scid), capacity);
            (scid, [lesser, capacity.saturating_sub(lesser)])
        });
        Self { sides: sides.collect() }
    }

    /// What can go this way; nothing where the graph has no such channel.
    #[must_use]
    pub fn of(&self, way: ChannelDirection) -> Msat {
        let place = self.sides.binary_search_by_key(&way.scid, |(scid, _)| *scid);
        let Ok(place) = place else { return Msat::ZERO };
        match way.direction {
            Direction::Zero => self.sides[place].1[0],
            Direction::One => self.sides[place].1[1],
        }
    }
}

/// The second output of splitmix64 from a state of the seed and the channel.
fn draw(seed: u64, ShortChannelId(scid): ShortChannelId) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = seed ^ scid.wrapping_mul(0xd134_2543_de82_ef95);
    let value = state.wrapping_add(STEP.wrapping_mul(2));
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
