use super::*;
use crate::fake::Fake;
use proptest::prelude::*;
use std::{
    io::{Read, Write},
    net::Shutdown,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NEW: &str = r#"{"jsonrpc":"2.0","id":"a","method":"payecs_newentity"}"#;
const SLOW: &str = r#"{"jsonrpc":"2.0","id":1,"method":"slow"}"#;

struct Rig {
    runtime: Runtime,
    fake: Arc<Fake>,
    path: PathBuf,
    socket: Option<Socket>,
    dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (fake, path) = (Fake::new(), dir.path().join("private/rpc"));
        let entered = runtime.enter();
        let socket = Some(Socket::start(&path, fake.served(), limits).unwrap());
        drop(entered);
        Self { runtime, fake, path, socket, dir }
    }

    fn start(&self, path: &Path) -> Result<Socket, SocketError> {
        let _entered = self.runtime.enter();
        Socket::start(path, self.fake.served(), Limits::default())
    }

    fn connect(&self) -> StdUnixStream {
        let stream = StdUnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends bytes in pieces, and no more then; all answers.
    fn ask(&self, pieces: &[&[u8]]) -> Vec<String> {
        let mut stream = self.connect();
        for piece in pieces {
            // A server that can't read on closes before it has it all.
            let _sent = stream.write_all(piece);
        }
        let _ended = stream.shutdown(Shutdown::Write);
        answers(&mut stream)
    }
}

fn answers(stream: &mut StdUnixStream) -> Vec<String> {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    let said = String::from_utf8(said).unwrap();
    assert!(said.is_empty() || said.ends_with("\n\n"), "{said}");
    said.split_terminator("\n\n").map(ToOwned::to_owned).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100_000_000_u64 {
        if is_so() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("never: {what}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn requests_are_answered_in_core_lightnings_framing() {
    let rig = Rig::new();
    let said = rig.ask(&[NEW.as_bytes(), NEW.as_bytes(), b"\n\n[", NEW.as_bytes(), b"]"]);
    let answer =
        |number: u32| format!(r#"{{"jsonrpc":"2.0","id":"a","result":{{"entity":{number}}}}}"#);
    assert_eq!(said, [answer(1), answer(2), format!("[{}]", answer(3))]);
    assert_eq!(rig.ask(&[br#"{"jsonrpc":"2.0","method":"payecs_newentity"}"#]), [""; 0]);
}

#[test]
fn an_empty_line_in_a_stored_value_ends_no_answer() {
    let rig = Rig::new();
    let write = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"payecs_setcomponents\",\"params\":\
                 [{\"entity\":1,\"acme:x\":{\"a\":\n\n1,\"b\":\"\\n\\n\"}}]}";
    let read = r#"{"jsonrpc":"2.0","id":2,"method":"payecs_getcomponents","params":[1,"acme:x"]}"#;
    let said = rig.ask(&[write.as_bytes(), read.as_bytes()]);
    let value = r#"{"a":  1,"b":"\n\n"}"#;
    let read = format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{"entity":1,"acme:x":{value}}}}}"#);
    assert_eq!(said[1..], [read]);
}

#[test]
fn what_can_not_be_read_on_is_told_and_ends_the_connection() {
    let rig = Rig::new();
    let (deep, large) = ("[".repeat(10_000), format!("{{\"a\":\"{}", "x".repeat(10 << 20)));
    for (bytes, code) in [
        (&b"x"[..], "-32700"),
        (b"{]", "-32700"),
        (b"{\"a\":\"\xff\"}", "-32700"),
        (b"{\"a\":1e999999999}", "-32700"),
        (deep.as_bytes(), "-32700"),
        (large.as_bytes(), "-32007"),
    ] {
        let said = rig.ask(&[NEW.as_bytes(), bytes, NEW.as_bytes()]);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]);
        assert!(said.len() <= 2, "{shown}: {said:?}");
        // A reset may take what was said with it.
        assert!(said.len() < 2 || said[1].contains(code), "{shown}: {said:?}");
    }
    let said = rig.ask(&[br#"{"id":1,"method":"x"}"#, NEW.as_bytes()]);
    assert!(said[0].contains("-32600") && said[1].contains("entity"), "{said:?}");
}

#[test]
fn a_slow_call_holds_no_other_up() {
    let rig = Rig::new();
    let mut stream = rig.connect();
    stream.write_all(format!("{SLOW}{NEW}").as_bytes()).unwrap();
    let quick = b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"entity\":1}}\n\n";
    let mut some = vec![0; quick.len()];
    stream.read_exact(&mut some).unwrap();
    assert_eq!(some, quick);
    stream.shutdown(Shutdown::Write).unwrap();
    rig.fake.gate.add_permits(1);
    let said = answers(&mut stream).concat();
    assert!(said.contains(r#""id":1,"result":true"#), "who sends no more still hears: {said}");
}

#[test]
fn calls_of_one_connection_have_a_bound_and_the_rest_waits() {
    let rig = Rig::with(Limits { calls: 2, ..Limits::default() });
    let mut stream = rig.connect();
    stream.write_all(SLOW.repeat(5).as_bytes()).unwrap();
    until("two run", || rig.fake.called().len() == 2);
    stream.shutdown(Shutdown::Write).unwrap();
    rig.fake.gate.add_permits(5);
    assert_eq!(answers(&mut stream).len(), 5);
}

#[test]
fn a_call_goes_on_when_its_caller_goes_away() {
    let mut rig = Rig::new();
    let mut stream = rig.connect();
    stream.write_all(SLOW.as_bytes()).unwrap();
    until("it runs", || !rig.fake.called().is_empty());
    drop(stream);
    let socket = rig.socket.take().unwrap();
    let all = Limits::default().connections as usize;
    until("the connection is closed", || socket.open.available_permits() == all);
    rig.fake.gate.add_permits(1);
    until("it ended", || rig.fake.gate.available_permits() == 0);
}

#[test]
fn who_waits_and_goes_away_is_forgotten() {
    let rig = Rig::with(Limits { calls: 4, ..Limits::default() });
    let wait = br#"{"jsonrpc":"2.0","id":1,"method":"wait"}"#;
    let (batch, more) = ([b"[", &wait[..], b"]"].concat(), wait.repeat(9));
    for (requests, waiting) in [(&wait[..], 1), (&batch, 1), (&more, 4)] {
        let mut stream = rig.connect();
        stream.write_all(requests).unwrap();
        until("it waits", || rig.fake.waiting() == waiting);
        drop(stream);
        until("nobody waits", || rig.fake.waiting() == 0);
    }
    let mut half = rig.connect();
    half.write_all(wait).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    until("it waits", || rig.fake.waiting() == 1);
    drop(half);
    until("nobody waits", || rig.fake.waiting() == 0);
}

#[test]
fn a_socket_is_for_its_owner_and_for_one_process() {
    let mut rig = Rig::new();
    assert_eq!(mode(&rig.path), 0o600);
    assert_eq!(mode(rig.path.parent().unwrap()), 0o700);
    assert!(matches!(rig.start(&rig.path), Err(SocketError::InUse(_))));
    let socket = rig.socket.take().unwrap();
    rig.runtime.block_on(socket.stop()).unwrap();
    assert!(!rig.path.exists());
    drop(std::os::unix::net::UnixListener::bind(&rig.path).unwrap());
    rig.socket = Some(rig.start(&rig.path).expect("nobody serves what is left"));
    assert_eq!(rig.ask(&[NEW.as_bytes()]).len(), 1);
}

#[test]
fn a_place_that_is_not_ours_is_refused() {
    let rig = Rig::new();
    let inner = rig.path.parent().unwrap();
    fs::write(inner.join("file"), "mine").unwrap();
    assert!(matches!(rig.start(&inner.join("file")), Err(SocketError::NoSocket(_))));
    assert_eq!(fs::read(inner.join("file")).unwrap(), b"mine");
    let live = inner.join("live");
    let _listener = std::os::unix::net::UnixListener::bind(&live).unwrap();
    assert!(matches!(rig.start(&live), Err(SocketError::InUse(_))), "of one without our lock");
    let open = rig.dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(rig.start(&open.join("rpc")), Err(SocketError::Open(_))));
    let long = inner.join("x".repeat(108));
    assert!(matches!(rig.start(&long), Err(SocketError::TooLong(_))));
}

#[test]
fn a_call_in_flight_is_answered_when_the_socket_stops() {
    let mut rig = Rig::new();
    let mut stream = rig.connect();
    stream.write_all(SLOW.as_bytes()).unwrap();
    until("it runs", || !rig.fake.called().is_empty());
    let stopping = rig.runtime.spawn(rig.socket.take().unwrap().stop());
    until("nothing more is accepted", || StdUnixStream::connect(&rig.path).is_err());
    rig.fake.gate.add_permits(1);
    assert_eq!(answers(&mut stream).len(), 1);
    rig.runtime.block_on(stopping).unwrap().unwrap();
}

#[test]
fn a_call_that_does_not_end_holds_the_stop_up_for_a_while_only() {
    let mut rig = Rig::with(Limits { drain: Duration::from_millis(100), ..Limits::default() });
    let mut stream = rig.connect();
    stream.write_all(SLOW.as_bytes()).unwrap();
    until("it runs", || !rig.fake.called().is_empty());
    rig.runtime.block_on(rig.socket.take().unwrap().stop()).unwrap();
    assert_eq!(answers(&mut stream), [""; 0]);
}

#[test]
fn who_takes_no_answer_is_cut_off_and_not_read() {
    let rig = Rig::with(Limits { stall: Duration::from_millis(200), ..Limits::default() });
    let mut stream = rig.connect();
    let large = br#"{"jsonrpc":"2.0","id":1,"method":"large","params":[1000000]}"#;
    let sent = (0..1_000_000).take_while(|_| stream.write_all(large).is_ok()).count();
    assert!(sent < 1_000_000, "the connection ends");
    let called = rig.fake.called().len();
    assert!(called <= Limits::default().calls as usize + 4, "{called} were begun");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn how_bytes_are_cut_never_matters(
        parts in prop::collection::vec(prop::sample::select(vec![
            NEW, " ", "\n\n", r#"{"jsonrpc":"2.0","id":7,"method":"echo","params":["\"}{\\"]}"#,
            "{}", "[]", r#"{"jsonrpc":"2.0","method":"echo"}"#, "{]", "x",
        ]), 0..12),
        cuts in prop::collection::vec(1_usize..40, 1..40),
    ) {
        let text = parts.concat();
        let whole = Rig::new().ask(&[text.as_bytes()]);
        let (mut pieces, mut rest) = (vec![], text.as_bytes());
        for cut in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(Rig::new().ask(&pieces), whole);
    }
}
