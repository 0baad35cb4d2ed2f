//! The whole server: an engine on its thread, kept on the disk, behind all three doors.

use ecs_systems::{
    planner::KnowledgeConfig,
    policy::Policy,
    port::{Books, Node, NodeView},
    units::{Blocks, Msat, NodeId, Timestamp},
};
use ledger_store::{MemoryLedger, MemoryReceipts, store::Store};
use node_sim::{InvoiceRequest, OUR_NAME, OurChannels, SimConfig, SimNetwork};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use payecs_tests::callers::Door;
use payflow_default::{
    Driver, Retention,
    app::{Parts, engine},
    entropy::Entropy,
    planner::OwnPlanner,
    service::ShellService,
    shell::{Clock, Ended, Handle, Limits, Shell, Speed},
};
use rpc_bridge::{Server, Socket, Tokens};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    thread::JoinHandle,
};
use tokio::runtime::Runtime;

/// When the network begins.
const START: Timestamp = Timestamp(1_767_225_600_000);
/// The largest of the invoices.
const MOST: Msat = Msat(100_000);
/// What the last HTLC has left on the way that is looked for.
const LAST: Blocks = Blocks(40);
/// Payments that are over and stay in the engine.
pub(crate) const KEPT: usize = 100;

/// A server that runs.
pub(crate) struct Daemon {
    pub(crate) runtime: Runtime,
    pub(crate) network: SimNetwork,
    handle: Handle,
    thread: JoinHandle<Ended>,
    pub(crate) server: Server,
    pub(crate) socket: Socket,
    path: PathBuf,
    token: String,
    payees: Vec<NodeId>,
    sold: AtomicU64,
}

impl Daemon {
    /// Starts one that keeps everything in that directory, on a network of 30 nodes.
    pub(crate) fn start(dir: &Path, speed: Speed) -> Self {
        let capacity_msat = Msat(500_000_000_000);
        let ours = OurChannels { capacity_msat, slots: 483, ..SimConfig::default().ours };
        let config = SimConfig { nodes: 30, ours, ..SimConfig::default() };
        let network = SimNetwork::new(config).expect("a network");
        let (shell, handle) = shell(dir, &network, speed);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let methods = shell.1;
        let thread = shell.0.run_on_thread().expect("a thread");
        let service = Arc::new(ShellService::new(handle.clone(), methods));
        let access = dir.join("access");
        let mut tokens = Tokens::open(&access).expect("tokens");
        tokens.renew_cookie().expect("a cookie");
        let token = Tokens::read_cookie(&access).expect("a cookie").reveal().to_owned();
        let path = access.join("rpc");
        let address = "127.0.0.1:0".parse().expect("an address");
        let limits = rpc_bridge::Limits::default();
        let (server, socket) = runtime.block_on(async {
            while handle.call(|driver, _| !books_are_open(driver)).await.expect("it runs") {
                tokio::task::yield_now().await;
            }
            let socket = Socket::start(&path, service.clone(), limits.clone()).expect("a socket");
            let tokens = Arc::new(tokens);
            let server = Server::start(address, service, tokens, limits, vec![]).await;
            (server.expect("a port"), socket)
        });
        let mut payees = network.others();
        payees.retain(|payee| network.route(network.us(), *payee, MOST, LAST, START).is_some());
        let sold = AtomicU64::new(0);
        Self { runtime, network, handle, thread, server, socket, path, token, payees, sold }
    }

    /// HTTP, WebSocket and the unix socket.
    pub(crate) fn doors(&self) -> [Door; 3] {
        let (address, token) = (self.server.address(), &self.token);
        let (http, socket) = (Door::Http(address, token.clone()), Door::Unix(self.path.clone()));
        [http, Door::WebSocket(address, token.clone()), socket]
    }

    /// Looks at the driver, once everything that was taken in before is done.
    pub(crate) fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Driver, Timestamp) -> R + Send + 'static,
    ) -> R {
        let looked = self.handle.call(|driver, now| look(driver, now));
        self.runtime.handle().block_on(looked).expect("it runs")
    }

    /// An invoice of 1 to 100 sat by one of those that can be reached.
    pub(crate) fn invoice(&self) -> String {
        let number = self.sold.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(number * 7_919).expect("it fits") % self.payees.len();
        let amount = Msat((1 + number % 100) * 1_000);
        let now = self.look(|_, now| now);
        self.network.invoice(self.payees[place], InvoiceRequest::of(amount), now).expect("one")
    }

    /// Stops everything; all is kept then.
    pub(crate) fn stop(self) -> (Driver, SimNetwork) {
        let Self { runtime, network, handle, thread, server, socket, .. } = self;
        runtime.block_on(async {
            server.stop().await;
            socket.stop().await.expect("its file is removed");
        });
        handle.stop();
        let ended = thread.join().expect("no panic");
        ended.journal.expect("everything is kept");
        (ended.driver, network)
    }
}

type Methods = Vec<&'static ecs_core::Method>;

/// The engine in a shell that keeps everything, with its methods.
fn shell(dir: &Path, network: &SimNetwork, speed: Speed) -> ((Shell, Methods), Handle) {
    let mut engine = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new(OUR_NAME)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: vec![],
    })
    .expect("an engine");
    let journal = dir.join("journal");
    fs::create_dir_all(&journal).expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(&journal).expect("a disk"));
    let options = Options::new(LogId([9; 16]));
    let opened = Store::open(&disk, options, &mut engine, &mut |_| {});
    let (store, _) = opened.expect("a store");
    engine.announce_all(false);
    let methods = engine.methods().collect();
    let node = network.connect(START);
    let planner = OwnPlanner::new(node.graph(), KnowledgeConfig::default());
    let mut driver =
        Driver::new(engine, Box::new(node), Box::new(planner), Entropy::system(), START);
    driver.retain(Retention { finished_max: KEPT, ..Retention::default() });
    let (shell, handle) = Shell::new(driver, Clock::scaled(START, speed), Limits::default());
    let shell = shell.keeping(store).and_then(Shell::with_node_apart);
    ((shell.expect("a thread"), methods), handle)
}

/// Whether every channel that the node says is ours is in the books.
fn books_are_open(driver: &Driver) -> bool {
    let engine = driver.engine();
    let (books, view) = (engine.resource::<Books>(), engine.resource::<NodeView>());
    books.zip(view).is_some_and(|(books, view)| {
        view.channels.iter().all(|channel| books.0.has_channel(channel.short_channel_id))
    })
}
