//! The real engine with the real Systems and books, in a world that answers as it is told.

use crate::{
    choice::Budget,
    closed::Closed,
    guards::{Guards, Sieve},
    incoming::Incoming,
    payers::{Decided, Payers},
    received,
    situation::{More, Situation},
    third,
    world::{START_MS, World},
};
use ecs_core::{
    Effect, EffectClass, Engine, EntityId, Failed, Inputs, Json, Snapshot, Systems, Write, Writer,
};
use ecs_systems::{
    PaymentSystems,
    components::{Claimed, Deadline, InvoiceExpiresAt, MainPayment, Parent, Status},
    effects::{OfferPart, PayFailure, PaySuccess, RefuseHtlcs, SettleHtlcs},
    flow::Amend,
    policy::GraphView,
    port::{Books, Ledger, LedgerEntry, NodeView, PartKey, ReceiptsBook},
    units::{Msat, ShortChannelId, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts, NewReceipt};
use payflow_default::flow::DEFAULT_FLOW;
use payflow_default::testing::shared::Shared;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A law that does not hold: which, and how it was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) law: &'static str,
    pub(crate) what: String,
}

/// What became of a part, as the node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Open,
    Paid,
    Failed,
    NeverArrived,
}

/// A part that the node was asked to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Offer {
    pub(crate) amount_msat: u64,
    pub(crate) fee_msat: u64,
    /// What the node took beyond that.
    pub(crate) over_msat: u64,
    pub(crate) channel: u64,
    pub(crate) fate: Fate,
}

/// The inputs of a payment as they were when it was claimed.
pub(crate) type Frozen = Arc<Vec<(Arc<str>, Json)>>;

/// What the world knows, beside the engine and its books.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) payments: Vec<EntityId>,
    pub(crate) offers: BTreeMap<PartKey, Offer>,
    /// The ends that were announced, by payment: paid, or failed.
    pub(crate) ends: BTreeMap<EntityId, Vec<bool>>,
    pub(crate) frozen: BTreeMap<EntityId, Frozen>,
    pub(crate) receipt_paid: bool,
    /// The HTLCs that came in, in that order.
    pub(crate) htlcs: Vec<Incoming>,
    pub(crate) decided: Decided,
    pub(crate) now_ms: u64,
    /// Blocks found since the walk began.
    pub(crate) blocks: u32,
    /// The intake is closed since then.
    pub(crate) closed: Option<Closed>,
    pub(crate) left: Budget,
}

/// A whole state, to come back to.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) snapshot: Snapshot,
    pub(crate) books: MemoryLedger,
    pub(crate) receipts: MemoryReceipts,
    pub(crate) env: Env,
    /// What was asked for, and has not been done yet: only between records.
    pub(crate) asked: Vec<Effect>,
    pub(crate) number: u64,
}

/// A question that is open.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) entity: EntityId,
    pub(crate) effect: Effect,
    /// The payment it is asked for, counted from 0; `None`: for what others pay.
    pub(crate) payment: Option<usize>,
}

/// Engine and world.
pub(crate) struct Machine {
    pub(crate) app: Engine,
    pub(crate) books: Shared<MemoryLedger>,
    pub(crate) receipts: Shared<MemoryReceipts>,
    pub(crate) env: Env,
    pub(crate) world: &'static World,
    pub(crate) situation: Situation,
    pub(crate) list: Vec<String>,
    /// The list is in its default order: then the refusals must be the right ones too.
    pub(crate) in_order: bool,
    view_at: (u64, u32),
    /// The number of the state the engine is in; 0: of none that was kept.
    at: u64,
    /// Says which guards matter where a list is scanned.
    sieve: Option<Sieve>,
}

/// How many states were kept, by all machines.
static KEPT: AtomicU64 = AtomicU64::new(0);

impl Machine {
    /// Engine and world before anything has happened.
    pub(crate) fn new(situation: &Situation, order: &[&str], amend: Amend) -> Self {
        let world = World::get();
        let mut books = MemoryLedger::new("walk");
        for (channel, msat) in channels(world).into_iter().zip(situation.opening_msat) {
            if msat > 0 {
                let (short_channel_id, amount_msat) = (channel, Msat(msat));
                let opening = LedgerEntry::Opening { short_channel_id, amount_msat };
                books.commit(&[opening], None, Timestamp(START_MS)).expect("a first opening");
            }
        }
        let mut receipts = situation.payers.map(Payers::receipts).unwrap_or_default();
        if situation.receipt {
            receipts.add(&receipt(situation.more == More::Hold)).expect("a first receipt");
        }
        let (books, receipts) = (Shared::new(books), Shared::new(receipts));
        let mut app = Engine::new();
        app.add_plugin(&PaymentSystems { policy: situation.policy.clone(), amend })
            .expect("the default flow fits together");
        app.insert_resource(Books(Box::new(books.clone())));
        app.insert_resource(ReceiptsBook(Box::new(receipts.clone())));
        app.insert_resource(GraphView(Arc::clone(&world.graph)));
        app.insert_resource(situation.view.clone());
        third::register(&mut app, &situation.third);
        let list = third::listed(order, &situation.third, situation.lacks);
        let env = Env {
            payments: Vec::new(),
            offers: BTreeMap::new(),
            ends: BTreeMap::new(),
            frozen: BTreeMap::new(),
            receipt_paid: false,
            htlcs: Vec::new(),
            decided: Decided::default(),
            now_ms: START_MS,
            blocks: 0,
            closed: None,
            left: situation.budget,
        };
        let situation = situation.clone();
        Self {
            app,
            books,
            receipts,
            env,
            world,
            situation,
            list,
            in_order: order == DEFAULT_FLOW,
            view_at: (START_MS, 0),
            at: 0,
            sieve: None,
        }
    }

    /// The state now.
    pub(crate) fn keep(&mut self) -> State {
        self.at = KEPT.fetch_add(1, Ordering::Relaxed) + 1;
        State {
            snapshot: self.app.snapshot(),
            books: self.books.copy(),
            receipts: self.receipts.copy(),
            env: self.env.clone(),
            asked: Vec::new(),
            number: self.at,
        }
    }

    /// Comes back to a state.
    pub(crate) fn load(&mut self, state: &State) {
        if self.at != state.number {
            self.app.restore(&state.snapshot).expect("it was taken from this engine");
            self.books.set(&state.books);
            self.receipts.set(&state.receipts);
        }
        self.at = 0;
        self.env = state.env.clone();
        self.begin();
        let _met_before = self.app.take_scans();
    }

    /// Notes from now on where guards matter.
    pub(crate) fn note_met(&mut self) {
        self.app.note_scans();
        self.sieve = Some(Sieve::new(&self.list));
    }

    /// The guards without which another System would have come first since the last call.
    pub(crate) fn take_met(&mut self) -> Guards {
        let scans = self.app.take_scans();
        let Some(sieve) = &mut self.sieve else { return Guards::default() };
        scans.into_iter().fold(Guards::default(), |met, names| met.and(sieve.met(names)))
    }

    /// Begins a command: the time is handed in, and the node has seen a block just now.
    pub(crate) fn begin(&mut self) {
        self.app.begin(Inputs { now_ms: self.env.now_ms, entropy: [7; 32] });
        let now = (self.env.now_ms, self.env.blocks);
        if self.view_at != now {
            self.view_at = now;
            let height_at = Timestamp(self.env.now_ms);
            let view = NodeView { height_at, height: self.height(), ..self.situation.view.clone() };
            self.app.insert_resource(view);
        }
        if self.app.resource() != Some(&self.intake()) {
            self.app.insert_resource(self.intake());
        }
    }

    /// Makes the Entity of a payment; it isn't advanced yet.
    pub(crate) fn create(&mut self, components: &Write) -> EntityId {
        self.begin();
        let id = self.app.new_entity();
        let list = Systems::listing(&self.list);
        let mut write = Write::to(id).attach(&list).attach(&MainPayment(Json::yes()));
        write.components.extend(components.components.clone());
        self.app.set_components(&Writer::Caller, &[write], &[]).expect("callers may write these");
        self.env.payments.push(id);
        id
    }

    /// The questions that are open.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        let mut all = Vec::new();
        for entity in self.app.entities() {
            for effect in self.app.outstanding(entity) {
                if effect.class == EffectClass::Reply {
                    let (effect, payment) = (effect.clone(), self.number_of(entity));
                    all.push(Pending { entity, effect, payment });
                }
            }
        }
        all
    }

    /// The payment an Entity is or works for.
    fn number_of(&self, entity: EntityId) -> Option<usize> {
        let of = self.app.get::<Parent>(entity).map_or(entity, |parent| parent.0);
        self.env.payments.iter().position(|payment| *payment == of)
    }

    /// Whether a payment has come to its end.
    pub(crate) fn has_ended(&self, payment: EntityId) -> bool {
        self.app.get::<Systems>(payment).is_none()
    }

    /// What a payment ended with: 0 if it is paid.
    pub(crate) fn end_of(&self, payment: EntityId) -> Option<i32> {
        let complete = self.app.get::<Status>(payment).is_some_and(|at| *at == Status::complete());
        let code = self.app.get::<Failed>(payment).map(|failed| failed.0.code);
        if complete { Some(0) } else { code }
    }

    /// The timers that are set, as moment, Entity and number.
    pub(crate) fn timers(&self) -> Vec<(u64, EntityId, ecs_core::EffectId)> {
        let mut timers = Vec::new();
        for entity in self.app.entities() {
            for effect in self.app.outstanding(entity) {
                if let EffectClass::Timer { at_ms, .. } = effect.class {
                    timers.push((at_ms, entity, effect.id));
                }
            }
        }
        timers.sort();
        timers
    }

    /// The next moment at which time alone changes anything.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        let app = &self.app;
        let claimed = self.env.payments.iter().copied().filter(|payment| {
            app.get::<Systems>(*payment).is_some() && app.get::<Claimed>(*payment).is_some()
        });
        let bounds = claimed.flat_map(|payment| {
            let deadline = app.get::<Deadline>(payment).map(|deadline| deadline.0.0);
            let expiry = app.get::<InvoiceExpiresAt>(payment).map(|expiry| expiry.0 * 1_000);
            [deadline, expiry]
        });
        let timers = self.timers().into_iter().map(|(at_ms, _, _)| at_ms);
        let timers = timers.filter(|at_ms| *at_ms != u64::MAX);
        let all = bounds.flatten().chain(timers).chain(self.expiry_ms());
        all.filter(|at_ms| *at_ms > self.env.now_ms).min()
    }

    /// Does what the engine asks for now.
    pub(crate) fn perform_all(&mut self) -> Result<(), Breach> {
        let asked = self.app.take_effects();
        self.perform(&asked, true)
    }

    /// Does what the engine has asked for; `left`: offers leave, else they are lost with a crash.
    pub(crate) fn perform(&mut self, asked: &[Effect], left: bool) -> Result<(), Breach> {
        for effect in asked {
            if let Some(OfferPart(part)) = effect.read() {
                if left {
                    let offer = Offer {
                        amount_msat: part.route.amount().0,
                        fee_msat: part.route.fee().0,
                        over_msat: 0,
                        channel: first_channel(&part.route),
                        fate: Fate::Open,
                    };
                    self.offer(part.key, offer)?;
                }
            } else if let Some(SettleHtlcs { htlcs }) = effect.read() {
                if left {
                    self.release(effect.entity, &htlcs)?;
                }
            } else if let Some(RefuseHtlcs { htlcs }) = effect.read() {
                if left {
                    received::may_be_given_back(self, &htlcs)?;
                    self.give_back(&htlcs)?;
                }
            } else if let Some(PaySuccess { entity, .. }) = effect.read() {
                self.env.ends.entry(entity).or_default().push(true);
            } else if let Some(PayFailure { entity, .. }) = effect.read() {
                self.env.ends.entry(entity).or_default().push(false);
            }
        }
        Ok(())
    }

    /// Offers a part; never a second time, unless the node said that it never had it.
    pub(crate) fn offer(&mut self, key: PartKey, offer: Offer) -> Result<(), Breach> {
        match self.env.offers.insert(key, offer) {
            None => Ok(()),
            Some(before) if before.fate == Fate::NeverArrived => Ok(()),
            Some(before) => Err(Breach {
                law: "a part is offered once",
                what: format!("part {} was offered before: {before:?}", key.part_id),
            }),
        }
    }
}

pub(crate) fn first_channel(route: &ecs_systems::planner::Route) -> u64 {
    route.hops.first().map_or(0, |hop| hop.short_channel_id_dir.scid.0)
}

/// Our two channels.
pub(crate) fn channels(world: &World) -> [ShortChannelId; 2] {
    [world.bob, world.carol].map(|peer| world.channel_to(peer).short_channel_id)
}

fn receipt(hold: bool) -> NewReceipt {
    let invoice = crate::world::draft(1);
    NewReceipt {
        preimage: crate::world::preimage(1),
        payment_secret: Some(invoice.payment_secret),
        amount_msat: invoice.amount_msat,
        expires_at: Timestamp(START_MS + invoice.expiry.0 * 1_000),
        terms: ledger_store::Terms { hold, ..ledger_store::Terms::default() },
    }
}
