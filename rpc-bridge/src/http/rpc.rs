//! The method table over WebSocket: what is ours where jsonrpsee does otherwise.

use super::{
    flow::Flow,
    gate::Session,
    subscriptions::{self, Subscribed},
};
use crate::{
    Grant, INVALID_REQUEST, Limits, Outcome, PARSE_ERROR, Service, TOO_MANY_CALLS, Tokens,
    call::{call, permit},
    jsonrpc,
};
use ecs_core::{ErrorObject, Json, NOT_PERMITTED};
use jsonrpsee::{
    MethodResponse, RpcModule,
    core::{
        middleware::{Batch, BatchEntry, Notification},
        server::{BatchResponseBuilder, ResponsePayload},
    },
    server::{
        RegisterMethodError,
        middleware::rpc::{RpcService, RpcServiceT},
    },
    types::{ErrorObjectOwned, Id, Request},
};
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What is said to a batch that subscribes.
pub(super) const IN_A_BATCH: &str = "Invalid request: subscribe outside of a batch";

/// What all connections share.
pub(super) struct Bridge {
    pub(super) service: Arc<dyn Service>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) limits: Limits,
    pub(super) subscribed: Subscribed,
}

/// An error of ours as jsonrpsee has it.
pub(super) fn owned(error: ErrorObject) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(error.code, error.message, error.data)
}

/// What jsonrpsee itself answers: the subscriptions.
pub(super) fn module(bridge: Arc<Bridge>) -> Result<RpcModule<Arc<Bridge>>, RegisterMethodError> {
    let mut module = RpcModule::new(bridge);
    subscriptions::register(&mut module)?;
    Ok(module)
}

fn bytes_of(params: Option<&RawValue>) -> usize {
    params.map_or(0, |params| params.get().len())
}

/// What stands between a WebSocket and jsonrpsee's service.
#[derive(Clone)]
pub(super) struct Edge(Arc<Inner>);

struct Inner {
    jsonrpsee: RpcService,
    bridge: Arc<Bridge>,
    session: Session,
    flow: Arc<Flow>,
    running: Semaphore,
}

impl Edge {
    /// In front of jsonrpsee's service, for whoever was let in.
    pub(super) fn new(
        jsonrpsee: RpcService,
        bridge: Arc<Bridge>,
        session: Session,
        flow: Arc<Flow>,
    ) -> Self {
        let running = Semaphore::new(bridge.limits.calls as usize);
        Self(Arc::new(Inner { jsonrpsee, bridge, session, flow, running }))
    }
}

impl Inner {
    /// Whoever calls, if the token still counts.
    fn caller(&self) -> Result<Arc<Grant>, ErrorObject> {
        self.bridge.tokens.grant(self.session.pass).ok_or_else(|| {
            ErrorObject::new(NOT_PERMITTED, "Not permitted: the token counts no more.")
        })
    }

    /// Answers one call.
    async fn one(&self, request: Request<'_>) -> MethodResponse {
        if subscriptions::is_one(&request.method) {
            return self.subscription(request).await;
        }
        let outcome = self.outcome(&request.method, request.params.as_deref()).await;
        self.flow.streams.told().await;
        let payload = match outcome {
            Ok(result) => ResponsePayload::success(result),
            Err(error) => ResponsePayload::error(owned(error)),
        };
        let bytes_max = self.bridge.limits.response_bytes as usize;
        MethodResponse::response(request.id, payload, bytes_max)
    }

    /// Calls a method with its params as they came.
    async fn outcome(&self, name: &str, params: Option<&RawValue>) -> Outcome {
        let grant = self.caller()?;
        permit(&grant, name)?;
        let params = params
            .map(Json::judge)
            .transpose()
            .map_err(|error| ErrorObject::new(PARSE_ERROR, format!("Parse error: {error}")))?;
        let params = params.filter(|params| !params.is_null());
        call(&self.bridge.service, &grant, name.to_owned(), params).await
    }

    /// Starts or ends a subscription.
    async fn subscription(&self, mut request: Request<'_>) -> MethodResponse {
        let permitted = self.caller().and_then(|grant| {
            permit(&grant, &request.method)?;
            Ok(grant)
        });
        let grant = match permitted {
            Ok(grant) => grant,
            Err(refused) => return MethodResponse::error(request.id, owned(refused)),
        };
        request.extensions.insert(grant);
        request.extensions.insert(self.session.clone());
        request.extensions.insert(Arc::clone(&self.flow));
        self.jsonrpsee.call(request).await
    }

    /// Answers a batch, one call after the other. All of it is carried out, also where the answers
    /// are more than may be.
    async fn all(&self, batch: Batch<'_>) -> MethodResponse {
        let bytes_max = self.bridge.limits.response_bytes as usize;
        let mut answers = BatchResponseBuilder::new_with_limit(bytes_max);
        let mut overflown = false;
        for entry in batch {
            let answer = match entry {
                Ok(BatchEntry::Call(request)) if subscriptions::is_one(&request.method) => {
                    let refused = ErrorObject::new(INVALID_REQUEST, IN_A_BATCH);
                    MethodResponse::error(request.id, owned(refused))
                }
                Ok(BatchEntry::Call(request)) => self.one(request).await,
                Ok(BatchEntry::Notification(_)) => unanswered(),
                Err(refused) => {
                    let (error, id) = refused.into_parts();
                    MethodResponse::error(id, error)
                }
            };
            overflown |= answers.append(answer).is_err();
        }
        if overflown {
            return MethodResponse::error(Id::Null, owned(jsonrpc::too_large(&self.bridge.limits)));
        }
        MethodResponse::from_batch(answers.finish())
    }

    /// Waits for one of the places of the calls that run, and until answers may be added.
    async fn place(&self, bytes: usize) -> Result<SemaphorePermit<'_>, ErrorObject> {
        let waiting = self.flow.wait(bytes).ok_or_else(|| {
            let Limits { calls, waiting, .. } = self.bridge.limits;
            let why = format!(
                "{calls} calls of this connection run and {waiting} wait: wait for answers."
            );
            ErrorObject::new(TOO_MANY_CALLS, why)
        })?;
        let place = self.running.acquire().await;
        self.flow.room().await;
        drop(waiting);
        Ok(place.expect("it is never closed"))
    }

    /// Takes note of an answer that goes out.
    fn note(&self, answer: MethodResponse) -> MethodResponse {
        if answer.is_method_call() || answer.is_batch() {
            self.flow.answered(answer.as_ref().len());
        }
        answer
    }
}

/// The answer to what wants none. jsonrpsee takes a request whose id it can't hold for a
/// notification, so that nothing is carried out here in silence.
fn unanswered() -> MethodResponse {
    let why = "Invalid request: over WebSocket `id` must be given, and be a string or an integer \
               from 0 to 2^64-1";
    MethodResponse::error(Id::Null, owned(ErrorObject::new(INVALID_REQUEST, why)))
}

impl RpcServiceT for Edge {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self(edge) = self.clone();
        async move {
            let answer = match edge.place(bytes_of(request.params.as_deref())).await {
                Ok(_place) => edge.one(request).await,
                Err(refused) => MethodResponse::error(request.id, owned(refused)),
            };
            edge.note(answer)
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self(edge) = self.clone();
        async move {
            let entries = batch.iter().flatten();
            let bytes = entries.map(|entry| bytes_of(entry.params().map(|all| &**all))).sum();
            let answer = match edge.place(bytes).await {
                Ok(_place) => edge.all(batch).await,
                Err(refused) => MethodResponse::error(Id::Null, owned(refused)),
            };
            edge.note(answer)
        }
    }

    fn notification<'a>(
        &self,
        note: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self(edge) = self.clone();
        async move {
            let answer = match edge.place(bytes_of(note.params.as_deref())).await {
                Ok(_place) => unanswered(),
                Err(_) => MethodResponse::notification(),
            };
            edge.note(answer)
        }
    }
}
