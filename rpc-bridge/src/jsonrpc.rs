//! JSON-RPC 2.0: requests and batches in, answers out.

use ecs_core::{Caller, Engine, ErrorObject, Inputs, Json, method::timed_out};
use serde::Serialize;

/// Largest request or batch, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Most requests in a batch.
pub const BATCH_MAX: usize = 100;
/// The code of a text that is not JSON, or beyond a limit.
pub const PARSE_ERROR: i32 = -32700;
/// The code of JSON that is no request.
pub const INVALID_REQUEST: i32 = -32600;

/// An answer on its way out.
#[derive(Serialize)]
struct Response {
    jsonrpc: &'static str,
    id: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

/// A request that was understood.
struct Request {
    /// `None`: a notification, which is not answered.
    id: Option<Json>,
    method: String,
    params: Option<Json>,
}

/// Answers a request or a batch. `None`: there were only notifications.
///
/// `inputs` is asked once for each request: each is a command of its own. A request without `id` is
/// carried out and not answered.
/// ```
/// # use ecs_core::{Caller, Engine, Inputs};
/// # use rpc_bridge::answer;
/// let mut app = Engine::new();
/// let request = r#"{"jsonrpc":"2.0","id":"a","method":"payecs_newentity"}"#;
/// let response = answer(&mut app, &Caller::owner(), Inputs::default, request).unwrap();
/// assert_eq!(response, r#"{"jsonrpc":"2.0","id":"a","result":{"entity":1}}"#);
/// ```
pub fn answer(
    engine: &mut Engine,
    caller: &Caller,
    mut inputs: impl FnMut() -> Inputs,
    text: &str,
) -> Option<String> {
    let parsed = match text.len() {
        0..=REQUEST_BYTES_MAX => Json::parse(text).map_err(|error| error.to_string()),
        bytes => Err(format!("{bytes} bytes, {REQUEST_BYTES_MAX} allowed")),
    };
    let request = match parsed {
        Ok(request) => request,
        Err(why) => return Some(text_of(&refused(PARSE_ERROR, &format!("Parse error: {why}")))),
    };
    let Some(batch) = request.items() else {
        return one(engine, caller, inputs(), &request).map(|response| text_of(&response));
    };
    if batch.is_empty() || batch.len() > BATCH_MAX {
        let why = format!("Invalid request: a batch has 1 to {BATCH_MAX} requests");
        return Some(text_of(&refused(INVALID_REQUEST, &why)));
    }
    let responses: Vec<Response> =
        batch.iter().filter_map(|request| one(engine, caller, inputs(), request)).collect();
    (!responses.is_empty()).then(|| text_of(&responses))
}

fn one(engine: &mut Engine, caller: &Caller, inputs: Inputs, json: &Json) -> Option<Response> {
    let request = match read(json) {
        Ok(request) => request,
        Err(why) => return Some(refused(INVALID_REQUEST, &format!("Invalid request: {why}"))),
    };
    let reply = engine.call(caller, inputs, &request.method, request.params.as_ref());
    let outcome = reply.and_then(|reply| reply.now().ok_or_else(timed_out));
    let id = request.id?;
    Some(match outcome {
        Ok(result) => Response { jsonrpc: "2.0", id, result: Some(result), error: None },
        Err(error) => Response { jsonrpc: "2.0", id, result: None, error: Some(error) },
    })
}

fn read(json: &Json) -> Result<Request, &'static str> {
    let mut fields = json.fields().ok_or("not an object")?;
    if fields.get("jsonrpc").and_then(Json::as_str).as_deref() != Some("2.0") {
        return Err("`jsonrpc` must be \"2.0\"");
    }
    let id = fields.remove("id");
    let is_id = |id: &Json| id.is_null() || id.as_str().is_some() || id.decode::<i64>().is_ok();
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err("`id` must be a string or an integer");
    }
    let method = fields.get("method").and_then(Json::as_str).ok_or("`method` must be a string")?;
    let method = method.into_owned();
    Ok(Request { id, method, params: fields.remove("params") })
}

fn refused(code: i32, message: &str) -> Response {
    let error = Some(ErrorObject::new(code, message));
    Response { jsonrpc: "2.0", id: Json::of(&()), result: None, error }
}

fn text_of<T: Serialize>(response: &T) -> String {
    Json::of(response).text().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(text: &str) -> Option<String> {
        answer(&mut Engine::new(), &Caller::owner(), Inputs::default, text)
    }

    fn code(text: &str) -> i32 {
        let response = Json::parse(&ask(text).expect("an answer")).unwrap();
        let error: ErrorObject = response.fields().unwrap()["error"].decode().unwrap();
        error.code
    }

    #[test]
    fn what_is_no_request_gets_the_code_json_rpc_gives_it() {
        let new = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
        let long = format!("\"{}\"", "x".repeat(REQUEST_BYTES_MAX));
        let deep = "[".repeat(10_000);
        let crowd = format!("[{}]", vec![new; BATCH_MAX + 1].join(","));
        for (text, expected) in [
            ("", PARSE_ERROR),
            ("{", PARSE_ERROR),
            ("{\"jsonrpc\":\"2.0\",\"id\":1e999999999,\"method\":\"x\"}", PARSE_ERROR),
            (&long, PARSE_ERROR),
            (&deep, PARSE_ERROR),
            ("7", INVALID_REQUEST),
            ("[]", INVALID_REQUEST),
            (&crowd, INVALID_REQUEST),
            (r#"{"id":1,"method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_nothing"}"#, -32601),
            (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":[1]}"#, -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":7}"#, -32602),
        ] {
            assert_eq!(code(text), expected, "{}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn ids_come_back_as_they_came_and_notifications_are_carried_out_without_an_answer() {
        let mut engine = Engine::new();
        let mut ask = |text: &str| answer(&mut engine, &Caller::owner(), Inputs::default, text);
        assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#), None);
        for id in ["1", "\"a\"", "null", "-7"] {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"payecs_getdefaultsystems"}}"#);
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"systems":[]}}}}"#);
            assert_eq!(ask(&text), Some(expected));
        }
        let next = ask(r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#).unwrap();
        assert!(next.ends_with(r#""result":{"entity":2}}"#), "the notification took 1: {next}");
    }

    #[test]
    fn a_batch_is_answered_in_order_without_its_notifications() {
        let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"},7,
            {"jsonrpc":"2.0","method":"payecs_newentity"},
            {"jsonrpc":"2.0","id":2,"method":"payecs_newentity","params":{}}]"#;
        let answered = Json::parse(&ask(batch).unwrap()).unwrap();
        let ids: Vec<String> = answered
            .items()
            .unwrap()
            .iter()
            .map(|response| response.fields().unwrap()["id"].to_string())
            .collect();
        assert_eq!(ids, ["1", "null", "2"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_bridge_panic(text in "[\\[\\]{}\",:a-z0-9.\\\\ ]{0,60}") {
            let _ = ask(&text);
        }
    }
}
