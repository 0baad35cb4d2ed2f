//! Servers of external Systems, over WebSocket.

use super::{websocket::Raw, *};
use ecs_core::Json;
use std::collections::BTreeSet;

fn serve(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"payecs_serve","params":{params}}}"#)
}

#[test]
fn what_a_call_gives_a_server_of_its_connection_is_told_before_its_answer() {
    let rig = Rig::new();
    let mut raw = Raw::open(&rig);
    assert!(raw.ask(serve(r#"["acme:x"]"#).as_bytes()).contains("\"result\":"));
    let calls = 200;
    for number in 0..calls {
        let call =
            format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"give","params":[{number}]}}"#);
        raw.send(call.as_bytes()).unwrap();
    }
    let (mut told, mut answered) = (BTreeSet::new(), 0);
    while answered < calls {
        let said = Json::parse(&raw.hear()).unwrap().fields().unwrap();
        if let Some(params) = said.get("params") {
            let [number] = params.fields().unwrap()["result"].decode::<[u64; 1]>().unwrap();
            assert_eq!(said["method"], Json::of("payecs_system_invoke"));
            assert!(told.insert(number), "once");
        } else {
            assert!(told.contains(&said["id"].decode().unwrap()), "its work comes first");
            answered += 1;
        }
    }
    assert_eq!(told.len(), calls);
}

#[test]
fn a_server_goes_with_its_subscription_its_connection_or_its_token() {
    let rig = Rig::new();
    let is_gone = |at: usize| rig.fake.servers.lock().unwrap()[at].is_gone();
    let mut raw = Raw::open(&rig);
    let begun = raw.ask(serve(r#"{"systems":"acme:x","limit":7}"#).as_bytes());
    let id = Json::parse(&begun).unwrap().fields().unwrap()["result"].clone();
    {
        let servers = rig.fake.servers.lock().unwrap();
        assert_eq!(
            (&*servers[0].systems, servers[0].at_once),
            (&["acme:x".to_owned()][..], Some(7))
        );
        assert!(!servers[0].is_gone());
    }
    // Once it is told of something it can be ended.
    let told = raw.ask(br#"{"jsonrpc":"2.0","id":1,"method":"give","params":[1]}"#);
    assert!(told.contains("payecs_system_invoke") && raw.hear().contains("\"result\":[1]"));
    let end = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"payecs_unserve","params":[{id}]}}"#);
    assert!(raw.ask(end.as_bytes()).contains("\"result\":true"));
    until("it is gone", || is_gone(0));
    raw.ask(serve(r#"["acme:x"]"#).as_bytes());
    assert!(!is_gone(1));
    drop(raw);
    until("it is gone", || is_gone(1));
    let token = rig.token("short", &[Scope::Flow]);
    let client = super::websocket::client(&rig, &token);
    rig.runtime.block_on(async {
        use jsonrpsee::{core::client::SubscriptionClientT, rpc_params};
        let begun =
            client.subscribe::<Json, _>("payecs_serve", rpc_params!["acme:x"], "payecs_unserve");
        let _serves = begun.await.unwrap();
        rig.tokens.revoke("short").unwrap();
        let mut raw = Raw::open(&rig);
        raw.ask(br#"{"jsonrpc":"2.0","id":1,"method":"give","params":[1]}"#);
        until("it is gone", || is_gone(2));
    });
}

#[test]
fn who_serves_nothing_any_more_is_told_why_before_the_answer_and_its_subscription_is_over() {
    let rig = Rig::new();
    let mut raw = Raw::open(&rig);
    let begun = raw.ask(serve(r#"["acme:x"]"#).as_bytes());
    let id = Json::parse(&begun).unwrap().fields().unwrap()["result"].clone();
    let told = raw.ask(br#"{"jsonrpc":"2.0","id":2,"method":"dismiss"}"#);
    let told = Json::parse(&told).unwrap().fields().unwrap()["params"].fields().unwrap();
    let why = r#"{"ended":{"code":-32602,"message":"it was removed"}}"#;
    assert_eq!((told["result"].text(), &told["subscription"]), (why, &id));
    assert!(raw.hear().contains("\"id\":2"), "the answer comes behind it");
    until("it is over", || rig.fake.servers.lock().unwrap()[0].is_gone());
    let end = format!(r#"{{"jsonrpc":"2.0","id":3,"method":"payecs_unserve","params":[{id}]}}"#);
    assert!(raw.ask(end.as_bytes()).contains("\"result\":false"), "there is none");
}

#[test]
fn who_may_not_serve_is_told_why() {
    let rig = Rig::new();
    let mut raw = Raw::open(&rig);
    for (params, code) in [("[]", -32_602), ("[[]]", -32_602), ("[\"a\",0]", -32_602)] {
        let said = raw.ask(serve(params).as_bytes());
        assert!(said.contains(&format!("\"code\":{code},")), "{params}: {said}");
    }
    let (status, said) = rig.post(serve(r#"["acme:x"]"#).as_bytes());
    assert!(status == 200 && said.contains("-32601"), "{said}");
    let reads = super::websocket::client(&rig, &rig.token("reads", &[Scope::Read]));
    let refused = rig.runtime.block_on(async {
        use jsonrpsee::{core::client::SubscriptionClientT, rpc_params};
        let (start, end) = ("payecs_serve", "payecs_unserve");
        reads.subscribe::<Json, _>(start, rpc_params!["acme:x"], end).await.map(drop)
    });
    let jsonrpsee::core::ClientError::Call(refused) = refused.unwrap_err() else { panic!("no") };
    assert_eq!(refused.code(), ecs_core::NOT_PERMITTED);
    assert!(rig.fake.servers.lock().unwrap().is_empty());
}
