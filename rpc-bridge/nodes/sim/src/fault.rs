//! What goes wrong, by script or by chance.

use crate::{
    channel::side_of,
    error::SimError,
    script::Lie,
    state::{Event, State},
    told::Told,
};
use ecs_systems::{
    port::{Failure, FailureCode},
    units::{ChannelDirection, Msat, Ppm, Timestamp},
};
use payecs_planner::{GraphDelta, Hop, Policy};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Rates that are drawn for a changed fee are below this, in parts per million.
const RATES: u64 = 1_001;

/// What a node is scripted to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tricks {
    /// While it is offline: what its peers say.
    pub(crate) offline: Option<FailureCode>,
    /// And when it is back, if that is known.
    pub(crate) offline_until: Option<Timestamp>,
    /// How much longer its messages take.
    pub(crate) slow_ms: u64,
    pub(crate) fail_next: VecDeque<FailureCode>,
    pub(crate) keep_next: VecDeque<Timestamp>,
    pub(crate) garble_next: u32,
    pub(crate) lie_next: VecDeque<Lie>,
}

impl State {
    /// Whether a fault of this rate strikes. What cannot strike draws nothing.
    pub(crate) fn strikes(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.rng.chance(ppm)
    }

    pub(crate) fn go_offline(
        &mut self,
        node: usize,
        until: Option<Timestamp>,
        failcode: FailureCode,
    ) {
        self.peers[node].tricks.offline = Some(failcode);
        self.view_is_old = true;
        self.peers[node].tricks.offline_until = until;
        if let Some(until) = until {
            self.schedule(until, Event::Online { node });
        }
    }

    /// The node is back unless a later script keeps it away for longer.
    pub(crate) fn come_online_if_due(&mut self, node: usize) {
        if self.peers[node].tricks.offline_until.is_some_and(|until| until <= self.now) {
            self.come_online(node);
        }
    }

    /// What waited for the node reaches it now.
    pub(crate) fn come_online(&mut self, node: usize) {
        self.peers[node].tricks.offline = None;
        self.view_is_old = true;
        self.peers[node].tricks.offline_until = None;
        for event in std::mem::take(&mut self.peers[node].parked) {
            self.schedule(self.now, event);
        }
    }

    /// The node is away until then, and has forgotten what it kept and waited for.
    pub(crate) fn restart_node(&mut self, node: usize, until: Timestamp, fails: bool) {
        let kept = self.queue.iter().filter(|(_, event)| self.is_kept_by(node, event));
        let kept: Vec<_> = kept.map(|(at, _)| *at).collect();
        for at in kept {
            let event = self.queue.remove(&at).expect("it was there a moment ago");
            let event = if let (Event::Arrive { flight, .. }, true) = (&event, fails) {
                Event::GiveBack { flight: *flight }
            } else {
                event
            };
            self.peers[node].parked.push(event);
        }
        let waiting = self.sets.iter().filter(|(hash, set)| {
            !set.complete && self.invoices.get(*hash).is_some_and(|sold| sold.payee == node)
        });
        let waiting: Vec<_> = waiting.map(|(hash, _)| *hash).collect();
        for hash in waiting {
            // Under another number, so that the timer that runs finds nothing.
            let set = self.next_flight;
            self.next_flight += 1;
            self.sets.get_mut(&hash).expect("it was there a moment ago").id = set;
            let timeout = Event::MppTimeout { hash, set };
            if fails {
                self.peers[node].parked.push(timeout);
            } else {
                self.schedule(until.after(self.settings.mpp_timeout), timeout);
            }
        }
        self.go_offline(node, Some(until), FailureCode::TemporaryChannelFailure);
    }

    fn is_kept_by(&self, node: usize, event: &Event) -> bool {
        let Event::Arrive { flight, kept: true } = event else { return false };
        self.flights.get(flight).is_some_and(|flight| self.far_end(flight) == node)
    }

    /// By chance, the node restarts just when something reaches it; whether it does.
    pub(crate) fn restarts_by_chance(&mut self, node: usize) -> bool {
        let faults = self.settings.faults;
        let restarts = node != self.ours.node && self.strikes(faults.restart_ppm);
        if restarts {
            let fails = self.rng.chance(500_000);
            self.restart_node(node, self.now.after(faults.restart_for), fails);
        }
        restarts
    }

    /// How much longer a message of the node takes than others do, in milliseconds.
    pub(crate) fn slowness_ms(&mut self, node: usize) -> u64 {
        let faults = self.settings.faults;
        let late = node != self.ours.node && self.strikes(faults.late_ppm);
        let by_chance = if late { faults.late_ms } else { 0 };
        self.peers[node].tricks.slow_ms.saturating_add(by_chance)
    }

    /// Until when the node keeps an HTLC that has just reached it, if it does.
    pub(crate) fn kept_until(&mut self, node: usize) -> Option<Timestamp> {
        if let Some(until) = self.peers[node].tricks.keep_next.pop_front() {
            return Some(until);
        }
        let faults = self.settings.faults;
        let is_us = node == self.ours.node;
        (!is_us && self.rng.chance(faults.stuck_ppm)).then(|| self.now.after(faults.stuck_for))
    }

    /// Whether the node is in trouble just now, and what it says.
    pub(crate) fn trouble(&mut self, node: usize) -> Option<FailureCode> {
        if let Some(failcode) = self.peers[node].tricks.fail_next.pop_front() {
            return Some(failcode);
        }
        let chance = self.settings.faults.temporary_node_failure_ppm;
        self.rng.chance(chance).then_some(FailureCode::TemporaryNodeFailure)
    }

    /// Whether a failure that the node causes arrives unreadable.
    pub(crate) fn garbles(&mut self, node: usize) -> bool {
        let scripted = &mut self.peers[node].tricks.garble_next;
        if *scripted > 0 {
            *scripted -= 1;
            return true;
        }
        self.rng.chance(self.settings.faults.unreadable_ppm)
    }

    /// What befalls the channel that an HTLC is about to go on by.
    pub(crate) fn befall(&mut self, hop: &Hop) {
        let (faults, direction) = (self.settings.faults, hop.short_channel_id_dir);
        let Ok(policy) = self.policy(direction).cloned() else { return };
        let gossip_at = self.now.after(faults.gossip_after);
        if self.strikes(faults.reprice_ppm) {
            let drawn = u32::try_from(self.rng.below(RATES)).expect("it is below a thousand or so");
            let policy = Policy { fee_rate: Ppm(drawn), ..policy.clone() };
            self.change_and_say_later(direction, policy, gossip_at);
        }
        if self.strikes(faults.disable_ppm) && policy.enabled {
            let policy = Policy { enabled: false, ..policy };
            self.change_and_say_later(direction, policy, gossip_at);
            self.schedule(self.now.after(faults.disabled_for), Event::Enable { direction });
        }
        if self.strikes(faults.close_ppm) && !self.is_ours(direction) {
            // One that is closed already stays so.
            let _closed = self.close_channel(direction.scid);
        }
    }

    fn change_and_say_later(&mut self, way: ChannelDirection, policy: Policy, at: Timestamp) {
        self.set_policy(way, policy, false).expect("the channel was there a moment ago");
        self.schedule(at, Event::Announce { direction: way });
    }

    fn is_ours(&self, direction: ChannelDirection) -> bool {
        let channel = &self.channels[self.by_scid[&direction.scid]];
        channel.sides.iter().any(|side| side.node == self.ours.node)
    }

    /// What holds for a direction.
    ///
    /// # Errors
    /// [`SimError::UnknownChannel`].
    pub(crate) fn policy(&self, direction: ChannelDirection) -> Result<&Policy, SimError> {
        let scid = direction.scid;
        let index = *self.by_scid.get(&scid).ok_or(SimError::UnknownChannel { scid })?;
        Ok(&self.channels[index].sides[side_of(direction.direction)].policy)
    }

    /// Gossip has what holds for a direction.
    pub(crate) fn announce(&mut self, direction: ChannelDirection) {
        let channel = &mut self.channels[self.by_scid[&direction.scid]];
        let side = &mut channel.sides[side_of(direction.direction)];
        if channel.closed || !channel.announced || side.gossip.as_ref() == Some(&side.policy) {
            return;
        }
        let policy = side.policy.clone();
        side.gossip = Some(policy.clone());
        self.gossip(GraphDelta::PolicyChanged { direction, policy });
    }

    /// A direction is enabled again, and gossip has it.
    pub(crate) fn enable(&mut self, direction: ChannelDirection) {
        let Ok(policy) = self.policy(direction) else { return };
        let policy = Policy { enabled: true, ..policy.clone() };
        self.set_policy(direction, policy, false).expect("the channel was there a moment ago");
        self.announce(direction);
    }

    /// A failure of the node as it leaves it: what it brings along may not be what holds.
    pub(crate) fn as_told_by(&mut self, node: usize, failure: Failure) -> Told {
        let (Some(update), Some(direction)) = (&failure.update, failure.erring_channel) else {
            return Told::plain(failure);
        };
        let update = update.clone();
        let scripted = self.peers[node].tricks.lie_next.pop_front();
        let by_chance = || [Lie::Missing, Lie::Old, Lie::OtherChannel, Lie::Free];
        let lie = match scripted {
            Some(lie) => lie,
            None if self.strikes(self.settings.faults.lying_update_ppm) => {
                by_chance()[usize::try_from(self.rng.below(4)).expect("it is below four")]
            }
            None => return self.signed(failure, &self.peers[node].key),
        };
        let update = match lie {
            Lie::Missing => None,
            Lie::Old => {
                let channel = &self.channels[self.by_scid[&direction.scid]];
                channel.sides[side_of(direction.direction)].gossip.clone()
            }
            Lie::OtherChannel => self.another_policy(node, direction),
            Lie::Free => Some(free(&update)),
            Lie::Forged => {
                let failure = Failure { update: Some(free(&update)), ..failure };
                let other = (node + 1) % self.peers.len();
                return self.signed(failure, &self.peers[other].key);
            }
        };
        self.signed(Failure { update, ..failure }, &self.peers[node].key)
    }

    /// What the node asks for on another channel.
    fn another_policy(&self, node: usize, than: ChannelDirection) -> Option<Policy> {
        let channels = self.peers[node].channels.iter().map(|index| &self.channels[*index]);
        let mut others = channels.filter(|channel| channel.scid != than.scid);
        let side = |channel: &crate::channel::Channel| {
            channel.sides[usize::from(channel.sides[1].node == node)].policy.clone()
        };
        others.next().map(side)
    }
}

/// The same policy without fees.
fn free(policy: &Policy) -> Policy {
    Policy { fee_base_msat: Msat::ZERO, fee_rate: Ppm(0), ..policy.clone() }
}

#[cfg(test)]
mod tests;
