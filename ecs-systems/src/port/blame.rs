//! Whom a failure blames, and for what (BOLT 4).

use super::{Failure, FailureCode};
use payecs_planner::{Policy, Route};
use payecs_units::{BlockHeight, Blocks, ChannelDirection};

/// A payee that says it sees more blocks than this beyond what a part was built for isn't believed.
pub const HEIGHT_AHEAD_MAX: Blocks = Blocks(144);

/// What the failure of a part says of its route. Hops are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The payee refused: every hop has carried the part.
    Payee,
    /// It can't be told who refused.
    Nobody,
    /// The channel of that hop, which isn't ours, has too little liquidity.
    Liquidity(usize),
    /// The channel of that hop asks for what the part did not keep, and said so.
    Terms(usize),
    /// The channel of that hop, for another cause, or for none that holds.
    Channel(usize),
    /// The node where that hop begins; it isn't ours.
    Node(usize),
    /// Our own node as a whole, over the channel that it names, or this channel of ours for the
    /// moment: other payments may have its slots. What it can carry our node says by itself.
    Ours(ChannelDirection),
    /// Our own node as a whole, which names no channel: the part never got as far as one.
    Nothing,
}

impl Failure {
    /// Whom it blames on the route of its part.
    #[must_use]
    pub fn blame(&self, route: &Route) -> Blame {
        let Some(index) = self.erring_index.map(|index| index as usize) else {
            return Blame::Nobody;
        };
        if index >= route.hops.len() {
            return Blame::Payee;
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "other codes are about the channel")]
        match self.failcode {
            FailureCode::Unreadable => Blame::Nobody,
            FailureCode::TemporaryChannelFailure if index == 0 => {
                Blame::Ours(route.hops[0].short_channel_id_dir)
            }
            FailureCode::TemporaryChannelFailure | FailureCode::InvalidOnionBlinding => {
                Blame::Liquidity(index)
            }
            FailureCode::TemporaryNodeFailure
            | FailureCode::PermanentNodeFailure
            | FailureCode::RequiredNodeFeatureMissing
            | FailureCode::InvalidOnionHmac
            | FailureCode::InvalidOnionPayload => match (index, self.erring_channel) {
                (0, Some(channel)) => Blame::Ours(channel),
                (0, None) => Blame::Nothing,
                (_, _) => Blame::Node(index),
            },
            FailureCode::ChannelDisabled => Blame::Channel(index),
            _ if self.correction(route).is_some() => Blame::Terms(index),
            _ => Blame::Channel(index),
        }
    }

    /// What the channel that refused asks for, where that came along and the part did not keep it.
    ///
    /// A part that kept it was refused for nothing: the node said what we knew, or lied.
    #[must_use]
    pub fn correction(&self, route: &Route) -> Option<(ChannelDirection, &Policy)> {
        let index = self.erring_index? as usize;
        let direction = route.hops.get(index)?.short_channel_id_dir;
        let policy = self.update.as_ref().filter(|policy| !policy.is_kept_by(route, index))?;
        (self.erring_channel == Some(direction)).then_some((direction, policy))
    }

    /// The height that the payee (after `hops` hops) sees, where the part was built for a lesser
    /// one: with it, what was too near an expiry may do. `None` too where it says a height that
    /// nobody believes.
    #[must_use]
    pub fn height_ahead(&self, hops: usize, built_for: BlockHeight) -> Option<BlockHeight> {
        let by_payee = self.erring_index.is_some_and(|index| index as usize == hops);
        let details = self.failcode == FailureCode::IncorrectOrUnknownPaymentDetails;
        let ahead = |height: &BlockHeight| {
            let blocks = height.0.checked_sub(built_for.0);
            blocks.is_some_and(|blocks| (1..=HEIGHT_AHEAD_MAX.0).contains(&blocks))
        };
        self.height.filter(ahead).filter(|_| by_payee && details)
    }
}

#[cfg(test)]
mod tests;
