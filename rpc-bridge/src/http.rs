//! HTTP and WebSocket on one port of this machine.
//!
//! The head of a request is judged first: that it names this machine (a web page that was led here
//! names another), that no foreign web page sends it, and that its token counts. Then the body is
//! read, within bounds, and answered by our own core of JSON-RPC. A WebSocket is jsonrpsee's.

mod flow;
mod frames;
mod gate;
mod post;
mod rpc;
mod streams;
mod subscriptions;
mod wire;

use crate::{Limits, Service, Tokens, call::spawn, tokens::Throttle};
use ecs_core::Scope;
use gate::{Gate, Session, plain, typed};
use hyper::{
    Method, Request, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::{
    Methods,
    core::middleware::RpcServiceBuilder,
    server::{
        BatchRequestConfig, HttpResponse, PingConfig, ServerBuilder, ServerConfig, ServerHandle,
        StopHandle, stop_channel, ws,
    },
};
use rpc::{Bridge, Edge};
use std::{
    convert::Infallible,
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use subscriptions::Subscribed;
pub use subscriptions::ends as subscription_ends;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tower_service::Service as _;
use wire::{Open, Wire};

/// How large the head of a request may be, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;
/// Messages that wait for a WebSocket to be written.
const WS_MESSAGES_MAX: u32 = 64;
/// How long the accepting of connections rests after the host refused one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why a port is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not of this machine alone.
    #[error(
        "{0} can be reached from other machines, and nothing here is encrypted: serve 127.0.0.1 or \
         [::1], and put what encrypts, such as ssh or a reverse proxy, in front of it"
    )]
    NotLoopback(SocketAddr),
    /// Somebody else has the port.
    #[error("{0} is in use: stop what serves it, or choose another port")]
    InUse(SocketAddr),
    /// The host refuses.
    #[error("{0}: {1}")]
    Io(SocketAddr, io::Error),
    /// Two methods have one name: our own mistake.
    #[error("{0}")]
    Table(#[from] jsonrpsee::server::RegisterMethodError),
}

/// A port of this machine that is taken, and not served yet.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes a port; port 0 a free one. It is for the tokio runtime that this is called on.
    ///
    /// # Errors
    /// The address can be reached from elsewhere, is in use, or the host refuses it.
    pub async fn take(address: SocketAddr) -> Result<Self, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let failed = |error: io::Error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                return ServeError::InUse(address);
            }
            ServeError::Io(address, error)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }
}

/// A port that is served. Dropping it stops accepting; [`Server::stop`] waits for what runs.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    jsonrpsee: ServerHandle,
    open: Arc<Open>,
    subscribed: Subscribed,
    accepting: JoinHandle<()>,
    drain: Duration,
}

/// What every connection needs.
struct Front {
    bridge: Arc<Bridge>,
    gate: Gate,
    methods: Methods,
    config: ServerConfig,
    stop_handle: StopHandle,
}

/// What one connection is.
struct Connection {
    front: Arc<Front>,
    peer: IpAddr,
    number: u32,
    flow: Arc<flow::Flow>,
    open: Arc<Open>,
    /// Whether it has shown a right token.
    known: AtomicBool,
}

impl Server {
    /// Serves a port of this machine; port 0 takes a free one. `origins` are the web pages that may
    /// call, such as `http://localhost:3000`. Runs on the tokio runtime it is called on.
    ///
    /// # Errors
    /// The address can be reached from elsewhere, is in use, or the host refuses it.
    pub async fn start(
        address: SocketAddr,
        service: Arc<dyn Service>,
        tokens: Arc<Tokens>,
        limits: Limits,
        origins: Vec<String>,
    ) -> Result<Self, ServeError> {
        Self::serve(Port::take(address).await?, service, tokens, limits, origins)
    }

    /// The same on a port that was taken before. Who has connected meanwhile is served now.
    ///
    /// # Errors
    /// Two methods have one name.
    pub fn serve(
        port: Port,
        service: Arc<dyn Service>,
        tokens: Arc<Tokens>,
        limits: Limits,
        origins: Vec<String>,
    ) -> Result<Self, ServeError> {
        let Port { listener, address } = port;
        let (stop_handle, jsonrpsee) = stop_channel();
        let (config, drain) = (config_of(&limits), limits.drain);
        let subscribed = Subscribed::default();
        let (known, counted) = (Arc::clone(&tokens), subscribed.clone());
        let bridge = Bridge { service, tokens: known, limits, subscribed: counted };
        let bridge = Arc::new(bridge);
        let methods = rpc::module(Arc::clone(&bridge))?.into();
        let gate = Gate { tokens, throttle: Throttle::default(), port: address.port(), origins };
        let front = Arc::new(Front { bridge, gate, methods, config, stop_handle });
        let (stop, stopped) = watch::channel(false);
        let open = Arc::new(Open::default());
        let accepting = spawn(accept(listener, front, Arc::clone(&open), stopped));
        Ok(Self { address, stop, jsonrpsee, open, subscribed, accepting, drain })
    }

    /// The address that is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections are open, HTTP and WebSocket.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.count()
    }

    /// How many subscriptions there are, over all connections.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscribed.count()
    }

    /// Accepts nothing more, lets calls in flight be answered for [`Limits::drain`], and closes
    /// what is still open then. Calls that were begun go on in the service.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // It was not stopped before: this is the only way.
        let _stopped = self.jsonrpsee.stop();
        let _ended = self.accepting.await;
        if tokio::time::timeout(self.drain, self.open.all_closed()).await.is_err() {
            tracing::warn!(target: "payecs::http", "connections were closed with calls in flight");
            self.open.close_all();
        }
    }
}

fn config_of(limits: &Limits) -> ServerConfig {
    let pings = PingConfig::new().ping_interval(limits.ping).inactive_limit(limits.ping * 2);
    ServerConfig::builder()
        .max_request_body_size(limits.request_bytes)
        .max_response_body_size(limits.response_bytes)
        .max_connections(limits.connections)
        .max_subscriptions_per_connection(limits.subscriptions)
        .set_batch_request_config(BatchRequestConfig::Limit(limits.batch))
        .set_message_buffer_capacity(WS_MESSAGES_MAX)
        .enable_ws_ping(pings)
        .build()
}

async fn accept(
    listener: TcpListener,
    front: Arc<Front>,
    open: Arc<Open>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop_of(&mut stopped) => return,
        };
        match accepted {
            Ok((socket, peer)) => match open.take(socket, &front.bridge.limits).await {
                Ok((wire, number)) => {
                    let (front, flow, peer) = (Arc::clone(&front), wire.flow(), peer.ip());
                    let (open, known) = (Arc::clone(&open), AtomicBool::new(false));
                    let connection = Connection { front, peer, number, flow, open, known };
                    let connection = Arc::new(connection);
                    spawn(serve(wire, connection, stopped.clone()));
                }
                Err(socket) => refuse(&socket),
            },
            Err(error) => {
                tracing::warn!(target: "payecs::http", %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Returns when the server is stopped, or gone.
async fn stop_of(stopped: &mut watch::Receiver<bool>) {
    // A server that is gone has stopped too.
    let _stopped = stopped.wait_for(|stopped| *stopped).await.is_ok();
}

/// Tells a connection that there are too many, as far as it listens.
fn refuse(socket: &TcpStream) {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\
        Connection: close\r\nContent-Length: 22\r\n\r\nToo many connections.\n";
    // It is closed whether it was told or not.
    let _told = socket.try_write(BUSY);
}

async fn serve(wire: Wire, connection: Arc<Connection>, mut stopped: watch::Receiver<bool>) {
    let head = connection.front.bridge.limits.head;
    let caller = Arc::clone(&connection);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&caller);
        async move {
            let (front, origin) = (Arc::clone(&connection.front), origin_of(&request));
            let (flow, has_body) = (Arc::clone(&connection.flow), !request.body().is_end_stream());
            let mut answer = connection.answer(request).await;
            front.gate.tell_origin(origin, &mut answer);
            if has_body && answer.status().is_client_error() {
                flow.refuse();
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let served = builder.serve_connection(TokioIo::new(wire), service).with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        biased;
        ended = &mut served => ended,
        () = connection.is_a_stranger_too_long() => return,
        () = stop_of(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(target: "payecs::http", %error, "a connection ended");
    }
}

fn origin_of(request: &Request<Incoming>) -> Option<HeaderValue> {
    request.headers().get(header::ORIGIN).cloned()
}

impl Connection {
    /// Returns when it has not shown a right token in time.
    async fn is_a_stranger_too_long(&self) {
        tokio::time::sleep(self.front.bridge.limits.stranger).await;
        if self.known.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> HttpResponse {
        let session = match self.front.gate.enter(&request, self.peer) {
            Ok(session) => session,
            Err(refused) => return *refused,
        };
        if !self.known.load(Ordering::Relaxed) {
            self.open.is_known(self.number);
            self.known.store(true, Ordering::Relaxed);
        }
        if ws::is_upgrade_request(&request) {
            return self.web_socket(request, session).await;
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => self.metrics(&session).await,
            (&Method::POST, "/") => post::answer(&self.front.bridge, request, &session).await,
            (_, "/") => {
                let why = "POST JSON-RPC 2.0 here, or open a WebSocket.\n";
                let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, why);
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
                answer
            }
            _ => plain(StatusCode::NOT_FOUND, "There are `/` and `/metrics`.\n"),
        }
    }

    async fn metrics(&self, session: &Session) -> HttpResponse {
        if !session.grant.caller.may(Scope::Read) {
            return plain(StatusCode::FORBIDDEN, "The token lacks scope `read`.\n");
        }
        match self.front.bridge.service.metrics().await {
            Some(text) => typed(StatusCode::OK, "text/plain; version=0.0.4", text),
            None => plain(StatusCode::NOT_FOUND, "Nothing is measured.\n"),
        }
    }

    /// Has jsonrpsee open a WebSocket.
    async fn web_socket(
        self: Arc<Self>,
        request: Request<Incoming>,
        session: Session,
    ) -> HttpResponse {
        let Self { front, flow, number, .. } = &*self;
        let (bridge, flow) = (Arc::clone(&front.bridge), Arc::clone(flow));
        let edge = RpcServiceBuilder::new().layer_fn(move |jsonrpsee| {
            Edge::new(jsonrpsee, Arc::clone(&bridge), session.clone(), Arc::clone(&flow))
        });
        let mut service = ServerBuilder::with_config(front.config.clone())
            .set_rpc_middleware(edge)
            .to_service_builder()
            .connection_id(*number)
            .build(front.methods.clone(), front.stop_handle.clone());
        let answer = service.call(request).await.unwrap_or_else(|error| {
            tracing::error!(target: "payecs::http", %error, "a request was not answered");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal error. See the log.\n")
        });
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.flow.upgraded();
        }
        answer
    }
}

#[cfg(test)]
mod tests;
