//! LDK's `find_route`, with a new scorer for each payment that learns from every part, knows what
//! is in flight and leaves out channels that failed, as LDK's own retries do.

use bitcoin::{constants::ChainHash, network::Network};
use lightning::{
    ln::msgs::{LightningError, UnsignedChannelUpdate},
    routing::{
        gossip::{NetworkGraph, NodeId as PeerId},
        router::{
            InFlightHtlcs, Path, PaymentParameters, RouteParameters,
            ScorerAccountingForInFlightHtlcs, find_route,
        },
        scoring::{
            ProbabilisticScorer, ProbabilisticScoringDecayParameters,
            ProbabilisticScoringFeeParameters, ScoreUpdate as _,
        },
    },
    types::features::ChannelFeatures,
    util::logger::{Logger, Record},
};
use payecs_delivery::{Ask, DELAY_MAX, FINAL_CLTV, Planner, Question, Reason, Stopwatch};
use payecs_planner::{Graph, Hop, Policy, Route};
use payecs_units::{Blocks, ChannelDirection, Direction, Msat, NodeId, ShortChannelId};
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const MSAT_PER_SATOSHI: u64 = 1_000;
/// When payments begin, since 1970: any time will do.
const BEGUN_HOURS: u64 = 491_666;
/// BOLT 7, `channel_flags`: which direction, and whether it is disabled.
const DISABLED: u8 = 2;
/// BOLT 7, `message_flags`: there is an `htlc_maximum_msat`.
const MUST_BE_ONE: u8 = 1;

/// Why LDK can't be given the graph.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LdkError {
    /// LDK refused a channel or a policy.
    #[error("LDK refuses {what}: {why}")]
    Refused { what: String, why: String },
}

impl LdkError {
    fn of(what: &impl ToString, error: &LightningError) -> Self {
        Self::Refused { what: what.to_string(), why: error.err.clone() }
    }
}

/// Nobody reads what it logs.
#[derive(Clone, Copy, Debug)]
struct Silent;

impl std::ops::Deref for Silent {
    type Target = Self;

    fn deref(&self) -> &Self {
        self
    }
}

impl Logger for Silent {
    fn log(&self, _: Record<'_>) {}
}

type Scorer<'a> = ProbabilisticScorer<&'a NetworkGraph<Silent>, Silent>;

/// The same nodes and channels in LDK's own graph.
pub(crate) struct World {
    graph: NetworkGraph<Silent>,
    /// The keys of nodes: ids that are points of the curve stand for themselves.
    keys: BTreeMap<NodeId, PublicKey>,
}

impl World {
    /// Gives LDK each channel and policy. An `htlc_maximum_msat` above the capacity is brought down
    /// to it: LDK refuses those.
    pub(crate) fn of(graph: &Graph) -> Result<Self, LdkError> {
        let keys = keys(graph);
        let theirs = NetworkGraph::new(Network::Bitcoin, Silent);
        let seconds = now_seconds();
        for channel in graph.channels() {
            let scid = channel.short_channel_id;
            let ends = [channel.node_a, channel.node_b].map(|it| PeerId::from_pubkey(&keys[&it]));
            let satoshi = channel.capacity.0 / MSAT_PER_SATOSHI;
            let features = ChannelFeatures::empty();
            theirs
                .add_channel_from_partial_announcement(
                    scid.0,
                    Some(satoshi),
                    seconds,
                    features,
                    ends[0],
                    ends[1],
                )
                .map_err(|error| LdkError::of(&scid, &error))?;
            for direction in [Direction::Zero, Direction::One] {
                let way = ChannelDirection { scid, direction };
                let Some(policy) = graph.policy(way) else { continue };
                let update = update(way, policy, channel.capacity, seconds);
                theirs
                    .update_channel_unsigned(&update)
                    .map_err(|error| LdkError::of(&way, &error))?;
            }
        }
        Ok(Self { graph: theirs, keys })
    }
}

#[expect(clippy::disallowed_methods, reason = "LDK refuses policies older than two weeks")]
fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

fn update(
    way: ChannelDirection,
    policy: &Policy,
    capacity: Msat,
    seconds: u64,
) -> UnsignedChannelUpdate {
    let disabled = if policy.enabled { 0 } else { DISABLED };
    UnsignedChannelUpdate {
        chain_hash: ChainHash::using_genesis_block(Network::Bitcoin),
        short_channel_id: way.scid.0,
        timestamp: u32::try_from(seconds).unwrap_or(u32::MAX),
        message_flags: MUST_BE_ONE,
        channel_flags: way.direction.bit() | disabled,
        cltv_expiry_delta: u16::try_from(policy.cltv_delta.0).unwrap_or(u16::MAX),
        htlc_minimum_msat: policy.htlc_minimum_msat.0,
        htlc_maximum_msat: policy.htlc_maximum_msat.min(capacity).0,
        fee_base_msat: u32::try_from(policy.fee_base_msat.0).unwrap_or(u32::MAX),
        fee_proportional_millionths: policy.fee_rate.0,
        excess_data: Vec::new(),
    }
}

/// A key for each node, in the same order as the ids: that decides on directions. Ids that were
/// made up need not be points of the curve; then all nodes get other keys.
fn keys(graph: &Graph) -> BTreeMap<NodeId, PublicKey> {
    let own = |id: &NodeId| PublicKey::from_slice(&id.0).map(|key| (*id, key));
    if let Ok(keys) = graph.nodes().iter().map(own).collect() {
        return keys;
    }
    let curve = Secp256k1::signing_only();
    let made = (1..=graph.nodes_count() as u64).filter_map(|number| {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        let secret = SecretKey::from_slice(&bytes).ok()?;
        Some(PublicKey::from_secret_key(&curve, &secret))
    });
    let mut made: Vec<PublicKey> = made.collect();
    made.sort_by_key(PublicKey::serialize);
    graph.nodes().iter().copied().zip(made).collect()
}

/// [`find_route`] over a [`World`].
pub(crate) struct Ldk<'a> {
    world: &'a World,
    ours: &'a Graph,
}

impl<'a> Ldk<'a> {
    pub(crate) fn new(world: &'a World, ours: &'a Graph) -> Self {
        Self { world, ours }
    }

    /// The route as we write one; `None` where a channel is not of our graph.
    fn route(&self, path: &Path, from: NodeId) -> Option<Route> {
        let mut at = from;
        let mut hops = Vec::with_capacity(path.hops.len());
        for (place, hop) in path.hops.iter().enumerate() {
            let rest = &path.hops[place..];
            let scid = ShortChannelId(hop.short_channel_id);
            let (lesser, greater) = self.ours.endpoints(scid)?;
            let to = if at == lesser { greater } else { lesser };
            hops.push(Hop {
                short_channel_id_dir: ChannelDirection {
                    scid,
                    direction: Direction::between(&at, &to),
                },
                from: at,
                to,
                amount_msat: Msat(rest.iter().map(|hop| hop.fee_msat).sum()),
                cltv_blocks: Blocks(rest.iter().map(|hop| hop.cltv_expiry_delta).sum()),
            });
            at = to;
        }
        Some(Route { hops, probability_ppm: 0 })
    }
}

/// A payment under way.
pub(crate) struct Paying<'a> {
    question: Question,
    scorer: Scorer<'a>,
    in_flight: InFlightHtlcs,
    failed: Vec<u64>,
    paths: Vec<Path>,
    now: Duration,
}

impl<'a> Planner for Ldk<'a> {
    type Payment = Paying<'a>;

    fn name(&self) -> &'static str {
        "LDK"
    }

    fn begin(&self, question: &Question) -> Paying<'a> {
        let decay = ProbabilisticScoringDecayParameters::default();
        Paying {
            question: *question,
            scorer: ProbabilisticScorer::new(decay, &self.world.graph, Silent),
            in_flight: InFlightHtlcs::new(),
            failed: Vec::new(),
            paths: Vec::new(),
            now: Duration::from_hours(BEGUN_HOURS),
        }
    }

    fn plan(
        &self,
        paying: &mut Paying<'a>,
        ask: &Ask,
        watch: &mut Stopwatch,
    ) -> Result<Vec<Route>, Reason> {
        let question = &paying.question;
        let key = |node: &NodeId| self.world.keys.get(node).copied().ok_or(Reason::Unsaid);
        let (ours, theirs) = (key(&question.source)?, key(&question.destination)?);
        let mut payment = PaymentParameters::for_keysend(theirs, FINAL_CLTV.0, true)
            .with_max_total_cltv_expiry_delta(DELAY_MAX.0)
            .with_max_path_count(u8::try_from(ask.parts_max).unwrap_or(u8::MAX));
        payment.previously_failed_channels.clone_from(&paying.failed);
        let asked = RouteParameters {
            payment_params: payment,
            final_value_msat: ask.amount.0,
            max_total_routing_fee_msat: Some(ask.fee_max.0),
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&question.number.to_be_bytes());
        let scorer = ScorerAccountingForInFlightHtlcs::new(&paying.scorer, &paying.in_flight);
        let weights = ProbabilisticScoringFeeParameters::default();
        let found = watch.time(|| {
            find_route(&ours, &asked, &self.world.graph, None, Silent, &scorer, &weights, &seed)
        });
        let paths = found.map_err(|_| Reason::Unsaid)?.paths;
        let routes: Option<_> =
            paths.iter().map(|path| self.route(path, question.source)).collect();
        paying.paths = paths;
        paying.now += Duration::from_secs(1);
        routes.ok_or(Reason::Unsaid)
    }

    fn arrived(&self, paying: &mut Paying<'a>, place: usize) {
        let payer = self.world.keys[&paying.question.source];
        paying.in_flight.process_path(&paying.paths[place], payer);
    }

    fn failed(&self, paying: &mut Paying<'a>, place: usize, hop: usize) {
        let path = &paying.paths[place];
        let scid = path.hops[hop].short_channel_id;
        paying.scorer.payment_path_failed(path, scid, paying.now);
        paying.failed.push(scid);
    }
}
