//! Callers that wait.

use super::{driver, invoice, network, shell, *};
use crate::Asker;
use ecs_core::{Caller, ErrorObject, Quota, Quotas, Reply};
use ledger_store::store::Kept;

/// Somebody who writes down what he is told, as a code, or 0; and may be gone.
struct Told(Arc<Mutex<Vec<i32>>>, bool);

impl Asker for Told {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        self.0.lock().unwrap().push(reply.map_or_else(|error| error.code, |_| 0));
    }

    fn is_gone(&self) -> bool {
        self.1
    }
}

#[test]
fn too_many_who_look_are_refused_and_who_pays_may_always_wait() {
    let network = network();
    let mut driver = driver(network.connect(START));
    let opened = START.after_ms(1_000);
    driver.run_until(opened);
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut call = |name: &str, params: Json| {
        let asker = Box::new(Told(Arc::clone(&told), false));
        driver.call_method(opened, &Caller::owner(), (name, Some(&params)), asker);
        std::mem::take(&mut *told.lock().unwrap())
    };
    assert!(
        call("payecs_setcomponents", Json::parse(r#"[{"entity":7,"acme:x":1}]"#).unwrap()) == [0]
    );
    let wait = Json::of(&(7, "acme:never", 5));
    for _ in 0..Quota::Waiters.default_max() {
        assert!(call("payecs_wait", wait.clone()).is_empty());
    }
    assert_eq!(call("payecs_wait", wait), [2340]);
    let answers = call("pay", Json::of(&[invoice(&network)]));
    assert!(answers.is_empty(), "it runs, and is waited for: {answers:?}");
    driver.run_until(START.after_ms(5_000));
    assert_eq!(*told.lock().unwrap(), [0], "paid");
    driver.run_until(START.after_ms(7_000));
    let told = told.lock().unwrap();
    assert_eq!((told.len(), told.iter().filter(|code| **code == 2000).count()), (1_025, 1_024));
}

#[test]
fn who_is_gone_holds_no_place_of_those_who_look() {
    let mut driver = driver(network().connect(START));
    let told = Arc::new(Mutex::new(Vec::new()));
    let wait = Json::of(&(7, "acme:never", 5));
    let made = Json::parse(r#"[{"entity":7,"acme:x":1}]"#).unwrap();
    let mut call = |name: &str, params: &Json, is_gone: bool| {
        let asker = Box::new(Told(Arc::clone(&told), is_gone));
        driver.call_method(START, &Caller::owner(), (name, Some(params)), asker);
        driver.waiters()
    };
    assert_eq!(call("payecs_setcomponents", &made, false), 0);
    for number in 1..=1_024 {
        assert_eq!(call("payecs_wait", &wait, number != 1), number);
    }
    assert_eq!(call("payecs_wait", &wait, false), 2, "those who are there");
    assert_eq!(*told.lock().unwrap(), [0], "nobody was refused");
}

#[test]
fn a_token_whose_callers_wait_in_numbers_holds_up_no_other() {
    let mut driver = driver(network().connect(START));
    let few = Quotas::default().with(Quota::TokenWaiters, 2).unwrap();
    driver.command(START, |engine| engine.set_quotas(few));
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut call = |token: Option<&str>, name: &str, params: &str| {
        let caller = Caller { token: token.map(Into::into), ..Caller::owner() };
        let (asker, params) =
            (Box::new(Told(Arc::clone(&told), false)), Json::parse(params).unwrap());
        driver.call_method(START, &caller, (name, Some(&params)), asker);
        std::mem::take(&mut *told.lock().unwrap())
    };
    let wait = r#"[7,"acme:never",5]"#;
    assert_eq!(call(None, "payecs_setcomponents", r#"[{"entity":7,"acme:x":1}]"#), [0]);
    for token in [Some("shop"), Some("shop"), None, None, None, Some("erp")] {
        assert_eq!(call(token, "payecs_wait", wait), [0; 0], "{token:?}");
    }
    assert_eq!(call(Some("shop"), "payecs_wait", wait), [2340]);
    assert_eq!(call(Some("erp"), "payecs_wait", wait), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_it_stops_is_told_so() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let params = Json::of(&[invoice(&network)]);
    let pays = handle.call_method(Caller::owner(), "pay", Some(params));
    let stops = async {
        handle.call(|_, _| ()).await.unwrap();
        handle.stop();
    };
    let (paid, (), ended) = tokio::join!(pays, stops, shell.run());
    assert_eq!(paid.unwrap_err().code, -5);
    assert!(ended.journal.is_ok());
}

/// Somebody who writes down that he was answered.
struct Heard(Arc<Mutex<Vec<String>>>);

impl Asker for Heard {
    fn answer(self: Box<Self>, reply: Result<Reply, ErrorObject>) {
        self.0.lock().unwrap().push(reply.map_or_else(|error| error.message, |_| "ok".to_owned()));
    }

    fn is_gone(&self) -> bool {
        false
    }
}

#[test]
fn a_system_is_announced_before_the_answer_and_neither_before_its_record() {
    let network = network();
    let mut driver = driver(network.connect(START));
    driver.keep_journal(0);
    driver.announce_all(true);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let announced = Arc::clone(&heard);
    driver.announce_to(Box::new(move |body| {
        announced.lock().unwrap().push(body.fields().unwrap()["system"].to_string());
    }));
    let systems = r#"{"systems":["lightningd:generate_nonce"]}"#;
    let write = format!(r#"[[{{"entity":7,"lightningd:systems":{systems}}}]]"#);
    for (name, params) in [("payecs_setcomponents", &*write), ("payecs_advance", "[7]")] {
        let (asker, params) = (Box::new(Heard(Arc::clone(&heard))), Json::parse(params).unwrap());
        driver.call_method(START, &Caller::owner(), (name, Some(&params)), asker);
    }
    let last = driver.last_record();
    assert_eq!(*heard.lock().unwrap(), [""; 0], "nothing is kept yet");
    driver.records_kept(START, Kept { written: last - 1, synced: last - 1 });
    assert_eq!(*heard.lock().unwrap(), ["ok"]);
    driver.records_kept(START, Kept { written: last, synced: last });
    assert_eq!(*heard.lock().unwrap(), ["ok", "\"lightningd:generate_nonce\"", "ok"]);
    assert!(driver.take_notices().is_empty(), "it is told once");
}

#[tokio::test(start_paused = true)]
async fn a_round_ends_behind_what_was_answered_in_it() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (rounds, asker) = (Arc::clone(&heard), Box::new(Heard(Arc::clone(&heard))));
    let shell = shell.with_rounds(move || rounds.lock().unwrap().push("round".to_owned()));
    let outside = async {
        let call = move |driver: &mut Driver, now| {
            let new = ("payecs_newentity", None);
            driver.call_method(now, &Caller::owner(), new, asker);
        };
        handle.call(call).await.unwrap();
        handle.stop();
    };
    let (_ended, ()) = tokio::join!(shell.run(), outside);
    let heard = heard.lock().unwrap();
    let answered = heard.iter().position(|one| one == "ok").unwrap();
    assert_eq!(heard.get(answered + 1).map(String::as_str), Some("round"), "{heard:?}");
}
