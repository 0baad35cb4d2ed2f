//! The driver: engine, node and planner as one state machine without I/O.
//!
//! Whoever owns it brings the time: [`Driver::poll`] takes what is due, [`Driver::next_at`] says
//! when to come again. Plans are made elsewhere: [`Driver::take_jobs`], then
//! [`Driver::finish_plan`]. So a simulation on a virtual clock and a daemon on the real one run the
//! same program.

mod alone;
mod asking;
mod calls;
mod cleaning;
mod effects;
mod events;
mod finished;
mod gate;
mod intake;
mod late;
mod late_words;
mod lessons;
mod log;
mod orphans;
mod receive;
mod reconcile;
mod recover;
mod serving;

pub use alone::Call;
pub use asking::{ASK_AGAIN_MS_FIRST, ASK_AGAIN_MS_MAX, ASK_SILENT_MS_FIRST};
pub use calls::Asker;
pub use finished::{COLLECTED_PER_POLL_MAX, Retention};
pub use gate::{Answer, JournalRecord};
pub use reconcile::{ReconcileReport, Reconciliation};
pub use serving::Outlet;

use crate::entropy::Entropy;
use asking::Asking;
use calls::Waiters;
use ecs_core::{Effect, EffectId, Engine, EntityId, Error, Inputs, Json, Write, trace::Stopwatch};
use ecs_systems::{
    methods::Signing,
    pay::start_payment,
    policy::GraphView,
    port::{Decision, HtlcId, Node, NodeRequest, PartKey, PlanJob, Planner, RequestId},
    units::{BlockHeight, Timestamp},
};
use finished::Finished;
use gate::Gate;
use late_words::LateWords;
use orphans::Orphans;
use receive::Claiming;
use reconcile::Asked;
use serving::Served;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A plan in the making: what to run elsewhere, and whom the answer is for.
pub struct Job {
    /// Give it back with the answer.
    pub id: JobId,
    /// Run it anywhere.
    pub run: PlanJob,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Job").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whom a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId {
    entity: EntityId,
    effect: EffectId,
}

/// What a reply of the node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Decode {
        entity: EntityId,
        effect: EffectId,
    },
    Preapprove {
        entity: EntityId,
        effect: EffectId,
    },
    Balances,
    Incoming,
    /// The parts that the node knows, page by page.
    Parts,
    /// The balances that the books of a backup are compared with.
    BalancesNow,
    Word(HtlcId),
}

/// Engine, node and planner as one state machine.
pub struct Driver {
    engine: Engine,
    node: Box<dyn Node>,
    planner: Box<dyn Planner>,
    entropy: Entropy,
    now: Timestamp,
    timers: BTreeSet<(Timestamp, EntityId, EffectId)>,
    /// Parts whose outcome is awaited.
    parts: BTreeMap<PartKey, (EntityId, EffectId)>,
    asking: Asking<PartKey>,
    /// Words on parts that are over, which the books can't judge yet.
    late_words: LateWords,
    orphans: Orphans,
    /// What was heard of the node, until a backup's books know it.
    asked: Option<Box<Asked>>,
    reconciliation: Reconciliation,
    /// When to ask again for the balances of channels that are not compared yet.
    compare_at: Option<Timestamp>,
    accepts_unknown: bool,
    accepts_forgotten: Option<Decision>,
    /// Every HTLC that came in and was not collected, with its Entity.
    htlcs: BTreeMap<HtlcId, EntityId>,
    /// HTLCs on which our word was said, and which are not off their channel yet.
    words: Asking<HtlcId>,
    /// Sets whose preimage leaves.
    claims: BTreeMap<EntityId, Claiming>,
    /// When to ask again for the HTLCs that wait for our word.
    list_incoming_at: Option<Timestamp>,
    /// Timers that fire at a height.
    heights: BTreeSet<(BlockHeight, EntityId, EffectId)>,
    /// When to ask for the balances again that channels open with.
    open_books_at: Option<Timestamp>,
    questions: BTreeMap<RequestId, Question>,
    /// Invoices that the node signs.
    signings: BTreeMap<RequestId, Signing>,
    next_request: u64,
    jobs: Vec<Job>,
    /// What is announced, each with the cursor of the last event before its command.
    notices: VecDeque<(Effect, u64)>,
    /// The cursor of the last event that may be told of.
    ended: u64,
    /// What is over, until it is collected.
    finished: Finished,
    /// Callers that wait for what is still to come.
    waiters: Waiters,
    /// Servers of external Systems.
    served: Served,
    /// Where effects wait for their record; `None`: nothing is kept, and nothing waits.
    gate: Option<Gate>,
    /// Who hears of each System in its turn among the answers.
    announcer: Option<Announcer>,
}

/// Hears the announcement of a System: the body of `payecs_system_invoke`.
pub type Announcer = Box<dyn FnMut(Json) + Send>;

impl std::fmt::Debug for Driver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Driver")
            .field("now", &self.now)
            .field("engine", &self.engine)
            .field("parts", &self.parts.len())
            .field("asked", &self.asking.len())
            .field("htlcs", &self.htlcs.len())
            .field("words", &self.words.len())
            .field("waiters", &self.waiters)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver that knows its node's view and graph, and has asked for its balances: the books
    /// open with the first [`Driver::poll`] that brings them.
    #[must_use]
    pub fn new(
        engine: Engine,
        node: Box<dyn Node>,
        planner: Box<dyn Planner>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Self {
        let mut driver = Self {
            engine,
            node,
            planner,
            entropy,
            now,
            timers: BTreeSet::new(),
            parts: BTreeMap::new(),
            asking: Asking::default(),
            late_words: LateWords::default(),
            orphans: Orphans::default(),
            asked: None,
            reconciliation: Reconciliation::None,
            compare_at: None,
            accepts_unknown: false,
            accepts_forgotten: None,
            htlcs: BTreeMap::new(),
            words: Asking::default(),
            claims: BTreeMap::new(),
            list_incoming_at: None,
            heights: BTreeSet::new(),
            open_books_at: None,
            questions: BTreeMap::new(),
            signings: BTreeMap::new(),
            next_request: 1,
            jobs: Vec::new(),
            notices: VecDeque::new(),
            ended: 0,
            finished: Finished::default(),
            waiters: Waiters::default(),
            served: Served::default(),
            gate: None,
            announcer: None,
        };
        driver.engine.note_lists();
        driver.ended = driver.ends();
        driver.refresh_view();
        driver.refresh_graph();
        driver.ask(Question::Balances, NodeRequest::Balances);
        driver
    }

    /// The engine, to read.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many parts were offered to the node whose outcome is awaited.
    pub(crate) fn parts_in_flight(&self) -> usize {
        self.parts.len()
    }

    /// How many payments are over, and not collected yet.
    pub(crate) fn payments_kept(&self) -> usize {
        self.finished.payments()
    }

    /// Whether the flow's Systems are announced too.
    pub fn announce_all(&mut self, announce: bool) {
        self.engine.announce_all(announce);
    }

    /// What runs of Systems are timed by where somebody looks, and whether all are.
    pub(crate) fn time_runs(&mut self, stopwatch: Stopwatch, all: bool) {
        self.engine.set_stopwatch(stopwatch);
        self.engine.measure_runs(all);
    }

    /// From now on every System is announced to that one, in its turn: before the answer to the
    /// call that it ran in. It is no notice then.
    pub fn announce_to(&mut self, announcer: Announcer) {
        self.announcer = Some(announcer);
    }

    /// The moment of the last command.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Does something with the engine as one command: time and randomness are fresh, and what it
    /// asks for outside is done.
    pub fn command<R>(&mut self, now: Timestamp, command: impl FnOnce(&mut Engine) -> R) -> R {
        self.begin(now);
        let answer = command(&mut self.engine);
        self.perform_effects();
        answer
    }

    /// Makes a payment of these Components, with the default list and `main-payment`, and advances
    /// it. The caller's own `lightningd:systems` is kept.
    ///
    /// # Errors
    /// A Component is refused; then there is no payment.
    pub fn start_payment(&mut self, now: Timestamp, components: Write) -> Result<EntityId, Error> {
        self.command(now, |engine| start_payment(engine, components))
    }

    /// Takes everything that is due: the node's events, timers, questions to be asked again.
    pub fn poll(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let events = self.node.poll(self.now);
        if !events.is_empty() {
            // Before the events: what a failed part gives back is there for the plan that follows.
            self.refresh_view();
        }
        for event in events {
            self.take_event(event);
        }
        self.fire_at_height();
        self.fire_timers();
        self.ask_again();
        self.expire();
        self.clean();
        self.let_waiters_look();
        self.let_servers_leave();
        self.collect_finished();
    }

    /// When there is something to poll next. `None`: nothing is under way but plans, no receipt
    /// expires, nothing that is over is to be collected, and nobody waits who would give up.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(at, _, _)| *at);
        let asked = [self.asking.next_at(), self.words.next_at()];
        let again = [self.open_books_at, self.list_incoming_at, self.finished.next_at()];
        let others = [self.node.next_event_at(), timer];
        let late = [self.late_words.next_at(), self.reconcile_at()];
        let receipts = [self.expire_at(), self.clean_at()];
        let again = again.into_iter().chain([self.waiters.next_at(self.now)]);
        let all = asked.into_iter().chain(others).chain(late).chain(receipts).chain(again);
        all.flatten().min()
    }

    /// Has the backend call when an event arrives between polls.
    pub fn set_waker(&mut self, waker: std::task::Waker) {
        self.node.set_waker(waker);
    }

    /// The plans to be made elsewhere, each once.
    #[must_use]
    pub fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// What nobody waits for: announcements and events, in order.
    #[must_use]
    pub fn take_notices(&mut self) -> Vec<Effect> {
        self.take_notices_with_cursors().map(|(effect, _)| effect).collect()
    }

    /// The same, each with the cursor of the last event before its command.
    pub(crate) fn take_notices_with_cursors(&mut self) -> impl Iterator<Item = (Effect, u64)> + '_ {
        self.notices.drain(..)
    }

    /// Runs everything that is under way until `until`, jumping from event to event: for backends
    /// on a virtual clock. Answers when nothing was left, or `until`.
    pub fn run_until(&mut self, until: Timestamp) -> Timestamp {
        loop {
            for job in self.take_jobs() {
                let plan = (job.run)();
                self.finish_plan(self.now, job.id, plan);
            }
            if !self.jobs.is_empty() {
                continue;
            }
            match self.next_at() {
                Some(at) if at <= until => self.poll(at),
                _ => return self.now,
            }
        }
    }

    /// Puts something else in the node's place, and answers with what was there. Requests and
    /// events are not moved.
    pub(crate) fn swap_node(
        &mut self,
        other: impl FnOnce(&dyn Node) -> Box<dyn Node>,
    ) -> Box<dyn Node> {
        let other = other(&*self.node);
        std::mem::replace(&mut self.node, other)
    }

    fn begin(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.engine.begin(Inputs { now_ms: self.now.0, entropy: self.entropy.draw() });
    }

    /// Gives an effect its reply, and does what follows from it.
    fn reply(&mut self, entity: EntityId, effect: EffectId, writes: &[Write]) {
        if let Err(error) = self.engine.reply(entity, effect, writes) {
            tracing::error!(target: "payflow::driver", %entity, %error, "own reply refused");
        }
        self.perform_effects();
    }

    fn ask(&mut self, question: Question, request: NodeRequest) {
        self.questions.insert(RequestId(self.next_request), question);
        self.offer(request);
    }

    fn refresh_view(&mut self) {
        self.engine.insert_resource(self.node.view().clone());
    }

    fn refresh_graph(&mut self) {
        self.engine.insert_resource(GraphView(self.planner.graph()));
    }
}
