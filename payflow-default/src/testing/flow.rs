//! A flow with Systems of third parties, and payments on it one by one.

use super::shared::Shared;
use crate::{
    Call, Driver, Retention,
    app::{Parts, engine},
    entropy::Entropy,
    flow::DEFAULT_FLOW,
    planner::OwnPlanner,
};
use ecs_core::{Engine, EntityId, Error, ErrorObject, Failed, Json, Plugin, Write};
use ecs_systems::{
    components::{FeePaid, Invoice, Status},
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Ledger, Node},
    units::{Msat, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts, Seed};
use node_sim::SimNetwork;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// When every bench begins.
const START: Timestamp = Timestamp(1_700_000_000_000);
/// How long a payment may take, in virtual milliseconds: a day.
const ENDS_WITHIN_MS: u64 = 24 * 3_600 * 1_000;

/// The default flow with Systems of third parties before and after it.
#[derive(Clone, Default)]
pub struct Flow {
    /// What has the Systems.
    pub plugins: Vec<Arc<dyn Plugin + Send + Sync>>,
    /// Systems that every payment has before the default ones, in this order,
    pub prepend: Vec<String>,
    /// and after them.
    pub append: Vec<String>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        out.debug_struct("Flow")
            .field("plugins", &plugins)
            .field("prepend", &self.prepend)
            .field("append", &self.append)
            .finish()
    }
}

impl Flow {
    /// The flow of one plugin: with these Systems before the default ones, and those after them.
    #[must_use]
    pub fn of<const B: usize, const A: usize>(
        plugin: impl Plugin + Send + Sync + 'static,
        prepend: [&str; B],
        append: [&str; A],
    ) -> Self {
        let plugins: Vec<Arc<dyn Plugin + Send + Sync>> = vec![Arc::new(plugin)];
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Self { plugins, prepend: names(&prepend), append: names(&append) }
    }

    /// The same plugins with the default list alone.
    #[must_use]
    pub fn without_systems(&self) -> Self {
        Self { plugins: self.plugins.clone(), ..Self::default() }
    }

    /// Whether that System stands in the list besides the default ones.
    #[must_use]
    pub fn names(&self, system: &str) -> bool {
        self.prepend.iter().chain(&self.append).any(|name| name == system)
    }

    /// The plugins, for one engine.
    pub(crate) fn lend(&self) -> impl Iterator<Item = Box<dyn Plugin>> + '_ {
        let lend = |plugin: &Arc<_>| -> Box<dyn Plugin> { Box::new(Lent(Arc::clone(plugin))) };
        self.plugins.iter().map(lend)
    }

    /// The whole list, in order.
    pub(crate) fn list(&self) -> Vec<&str> {
        let before = self.prepend.iter().map(String::as_str);
        let list = before.chain(DEFAULT_FLOW.iter().copied());
        list.chain(self.append.iter().map(String::as_str)).collect()
    }

    /// Makes the list the engine's default one.
    ///
    /// # Errors
    /// A System of it is not registered.
    pub(crate) fn set(&self, app: &mut Engine) -> Result<(), Error> {
        app.set_default_systems(&self.list())
    }
}

/// A plugin that several engines have, one after another.
struct Lent(Arc<dyn Plugin + Send + Sync>);

impl Plugin for Lent {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        self.0.build(app)
    }
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `complete`, `failed`, or empty where it has not ended: a draft that rests.
    pub status: String,
    /// The code it failed with; 0 where it did not.
    pub code: i32,
    /// What it cost in fees.
    pub fee: Option<Msat>,
    /// The Systems that ran on it, in order.
    pub ran: Vec<String>,
}

/// A node of a simulated network that pays by a flow, without a journal: for looking at single
/// payments.
#[derive(Debug)]
pub struct Bench {
    /// The network.
    pub network: SimNetwork,
    /// The engine on it.
    pub driver: Driver,
    /// Its books.
    pub books: Shared<MemoryLedger>,
    /// The virtual clock.
    pub now: Timestamp,
}

impl Bench {
    /// Our node of the network, with empty books.
    ///
    /// # Panics
    /// If the plugins clash, or lack a System of the list.
    #[must_use]
    pub fn new(network: &SimNetwork, flow: &Flow) -> Self {
        let books = Shared::new(MemoryLedger::new("sim"));
        let mut app = engine(Parts {
            policy: Policy::default(),
            ledger: Box::new(books.clone()),
            receipts: Box::new(MemoryReceipts::with_seed(Seed::new(&Zeroizing::new([1; 32])))),
            plugins: flow.lend().collect(),
        })
        .expect("names of plugins do not clash");
        flow.set(&mut app).expect("the plugins have the Systems of the list");
        let node = network.connect(START);
        let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
        let entropy = Entropy::seeded(1);
        let mut driver = Driver::new(app, Box::new(node), Box::new(planner), entropy, START);
        driver.retain(Retention::FOR_EVER);
        let mut bench = Self { network: network.clone(), driver, books, now: START };
        bench.run_for(1_000);
        bench
    }

    /// Lets that much time pass.
    pub fn run_for(&mut self, milliseconds: u64) {
        self.now = self.now.after_ms(milliseconds);
        self.driver.run_until(self.now);
        self.driver.poll(self.now);
    }

    /// Pays an invoice with more Components, and runs until the payment is over, or nothing of it
    /// is under way any more.
    ///
    /// # Panics
    /// If the Components are refused.
    pub fn pay(&mut self, invoice: &str, more: Write) -> Ended {
        let mut write = Write::here().attach(&Invoice(Json::of(invoice)));
        write.components.extend(more.components);
        let id = self.driver.start_payment(self.now, write).expect("Components that fit");
        let until = self.now.after_ms(ENDS_WITHIN_MS);
        self.driver.run_until(self.now);
        while self.ended(id).status.is_empty() {
            let Some(next) = self.driver.next_at().filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.driver.run_until(self.now);
        }
        self.ended(id)
    }

    /// Calls a method as the owner, with params as JSON text, and runs until it is answered.
    ///
    /// # Errors
    /// What the method refuses it with.
    ///
    /// # Panics
    /// As [`Bench::finish_call`] does.
    pub fn call(&mut self, method: &str, params: &str) -> Result<Json, ErrorObject> {
        let call = self.begin_call(method, params);
        self.finish_call(&call)
    }

    /// Makes a call as the owner, with params as JSON text, and runs nothing.
    ///
    /// # Panics
    /// If the params are no JSON.
    pub fn begin_call(&mut self, method: &str, params: &str) -> Call {
        let params = Json::parse(params).expect("params are JSON");
        self.driver.begin_call(self.now, method, &params)
    }

    /// Runs until a call is answered.
    ///
    /// # Errors
    /// What the method refuses it with.
    ///
    /// # Panics
    /// If that takes more than a day.
    pub fn finish_call(&mut self, call: &Call) -> Result<Json, ErrorObject> {
        let answer = self.driver.finish_call(call, self.now.after_ms(ENDS_WITHIN_MS));
        self.now = self.now.max(self.driver.now());
        answer.expect("it is answered within a day")
    }

    /// What became of a payment so far.
    #[must_use]
    pub fn ended(&self, id: EntityId) -> Ended {
        let engine = self.driver.engine();
        let status = engine.get::<Status>(id).and_then(|it| it.0.as_str().map(|it| it.to_string()));
        let is_final = |status: &String| matches!(status.as_str(), "complete" | "failed");
        Ended {
            status: status.filter(is_final).unwrap_or_default(),
            code: engine.get::<Failed>(id).map_or(0, |failed| failed.0.code),
            fee: engine.get::<FeePaid>(id).map(|fee| fee.0),
            ran: engine.trace(id).iter().map(|entry| entry.system.to_string()).collect(),
        }
    }

    /// What is wrong with the money, if anything: the books add up, and have what our channels
    /// have. To be asked when nothing is under way.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn money_is_whole(&self) -> Result<(), String> {
        self.network.audit()?;
        let books = self.books.lock();
        books.verify().map_err(|error| error.to_string())?;
        for (channel, really) in self.network.our_balance() {
            let account = ledger_store::Account::Channel(channel).of("sim");
            let sums = books.balance(&account);
            let booked = sums.debits_posted_msat.checked_sub(sums.credits_posted_msat);
            if booked != Some(really) {
                return Err(format!("{channel} has {really}, and {booked:?} in the books"));
            }
        }
        Ok(())
    }
}
