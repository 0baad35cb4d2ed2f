use super::*;
use crate::REQUEST_BYTES_MAX;
use jsonrpsee::{
    core::{
        ClientError,
        client::{BatchResponse, Client, ClientT},
        params::BatchRequestBuilder,
    },
    rpc_params,
};
use jsonrpsee_ws_client::{HeaderMap, WsClientBuilder};
use std::collections::BTreeMap;

pub(super) fn client(rig: &Rig, token: &str) -> Client {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let url = format!("ws://{}", rig.address);
    let built = WsClientBuilder::default().set_headers(headers).build(url);
    rig.runtime.block_on(built).unwrap()
}

/// A WebSocket of raw frames.
pub(super) struct Raw(StdStream);

impl Raw {
    pub(super) fn open(rig: &Rig) -> Self {
        let mut stream = rig.connect();
        let (address, cookie) = (rig.address, &rig.cookie);
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {cookie}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self(stream)
    }

    /// Sends a text; the mask is zero.
    pub(super) fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x81];
        match u16::try_from(text.len()) {
            Ok(length @ 0..=125) => frame.extend([0x80 | length.to_be_bytes()[1]]),
            Ok(length) => frame.extend([&[0xfe][..], &length.to_be_bytes()].concat()),
            Err(_) => frame.extend([&[0xff][..], &(text.len() as u64).to_be_bytes()].concat()),
        }
        frame.extend([0; 4]);
        frame.extend_from_slice(text);
        self.0.write_all(&frame)
    }

    /// The next text that comes.
    pub(super) fn hear(&mut self) -> String {
        loop {
            let mut first = [0];
            self.0.read_exact(&mut first).unwrap();
            let payload = self.payload();
            if first == [0x81] {
                return String::from_utf8(payload).unwrap();
            }
        }
    }

    /// Hears until the server closes: the texts, and the codes of the close frames.
    fn last_words(&mut self) -> (Vec<String>, Vec<u16>) {
        let (mut texts, mut closes, mut first) = (vec![], vec![], [0]);
        while self.0.read(&mut first).unwrap() == 1 {
            let payload = self.payload();
            match first {
                [0x81] => texts.push(String::from_utf8(payload).unwrap()),
                [0x88] => closes.push(u16::from_be_bytes(payload.try_into().unwrap())),
                [0x89] => {}
                other => panic!("a frame of another kind: {other:?}"),
            }
        }
        (texts, closes)
    }

    /// What is in a frame whose first byte was read.
    fn payload(&mut self) -> Vec<u8> {
        let mut length = [0];
        self.0.read_exact(&mut length).unwrap();
        let length = match length[0] {
            126 => self.number(2),
            127 => self.number(8),
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    /// Hears until the server closes.
    pub(super) fn ends(&mut self) {
        let mut said = Vec::new();
        self.0.read_to_end(&mut said).unwrap();
    }

    fn number(&mut self, bytes: usize) -> u64 {
        let mut number = [0; 8];
        self.0.read_exact(&mut number[8 - bytes..]).unwrap();
        u64::from_be_bytes(number)
    }

    pub(super) fn ask(&mut self, text: &[u8]) -> String {
        self.send(text).unwrap();
        self.hear()
    }
}

#[test]
fn clients_of_jsonrpsee_are_served_over_websocket() {
    let rig = Rig::new();
    let client = client(&rig, &rig.cookie);
    rig.runtime.block_on(async {
        let new: BTreeMap<String, u32> =
            client.request("payecs_newentity", rpc_params![]).await.unwrap();
        assert_eq!(new["entity"], 1);
        let unknown = client.request::<bool, _>("payecs_advnce", rpc_params![1]).await;
        let ClientError::Call(unknown) = unknown.unwrap_err() else { panic!("no answer") };
        assert_eq!(unknown.message(), "Unknown command `payecs_advnce`; `payecs_advance`?");
        let mut batch = BatchRequestBuilder::new();
        batch.insert("payecs_newentity", rpc_params![]).unwrap();
        batch.insert("payecs_nothing", rpc_params![]).unwrap();
        let answers: BatchResponse<'_, BTreeMap<String, u32>> =
            client.batch_request(batch).await.unwrap();
        assert_eq!((answers.num_successful_calls(), answers.num_failed_calls()), (1, 1));
    });
}

#[test]
fn a_websocket_answers_with_the_codes_that_are_documented() {
    let rig = Rig::new();
    let mut raw = Raw::open(&rig);
    let new = r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity"}"#;
    let note = r#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#;
    let deep = format!("[{}{}]", "[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":{deep}}}"#);
    for (text, code) in [
        ("", "-32700"),
        ("{", "-32700"),
        ("7", "-32700"),
        (deep.as_str(), "-32700"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1e999999999]}"#, "-32700"),
        ("[]", "-32600"),
        ("[7]", "-32600"),
        (r#"{"id":1,"method":"payecs_newentity"}"#, "-32600"),
        (r#"{"jsonrpc":"2.0","id":-7,"method":"payecs_newentity"}"#, "-32600"),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"payecs_newentity"}"#, "-32600"),
        (note, "-32600"),
        (&format!("[{note}]"), "-32600"),
        (&format!("[{}]", vec![new; 101].join(",")), "-32010"),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"payecs_observe"}]"#, "-32600"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"payecs_newentity","params":[1]}"#, "-32602"),
    ] {
        let shown = &text[..text.len().min(80)];
        let said = raw.ask(text.as_bytes());
        assert!(said.contains(&format!("\"code\":{code},")), "{shown}: {said}");
    }
    assert!(rig.fake.called().iter().all(|name| name != "echo"), "nothing in silence");
    let params = r#"{"b": 0.50, "a":9007199254740993, "b":[1e3 ]}"#;
    let said = raw.ask(
        format!(r#"{{"jsonrpc":"2.0","id":"x","method":"echo","params":{params}}}"#).as_bytes(),
    );
    assert_eq!(said, format!(r#"{{"jsonrpc":"2.0","id":"x","result":{params}}}"#));
}

#[test]
fn a_message_that_is_too_large_ends_its_connection() {
    let rig = Rig::new();
    for bytes in [REQUEST_BYTES_MAX as usize + 1, 10 << 20] {
        let mut raw = Raw::open(&rig);
        assert!(raw.ask(b"{}").contains("-32"));
        raw.send(&vec![b' '; bytes]).unwrap();
        assert_eq!(raw.last_words(), (vec![], vec![1_009]));
    }
    let mut raw = Raw::open(&rig);
    let fits = format!("{}{}", " ".repeat(100), r#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#);
    assert!(raw.ask(fits.as_bytes()).contains("\"result\""));
}

#[test]
fn text_that_is_not_utf_8_ends_its_connection_and_is_not_answered() {
    let rig = Rig::new();
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"echo","params":["_"]}"#;
    let broken: Vec<u8> =
        call.iter().map(|byte| if *byte == b'_' { 0xff } else { *byte }).collect();
    for text in [&b"\xff"[..], &broken] {
        let mut raw = Raw::open(&rig);
        raw.send(text).unwrap();
        assert_eq!(raw.last_words(), (vec![], vec![1_007]));
    }
    assert!(rig.fake.called().is_empty());
    assert!(Raw::open(&rig).ask(call).contains("\"result\""));
}

#[test]
fn a_fault_is_told_once_and_not_in_the_middle_of_an_answer() {
    let rig = Rig::new();
    let large = br#"{"jsonrpc":"2.0","id":1,"method":"large","params":[8000000]}"#;
    for (frame, code) in [
        (vec![0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0], 1_009),
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1_007),
        (vec![0x81, 0], 1_002),
    ] {
        let mut raw = Raw::open(&rig);
        let before = rig.fake.called().len();
        raw.send(large).unwrap();
        until("the call has begun", || rig.fake.called().len() > before);
        raw.0.write_all(&frame).unwrap();
        let (texts, closes) = raw.last_words();
        assert!(texts.iter().all(|text| text.len() > 8_000_000), "an answer is whole or none");
        assert_eq!(closes, [code]);
    }
}

#[test]
fn calls_of_one_connection_have_a_bound() {
    let rig = Rig::with(Limits { calls: 2, waiting: 1, ..Limits::default() });
    let mut raw = Raw::open(&rig);
    let slow = br#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#;
    for _ in 0..2 {
        raw.send(slow).unwrap();
    }
    until("both run", || rig.fake.called().len() == 2);
    raw.send(slow).unwrap();
    assert!(raw.ask(slow).contains("-32009"), "one waits, one more is refused");
    assert_eq!(rig.fake.called().len(), 2);
    rig.fake.gate.add_permits(3);
    for _ in 0..3 {
        assert!(raw.hear().contains(r#""result":true"#));
    }
    assert_eq!(rig.fake.called().len(), 3);
}

#[test]
fn who_takes_no_answers_is_not_read() {
    let stall = Duration::from_millis(500);
    let rig = Rig::with(Limits { stall, unsent_bytes: 1 << 20, ..Limits::default() });
    let mut raw = Raw::open(&rig);
    raw.0.set_write_timeout(Some(PATIENCE)).unwrap();
    let large = br#"{"jsonrpc":"2.0","id":1,"method":"large","params":[1000000]}"#;
    let sent = (0..1_000_000).take_while(|_| raw.send(large).is_ok()).count();
    assert!(sent < 1_000_000, "the connection ends");
    let called = rig.fake.called().len();
    let in_sockets = 32;
    assert!(called < 64 + in_sockets, "{called} of {sent} were begun");
    until("the connection is closed", || rig.server.as_ref().unwrap().open.count() == 0);
}

#[test]
fn a_token_that_is_revoked_counts_no_more_in_an_open_connection() {
    let rig = Rig::new();
    let token = rig.token("short", &[Scope::Read]);
    let client = client(&rig, &token);
    rig.runtime.block_on(async {
        let list = client.request::<ecs_core::Json, _>("payecs_listentities", rpc_params![]);
        assert!(list.await.is_ok());
        rig.tokens.revoke("short").unwrap();
        let list = client.request::<ecs_core::Json, _>("payecs_listentities", rpc_params![]);
        let ClientError::Call(refused) = list.await.unwrap_err() else { panic!("no answer") };
        assert_eq!(refused.code(), ecs_core::NOT_PERMITTED);
    });
}

#[test]
fn a_websocket_needs_a_token_and_no_foreign_page() {
    let rig = Rig::new();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        rig.address
    );
    let bearer = format!("Authorization: Bearer {}\r\n", rig.cookie);
    for (more, expected) in
        [(String::new(), 401), (format!("{bearer}Origin: http://evil.example\r\n"), 403)]
    {
        let mut stream = rig.connect();
        stream.write_all(format!("{head}{more}\r\n").as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, format!("HTTP/1.1 {expected}").as_bytes());
    }
}

#[test]
fn who_answers_no_ping_is_closed() {
    let rig = Rig::with(Limits { ping: Duration::from_millis(100), ..Limits::default() });
    let mut raw = Raw::open(&rig);
    let mut said = Vec::new();
    raw.0.read_to_end(&mut said).unwrap();
    assert_eq!(said[0], 0x89, "a ping came first");
}
