//! JSON-RPC 2.0: requests and batches in, answers out.

use crate::{Grant, Limits, Outcome, Service, call::call, framing::id_in};
use ecs_core::{ErrorObject, Fields, Json};
use serde::Serialize;
use std::sync::Arc;

/// The code of a text that is not JSON, or beyond a limit.
pub const PARSE_ERROR: i32 = -32700;
/// The code of JSON that is no request.
pub const INVALID_REQUEST: i32 = -32600;
/// The code of a request that is larger than is taken.
pub const REQUEST_TOO_LARGE: i32 = -32007;
/// The code of an answer that is larger than is given. What was asked for is done nevertheless.
pub const RESPONSE_TOO_LARGE: i32 = -32008;
/// The code of a call while too many others of its connection run. Nothing was done.
pub const TOO_MANY_CALLS: i32 = -32009;

/// Room for what stands around a result, so that a short answer is written at once.
const ENVELOPE_BYTES: usize = 64;

/// An answer on its way out.
#[derive(Debug, Serialize)]
pub(crate) struct Response {
    jsonrpc: &'static str,
    id: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

impl Response {
    pub(crate) fn new(id: Json, outcome: Outcome) -> Self {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self { jsonrpc: "2.0", id, result, error }
    }

    pub(crate) fn refused(id: Option<Json>, code: i32, message: impl Into<String>) -> Self {
        Self::new(id.unwrap_or_else(Json::null), Err(ErrorObject::new(code, message)))
    }

    /// The same with the id in a text that is no request, where it has none: whoever asked may wait
    /// for an answer with it, as lightningd does.
    pub(crate) fn with_id_in(self, text: &[u8]) -> Self {
        let id = if self.id.is_null() { id_in(text).unwrap_or(self.id) } else { self.id };
        Self { id, ..self }
    }

    /// Whether it is an error of that code.
    pub(crate) fn has(&self, code: i32) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == code)
    }

    /// Its text; that of an error if it is larger than answers may be.
    pub(crate) fn text(self, limits: &Limits) -> String {
        let whole = self.written();
        if whole.len() <= limits.response_bytes as usize {
            return whole;
        }
        Self::new(self.id, Err(too_large(limits))).written()
    }

    fn written(&self) -> String {
        let result = self.result.as_ref().map_or(0, |result| result.text().len());
        let mut bytes = Vec::with_capacity(ENVELOPE_BYTES + result);
        serde_json::to_writer(&mut bytes, self).expect("our values have string keys");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }
}

/// Says that an answer is larger than is given.
pub(crate) fn too_large(limits: &Limits) -> ErrorObject {
    let max = limits.response_bytes;
    let what = format!("The answer has more than {max} bytes: ask for less, or page by page.");
    ErrorObject::new(RESPONSE_TOO_LARGE, what)
}

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Request {
    /// `None`: a notification, which is not answered.
    pub(crate) id: Option<Json>,
    pub(crate) method: String,
    pub(crate) params: Option<Json>,
}

/// What came: what is no request is the answer to it.
#[derive(Debug)]
pub(crate) enum Message {
    One(Request),
    Batch(Vec<Result<Request, Response>>),
}

impl Message {
    /// Reads what came.
    ///
    /// # Errors
    /// The answer to what is neither a request nor a batch of what may be some.
    pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Response> {
        if bytes.len() > limits.request_bytes as usize {
            return Err(request_too_large(limits));
        }
        let json = str::from_utf8(bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| Json::parse(text).map_err(|error| error.to_string()))
            .map_err(|why| Response::refused(None, PARSE_ERROR, format!("Parse error: {why}")))?;
        let Some(items) = json.items() else { return read_one(&json).map(Self::One) };
        if items.is_empty() || items.len() > limits.batch as usize {
            let why = format!("Invalid request: a batch has 1 to {} requests", limits.batch);
            return Err(Response::refused(None, INVALID_REQUEST, why));
        }
        Ok(Self::Batch(items.iter().map(read_one).collect()))
    }
}

/// Says that a request is larger than is taken.
pub(crate) fn request_too_large(limits: &Limits) -> Response {
    let what = format!("The request has more than {} bytes.", limits.request_bytes);
    Response::refused(None, REQUEST_TOO_LARGE, what)
}

fn read_one(json: &Json) -> Result<Request, Response> {
    let refused =
        |id, why| Err(Response::refused(id, INVALID_REQUEST, format!("Invalid request: {why}")));
    let Some(mut fields) = json.entries() else { return refused(None, "not an object") };
    let twice = ["jsonrpc", "id", "method", "params"]
        .iter()
        .any(|name| fields.iter().filter(|(field, _)| field == name).count() > 1);
    if twice {
        return refused(None, "a field is given twice");
    }
    let id = take(&mut fields, "id");
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return refused(None, "`id` must be a string or an integer from 0 to 2^64-1");
    }
    let version = take(&mut fields, "jsonrpc");
    if version.as_ref().and_then(Json::as_str).as_deref() != Some("2.0") {
        return refused(id, "`jsonrpc` must be \"2.0\"");
    }
    let method = take(&mut fields, "method");
    let Some(method) = method.as_ref().and_then(Json::as_str) else {
        return refused(id, "`method` must be a string");
    };
    let params = take(&mut fields, "params").filter(|params| !params.is_null());
    Ok(Request { id, method: method.into_owned(), params })
}

fn take(fields: &mut Fields, name: &str) -> Option<Json> {
    let at = fields.iter().position(|(field, _)| field == name)?;
    Some(fields.swap_remove(at).1)
}

pub(crate) fn is_id(id: &Json) -> bool {
    id.is_null() || id.as_str().is_some() || id.decode::<u64>().is_ok()
}

/// Answers a request or a batch. `None`: there were only notifications.
///
/// A request without `id` is carried out and not answered. The requests of a batch are carried out
/// one after the other. Whoever drops this waits no more: what was begun is done nevertheless, as
/// [`Service::call`] says, and what comes after it in a batch is not begun.
pub async fn answer(
    service: &Arc<dyn Service>,
    grant: &Arc<Grant>,
    limits: &Limits,
    bytes: &[u8],
) -> Option<String> {
    match Message::read(bytes, limits) {
        Err(refused) => Some(refused.text(limits)),
        Ok(message) => answer_message(service, grant, limits, message).await,
    }
}

/// Answers what was read.
pub(crate) async fn answer_message(
    service: &Arc<dyn Service>,
    grant: &Arc<Grant>,
    limits: &Limits,
    message: Message,
) -> Option<String> {
    let batch = match message {
        Message::One(request) => {
            return one(service, grant, request).await.map(|response| response.text(limits));
        }
        Message::Batch(batch) => batch,
    };
    let mut answers = Answers::new(limits);
    for entry in batch {
        let response = match entry {
            Ok(request) => one(service, grant, request).await,
            Err(refused) => Some(refused),
        };
        if let Some(response) = response {
            answers.push(&response.text(limits));
        }
    }
    answers.finish()
}

async fn one(service: &Arc<dyn Service>, grant: &Arc<Grant>, request: Request) -> Option<Response> {
    let Request { id, method, params } = request;
    let outcome = call(service, grant, method, params).await;
    Some(Response::new(id?, outcome))
}

/// The answers of a batch, as far as they may go.
struct Answers<'a> {
    limits: &'a Limits,
    text: String,
    overflown: bool,
}

impl<'a> Answers<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self { limits, text: String::new(), overflown: false }
    }

    fn push(&mut self, response: &str) {
        let bytes = self.text.len() + response.len() + 2;
        if self.overflown || bytes > self.limits.response_bytes as usize {
            (self.overflown, self.text) = (true, String::new());
            return;
        }
        self.text.push(if self.text.is_empty() { '[' } else { ',' });
        self.text.push_str(response);
    }

    fn finish(mut self) -> Option<String> {
        if self.overflown {
            let refused = Response::new(Json::null(), Err(too_large(self.limits)));
            return Some(refused.written());
        }
        if self.text.is_empty() {
            return None;
        }
        self.text.push(']');
        Some(self.text)
    }
}

#[cfg(test)]
mod tests;
