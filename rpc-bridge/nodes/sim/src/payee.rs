//! The end of the way: payees that look up the hash, wait for all parts, and take or refuse them.

use crate::{
    channel::Channel,
    flight::{Back, FlightId, Locked, Onion, Refusal, Stage},
    state::{Event, State},
    truth::Fact,
};
use ecs_systems::{
    port::FailureCode,
    units::{BlockHeight, Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Timestamp},
};
use serde::{Deserialize, Serialize};

/// An invoice that a remote node has handed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SoldInvoice {
    pub(crate) payee: usize,
    pub(crate) preimage: Preimage,
    pub(crate) secret: PaymentSecret,
    pub(crate) amount: Option<Msat>,
    pub(crate) expires_at: Timestamp,
    pub(crate) min_final_cltv: Blocks,
    pub(crate) basic_mpp: bool,
    pub(crate) metadata: Option<String>,
    pub(crate) paid: bool,
}

/// The parts of one payment that a payee has in hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldSet {
    /// Tells it from an earlier set for the same hash: the first flight in it.
    pub(crate) id: FlightId,
    pub(crate) total: Msat,
    pub(crate) parts: Vec<(FlightId, Msat)>,
    pub(crate) complete: bool,
}

impl State {
    /// The last HTLC of a flight is at its payee.
    pub(crate) fn deliver(&mut self, id: FlightId, node: usize) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.stage = Stage::Delivered;
        let index = flight.hops.len() - 1;
        let (onion, expiry) = (flight.onion.clone(), flight.expiry(index));
        let amount = flight.hops[index].amount_msat;
        self.record(Fact::Held {
            payee: self.peers[node].key.id,
            payment_hash: onion.hash,
            amount_msat: amount,
        });
        if node == self.ours.node {
            self.offer_to_us(id, &onion, amount, expiry);
        } else if self.is_acceptable(node, &onion, amount, expiry) {
            self.collect(id, &onion, amount);
        } else {
            let refusal = self.unknown_details(amount);
            self.refuse(id, refusal);
        }
    }

    /// `incorrect_or_unknown_payment_details` for an HTLC of this amount, at the current height.
    pub(crate) fn unknown_details(&self, amount: Msat) -> Refusal {
        Refusal {
            height: Some(self.height),
            ..Refusal::of_node(FailureCode::IncorrectOrUnknownPaymentDetails).about(amount)
        }
    }

    /// BOLT 4's conditions of a final node; each is answered alike, so that nobody learns which.
    fn is_acceptable(&self, node: usize, onion: &Onion, amount: Msat, expiry: BlockHeight) -> bool {
        let Some(invoice) = self.invoices.get(&onion.hash) else { return false };
        let asked = invoice.amount.unwrap_or(onion.total);
        let total_fits =
            onion.total >= asked && onion.total.0 <= asked.0.saturating_mul(2) && asked.0 > 0;
        let whole_or_mpp = invoice.basic_mpp || amount >= onion.total;
        let least = self.height.0.saturating_add(invoice.min_final_cltv.0);
        invoice.payee == node
            && !invoice.paid
            && self.now <= invoice.expires_at
            && onion.secret == Some(invoice.secret)
            && onion.metadata == invoice.metadata
            && total_fits
            && whole_or_mpp
            && expiry.0 >= least
            && self.sets.get(&onion.hash).is_none_or(|set| !set.complete)
    }

    fn collect(&mut self, id: FlightId, onion: &Onion, amount: Msat) {
        let hash = onion.hash;
        let new = || HeldSet { id, total: onion.total, parts: Vec::new(), complete: false };
        let set = self.sets.entry(hash).or_insert_with(new);
        set.parts.push((id, amount));
        let (set_id, total, first) = (set.id, set.total, set.parts.len() == 1);
        let sum = Msat::sum(set.parts.iter().map(|part| part.1));
        if total != onion.total {
            self.fail_set(hash, Self::unknown_details);
        } else if sum.is_none_or(|sum| sum >= total) {
            set.complete = true;
            let until = self.holds.remove(&hash).unwrap_or(self.now);
            self.schedule(until, Event::Release { hash, set: set_id });
        } else if first {
            let until = self.now.after(self.settings.mpp_timeout);
            self.schedule(until, Event::MppTimeout { hash, set: set_id });
        }
    }

    /// Gives every part of a set back.
    fn fail_set(&mut self, hash: PaymentHash, refusal: impl Fn(&Self, Msat) -> Refusal) {
        let parts = self.sets.remove(&hash).map(|set| set.parts).unwrap_or_default();
        for (flight, amount) in parts {
            let refusal = refusal(self, amount);
            self.refuse(flight, refusal);
        }
    }

    /// An HTLC is taken from its payee by the chain: the others of its set go back too.
    pub(crate) fn leave_payee(&mut self, id: FlightId, hash: PaymentHash) {
        if self.sets.get(&hash).is_some_and(|set| set.parts.iter().any(|part| part.0 == id)) {
            self.fail_set(hash, Self::unknown_details);
        }
        self.close_incoming(id);
    }

    /// The set has waited for its other parts long enough.
    pub(crate) fn mpp_timeout(&mut self, hash: PaymentHash, set: FlightId) {
        if !self.sets.get(&hash).is_some_and(|held| held.id == set && !held.complete) {
            return;
        }
        if !self.is_parked(hash, Event::MppTimeout { hash, set }) {
            self.fail_set(hash, |_, _| Refusal::of_node(FailureCode::MppTimeout));
        }
    }

    /// Whether the payee of an invoice is offline; it does `event` when it is back then.
    fn is_parked(&mut self, hash: PaymentHash, event: Event) -> bool {
        let Some(payee) = self.invoices.get(&hash).map(|invoice| invoice.payee) else {
            return false;
        };
        let peer = &mut self.peers[payee];
        let offline = peer.tricks.offline.is_some();
        if offline {
            peer.parked.push(event);
        }
        offline
    }

    /// The payee lets the preimage go, for all parts of a complete set at once.
    pub(crate) fn release(&mut self, hash: PaymentHash, set: FlightId) {
        if !self.sets.get(&hash).is_some_and(|held| held.id == set && held.complete) {
            return;
        }
        if self.is_parked(hash, Event::Release { hash, set }) {
            return;
        }
        let held = self.sets.remove(&hash).expect("it was there a moment ago");
        let invoice = self.invoices.get_mut(&hash).expect("a set belongs to an invoice");
        invoice.paid = true;
        let preimage = invoice.preimage;
        self.truth.taken(hash);
        self.forget_paid(hash);
        for (flight, _) in held.parts {
            self.settle_last(flight, preimage);
        }
    }

    /// The payee of a flight releases the preimage.
    pub(crate) fn settle_last(&mut self, flight: FlightId, preimage: Preimage) {
        let Some(returning) = self.flights.get_mut(&flight) else { return };
        let hop = returning.hops.len() - 1;
        if !returning.turn() {
            return;
        }
        let payee = self.far_end(&self.flights[&flight]);
        self.send_message(payee, Event::Resolve { flight, hop, back: Back::Settled(preimage) });
    }

    /// An HTLC that a payee has taken or refused is off the channel.
    pub(crate) fn payee_resolved(
        &mut self,
        node: usize,
        payment_hash: PaymentHash,
        amount_msat: Msat,
        locked: Locked,
        back: &Back,
    ) {
        let payee = self.peers[node].key.id;
        let settled = match back {
            Back::Settled(_) => {
                self.record(Fact::Received { payee, payment_hash, amount_msat });
                true
            }
            Back::Failed(told) => {
                let failcode = told.failure.failcode;
                self.record(Fact::Rejected { payee, payment_hash, amount_msat, failcode });
                false
            }
        };
        if node == self.ours.node {
            let Channel { scid, .. } = self.channels[locked.channel];
            self.incoming_resolved(scid, locked.htlc, settled);
        }
    }
}

#[cfg(test)]
mod tests;
