//! Callers that wait.

use super::{driver, invoice, network, shell, *};
use crate::{Asker, WAITERS_MAX};
use ecs_core::{Caller, ErrorObject, Reply};

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
    for _ in 0..WAITERS_MAX {
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
    for number in 1..=WAITERS_MAX {
        assert_eq!(call("payecs_wait", &wait, number != 1), number);
    }
    assert_eq!(call("payecs_wait", &wait, false), 2, "those who are there");
    assert_eq!(*told.lock().unwrap(), [0], "nobody was refused");
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
