//! The engine: one world, one writer.

use crate::{
    EntityId, Error,
    commit::change::Change,
    component::{TypedComponent, WireComponent},
    declared::Additions,
    delta::{
        Recording,
        shared::{SinceSnapshot, Values},
    },
    dispatch::Lists,
    effect::Effect,
    error::Refusal,
    inputs::{Entities, Inputs},
    life::Lives,
    method::{Method, Scope, explainer::Explainer},
    methods,
    names::Names,
    plugin::owner_of,
    queue::Queue,
    quotas::{Held, Quotas},
    registry::{Owner, Registry, SystemIndex},
    serving::Servers,
    system::{Answer, On, SystemDef},
    systems::{Failed, Failing, Systems, SystemsFinal},
    trace::{Spans, Traces},
    waits::{Join, JoinDone, Waits, WakeAt},
    write::{Record, Write},
};
use bevy_ecs::{
    component::ComponentId,
    entity::Entity,
    error::{BevyError, ErrorContext, FallbackErrorHandler},
    resource::Resource,
    system::{IntoSystem, ReadOnlySystem},
    world::World,
};
use foldhash::HashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// Writes a record's lines beside the Components: all of them, or none with a refusal. Answers on
/// whose behalf, given the Entity whose System wrote them; given that answer it answers the same.
pub type Keeper = fn(&mut World, Option<EntityId>, &[Record]) -> Result<Option<EntityId>, Refusal>;

/// Says what an Entity comes to that no System matches, or whose System waits. Asked only where
/// nothing is awaited.
pub type AtRest = fn(&World, Entity) -> Rest;

/// When what the Entity stands for must be over, in milliseconds since 1970: no external System is
/// waited for past it. `None`: no bound but the System's own.
pub type Deadline = fn(&World, Entity) -> Option<u64>;

/// Whether nobody wants any more what an Entity stands for: an external System that has it when it
/// is woken is waited for no longer. One that begins later has its time.
pub type Unwanted = fn(&World, Entity) -> bool;

/// What an Entity without a matching System comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It waits for another Entity.
    Waiting,
    /// Nothing will happen by itself: 2201 is recorded where no System matches.
    Stuck,
    /// The engine writes this and scans again.
    Write(Write),
}

/// Runs Systems on Entities. Sans I/O: what is to be done outside comes out as [`Effect`]s, and
/// what came of it goes in through [`Engine::reply`].
pub struct Engine {
    pub(crate) world: World,
    pub(crate) lives: Lives,
    /// The Entity that was looked for last, and where it is: most of what a command does concerns
    /// one.
    pub(crate) last: Option<(EntityId, Entity)>,
    /// The time in the `Inputs`.
    pub(crate) now_ms: u64,
    pub(crate) names: Names,
    pub(crate) systems: Registry,
    pub(crate) lists: Lists,
    /// Empty between commits: its room is used again.
    pub(crate) judged: Vec<(EntityId, Change)>,
    /// The same.
    pub(crate) touched: Vec<EntityId>,
    pub(crate) traces: Traces,
    pub(crate) spans: Spans,
    pub(crate) systems_id: ComponentId,
    pub(crate) freezing: Vec<ComponentId>,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) at_rest: AtRest,
    pub(crate) deadline: Deadline,
    pub(crate) unwanted: Unwanted,
    pub(crate) flow: Vec<Arc<str>>,
    pub(crate) additions: Additions,
    pub(crate) default_list: Systems,
    pub(crate) replaceable_systems: Vec<Arc<str>>,
    pub(crate) epilogue: Vec<SystemIndex>,
    /// Components that lift the bounds on an Entity's life.
    pub(crate) lasting: Vec<ComponentId>,
    /// Components that only callers with that scope may write, and no token on what it made.
    pub(crate) guarded: BTreeMap<&'static str, Scope>,
    pub(crate) methods: BTreeMap<&'static str, &'static Method>,
    pub(crate) explainers: Vec<&'static Explainer>,
    pub(crate) queue: Queue,
    /// The steps each Entity took since the queue was last empty.
    pub(crate) steps: HashMap<EntityId, u32>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) next_effect: u64,
    pub(crate) next_invocation: u64,
    pub(crate) announces: bool,
    pub(crate) recording: Option<Recording>,
    /// What records share, and what those share that are replayed.
    pub(crate) shared: SinceSnapshot,
    pub(crate) replayed: Values,
    /// The counters as the last delta has them.
    pub(crate) recorded_counters: (EntityId, u64, u64),
    pub(crate) waits: Waits,
    pub(crate) servers: Servers,
    pub(crate) quotas: Quotas,
    pub(crate) held: Held,
    /// The token that calls now; `None`: the owner, or the engine itself.
    pub(crate) calling: Option<Arc<str>>,
    /// Components that an Entity waits by, or that others wait for. Empty during a restore.
    pub(crate) waiting: Vec<ComponentId>,
    /// Entities whose list came or went; `None`: nobody asks.
    pub(crate) listed: Option<BTreeSet<EntityId>>,
    /// What was attached wherever a list was scanned; `None`: nobody asks.
    pub(crate) scans: Option<Vec<Vec<Arc<str>>>>,
    /// Commands since bevy's notes of removals were dropped.
    pub(crate) commands_noted: u32,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Engine").field("entities", &self.entities().len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that knows `lightningd:systems`, `…:systems:final`, `…:failing` and `…:error`, and
    /// answers the `payecs_…` methods.
    #[must_use]
    pub fn new() -> Self {
        let mut world = World::new();
        world.insert_resource(Inputs::default());
        world.insert_resource(Entities::default());
        world.insert_resource(FallbackErrorHandler(log_bevy_error));
        let systems_id = world.register_component::<Systems>();
        let wake_at_id = world.register_component::<WakeAt>();
        let join_id = world.register_component::<Join>();
        let mut engine = Self {
            world,
            lives: Lives::default(),
            last: None,
            now_ms: 0,
            names: Names::default(),
            systems: Registry::default(),
            lists: Lists::default(),
            judged: Vec::new(),
            touched: Vec::new(),
            traces: Traces::default(),
            spans: Spans::default(),
            systems_id,
            freezing: Vec::new(),
            keeper: None,
            at_rest: |_, _| Rest::Stuck,
            deadline: |_, _| None,
            unwanted: |_, _| false,
            flow: Vec::new(),
            additions: Additions::default(),
            default_list: Systems::listing::<&str>([]),
            replaceable_systems: Vec::new(),
            epilogue: Vec::new(),
            lasting: Vec::new(),
            guarded: BTreeMap::new(),
            methods: BTreeMap::new(),
            explainers: Vec::new(),
            queue: Queue::default(),
            steps: HashMap::default(),
            effects: Vec::new(),
            next_effect: 1,
            next_invocation: 1,
            announces: false,
            recording: None,
            shared: SinceSnapshot::default(),
            replayed: Values::default(),
            recorded_counters: (EntityId::FIRST, 1, 1),
            waits: Waits::default(),
            servers: Servers::default(),
            quotas: Quotas::default(),
            held: Held::default(),
            calling: None,
            waiting: vec![systems_id, wake_at_id, join_id],
            listed: None,
            scans: None,
            commands_noted: 0,
        };
        engine.add_component::<Systems>();
        engine.add_component::<SystemsFinal>();
        engine.add_component::<Failing>();
        engine.add_component::<Failed>();
        engine.add_component::<WakeAt>();
        engine.add_component::<Join>();
        engine.add_component::<JoinDone>();
        for method in methods::ALL {
            engine.add_method(method);
        }
        engine
    }

    /// Registers a documented Component.
    ///
    /// # Panics
    /// If one of that name is registered.
    pub fn add_component<C: WireComponent>(&mut self) {
        let component = TypedComponent::of::<C>(&mut self.world);
        if component.spec.freezes {
            self.freezing.push(component.id);
        }
        self.names.add_typed(component);
    }

    /// Lets callers use any name under a prefix of ours, e.g. `lightningd:invoice:`.
    pub fn add_free_prefix(&mut self, prefix: &'static str) {
        self.names.add_free_prefix(prefix);
    }

    /// Registers a System of the default flow.
    ///
    /// # Errors
    /// The name is taken, or a Component it names is none.
    pub fn add_system<S, M>(&mut self, def: impl Into<SystemDef>, system: S) -> Result<(), Error>
    where
        S: IntoSystem<On, Answer, M>,
        S::System: ReadOnlySystem<In = On, Out = Answer>,
    {
        let parts = (&mut self.world, &mut self.names);
        self.systems.add_here(def.into(), Owner::BuiltIn, system, parts).map(|_| ())
    }

    /// Registers a third party's System. Its own names begin as its name does, up to the first
    /// colon; it may write those, and what callers may.
    /// ```
    /// # use ecs_core::{Engine, Json, On, Step, system};
    /// let mut app = Engine::new();
    /// app.add_payment_system(
    ///     system("acme:hello").requires(["lightningd:systems"]).disallows(["acme:greeted"]),
    ///     |_: On| Ok(Step::advance().attach_json("acme:greeted", Json::yes())),
    /// )
    /// .unwrap();
    /// ```
    ///
    /// # Errors
    /// The name has no prefix, is ours, or is taken; it requires nothing; a name is no name.
    pub fn add_payment_system<S, M>(&mut self, def: SystemDef, system: S) -> Result<(), Error>
    where
        S: IntoSystem<On, Answer, M>,
        S::System: ReadOnlySystem<In = On, Out = Answer>,
    {
        let owner = owner_of(&def.system)?;
        let parts = (&mut self.world, &mut self.names);
        self.systems.add_here(def, owner, system, parts).map(|_| ())
    }

    /// Sets the Systems of the default list that callers may replace by others.
    ///
    /// # Errors
    /// A System of it is not registered.
    pub fn set_replaceable_systems(&mut self, names: &[&str]) -> Result<(), Error> {
        self.check_registered(names)?;
        self.replaceable_systems = names.iter().map(|name| Arc::from(*name)).collect();
        Ok(())
    }

    /// Refuses names of which one is no registered System.
    ///
    /// # Errors
    /// Which one.
    pub fn check_registered<S: AsRef<str>>(&self, names: &[S]) -> Result<(), Error> {
        match names.iter().find(|name| !self.has_system(name.as_ref())) {
            Some(name) => Err(Error::Invalid(format!("Unregistered system: {}", name.as_ref()))),
            None => Ok(()),
        }
    }

    /// Names a System that is tried where nothing of the list matches, listed or not.
    ///
    /// # Errors
    /// It is not registered.
    pub fn add_epilogue(&mut self, name: &str) -> Result<(), Error> {
        self.check_registered(&[name])?;
        self.epilogue.extend(self.systems.find(name));
        Ok(())
    }

    /// Sets who keeps the lines written beside the Components.
    pub fn set_keeper(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// Sets who says what an Entity without a matching System comes to.
    pub fn set_at_rest(&mut self, at_rest: AtRest) {
        self.at_rest = at_rest;
    }

    /// Sets who says how long external Systems may be waited for.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Sets who says for what external Systems are waited for no longer.
    pub fn set_unwanted(&mut self, unwanted: Unwanted) {
        self.unwanted = unwanted;
    }

    /// Lifts the bounds on an Entity's life while that Component is attached: something else bounds
    /// it.
    pub fn lift_life_bounds<C: WireComponent>(&mut self) {
        self.lasting.push(self.world.register_component::<C>());
    }

    /// Lets only callers with that scope write a Component, and on no Entity that their own token
    /// made.
    pub fn guard_component(&mut self, name: &'static str, scope: Scope) {
        self.guarded.insert(name, scope);
    }

    /// Gives Systems something to read.
    pub fn insert_resource<R: Resource>(&mut self, resource: R) {
        self.world.insert_resource(resource);
    }

    /// What Systems read.
    #[must_use]
    pub fn resource<R: Resource>(&self) -> Option<&R> {
        self.world.get_resource::<R>()
    }

    /// What Systems read, to change it between commands.
    #[must_use]
    pub fn resource_mut<R: Resource<Mutability = bevy_ecs::component::Mutable>>(
        &mut self,
    ) -> Option<bevy_ecs::change_detection::Mut<'_, R>> {
        self.world.get_resource_mut::<R>()
    }

    /// Whether built-in Systems are announced too: only while someone watches.
    pub fn announce_all(&mut self, announce: bool) {
        self.announces = announce;
    }

    /// Notes from now on what is attached to an Entity whenever its list is scanned. For tests that
    /// ask where what a System requires or disallows makes a difference.
    /// ```
    /// # use ecs_core::{Engine, Json, Systems, Write, Writer};
    /// let mut app = Engine::new();
    /// app.note_scans();
    /// let entity = app.new_entity();
    /// let list = Write::to(entity).attach(&Systems::listing([""; 0]));
    /// app.set_components(&Writer::Caller, &[list.attach_json("acme:x", Json::yes())], &[])?;
    /// app.advance(entity, None).unwrap_err();
    /// assert_eq!(app.take_scans(), [["acme:x".into(), "lightningd:systems".into()]]);
    /// assert!(app.take_scans().is_empty());
    /// # Ok::<(), ecs_core::Error>(())
    /// ```
    pub fn note_scans(&mut self) {
        self.scans.get_or_insert_default();
    }

    /// The names that were attached at each scan since the last call, in order; those of one scan
    /// are in byte order. Empty unless [`Engine::note_scans`] was called.
    #[must_use]
    pub fn take_scans(&mut self) -> Vec<Vec<Arc<str>>> {
        self.scans.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// What bevy reports of its own accord is logged: its default would panic.
#[expect(clippy::needless_pass_by_value, reason = "bevy gives the signature")]
fn log_bevy_error(error: BevyError, context: ErrorContext) {
    tracing::error!(target: "payecs::system", system = %context.name(), %error, "bevy reported");
}
