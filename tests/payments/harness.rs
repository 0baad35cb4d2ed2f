//! A node of the simulated network that pays: driver, books and receipts on one virtual clock.

use crate::{
    books::{SharedBooks, SharedReceipts, empty_books, no_receipts},
    difficult::{DifficultNode, Trouble, Troubles},
};
use ecs_core::{EntityId, ErrorObject, Failed, Json, Snapshot, SystemDef, Systems, Write, Writer};
use ecs_systems::{
    components::{Claimed, FeePaid, Invoice, PaidPreimage, PartsPaid, Replayed, Status},
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Node, NodeEvent, NodeReply, NodeRequest, PartKey, PaymentRef, RequestId},
    units::{GroupId, Msat, NodeId, PartId, PaymentHash, Preimage, Timestamp},
};
use ledger_store::store::Kept;
use node_sim::{Fact, InvoiceRequest, Script, SimNetwork};
use payflow_default::{
    Driver, Retention,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
};
use std::collections::{BTreeMap, BTreeSet};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
/// A day.
pub(crate) const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// One payment that was started, and what it was started with.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    pub(crate) id: EntityId,
    pub(crate) invoice: String,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `complete`, `failed`, another status, or empty on a draft.
    pub(crate) status: String,
    pub(crate) error: Option<ErrorObject>,
    pub(crate) preimage: Option<Preimage>,
    pub(crate) fee: Option<Msat>,
    pub(crate) replayed: bool,
    pub(crate) parts_paid: u32,
}

impl Outcome {
    /// Whether the payment is over.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "complete" | "failed")
    }

    /// The code it failed with; 0 where it did not fail.
    pub(crate) fn code(&self) -> i32 {
        self.error.as_ref().map_or(0, |error| error.code)
    }

    /// One of the facts of its error, as JSON text; empty where there is none.
    pub(crate) fn fact(&self, name: &str) -> String {
        let facts = self.error.as_ref().and_then(|error| error.data.as_ref()?.fields());
        facts.and_then(|facts| Some(facts.get(name)?.text().to_owned())).unwrap_or_default()
    }
}

/// A paying node.
pub(crate) struct Payer {
    pub(crate) network: SimNetwork,
    pub(crate) driver: Driver,
    pub(crate) books: SharedBooks,
    pub(crate) receipts: SharedReceipts,
    pub(crate) now: Timestamp,
    /// What is wrong with the node, for tests to change.
    pub(crate) troubles: Troubles,
    policy: Policy,
    pub(crate) retention: Retention,
    seed: u64,
    pub(crate) started: Vec<Started>,
    /// What our node was scripted to take beyond all budgets.
    pub(crate) overspent: Msat,
    /// Payments that failed, and of which the node was scripted to say later that they are paid.
    pub(crate) late: Vec<EntityId>,
    /// Hashes that another node pays a part of.
    pub(crate) shared: BTreeSet<PaymentHash>,
}

/// What a payer is made with.
pub(crate) struct Setup {
    /// The rules of an operator.
    pub(crate) policy: Policy,
    /// What is wrong with the node from the beginning.
    pub(crate) trouble: Trouble,
    /// How long what is over stays; tests look at it afterwards.
    pub(crate) retention: Retention,
    /// Where its randomness comes from.
    pub(crate) seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        let (policy, trouble) = (Policy::default(), Trouble::default());
        Self { policy, trouble, retention: Retention::FOR_EVER, seed: 1 }
    }
}

impl Payer {
    /// Connects to our node of the network and opens the books.
    pub(crate) fn new(network: &SimNetwork) -> Self {
        Self::with_policy(network, Policy::default())
    }

    /// The same under the rules of an operator.
    pub(crate) fn with_policy(network: &SimNetwork, policy: Policy) -> Self {
        Self::with(network, Setup { policy, ..Setup::default() })
    }

    /// The same with all that can be chosen.
    pub(crate) fn with(network: &SimNetwork, setup: Setup) -> Self {
        let Setup { policy, trouble, retention, seed } = setup;
        let (books, receipts, troubles) = (empty_books(), no_receipts(), Troubles::of(trouble));
        let node = DifficultNode::new(network.connect(START), troubles.clone());
        let driver = new_driver(Box::new(node), (&books, &receipts), &policy, seed, START);
        let mut payer = Self {
            network: network.clone(),
            driver,
            books,
            receipts,
            now: START,
            troubles,
            policy,
            retention,
            seed,
            started: Vec::new(),
            overspent: Msat::ZERO,
            late: Vec::new(),
            shared: BTreeSet::new(),
        };
        payer.driver.retain(retention);
        payer.run_for(1_000);
        payer
    }

    /// An invoice of the node with that name.
    pub(crate) fn invoice(&self, payee: &str, request: InvoiceRequest) -> String {
        self.network
            .invoice(self.node(payee), request, self.now)
            .expect("an invoice that can be written")
    }

    /// The same of the node with that number among the others.
    pub(crate) fn invoice_of(&self, payee: usize, request: InvoiceRequest) -> String {
        let others = self.network.others();
        let payee = others[payee % others.len()];
        self.network.invoice(payee, request, self.now).expect("an invoice that can be written")
    }

    /// Starts a payment of an invoice with more Components, and runs nothing.
    pub(crate) fn start(&mut self, invoice: &str, more: Write) -> EntityId {
        let mut components = Write::here().attach(&Invoice(Json::of(invoice)));
        components.components.extend(more.components);
        let id = self.driver.start_payment(self.now, components).expect("Components that fit");
        self.started.push(Started { id, invoice: invoice.to_owned() });
        id
    }

    /// Starts a payment of that much to carol with these external Systems first in its list, each
    /// of which has a day to answer, and runs until one of them is at work.
    pub(crate) fn start_behind(
        &mut self,
        amount: Msat,
        systems: impl IntoIterator<Item = SystemDef>,
    ) -> EntityId {
        let now = self.now;
        let mut names = Vec::new();
        for def in systems {
            names.push(def.system.to_string());
            let added =
                self.driver.command(now, |engine| engine.add_external_system_for(def, DAY_MS));
            added.expect("a proper System");
        }
        let ours = self.driver.engine().default_systems().iter().map(ToString::to_string);
        names.extend(ours);
        let invoice = self.invoice("carol", InvoiceRequest::of(amount));
        let id = self.start(&invoice, Write::here().attach(&Systems::listing(names)));
        self.run_for(1_000);
        id
    }

    /// Pays an invoice with more Components, and runs to the end.
    pub(crate) fn pay(&mut self, invoice: &str, more: Write) -> Outcome {
        let id = self.start(invoice, more);
        self.finish(id)
    }

    /// Pays an invoice as it is.
    pub(crate) fn pay_plainly(&mut self, invoice: &str) -> Outcome {
        self.pay(invoice, Write::here())
    }

    /// Lets that much time pass.
    pub(crate) fn run_for(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds);
        self.driver.run_until(self.now);
        self.driver.poll(self.now);
    }

    /// Runs until the payment is over.
    ///
    /// # Panics
    /// If that takes more than a day.
    pub(crate) fn finish(&mut self, id: EntityId) -> Outcome {
        self.run_until_over(&[id], DAY_MS);
        let outcome = self.outcome(id);
        assert!(outcome.is_final(), "after a day: {}", self.story(id));
        outcome
    }

    /// Runs until all these payments are over, but no longer than that.
    pub(crate) fn run_until_over(&mut self, ids: &[EntityId], milliseconds: u64) {
        let until = self.now.after_ms(milliseconds);
        self.driver.run_until(self.now);
        while !ids.iter().all(|id| self.outcome(*id).is_final()) {
            let Some(next) = self.driver.next_at().filter(|next| *next <= until) else { return };
            self.now = self.now.max(next);
            self.driver.run_until(self.now);
        }
    }

    pub(crate) fn outcome(&self, id: EntityId) -> Outcome {
        let engine = self.driver.engine();
        let status = engine.get::<Status>(id).and_then(|it| it.0.as_str().map(|it| it.to_string()));
        Outcome {
            status: status.unwrap_or_default(),
            error: engine.get::<Failed>(id).map(|failed| failed.0.clone()),
            preimage: engine.get::<PaidPreimage>(id).map(|preimage| preimage.0),
            fee: engine.get::<FeePaid>(id).map(|fee| fee.0),
            replayed: engine.get::<Replayed>(id).is_some(),
            parts_paid: engine.get::<PartsPaid>(id).map_or(0, |paid| paid.0.count),
        }
    }

    /// Attaches Components as a caller does, and advances.
    pub(crate) fn tell(&mut self, id: EntityId, write: Write) {
        let write = Write { entity: Some(id), ..write };
        self.driver.command(self.now, |engine| {
            engine.set_components(&Writer::Caller, &[write], &[]).expect("callers may write it");
            // Where the payment is busy or over, its next step comes from elsewhere.
            let _advanced = engine.advance(id, None);
        });
    }

    /// The attempt's name in the books, once its hash is claimed.
    pub(crate) fn reference(&self, id: EntityId) -> Option<PaymentRef> {
        self.driver.engine().get::<Claimed>(id).map(|claimed| claimed.0.claim.payment)
    }

    /// The key of one of its parts.
    pub(crate) fn part(&self, id: EntityId, number: u64) -> PartKey {
        let PaymentRef { payment_hash, group_id } = self.reference(id).expect("a claimed hash");
        PartKey { payment_hash, group_id, part_id: PartId(number) }
    }

    /// The id of the node with that name.
    pub(crate) fn node(&self, name: &str) -> NodeId {
        self.network.id(name).expect("a node of that name")
    }

    /// Writes a fault down.
    pub(crate) fn script(&self, script: Script) {
        self.network.script(script, self.now).expect("a fault of a node that there is");
    }

    /// The parts of a hash that ever left, in order, each with its group.
    pub(crate) fn submitted(&self, hash: PaymentHash) -> Vec<(GroupId, PartId, Msat)> {
        let mut parts = Vec::new();
        for record in self.network.truth(0) {
            if let Fact::PartSubmitted { key, amount_msat, .. } = record.fact
                && key.payment_hash == hash
            {
                parts.push((key.group_id, key.part_id, amount_msat));
            }
        }
        parts
    }

    /// How many parts of all payments ever left.
    pub(crate) fn submitted_in_all(&self) -> usize {
        let submitted = |record: &node_sim::TruthRecord| {
            matches!(record.fact, Fact::PartSubmitted { .. } | Fact::PartRefused { .. })
        };
        self.network.truth(0).iter().filter(|record| submitted(record)).count()
    }

    /// The engine dies with everything but its last record, and comes back on the same books.
    pub(crate) fn crash(&mut self) {
        let snapshot = self.die();
        self.driver.recover(&snapshot, self.now).expect("a snapshot of the same Components");
    }

    /// The same, where from now on nothing leaves before [`Payer::keep`] was called.
    pub(crate) fn crash_and_journal(&mut self) {
        let snapshot = self.die();
        self.driver.keep_journal(0);
        self.driver.recover(&snapshot, self.now).expect("a snapshot of the same Components");
    }

    /// Every record so far is durable.
    pub(crate) fn keep(&mut self) {
        let last = self.driver.last_record();
        drop(self.driver.take_records());
        self.driver.records_kept(self.now, Kept { written: last, synced: last });
    }

    fn die(&mut self) -> Snapshot {
        let kept = self.driver.engine().snapshot();
        let text = Json::of(&kept);
        let snapshot: Snapshot = text.decode().expect("a snapshot is read back");
        self.seed += 1;
        let node = self.network.connect(self.now);
        let node = Box::new(DifficultNode::new(node, self.troubles.clone()));
        let kept = (&self.books, &self.receipts);
        self.driver = new_driver(node, kept, &self.policy, self.seed, self.now);
        self.driver.retain(self.retention);
        snapshot
    }

    /// Everything about a payment, for a message.
    pub(crate) fn story(&self, id: EntityId) -> String {
        let engine = self.driver.engine();
        let mut lines: Vec<String> =
            engine.trace(id).iter().map(|entry| entry.system.to_string()).collect();
        let components = engine
            .components(id)
            .into_iter()
            .filter(|(name, _)| !engine.is_secret(name) && !name.starts_with("lightningd:systems"));
        lines.extend(components.map(|(name, json)| format!("{name} = {json}")));
        lines.join("\n")
    }

    /// What was told since the last time that is of that kind.
    pub(crate) fn told<T: ecs_core::EffectBody>(&mut self) -> Vec<T> {
        self.driver.take_notices().iter().filter_map(ecs_core::Effect::read).collect()
    }

    /// What of all accounts is pending.
    pub(crate) fn pending(&self) -> BTreeMap<String, Msat> {
        let accounts = self.trial_balance().into_iter();
        let pending = accounts.map(|(name, sums)| {
            (name, Msat(sums.debits_pending_msat.0 + sums.credits_pending_msat.0))
        });
        pending.filter(|(_, amount)| *amount > Msat::ZERO).collect()
    }

    fn trial_balance(&self) -> Vec<(String, ecs_systems::port::Balance)> {
        ecs_systems::port::Ledger::trial_balance(&*self.books.lock())
    }
}

fn new_driver(
    node: Box<dyn Node>,
    (books, receipts): (&SharedBooks, &SharedReceipts),
    policy: &Policy,
    seed: u64,
    now: Timestamp,
) -> Driver {
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let parts = Parts {
        policy: policy.clone(),
        ledger: Box::new(books.clone()),
        receipts: Box::new(receipts.clone()),
        plugins: Vec::new(),
    };
    let engine = engine(parts).expect("the default flow fits together");
    Driver::new(engine, node, Box::new(planner), Entropy::seeded(seed), now)
}

/// Has our own node sign an invoice. It must come before the engine connects.
pub(crate) fn signed_by_us(network: &SimNetwork, draft: ecs_systems::port::InvoiceDraft) -> String {
    let mut node = network.connect(START);
    node.submit(RequestId(1), NodeRequest::SignInvoice(draft), START);
    for event in node.poll(START) {
        if let NodeEvent::Reply { reply: Ok(NodeReply::Invoice(invoice)), .. } = event {
            return invoice;
        }
    }
    panic!("our node signs at once")
}
