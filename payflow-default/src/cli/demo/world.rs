//! The simulated network, our engine on it, and whom to pay.

use super::{
    DemoError, home,
    home::Kept,
    wanted::{Chosen, Wanted},
};
use ecs_core::Quotas;
use ecs_systems::{
    planner::{Graph, KnowledgeConfig},
    policy::Policy,
    port::{Decision, Node},
    units::{Blocks, ChannelDirection, Msat, NodeId, PaymentHash, ShortChannelId, Timestamp},
};
use ledger_store::{LATE_PAYMENTS_MAX, LedgerHistory, MemoryLedger, MemoryReceipts, Seed};
use node_sim::{OUR_NAME, PaymentTruth, SimNetwork};
use payflow_default::{
    Driver,
    app::{Parts, bundled, engine},
    entropy::Entropy,
    planner::OwnPlanner,
    service::SIM_INVOICE,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    path::Path,
    sync::Arc,
};
use zeroize::Zeroizing;

/// When the demo's world begins: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000);
/// How much more than the amount the first payee can really receive, in percent: its other channels
/// may be empty on the way.
const RECEIVABLE_PERCENT: u64 = 125;
/// Over a graph, so many equal shares of the amount are looked for a way for.
const SHARES: u64 = 4;
/// A way is cheap that costs no more than one part in so many.
const CHEAP_SHARE: u64 = 400;
/// How many payees are looked at for a cheap way.
const LOOKED_AT_MAX: usize = 100;

/// The network and what gossip says of it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) network: SimNetwork,
    pub(crate) graph: Arc<Graph>,
    /// Where it comes from.
    pub(crate) seed: u64,
    /// The file that its graph is from.
    pub(crate) file: Option<String>,
}

/// Somebody to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payee {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    /// Channels between us and them on the shortest way.
    pub(crate) distance: u32,
    /// What its channels can hold, whoever's it is: everybody knows that.
    pub(crate) capacity_msat: Msat,
    /// What its channels could really take in: only its peers know that.
    pub(crate) receivable_msat: Msat,
}

/// Our engine on its network.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) world: World,
    pub(crate) driver: Driver,
    /// Where it is kept; `None`: nowhere.
    pub(crate) kept: Option<Kept>,
}

/// What a world is built from.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// Where it is kept; `None`: nowhere.
    pub(crate) data_dir: Option<&'a Path>,
    /// Which network.
    pub(crate) wanted: Wanted,
    /// Whether Systems of the flow are announced from the start.
    pub(crate) announce_all: bool,
    /// What an operator takes on after a restored backup.
    pub(crate) accepts: Accepts,
    /// What an operator allows.
    pub(crate) policy: Policy,
    /// How much callers may use up.
    pub(crate) quotas: Quotas,
}

/// What an operator takes on after a restored backup.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepts {
    /// That the node can't say what became of some parts.
    pub(crate) unknown: bool,
    /// That the node's list of parts has a gap.
    pub(crate) forgotten: Option<Decision>,
}

/// Builds the network and the engine, or takes both from the data directory. Without one the books
/// are open; with one they will be once the journal keeps them.
pub(crate) fn build(start: &Start<'_>) -> Result<Opening, DemoError> {
    let Chosen { network, seed, file } = start.wanted.choose(start.data_dir)?;
    let history = LedgerHistory::default();
    let ledger = match start.data_dir {
        Some(_) => MemoryLedger::over(OUR_NAME, Arc::new(history.clone()), LATE_PAYMENTS_MAX),
        None => MemoryLedger::new(OUR_NAME),
    };
    let mut engine = engine(Parts {
        policy: start.policy.clone(),
        ledger: Box::new(ledger),
        receipts: Box::new(receipts(start.data_dir, seed)),
        plugins: bundled(),
    })?;
    engine.add_method(&SIM_INVOICE);
    engine.set_quotas(start.quotas.clone());
    let kept = start.data_dir.map(|dir| home::engine(dir, &mut engine, &history));
    let kept = kept.transpose()?;
    let now = kept.as_ref().map_or(START, |kept| kept.seen.max(START));
    let node = network.connect(now);
    let graph = node.graph();
    let planner = OwnPlanner::new(Arc::clone(&graph), KnowledgeConfig::default());
    let entropy = if kept.is_some() { Entropy::system() } else { Entropy::seeded(seed) };
    engine.announce_all(start.announce_all);
    let mut driver = Driver::new(engine, Box::new(node), Box::new(planner), entropy, now);
    if start.accepts.unknown {
        driver.accept_unknown();
    }
    if let Some(decision) = &start.accepts.forgotten {
        driver.accept_forgotten(decision.clone());
    }
    if kept.is_none() {
        driver.run_until(START.after_ms(1_000));
    }
    Ok(Opening { world: World { network, graph, seed, file }, driver, kept })
}

/// Nothing that anybody pays yet. What is kept nowhere needs no secrets: they follow from the seed
/// of the network.
fn receipts(data_dir: Option<&Path>, seed: u64) -> MemoryReceipts {
    if data_dir.is_some() {
        return MemoryReceipts::default();
    }
    let mut bytes = Zeroizing::new([0; 32]);
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    MemoryReceipts::with_seed(Seed::new(&bytes))
}

impl World {
    /// What really happened for a hash.
    pub(crate) fn truth(&self, payment_hash: PaymentHash) -> Result<PaymentTruth, DemoError> {
        let mut truth = PaymentTruth::default();
        self.network.all_payments(&mut |hash, part| {
            if hash == payment_hash {
                truth.add(part);
            }
        })?;
        Ok(truth)
    }

    /// A node's name; its id where it has none.
    pub(crate) fn name(&self, node: NodeId) -> String {
        self.network.name(node).unwrap_or_else(|| node.to_string())
    }

    /// Our channels, with the peer's name and the size.
    pub(crate) fn our_channels(&self) -> Vec<(ShortChannelId, String, Msat)> {
        let us = self.network.us();
        let channel = |(scid, _)| {
            let (a, b) = self.graph.endpoints(scid)?;
            let peer = if a == us { b } else { a };
            Some((scid, self.name(peer), self.graph.capacity(scid)?))
        };
        self.network.our_balance().into_iter().filter_map(channel).collect()
    }

    /// Everybody but us, in the network's order.
    fn payees(&self) -> Vec<Payee> {
        let distances = self.distances();
        let payee = |id: NodeId| {
            let inwards: Vec<ChannelDirection> =
                self.graph.outgoing(&id).map(|(direction, _)| reversed(direction)).collect();
            let sum = |amounts: &mut dyn Iterator<Item = Msat>| {
                Msat::sum(amounts).expect("what one node has is far below 2^64 msat")
            };
            Payee {
                id,
                name: self.name(id),
                distance: distances.get(&id).copied().unwrap_or(u32::MAX),
                capacity_msat: sum(&mut inwards
                    .iter()
                    .filter_map(|inward| self.graph.capacity(inward.scid))),
                receivable_msat: sum(&mut inwards
                    .iter()
                    .filter_map(|inward| self.network.spendable(*inward))),
            }
        };
        self.network.others().into_iter().map(payee).collect()
    }

    /// Act 1's payee: the most distant one that can receive the amount with room to spare. Where
    /// none can, the one that can receive most.
    pub(crate) fn distant_payee(&self, amount: Msat) -> Payee {
        let payees = self.payees();
        let original = payees.first().and_then(|payee| self.network.original(payee.id));
        if let Some(payee) = original.and_then(|_| self.cheap_payee(&payees, amount)) {
            return payee.clone();
        }
        let wanted = u128::from(amount.0) * u128::from(RECEIVABLE_PERCENT) / 100;
        let able = payees.iter().filter(|payee| {
            u128::from(payee.receivable_msat.0) >= wanted && payee.distance != u32::MAX
        });
        let furthest = able.rev().max_by_key(|payee| payee.distance);
        let most = || payees.iter().rev().max_by_key(|payee| payee.receivable_msat);
        furthest.or_else(most).expect("a network has two nodes").clone()
    }

    /// Over a graph, where many a node can be paid only at a price: the most distant one that can
    /// receive twice the amount, and a share of it at a small part of the usual fees.
    fn cheap_payee<'a>(&self, payees: &'a [Payee], amount: Msat) -> Option<&'a Payee> {
        let (share, us) = (Msat(amount.0 / SHARES), self.network.us());
        let able =
            |payee: &&Payee| payee.distance != u32::MAX && payee.receivable_msat.0 / 2 >= amount.0;
        let is_cheap = |payee: &&Payee| {
            let route = self.network.route(us, payee.id, share, Blocks(20), START);
            route.is_some_and(|route| route.fee().0 <= share.0 / CHEAP_SHARE)
        };
        let mut able: Vec<&Payee> = payees.iter().filter(able).collect();
        able.sort_by_key(|payee| Reverse(payee.distance));
        able.into_iter().take(LOOKED_AT_MAX).find(is_cheap)
    }

    /// Act 2's payee: the one with the smallest channels, not a peer of ours if that can be, and
    /// another than act 1's if there is one.
    pub(crate) fn small_payee(&self, other_than: NodeId) -> Payee {
        let payees = self.payees();
        let size = |payee: &&Payee| {
            let apart = payee.distance < 2 || payee.distance == u32::MAX;
            (payee.id == other_than, apart, payee.capacity_msat)
        };
        payees.iter().min_by_key(size).expect("a network has two nodes").clone()
    }

    /// How many channels each node is from us, by gossip alone.
    fn distances(&self) -> BTreeMap<NodeId, u32> {
        let us = self.network.us();
        let mut distances = BTreeMap::from([(us, 0)]);
        let mut queue = VecDeque::from([(us, 0)]);
        while let Some((node, distance)) = queue.pop_front() {
            for (_, peer) in self.graph.outgoing(&node) {
                if let Entry::Vacant(entry) = distances.entry(peer) {
                    entry.insert(distance + 1);
                    queue.push_back((peer, distance + 1));
                }
            }
        }
        distances
    }
}

fn reversed(direction: ChannelDirection) -> ChannelDirection {
    ChannelDirection { direction: direction.direction.reversed(), ..direction }
}
