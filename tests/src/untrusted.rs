//! What strangers may send: what never happens, whatever it is. Tests try it with random input,
//! and `tests/fuzz` with a fuzzer.

mod plans;

pub use plans::planned;

use bech32::{Fe32, Fe32IterExt, Hrp};
use ecs_core::{
    Caller, Engine, ErrorObject, INTERNAL, INVALID_PARAMS, Inputs, Json, Method, Reply,
};
use ecs_systems::{bolt11, errors, policy::Policy};
use ledger_store::{MemoryLedger, MemoryReceipts};
use payflow_default::app::{Parts, engine};
use rpc_bridge::{
    Asked, BoxFuture, Broken, Feed, Grant, Limits, Objects, Out, Outcome, Peer, Service, Topic,
    read as read_pipe,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::{pending, ready},
    ops::ControlFlow,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// When calls are made: examples of invoices have expired then.
const NOW_MS: u64 = 1_700_000_000_000;
/// Most calls of one run.
const CALLS_MAX: usize = 32;
/// Largest request of one run, in bytes.
const REQUEST_BYTES_MAX: u32 = 4_096;

/// An engine with everything but a node.
///
/// # Panics
/// Never: its plugins fit together.
#[must_use]
pub fn fresh() -> Engine {
    let mut app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("us")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .expect("its plugins fit together");
    app.record_changes(true);
    app
}

/// Calls one after the other, each on a line of its own: a method, a blank, and its params.
///
/// # Panics
/// Where a call panics, is refused with a code that nobody explains, or is refused and has
/// written something nevertheless.
pub fn calls(text: &str) {
    let mut app = fresh();
    let _made = app.take_delta();
    for line in text.lines().take(CALLS_MAX) {
        let (method, params) = line.split_once(' ').unwrap_or((line, ""));
        let Ok(params) = Json::parse(params) else { continue };
        let _refused = call(&mut app, method, &params);
    }
}

/// One call; what came of it. What is still to come is not waited for.
fn call(app: &mut Engine, method: &str, params: &Json) -> Outcome {
    let inputs = Inputs { now_ms: NOW_MS, ..Inputs::default() };
    let owner = Caller::owner();
    // A question that is judged changes nothing, whatever it says of what is asked.
    let with_name = [Json::of(method)].into_iter().chain(params.items().unwrap_or_default());
    let _judged = app.call(&owner, inputs, "check", Some(&Json::array(with_name)));
    assert_eq!(app.take_delta(), None, "`check` of {method} {params} has written");
    let outcome = app.call(&owner, inputs, method, Some(params));
    let wrote = app.take_delta().is_some();
    if let Err(error) = &outcome {
        // That an advance could not be done is told in `lightningd:systems` too.
        let is_told = method == "payecs_advance" && [2_200, 2_201].contains(&error.code);
        assert!(!wrote || is_told, "{method} {params}: {error:?} has written");
    }
    let outcome = outcome.and_then(|reply| said(app, reply));
    if let Err(error) = &outcome {
        assert!(errors::of(error.code).is_some(), "{method} {params}: nobody explains {error:?}");
    }
    outcome
}

/// The answer, as far as it is there already.
fn said(app: &Engine, reply: Reply) -> Outcome {
    match reply {
        Reply::Now(json) => Ok(json),
        Reply::Elsewhere(work) => work(),
        Reply::Later(mut later) => match (later.look)(app) {
            Some(reply) => reply.and_then(|reply| said(app, reply)),
            None => Ok(Json::null()),
        },
    }
}

/// Bytes as a plugin's stdin brings them, in pieces of so many.
///
/// # Panics
/// Where how the bytes are cut makes a difference, or what is written is no answer of JSON-RPC.
pub fn piped(bytes: &[u8], cut: usize) {
    let written = written(bytes, cut);
    assert_eq!(written, self::written(bytes, bytes.len()), "cut after {cut} bytes");
    assert!(written.is_empty() || written.ends_with("\n\n"), "{written}");
    for text in written.split_terminator("\n\n") {
        let answer = Json::parse(text).expect("an answer is JSON");
        let _refused = judge(&answer);
    }
}

/// What is written to a plugin's stdout.
fn written(bytes: &[u8], cut: usize) -> String {
    let limits = Limits { request_bytes: REQUEST_BYTES_MAX, ..Limits::default() };
    let out = Out::new(ErrorObject::new(INTERNAL, "a request without an answer"));
    let mut written = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| out.write_all(&mut written, &limits));
        let mut piped = Piped { app: fresh(), calls: 0 };
        let read = read_pipe(Pieces { bytes, cut: cut.max(1) }, &out, &limits, &mut piped);
        read.expect("bytes can be read");
        assert!(out.wait_until_answered(Duration::ZERO), "each request is answered");
        out.close();
    });
    String::from_utf8(written).expect("JSON is UTF-8")
}

/// Bytes that come in pieces.
struct Pieces<'a> {
    bytes: &'a [u8],
    cut: usize,
}

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let count = self.cut.min(to.len()).min(self.bytes.len());
        let (some, rest) = self.bytes.split_at(count);
        to[..count].copy_from_slice(some);
        self.bytes = rest;
        Ok(count)
    }
}

/// An engine behind a pipe.
struct Piped {
    app: Engine,
    calls: usize,
}

impl Peer for Piped {
    fn take(&mut self, asked: Vec<Asked>) {
        for Asked { method, params, answer } in asked {
            self.calls += 1;
            let _taken = self.app.take_delta();
            let nothing = Json::array([]);
            let outcome = if self.calls <= CALLS_MAX {
                call(&mut self.app, &method, params.as_ref().unwrap_or(&nothing))
            } else {
                Ok(nothing)
            };
            answer.give(outcome);
        }
    }

    fn hear(&mut self, _: &str, _: Option<&Json>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Bytes as the unix socket reads them, and each request in them as every transport answers it.
///
/// # Panics
/// Where how the bytes are cut makes a difference, an answer is no answer of JSON-RPC, or a
/// request is refused as no call and was one nevertheless.
pub fn messages(bytes: &[u8], cut: usize) {
    let (found, broken) = values(bytes, cut);
    let (whole, ended) = values(bytes, bytes.len());
    assert_eq!((&found, broken), (&whole, ended), "cut after {cut} bytes");
    let alone = Alone::new();
    for value in found.iter().take(CALLS_MAX) {
        let before = alone.calls();
        let Some(text) = answered(&alone, value) else { continue };
        let answer = Json::parse(&text).expect("an answer is JSON");
        let answers = answer.items().unwrap_or_else(|| vec![answer]);
        assert!(!answers.is_empty(), "an empty batch is no answer");
        let refused = answers.iter().filter(|one| judge(one)).count();
        let done = alone.calls() - before;
        assert!(done <= Limits::default().batch as usize, "{done} calls in a batch");
        assert!(refused < answers.len() || done == 0 || answers.len() > 1, "{text} was done");
    }
}

/// The values in a stream that comes in pieces of so many bytes, and why it can't be read on.
fn values(bytes: &[u8], cut: usize) -> (Vec<Vec<u8>>, Option<Broken>) {
    let (mut objects, mut found) = (Objects::new(REQUEST_BYTES_MAX as usize), Vec::new());
    for mut some in bytes.chunks(cut.max(1)) {
        loop {
            match objects.next(&mut some) {
                Ok(Some(value)) => found.push(value),
                Ok(None) => break,
                Err(broken) => return (found, Some(broken)),
            }
        }
    }
    (found, None)
}

/// Whether an answer says that nothing was called.
fn judge(answer: &Json) -> bool {
    let fields = answer.fields().expect("an answer is an object");
    let has = |name: &str| fields.contains_key(name);
    assert!(fields["jsonrpc"].text() == "\"2.0\"" && has("id"), "{answer}");
    assert!(has("result") != has("error") && fields.len() == 3, "{answer}");
    let Some(error) = fields.get("error") else { return false };
    let error: ErrorObject = error.decode().expect("an error object");
    assert!(errors::of(error.code).is_some(), "nobody explains {answer}");
    [-32_700, -32_600, -32_007].contains(&error.code)
}

/// What is answered to a text.
fn answered(alone: &Arc<Alone>, text: &[u8]) -> Option<String> {
    let service: Arc<dyn Service> = Arc::clone(alone) as Arc<dyn Service>;
    let grant = Arc::new(Grant::owner("stranger"));
    let limits = Limits { request_bytes: REQUEST_BYTES_MAX, ..Limits::default() };
    let mut answer = pin!(rpc_bridge::answer(&service, &grant, &limits, text));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nothing waits here"),
    }
}

/// An engine as transports have it: nobody waits for anything.
struct Alone {
    engine: Mutex<(Engine, usize)>,
    methods: BTreeMap<&'static str, &'static Method>,
}

impl Alone {
    fn new() -> Arc<Self> {
        let app = fresh();
        let methods = app.methods().map(|method| (method.name, method)).collect();
        Arc::new(Self { engine: Mutex::new((app, 0)), methods })
    }

    /// How many calls have reached it.
    fn calls(&self) -> usize {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl Service for Alone {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        &self.methods
    }

    fn call(
        &self,
        _: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        engine.1 += 1;
        let _taken = engine.0.take_delta();
        let outcome = call(&mut engine.0, &method, &params.unwrap_or_else(|| Json::array([])));
        Box::pin(ready(outcome))
    }

    fn subscribe(
        &self,
        _: Topic,
        _: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        Box::pin(ready(Ok(Box::new(Silence) as Box<dyn Feed>)))
    }

    fn serve(
        &self,
        _: Arc<Grant>,
        _: Vec<String>,
        _: Option<u32>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        Box::pin(ready(Ok(Box::new(Silence) as Box<dyn Feed>)))
    }
}

/// Nothing is told.
struct Silence;

impl Feed for Silence {
    fn next(&mut self) -> BoxFuture<'_, Option<rpc_bridge::Heard>> {
        Box::pin(pending())
    }
}

/// An invoice: its text, and where that has no checksum the data with a right one, so that what
/// is behind it is read.
///
/// # Panics
/// Where reading panics, or the letters' case makes a difference.
pub fn invoice(prefix: &str, data: &[u8]) {
    read(prefix);
    let groups = data.iter().map(|byte| Fe32::try_from(byte & 31).expect("it has five bits"));
    let Ok(prefix) = Hrp::parse(&prefix.to_ascii_lowercase()) else { return };
    let text: String = groups.with_checksum::<Bolt11>(&prefix).chars().collect();
    read(&text);
}

/// BECH32 as BOLT 11 has it: of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bolt11 {}

impl bech32::Checksum for Bolt11 {
    type MidstateRepr = u32;
    const CODE_LENGTH: usize = usize::MAX;
    const CHECKSUM_LENGTH: usize = bech32::Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = bech32::Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = bech32::Bech32::TARGET_RESIDUE;
}

thread_local! {
    /// Who is asked to decode, which changes nothing.
    static DECODER: RefCell<Engine> = RefCell::new(fresh());
}

fn read(text: &str) {
    let found = bolt11::decode(text);
    if found.is_ok() {
        assert_eq!(found, bolt11::decode(&text.to_ascii_uppercase()), "{text}");
        let written = format!(" LightninG:{}\n", bolt11::stripped(text));
        assert_eq!(found, bolt11::decode(&written), "{text}");
    }
    let asked = DECODER.with_borrow_mut(|app| {
        let inputs = Inputs { now_ms: NOW_MS, ..Inputs::default() };
        let reply =
            app.call(&Caller::owner(), inputs, "decode", Some(&Json::array([Json::of(text)])));
        reply.and_then(|reply| said(app, reply))
    });
    match asked {
        Ok(told) => {
            let told = told.fields().expect("an object");
            assert_eq!(told["valid"].text() == "true", found.is_ok(), "{text}");
        }
        Err(error) => assert!(found.is_err() && error.code == INVALID_PARAMS, "{text}: {error:?}"),
    }
}
