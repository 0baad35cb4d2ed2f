//! The network's state, its clock and its queue of events.

use crate::{
    channel::Channel,
    fault::Tricks,
    flight::{Back, Flight, FlightId, Refusal, RemoteId},
    keys::NodeKey,
    ours::Ours,
    past::{Ended, Past},
    payee::{HeldSet, SoldInvoice},
    settings::Settings,
    truth::{Fact, Truth},
};
use bitcoin::secp256k1::{Secp256k1, SignOnly};
use ecs_systems::{
    port::{FailureCode, PartKey, PartStatus},
    units::{BlockHeight, ChannelDirection, Msat, NodeId, PaymentHash, ShortChannelId, Timestamp},
};
use payecs_planner::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A node of the network.
#[derive(Debug)]
pub(crate) struct SimPeer {
    pub(crate) name: String,
    pub(crate) key: NodeKey,
    /// Its channels, by number.
    pub(crate) channels: Vec<usize>,
    pub(crate) tricks: Tricks,
    /// What would have reached it while it was offline.
    pub(crate) parked: Vec<Event>,
}

/// Something that happens at a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The newest HTLC of a flight reaches its far end; whether it was kept there already.
    Arrive { flight: FlightId, kept: bool },
    /// The answer reaches the node that offered hop `hop`.
    Resolve { flight: FlightId, hop: usize, back: Back },
    /// A set has waited long enough.
    MppTimeout { hash: PaymentHash, set: u64 },
    /// A payee lets go of a complete set.
    Release { hash: PaymentHash, set: u64 },
    /// A node is back.
    Online { node: usize },
    /// Our node no longer denies that a part is paid.
    Admit { key: PartKey },
    /// A block was found.
    Block,
    /// A node gives back an HTLC that it kept before it restarted.
    GiveBack { flight: FlightId },
    /// Gossip has what holds for a direction.
    Announce { direction: ChannelDirection },
    /// A direction is enabled again.
    Enable { direction: ChannelDirection },
    /// Our node tells what it held back.
    TellHeld { number: u64 },
    /// Our node restarts.
    RestartUs,
    /// Our node sees the blocks that it did not.
    SeeBlocks,
}

/// The whole network.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) seed: u64,
    pub(crate) rng: Rng,
    pub(crate) secp: Secp256k1<SignOnly>,
    pub(crate) now: Timestamp,
    pub(crate) started: bool,
    pub(crate) height: BlockHeight,
    pub(crate) height_at: Timestamp,
    pub(crate) peers: Vec<SimPeer>,
    /// The ids of the first nodes in the graph that the network was made over, in order.
    pub(crate) originals: Vec<NodeId>,
    pub(crate) by_id: BTreeMap<NodeId, usize>,
    pub(crate) channels: Vec<Channel>,
    /// For each node what it began with, in msat, and has gained and given since: kept apart from
    /// the channels, so that they can be checked against it.
    pub(crate) worth: Vec<i128>,
    pub(crate) by_scid: BTreeMap<ShortChannelId, usize>,
    pub(crate) queue: BTreeMap<(Timestamp, u64), Event>,
    pub(crate) sequence: u64,
    pub(crate) flights: BTreeMap<FlightId, Flight>,
    pub(crate) next_flight: FlightId,
    pub(crate) remotes: BTreeMap<RemoteId, PartStatus>,
    pub(crate) next_remote: u64,
    pub(crate) invoices: BTreeMap<PaymentHash, SoldInvoice>,
    /// The number that the secrets of the next invoice come from.
    pub(crate) next_invoice: u64,
    pub(crate) sets: BTreeMap<PaymentHash, HeldSet>,
    /// Sets that their payee holds though complete, and until when.
    pub(crate) holds: BTreeMap<PaymentHash, Timestamp>,
    pub(crate) ours: Ours,
    pub(crate) truth: Truth,
    /// Where the network is kept on a disk: what is over and still remembered.
    pub(crate) past: Option<Past>,
    /// And the parts that were.
    pub(crate) ended: Option<Ended>,
    /// Whether our node may look different since its view was made.
    pub(crate) view_is_old: bool,
    /// The number of the next record, where a log is kept: what is told now hangs on it.
    pub(crate) record: u64,
}

impl State {
    pub(crate) fn new(
        settings: Settings,
        seed: u64,
        secp: Secp256k1<SignOnly>,
        peers: Vec<SimPeer>,
        originals: Vec<NodeId>,
        channels: Vec<Channel>,
        ours: Ours,
    ) -> Self {
        let by_id = peers.iter().enumerate().map(|(index, peer)| (peer.key.id, index)).collect();
        let by_scid = channels.iter().enumerate().map(|(at, channel)| (channel.scid, at)).collect();
        let worth = (0..peers.len()).map(|node| worth_of(node, &peers, &channels)).collect();
        Self {
            worth,
            height: settings.height,
            settings,
            seed,
            rng: Rng::new(seed ^ 0x006e_6f64_652d_7369),
            secp,
            now: Timestamp(0),
            started: false,
            height_at: Timestamp(0),
            peers,
            originals,
            by_id,
            channels,
            by_scid,
            queue: BTreeMap::new(),
            sequence: 0,
            flights: BTreeMap::new(),
            next_flight: 1,
            remotes: BTreeMap::new(),
            next_remote: 1,
            invoices: BTreeMap::new(),
            next_invoice: 0,
            sets: BTreeMap::new(),
            holds: BTreeMap::new(),
            ours,
            truth: Truth::default(),
            past: None,
            ended: None,
            view_is_old: true,
            record: 0,
        }
    }

    /// Lets everything happen that is due by `now`, each at its own moment. A `now` before the last
    /// one is taken for the last one. Whether anything but the clock is different now.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        let mut changed = self.start(now);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(event);
            changed = true;
        }
        self.now = self.now.max(now);
        self.refresh_view() || changed
    }

    /// The first word of a clock is the moment of the first height.
    fn start(&mut self, now: Timestamp) -> bool {
        if self.started {
            return false;
        }
        self.started = true;
        self.now = now;
        self.height_at = now;
        self.view_is_old = true;
        self.schedule_block();
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { flight, kept } => self.arrive(flight, kept),
            Event::Resolve { flight, hop, back } => self.resolve(flight, hop, back),
            Event::MppTimeout { hash, set } => self.mpp_timeout(hash, set),
            Event::Release { hash, set } => self.release(hash, set),
            Event::Online { node } => self.come_online_if_due(node),
            Event::Admit { key } => self.admit(key),
            Event::GiveBack { flight } => {
                self.refuse(flight, Refusal::of_node(FailureCode::TemporaryNodeFailure));
            }
            Event::Announce { direction } => self.announce(direction),
            Event::Enable { direction } => self.enable(direction),
            Event::TellHeld { number } => self.tell_held(number),
            Event::RestartUs => self.restart(),
            Event::SeeBlocks => self.see_blocks(),
            Event::Block => {
                self.find_block();
                self.schedule_block();
                if self.strikes(self.settings.faults.our_restart_ppm) {
                    self.restart();
                }
            }
        }
    }

    /// The chain is a block longer.
    pub(crate) fn find_block(&mut self) {
        self.height = BlockHeight(self.height.0.saturating_add(1));
        self.height_at = self.now;
        self.view_is_old = true;
        self.time_out_expired();
    }

    fn schedule_block(&mut self) {
        if self.settings.block_interval.0 > 0 {
            self.schedule(self.now.after(self.settings.block_interval), Event::Block);
        }
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), event);
    }

    /// Lets something happen one message of that node later.
    pub(crate) fn send_message(&mut self, from: usize, event: Event) {
        let mean = self.settings.latency_ms;
        let drawn = mean / 2 + self.rng.below(mean.saturating_add(1));
        let slow = self.slowness_ms(from);
        self.schedule(self.now.after_ms(drawn.saturating_add(slow)), event);
    }

    /// When the network itself has something to do next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn record(&mut self, fact: Fact) {
        self.truth.record(self.now, fact);
    }

    pub(crate) fn add_flight(&mut self, flight: Flight) -> FlightId {
        let id = self.next_flight;
        self.next_flight += 1;
        self.flight_begins(flight.onion.hash);
        self.flights.insert(id, flight);
        id
    }

    /// Whether HTLCs below the dust limit are counted for this amount, and up to where.
    pub(crate) fn is_dust(&self, amount: Msat) -> bool {
        amount < self.settings.dust_limit_msat
    }
}

/// All that a node has in its channels, in msat.
pub(crate) fn worth_of(node: usize, peers: &[SimPeer], channels: &[Channel]) -> i128 {
    let own = peers[node].channels.iter().map(|index| {
        let channel = &channels[*index];
        let side = &channel.sides[usize::from(channel.sides[1].node == node)];
        i128::from(side.balance.0) + i128::from(side.locked.0)
    });
    own.sum()
}
