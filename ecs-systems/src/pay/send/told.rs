//! What a payment takes from the failures of its own parts, and no other payment does.

use crate::{
    components::{ToldFacts, ToldPolicy},
    port::{Blame, Failure},
};
use payecs_planner::{Policy, Route};
use payecs_units::{ChannelDirection, PartId};
use sha2::{Digest, Sha256};

/// So often a direction may say within one payment that it asks for something new. After that the
/// payment avoids it: it would be tried for ever.
pub(crate) const TERMS_TOLD_MAX: u32 = 2;

impl ToldFacts {
    /// Takes what the failure of a part on a route told. `draw` chooses whom to avoid where nobody
    /// can say who refused. Whether there was anything new.
    pub(crate) fn take(&mut self, route: &Route, failure: &Failure, draw: u64) -> bool {
        if let Some((direction, policy)) = failure.correction(route) {
            return self.correct(direction, policy);
        }
        let avoided = match failure.blame(route) {
            Blame::Nobody => drawn(route, draw),
            Blame::Ours(direction) => Some(direction),
            Blame::Payee
            | Blame::Liquidity(_)
            | Blame::Terms(_)
            | Blame::Channel(_)
            | Blame::Node(_)
            | Blame::Nothing => None,
        };
        avoided.is_some_and(|direction| self.avoid(direction))
    }

    fn correct(&mut self, direction: ChannelDirection, policy: &Policy) -> bool {
        let known = self.policies.iter_mut().find(|it| it.short_channel_id_dir == direction);
        let Some(known) = known else {
            let (policy, times) = (policy.clone(), 1);
            self.policies.push(ToldPolicy { short_channel_id_dir: direction, policy, times });
            return true;
        };
        if known.policy == *policy {
            // Another part of the same round met it too.
            return false;
        }
        if known.times >= TERMS_TOLD_MAX {
            return self.avoid(direction);
        }
        (known.policy, known.times) = (policy.clone(), known.times + 1);
        true
    }

    fn avoid(&mut self, direction: ChannelDirection) -> bool {
        let is_new = !self.avoided.contains(&direction);
        if is_new {
            self.avoided.push(direction);
        }
        is_new
    }
}

/// A hop of the route that may have failed in silence. Our own channel says why it fails: it is
/// drawn only where there is no other.
fn drawn(route: &Route, draw: u64) -> Option<ChannelDirection> {
    let others = route.hops.get(1..).filter(|others| !others.is_empty());
    let hops = others.unwrap_or(&route.hops);
    let index = draw.checked_rem(u64::try_from(hops.len()).ok()?)?;
    hops.get(usize::try_from(index).ok()?).map(|hop| hop.short_channel_id_dir)
}

/// A number for one part of the entropy of a command, in which several parts may fail.
pub(crate) fn draw_of(entropy: &[u8; 32], part: PartId) -> u64 {
    let mixed = Sha256::new().chain_update(entropy).chain_update(part.0.to_be_bytes());
    mixed.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
