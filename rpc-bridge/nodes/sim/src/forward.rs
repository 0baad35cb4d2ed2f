//! HTLCs hop by hop, and their resolutions on the way back.

use crate::{
    channel::NoRoom,
    flight::{Back, Flight, FlightId, Locked, Origin, Refusal, Stage, side_of_hop},
    state::{Event, State},
    told::Told,
    truth::Fact,
};
use ecs_systems::{
    port::{Failure, FailureCode, PartStatus},
    units::{BlockHeight, Msat},
};
use payecs_planner::{Hop, Policy};

impl State {
    /// Offers the first HTLC of a flight. The failure, if any, is the payer's own.
    pub(crate) fn launch(&mut self, flight: Flight) -> Result<FlightId, Box<Failure>> {
        let hop = &flight.hops[0];
        let checked = match self.by_id.get(&hop.from) {
            Some(payer) => self.check(*payer, &flight, 0),
            None => Err(Refusal::new(FailureCode::UnknownNextPeer)),
        };
        let checked = checked.and_then(|channel| self.lock(channel, hop));
        let locked = checked.map_err(|refusal| {
            let failure = flight.failure(0, hop.from, refusal);
            Box::new(Failure { update: None, ..failure })
        })?;
        let payer = self.channels[locked.channel].sides[locked.side].node;
        let id = self.add_flight(Flight { locked: vec![locked], open: 1, ..flight });
        self.send_message(payer, Event::Arrive { flight: id, kept: false });
        Ok(id)
    }

    /// The newest HTLC of a flight has reached the node at its far end.
    pub(crate) fn arrive(&mut self, id: FlightId, kept: bool) {
        let flight = self.flights.get(&id).filter(|flight| flight.stage == Stage::Outward);
        let Some(flight) = flight else { return };
        let (node, arrived) = (self.far_end(flight), flight.has_arrived());
        let restarts = !kept && self.restarts_by_chance(node);
        if self.peers[node].tricks.offline.is_some() {
            self.peers[node].parked.push(Event::Arrive { flight: id, kept: kept || restarts });
            return;
        }
        if !kept && let Some(until) = self.kept_until(node) {
            self.schedule(until, Event::Arrive { flight: id, kept: true });
            return;
        }
        if arrived {
            self.deliver(id, node);
        } else {
            self.forward(id, node);
        }
    }

    /// The node that the newest HTLC was offered to.
    pub(crate) fn far_end(&self, flight: &Flight) -> usize {
        let newest = flight.locked.last().expect("a flight has offered its first HTLC");
        self.channels[newest.channel].sides[1 - newest.side].node
    }

    fn forward(&mut self, id: FlightId, node: usize) {
        let trouble = self.trouble(node);
        let Some(flight) = self.flights.get(&id) else { return };
        let index = flight.locked.len();
        let hop = flight.hops[index].clone();
        self.befall(&hop);
        let flight = &self.flights[&id];
        let next = match trouble {
            Some(failcode) => Err(self.on_demand(node, &hop, failcode)),
            None => self.check(node, flight, index),
        };
        match next.and_then(|channel| self.lock(channel, &hop)) {
            Ok(locked) => {
                let flight = self.flights.get_mut(&id).expect("it was there a moment ago");
                flight.locked.push(locked);
                flight.open += 1;
                self.send_message(node, Event::Arrive { flight: id, kept: false });
            }
            Err(refusal) => self.refuse(id, refusal),
        }
    }

    /// A refusal with what its code brings along (BOLT 4): nothing of a channel with the NODE bit,
    /// the channel's policy with the UPDATE bit.
    fn on_demand(&self, node: usize, hop: &Hop, failcode: FailureCode) -> Refusal {
        const NODE: u16 = 0x2000;
        const UPDATE: u16 = 0x1000;
        match self.channel_of(node, hop) {
            _ if failcode.number() & NODE != 0 => Refusal::of_node(failcode),
            Ok(channel) if failcode.number() & UPDATE != 0 => {
                let policy = &self.channels[channel].sides[side_of_hop(hop)].policy;
                Refusal::update(failcode, policy)
            }
            Ok(_) | Err(_) => Refusal::new(failcode),
        }
    }

    /// The node at the far end of the newest HTLC says no.
    pub(crate) fn refuse(&mut self, id: FlightId, refusal: Refusal) {
        if !self.flights.get_mut(&id).is_some_and(Flight::turn) {
            return;
        }
        let flight = &self.flights[&id];
        let index = flight.locked.len();
        let node = self.far_end(flight);
        let failure = flight.failure(index, self.peers[node].key.id, refusal);
        let told = if self.garbles(node) {
            Told::plain(Failure { failcode: FailureCode::Unreadable, ..NOWHERE })
        } else {
            self.as_told_by(node, failure)
        };
        let back = Back::Failed(Box::new(told));
        self.send_message(node, Event::Resolve { flight: id, hop: index - 1, back });
    }

    /// HTLCs whose expiry has come go back to who offered them, as the chain would see to. Those
    /// with an answer on its way are left alone.
    pub(crate) fn time_out_expired(&mut self) {
        let late = self.flights.iter().filter(|(_, flight)| {
            let newest = flight.locked.len() - 1;
            !matches!(flight.stage, Stage::Returning { .. }) && flight.expiry(newest) <= self.height
        });
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            let flight = self.flights.get_mut(&id).expect("nothing ends a flight here");
            if !flight.turn() {
                continue;
            }
            let hop = flight.locked.len() - 1;
            let refusal = Refusal::new(FailureCode::PermanentChannelFailure);
            let failure = flight.failure(hop, flight.hops[hop].from, refusal);
            let (hash, at_payee) = (flight.onion.hash, flight.has_arrived());
            let back = Back::Failed(Box::new(Told::plain(failure)));
            self.schedule(self.now, Event::Resolve { flight: id, hop, back });
            if at_payee {
                self.leave_payee(id, hash);
            }
        }
    }

    /// What `node` checks before it offers hop `index`, in this order; the channel if all is well.
    ///
    /// The payer's own hop has nothing to earn, so fee and delay are not checked on it.
    fn check(&self, node: usize, flight: &Flight, index: usize) -> Result<usize, Refusal> {
        let hop = &flight.hops[index];
        let channel = self.channel_of(node, hop)?;
        let policy = &self.channels[channel].sides[side_of_hop(hop)].policy;
        check_amount(policy, hop)?;
        let payer = index == 0;
        if !payer {
            check_fee(policy, &flight.hops[index - 1], hop)?;
            check_delay(policy, &flight.hops[index - 1], hop)?;
        }
        self.check_expiry(policy, flight.expiry(index))?;
        Ok(channel)
    }

    /// The channel that `hop` names, if `node` can offer HTLCs on it at all.
    fn channel_of(&self, node: usize, hop: &Hop) -> Result<usize, Refusal> {
        let unknown = || Refusal::new(FailureCode::UnknownNextPeer);
        let scid = hop.short_channel_id_dir.scid;
        let index = *self.by_scid.get(&scid).ok_or_else(unknown)?;
        let channel = &self.channels[index];
        let side = side_of_hop(hop);
        let peer = &self.peers[channel.sides[1 - side].node];
        if channel.sides[side].node != node || peer.key.id != hop.to {
            return Err(unknown());
        }
        if channel.closed {
            return Err(Refusal::new(FailureCode::PermanentChannelFailure));
        }
        let policy = &channel.sides[side].policy;
        if let Some(failcode) = peer.tricks.offline {
            let temporary = failcode == FailureCode::TemporaryChannelFailure;
            return Err(if temporary {
                Refusal::update(failcode, policy)
            } else {
                Refusal::new(failcode)
            });
        }
        if !policy.enabled {
            return Err(Refusal::update(FailureCode::ChannelDisabled, policy));
        }
        Ok(index)
    }

    fn check_expiry(&self, policy: &Policy, expiry: BlockHeight) -> Result<(), Refusal> {
        let least = self.height.0.saturating_add(self.settings.expiry_margin.0);
        if expiry.0 <= least {
            return Err(Refusal::update(FailureCode::ExpiryTooSoon, policy));
        }
        if expiry.0 > self.height.0.saturating_add(self.settings.delay_max.0) {
            return Err(Refusal::of_node(FailureCode::ExpiryTooFar));
        }
        Ok(())
    }

    fn lock(&mut self, channel: usize, hop: &Hop) -> Result<Locked, Refusal> {
        let side = side_of_hop(hop);
        let dust = self.is_dust(hop.amount_msat).then_some(self.settings.dust_exposure_max_msat);
        self.touch(channel);
        match self.channels[channel].lock(side, hop.amount_msat, dust) {
            Ok(htlc) => Ok(Locked { channel, side, htlc }),
            Err(NoRoom::Slots | NoRoom::Dust | NoRoom::Balance) => {
                let policy = &self.channels[channel].sides[side].policy;
                Err(Refusal::update(FailureCode::TemporaryChannelFailure, policy))
            }
        }
    }

    /// The answer reaches the node that offered hop `hop`: the HTLC comes off the channel.
    pub(crate) fn resolve(&mut self, id: FlightId, hop: usize, back: Back) {
        let Some(flight) = self.flights.get(&id) else { return };
        assert_eq!(flight.open, hop + 1, "flight {id} resolves its HTLCs from the last one on");
        let locked = flight.locked[hop];
        let from = self.channels[locked.channel].sides[locked.side].node;
        if self.peers[from].tricks.offline.is_some() {
            self.peers[from].parked.push(Event::Resolve { flight: id, hop, back });
            return;
        }
        let amount = flight.hops[hop].amount_msat;
        let settled = matches!(back, Back::Settled(_));
        let dust = self.is_dust(amount);
        self.channels[locked.channel].unlock(locked.side, amount, dust, settled);
        self.touch(locked.channel);
        let flight = self.flights.get_mut(&id).expect("it was there a moment ago");
        flight.open = hop;
        let at_payee = hop + 1 == flight.hops.len();
        let delivered = flight.stage == Stage::Returning { from_payee: true };
        let passed_on = (!at_payee).then(|| flight.hops[hop + 1].amount_msat);
        let hash = flight.onion.hash;
        let to = self.channels[locked.channel].sides[1 - locked.side].node;
        if settled {
            self.worth[from] -= i128::from(amount.0);
            self.worth[to] += i128::from(amount.0);
        }
        if at_payee && delivered {
            self.payee_resolved(to, hash, amount, locked, &back);
        } else if let (true, Some(passed_on)) = (settled, passed_on) {
            let fee_msat = amount.saturating_sub(passed_on);
            let node = self.peers[to].key.id;
            self.record(Fact::Forwarded { node, payment_hash: hash, fee_msat });
        }
        if hop == 0 {
            self.finish(id, back);
        } else {
            self.send_message(from, Event::Resolve { flight: id, hop: hop - 1, back });
        }
    }

    /// The payer knows.
    fn finish(&mut self, id: FlightId, back: Back) {
        let flight = self.flights.remove(&id).expect("a flight finishes once");
        let spent_msat = flight.hops[0].amount_msat;
        let status = match back {
            Back::Settled(preimage) => PartStatus::Paid { preimage, spent_msat },
            Back::Failed(told) => PartStatus::Failed(told.verified()),
        };
        let hash = flight.onion.hash;
        match flight.origin {
            Origin::Us(key) => self.conclude_part(key, status),
            Origin::Remote(remote) => {
                self.remotes.insert(remote, status);
                self.forget_remotes(remote);
            }
        }
        self.flight_ends(hash);
    }
}

/// A failure that nobody can place.
const NOWHERE: Failure = Failure {
    erring_index: None,
    erring_node: None,
    erring_channel: None,
    failcode: FailureCode::Unreadable,
    height: None,
    update: None,
    htlc_msat: None,
};

fn check_amount(policy: &Policy, hop: &Hop) -> Result<(), Refusal> {
    if hop.amount_msat < policy.htlc_minimum_msat {
        let refusal = Refusal::update(FailureCode::AmountBelowMinimum, policy);
        return Err(refusal.about(hop.amount_msat));
    }
    if hop.amount_msat > policy.htlc_maximum_msat {
        return Err(Refusal::update(FailureCode::TemporaryChannelFailure, policy));
    }
    Ok(())
}

fn check_fee(policy: &Policy, incoming: &Hop, outgoing: &Hop) -> Result<(), Refusal> {
    let fee = outgoing.amount_msat.forwarding_fee(policy.fee_base_msat, policy.fee_rate);
    let needed = fee.and_then(|fee| outgoing.amount_msat.checked_add(fee));
    if incoming.amount_msat < needed.unwrap_or(Msat(u64::MAX)) {
        let refusal = Refusal::update(FailureCode::FeeInsufficient, policy);
        return Err(refusal.about(incoming.amount_msat));
    }
    Ok(())
}

fn check_delay(policy: &Policy, incoming: &Hop, outgoing: &Hop) -> Result<(), Refusal> {
    let needed = outgoing.cltv_blocks.checked_add(policy.cltv_delta);
    if needed.is_none_or(|needed| incoming.cltv_blocks < needed) {
        return Err(Refusal::update(FailureCode::IncorrectCltvExpiry, policy));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
