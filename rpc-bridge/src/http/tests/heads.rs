use super::*;

fn get(rig: &Rig, path: &str, lines: &[(&str, &str)]) -> (u16, String) {
    let lines: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{}", lines.concat());
    let answer = rig.raw(format!("{head}\r\n").as_bytes());
    let (status, _) = parts(&answer);
    (status, answer)
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let rig = Rig::new();
    let (host, bearer) = (rig.address.to_string(), format!("Bearer {}", rig.cookie));
    let (host, bearer) = (("Host", host.as_str()), ("Authorization", bearer.as_str()));
    let localhost = format!("localhost:{}", rig.address.port());
    let in_url = format!("/metrics?token={}", rig.cookie);
    for (path, lines, expected) in [
        ("/metrics", vec![host, bearer], 200),
        ("/metrics", vec![("Host", localhost.as_str()), bearer], 200),
        ("/metrics", vec![host, bearer, ("Origin", "http://localhost:3000")], 200),
        ("/metrics", vec![bearer], 403),
        ("/metrics", vec![("Host", "evil.example"), bearer], 403),
        ("/metrics", vec![("Host", "127.0.0.1:1"), bearer], 403),
        ("/metrics", vec![host, host, bearer], 403),
        ("http://evil.example/metrics", vec![host, bearer], 403),
        ("/metrics", vec![host, bearer, ("Origin", "null")], 403),
        ("/metrics", vec![host, bearer, ("Origin", "http://evil.example")], 403),
        (
            "/metrics",
            vec![host, bearer, ("Origin", "http://localhost:3000"), ("Origin", "http://a")],
            403,
        ),
        ("/metrics", vec![host], 401),
        ("/metrics", vec![host, bearer, bearer], 401),
        ("/metrics", vec![host, ("Authorization", "Bearer payecs_00")], 401),
        (&in_url, vec![host], 401),
        ("/", vec![host, bearer], 405),
        ("/other", vec![host, bearer], 404),
    ] {
        let (status, answer) = get(&rig, path, &lines);
        assert_eq!(status, expected, "{path} {lines:?}: {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!body.trim().is_empty(), "it says why, or what");
    }
}

#[test]
fn only_a_page_that_is_allowed_may_hear_answers() {
    let rig = Rig::new();
    let (host, bearer) = (rig.address.to_string(), format!("Bearer {}", rig.cookie));
    let (host, bearer) = (("Host", host.as_str()), ("Authorization", bearer.as_str()));
    let (ours, other) = (("Origin", "http://localhost:3000"), ("Origin", "http://evil.example"));
    for (lines, told) in [
        (vec![host, bearer, ours], true),
        (vec![host, ours], true),
        (vec![host, bearer, other], false),
        (vec![host, bearer], false),
    ] {
        let (_, answer) = get(&rig, "/metrics", &lines);
        let head = "access-control-allow-origin: http://localhost:3000\r\n";
        assert_eq!(answer.contains(head), told, "{lines:?}: {answer}");
        assert_eq!(answer.contains("access-control"), told, "{lines:?}: {answer}");
    }
    let ask = |origin: &str| {
        let head = format!("Host: {}\r\nConnection: close\r\nOrigin: {origin}", rig.address);
        rig.raw(format!("OPTIONS / HTTP/1.1\r\n{head}\r\n\r\n").as_bytes())
    };
    let asked = ask(ours.1);
    assert_eq!(parts(&asked).0, 204);
    assert!(asked.contains("access-control-allow-headers: authorization, content-type"));
    assert_eq!(parts(&ask(other.1)).0, 403);
}

#[test]
fn a_wrong_token_is_told_before_the_body_is_read() {
    let rig = Rig::new();
    let head = rig.head(1 << 20).replace(&rig.cookie, "payecs_00").replace("close", "keep-alive");
    let answer = rig.raw(head.as_bytes());
    assert_eq!(parts(&answer).0, 401);
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    assert!(rig.fake.called().is_empty());
}

#[test]
fn wrong_tokens_are_slowed_down_and_right_ones_never() {
    let rig = Rig::new();
    let host = rig.address.to_string();
    for _ in 0..50 {
        assert_eq!(get(&rig, "/metrics", &[("Host", host.as_str())]).0, 401, "none is no guess");
    }
    let wrong = [("Host", host.as_str()), ("Authorization", "Bearer guess")];
    assert_eq!(get(&rig, "/metrics", &wrong).0, 401, "the first guess");
    let refused =
        (0..100).map(|_| get(&rig, "/metrics", &wrong)).find(|(status, _)| *status == 429);
    let (_, answer) = refused.expect("100 guesses take less than 90 s");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    assert_eq!(rig.post(call.as_bytes()).0, 200);
}

#[test]
fn what_is_no_json_by_its_head_is_not_read() {
    let rig = Rig::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let head = rig.head(2).replace("application/json", kind);
        assert_eq!(parts(&rig.raw(format!("{head}{{}}").as_bytes())).0, 415, "{kind}");
    }
}

#[test]
fn only_this_machine_is_served_and_a_port_once() {
    let rig = Rig::new();
    let start = |address: SocketAddr| {
        let tokens = Arc::clone(&rig.tokens);
        let started = Server::start(address, rig.fake.served(), tokens, Limits::default(), vec![]);
        rig.runtime.block_on(started).map(drop)
    };
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
        let refused = start(address.parse().unwrap()).unwrap_err();
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");
    }
    let refused = start(rig.address).unwrap_err();
    assert!(matches!(refused, ServeError::InUse(_)), "{refused}");
    assert!(refused.to_string().contains("choose another port"));
}
