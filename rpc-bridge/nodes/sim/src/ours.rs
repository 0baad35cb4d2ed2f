//! Our node: the parts it sends, the HTLCs it is offered, and what it tells us.

use crate::{
    channel::side_of,
    flight::{Flight, FlightId, Onion, Origin, Refusal, Stage},
    late::Late,
    onion,
    state::{Event, State},
    truth::Fact,
};
use ecs_systems::{
    port::{
        Failure, FailureCode, HtlcId, IncomingHtlc, NodeError, NodeEvent, NodeView, PartKey,
        PartRecord, PartStatus, SendPart,
    },
    units::{BlockHeight, Msat, Preimage, ShortChannelId, Timestamp},
};
use payecs_planner::Graph;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A part as our node has written it down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OurPart {
    pub(crate) record: PartRecord,
    /// The channel it leaves through, and the side of it that is ours.
    first: Option<(usize, usize)>,
    total: Msat,
    /// Whether a final status was polled.
    pub(crate) told: bool,
}

/// Our word on an HTLC that was offered to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    Awaited,
    Settle(Preimage),
    Fail,
}

/// An HTLC that was offered to us.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OurIncoming {
    pub(crate) htlc: IncomingHtlc,
    flight: FlightId,
    pub(crate) word: Word,
    /// Once it is off the channel: whether the money is ours.
    pub(crate) resolved: Option<bool>,
}

/// An event that our node has still to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) due: Timestamp,
    /// The record that led to it: it is told once that is durable.
    #[serde(skip)]
    pub(crate) record: u64,
    pub(crate) event: NodeEvent,
}

/// What our node knows, and what it has still to tell.
#[derive(Debug)]
pub(crate) struct Ours {
    /// Our number among the peers.
    pub(crate) node: usize,
    pub(crate) parts: BTreeMap<PartKey, OurPart>,
    /// Keys by `created_index`, which begins at 1.
    pub(crate) order: BTreeMap<u64, PartKey>,
    /// The `created_index` of the next part.
    pub(crate) next_part: u64,
    pub(crate) incoming: BTreeMap<HtlcId, OurIncoming>,
    /// Parts whose outcome nobody announces.
    pub(crate) lost: BTreeSet<PartKey>,
    /// Questions about a part that will be answered with `Unknown`.
    pub(crate) unknown_answers: BTreeMap<PartKey, u32>,
    /// What it will take beyond what it was to send.
    pub(crate) overspends: BTreeMap<PartKey, Msat>,
    /// Parts of which it says that they failed until then, though they are paid.
    pub(crate) denials: BTreeMap<PartKey, Timestamp>,
    pub(crate) outbox: VecDeque<Told>,
    pub(crate) late: Late,
    pub(crate) view: NodeView,
    /// What gossip says; absent where it says something new.
    pub(crate) graph: Option<Arc<Graph>>,
    /// Counts connections: an older one is deaf and dumb.
    pub(crate) generation: u64,
}

impl Ours {
    pub(crate) fn new(node: usize, view: NodeView) -> Self {
        Self {
            node,
            parts: BTreeMap::new(),
            order: BTreeMap::new(),
            next_part: 1,
            incoming: BTreeMap::new(),
            lost: BTreeSet::new(),
            unknown_answers: BTreeMap::new(),
            overspends: BTreeMap::new(),
            denials: BTreeMap::new(),
            outbox: VecDeque::new(),
            late: Late::default(),
            view,
            graph: None,
            generation: 0,
        }
    }
}

impl State {
    /// Sends a part, unless it was sent before.
    ///
    /// # Errors
    /// [`NodeError::Refused`] for a part that was sent before with another amount.
    pub(crate) fn send_part(&mut self, part: SendPart) -> Result<(), NodeError> {
        let (key, amount, sent) = (part.key, part.route.amount(), part.route.sent());
        if let Some(known) = self.ours.parts.get(&key) {
            let record = &known.record;
            let same = (record.amount_msat, record.sent_msat, known.total)
                == (amount, sent, part.total_msat);
            let status = record.status.clone();
            if !same {
                self.record(Fact::PartRefused { key, amount_msat: amount });
                let message = format!("part {} was sent with another amount", key.part_id);
                return Err(NodeError::Refused { code: -1, message });
            }
            if status != PartStatus::InFlight {
                self.tell(NodeEvent::Part { key, status });
            }
            return Ok(());
        }
        self.write_down(&part);
        self.record(Fact::PartSubmitted { key, amount_msat: amount, sent_msat: sent });
        let scripted = self.peers[self.ours.node].tricks.fail_next.pop_front();
        let failed = match self.unsound(&part).or(scripted) {
            Some(failcode) => Some(Failure::local(part.route.hops.first(), failcode)),
            None => self.launch(flight_of(part)).err().map(|failure| *failure),
        };
        if let Some(failure) = failed {
            self.conclude_part(key, PartStatus::Failed(failure));
            self.conclude_hash(key.payment_hash);
        }
        Ok(())
    }

    fn write_down(&mut self, part: &SendPart) {
        let created_index = self.ours.next_part;
        self.ours.next_part += 1;
        self.ours.order.insert(created_index, part.key);
        let first = part.route.hops.first();
        let record = PartRecord {
            key: part.key,
            short_channel_id: first.map_or(ShortChannelId(0), |hop| hop.short_channel_id_dir.scid),
            destination: part.route.hops.last().map(|hop| hop.to),
            amount_msat: part.route.amount(),
            sent_msat: part.route.sent(),
            status: PartStatus::InFlight,
            created_index,
        };
        let direction = first.map(|hop| hop.short_channel_id_dir);
        let first = direction.and_then(|direction| {
            Some((*self.by_scid.get(&direction.scid)?, side_of(direction.direction)))
        });
        let part_of_ours = OurPart { record, first, total: part.total_msat, told: false };
        self.ours.parts.insert(part.key, part_of_ours);
    }

    /// Why no onion can be made for the route, or why it isn't ours to send.
    fn unsound(&self, part: &SendPart) -> Option<FailureCode> {
        let hops = &part.route.hops;
        let chained = hops.windows(2).all(|pair| pair[0].to == pair[1].from);
        if !onion::fits(part) || !chained || part.total_msat < part.route.amount() {
            return Some(FailureCode::InvalidOnionPayload);
        }
        let us = self.peers[self.ours.node].key.id;
        hops.first().is_some_and(|hop| hop.from != us).then_some(FailureCode::UnknownNextPeer)
    }

    /// One of our parts is final.
    pub(crate) fn conclude_part(&mut self, key: PartKey, status: PartStatus) {
        let status = self.overspent(key, status);
        let part = self.ours.parts.get_mut(&key).expect("a part is written down before it leaves");
        part.record.status = status.clone();
        let sent_msat = part.record.sent_msat;
        self.record(match &status {
            PartStatus::Failed(failure) => Fact::PartFailed { key, failure: failure.clone() },
            PartStatus::Paid { .. }
            | PartStatus::InFlight
            | PartStatus::NeverArrived
            | PartStatus::Unknown => Fact::PartPaid { key, sent_msat },
        });
        let lost = self.rng.chance(self.settings.faults.lost_outcome_ppm);
        if let Some(until) = self.ours.denials.get(&key).copied() {
            self.schedule(until, Event::Admit { key });
        }
        if !(lost | self.ours.lost.contains(&key)) {
            let status = self.said_of(key, status);
            self.tell_maybe_twice(&NodeEvent::Part { key, status });
        }
    }

    /// A paid part as our node paid it: scripted to take more, it has taken more.
    fn overspent(&mut self, key: PartKey, status: PartStatus) -> PartStatus {
        let PartStatus::Paid { preimage, spent_msat } = status else { return status };
        let part = self.ours.parts.get_mut(&key).expect("a part is written down before it leaves");
        let excess = self.ours.overspends.remove(&key).unwrap_or_default();
        let Some((channel, side)) = part.first else { return status };
        self.view_is_old = true;
        let sides = &mut self.channels[channel].sides;
        let excess = excess.min(sides[side].balance);
        sides[side].balance = sides[side].balance.saturating_sub(excess);
        sides[1 - side].balance = Msat(sides[1 - side].balance.0 + excess.0);
        for (node, gained) in [(sides[side].node, -1), (sides[1 - side].node, 1)] {
            self.worth[node] += gained * i128::from(excess.0);
        }
        let spent_msat = Msat(spent_msat.0 + excess.0);
        part.record.sent_msat = spent_msat;
        PartStatus::Paid { preimage, spent_msat }
    }

    /// What our node says of a part that is final.
    fn said_of(&self, key: PartKey, status: PartStatus) -> PartStatus {
        let paid = matches!(status, PartStatus::Paid { .. });
        if paid && self.ours.denials.get(&key).is_some_and(|until| self.now < *until) {
            return PartStatus::Failed(Failure::local(None, FailureCode::TemporaryNodeFailure));
        }
        status
    }

    /// Tells the truth about a part that was denied.
    pub(crate) fn admit(&mut self, key: PartKey) {
        self.ours.denials.remove(&key);
        self.tell_all_held();
        let status = self.status_of(key);
        self.tell(NodeEvent::Part { key, status });
    }

    /// What became of a part, as our node answers.
    pub(crate) fn status_of(&mut self, key: PartKey) -> PartStatus {
        if let Some(times) = self.ours.unknown_answers.get_mut(&key).filter(|times| **times > 0) {
            *times -= 1;
            return PartStatus::Unknown;
        }
        let part = self.ours.parts.get(&key).map(|part| part.record.status.clone());
        match part {
            Some(status) => self.said_of(key, status),
            None if self.may_have_been(&key) => PartStatus::Unknown,
            None => PartStatus::NeverArrived,
        }
    }

    /// The last HTLC of a flight is at our node: it waits for our word.
    pub(crate) fn offer_to_us(
        &mut self,
        flight: FlightId,
        onion: &Onion,
        amount_msat: Msat,
        cltv_expiry: BlockHeight,
    ) {
        let last = self.flights[&flight].locked.last().expect("it has arrived");
        let short_channel_id = self.channels[last.channel].scid;
        let htlc = HtlcId { short_channel_id, id: last.htlc };
        let incoming = IncomingHtlc {
            htlc,
            payment_hash: onion.hash,
            amount_msat,
            cltv_expiry,
            total_msat: onion.total,
            payment_secret: onion.secret,
            payment_metadata: onion.metadata.clone(),
            tlvs: onion.tlvs.clone(),
            replayed: false,
        };
        self.record(Fact::Incoming { htlc, payment_hash: onion.hash, amount_msat });
        let offered =
            OurIncoming { htlc: incoming.clone(), flight, word: Word::Awaited, resolved: None };
        self.ours.incoming.insert(htlc, offered);
        self.tell_maybe_twice(&NodeEvent::Incoming(incoming));
    }

    /// Gives our word on an HTLC; giving the same word again changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Refused`] for an HTLC we were never offered, one we gave another word on, one
    /// that timed out, and a preimage that isn't its.
    pub(crate) fn answer(
        &mut self,
        htlc: HtlcId,
        settle: Result<Preimage, FailureCode>,
    ) -> Result<(), NodeError> {
        let refused = |message: &str| NodeError::Refused { code: -1, message: message.to_owned() };
        let Some(offered) = self.ours.incoming.get_mut(&htlc) else {
            return Err(refused("no such HTLC"));
        };
        let hash = offered.htlc.payment_hash;
        let (flight, amount) = (offered.flight, offered.htlc.amount_msat);
        if settle.is_ok_and(|preimage| preimage.hash() != hash) {
            return Err(refused("the preimage does not belong to the HTLC"));
        }
        let word = settle.map_or(Word::Fail, Word::Settle);
        match (offered.word, word) {
            (Word::Awaited, _) => offered.word = word,
            (Word::Settle(_), Word::Settle(_)) | (Word::Fail, Word::Fail) => {
                if let Some(settled) = offered.resolved {
                    self.tell(NodeEvent::HtlcResolved { htlc, settled });
                }
                return Ok(());
            }
            (Word::Settle(_) | Word::Fail, _) => {
                return Err(refused("the HTLC was answered otherwise"));
            }
        }
        match settle {
            Ok(preimage) => self.settle_last(flight, preimage),
            Err(FailureCode::IncorrectOrUnknownPaymentDetails) => {
                let refusal = self.unknown_details(amount);
                self.refuse(flight, refusal);
            }
            Err(failcode) => self.refuse(flight, Refusal::of_node(failcode)),
        }
        Ok(())
    }

    /// Our word on an HTLC is not awaited any more: it expired.
    pub(crate) fn close_incoming(&mut self, flight: FlightId) {
        let offered = self.ours.incoming.values_mut().filter(|offered| offered.flight == flight);
        for offered in offered.filter(|offered| offered.word == Word::Awaited) {
            offered.word = Word::Fail;
        }
    }

    /// An HTLC that was offered to us is off the channel.
    pub(crate) fn incoming_resolved(&mut self, scid: ShortChannelId, id: u64, settled: bool) {
        let htlc = HtlcId { short_channel_id: scid, id };
        let offered = self.ours.incoming.get_mut(&htlc).expect("it was offered before");
        offered.resolved = Some(settled);
        let (payment_hash, amount_msat) = (offered.htlc.payment_hash, offered.htlc.amount_msat);
        self.record(Fact::IncomingResolved { htlc, payment_hash, amount_msat, settled });
        self.tell_maybe_twice(&NodeEvent::HtlcResolved { htlc, settled });
        self.forget_incoming(htlc);
    }

    /// The events that are due and hang on durable records only, in order.
    pub(crate) fn take_events(&mut self, synced: u64) -> Vec<NodeEvent> {
        let ready = |told: &&Told| told.due <= self.now && told.record <= synced;
        let count = self.ours.outbox.iter().take_while(ready).count();
        self.take_told(count)
    }

    /// The next so many events.
    pub(crate) fn take_told(&mut self, count: usize) -> Vec<NodeEvent> {
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(Told { event, .. }) = self.ours.outbox.pop_front() else { break };
            if let NodeEvent::Part {
                key,
                status: PartStatus::Paid { .. } | PartStatus::Failed(_),
            } = &event
            {
                self.note_told(*key);
            }
            events.push(event);
        }
        events
    }

    /// The outcome of a part was polled; an event of one that is forgotten may still come.
    fn note_told(&mut self, key: PartKey) {
        let Some(part) = self.ours.parts.get_mut(&key) else { return };
        if !std::mem::replace(&mut part.told, true) {
            let created_index = part.record.created_index;
            self.forget_parts(created_index);
        }
    }
}

fn flight_of(part: SendPart) -> Flight {
    Flight {
        origin: Origin::Us(part.key),
        onion: Onion {
            hash: part.key.payment_hash,
            total: part.total_msat,
            secret: part.payment_secret,
            metadata: part.payment_metadata,
            tlvs: Vec::new(),
        },
        hops: part.route.hops,
        height: part.height,
        locked: Vec::new(),
        open: 0,
        stage: Stage::Outward,
    }
}
