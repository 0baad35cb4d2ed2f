//! What is posted: read once, and answered by our own core of JSON-RPC.

use super::{
    gate::{Session, json, plain},
    rpc::{Bridge, IN_A_BATCH},
    subscriptions,
};
use crate::{
    INVALID_REQUEST, Limits,
    call::permit,
    jsonrpc::{self, Message, Request, Response},
};
use ecs_core::{ErrorObject, METHOD_NOT_FOUND};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    StatusCode,
    body::{Body, Bytes, Incoming},
};
use jsonrpsee::server::{HttpResponse, http::content_type_is_json};

/// Answers a POST.
pub(super) async fn answer(
    bridge: &Bridge,
    request: hyper::Request<Incoming>,
    session: &Session,
) -> HttpResponse {
    if !content_type_is_json(&request) {
        let why = "`Content-Type` must be application/json.\n";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    }
    let Bridge { limits, service, .. } = bridge;
    let bytes = match read(request.into_body(), limits).await {
        Ok(bytes) => bytes,
        Err(refused) => return *refused,
    };
    let message =
        Message::read(&bytes, limits).and_then(|message| without_subscriptions(session, message));
    let text = match message {
        Ok(message) => jsonrpc::answer_message(service, &session.grant, limits, message).await,
        Err(refused) => Some(refused.text(limits)),
    };
    text.map_or_else(|| plain(StatusCode::NO_CONTENT, ""), |text| json(StatusCode::OK, text))
}

/// Refuses to subscribe: there is no connection on which something could be told.
fn without_subscriptions(session: &Session, message: Message) -> Result<Message, Response> {
    let id_of =
        |request: &Request| request.id.clone().filter(|_| subscriptions::is_one(&request.method));
    match message {
        Message::One(request) => {
            let Some(id) = id_of(&request) else { return Ok(Message::One(request)) };
            let permitted = permit(&session.grant, &request.method);
            let refused = permitted.err().unwrap_or_else(|| {
                let what = format!("`{}` needs a WebSocket.", request.method);
                ErrorObject::new(METHOD_NOT_FOUND, what)
            });
            Err(Response::new(id, Err(refused)))
        }
        Message::Batch(batch) => {
            let refuse = |request| match id_of(&request) {
                Some(id) => Err(Response::refused(Some(id), INVALID_REQUEST, IN_A_BATCH)),
                None => Ok(request),
            };
            Ok(Message::Batch(batch.into_iter().map(|entry| entry.and_then(refuse)).collect()))
        }
    }
}

/// Reads a body within its bounds.
async fn read(body: Incoming, limits: &Limits) -> Result<Bytes, Box<HttpResponse>> {
    let too_large = || {
        let text = jsonrpc::request_too_large(limits).text(limits);
        Err(Box::new(json(StatusCode::PAYLOAD_TOO_LARGE, text)))
    };
    if body.size_hint().lower() > limits.request_bytes.into() {
        return too_large();
    }
    let body = Limited::new(body, limits.request_bytes as usize).collect();
    match tokio::time::timeout(limits.body, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => too_large(),
        Ok(Err(_)) => Err(Box::new(plain(StatusCode::BAD_REQUEST, "The body is cut short.\n"))),
        Err(_) => Err(Box::new(plain(StatusCode::REQUEST_TIMEOUT, "The body took too long.\n"))),
    }
}
