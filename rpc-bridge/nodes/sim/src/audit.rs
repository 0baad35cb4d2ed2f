//! Whether all the money is still there.

use crate::state::{State, worth_of};
use ecs_systems::units::Msat;

impl State {
    /// Checks every channel against its capacity and its HTLCs, and our own sum against the log.
    ///
    /// # Errors
    /// The first thing that doesn't add up, as a sentence.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let mut open = vec![[(Msat::ZERO, 0_u32); 2]; self.channels.len()];
        for flight in self.flights.values() {
            for (locked, hop) in flight.locked.iter().zip(&flight.hops).take(flight.open) {
                let (sum, count) = &mut open[locked.channel][locked.side];
                *sum = sum.checked_add(hop.amount_msat).ok_or("HTLCs above 2⁶⁴ msat")?;
                *count += 1;
            }
        }
        for (channel, open) in self.channels.iter().zip(open) {
            if !channel.is_whole() {
                return Err(format!("channel {} does not sum to its capacity", channel.scid));
            }
            for (side, (sum, count)) in channel.sides.iter().zip(open) {
                if (side.locked, side.htlcs) != (sum, count) {
                    let scid = channel.scid;
                    return Err(format!("channel {scid} locks {} for HTLCs of {sum}", side.locked));
                }
            }
        }
        self.audit_worth()
    }

    /// Every node's balances and offers against what it had, has gained and has given.
    fn audit_worth(&self) -> Result<(), String> {
        for (node, peer) in self.peers.iter().enumerate() {
            let now = worth_of(node, &self.peers, &self.channels);
            if now != self.worth[node] {
                let (name, worth) = (&peer.name, self.worth[node]);
                return Err(format!("{name} owns {now} msat and should own {worth} msat"));
            }
        }
        Ok(())
    }
}
