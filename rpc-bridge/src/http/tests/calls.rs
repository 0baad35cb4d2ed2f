use super::*;
use ecs_core::{ErrorObject, Json};
use jsonrpsee::{
    core::{
        ClientError,
        client::{BatchResponse, ClientT},
        params::{ArrayParams, BatchRequestBuilder, ObjectParams},
    },
    rpc_params,
};
use jsonrpsee_http_client::{HeaderMap, HttpClient, HttpClientBuilder};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn client(rig: &Rig) -> HttpClient {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", rig.cookie).parse().unwrap());
    let url = format!("http://{}", rig.address);
    HttpClientBuilder::default().set_headers(headers).build(url).unwrap()
}

/// What JSON-RPC itself says to a text.
fn expected(text: &[u8]) -> Option<String> {
    let fake = Fake::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let owner = Arc::new(Grant::owner("test"));
    runtime.block_on(crate::answer(&fake.served(), &owner, &Limits::default(), text))
}

fn assert_as_expected(text: &[u8]) {
    let shown = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
    let (status, said) = Rig::new().post(text);
    match expected(text) {
        None => assert_eq!((status, said.as_str()), (204, ""), "{shown}"),
        Some(expected) => {
            let [said, expected] = [said, expected].map(|text| Json::parse(&text).unwrap());
            assert!(said == expected, "{shown}: {said} and not {expected}");
            assert_eq!(status, 200, "{shown}");
        }
    }
}

#[test]
fn http_answers_as_json_rpc_says() {
    let deep = "[".repeat(10_000);
    let new = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    let note = r#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#;
    for text in [
        "",
        "{",
        "7",
        "[]",
        "[7]",
        &deep,
        new,
        note,
        r#"{"jsonrpc":"2.0","id":1e999999999,"method":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1e999999999]}"#,
        r#"{"jsonrpc":"2.0","id":-7,"method":"payecs_newentity"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"payecs_newentity"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"payecs_newentity"}"#,
        r#"{"jsonrpc":"2.0","id":"\ud800","method":"payecs_newentity"}"#,
        r#"{"id":1,"method":"payecs_newentity"}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"payecs_getdefaultsystems"}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"payecs_newentity","params":null}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"payecs_newentity","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"payecs_advnce"}"#,
        &format!("[{new},{note},{new}]"),
        &format!("[{new},7,{new}]"),
        &format!("[{note},{note}]"),
        &format!("[{}]", vec![new; 101].join(",")),
    ] {
        assert_as_expected(text.as_bytes());
    }
    assert_as_expected(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn http_and_the_core_never_differ(
        id in prop::sample::select(vec!["", "\"id\":1,", "\"id\":\"\\u0061\",", "\"id\":null,",
            "\"id\":-1,", "\"id\":0.5,", "\"id\":{},", "\"id\":1,\"id\":1,"]),
        version in prop::sample::select(vec!["\"jsonrpc\":\"2.0\",", "\"jsonrpc\":2,", "",
            "\"jsonrpc\":\"\\u0032.0\","]),
        method in prop::sample::select(vec!["\"method\":\"echo\"", "\"method\":\"nothing\"",
            "\"method\":null", "\"other\":1"]),
        params in prop::sample::select(vec!["", ",\"params\":[1.50, 2]", ",\"params\":{\"a\":1}",
            ",\"params\":null", ",\"params\":\"x\"", ",\"params\":[1],\"params\":[1]"]),
        batch in any::<bool>(),
    ) {
        let one = format!("{{{version}{id}{method}{params}}}");
        assert_as_expected(if batch { format!("[{one}]") } else { one }.as_bytes());
    }
}

#[test]
fn params_and_results_keep_their_text() {
    let rig = Rig::new();
    let params = r#"{"b": 0.50, "a":9007199254740993, "b":[1e3 ], "c": "\ud83d\ude00\u0061"}"#;
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":{params}}}"#);
    let (_, said) = rig.post(text.as_bytes());
    assert_eq!(said, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{params}}}"#));
}

#[test]
fn an_answer_that_is_too_large_says_so_and_its_call_is_done() {
    let rig = Rig::with(Limits { response_bytes: 500, ..Limits::default() });
    let large = r#"{"jsonrpc":"2.0","id":1,"method":"large","params":[600]}"#;
    assert!(rig.post(large.as_bytes()).1.contains("-32008"));
    let fits = r#"{"jsonrpc":"2.0","id":1,"method":"large","params":[300]}"#;
    let (_, said) = rig.post(format!("[{fits},{fits},{fits}]").as_bytes());
    assert!(said.starts_with('{') && said.contains("-32008"), "{said}");
    assert_eq!(rig.fake.called().len(), 4, "{:?}", rig.fake.called());
}

#[test]
fn clients_of_jsonrpsee_are_served() {
    let rig = Rig::new();
    let client = client(&rig);
    rig.runtime.block_on(async {
        let new: BTreeMap<String, u32> =
            client.request("payecs_newentity", rpc_params![]).await.unwrap();
        assert_eq!(new["entity"], 1);
        let mut named = ObjectParams::new();
        named.insert("entity", 1).unwrap();
        let refused = client.request::<Json, _>("payecs_advance", named).await.unwrap_err();
        let ClientError::Call(refused) = refused else { panic!("{refused}") };
        assert_eq!(refused.code(), 2200, "{refused}");
        let unknown = client.request::<Json, _>("payecs_advnce", ArrayParams::new()).await;
        let ClientError::Call(unknown) = unknown.unwrap_err() else { panic!("no answer") };
        assert_eq!(unknown.message(), "Unknown command `payecs_advnce`; `payecs_advance`?");
        client.notification("payecs_newentity", rpc_params![]).await.unwrap();
        let mut batch = BatchRequestBuilder::new();
        batch.insert("payecs_newentity", rpc_params![]).unwrap();
        batch.insert("payecs_nothing", rpc_params![]).unwrap();
        let answers: BatchResponse<'_, BTreeMap<String, u32>> =
            client.batch_request(batch).await.unwrap();
        assert_eq!((answers.num_successful_calls(), answers.num_failed_calls()), (1, 1));
    });
    assert_eq!(rig.fake.called().iter().filter(|name| *name == "payecs_newentity").count(), 3);
}

#[test]
fn subscriptions_need_a_websocket() {
    let (status, said) = Rig::new().post(br#"{"jsonrpc":"2.0","id":1,"method":"payecs_observe"}"#);
    assert_eq!(status, 200);
    assert!(said.contains("-32601") && said.contains("WebSocket"), "{said}");
}

#[test]
fn a_caller_without_the_scope_is_refused_by_the_service() {
    let rig = Rig::new();
    let token = rig.token("looks", &[Scope::Read]);
    let head = rig.head(52).replace(&rig.cookie, &token);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    let (status, said) = parts(&rig.raw(format!("{head}{call}").as_bytes()));
    let said = Json::parse(&said).unwrap().fields().unwrap();
    let error: ErrorObject = said["error"].decode().unwrap();
    assert_eq!((status, error.code), (200, ecs_core::NOT_PERMITTED));
}
