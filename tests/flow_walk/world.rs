//! The little world around the walk: four channels, three nodes, invoices that they sign.

use ecs_systems::{
    planner::{Graph, Hop, LocalChannel, NoPlan, NoPlanReason, Plan, PlanRequest, Route},
    port::{
        InvoiceDescription, InvoiceDraft, Network, Node, NodeEvent, NodeReply, NodeRequest,
        NodeView, RequestId,
    },
    units::{
        Blocks, ChannelDirection, Direction, Msat, NodeId, PaymentSecret, Preimage, Seconds,
        ShortChannelId, Timestamp,
    },
};
use node_sim::{Settings, SimBuilder, SimNetwork, policy};
use std::sync::{Arc, OnceLock};

/// When every walk begins.
pub(crate) const START_MS: u64 = 1_700_000_000_000;
/// What most invoices ask for; 0.5 % of it is the least fee budget, 5000 msat.
pub(crate) const AMOUNT_MSAT: u64 = 1_000_000;
/// What the node between takes for each part: two parts fit into the budget, three don't.
const FEE_BASE_MSAT: u64 = 2_000;
/// Blocks of the last hop, and of the node between.
const FINAL_BLOCKS: u32 = 20;
const HOP_BLOCKS: u32 = 40;

/// Everything that never changes during a walk.
pub(crate) struct World {
    pub(crate) us: NodeId,
    pub(crate) bob: NodeId,
    pub(crate) carol: NodeId,
    pub(crate) graph: Arc<Graph>,
    pub(crate) view: NodeView,
}

/// The proof with that number.
pub(crate) fn preimage(number: u8) -> Preimage {
    Preimage([number; 32])
}

/// What payers of the invoice with that number show.
pub(crate) fn secret(number: u8) -> PaymentSecret {
    PaymentSecret([number ^ 0x55; 32])
}

fn network(us: &str, on: Network) -> SimNetwork {
    let (size, half) = (Msat(20_000_000), Msat(10_000_000));
    let fee = policy(FEE_BASE_MSAT, 0);
    SimBuilder::new(1)
        .settings(Settings { network: on, ..Settings::default() })
        .node("alice")
        .node("bob")
        .node("carol")
        .channel("alice", "bob", size, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", size, half, fee.clone(), fee.clone())
        .channel("alice", "carol", size, half, policy(0, 0), fee)
        .us(us)
        .build()
        .expect("the network is sound")
}

impl World {
    /// The one world of all walks.
    pub(crate) fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let network = network("alice", Network::Regtest);
            let id = |name| network.id(name).expect("it was named");
            let node = network.connect(Timestamp(START_MS));
            let mut view = node.view().clone();
            view.height_at = Timestamp(START_MS);
            view.capabilities.mpp = true;
            view.capabilities.idempotent_parts = true;
            let (us, bob, carol) = (id("alice"), id("bob"), id("carol"));
            Self { us, bob, carol, graph: node.graph(), view }
        })
    }

    /// Our channels to bob and to carol.
    pub(crate) fn channel_to(&self, peer: NodeId) -> &LocalChannel {
        let found = self.view.channels.iter().find(|channel| channel.peer == peer);
        found.expect("each neighbour has one channel with us")
    }

    fn hop(&self, from: NodeId, to: NodeId, amount: u64, blocks: u32) -> Hop {
        let ends = |scid| {
            let (a, b) = self.graph.endpoints(scid).expect("a channel of the graph");
            (a, b) == (from, to) || (b, a) == (from, to)
        };
        let scids = self.graph.channels().map(|channel| channel.short_channel_id);
        let scid = scids.into_iter().find(|scid| ends(*scid)).expect("they are neighbours");
        Hop {
            short_channel_id_dir: ChannelDirection {
                scid,
                direction: Direction::between(&from, &to),
            },
            from,
            to,
            amount_msat: Msat(amount),
            cltv_blocks: Blocks(blocks),
        }
    }

    /// By bob to carol (and on to us, where we are the payee), at what they take and `tip` more.
    fn by_bob(&self, to: NodeId, amount: u64, tip: u64) -> Route {
        let mut hops = Vec::new();
        let (mut left, mut blocks) = (amount, FINAL_BLOCKS);
        if to == self.us {
            hops.push(self.hop(self.carol, self.us, left, blocks));
            (left, blocks) = (left + FEE_BASE_MSAT, blocks + HOP_BLOCKS);
        }
        hops.push(self.hop(self.bob, self.carol, left, blocks));
        let sent = left + FEE_BASE_MSAT + tip;
        hops.push(self.hop(self.us, self.bob, sent, blocks + HOP_BLOCKS));
        hops.reverse();
        Route { hops, probability_ppm: 500_000 }
    }

    /// Straight to carol, for nothing; where we are the payee, by bob as well.
    fn straight(&self, to: NodeId, amount: u64) -> Route {
        if to == self.us {
            return self.by_bob(to, amount, 0);
        }
        Route { hops: vec![self.hop(self.us, to, amount, FINAL_BLOCKS)], probability_ppm: 500_000 }
    }

    /// One route for all of it.
    pub(crate) fn one_route(&self, asked: &PlanRequest) -> Plan {
        plan(vec![self.by_bob(asked.destination, asked.amount_msat.0, 0)])
    }

    /// Two routes, a third and the rest.
    pub(crate) fn two_routes(&self, asked: &PlanRequest) -> Plan {
        let third = asked.amount_msat.0 / 3;
        let to = asked.destination;
        plan(vec![self.by_bob(to, asked.amount_msat.0 - third, 0), self.straight(to, third)])
    }

    /// A plan for half of it: as if more had failed since it was asked for.
    pub(crate) fn too_little(&self, asked: &PlanRequest) -> Plan {
        plan(vec![self.straight(asked.destination, asked.amount_msat.0 / 2)])
    }

    /// A plan for more than was asked for.
    pub(crate) fn too_much(&self, asked: &PlanRequest) -> Plan {
        plan(vec![self.by_bob(asked.destination, asked.amount_msat.0 + 1, 0)])
    }

    /// A plan that costs more than the budget.
    pub(crate) fn too_dear(&self, asked: &PlanRequest) -> Plan {
        let tip = asked.fee_budget_msat.0 + 1;
        plan(vec![self.by_bob(asked.destination, asked.amount_msat.0, tip)])
    }

    /// A plan over a channel that doesn't exist.
    pub(crate) fn over_nothing(&self, asked: &PlanRequest) -> Plan {
        let mut wrong = self.one_route(asked);
        wrong.routes[0].hops[0].short_channel_id_dir.scid = ShortChannelId(1);
        wrong
    }
}

fn plan(routes: Vec<Route>) -> Plan {
    Plan { routes, probability_ppm: 500_000, knowledge_version: 0 }
}

/// Code 205.
pub(crate) fn no_route() -> NoPlan {
    NoPlan {
        reason: NoPlanReason::NoRoute,
        largest_msat: None,
        fee_needed_msat: None,
        delay_needed_blocks: None,
        parts_needed: None,
        allow: Vec::new(),
        cut: Vec::new(),
    }
}

/// An invoice of carol's over the usual amount, for an hour.
pub(crate) fn draft(number: u8) -> InvoiceDraft {
    InvoiceDraft {
        payment_hash: preimage(number).hash(),
        payment_secret: secret(number),
        amount_msat: Some(Msat(AMOUNT_MSAT)),
        description: InvoiceDescription::Text("a walk".to_owned()),
        fallbacks: Vec::new(),
        created_at: Timestamp(START_MS),
        expiry: Seconds(3_600),
        min_final_cltv: Blocks(18),
        hints: Vec::new(),
        payment_metadata: None,
    }
}

/// The invoice, signed by `payee`.
pub(crate) fn signed(payee: &str, on: Network, draft: InvoiceDraft) -> String {
    let now = Timestamp(START_MS);
    let network = network(payee, on);
    let mut node = network.connect(now);
    node.submit(RequestId(1), NodeRequest::SignInvoice(draft), now);
    let signed = node.poll(now).into_iter().find_map(|event| {
        let NodeEvent::Reply { reply: Ok(NodeReply::Invoice(text)), .. } = event else {
            return None;
        };
        Some(text)
    });
    signed.expect("the simulated node signs at once")
}
