//! A channel: who has how much, and what is locked in HTLCs.

use ecs_systems::units::{ChannelDirection, Direction, Msat, ShortChannelId};
use payecs_planner::Policy;

/// One end's side of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// The node at this end, by number.
    pub(crate) node: usize,
    /// What is this end's, HTLCs it offers taken off.
    pub(crate) balance: Msat,
    /// What this end has offered and is not resolved.
    pub(crate) locked: Msat,
    /// In how many HTLCs.
    pub(crate) htlcs: u32,
    /// The number its next HTLC gets.
    pub(crate) next_htlc: u64,
    /// What it really asks for.
    pub(crate) policy: Policy,
    /// What it announced; absent where it announced nothing.
    pub(crate) gossip: Option<Policy>,
}

/// A channel. Index 0 of `sides` is the end with the lesser id, which is where direction 0 begins.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) scid: ShortChannelId,
    pub(crate) capacity: Msat,
    pub(crate) sides: [Side; 2],
    /// What an end must keep.
    pub(crate) reserve: Msat,
    /// Most HTLCs that one end may have offered.
    pub(crate) slots: u32,
    /// What is in HTLCs below the dust limit, of both ends.
    pub(crate) dust: Msat,
    /// Whether gossip knows of it.
    pub(crate) announced: bool,
    pub(crate) closed: bool,
    /// What of it is not what it was made: a snapshot has that.
    pub(crate) changed: Changed,
}

/// What of a channel was changed since it was made; each has what the ones before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    /// Nothing.
    Nothing,
    /// Balances, HTLCs, or whether it is open.
    State,
    /// A policy.
    Policies,
}

/// Why a channel did not take an HTLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// All slots are taken.
    Slots,
    /// Too much would be dust.
    Dust,
    /// The offering end has too little.
    Balance,
}

/// The number of a direction in `sides`.
pub(crate) fn side_of(direction: Direction) -> usize {
    usize::from(direction.bit())
}

impl Channel {
    /// What `side` could offer now.
    pub(crate) fn spendable(&self, side: usize) -> Msat {
        self.sides[side].balance.saturating_sub(self.reserve)
    }

    /// How many more HTLCs `side` may offer.
    pub(crate) fn free_slots(&self, side: usize) -> u32 {
        self.slots.saturating_sub(self.sides[side].htlcs)
    }

    /// One direction by its name.
    pub(crate) fn direction(&self, side: usize) -> ChannelDirection {
        let direction = if side == 0 { Direction::Zero } else { Direction::One };
        ChannelDirection { scid: self.scid, direction }
    }

    /// Locks `amount` of `side`'s balance in an HTLC and answers its number.
    pub(crate) fn lock(
        &mut self,
        side: usize,
        amount: Msat,
        dust: Option<Msat>,
    ) -> Result<u64, NoRoom> {
        if self.free_slots(side) == 0 {
            return Err(NoRoom::Slots);
        }
        if dust.is_some_and(|most| self.dust.0.saturating_add(amount.0) > most.0) {
            return Err(NoRoom::Dust);
        }
        if self.spendable(side) < amount {
            return Err(NoRoom::Balance);
        }
        if dust.is_some() {
            self.dust = Msat(self.dust.0 + amount.0);
        }
        self.changed = self.changed.max(Changed::State);
        let side = &mut self.sides[side];
        side.balance = minus(side.balance, amount);
        side.locked = Msat(side.locked.0 + amount.0);
        side.htlcs += 1;
        side.next_htlc += 1;
        Ok(side.next_htlc - 1)
    }

    /// Takes an HTLC off: its money goes to the other end, or back where it came from.
    pub(crate) fn unlock(&mut self, side: usize, amount: Msat, is_dust: bool, settled: bool) {
        let from = &mut self.sides[side];
        from.locked = minus(from.locked, amount);
        from.htlcs = from.htlcs.checked_sub(1).expect("an HTLC is taken off once");
        let owner = if settled { 1 - side } else { side };
        self.sides[owner].balance = Msat(self.sides[owner].balance.0 + amount.0);
        if is_dust {
            self.dust = minus(self.dust, amount);
        }
    }

    /// Whether balances and HTLCs make up the capacity.
    pub(crate) fn is_whole(&self) -> bool {
        let parts = self.sides.iter().flat_map(|side| [side.balance, side.locked]);
        Msat::sum(parts) == Some(self.capacity)
    }
}

/// `whole − part`, where our own arithmetic guarantees that it is there.
fn minus(whole: Msat, part: Msat) -> Msat {
    whole.checked_sub(part).expect("what is taken off was there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::policy;

    fn channel() -> Channel {
        let side = |balance| Side {
            node: 0,
            balance: Msat(balance),
            locked: Msat::ZERO,
            htlcs: 0,
            next_htlc: 0,
            policy: policy(0, 0),
            gossip: Some(policy(0, 0)),
        };
        Channel {
            scid: ShortChannelId(1),
            capacity: Msat(1_000),
            sides: [side(700), side(300)],
            reserve: Msat(100),
            slots: 2,
            dust: Msat::ZERO,
            announced: true,
            closed: false,
            changed: Changed::Nothing,
        }
    }

    #[test]
    fn locked_money_is_neither_sides_until_it_is_resolved() {
        let mut channel = channel();
        assert_eq!(channel.lock(0, Msat(600), None), Ok(0));
        assert_eq!((channel.spendable(0), channel.spendable(1)), (Msat(0), Msat(200)));
        assert!(channel.is_whole());
        channel.unlock(0, Msat(600), false, true);
        assert_eq!((channel.sides[0].balance, channel.sides[1].balance), (Msat(100), Msat(900)));
        assert_eq!(channel.lock(1, Msat(800), None), Ok(0));
        channel.unlock(1, Msat(800), false, false);
        assert_eq!(channel.sides[1].balance, Msat(900));
        assert!(channel.is_whole());
    }

    #[test]
    fn reserve_slots_and_dust_room_are_kept() {
        let mut channel = channel();
        assert_eq!(channel.lock(0, Msat(601), None), Err(NoRoom::Balance));
        assert_eq!(channel.lock(0, Msat(5), Some(Msat(4))), Err(NoRoom::Dust));
        assert_eq!(channel.lock(0, Msat(3), Some(Msat(4))), Ok(0));
        assert_eq!(channel.lock(0, Msat(2), Some(Msat(4))), Err(NoRoom::Dust));
        assert_eq!(channel.lock(0, Msat(2), None), Ok(1));
        assert_eq!(channel.lock(0, Msat(2), None), Err(NoRoom::Slots));
        channel.unlock(0, Msat(3), true, false);
        assert_eq!((channel.dust, channel.free_slots(0)), (Msat::ZERO, 1));
    }
}
