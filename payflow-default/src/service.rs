//! The engine behind its shell, as transports serve it.

use crate::{
    measures::{self, Measures, Standing},
    shell::{Handle, News, Notice, Subscription, refused},
};
use ecs_core::{EffectBody, ErrorObject, Invoke, Json, Method};
use ecs_systems::{
    effects::{PayFailure, PaySuccess},
    units::Timestamp,
};
use rpc_bridge::{BoxFuture, Feed, Grant, Heard, Outcome, Service, Topic};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::time::Instant;

/// The method whose invoice is decoded before the engine is asked.
const PAY: &str = "pay";

/// A shell that is called over transports. Clones are the same.
#[derive(Clone, Debug)]
pub struct ShellService {
    handle: Handle,
    methods: Arc<BTreeMap<&'static str, &'static Method>>,
    measures: Option<Measures>,
}

impl ShellService {
    /// The shell that this handle reaches, with the methods of its engine.
    pub fn new(handle: Handle, methods: impl IntoIterator<Item = &'static Method>) -> Self {
        let methods = methods.into_iter().map(|method| (method.name, method)).collect();
        Self { handle, methods: Arc::new(methods), measures: None }
    }

    /// The same, telling what is measured to whoever asks.
    #[must_use]
    pub fn measured(self, measures: Measures) -> Self {
        Self { measures: Some(measures), ..self }
    }
}

impl ShellService {
    /// The moment of the shell's clock.
    ///
    /// # Errors
    /// The shell doesn't take the question, or has stopped.
    pub async fn now(&self) -> Result<Timestamp, ErrorObject> {
        self.handle.call(|_, now| now).await.map_err(refused)
    }
}

impl Service for ShellService {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        &self.methods
    }

    fn call(
        &self,
        grant: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome> {
        let handle = self.handle.clone();
        let caller = grant.caller.clone();
        let known = self.methods.get_key_value(method.as_str()).map(|(name, _)| *name);
        Box::pin(async move {
            let since = Instant::now();
            if method == PAY {
                handle.decode_ahead(params.as_ref());
            }
            let outcome = handle.call_method(caller, method, params).await;
            measures::call_ended(known, &outcome, since.elapsed());
            outcome
        })
    }

    fn metrics(&self) -> BoxFuture<'static, Option<String>> {
        let Some(measures) = self.measures.clone() else { return Box::pin(async { None }) };
        let handle = self.handle.clone();
        Box::pin(async move {
            let standing = handle.call(|driver, _| Standing::of(driver)).await;
            measures::look(standing.ok().as_ref());
            Some(measures.text())
        })
    }

    fn subscribe(&self, topics: &BTreeSet<Topic>) -> Box<dyn Feed> {
        let news = if topics.contains(&Topic::SystemInvoke) {
            self.handle.watch_systems()
        } else {
            self.handle.subscribe()
        };
        Box::new(ShellFeed { news, topics: topics.clone() })
    }
}

/// What is announced about some topics.
struct ShellFeed {
    news: Subscription,
    topics: BTreeSet<Topic>,
}

impl Feed for ShellFeed {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async {
            loop {
                match self.news.next().await? {
                    News::Lost { count } => return Some(Heard::Lost { count }),
                    News::Notice(notice) => match heard(&notice) {
                        Some((topic, params)) if self.topics.contains(&topic) => {
                            return Some(Heard::Event { topic, params });
                        }
                        Some(_) | None => {}
                    },
                }
            }
        })
    }
}

/// What a notice tells. Preimages and secrets are in none.
fn heard(notice: &Notice) -> Option<(Topic, Json)> {
    let topic = match notice.effect.kind.as_str() {
        Invoke::KIND => Topic::SystemInvoke,
        PaySuccess::KIND => Topic::PaySuccess,
        PayFailure::KIND => Topic::PayFailure,
        _ => return None,
    };
    Some((topic, notice.effect.body.clone()))
}
