//! The engine behind its shell, as transports serve it.

mod feeds;
mod simulated;

pub use simulated::SIM_INVOICE;

use crate::{
    measures::{self, Measures, Standing},
    shell::{Handle, refused},
};
use ecs_core::{ErrorObject, Json, Method};
use ecs_systems::units::Timestamp;
pub(crate) use feeds::EndsFeed;
use feeds::{ServerFeed, SystemsFeed};
use rpc_bridge::{BoxFuture, Feed, Grant, Outcome, Service, Topic};
use std::{collections::BTreeMap, future::ready, sync::Arc};

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
        let call =
            measures::call_begins(|| self.methods.get_key_value(&*method).map(|(it, _)| *it));
        if let Some(outcome) = self.handle.look(&grant.caller, &method, params.as_ref()) {
            measures::call_ended(call, &outcome);
            return Box::pin(ready(outcome));
        }
        let handle = self.handle.clone();
        let caller = grant.caller.clone();
        Box::pin(async move {
            if method == PAY {
                handle.decode_ahead(params.as_ref());
            }
            let outcome = handle.call_method(caller, method, params).await;
            measures::call_ended(call, &outcome);
            outcome
        })
    }

    fn metrics(&self) -> BoxFuture<'static, Option<String>> {
        let Some(measures) = self.measures.clone() else { return Box::pin(async { None }) };
        let handle = self.handle.clone();
        Box::pin(async move {
            let standing = handle.call(|driver, _| Standing::of(driver)).await;
            Some(measures.text(standing.ok().as_ref()))
        })
    }

    fn subscribe(
        &self,
        topic: Topic,
        since: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let feed: Box<dyn Feed> = match topic {
                Topic::SystemInvoke => Box::new(SystemsFeed::begin(&handle, since).await?),
                Topic::PaySuccess
                | Topic::PayFailure
                | Topic::PaycodePayment
                | Topic::InvoicePayment => Box::new(EndsFeed::begin(handle, topic, since).await?),
            };
            Ok(feed)
        })
    }

    fn serve(
        &self,
        grant: Arc<Grant>,
        systems: Vec<String>,
        at_once: Option<u32>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let feed = ServerFeed::begin(handle, grant.caller.clone(), systems, at_once).await?;
            Ok(Box::new(feed) as Box<dyn Feed>)
        })
    }
}
