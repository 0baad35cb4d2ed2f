//! What the tests share: a chain of nodes, and an engine's side of it.

use crate::{
    Faults, InvoiceRequest, Lie, RemoteId, RemotePart, Script, Settings, SimBuilder, SimNetwork,
    SimNode, policy,
};
use ecs_systems::{
    port::{
        Failure, FailureCode, IncomingHtlc, Node, NodeError, NodeEvent, NodeReply, NodeRequest,
        PartKey, PartStatus, RequestId, SendPart,
    },
    units::{
        Blocks, GroupId, Msat, NodeId, PartId, PaymentHash, PaymentSecret, Preimage, Seconds,
        Timestamp,
    },
};
use lightning_invoice::Bolt11Invoice;
use payecs_planner::Route;

pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const SIZE: Msat = Msat(1_000_000_000);

/// alice (us) — bob — carol, 1 000 000 sat each, half on each side; bob asks for 1 sat + 100 ppm.
pub(crate) fn chain(settings: Settings) -> SimBuilder {
    let half = Msat(SIZE.0 / 2);
    SimBuilder::new(11)
        .settings(settings)
        .node("alice")
        .node("bob")
        .node("carol")
        .us("alice")
        .channel("alice", "bob", SIZE, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", SIZE, half, policy(1_000, 100), policy(1_000, 100))
}

/// An engine, its clock and what it has heard.
pub(crate) struct Desk {
    pub(crate) network: SimNetwork,
    pub(crate) node: SimNode,
    pub(crate) now: Timestamp,
    pub(crate) heard: Vec<NodeEvent>,
    next_request: u64,
    next_group: u64,
}

impl Desk {
    pub(crate) fn new(network: SimNetwork) -> Self {
        let mut node = network.connect(START);
        node.poll(START);
        Self { network, node, now: START, heard: Vec::new(), next_request: 1_000, next_group: 0 }
    }

    /// The desk of [`chain`].
    pub(crate) fn chain() -> Self {
        Self::new(chain(Settings::default()).build().unwrap())
    }

    pub(crate) fn id(&self, name: &str) -> NodeId {
        self.network.id(name).unwrap()
    }

    /// A part for an invoice of `payee`, of the whole amount, by the route that works now.
    pub(crate) fn part(&mut self, payee: &str, amount: Msat) -> SendPart {
        let invoice = self.invoice(payee, InvoiceRequest::of(amount));
        self.part_for(&invoice, amount)
    }

    pub(crate) fn invoice(&self, payee: &str, request: InvoiceRequest) -> String {
        self.network.invoice(self.id(payee), request, self.now).unwrap()
    }

    /// A part of `amount` for an invoice; the total is the invoice's amount, if it has one.
    pub(crate) fn part_for(&mut self, invoice: &str, amount: Msat) -> SendPart {
        let read: Bolt11Invoice = invoice.parse().unwrap();
        let hash: &[u8; 32] = read.payment_hash().as_ref();
        self.next_group += 1;
        let key = PartKey {
            payment_hash: PaymentHash(*hash),
            group_id: GroupId(self.next_group),
            part_id: PartId(1),
        };
        let payee = NodeId(read.get_payee_pub_key().serialize());
        SendPart {
            key,
            route: self.route(payee, amount),
            height: self.network.height(self.now),
            total_msat: read.amount_milli_satoshis().map_or(amount, Msat),
            payment_secret: Some(PaymentSecret(read.payment_secret().0)),
            payment_metadata: read.payment_metadata().map(hex::encode),
            invoice: Some(invoice.to_owned()),
        }
    }

    pub(crate) fn route(&self, payee: NodeId, amount: Msat) -> Route {
        let us = self.network.us();
        self.network.route(us, payee, amount, Blocks(20), self.now).unwrap()
    }

    pub(crate) fn submit(&mut self, request: NodeRequest) -> RequestId {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.node.submit(id, request, self.now);
        id
    }

    pub(crate) fn send(&mut self, part: &SendPart) {
        self.submit(NodeRequest::SendPart(part.clone()));
    }

    /// Polls up to `now`, event by event.
    pub(crate) fn run_until(&mut self, now: Timestamp) {
        while let Some(next) = self.node.next_event_at().filter(|next| *next <= now) {
            self.now = self.now.max(next);
            self.heard.extend(self.node.poll(self.now));
        }
        self.now = now;
        self.heard.extend(self.node.poll(now));
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now.after_ms(ms));
    }

    /// What was said of a part, in order.
    pub(crate) fn told(&self, key: PartKey) -> Vec<PartStatus> {
        let told = self.heard.iter().filter_map(|event| {
            let NodeEvent::Part { key: part, status } = event else { return None };
            (*part == key).then(|| status.clone())
        });
        told.collect()
    }

    /// The HTLCs that were offered, in order.
    pub(crate) fn offered(&self) -> Vec<IncomingHtlc> {
        let offered = self.heard.iter().filter_map(|event| {
            let NodeEvent::Incoming(htlc) = event else { return None };
            Some(htlc.clone())
        });
        offered.collect()
    }

    /// The replies, in order.
    pub(crate) fn replies(&self) -> Vec<Result<NodeReply, NodeError>> {
        let replies = self.heard.iter().filter_map(|event| {
            let NodeEvent::Reply { reply, .. } = event else { return None };
            Some(reply.clone())
        });
        replies.collect()
    }

    /// Sends a part, waits ten seconds and takes the failure.
    pub(crate) fn failure(&mut self, part: &SendPart) -> Failure {
        self.send(part);
        self.run_ms(10_000);
        match self.told(part.key).as_slice() {
            [PartStatus::Failed(failure)] => failure.clone(),
            told => panic!("{told:?}"),
        }
    }

    /// Lets `from` offer us an HTLC of `amount` out of `total`.
    pub(crate) fn offer(
        &mut self,
        from: &str,
        preimage: Preimage,
        amount: Msat,
        total: Msat,
    ) -> RemoteId {
        let part = RemotePart::whole(preimage.hash(), PaymentSecret([5; 32]), total).of_it(amount);
        self.network.pay_us(self.id(from), part, self.now).unwrap()
    }
}

/// The code of a failure with the index of the node that erred.
pub(crate) fn place(failure: &Failure) -> (FailureCode, Option<u32>) {
    (failure.failcode, failure.erring_index)
}

/// All that can go wrong by chance, now and then.
pub(crate) fn every_fault() -> Faults {
    Faults {
        temporary_node_failure_ppm: 20_000,
        stuck_ppm: 50_000,
        stuck_for: Seconds(90),
        lost_outcome_ppm: 50_000,
        duplicate_event_ppm: 50_000,
        unreadable_ppm: 20_000,
        stale_gossip_ppm: 100_000,
        offline_ppm: 50_000,
        late_ppm: 50_000,
        late_ms: 5_000,
        lying_update_ppm: 200_000,
        reprice_ppm: 30_000,
        disable_ppm: 20_000,
        disabled_for: Seconds(600),
        gossip_after: Seconds(60),
        close_ppm: 2_000,
        restart_ppm: 20_000,
        restart_for: Seconds(30),
        reorder_event_ppm: 100_000,
        lost_reply_ppm: 50_000,
        our_restart_ppm: 50_000,
    }
}

/// What can be scripted of two nodes, a channel between them and our own.
pub(crate) fn every_script(
    network: &SimNetwork,
    from: NodeId,
    to: NodeId,
    until: Timestamp,
    now: Timestamp,
) {
    let mut scripts = vec![
        Script::Slow { node: from, by_ms: 300 },
        Script::LieNext { node: from, lie: Lie::Old },
        Script::RestartNode { node: to, until, fails: until.0.is_multiple_of(2) },
        Script::TellLate { until },
        Script::LoseReplies { times: 1 },
        Script::SeeLate { blocks: Blocks(1), until },
        Script::RestartUs { at: until },
    ];
    if let Some(direction) = network.direction(from, to) {
        scripts.push(Script::Disable { direction, until });
        scripts.push(Script::Reprice { direction, policy: policy(7, 7), gossip_at: until });
    }
    for script in scripts {
        // Scripts about our own node are refused.
        drop(network.script(script, now));
    }
}
