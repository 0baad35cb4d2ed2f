//! External Systems that mean no good, or are bad at it: a table, one row for each, and a program
//! that serves them all with one token.

use crate::{Asker, Driver, Outlet};
use ecs_core::{Caller, ErrorObject, Invoke, Json, Quota, Quotas, Reply, Scope};
use ecs_systems::units::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How long each of them may take.
const TIMEOUT_S: u64 = 2;
/// Entities that their token may make.
const ENTITIES_MAX: u64 = 10;

/// What the program does, so long after it was given an invocation.
type Moves = Vec<(u64, Move)>;

/// Something that the program does.
#[derive(Clone, Debug)]
enum Move {
    /// It calls a method.
    Call(&'static str, String),
    /// It goes away with all that it has, and comes back.
    Leave,
}

/// An external System.
pub(super) struct Stranger {
    pub(super) name: &'static str,
    /// It matches where this is attached,
    on: &'static str,
    /// and this is not.
    unless: &'static str,
    /// What is done about an invocation of it.
    does: fn(&Work) -> Moves,
}

/// An invocation: its Entity and its number.
pub(super) struct Work {
    entity: String,
    number: u64,
}

impl Work {
    /// Writes this, and goes on.
    fn writes(&self, components: &str) -> Move {
        let Self { entity, number } = self;
        let writes = format!(r#"{{"entity":{entity},{components}}}"#);
        let params = format!(r#"{{"entity":{entity},"invocation":{number},"writes":{writes}}}"#);
        Move::Call("payecs_advance", params)
    }

    /// Answers as it should.
    fn done(&self) -> Move {
        self.writes(r#""stranger:done":true"#)
    }

    /// The Entity as the only param.
    fn calls(&self, method: &'static str) -> Move {
        Move::Call(method, format!("[{}]", self.entity))
    }
}

/// The Systems.
pub(super) const STRANGERS: &[Stranger] = &[
    stranger("stranger:good", "lightningd:amount", |work| vec![(50, work.done())]),
    stranger("stranger:silent", "lightningd:claim", |_| Vec::new()),
    stranger("stranger:silent_early", "lightningd:invoice", |_| Vec::new()),
    stranger("stranger:silent_part", "lightningd:part", |_| Vec::new()),
    stranger("stranger:slow_part", "lightningd:part", |work| vec![(1_900, work.done())]),
    stranger("stranger:twice", "lightningd:claim", |work| {
        vec![(50, work.done()), (50, work.done()), (60, work.calls("payecs_advance"))]
    }),
    stranger("stranger:late", "lightningd:reservation", |work| {
        vec![(1_000 * TIMEOUT_S + 500, work.done())]
    }),
    stranger("stranger:idle", "lightningd:plan", |work| {
        let Work { entity, number } = work;
        let params = format!(r#"{{"entity":{entity},"invocation":{number}}}"#);
        vec![(10, Move::Call("payecs_advance", params))]
    }),
    stranger("stranger:spins", "lightningd:claim", |work| {
        vec![(700, work.writes(&format!(r#""stranger:turn":{}"#, work.number)))]
    }),
    stranger("stranger:meddles", "lightningd:claim", |work| {
        let preimage = format!(r#""lightningd:preimage":"{}""#, "00".repeat(32));
        vec![
            (10, work.writes(&preimage)),
            (20, work.writes(r#""lightningd:amount":"9999999999999msat""#)),
            (30, work.writes(r#""lightningd:reservation":null,"lightningd:claim":null"#)),
            (40, work.writes(r#""rogue:done":true"#)),
            (50, work.writes(r#""exact":true"#)),
            (60, work.calls("payecs_delentity")),
            (70, work.done()),
        ]
    }),
    stranger("stranger:unlists", "lightningd:parts:open", |work| {
        vec![(10, work.writes(r#""lightningd:systems":null"#)), (20, work.done())]
    }),
    stranger("stranger:errs", "lightningd:parts:open", |work| {
        vec![(10, work.writes(r#""lightningd:error":{"code":7004,"message":"a stranger"}"#))]
    }),
    stranger("stranger:fails_part", "lightningd:part", |work| {
        vec![(10, work.writes(r#""lightningd:error":{"code":7005,"message":"a stranger"}"#))]
    }),
    stranger("stranger:floods", "lightningd:amount", |work| {
        let write = |entity: u32| format!(r#"{{"entity":{entity},"stranger:flood":true}}"#);
        let all: Vec<String> = (4_000_000_000..4_000_000_100).map(write).collect();
        let at_once = Move::Call("payecs_setcomponents", format!("[[{}]]", all.join(",")));
        let calls = all.iter().map(|one| Move::Call("payecs_setcomponents", format!("[{one}]")));
        let calls = std::iter::once(at_once).chain(calls).chain([work.done()]);
        calls.map(|call| (10, call)).collect()
    }),
    stranger("stranger:dies", "lightningd:attempt", |_| vec![(5, Move::Leave)]),
    stranger("stranger:quits", "lightningd:claim", |_| {
        let own = r#"["stranger:quits"]"#.to_owned();
        vec![(10, Move::Call("payecs_removesystem", own)), (20, Move::Leave)]
    }),
];

const fn stranger(name: &'static str, on: &'static str, does: fn(&Work) -> Moves) -> Stranger {
    Stranger { name, on, unless: "stranger:done", does }
}

/// The program that serves them, as long as an engine lives.
pub(super) struct Program {
    heard: Heard,
    /// What it is about to do, in order.
    due: BTreeMap<(Timestamp, u64), Move>,
    moves: u64,
}

/// What it was given and has not looked at. It is a new one each time that it comes.
#[derive(Clone, Default)]
struct Heard {
    invokes: Arc<Mutex<Vec<Invoke>>>,
    has_left: Arc<AtomicBool>,
}

impl Outlet for Heard {
    fn give(&self, invoke: Invoke) {
        self.invokes.lock().unwrap_or_else(PoisonError::into_inner).push(invoke);
    }

    fn is_gone(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    fn end(self: Box<Self>, _: ErrorObject) {}
}

/// Does not listen to answers.
struct Deaf;

impl Asker for Deaf {
    fn answer(self: Box<Self>, _: Result<Reply, ErrorObject>) {}

    fn is_gone(&self) -> bool {
        false
    }
}

/// A token that writes its own names and the documented inputs.
fn token() -> Caller {
    Caller {
        token: Some("stranger".into()),
        writes: Some(["stranger:".to_owned()].into()),
        ..Caller::with([Scope::Read, Scope::Flow])
    }
}

impl Program {
    /// Registers the Systems, and serves them.
    pub(super) fn begin(driver: &mut Driver, now: Timestamp) -> Self {
        let quotas = Quotas::default().with(Quota::TokenEntities, ENTITIES_MAX);
        let quotas = quotas.expect("it is less than the most");
        driver.command(now, |engine| engine.set_quotas(quotas));
        let mut program = Self { heard: Heard::default(), due: BTreeMap::new(), moves: 0 };
        program.come(driver, now);
        program
    }

    /// Registers what is not there, and begins to serve.
    fn come(&mut self, driver: &mut Driver, now: Timestamp) {
        for Stranger { name, on, unless, .. } in STRANGERS {
            call(driver, now, "payecs_newsystem", &Json::of(&(name, on, unless, TIMEOUT_S)));
        }
        self.heard = Heard::default();
        let names: Vec<String> = STRANGERS.iter().map(|it| it.name.to_owned()).collect();
        let outlet = Box::new(self.heard.clone());
        let served = driver.serve(now, (&token(), &names, None), outlet);
        served.expect("they are registered");
    }

    /// Plans what to do about what it was given.
    pub(super) fn listen(&mut self, now: Timestamp) {
        let mut heard = self.heard.invokes.lock().unwrap_or_else(PoisonError::into_inner);
        for invoke in heard.drain(..) {
            let known = STRANGERS.iter().find(|it| it.name == invoke.system);
            let fields = invoke.entity.fields().unwrap_or_default();
            let (Some(stranger), Some(number)) = (known, invoke.invocation) else { continue };
            let entity = fields.get("entity").map(ToString::to_string).unwrap_or_default();
            for (after_ms, what) in (stranger.does)(&Work { entity, number }) {
                self.moves += 1;
                self.due.insert((now.after_ms(after_ms), self.moves), what);
            }
        }
    }

    /// When it does something next.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub(super) fn act(&mut self, driver: &mut Driver, now: Timestamp) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Move::Call(method, params) => {
                    let params = Json::parse(&params).expect("the table has JSON");
                    call(driver, now, method, &params);
                }
                Move::Leave => {
                    self.heard.has_left.store(true, Ordering::Relaxed);
                    self.come(driver, now);
                }
            }
        }
    }
}

fn call(driver: &mut Driver, now: Timestamp, method: &str, params: &Json) {
    driver.call_method(now, &token(), (method, Some(params)), Box::new(Deaf));
}
