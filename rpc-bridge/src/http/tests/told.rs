use super::{websocket::Raw, *};
use crate::{Topic, fake::FEED_MAX};
use ecs_core::Json;
use jsonrpsee::{
    core::{
        ClientError,
        client::{Client, Subscription, SubscriptionClientT},
    },
    rpc_params,
};

async fn subscribe(client: &Client, topic: Topic) -> Result<Subscription<Json>, ClientError> {
    let (start, end) = match topic {
        Topic::SystemInvoke => ("payecs_observe", "payecs_unobserve"),
        Topic::PaySuccess => ("subscribe_pay_success", "unsubscribe_pay_success"),
        Topic::PayFailure => ("subscribe_pay_failure", "unsubscribe_pay_failure"),
        Topic::PaycodePayment => ("subscribe_paycode_payment", "unsubscribe_paycode_payment"),
        Topic::InvoicePayment => ("subscribe_invoice_payment", "unsubscribe_invoice_payment"),
    };
    client.subscribe(start, rpc_params![], end).await
}

#[test]
fn who_subscribed_is_told_until_it_unsubscribes() {
    let rig = Rig::new();
    let token = rig.token("looks", &[Scope::Read]);
    let client = super::websocket::client(&rig, &token);
    for topic in Topic::ALL {
        let mut told = rig.runtime.block_on(subscribe(&client, topic)).unwrap();
        for other in Topic::ALL.into_iter().filter(|other| *other != topic) {
            rig.fake.tell(other, r#"{"other":1}"#);
        }
        let params = r#"{"b":0.50,"a":9007199254740993}"#;
        rig.fake.tell(topic, params);
        let heard = rig.runtime.block_on(told.next()).unwrap().unwrap();
        assert_eq!(heard.text(), params, "{topic}");
        rig.runtime.block_on(told.unsubscribe()).unwrap();
        until("nobody listens", || rig.fake.listeners() == 0);
    }
}

#[test]
fn a_subscription_ends_with_its_connection_and_with_its_token() {
    let rig = Rig::new();
    let client = super::websocket::client(&rig, &rig.cookie);
    let told = rig.runtime.block_on(subscribe(&client, Topic::PaySuccess)).unwrap();
    assert_eq!(rig.fake.listeners(), 1);
    drop((told, client));
    until("nobody listens", || rig.fake.listeners() == 0);
    let token = rig.token("short", &[Scope::Read]);
    let client = super::websocket::client(&rig, &token);
    let _told = rig.runtime.block_on(subscribe(&client, Topic::PaySuccess)).unwrap();
    rig.tokens.revoke("short").unwrap();
    rig.fake.tell(Topic::PaySuccess, "{}");
    until("nobody listens", || rig.fake.listeners() == 0);
}

#[test]
fn who_may_not_read_everything_is_told_nothing() {
    let rig = Rig::new();
    let pays = rig.token("pays", &[Scope::Pay]);
    let client = super::websocket::client(&rig, &pays);
    for topic in Topic::ALL {
        let refused = rig.runtime.block_on(subscribe(&client, topic)).map(drop);
        let ClientError::Call(refused) = refused.unwrap_err() else { panic!("no answer") };
        assert_eq!(refused.code(), ecs_core::NOT_PERMITTED);
    }
    assert_eq!(rig.fake.listeners(), 0);
}

#[test]
fn who_names_a_cursor_hears_from_there_and_one_that_there_is_not_is_refused() {
    let rig = Rig::new();
    let client = super::websocket::client(&rig, &rig.cookie);
    let start = |params: &str| {
        let items = Json::parse(params).unwrap().items().unwrap();
        let (start, end) = ("subscribe_pay_failure", "unsubscribe_pay_failure");
        let params = items.into_iter().fold(rpc_params![], |mut all, item| {
            all.insert(item).unwrap();
            all
        });
        let begun = client.subscribe::<Json, _>(start, params, end);
        rig.runtime.block_on(begun).map_err(|refused| {
            let ClientError::Call(refused) = refused else { panic!("no answer: {refused}") };
            (refused.code(), refused.message().to_owned())
        })
    };
    for given in ["[3]", "[null]", "[]"] {
        let mut told = start(given).unwrap();
        rig.fake.tell(Topic::PayFailure, "{\"cursor\":4}");
        let mut heard = || rig.runtime.block_on(told.next()).unwrap().unwrap().to_string();
        if given == "[3]" {
            assert_eq!(heard(), "{\"lost\":null,\"cursor\":3}");
        }
        assert_eq!(heard(), "{\"cursor\":4}", "{given}");
    }
    for (given, why) in [
        ("[9]", "`since`: there is none"),
        ("[-1]", "`since`: expected an integer from 0"),
        ("[\"now\"]", "`since`: expected an integer from 0"),
        ("[1,2]", "takes 1, got 2"),
    ] {
        let (code, message) = start(given).map(drop).unwrap_err();
        assert!(code == -32602 && message.contains(why), "{given}: {message}");
    }
    until("nobody listens", || rig.fake.listeners() == 0);
}

#[test]
fn subscriptions_of_one_connection_have_a_bound() {
    let rig = Rig::with(Limits { subscriptions: 2, ..Limits::default() });
    let client = super::websocket::client(&rig, &rig.cookie);
    let held: Vec<_> = (0..2)
        .map(|_| rig.runtime.block_on(subscribe(&client, Topic::PaySuccess)).unwrap())
        .collect();
    let refused = rig.runtime.block_on(subscribe(&client, Topic::PaySuccess)).map(drop);
    let ClientError::Call(refused) = refused.unwrap_err() else { panic!("no answer") };
    assert_eq!(refused.code(), -32006);
    assert_eq!((held.len(), rig.fake.listeners()), (2, 2));
}

#[test]
fn who_listens_too_slowly_is_told_how_much_it_lost() {
    let rig = Rig::new();
    let mut raw = Raw::open(&rig);
    raw.send(br#"{"jsonrpc":"2.0","id":1,"method":"payecs_observe"}"#).unwrap();
    assert!(raw.hear().contains("\"result\":"));
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    let told = 200;
    for _ in 0..told {
        rig.fake.tell(Topic::SystemInvoke, &large);
    }
    let (mut heard, mut lost) = (0, 0);
    while heard + lost < told {
        let said = Json::parse(&raw.hear()).unwrap();
        let result = said.fields().unwrap()["params"].fields().unwrap()["result"].clone();
        match result.fields().unwrap().get("lost") {
            Some(count) => lost += count.decode::<usize>().unwrap(),
            None => heard += 1,
        }
    }
    assert_eq!(heard + lost, told);
    assert!(lost > 0 && heard > FEED_MAX, "{heard} heard, {lost} lost");
}
