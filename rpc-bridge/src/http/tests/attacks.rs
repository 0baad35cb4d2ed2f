use super::{websocket::Raw, *};

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;

fn hasty() -> Limits {
    let short = Duration::from_millis(200);
    Limits { head: short, body: short, stall: short, ..Limits::default() }
}

#[test]
fn who_sends_a_head_slowly_is_cut_off() {
    let rig = Rig::with(hasty());
    for some in ["", "P", "POST / HTTP/1.1\r\nHost:"] {
        let answer = rig.raw(some.as_bytes());
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert_eq!(rig.post(CALL).0, 200, "others are served");
}

#[test]
fn who_sends_a_body_slowly_is_cut_off() {
    let rig = Rig::with(hasty());
    let head = rig.head(CALL.len());
    let answer = rig.raw(format!("{head}{{\"jsonrpc\"").as_bytes());
    assert_eq!(parts(&answer).0, 408);
    assert!(rig.fake.called().is_empty());
}

#[test]
fn who_goes_away_in_the_middle_harms_nobody() {
    let rig = Rig::new();
    let head = rig.head(CALL.len());
    for upto in (0..head.len() + CALL.len()).step_by(17) {
        let whole = [head.as_bytes(), CALL].concat();
        rig.connect().write_all(&whole[..upto]).unwrap();
    }
    assert_eq!(rig.post(CALL).0, 200);
}

#[test]
fn a_head_has_a_bound() {
    let rig = Rig::new();
    let head = rig.head(CALL.len());
    let huge = head.replace("Connection", &format!("X: {}\r\nConnection", "x".repeat(1 << 20)));
    let many = head.replace("Connection", &format!("{}Connection", "X: x\r\n".repeat(1_000)));
    for head in [huge, many] {
        let mut stream = rig.connect();
        // The server closes before it has it all.
        let _sent = stream.write_all(head.as_bytes());
        let answer = rest(&mut stream);
        assert!(answer.is_empty() || parts(&answer).0 == 431, "{answer}");
    }
    assert!(rig.fake.called().is_empty());
}

#[test]
fn a_body_has_a_bound_said_or_not() {
    let rig = Rig::new();
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    let mut stream = rig.connect();
    stream.write_all(rig.head(large.len()).as_bytes()).unwrap();
    let (status, said) = parts(&rest(&mut stream));
    assert_eq!(status, 413, "by its head alone");
    assert!(said.contains("-32007"), "{said}");
    let head = rig.head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let answer = rig.raw(format!("{head}{chunk}{chunk}").as_bytes());
    assert_eq!(parts(&answer).0, 413, "{answer}");
}

#[test]
fn who_sends_a_body_that_is_refused_hears_why_and_that_the_connection_ends() {
    let rig = Rig::new();
    let body = vec![b' '; 8 << 20];
    let kept = |head: String| head.replace("Connection: close\r\n", "");
    let head = kept(rig.head(body.len()));
    for (head, status) in [
        (head.clone(), 413),
        (head.replace(&rig.cookie, "payecs_00"), 401),
        (head.replace("application/json", "text/plain"), 415),
        (head.replace("POST / ", "POST /nothing "), 404),
        (head.replace("Host: ", "Host: evil."), 403),
    ] {
        let answer = rig.raw(&[head.as_bytes(), &body].concat());
        assert_eq!(parts(&answer).0, status, "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let mut stream = rig.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let more = (0..1_000).take_while(|_| stream.write_all(&body).is_ok()).count();
    assert!(more < 8, "{more} times 8 MiB were read after a refusal");
}

#[test]
fn bytes_that_are_no_http_end_the_connection() {
    let rig = Rig::new();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n"] {
        let answer = rig.raw(bytes);
        assert!(answer.is_empty() || parts(&answer).0 == 400, "{answer}");
    }
    let broken = [rig.head(2).as_bytes(), b"\xff\xfe"].concat();
    assert!(parts(&rig.raw(&broken)).1.contains("-32700"));
}

#[test]
fn one_connection_more_than_may_be_is_told() {
    let rig = Rig::with(Limits { connections: 2, ..Limits::default() });
    let held = [Raw::open(&rig), Raw::open(&rig)];
    let mut third = rig.connect();
    let answer = rest(&mut third);
    assert!(answer.is_empty() || parts(&answer).0 == 503, "{answer}");
    drop(held);
    until("a place becomes free", || {
        let mut stream = rig.connect();
        let sent = stream.write_all(&[rig.head(CALL.len()).as_bytes(), CALL].concat());
        sent.is_ok() && rest(&mut stream).contains("200 OK")
    });
}

#[test]
fn who_takes_no_answer_is_cut_off() {
    let rig = Rig::with(hasty());
    let mut stream = rig.connect();
    let large = br#"{"jsonrpc":"2.0","id":1,"method":"large","params":[15000000]}"#;
    stream.write_all(&[rig.head(large.len()).as_bytes(), &large[..]].concat()).unwrap();
    until("the connection was given up", || rig.server.as_ref().unwrap().open.count() == 0);
    drop(stream);
}

#[test]
fn strangers_shut_out_nobody_who_has_a_token() {
    let patient = Limits { stranger: PATIENCE, head: PATIENCE, ..Limits::default() };
    let few = Limits { connections: 4, strangers: 4, ..patient.clone() };
    let none_left = Limits { connections: 4, strangers: 1, ..patient.clone() };
    for limits in [patient, few, none_left] {
        let (most, share) = (limits.connections as usize, limits.strangers as usize);
        let rig = Rig::with(limits);
        let known: Vec<Raw> = (1..most.min(4)).map(|_| Raw::open(&rig)).collect();
        let idle: Vec<StdStream> = (0..most).map(|_| rig.connect()).collect();
        assert_eq!(rig.post(CALL).0, 200, "{most} connections, {share} strangers");
        let open = || rig.server.as_ref().unwrap().open.count();
        until("no more strangers than may be", || open() <= known.len() + share);
        for mut raw in known {
            assert!(raw.ask(CALL).contains("entity"), "nobody who is known had to go");
        }
        drop(idle);
    }
}

#[test]
fn many_who_come_at_once_are_all_let_in() {
    let rig = Rig::with(Limits { strangers: 2, ..Limits::default() });
    std::thread::scope(|scope| {
        let answers = [(); 64].map(|()| scope.spawn(|| rig.post(CALL).0));
        assert_eq!(answers.map(|answer| answer.join().unwrap()), [200; 64]);
    });
}

#[test]
fn a_stranger_has_little_time_and_who_is_known_has_more() {
    let stranger = Duration::from_millis(200);
    let rig = Rig::with(Limits { stranger, head: PATIENCE, ..Limits::default() });
    let mut known = rig.connect();
    let keeps = rig.head(CALL.len()).replace("Connection: close\r\n", "");
    let hear = |known: &mut StdStream| {
        known.write_all(&[keeps.as_bytes(), CALL].concat()).unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"}}") {
            let mut byte = [0];
            known.read_exact(&mut byte).unwrap();
            said.extend(byte);
        }
    };
    hear(&mut known);
    let wrong = rig.head(0).replace(&rig.cookie, "payecs_00").replace("close", "keep-alive");
    for said in ["", "POST / HTTP/1.1\r\nHost:", &wrong] {
        let answer = rig.raw(said.as_bytes());
        assert!(answer.is_empty() || parts(&answer).0 == 401, "{answer}");
    }
    hear(&mut known);
}
