//! The method table as jsonrpsee serves it, and what is ours where jsonrpsee does otherwise.

use super::{gate::Session, subscriptions, wire::Flow};
use crate::{
    Grant, INVALID_REQUEST, Limits, PARSE_ERROR, Service, TOO_MANY_CALLS, Tokens,
    call::{begin, permit},
    jsonrpc,
};
use ecs_core::{ErrorObject, INTERNAL, Json, METHOD_NOT_FOUND, NOT_PERMITTED};
use jsonrpsee::{
    MethodResponse, RpcModule,
    core::{
        middleware::{Batch, BatchEntry, Notification},
        server::{BatchResponseBuilder, ResponsePayload},
    },
    server::{
        Extensions, RegisterMethodError,
        middleware::rpc::{RpcService, RpcServiceT},
    },
    types::{ErrorObjectOwned, Id, Request},
};
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all connections share.
pub(super) struct Bridge {
    pub(super) service: Arc<dyn Service>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) limits: Limits,
}

/// An error of ours as jsonrpsee has it.
pub(super) fn owned(error: ErrorObject) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(error.code, error.message, error.data)
}

/// Registers the table, on raw params, and the subscriptions.
pub(super) fn module(bridge: Arc<Bridge>) -> Result<RpcModule<Arc<Bridge>>, RegisterMethodError> {
    let names = bridge.service.methods().keys().copied();
    let names: Vec<&'static str> = names.filter(|name| !subscriptions::is_one(name)).collect();
    let mut module = RpcModule::new(bridge);
    for name in names {
        module.register_async_method(name, move |params, bridge, extensions| async move {
            let grant = extensions.get::<Arc<Grant>>().ok_or_else(|| owned(nobody()))?;
            call(&bridge, grant, name, params.as_str()).await.map_err(owned)
        })?;
    }
    subscriptions::register(&mut module)?;
    Ok(module)
}

/// Calls a method with the text of its params.
async fn call(
    bridge: &Bridge,
    grant: &Arc<Grant>,
    name: &str,
    params: Option<&str>,
) -> Result<Json, ErrorObject> {
    let params = params
        .map(|text| Json::parse(text.trim()))
        .transpose()
        .map_err(|error| ErrorObject::new(PARSE_ERROR, format!("Parse error: {error}")))?;
    let params = params.filter(|params| !params.is_null());
    begin(&bridge.service, grant, name.to_owned(), params).await.outcome().await
}

fn nobody() -> ErrorObject {
    ErrorObject::new(INTERNAL, "Internal error: a call without a caller.")
}

fn bytes_of(params: Option<&RawValue>) -> usize {
    params.map_or(0, |params| params.get().len())
}

/// Which transport a connection has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Http,
    WebSocket,
}

/// What stands between a connection and jsonrpsee's service.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) inner: RpcService,
    pub(super) bridge: Arc<Bridge>,
    pub(super) flow: Arc<Flow>,
    pub(super) running: Arc<Semaphore>,
}

/// What is kept of an answer that went out over HTTP, where hyper waits for the other side.
fn via(extensions: &Extensions) -> Via {
    extensions.get::<Via>().copied().unwrap_or(Via::WebSocket)
}

impl Edge {
    /// Whoever calls, if the token still counts and is for that method.
    fn caller(&self, extensions: &Extensions, name: &str) -> Result<Arc<Grant>, ErrorObject> {
        let session = extensions.get::<Session>().ok_or_else(nobody)?;
        let grant = match via(extensions) {
            Via::Http => Arc::clone(&session.grant),
            Via::WebSocket => self.bridge.tokens.grant(session.pass).ok_or_else(|| {
                ErrorObject::new(NOT_PERMITTED, "Not permitted: the token counts no more.")
            })?,
        };
        permit(&grant, name)?;
        Ok(grant)
    }

    /// Answers one call.
    async fn one(self, mut request: Request<'_>) -> MethodResponse {
        let grant = match self.caller(&request.extensions, &request.method) {
            Ok(grant) => grant,
            Err(refused) => return MethodResponse::error(request.id, owned(refused)),
        };
        request.extensions.insert(Arc::clone(&grant));
        let bytes_max = self.bridge.limits.response_bytes as usize;
        let known = self.bridge.service.methods().contains_key(&*request.method);
        let subscribes = subscriptions::is_one(&request.method);
        if subscribes && via(&request.extensions) == Via::Http {
            let what = format!("`{}` needs a WebSocket.", request.method);
            let refused = ErrorObject::new(METHOD_NOT_FOUND, what);
            return MethodResponse::error(request.id, owned(refused));
        }
        if known || subscribes {
            return self.inner.call(request).await;
        }
        let params = request.params.as_ref().map(|params| params.get());
        let outcome = call(&self.bridge, &grant, &request.method, params).await;
        let payload = match outcome {
            Ok(result) => ResponsePayload::success(result),
            Err(error) => ResponsePayload::error(owned(error)),
        };
        MethodResponse::response(request.id, payload, bytes_max)
    }

    /// Carries out what is not answered. Over WebSocket jsonrpsee takes a request whose id it
    /// can't hold for one, so that nothing is carried out there in silence.
    async fn unanswered(self, note: Notification<'_>) -> MethodResponse {
        if via(&note.extensions) == Via::WebSocket {
            let why = "Invalid request: over WebSocket `id` must be given, and be a string or an \
                       integer from 0 to 2^64-1";
            let refused = ErrorObject::new(INVALID_REQUEST, why);
            return MethodResponse::error(Id::Null, owned(refused));
        }
        if let Ok(grant) = self.caller(&note.extensions, &note.method) {
            let params = note.params.as_ref().map(|params| params.get());
            // Nobody is told what became of it.
            let _outcome = call(&self.bridge, &grant, &note.method, params).await;
        }
        MethodResponse::notification()
    }

    /// Answers a batch, one call after the other. All of it is carried out, also where the answers
    /// are more than may be.
    async fn all(self, batch: Batch<'_>) -> MethodResponse {
        let bytes_max = self.bridge.limits.response_bytes as usize;
        let mut answers = BatchResponseBuilder::new_with_limit(bytes_max);
        let (mut overflown, is_empty) = (false, batch.is_empty());
        for entry in batch {
            let answer = match entry {
                Ok(BatchEntry::Call(request)) if subscriptions::is_one(&request.method) => {
                    let why = "Invalid request: subscribe outside of a batch";
                    let refused = ErrorObject::new(INVALID_REQUEST, why);
                    MethodResponse::error(request.id, owned(refused))
                }
                Ok(BatchEntry::Call(request)) => self.clone().one(request).await,
                Ok(BatchEntry::Notification(note)) => self.clone().unanswered(note).await,
                Err(refused) => {
                    let (error, id) = refused.into_parts();
                    MethodResponse::error(id, error)
                }
            };
            overflown |= answer.is_method_call() && answers.append(answer).is_err();
        }
        if overflown {
            return MethodResponse::error(Id::Null, owned(jsonrpc::too_large(&self.bridge.limits)));
        }
        if answers.is_empty() && !is_empty {
            return MethodResponse::notification();
        }
        MethodResponse::from_batch(answers.finish())
    }

    /// Waits for one of the places of the calls that run, and until answers may be added.
    async fn place(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ErrorObject> {
        let waiting = self.flow.wait(bytes).ok_or_else(|| {
            let Limits { calls, waiting, .. } = self.bridge.limits;
            let why = format!(
                "{calls} calls of this connection run and {waiting} wait: wait for answers."
            );
            ErrorObject::new(TOO_MANY_CALLS, why)
        })?;
        let place = Arc::clone(&self.running).acquire_owned().await;
        self.flow.room().await;
        drop(waiting);
        Ok(place.expect("it is never closed"))
    }

    /// Takes note of an answer that goes out over WebSocket.
    fn note(&self, via: Via, answer: MethodResponse) -> MethodResponse {
        if via == Via::WebSocket && (answer.is_method_call() || answer.is_batch()) {
            self.flow.answered(answer.as_ref().len());
        }
        answer
    }
}

impl RpcServiceT for Edge {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let edge = self.clone();
        async move {
            let via = via(&request.extensions);
            let bytes = bytes_of(request.params.as_deref());
            let answer = match edge.place(bytes).await {
                Ok(_place) => edge.clone().one(request).await,
                Err(refused) => MethodResponse::error(request.id, owned(refused)),
            };
            edge.note(via, answer)
        }
    }

    fn batch<'a>(&self, mut batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let edge = self.clone();
        async move {
            let via = via(batch.extensions());
            let entries = batch.iter().flatten();
            let bytes = entries.map(|entry| bytes_of(entry.params().map(|all| &**all))).sum();
            let answer = match edge.place(bytes).await {
                Ok(_place) => edge.clone().all(batch).await,
                Err(refused) => MethodResponse::error(Id::Null, owned(refused)),
            };
            edge.note(via, answer)
        }
    }

    fn notification<'a>(
        &self,
        note: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let edge = self.clone();
        async move {
            let via = via(&note.extensions);
            let bytes = bytes_of(note.params.as_deref());
            let answer = match edge.place(bytes).await {
                Ok(_place) => edge.clone().unanswered(note).await,
                Err(_) => MethodResponse::notification(),
            };
            edge.note(via, answer)
        }
    }
}
