use super::*;
use crate::Outcome;
use ecs_core::ErrorObject;
use proptest::prelude::*;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// What a dropped answer says.
const GONE: &str = r#"{"code":-5,"message":"gone"}"#;

/// Comes in pieces, as a pipe gives them.
struct Pieces<'a>(Vec<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.first_mut() else { return Ok(0) };
        let count = piece.len().min(to.len());
        to[..count].copy_from_slice(&piece[..count]);
        *piece = &piece[count..];
        if piece.is_empty() {
            self.0.remove(0);
        }
        Ok(count)
    }
}

/// `echo` answers its params, `tell` tells them first, `leave` drops its answer.
struct Echo {
    out: Out,
    heard: Vec<String>,
    taken: usize,
}

impl Echo {
    fn on(out: &Out) -> Self {
        Self { out: out.clone(), heard: vec![], taken: 0 }
    }
}

impl Peer for Echo {
    fn take(&mut self, asked: Vec<Asked>) {
        for Asked { method, params, answer } in asked {
            self.taken += 1;
            self.heard.push(method.clone());
            let params = params.unwrap_or_else(Json::null);
            match method.as_str() {
                "leave" => drop(answer),
                "tell" => {
                    self.out.tell("told", params.clone());
                    answer.give(Ok(params));
                }
                _ => answer.give(outcome(&method, params)),
            }
        }
        self.out.flush();
    }

    fn hear(&mut self, method: &str, _: Option<&Json>) -> ControlFlow<()> {
        self.heard.push(format!("{method}!"));
        if method == "shutdown" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn outcome(method: &str, params: Json) -> Outcome {
    if method == "echo" { Ok(params) } else { Err(ErrorObject::invalid(method)) }
}

fn out() -> Out {
    Out::new(ErrorObject::new(-5, "gone"))
}

fn limits() -> Limits {
    Limits { request_bytes: 1_000, ..Limits::default() }
}

/// What is written when these pieces come, and what was heard.
fn run(pieces: &[&[u8]]) -> (Vec<String>, Vec<String>) {
    let (out, limits) = (out(), limits());
    let pieces = pieces.iter().copied().filter(|piece| !piece.is_empty()).collect();
    let (written, heard) = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut written = vec![];
            out.write_all(&mut written, &limits).unwrap();
            written
        });
        let mut echo = Echo::on(&out);
        read(Pieces(pieces), &out, &limits, &mut echo).unwrap();
        assert!(out.wait_until_answered(Duration::ZERO));
        out.close();
        (writing.join().unwrap(), echo.heard)
    });
    let written = String::from_utf8(written).unwrap();
    assert!(written.is_empty() || written.ends_with("\n\n"), "{written}");
    (written.split_terminator("\n\n").map(ToOwned::to_owned).collect(), heard)
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

#[test]
fn requests_are_answered_with_their_ids_whatever_is_between_them() {
    let ids = ["1", "\"cli:x#1/cln:y#2\"", "18446744073709551615", "\"\"", "\"ü\\\"\""];
    for between in ["", " ", "\n", "\n\n"] {
        let sent: Vec<String> =
            ids.iter().map(|id| request(id, "echo", r#"{"a":"\n}{"}"#)).collect();
        let answers: Vec<String> = ids.iter().map(|id| result(id, r#"{"a":"\n}{"}"#)).collect();
        assert_eq!(run(&[sent.join(between).as_bytes()]).0, answers);
    }
}

#[test]
fn what_is_broken_is_answered_and_what_is_behind_it_read() {
    let (good, answer) = (request("7", "echo", "[]"), result("7", "[]"));
    let (long, deep) = (format!("[\"{}\"]", "x".repeat(1_000)), "[".repeat(70) + &"]".repeat(70));
    for (bytes, code) in [
        (&b"x"[..], "-32700"),
        (b"{]", "-32700"),
        (b"{\"a\":\"\xff\"}", "-32700"),
        (b"\"a\" 17 null }", "-32700"),
        (long.as_bytes(), "-32007"),
        (deep.as_bytes(), "-32700"),
        (b"{}", "-32600"),
        (b"[]", "-32600"),
        (br#"{"id":{},"method":"x"}"#, "-32600"),
        (request("1", "x", "[]").replace('{', "[{").replace('}', "}]").as_bytes(), "-32600"),
    ] {
        let (said, _) = run(&[good.as_bytes(), bytes, good.as_bytes()]);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]);
        assert_eq!(said.len(), 3, "{shown}: {said:?}");
        assert!(said[1].contains(code) && said[1].contains(r#""id":null"#), "{shown}: {said:?}");
        assert_eq!((&said[0], &said[2]), (&answer, &answer), "{shown}");
    }
}

/// lightningd's caller waits until an answer with its id comes.
#[test]
fn what_is_broken_is_answered_with_its_id_where_that_can_be_told() {
    let (good, answer) = (request("7", "echo", "[]"), result("7", "[]"));
    let (long, deep) = ("x".repeat(1_000), "[".repeat(70) + &"]".repeat(70));
    let after = format!(r#"{{"method":"x","params":["{long}"],"id":8}}"#);
    for (text, code) in [
        (request("8", "x", "[\"\\ud800\"]"), -32700),
        (request("8", "x", "[01]"), -32700),
        (request("8", "x", "[\"a\tb\"]"), -32700),
        (request("8", "x", &deep), -32700),
        (request("8", "x", &format!("[\"{long}\"]")), -32007),
        (after, -32007),
        ("{\"id\":8,\"method\":\"x\n".to_owned(), -32700),
        (r#"{"id":8,"method":"x"}"#.to_owned(), -32600),
    ] {
        let (said, _) = run(&[good.as_bytes(), text.as_bytes(), good.as_bytes()]);
        assert_eq!((said.len(), &said[0], &said[2]), (3, &answer, &answer), "{text}: {said:?}");
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":8,"error":{{"code":{code},"#);
        assert!(said[1].starts_with(&wanted), "{text}: {said:?}");
    }
}

#[test]
fn what_is_told_before_an_answer_is_written_before_it() {
    let sent = request("1", "tell", r#"{"a":1}"#) + &request("2", "leave", "[]");
    let (said, _) = run(&[sent.as_bytes()]);
    let told = r#"{"jsonrpc":"2.0","method":"told","params":{"a":1}}"#.to_owned();
    let gone = format!(r#"{{"jsonrpc":"2.0","id":2,"error":{GONE}}}"#);
    assert_eq!(said, [told, result("1", r#"{"a":1}"#), gone]);
}

#[test]
fn notifications_are_heard_in_their_turn_and_never_answered() {
    let note = |method: &str| format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{}}}}"#);
    let (some, echo) = (note("connect"), request("1", "echo", "[]"));
    let sent = [&some, &echo, &some, &note("shutdown"), &echo].map(String::as_str).concat();
    let (said, heard) = run(&[sent.as_bytes()]);
    assert_eq!(heard, ["connect!", "echo", "connect!", "shutdown!"]);
    assert_eq!(said, [result("1", "[]")]);
}

#[test]
fn nothing_is_read_while_nobody_takes_the_answers() {
    let (out, limits) = (out(), limits());
    let sent = request("1", "echo", "[]").repeat(10_000);
    let all = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut echo = Echo::on(&out);
            read(Pieces(vec![sent.as_bytes()]), &out, &limits, &mut echo).unwrap();
            all.store(echo.taken, Ordering::SeqCst);
            out.close();
        });
        // 256 may wait, and what was taken in one turn.
        let waits = |count: usize| format!("waiting: {count}");
        while !format!("{out:?}").contains(&waits(288)) {
            thread::yield_now();
        }
        for _ in 0..1_000 {
            thread::yield_now();
            assert!(format!("{out:?}").contains(&waits(288)), "{out:?}");
        }
        let mut written = vec![];
        out.write_all(&mut written, &limits).unwrap();
        assert_eq!(written.len(), 10_000 * (result("1", "[]").len() + 2));
    });
    assert_eq!(all.into_inner(), 10_000);
}

#[test]
fn what_is_told_while_nobody_reads_is_lost_beyond_a_bound_and_counted() {
    let out = out();
    for _ in 0..70_000 {
        out.tell("told", Json::nothing());
    }
    assert_eq!(out.lost(), 70_000 - 65_536);
    out.close();
    let mut written = vec![];
    out.write_all(&mut written, &limits()).unwrap();
    assert_eq!(String::from_utf8(written).unwrap().matches("told").count(), 65_536);
}

/// Nobody is there.
struct Nobody;

impl io::Write for Nobody {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_is_gone_holds_nothing_up() {
    let (out, limits) = (out(), limits());
    let sent = request("1", "echo", "[]").repeat(10_000);
    thread::scope(|scope| {
        let writing = scope.spawn(|| out.write_all(Nobody, &limits));
        let mut echo = Echo::on(&out);
        read(Pieces(vec![sent.as_bytes()]), &out, &limits, &mut echo).unwrap();
        assert_eq!(echo.taken, 10_000, "what was asked for is done");
        assert_eq!(writing.join().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn who_still_waits_for_an_answer_is_waited_for() {
    let out = out();
    let answer = out.answer(Json::of(&1));
    assert!(!out.wait_until_answered(Duration::from_millis(1)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| out.wait_until_answered(Duration::from_mins(1)));
        answer.give_now(Ok(Json::yes()));
        assert!(waiting.join().unwrap());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn how_bytes_are_cut_never_matters(
        parts in prop::collection::vec(prop::sample::select(vec![
            r#"{"jsonrpc":"2.0","id":"ü\"✓","method":"echo","params":{"é":"\u00e9}{\\"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tell","params":["\"}{\\",1e5,null]}"#,
            r#"{"jsonrpc":"2.0","method":"connect"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"leave"}"#,
            " ", "\n\n", "{}", "{]", "x", "\"", "{\"a\":\"\n",
        ]), 0..12),
        cuts in prop::collection::vec(1_usize..40, 1..40),
    ) {
        let text = parts.concat();
        let whole = run(&[text.as_bytes()]);
        let (mut pieces, mut rest) = (vec![], text.as_bytes());
        for cut in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(run(&pieces), whole);
    }
}
