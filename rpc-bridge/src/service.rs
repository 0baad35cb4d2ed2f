//! Whoever answers calls, and whoever makes them.

use ecs_core::{Caller, ErrorObject, Json, Method};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Something that is waited for, on any thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a call comes to.
pub type Outcome = Result<Json, ErrorObject>;

/// Whoever answers calls: an engine behind its shell.
///
/// Every transport serves one of these, and asks it for nothing else.
pub trait Service: Send + Sync + 'static {
    /// All methods by name. They are registered once, when a transport starts.
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method>;

    /// Calls a method, with params as they came: an array, an object, or none.
    ///
    /// A caller that goes away doesn't undo its call. Its future is dropped then: once it was
    /// polled, what acts is done nevertheless, although nobody hears of it. What only waits or
    /// looks is forgotten.
    ///
    /// The service judges scopes, names and params. A name that is not in the table is passed on,
    /// so that the service suggests another one. Which methods a grant is for is judged before.
    ///
    /// # Errors
    /// As the method says; −32601 where there is none of that name.
    fn call(
        &self,
        grant: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome>;

    /// Hears what happens about a topic, until the feed is dropped: from now on, or what came after
    /// a cursor of an event that was heard before. The service never waits for a feed: what one
    /// can't be told any more is [`Heard::Lost`].
    ///
    /// # Errors
    /// There is no such cursor (−32602), or what came after it can't be told now.
    fn subscribe(
        &self,
        topic: Topic,
        since: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>>;

    /// Serves external Systems until the feed is dropped: it tells of each of their invocations
    /// that is given to it, `at_once` at most that are not answered yet. Where they can't be served
    /// by it any more, it ends with [`Heard::Ended`].
    ///
    /// # Errors
    /// What is named can't be served (−32602), or not by whoever asks (1502).
    fn serve(
        &self,
        grant: Arc<Grant>,
        systems: Vec<String>,
        at_once: Option<u32>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>>;

    /// What is measured, in the text format of Prometheus. `None`: nothing is.
    fn metrics(&self) -> BoxFuture<'static, Option<String>> {
        Box::pin(async { None })
    }
}

/// Who calls, and what the words it came with allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of the token, or of the transport that knows its caller; for logs.
    pub name: Arc<str>,
    /// Scopes, Components, and whether secrets are shown.
    pub caller: Caller,
    /// The methods that may be called. `None`: all that the scopes allow.
    pub methods: Option<BTreeSet<String>>,
}

impl Grant {
    /// What the owner may do: everything.
    #[must_use]
    pub fn owner(name: &str) -> Self {
        Self { name: name.into(), caller: Caller::owner(), methods: None }
    }
}

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A System is run, or announced to whoever runs it.
    SystemInvoke,
    /// A payment succeeded.
    PaySuccess,
    /// A payment failed.
    PayFailure,
    /// A paycode without an invoice was paid.
    PaycodePayment,
    /// An invoice was paid.
    InvoicePayment,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::SystemInvoke,
        Self::PaySuccess,
        Self::PayFailure,
        Self::PaycodePayment,
        Self::InvoicePayment,
    ];

    /// The name of its notifications.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemInvoke => "payecs_system_invoke",
            Self::PaySuccess => "pay_success",
            Self::PayFailure => "pay_failure",
            Self::PaycodePayment => "paycode_payment",
            Self::InvoicePayment => "invoice_payment",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What somebody who subscribed is told, in the order in which it happened.
pub trait Feed: Send {
    /// The next thing. `None`: the service has ended. A future that is dropped loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>>;

    /// How much it was given to tell. Who listens is told of it before a call of its own is
    /// answered that brought it about. `None`: answers don't wait for this feed.
    fn given(&self) -> Option<Given> {
        None
    }
}

/// How much a feed was given. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Given(Arc<AtomicU64>);

impl Given {
    /// Before it is given one thing more, and before whatever brought that about is answered.
    pub fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// How much it was given so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// One thing that a feed tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something happened.
    Event {
        /// What it is about.
        topic: Topic,
        /// What happened, without secrets.
        params: Json,
    },
    /// Events are missing here: the feed was too slow, or they are not kept.
    Lost {
        /// How many; `None`: nobody knows.
        count: Option<u64>,
        /// The cursor behind which they are missing.
        cursor: u64,
    },
    /// Nothing more will be told, and why.
    Ended(ErrorObject),
}
