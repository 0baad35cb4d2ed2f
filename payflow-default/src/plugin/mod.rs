//! `payecs-plugin`: the engine as a plugin of Core Lightning, on stdin and stdout.
//!
//! A thread reads requests, one writes answers and announcements; the engine has its own. This one
//! waits for the end: of the input, of the engine, or by a signal. docs/PLUGIN-PROCESS.md says how
//! lightningd starts it.

mod names;
mod options;
mod autoclean;
mod manifest;
mod log;
mod running;
mod asked;

use crate::{
    app::{Parts, bundled, engine},
    cli::{
        demo::{
            DemoError,
            opening::{Looked, Opening},
        },
        log::Sending,
    },
    service::{EndsFeed, SIM_INVOICE},
    shell::{Ended, Handle, ShellError},
};
use asked::{Plugin, State};
use clap::Parser;
use ecs_core::{ErrorObject, Method};
use ecs_systems::{policy::Policy, refusal::SHUTDOWN};
use ledger_store::{MemoryLedger, MemoryReceipts};
use rpc_bridge::{Feed, Heard, Limits, Out, read};
use std::{
    collections::BTreeMap,
    future::pending,
    io::{self, IsTerminal},
    process::ExitCode,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tracing::Level;

/// Largest request, in bytes. What it changes is one record of the journal, which has at most
/// 16 MiB: the many short words of a request become no more than five times as long there.
const REQUEST_BYTES_MAX: u32 = 2 << 20;
/// Largest answer, in bytes.
const RESPONSE_BYTES_MAX: u32 = 64 << 20;
/// How often is looked whether new payments are taken on, before they are.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Answers that are found out on other threads at a time.
const ELSEWHERE_MAX: usize = 4;

/// The payment engine as a plugin of Core Lightning.
///
/// lightningd starts it: `plugin=/path/to/payecs-plugin` in its configuration, or `lightning-cli
/// plugin start /path/to/payecs-plugin`. It speaks JSON-RPC on stdin and stdout. Its options stand
/// in lightningd's configuration and begin with `payecs-`; `lightningd --help` lists them once it
/// knows the plugin. The engine runs on a simulated network: no channel of the node is used.
///
/// Commands are those of `payecs serve`. A name that lightningd has itself begins with `payecs-`
/// here: `payecs-pay`, `payecs-decode`, `payecs-getinfo`.
///
/// Exit codes: 0 the input ended, or a stop was asked for; 1 ended by a fault; 2 not started by
/// lightningd.
#[derive(Debug, Parser)]
#[command(name = "payecs-plugin", version)]
struct Line {
    /// What lightningd that runs with `--developer` gives each plugin: nothing is different here.
    #[arg(long, hide = true)]
    developer: bool,
}

/// What this thread waits for.
enum Event {
    /// The engine runs.
    Started {
        handle: Handle,
        received: EndsFeed,
        thread: JoinHandle<Ended>,
        spans: Option<Sending>,
    },
    /// The engine has ended.
    Ended(Result<(), DemoError>),
    /// There is nothing more to read.
    Read(io::Result<()>),
    /// Nothing more is written.
    Written,
}

/// Runs until the input ends, a stop is asked for, or the engine ends.
#[must_use]
pub fn run() -> ExitCode {
    let Line { developer: _ } = Line::parse();
    if io::stdin().is_terminal() {
        eprintln!("payecs-plugin is started by lightningd: see payecs-plugin --help");
        return ExitCode::from(2);
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("payecs-plugin: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why it ends otherwise than it should.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("{0}")]
    Engine(#[from] DemoError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn serve() -> Result<(), RunError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(ELSEWHERE_MAX).build()?;
    let limits = Limits {
        request_bytes: REQUEST_BYTES_MAX,
        response_bytes: RESPONSE_BYTES_MAX,
        ..Limits::default()
    };
    let out = Out::new(ErrorObject::new(SHUTDOWN, ShellError::Stopped.to_string()));
    let (events, heard) = unbounded_channel();
    start_writing(&out, &limits, &events)?;
    start_reading(&out, &limits, &events, &runtime)?;
    let ended = runtime.block_on(until_the_end(&out, &limits, (&events, heard)));
    // A thread that reads may be in the middle of it: the process ends with this one.
    runtime.shutdown_background();
    ended
}

fn start_writing(out: &Out, limits: &Limits, events: &UnboundedSender<Event>) -> io::Result<()> {
    let (out, limits, events) = (out.clone(), limits.clone(), events.clone());
    let write = move || {
        if let Err(error) = out.write_all(io::stdout(), &limits) {
            eprintln!("payecs-plugin: nothing more can be written: {error}");
        }
        let _ends = events.send(Event::Written);
    };
    thread::Builder::new().name("payecs-stdout".to_owned()).spawn(write)?;
    Ok(())
}

fn start_reading(
    out: &Out,
    limits: &Limits,
    events: &UnboundedSender<Event>,
    runtime: &Runtime,
) -> Result<(), RunError> {
    let mut plugin = Plugin {
        out: out.clone(),
        events: events.clone(),
        methods: names::named(table()?.into_values()),
        elsewhere: runtime.handle().clone(),
        state: State::New,
    };
    let (out, limits, events) = (out.clone(), limits.clone(), events.clone());
    let read = move || {
        let ended = read(io::stdin(), &out, &limits, &mut plugin);
        let _ends = events.send(Event::Read(ended));
    };
    thread::Builder::new().name("payecs-stdin".to_owned()).spawn(read)?;
    Ok(())
}

/// The methods of an engine on a simulated network, before there is one.
fn table() -> Result<BTreeMap<&'static str, &'static Method>, DemoError> {
    let mut engine = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new("us")),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: bundled(),
    })?;
    engine.add_method(&SIM_INVOICE);
    Ok(engine.methods().map(|method| (method.name, method)).collect())
}

async fn until_the_end(
    out: &Out,
    limits: &Limits,
    (events, mut heard): (&UnboundedSender<Event>, UnboundedReceiver<Event>),
) -> Result<(), RunError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let (mut engine, mut received, mut sent, mut written) = (None, None, None, false);
    let ended = loop {
        let opened = engine.clone();
        let event = tokio::select! {
            event = heard.recv() => event,
            _ = terminated.recv() => break Ok(()),
            _ = tokio::signal::ctrl_c() => break Ok(()),
            _ = async { tokio::join!(open(out, opened), tell_of(&mut received, out)) } => continue,
        };
        match event {
            Some(Event::Started { handle, received: feed, thread, spans }) => {
                (engine, received, sent) = (Some(handle), Some(feed), spans);
                wait_for(thread, events.clone())?;
            }
            Some(Event::Ended(ended)) => {
                engine = None;
                // It ends by itself only after a fault.
                let fault = ended.err().unwrap_or(DemoError::Shell(ShellError::Stopped));
                log::log(out, Level::ERROR, &format!("the engine has ended: {fault}"));
                break Err(fault.into());
            }
            Some(Event::Read(read)) => break read.map_err(RunError::Io),
            // Who has closed its end has read enough.
            Some(Event::Written) | None => {
                written = true;
                break Ok(());
            }
        }
    };
    let stopped = stop(out, limits, (engine, sent), Rest { heard, written }).await;
    ended.and(stopped)
}

/// What is still to be heard.
struct Rest {
    heard: UnboundedReceiver<Event>,
    /// Nothing more is written.
    written: bool,
}

impl Rest {
    /// Waits until the engine has ended.
    async fn engine(&mut self) -> Result<(), DemoError> {
        loop {
            match self.heard.recv().await {
                Some(Event::Ended(ended)) => return ended,
                Some(Event::Written) => self.written = true,
                Some(Event::Started { .. } | Event::Read(_)) => {}
                None => return Ok(()),
            }
        }
    }

    /// Waits until everything is written.
    async fn written(&mut self) {
        while !self.written {
            self.written = matches!(self.heard.recv().await, Some(Event::Written) | None);
        }
    }
}

/// Lets the engine answer what was asked for and keep it, and writes that.
async fn stop(
    out: &Out,
    limits: &Limits,
    (engine, spans): (Option<Handle>, Option<Sending>),
    mut rest: Rest,
) -> Result<(), RunError> {
    let mut ended = Ok(());
    if let Some(handle) = engine {
        // What was taken in is done, and who waits for something is told that it is not to come.
        handle.stop();
        drop(handle);
        ended = rest.engine().await.map_err(RunError::Engine);
    }
    if let Some(spans) = spans {
        // The engine is gone, and with it the spans of what is still under way. What of this fails
        // is in the log.
        let _sent = tokio::task::spawn_blocking(|| spans.finish()).await;
    }
    let (answered, drain) = (out.clone(), limits.drain);
    let wait = move || answered.wait_until_answered(drain);
    if !tokio::task::spawn_blocking(wait).await.unwrap_or(false) {
        log::log(out, Level::WARN, "stopped with calls in flight");
    }
    if out.lost() > 0 {
        eprintln!("payecs-plugin: nobody read, and {} notifications are lost", out.lost());
    }
    out.close();
    if timeout(limits.stall, rest.written()).await.is_err() {
        eprintln!("payecs-plugin: nobody reads what is left to say");
    }
    ended
}

/// Says when the engine's thread has ended, and how.
fn wait_for(thread: JoinHandle<Ended>, events: UnboundedSender<Event>) -> io::Result<()> {
    let wait = move || {
        let ended = match thread.join() {
            Ok(ended) => ended.journal.map_err(DemoError::from),
            Err(_) => Err(DemoError::Shell(ShellError::Stopped)),
        };
        let _ends = events.send(Event::Ended(ended));
    };
    thread::Builder::new().name("payecs-end".to_owned()).spawn(wait)?;
    Ok(())
}

/// Tells of what is received, as it is, while the engine runs; then waits for ever.
async fn tell_of(received: &mut Option<EndsFeed>, out: &Out) {
    while let Some(feed) = received {
        match feed.next().await {
            Some(Heard::Event { topic, params }) => {
                for (_, name) in names::RECEIVED.iter().filter(|(of, _)| *of == topic) {
                    out.tell(name, params.clone());
                }
                out.flush();
            }
            Some(Heard::Lost { cursor, .. }) => {
                let what = format!("what was received can't be told: call payecs_events {cursor}");
                log::log(out, Level::WARN, &what);
            }
            Some(Heard::Ended(_)) | None => *received = None,
        }
    }
    pending::<()>().await;
}

/// Says when new payments are taken on, or why not; then waits for ever.
async fn open(out: &Out, engine: Option<Handle>) {
    let Some(handle) = engine else { return pending().await };
    let mut opening = Opening::default();
    loop {
        let looked = match handle.call(|driver, _| Looked::at(driver)).await {
            Ok(looked) => looked,
            Err(ShellError::Full { .. } | ShellError::DiskFull) => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(ShellError::Stopped) => break,
        };
        match opening.look_and_say(looked, |text| log::log(out, Level::INFO, text)) {
            Ok(true) => break,
            Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
            Err(error) => {
                log::log(out, Level::ERROR, &error.to_string());
                break;
            }
        }
    }
    pending::<()>().await;
}
