use super::*;
use crate::fake::Fake;
use proptest::prelude::*;
use std::task::Poll;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn ask_of(fake: &Arc<Fake>, grant: Grant, bytes: &[u8]) -> Option<String> {
    run(answer(&fake.served(), &Arc::new(grant), &Limits::default(), bytes))
}

fn ask(bytes: &[u8]) -> Option<String> {
    ask_of(&Fake::new(), Grant::owner("test"), bytes)
}

fn code(bytes: &[u8]) -> (i32, String) {
    let response = Json::parse(&ask(bytes).expect("an answer")).unwrap();
    let fields = response.fields().unwrap();
    let error: ErrorObject = fields["error"].decode().unwrap();
    (error.code, fields["id"].to_string())
}

#[test]
fn what_is_no_request_gets_the_code_json_rpc_gives_it() {
    let new = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    let long = format!("\"{}\"", "x".repeat(10 << 20));
    let deep = "[".repeat(10_000);
    let deep_params = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let crowd = format!("[{}]", vec![new; 101].join(","));
    for (text, expected, id) in [
        ("", PARSE_ERROR, "null"),
        ("{", PARSE_ERROR, "null"),
        (r#"{"jsonrpc":"2.0","id":1e999999999,"method":"x"}"#, PARSE_ERROR, "null"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1e999999999]}"#, PARSE_ERROR, "null"),
        (&deep, PARSE_ERROR, "null"),
        (&deep_params, PARSE_ERROR, "null"),
        (&long, REQUEST_TOO_LARGE, "null"),
        ("7", INVALID_REQUEST, "null"),
        ("[]", INVALID_REQUEST, "null"),
        (&crowd, INVALID_REQUEST, "null"),
        (r#"{"id":1,"method":"x"}"#, INVALID_REQUEST, "1"),
        (r#"{"jsonrpc":"1.0","id":"a","method":"x"}"#, INVALID_REQUEST, "\"a\""),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, INVALID_REQUEST, "null"),
        (r#"{"jsonrpc":"2.0","id":-7,"method":"x"}"#, INVALID_REQUEST, "null"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, INVALID_REQUEST, "null"),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, INVALID_REQUEST, "null"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","\u006dethod":"y"}"#, INVALID_REQUEST, "null"),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, INVALID_REQUEST, "1"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_nothing"}"#, -32601, "1"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":[1]}"#, -32602, "1"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":7}"#, -32602, "1"),
    ] {
        let shown = &text[..text.len().min(80)];
        assert_eq!(code(text.as_bytes()), (expected, id.to_owned()), "{shown}");
    }
    assert_eq!(code(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}").0, PARSE_ERROR);
}

#[test]
fn ids_come_back_as_they_came_and_notifications_are_carried_out_without_an_answer() {
    let fake = Fake::new();
    let ask = |text: &str| ask_of(&fake, Grant::owner("test"), text.as_bytes());
    assert_eq!(ask(r#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#), None);
    for id in ["1", "\"a\"", "null", "18446744073709551615", "\"\\u0000\""] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"payecs_getdefaultsystems"}}"#);
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
    let answered = Json::parse(&ask(batch.as_bytes()).unwrap()).unwrap();
    let ids: Vec<String> = answered
        .items()
        .unwrap()
        .iter()
        .map(|response| response.fields().unwrap()["id"].to_string())
        .collect();
    assert_eq!(ids, ["1", "null", "2"]);
    assert_eq!(ask(br#"[{"jsonrpc":"2.0","method":"payecs_newentity"}]"#), None);
}

#[test]
fn params_reach_the_service_as_their_text() {
    let params = r#"{"b": 0.50, "a":9007199254740993, "b":[1e3 ], "\u0061": "\ud83d\ude00"}"#;
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":{params}}}"#);
    let expected = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{params}}}"#);
    assert_eq!(ask(text.as_bytes()), Some(expected));
}

#[test]
fn an_answer_that_is_too_large_is_an_error() {
    let limits = Limits { response_bytes: 300, ..Limits::default() };
    let (fake, grant) = (Fake::new(), Arc::new(Grant::owner("test")));
    let ask = |text: &str| run(answer(&fake.served(), &grant, &limits, text.as_bytes())).unwrap();
    let large = r#"{"jsonrpc":"2.0","id":1,"method":"large","params":[300]}"#;
    assert!(ask(large).contains("-32008"), "{}", ask(large));
    let fits = r#"{"jsonrpc":"2.0","id":1,"method":"large","params":[200]}"#;
    assert!(!ask(fits).contains("-32008"));
    let batch = ask(&format!("[{fits},{fits}]"));
    assert!(batch.starts_with('{') && batch.contains("-32008"), "{batch}");
}

#[test]
fn a_grant_for_some_methods_reaches_no_other() {
    let fake = Fake::new();
    let few = Grant { methods: Some(["echo".to_owned()].into()), ..Grant::owner("few") };
    let call = |method: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
    for (method, refused) in [("echo", false), ("payecs_newentity", true)] {
        let said = ask_of(&fake, few.clone(), call(method).as_bytes()).unwrap();
        assert_eq!(said.contains("1502"), refused, "{method}: {said}");
    }
    assert_eq!(fake.called(), ["echo"]);
}

#[test]
fn a_call_that_was_begun_is_done_when_nobody_waits_any_more() {
    run(async {
        let (fake, grant) = (Fake::new(), Arc::new(Grant::owner("test")));
        let served = fake.served();
        let mut begun = Box::pin(call(&served, &grant, "slow".to_owned(), None));
        assert!(
            std::future::poll_fn(|task| Poll::Ready(begun.as_mut().poll(task))).await.is_pending()
        );
        drop(begun);
        fake.gate.add_permits(1);
        while fake.gate.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_service_that_panics_is_an_internal_error() {
    for method in ["panic", "panic_later"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        assert_eq!(code(text.as_bytes()), (ecs_core::INTERNAL, "1".to_owned()), "{method}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_bridge_panic(text in "[\\[\\]{}\",:a-z0-9.\\\\ ]{0,60}") {
        let _ = ask(text.as_bytes());
    }
}
