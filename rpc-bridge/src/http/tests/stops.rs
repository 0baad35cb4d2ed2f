use super::{websocket::Raw, *};

const SLOW: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#;

fn started(rig: &Rig) -> StdStream {
    let mut stream = rig.connect();
    stream.write_all(&[rig.head(SLOW.len()).as_bytes(), SLOW].concat()).unwrap();
    until("the call runs", || rig.fake.called() == ["slow"]);
    stream
}

#[test]
fn a_call_in_flight_is_answered_when_the_server_stops() {
    let mut rig = Rig::new();
    let mut stream = started(&rig);
    let server = rig.server.take().unwrap();
    let stopping = rig.runtime.handle().clone();
    let stopping = stopping.spawn(server.stop());
    until("nothing more is accepted", || StdStream::connect(rig.address).is_err());
    rig.fake.gate.add_permits(1);
    assert!(rest(&mut stream).contains(r#""result":true"#));
    rig.runtime.block_on(stopping).unwrap();
}

#[test]
fn a_websocket_is_answered_and_closed_when_the_server_stops() {
    let mut rig = Rig::new();
    let mut silent = Raw::open(&rig);
    let mut busy = Raw::open(&rig);
    busy.send(SLOW).unwrap();
    until("the call runs", || rig.fake.called() == ["slow"]);
    let server = rig.server.take().unwrap();
    let open = Arc::clone(&server.open);
    let stopping = rig.runtime.spawn(server.stop());
    silent.ends();
    until("the silent one is closed", || open.count() == 1);
    rig.fake.gate.add_permits(1);
    assert!(busy.hear().contains(r#""result":true"#));
    rig.runtime.block_on(stopping).unwrap();
    assert_eq!(open.count(), 0);
}

#[test]
fn a_call_that_does_not_end_holds_the_stop_up_for_a_while_only() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let mut rig = Rig::with(limits);
    let mut stream = started(&rig);
    let server = rig.server.take().unwrap();
    let open = Arc::clone(&server.open);
    rig.runtime.block_on(server.stop());
    assert_eq!(rest(&mut stream), "");
    until("its connection is closed", || open.count() == 0);
}

#[test]
fn a_call_goes_on_when_its_caller_goes_away() {
    let rig = Rig::new();
    drop(started(&rig));
    until("it is gone", || rig.server.as_ref().unwrap().open.count() == 0);
    rig.fake.gate.add_permits(1);
    until("the call ended", || rig.fake.gate.available_permits() == 0);
}

#[test]
fn who_waits_and_goes_away_is_forgotten() {
    let rig = Rig::new();
    let wait = br#"{"jsonrpc":"2.0","id":1,"method":"wait"}"#;
    for number in 1..=20 {
        let mut http = rig.connect();
        http.write_all(&[rig.head(wait.len()).as_bytes(), wait].concat()).unwrap();
        let mut web_socket = Raw::open(&rig);
        for _ in 0..3 {
            web_socket.send(wait).unwrap();
        }
        until("all wait", || rig.fake.waiting() == 4);
        drop((http, web_socket));
        until("nobody waits", || rig.fake.waiting() == 0);
        assert_eq!(rig.fake.called().len(), number * 4);
    }
}
