//! What happens, told to those who subscribed over WebSocket.

use super::{
    gate::Session,
    rpc::{Bridge, owned},
    wire::Flow,
};
use crate::{Feed, Grant, Heard, Topic, call::spawn};
use ecs_core::{ErrorObject, Json, NOT_PERMITTED, Scope};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, SubscriptionSink,
    server::{Extensions, RegisterMethodError},
};
use std::sync::Arc;

/// A subscription: what it tells of, what starts and what ends it.
struct Subscribe {
    topic: Topic,
    start: &'static str,
    end: &'static str,
}

const ALL: [Subscribe; 3] = [
    Subscribe { topic: Topic::SystemInvoke, start: "payecs_observe", end: "payecs_unobserve" },
    Subscribe {
        topic: Topic::PaySuccess,
        start: "subscribe_pay_success",
        end: "unsubscribe_pay_success",
    },
    Subscribe {
        topic: Topic::PayFailure,
        start: "subscribe_pay_failure",
        end: "unsubscribe_pay_failure",
    },
];

/// Whether that starts or ends a subscription.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|one| [one.start, one.end].contains(&name))
}

/// Registers the subscriptions.
pub(super) fn register(module: &mut RpcModule<Arc<Bridge>>) -> Result<(), RegisterMethodError> {
    for Subscribe { topic, start, end } in ALL {
        module.register_subscription_raw(
            start,
            topic.name(),
            end,
            move |_, pending, bridge, extensions| {
                spawn(begin(topic, pending, Arc::clone(&bridge), extensions.clone()));
            },
        )?;
    }
    Ok(())
}

/// Starts a subscription and tells until it ends, the token counts no more, or the service ends.
async fn begin(
    topic: Topic,
    pending: PendingSubscriptionSink,
    bridge: Arc<Bridge>,
    extensions: Extensions,
) {
    let grant = extensions.get::<Arc<Grant>>();
    let (Some(session), Some(flow)) = (extensions.get::<Session>(), extensions.get::<Arc<Flow>>())
    else {
        return;
    };
    if let Err(refused) = grant.map_or_else(|| Err(not_permitted("nobody")), |grant| may(grant)) {
        pending.reject(owned(refused)).await;
        return;
    }
    let mut feed = bridge.service.subscribe(&[topic].into());
    let Ok(sink) = pending.accept().await else { return };
    while let Some(heard) = next(&mut *feed, &sink).await {
        if bridge.tokens.grant(session.pass).is_none() || !tell(&sink, flow, heard).await {
            return;
        }
    }
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
        Heard::Lost { count } => Json::object([("lost", Json::of(&count))]),
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
