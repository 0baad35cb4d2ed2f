//! What happens, told to those who subscribed over WebSocket.

use super::{
    flow::Flow,
    gate::Session,
    rpc::{Bridge, owned},
};
use crate::{Feed, Grant, Heard, PARSE_ERROR, Service, Topic, call::spawn};
use ecs_core::{Args, ErrorObject, Json, NOT_PERMITTED, Scope};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, SubscriptionSink,
    server::{Extensions, RegisterMethodError},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A subscription: what it tells of, what starts and what ends it. What starts it is in the table
/// of the service too, which says what it takes.
#[derive(Clone, Copy)]
struct Subscribe {
    topic: Topic,
    start: &'static str,
    end: &'static str,
    /// Whether what is told is given to this subscription alone, to be done.
    serves: bool,
}

impl Subscribe {
    const fn to(topic: Topic, start: &'static str, end: &'static str) -> Self {
        Self { topic, start, end, serves: false }
    }
}

const ALL: [Subscribe; 6] = [
    Subscribe {
        serves: true,
        ..Subscribe::to(Topic::SystemInvoke, "payecs_serve", "payecs_unserve")
    },
    Subscribe::to(Topic::SystemInvoke, "payecs_observe", "payecs_unobserve"),
    Subscribe::to(Topic::PaySuccess, "subscribe_pay_success", "unsubscribe_pay_success"),
    Subscribe::to(Topic::PayFailure, "subscribe_pay_failure", "unsubscribe_pay_failure"),
    Subscribe::to(
        Topic::PaycodePayment,
        "subscribe_paycode_payment",
        "unsubscribe_paycode_payment",
    ),
    Subscribe::to(
        Topic::InvoicePayment,
        "subscribe_invoice_payment",
        "unsubscribe_invoice_payment",
    ),
];

/// How many subscriptions there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscribed(Arc<AtomicUsize>);

impl Subscribed {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn one_more(&self) -> One<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        One(self)
    }
}

/// A subscription, until it is dropped.
struct One<'a>(&'a Subscribed);

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether that starts or ends a subscription.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|one| [one.start, one.end].contains(&name))
}

/// The names that end subscriptions. They are in no table of a service, and a token may be for
/// them.
pub fn ends() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|one| one.end)
}

/// Registers the subscriptions.
pub(super) fn register(module: &mut RpcModule<Arc<Bridge>>) -> Result<(), RegisterMethodError> {
    for subscribe in ALL {
        let Subscribe { topic, start, end, .. } = subscribe;
        module.register_subscription_raw(
            start,
            topic.name(),
            end,
            move |params, pending, bridge, extensions| {
                let params = params.as_str().map(ToOwned::to_owned);
                let asked = (subscribe, params);
                spawn(begin(asked, pending, Arc::clone(&bridge), extensions.clone()));
            },
        )?;
    }
    Ok(())
}

/// Starts a subscription and tells until it ends, the token counts no more, or the service ends.
async fn begin(
    (subscribe, params): (Subscribe, Option<String>),
    pending: PendingSubscriptionSink,
    bridge: Arc<Bridge>,
    extensions: Extensions,
) {
    let (Some(session), Some(flow)) = (extensions.get::<Session>(), extensions.get::<Arc<Flow>>())
    else {
        return;
    };
    let begun = match extensions.get::<Arc<Grant>>() {
        Some(grant) if subscribe.serves => {
            serve(&*bridge.service, grant, subscribe.start, params).await
        }
        Some(grant) => hear(&*bridge.service, grant, subscribe, params).await,
        None => Err(not_permitted("nobody")),
    };
    let mut feed = match begun {
        Ok(feed) => feed,
        Err(refused) => return pending.reject(owned(refused)).await,
    };
    // Before whoever asked is answered.
    let _one = bridge.subscribed.one_more();
    let telling = feed.given().map(|given| flow.streams.add(given));
    let Ok(sink) = pending.accept().await else { return };
    while let Some(heard) = next(&mut *feed, &sink).await {
        let is_last = matches!(heard, Heard::Ended(_));
        if bridge.tokens.grant(session.pass).is_none() || !tell(&sink, flow, heard).await {
            return;
        }
        if let Some(telling) = &telling {
            telling.one_more();
        }
        if is_last {
            return;
        }
    }
}

type Begun = Result<Box<dyn Feed>, ErrorObject>;

/// Begins to serve.
async fn serve(
    service: &dyn Service,
    grant: &Arc<Grant>,
    start: &str,
    params: Option<String>,
) -> Begun {
    if !grant.caller.may(Scope::Flow) {
        return Err(not_permitted("it lacks scope `flow`"));
    }
    let bind = |args: Args<'_>| Ok((args.strings("systems")?, args.read("limit")?));
    let (systems, at_once) = bound(service, grant, start, params, bind)?;
    service.serve(Arc::clone(grant), systems, at_once).await
}

/// Begins to hear.
async fn hear(
    service: &dyn Service,
    grant: &Grant,
    subscribe: Subscribe,
    params: Option<String>,
) -> Begun {
    may(grant)?;
    let since = bound(service, grant, subscribe.start, params, |args| args.read("since"))?;
    service.subscribe(subscribe.topic, since).await
}

/// What is told shows Components, of any name.
fn may(grant: &Grant) -> Result<(), ErrorObject> {
    if !grant.caller.may(Scope::Read) {
        return Err(not_permitted("it lacks scope `read`"));
    }
    match &grant.caller.components {
        None => Ok(()),
        Some(_) => Err(not_permitted("its token is for some Components only")),
    }
}

/// What is asked for.
fn bound<T: Default>(
    service: &dyn Service,
    grant: &Grant,
    start: &str,
    params: Option<String>,
    read: impl FnOnce(Args<'_>) -> Result<T, ErrorObject>,
) -> Result<T, ErrorObject> {
    let params = params
        .map(|text| Json::parse(text.trim()))
        .transpose()
        .map_err(|error| ErrorObject::new(PARSE_ERROR, format!("Parse error: {error}")))?;
    let params = params.filter(|params| !params.is_null());
    match service.methods().get(start) {
        Some(method) => read(Args::bind(method, params.as_ref(), &grant.caller)?),
        None => Ok(T::default()),
    }
}

fn not_permitted(why: &str) -> ErrorObject {
    ErrorObject::new(NOT_PERMITTED, format!("Not permitted: {why}."))
}

/// The next thing to tell, while somebody listens.
async fn next(feed: &mut dyn Feed, sink: &SubscriptionSink) -> Option<Heard> {
    tokio::select! {
        heard = feed.next() => heard,
        () = sink.closed() => None,
    }
}

/// Tells one thing, when there is room for it. Meanwhile the feed counts what it loses.
async fn tell(sink: &SubscriptionSink, flow: &Flow, heard: Heard) -> bool {
    let told = match heard {
        Heard::Event { params, .. } => params,
        Heard::Lost { count, cursor } => {
            Json::object([("lost", Json::of(&count)), ("cursor", Json::of(&cursor))])
        }
        Heard::Ended(why) => Json::object([("ended", Json::of(&why))]),
    };
    let message = SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), &told);
    let bytes = told.text().len();
    match message {
        Ok(message) => {
            let sent = sink.send(message).await.is_ok();
            flow.answered(if sent { bytes } else { 0 });
            sent
        }
        Err(_) => false,
    }
}
