//! The server as clients see it: raw bytes, and jsonrpsee's own clients.

mod attacks;
mod calls;
mod heads;
mod serving;
mod stops;
mod told;
mod websocket;

use super::*;
use crate::{Grant, fake::Fake, tokens::NewToken};
use std::{
    io::{Read, Write},
    net::TcpStream as StdStream,
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of its own for each test.
struct Rig {
    runtime: Runtime,
    fake: Arc<Fake>,
    tokens: Arc<Tokens>,
    cookie: String,
    address: SocketAddr,
    server: Option<Server>,
    _dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::open(dir.path()).unwrap();
        tokens.renew_cookie().unwrap();
        let cookie = Tokens::read_cookie(dir.path()).unwrap().reveal().to_owned();
        let (fake, tokens) = (Fake::new(), Arc::new(tokens));
        let origins = vec!["http://localhost:3000".to_owned()];
        let address = "127.0.0.1:0".parse().unwrap();
        let started = Server::start(address, fake.served(), Arc::clone(&tokens), limits, origins);
        let server = runtime.block_on(started).unwrap();
        let address = server.address();
        Self { runtime, fake, tokens, cookie, address, server: Some(server), _dir: dir }
    }

    fn connect(&self) -> StdStream {
        let stream = StdStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        rest(&mut stream)
    }

    /// The head of a POST with the cookie.
    fn head(&self, length: usize) -> String {
        let (address, cookie) = (self.address, &self.cookie);
        format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    }

    /// The status and the body that answer a POST.
    fn post(&self, body: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        stream.write_all(self.head(body.len()).as_bytes()).unwrap();
        // A server that refuses a body may close before it has it all.
        let _sent = stream.write_all(body);
        parts(&rest(&mut stream))
    }

    /// A token for these scopes.
    fn token(&self, name: &str, scopes: &[Scope]) -> String {
        let caller = ecs_core::Caller::with(scopes.iter().copied());
        let grant = Grant { caller, ..Grant::owner(name) };
        let new = NewToken { grant, expires_ms: None };
        self.tokens.create(&new).unwrap().reveal().to_owned()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// What the server says until it closes. A reset ends it too.
fn rest(stream: &mut StdStream) -> String {
    let (mut said, mut some) = (Vec::new(), [0; 4_096]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(bytes) => said.extend_from_slice(&some[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server neither spoke nor closed: {error}"),
        }
    }
    String::from_utf8(said).unwrap()
}

fn parts(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Waits, letting others run, until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100_000_000_u64 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never: {what}");
}
