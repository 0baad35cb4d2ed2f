//! What of a network changes, taken apart from what its configuration gives: a snapshot has it.

use crate::{
    channel::{Changed, Channel, Side},
    fault::Tricks,
    flight::{Flight, FlightId, RemoteId},
    late::Late,
    ours::{OurIncoming, OurPart},
    ours::{Ours, Told},
    past::Past,
    payee::{HeldSet, SoldInvoice},
    state::{Event, State},
    tell::view_of,
    truth::PaymentTruth,
};
use ecs_systems::{
    port::{HtlcId, PartKey, PartStatus},
    units::{BlockHeight, Msat, PaymentHash, Timestamp},
};
use payecs_planner::{Policy, Rng};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A network at one moment, without what is derived from its configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    rng: Rng,
    now: Timestamp,
    started: bool,
    height: BlockHeight,
    height_at: Timestamp,
    /// Nodes that have tricks to play, or for which something waits.
    peers: Vec<(usize, Tricks, Vec<Event>)>,
    /// Channels that are not what they were made, by number.
    channels: Vec<(usize, ChannelImage)>,
    /// What the nodes at their ends own.
    worth: BTreeMap<usize, i128>,
    #[serde(with = "crate::pairs")]
    queue: BTreeMap<(Timestamp, u64), Event>,
    sequence: u64,
    flights: BTreeMap<FlightId, Flight>,
    next_flight: FlightId,
    remotes: BTreeMap<RemoteId, PartStatus>,
    next_remote: u64,
    invoices: BTreeMap<PaymentHash, SoldInvoice>,
    next_invoice: u64,
    sets: BTreeMap<PaymentHash, HeldSet>,
    holds: BTreeMap<PaymentHash, Timestamp>,
    ours: OursImage,
    payments: BTreeMap<PaymentHash, PaymentTruth>,
    past: Option<Past>,
}

/// What of a channel changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ChannelImage {
    sides: [SideImage; 2],
    dust: Msat,
    closed: bool,
    /// The policies of both sides, real and announced, where one was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policies: Option<[(Policy, Option<Policy>); 2]>,
}

/// Balance, what is locked, in how many HTLCs, and the number of the next one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SideImage(Msat, Msat, u32, u64);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OursImage {
    #[serde(with = "crate::pairs")]
    parts: BTreeMap<PartKey, OurPart>,
    next_part: u64,
    #[serde(with = "crate::pairs")]
    incoming: BTreeMap<HtlcId, OurIncoming>,
    lost: BTreeSet<PartKey>,
    #[serde(with = "crate::pairs")]
    unknown_answers: BTreeMap<PartKey, u32>,
    #[serde(with = "crate::pairs")]
    overspends: BTreeMap<PartKey, Msat>,
    #[serde(with = "crate::pairs")]
    denials: BTreeMap<PartKey, Timestamp>,
    outbox: VecDeque<Told>,
    late: Late,
    generation: u64,
}

impl State {
    /// The network now.
    pub(crate) fn image(&self) -> Image {
        let busy = |peer: &crate::state::SimPeer| {
            peer.tricks != Tricks::default() || !peer.parked.is_empty()
        };
        let peers = self.peers.iter().enumerate().filter(|(_, peer)| busy(peer));
        Image {
            rng: self.rng.clone(),
            now: self.now,
            started: self.started,
            height: self.height,
            height_at: self.height_at,
            peers: peers.map(|(at, it)| (at, it.tricks.clone(), it.parked.clone())).collect(),
            channels: self.touched().map(|(at, it)| (at, ChannelImage::of(it))).collect(),
            worth: self
                .touched()
                .flat_map(|(_, it)| it.sides.each_ref().map(|side| side.node))
                .map(|node| (node, self.worth[node]))
                .collect(),
            queue: self.queue.clone(),
            sequence: self.sequence,
            flights: self.flights.clone(),
            next_flight: self.next_flight,
            remotes: self.remotes.clone(),
            next_remote: self.next_remote,
            invoices: self.invoices.clone(),
            next_invoice: self.next_invoice,
            sets: self.sets.clone(),
            holds: self.holds.clone(),
            ours: OursImage::of(&self.ours),
            payments: self.truth.payments.clone(),
            past: self.past.clone(),
        }
    }

    /// Channels that are not what they were made, by number.
    fn touched(&self) -> impl Iterator<Item = (usize, &Channel)> {
        self.channels.iter().enumerate().filter(|(_, channel)| channel.changed != Changed::Nothing)
    }

    /// Makes a network that was just built what it was.
    pub(crate) fn restore(&mut self, image: Image) {
        self.rng = image.rng;
        self.now = image.now;
        self.started = image.started;
        self.height = image.height;
        self.height_at = image.height_at;
        for peer in &mut self.peers {
            peer.tricks = Tricks::default();
        }
        for (at, tricks, parked) in image.peers {
            self.peers[at].tricks = tricks;
            self.peers[at].parked = parked;
        }
        for (at, channel) in image.channels {
            channel.put_back(&mut self.channels[at]);
        }
        for (node, worth) in image.worth {
            self.worth[node] = worth;
        }
        self.queue = image.queue;
        self.sequence = image.sequence;
        self.flights = image.flights;
        self.next_flight = image.next_flight;
        self.remotes = image.remotes;
        self.next_remote = image.next_remote;
        self.invoices = image.invoices;
        self.next_invoice = image.next_invoice;
        self.sets = image.sets;
        self.holds = image.holds;
        image.ours.put_back(&mut self.ours);
        self.truth.payments = image.payments;
        self.restore_past(image.past);
        self.ours.graph = None;
        let at = self.seen_height();
        self.ours.view = view_of(&self.settings, self.ours.node, &self.peers, &self.channels, at);
    }
}

impl ChannelImage {
    fn of(channel: &Channel) -> Self {
        let side = |side: &Side| SideImage(side.balance, side.locked, side.htlcs, side.next_htlc);
        let policies = |side: &Side| (side.policy.clone(), side.gossip.clone());
        Self {
            sides: channel.sides.each_ref().map(side),
            dust: channel.dust,
            closed: channel.closed,
            policies: (channel.changed == Changed::Policies)
                .then(|| channel.sides.each_ref().map(policies)),
        }
    }

    fn put_back(self, channel: &mut Channel) {
        channel.dust = self.dust;
        channel.closed = self.closed;
        for (side, SideImage(balance, locked, htlcs, next_htlc)) in
            channel.sides.iter_mut().zip(self.sides)
        {
            (side.balance, side.locked) = (balance, locked);
            (side.htlcs, side.next_htlc) = (htlcs, next_htlc);
        }
        let repriced = self.policies.is_some();
        channel.changed = if repriced { Changed::Policies } else { Changed::State };
        for (side, (policy, gossip)) in
            channel.sides.iter_mut().zip(self.policies.into_iter().flatten())
        {
            (side.policy, side.gossip) = (policy, gossip);
        }
    }
}

impl OursImage {
    fn of(ours: &Ours) -> Self {
        Self {
            parts: ours.parts.clone(),
            next_part: ours.next_part,
            incoming: ours.incoming.clone(),
            lost: ours.lost.clone(),
            unknown_answers: ours.unknown_answers.clone(),
            overspends: ours.overspends.clone(),
            denials: ours.denials.clone(),
            outbox: ours.outbox.clone(),
            late: ours.late.clone(),
            generation: ours.generation,
        }
    }

    fn put_back(self, ours: &mut Ours) {
        let order = self.parts.values().map(|part| (part.record.created_index, part.record.key));
        ours.order = order.collect();
        ours.parts = self.parts;
        ours.next_part = self.next_part;
        ours.incoming = self.incoming;
        ours.lost = self.lost;
        ours.unknown_answers = self.unknown_answers;
        ours.overspends = self.overspends;
        ours.denials = self.denials;
        ours.outbox = self.outbox;
        ours.late = self.late;
        ours.generation = self.generation;
    }
}
