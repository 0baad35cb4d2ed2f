//! An engine behind a lock: the service of the tests.

use crate::{BoxFuture, Feed, Given, Grant, Heard, Outcome, Service, Topic, call::spawn};
use ecs_core::{Engine, ErrorObject, Inputs, Json, Kind, Method, Param, optional};
use std::{
    collections::BTreeMap,
    future::ready,
    sync::{Arc, Mutex},
};
use tokio::sync::{Semaphore, broadcast, mpsc};

/// Events that wait for a slow feed.
pub(crate) const FEED_MAX: usize = 8;

/// What subscriptions take.
const SINCE: Param = optional("since", Kind::COUNT);

pub(crate) struct Fake {
    engine: Mutex<Engine>,
    methods: BTreeMap<&'static str, &'static Method>,
    /// Every call that began: its method and the text of its params.
    pub(crate) seen: Mutex<Vec<(String, Option<String>)>>,
    /// What `slow` waits for.
    pub(crate) gate: Arc<Semaphore>,
    /// Held by every `wait` that nobody has forgotten.
    pub(crate) waits: Arc<()>,
    news: broadcast::Sender<Heard>,
    /// Those who serve, with what they named.
    pub(crate) servers: Mutex<Vec<FakeServer>>,
}

/// Somebody who serves.
pub(crate) struct FakeServer {
    pub(crate) systems: Vec<String>,
    pub(crate) at_once: Option<u32>,
    to: mpsc::UnboundedSender<Heard>,
    given: Given,
}

impl FakeServer {
    pub(crate) fn is_gone(&self) -> bool {
        self.to.is_closed()
    }
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let engine = Engine::new();
        let mut methods: BTreeMap<_, _> =
            engine.methods().map(|method| (method.name, method)).collect();
        for name in ["echo", "give", "dismiss", "slow", "wait", "large", "panic", "panic_later"] {
            let like = methods["payecs_newentity"];
            methods.insert(name, Box::leak(Box::new(Method { name, ..*like })));
        }
        for name in [
            "payecs_observe",
            "subscribe_pay_success",
            "subscribe_pay_failure",
            "subscribe_paycode_payment",
            "subscribe_invoice_payment",
        ] {
            let (like, params) = (methods["payecs_newentity"], &[SINCE]);
            methods.insert(name, Box::leak(Box::new(Method { name, params, ..*like })));
        }
        let (news, _) = broadcast::channel(FEED_MAX);
        let seen = Mutex::default();
        let gate = Arc::new(Semaphore::new(0));
        let waits = Arc::default();
        let (engine, servers) = (Mutex::new(engine), Mutex::default());
        Arc::new(Self { engine, methods, seen, gate, waits, news, servers })
    }

    pub(crate) fn served(self: &Arc<Self>) -> Arc<dyn Service> {
        Arc::clone(self) as Arc<dyn Service>
    }

    /// Tells whoever listens.
    pub(crate) fn tell(&self, topic: Topic, params: &str) {
        let params = Json::parse(params).unwrap();
        drop(self.news.send(Heard::Event { topic, params }));
    }

    fn tell_servers(&self, heard: &Heard) {
        for server in &*self.servers.lock().unwrap() {
            server.given.one_more();
            drop(server.to.send(heard.clone()));
        }
    }

    pub(crate) fn listeners(&self) -> usize {
        self.news.receiver_count()
    }

    /// How many wait for nothing.
    pub(crate) fn waiting(&self) -> usize {
        Arc::strong_count(&self.waits) - 1
    }

    /// The methods that were called, in order.
    pub(crate) fn called(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(method, _)| method.clone()).collect()
    }
}

/// What is told of a topic, behind what is lost since a cursor.
struct FakeFeed(broadcast::Receiver<Heard>, Topic, Option<u64>);

impl Feed for FakeFeed {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async move {
            if let Some(cursor) = self.2.take() {
                return Some(Heard::Lost { count: None, cursor });
            }
            loop {
                match self.0.recv().await {
                    Ok(Heard::Event { topic, .. }) if topic != self.1 => {}
                    Ok(heard) => return Some(heard),
                    Err(broadcast::error::RecvError::Lagged(count)) => {
                        return Some(Heard::Lost { count: Some(count), cursor: 0 });
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }
}

/// What a server is given; it is slow to say so.
struct FakeWork(mpsc::UnboundedReceiver<Heard>, Given);

impl Feed for FakeWork {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async {
            let heard = self.0.recv().await?;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Some(heard)
        })
    }

    fn given(&self) -> Option<Given> {
        Some(self.1.clone())
    }
}

impl Service for Fake {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        &self.methods
    }

    /// `slow` acts until the gate lets it, `wait` waits for ever, `echo` answers its params,
    /// `give` the same once all servers have them, `dismiss` once none serves, `large` so many
    /// bytes, `panic` panics; everything else is the engine's.
    fn call(
        &self,
        grant: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome> {
        let text = params.as_ref().map(ToString::to_string);
        self.seen.lock().unwrap().push((method.clone(), text));
        match method.as_str() {
            "slow" => {
                let gate = Arc::clone(&self.gate);
                let acts = spawn(async move { gate.acquire().await.unwrap().forget() });
                Box::pin(async move {
                    acts.await.unwrap();
                    Ok(Json::yes())
                })
            }
            "wait" => {
                let held = Arc::clone(&self.waits);
                Box::pin(async move {
                    let outcome = std::future::pending().await;
                    drop(held);
                    outcome
                })
            }
            "panic" => panic!("at once"),
            "panic_later" => Box::pin(async {
                tokio::task::yield_now().await;
                panic!("later")
            }),
            "echo" => Box::pin(ready(Ok(params.unwrap_or_else(Json::null)))),
            "give" => {
                let params = params.unwrap_or_else(Json::null);
                let topic = Topic::SystemInvoke;
                self.tell_servers(&Heard::Event { topic, params: params.clone() });
                Box::pin(ready(Ok(params)))
            }
            "dismiss" => {
                self.tell_servers(&Heard::Ended(ErrorObject::invalid("it was removed")));
                Box::pin(ready(Ok(Json::yes())))
            }
            "large" => {
                let [bytes] = params.unwrap().decode().unwrap();
                Box::pin(ready(Ok(Json::of(&"x".repeat(bytes)))))
            }
            _ => {
                let mut engine = self.engine.lock().unwrap();
                let inputs = Inputs::default();
                let reply = engine.call(&grant.caller, inputs, &method, params.as_ref());
                Box::pin(ready(reply.map(|reply| reply.now().expect("a short list"))))
            }
        }
    }

    /// Has cursors up to [`FEED_MAX`].
    fn subscribe(
        &self,
        topic: Topic,
        since: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        if since.is_some_and(|since| since > FEED_MAX as u64) {
            return Box::pin(ready(Err(ErrorObject::invalid("`since`: there is none"))));
        }
        let feed = FakeFeed(self.news.subscribe(), topic, since);
        Box::pin(ready(Ok(Box::new(feed) as Box<dyn Feed>)))
    }

    fn serve(
        &self,
        _: Arc<Grant>,
        systems: Vec<String>,
        at_once: Option<u32>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        if systems.is_empty() {
            return Box::pin(ready(Err(ErrorObject::invalid("`systems`: name one"))));
        }
        let ((to, work), given) = (mpsc::unbounded_channel(), Given::default());
        let feed = FakeWork(work, given.clone());
        self.servers.lock().unwrap().push(FakeServer { systems, at_once, to, given });
        Box::pin(ready(Ok(Box::new(feed) as Box<dyn Feed>)))
    }

    fn metrics(&self) -> BoxFuture<'static, Option<String>> {
        Box::pin(async { Some("payecs_entities 0\n".to_owned()) })
    }
}
