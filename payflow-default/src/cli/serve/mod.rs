//! `payecs serve`: the engine as a daemon.

mod config;
mod written;
mod given;
mod environment;
pub(crate) mod network;
mod otlp;
pub(crate) mod quotas;
mod web;

use super::{
    demo::{
        DemoError,
        opening::{Looked, Opening as Waiting},
        world::{Opening, Start, build},
    },
    home::Reach,
    log::{self, SpansError},
};
pub(crate) use config::{APPROVAL_S, Args};
use config::{Config, ConfigError};
use network::Simulated;
pub(crate) use otlp::{Collector, collector};
use payflow_default::{
    measures::{MeasureError, Measures},
    service::ShellService,
    shell::{Clock, Ended, Handle, Limits, Shell, ShellError},
};
use rpc_bridge::{Port, ServeError, Server, Socket, SocketError, TokenError, Tokens};
use std::{
    io, io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, thread::JoinHandle,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How often is looked whether new payments are taken on, before they are.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often is added up what was measured.
const ADD_UP_EVERY: Duration = Duration::from_secs(5);

/// Why nothing is served, or no longer.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Engine(#[from] DemoError),
    #[error("{0}")]
    Tokens(#[from] TokenError),
    #[error("{0}")]
    Serve(#[from] ServeError),
    #[error("a daemon serves it already, on {0}")]
    Served(SocketAddr),
    #[error("{0}")]
    Socket(#[from] SocketError),
    #[error("{0}")]
    Measure(#[from] MeasureError),
    #[error("{0}")]
    Spans(#[from] SpansError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<ShellError> for RunError {
    fn from(error: ShellError) -> Self {
        Self::Engine(error.into())
    }
}

pub(crate) fn run(args: &Args, filter: EnvFilter) -> ExitCode {
    match serve(args, filter) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", args.data_dir.display());
            let is_said = matches!(error, RunError::Config(_) | RunError::Spans(_));
            ExitCode::from(if is_said { 2 } else { 1 })
        }
    }
}

fn serve(args: &Args, filter: EnvFilter) -> Result<(), RunError> {
    environment::warn();
    let config = args.config()?;
    let spans = log::with_spans(filter, config.otlp.as_ref())?;
    let served = serve_as(args, &config);
    // The engine is gone, and with it the spans of what is still under way.
    if let Some(spans) = spans {
        spans.finish();
    }
    served
}

fn serve_as(args: &Args, config: &Config) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything is made: where the port is taken nothing is left behind.
    let port = runtime.block_on(Port::take(config.listen)).map_err(|error| {
        let is_ours = Reach::of(&args.data_dir).address().is_ok_and(|it| it == config.listen);
        if is_ours { RunError::Served(config.listen) } else { RunError::Serve(error) }
    })?;
    let measures = config.metrics.then(Measures::install).transpose()?;
    let start = Start {
        data_dir: Some(&args.data_dir),
        wanted: config.wanted.clone(),
        announce_all: false,
        accepts: args.accept.accepts(),
        policy: config.policy.clone(),
        quotas: config.quotas.clone(),
    };
    let Opening { driver, kept, world } = build(&start)?;
    let clock = Clock::scaled(driver.now(), config.speed);
    let methods: Vec<_> = driver.engine().methods().collect();
    let (shell, handle) = Shell::new(driver, clock, Limits::default());
    let shell = match kept {
        Some(kept) => shell.keeping(kept.store)?,
        None => shell,
    };
    let thread = shell.with_node_apart()?.run_on_thread()?;
    let service = ShellService::new(handle.clone(), methods);
    let service = match &measures {
        Some(measures) => service.measured(measures.clone()),
        None => service,
    };
    let service = Arc::new(Simulated::new(service, world.network));
    let serving = until_stopped(args, (config, port), service, (&handle, measures));
    let served = runtime.block_on(serving);
    handle.stop();
    drop(handle);
    let ended = join(thread);
    served?;
    ended
}

async fn until_stopped(
    args: &Args,
    (config, port): (&Config, Port),
    service: Arc<Simulated>,
    (handle, measures): (&Handle, Option<Measures>),
) -> Result<(), RunError> {
    let mut terminated = signal(SignalKind::terminate())?;
    let reach = Reach::of(&args.data_dir);
    let mut tokens = Tokens::open(reach.dir())?;
    // What a killed daemon left must lead nobody to another program with the new token.
    reach.clear()?;
    tokens.renew_cookie()?;
    let origins = config.origins.clone();
    let limits = rpc_bridge::Limits::default();
    let socket = Socket::start(&reach.socket(), service.clone(), limits.clone())?;
    let server = Server::serve(port, service, Arc::new(tokens), limits, origins)?;
    let address = server.address();
    reach.note(address)?;
    let (cookie, socket_file) = (reach.cookie(), reach.socket());
    let told = format!(
        "payecs serves http://{address} and ws://{address}, for whoever has a token\n  the owner's \
         is in {}\n  and {} for the owner's programs, without one\n  payecs call --data-dir {} \
         getinfo\nCtrl-C stops it.\n",
        cookie.display(),
        socket_file.display(),
        args.data_dir.display()
    );
    // Whoever has closed stdout has read enough.
    let _heard = io::stdout().lock().write_all(told.as_bytes());
    let mut news = handle.subscribe();
    let shell_ended = async { while news.next().await.is_some() {} };
    let ended = tokio::select! {
        () = shell_ended => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminated.recv() => Ok(()),
        failed = open(handle) => failed,
        () = add_up(measures) => Ok(()),
    };
    reach.forget(address);
    // Whoever waits for a payment is told, and what was taken in is kept, while both drain.
    handle.stop();
    let ((), closed) = tokio::join!(server.stop(), socket.stop());
    ended?;
    Ok(closed?)
}

/// Keeps what is measured small, for ever.
async fn add_up(measures: Option<Measures>) {
    loop {
        tokio::time::sleep(ADD_UP_EVERY).await;
        if let Some(measures) = &measures {
            measures.add_up();
        }
    }
}

/// Says when new payments are taken on, or why not; then waits for ever.
async fn open(handle: &Handle) -> Result<(), RunError> {
    let mut opening = Waiting::default();
    loop {
        let looked = match handle.call(|driver, _| Looked::at(driver)).await {
            Ok(looked) => looked,
            Err(ShellError::Full { .. } | ShellError::DiskFull) => {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            Err(stopped @ ShellError::Stopped) => return Err(stopped.into()),
        };
        match opening.look(looked) {
            Ok(true) => break,
            Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
            Err(DemoError::NotReconciled(why)) => {
                eprintln!("error: {why}");
                eprintln!("What was paid can be looked at until then.");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    std::future::pending().await
}

fn join(thread: JoinHandle<Ended>) -> Result<(), RunError> {
    let ended = thread.join().map_err(|_| ShellError::Stopped)?;
    ended.journal.map_err(DemoError::from)?;
    Ok(())
}
