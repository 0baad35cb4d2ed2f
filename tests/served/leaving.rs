//! Callers that leave before they are answered.

use crate::{ask, daemon::Daemon, request};
use payecs_tests::callers::{Caller, Door};
use payflow_default::shell::Speed;

/// More than may wait at a time, and as many over each of the three doors.
const LEAVING: usize = 2_001;

/// Waits until so many callers wait for an answer.
fn until_waiting(daemon: &Daemon, count: usize, what: &str) {
    let waits = || daemon.look(|driver, _| driver.waiters());
    assert!((0..1_000_000).any(|_| waits() == count), "{what}: {} wait", waits());
}

/// Somebody who calls and leaves.
fn leave(daemon: &Daemon, door: &Door, method: &str, params: &str) {
    let mut caller = Caller::connect(door).expect("it is open");
    caller.send(&request(1, method, params)).expect("it listens");
    until_waiting(daemon, 1, door.name());
}

#[test]
fn who_waits_and_leaves_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), Speed::REAL);
    let doors = daemon.doors();
    let mut stays = Caller::connect(&doors[2]).unwrap();
    let made = ask(&mut stays, "payecs_setcomponents", r#"[{"entity":1,"acme:x":1}]"#);
    assert!(made.contains(r#""result":{}"#), "{made}");
    for (number, door) in (0..LEAVING).zip(doors.iter().cycle()) {
        leave(&daemon, door, "payecs_wait", r#"[1,"acme:never",86400]"#);
        until_waiting(&daemon, 0, door.name());
        if number % 100 == 0 {
            let said = ask(&mut stays, "payecs_wait", r#"[1,"acme:never",0]"#);
            assert!(said.contains(r#""code":2000,"#), "it may wait: {said}");
        }
    }
    daemon.stop();
}

#[test]
fn who_pays_and_leaves_has_paid() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), "20".parse().unwrap());
    let doors = daemon.doors();
    let mut stays = Caller::connect(&doors[2]).unwrap();
    for door in &doors {
        let params = format!("[\"{}\"]", daemon.invoice());
        leave(&daemon, door, "pay", &params);
        until_waiting(&daemon, 0, door.name());
        let under_way = r#""code":200,"#;
        let said = (0..1_000_000)
            .map(|_| ask(&mut stays, "pay", &params))
            .find(|said| !said.contains(under_way))
            .expect("it ends");
        assert!(said.contains(r#""replayed":true"#), "{}: {said}", door.name());
    }
    daemon.stop();
}
