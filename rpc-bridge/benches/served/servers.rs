//! The two servers.

use ecs_core::{Engine, ErrorObject, Inputs, Json, Method};
use jsonrpsee::{
    Extensions, RpcModule,
    server::ServerBuilder,
    types::{ErrorObjectOwned, Params},
};
use rpc_bridge::{BoxFuture, Feed, Grant, Heard, Limits, Outcome, Server, Service, Tokens, Topic};
use std::{
    collections::BTreeMap,
    future::ready,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

/// What is asked.
pub(crate) const CALL: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"payecs_getcomponents","#,
    r#""params":[1,["acme:note","acme:more"]]}"#
);
/// What is answered.
pub(crate) const ANSWER: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"result":"#,
    r#"{"entity":1,"acme:note":{"text":"what somebody wrote"},"acme:more":[1,2,3]}}"#
);
const WRITES: &str =
    r#"[{"entity":1,"acme:note":{"text":"what somebody wrote"},"acme:more":[1,2,3]}]"#;

/// A server that runs until the process ends.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// An engine behind a lock.
struct Locked {
    engine: Mutex<Engine>,
    methods: BTreeMap<&'static str, &'static Method>,
}

struct Silence;

impl Feed for Silence {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(ready(None))
    }
}

impl Locked {
    fn ask(&self, grant: &Grant, method: &str, params: Option<&Json>) -> Outcome {
        let mut engine = self.engine.lock().unwrap();
        let reply = engine.call(&grant.caller, Inputs::default(), method, params)?;
        Ok(reply.now().expect("it takes no time"))
    }
}

impl Service for Locked {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        &self.methods
    }

    fn call(
        &self,
        grant: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(ready(self.ask(&grant, &method, params.as_ref())))
    }

    fn subscribe(
        &self,
        _: Topic,
        _: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        Box::pin(ready(Ok(Box::new(Silence) as Box<dyn Feed>)))
    }
}

/// This crate's server.
pub(crate) async fn ours(dir: &Path) -> Peer {
    let engine = Engine::new();
    let methods = engine.methods().map(|method| (method.name, method)).collect();
    let service = Locked { engine: Mutex::new(engine), methods };
    let writes = Json::array([Json::parse(WRITES).unwrap()]);
    service.ask(&Grant::owner("bench"), "payecs_setcomponents", Some(&writes)).unwrap();
    let mut tokens = Tokens::open(dir).unwrap();
    tokens.renew_cookie().unwrap();
    let token = Tokens::read_cookie(dir).unwrap().reveal().to_owned();
    let (service, tokens) = (Arc::new(service), Arc::new(tokens));
    let address = "127.0.0.1:0".parse().unwrap();
    let started = Server::start(address, service, tokens, Limits::default(), vec![]);
    let server = started.await.unwrap();
    let address = server.address();
    std::mem::forget(server);
    Peer { address, token }
}

/// jsonrpsee as it comes, with a constant.
pub(crate) async fn bare() -> Peer {
    let mut module = RpcModule::new(());
    let answer = Json::parse(ANSWER).unwrap().fields().unwrap()["result"].clone();
    let constant =
        move |_: Params<'_>, (): &(), _: &Extensions| Ok::<_, ErrorObjectOwned>(answer.clone());
    module.register_method("payecs_getcomponents", constant).unwrap();
    let server = ServerBuilder::default().build("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    std::mem::forget(server.start(module));
    Peer { address, token: "none".to_owned() }
}
