//! Those that answer with a constant, and what is asked.

use ecs_core::{Engine, ErrorObject, Json, Method};
use jsonrpsee::{
    Extensions, RpcModule,
    server::ServerBuilder,
    types::{ErrorObjectOwned, Params},
};
use payecs_tests::callers::Door;
use rpc_bridge::{
    BoxFuture, Feed, Grant, Heard, Limits, Outcome, Server, Service, Socket, Tokens, Topic,
};
use std::{collections::BTreeMap, future::ready, path::Path, sync::Arc};

/// Makes an Entity; the first is 1.
pub(crate) const NEW: &str = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
/// Writes what is asked for.
pub(crate) const NOTE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"payecs_setcomponents","#,
    r#""params":[[{"entity":1,"acme:note":{"text":"what somebody wrote"},"acme:more":[1,2,3]}]]}"#
);
/// What is asked.
pub(crate) const CALL: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"payecs_getcomponents","#,
    r#""params":[1,["acme:note","acme:more"]]}"#
);
/// The result of that.
const RESULT: &str =
    r#"{"entity":1,"acme:note":{"text":"what somebody wrote"},"acme:more":[1,2,3]}"#;

/// A request.
pub(crate) fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// Writes another note.
pub(crate) fn note(number: u64) -> String {
    let entity = r#"{"entity":1,"acme:note":{"text":"what somebody wrote","number":"#;
    request("payecs_setcomponents", &format!("[{entity}{number}}}}}]"))
}

/// Makes an Entity a payment of that invoice, by the default list.
pub(crate) fn payment(entity: &str, invoice: &str) -> String {
    let systems = r#""lightningd:systems":{"systems":SYSTEMS}"#;
    let names: Vec<&str> = payflow_default::flow::DEFAULT_FLOW.to_vec();
    let systems = systems.replace("SYSTEMS", Json::of(&names).text());
    let entity = format!(r#"{{"entity":{entity},"lightningd:invoice":"{invoice}",{systems}}}"#);
    request("payecs_setcomponents", &format!("[{entity}]"))
}

/// Answers every call with the same.
struct Constant {
    answer: Json,
    methods: BTreeMap<&'static str, &'static Method>,
}

struct Silence;

impl Feed for Silence {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(ready(None))
    }
}

impl Service for Constant {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        &self.methods
    }

    fn call(&self, _: Arc<Grant>, _: String, _: Option<Json>) -> BoxFuture<'static, Outcome> {
        Box::pin(ready(Ok(self.answer.clone())))
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

/// This server with a constant: HTTP, WebSocket, unix socket. It runs until the process ends.
pub(crate) async fn bridge(dir: &Path) -> [Door; 3] {
    let engine = Engine::new();
    let methods = engine.methods().map(|method| (method.name, method)).collect();
    let service = Arc::new(Constant { answer: Json::parse(RESULT).unwrap(), methods });
    let mut tokens = Tokens::open(dir).unwrap();
    tokens.renew_cookie().unwrap();
    let token = Tokens::read_cookie(dir).unwrap().reveal().to_owned();
    let path = dir.join("rpc");
    let socket = Socket::start(&path, service.clone(), Limits::default()).unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let started = Server::start(address, service, Arc::new(tokens), Limits::default(), vec![]);
    let server = started.await.unwrap();
    let address = server.address();
    std::mem::forget((server, socket));
    [Door::Http(address, token.clone()), Door::WebSocket(address, token), Door::Unix(path)]
}

/// jsonrpsee as it comes, with a constant: HTTP and WebSocket.
pub(crate) async fn bare() -> [Door; 2] {
    let mut module = RpcModule::new(());
    let answer = Json::parse(RESULT).unwrap();
    let constant =
        move |_: Params<'_>, (): &(), _: &Extensions| Ok::<_, ErrorObjectOwned>(answer.clone());
    module.register_method("payecs_getcomponents", constant).unwrap();
    let server = ServerBuilder::default().build("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    std::mem::forget(server.start(module));
    let token = "none".to_owned();
    [Door::Http(address, token.clone()), Door::WebSocket(address, token)]
}
