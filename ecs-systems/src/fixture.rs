//! What the tests of single Systems share: a payment in a small world, and what one System did.

mod fakes;
mod samples;

pub(crate) use fakes::{Notebook, Shelf};
pub(crate) use samples::{
    AMOUNT, BUDGET, DESCRIPTION, HASH_TEXT, HUB, PAYEE, PREIMAGE, SECRET, US, claim, exposure,
    failure, graph, htlc, made_up, node, open_part, part, plan_of, question, reservation, sample,
    samples, set,
};

use crate::{
    PaymentSystems,
    components::{
        BiasedNode, ChannelBias, ChannelUpdate, CreatedChannel, InformedChannel, LayerFacts,
        NamedLayer, Reservations, Reserved, Said, ToldFacts, ToldPolicy,
    },
    policy::{GraphView, Intake, Policy},
    port::{Books, Claim, ClaimState, LedgerEntry, LedgerError, NodeView, Receipt, ReceiptsBook},
};
use ecs_core::{
    Effect, Engine, EntityId, ErrorObject, Inputs, Json, Plugin, SystemSpec, Systems, Write, Writer,
};
use payecs_planner::{Policy as Terms, TermsChange};
use payecs_units::{ChannelDirection, Msat, ShortChannelId, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// When all tests happen, in milliseconds since 1970.
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;

/// The payment's Entity.
pub(crate) fn payment() -> EntityId {
    EntityId::FIRST
}

/// The Entity of its plan, part or set.
pub(crate) fn child() -> EntityId {
    EntityId::FIRST.next()
}

/// Components of the Entity that the System under test runs on.
pub(crate) fn here() -> Write {
    Write::here()
}

/// An engine of payments with a node, a graph, books and receipts.
pub(crate) struct Bench {
    pub(crate) app: Engine,
    pub(crate) notebook: Notebook,
    pub(crate) shelf: Shelf,
}

/// Component of an Entity, by both names.
type Named = (EntityId, String);

/// What one System did.
pub(crate) struct Ran {
    on: EntityId,
    /// Whether it ran at all.
    pub(crate) matched: bool,
    /// What it changed, and to what; no value: detached.
    pub(crate) changed: BTreeMap<Named, Option<Json>>,
    /// Why it refused; the name of the System is left out of the facts.
    pub(crate) refusal: Option<ErrorObject>,
    /// What it asked for.
    pub(crate) effects: Vec<Effect>,
    /// What it wrote into the books.
    pub(crate) entries: Vec<LedgerEntry>,
}

/// Every way in which the intake may be closed.
pub(crate) fn closed() -> [Intake; 3] {
    [(true, false), (false, true), (true, true)].map(|(reconciling, disk_low)| Intake {
        reconciling,
        disk_low,
        ..Intake::default()
    })
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut app = Engine::new();
        PaymentSystems::default().build(&mut app).unwrap();
        let (notebook, shelf) = (Notebook::default(), Shelf::default());
        app.insert_resource(node());
        app.insert_resource(GraphView(Arc::new(graph())));
        app.insert_resource(Books(Box::new(notebook.clone())));
        app.insert_resource(ReceiptsBook(Box::new(shelf.clone())));
        app.begin(Inputs { now_ms: NOW_MS, entropy: [5; 32] });
        Self { app, notebook, shelf }
    }

    /// With a node that differs in this.
    pub(crate) fn node(mut self, change: impl FnOnce(&mut NodeView)) -> Self {
        change(&mut self.app.resource_mut::<NodeView>().unwrap());
        self
    }

    /// With a policy that differs in this.
    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.app.resource_mut::<Policy>().unwrap());
        self
    }

    /// With an intake that is closed for that reason.
    pub(crate) fn intake(mut self, intake: Intake) -> Self {
        self.app.insert_resource(intake);
        self
    }

    /// With a claim in the books.
    pub(crate) fn claimed(self, claim: Claim, state: ClaimState) -> Self {
        self.notebook.0.lock().unwrap().claim = Some((claim, state));
        self
    }

    /// With books that refuse everything.
    pub(crate) fn refusing(self, error: LedgerError) -> Self {
        self.notebook.0.lock().unwrap().refuses = Some(error);
        self
    }

    /// With books that refuse batches with such an entry.
    pub(crate) fn refusing_only(self, only: fn(&LedgerEntry) -> bool, error: LedgerError) -> Self {
        self.notebook.0.lock().unwrap().refuses_only = Some(only);
        self.refusing(error)
    }

    /// With a receipt of ours; its preimage is [`PREIMAGE`].
    pub(crate) fn receipt(self, receipt: Receipt) -> Self {
        self.shelf.0.lock().unwrap().receipt = Some(receipt);
        self
    }

    /// With these Components on an Entity.
    pub(crate) fn with(mut self, entity: EntityId, write: Write) -> Self {
        self.put(entity, write);
        self
    }

    pub(crate) fn put(&mut self, entity: EntityId, write: Write) {
        let write = Write { entity: Some(entity), ..write };
        self.app.set_components(&Writer::Engine, &[write], &[]).unwrap();
    }

    /// Puts the Components onto the payment, lists this System alone, and runs it once.
    pub(crate) fn run(&mut self, spec: &SystemSpec, write: Write) -> Ran {
        self.run_on(payment(), spec, write)
    }

    /// The same on another Entity.
    pub(crate) fn run_on(&mut self, on: EntityId, spec: &SystemSpec, write: Write) -> Ran {
        let listed = write.components.iter().any(|(name, _)| name == "lightningd:systems");
        let list = Systems::listing([spec.name]);
        self.put(on, if listed { write } else { write.attach(&list) });
        self.step(on, spec)
    }

    /// One step of the Entity as it is.
    pub(crate) fn step(&mut self, on: EntityId, spec: &SystemSpec) -> Ran {
        let (before, traced) = (self.state(), self.app.trace(on).len());
        let batches = self.notebook.batches().len();
        self.app.wake(on);
        assert_eq!(self.app.run_one(), Some(on), "the queue was empty before");
        let after = self.state();
        let mut changed: BTreeMap<Named, Option<Json>> = BTreeMap::new();
        for (name, json) in &after {
            if before.get(name) != Some(json) {
                changed.insert(name.clone(), Some(json.clone()));
            }
        }
        changed.extend(
            before.into_keys().filter(|name| !after.contains_key(name)).map(|name| (name, None)),
        );
        let list = (on, "lightningd:systems".to_owned());
        if changed.get(&list).is_some_and(Option::is_some) {
            // The index of the last match, which the engine notes.
            changed.remove(&list);
        }
        let trace = self.app.trace(on);
        let matched = trace.get(traced).is_some_and(|first| *first.system == *spec.name);
        let refusal = changed
            .get(&(on, "lightningd:failing".to_owned()))
            .and_then(Option::as_ref)
            .and_then(|json| refused_by(spec, &json.decode().unwrap()));
        Ran {
            on,
            matched,
            changed,
            refusal,
            effects: self.app.take_effects(),
            entries: self.notebook.batches().split_off(batches).concat(),
        }
    }

    /// The Entities that were woken and did not run yet; they run now.
    pub(crate) fn woken(&mut self) -> Vec<EntityId> {
        std::iter::from_fn(|| self.app.run_one()).collect()
    }

    fn state(&self) -> BTreeMap<Named, Json> {
        let of = |entity| {
            let all = self.app.components(entity).into_iter();
            all.map(move |(name, json)| ((entity, name.to_string()), json))
        };
        self.app.entities().into_iter().flat_map(of).collect()
    }
}

/// The refusal, if `failing` is what the engine makes of one of this System.
fn refused_by(spec: &SystemSpec, failing: &ErrorObject) -> Option<ErrorObject> {
    let mut facts = failing.data.as_ref().and_then(Json::fields)?;
    let by = facts.remove("system")?;
    assert_eq!(by, Json::of(spec.name), "{}", failing.message);
    let refusal = ErrorObject { data: None, ..failing.clone() };
    Some(if facts.is_empty() { refusal } else { refusal.with_data(&facts) })
}

impl Ran {
    /// What it attached to its own Entity under that name, as JSON text.
    pub(crate) fn attached(&self, name: &str) -> Option<&str> {
        self.attached_to(self.on, name)
    }

    /// The same of another Entity.
    pub(crate) fn attached_to(&self, entity: EntityId, name: &str) -> Option<&str> {
        let name = (entity, format!("lightningd:{name}"));
        self.changed.get(&name)?.as_ref().map(Json::text)
    }

    /// Whether it detached that from its own Entity.
    pub(crate) fn detached(&self, name: &str) -> bool {
        self.detached_from(self.on, name)
    }

    /// The same of another Entity.
    pub(crate) fn detached_from(&self, entity: EntityId, name: &str) -> bool {
        let name = (entity, format!("lightningd:{name}"));
        self.changed.get(&name).is_some_and(Option::is_none)
    }

    /// The names it changed on its own Entity, without our prefix.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.names_on(self.on)
    }

    /// The same of another Entity.
    pub(crate) fn names_on(&self, on: EntityId) -> Vec<&str> {
        let own = self.changed.keys().filter(|(entity, _)| *entity == on);
        own.map(|(_, name)| name.strip_prefix("lightningd:").unwrap_or(name)).collect()
    }

    /// The code it refused with.
    pub(crate) fn code(&self) -> Option<i32> {
        self.refusal.as_ref().map(|refusal| refusal.code)
    }

    /// The message it refused with.
    pub(crate) fn message(&self) -> &str {
        self.refusal.as_ref().map_or("", |refusal| &refusal.message)
    }

    /// The facts it refused with.
    pub(crate) fn facts(&self) -> Json {
        let data = self.refusal.as_ref().and_then(|refusal| refusal.data.clone());
        data.unwrap_or_else(Json::null)
    }

    /// The kinds of effects it asked for, in order.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.effects.iter().map(|effect| effect.kind.as_str()).collect()
    }
}

/// One System on a payment with these Components, in a world with nothing special.
pub(crate) fn run(spec: &SystemSpec, write: Write) -> Ran {
    Bench::new().run(spec, write)
}

/// The hub asks for 1 sat more than it announces, and nothing goes the other way.
pub(crate) fn told() -> ToldFacts {
    let way = part().route.hops[1].short_channel_id_dir;
    let policy = graph().policy(way).unwrap().clone();
    let policy = Terms { fee_base_msat: Msat(2_000), ..policy };
    let other = ChannelDirection { direction: way.direction.reversed(), ..way };
    let told = ToldPolicy { short_channel_id_dir: way, policy, times: 1 };
    ToldFacts { policies: vec![told], avoided: vec![other] }
}

/// Something of everything under one name.
pub(crate) fn layer() -> NamedLayer {
    let way = part().route.hops[1].short_channel_id_dir;
    let timestamp = NOW_MS / 1_000;
    let informed = |said| InformedChannel { short_channel_id_dir: way, timestamp, said };
    let terms = TermsChange { fee_base_msat: Some(Msat(1)), ..TermsChange::default() };
    NamedLayer(LayerFacts {
        layer: "mine".to_owned(),
        persistent: true,
        disabled_nodes: vec![HUB],
        created_channels: vec![CreatedChannel {
            source: US,
            destination: PAYEE,
            short_channel_id: ShortChannelId(77),
            capacity_msat: AMOUNT,
        }],
        channel_updates: vec![ChannelUpdate { short_channel_id_dir: way, terms }],
        informed: [Said::Minimum(Msat(1)), Said::Maximum(Msat(2)), Said::Succeeded(Msat(3))]
            .map(informed)
            .into(),
        biases: vec![ChannelBias {
            short_channel_id_dir: way,
            bias: -5,
            description: Some("slow".to_owned()),
            timestamp,
        }],
        node_biases: vec![BiasedNode {
            node: HUB,
            in_bias: 0,
            out_bias: 7,
            description: None,
            timestamp,
        }],
    })
}

/// Something is on its way with one layer.
pub(crate) fn reservations() -> Reservations {
    Reservations(vec![Reserved {
        short_channel_id_dir: part().route.hops[1].short_channel_id_dir,
        amount_msat: AMOUNT,
        layer: Some("mine".to_owned()),
        since: Timestamp(NOW_MS),
    }])
}
