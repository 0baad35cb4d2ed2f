//! A daemon that tests start, and how it is called.

use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A daemon on a data directory. It is killed when it is dropped.
pub(crate) struct Daemon {
    dir: PathBuf,
    child: Child,
}

impl Daemon {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_at(dir, "10")
    }

    /// A daemon whose network is so many times as fast as a real one.
    pub(crate) fn start_at(dir: &Path, speed: &str) -> Self {
        Self::logging(dir, speed, "off", Stdio::inherit())
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_in(dir: &Path, speed: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_with(dir, speed, environment, ("off", Stdio::inherit()))
    }

    /// The same, which logs what passes the filter.
    pub(crate) fn logging(dir: &Path, speed: &str, filter: &str, log: Stdio) -> Self {
        Self::start_with(dir, speed, &[], (filter, log))
    }

    fn start_with(
        dir: &Path,
        speed: &str,
        environment: &[(&str, &str)],
        (filter, log): (&str, Stdio),
    ) -> Self {
        let child = payecs(&["serve", "--data-dir", text(dir), "--listen", "127.0.0.1:0"])
            .args(["--nodes", "30", "--speed", speed, "--metrics", "--log", filter])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it does");
        let daemon = Self { dir: dir.to_owned(), child };
        daemon.wait_until("it answers", || daemon.call(&["rpc.discover"]).status.success());
        daemon
    }

    #[expect(clippy::disallowed_methods, reason = "another process is waited for")]
    pub(crate) fn wait_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let since = Instant::now();
        while !done() {
            assert!(since.elapsed() < Duration::from_mins(1), "{what}: {}", self.dir.display());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Output {
        payecs(&[command, "--data-dir", text(&self.dir)]).args(args).output().expect("it does")
    }

    pub(crate) fn call(&self, args: &[&str]) -> Output {
        self.run("call", args)
    }

    /// What a call answers; it must.
    pub(crate) fn answer(&self, args: &[&str]) -> Value {
        let output = self.call(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).expect("it does")
    }

    pub(crate) fn address(&self) -> String {
        fs::read_to_string(self.dir.join("access/address")).expect("it does")
    }

    /// An invoice of the simulated network, once payments are taken on.
    pub(crate) fn invoice(&self, amount: &str) -> String {
        self.answer(&["sim_invoice", amount])["bolt11"].as_str().expect("it does").to_owned()
    }

    /// Sends a request over HTTP as it is; the answer with its head.
    pub(crate) fn http(&self, token: Option<&str>, body: &str) -> String {
        self.http_to("POST /", token, body)
    }

    pub(crate) fn http_to(&self, line: &str, token: Option<&str>, body: &str) -> String {
        let address = self.address();
        let mut stream = TcpStream::connect(&address).expect("it does");
        let bearer = token.map_or_else(String::new, |it| format!("Authorization: Bearer {it}\r\n"));
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{bearer}\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .expect("it does");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it does");
        answer
    }

    pub(crate) fn stop(mut self) {
        let stopped =
            Command::new("kill").arg(self.child.id().to_string()).status().expect("it does");
        assert!(stopped.success() && self.child.wait().expect("it does").success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn payecs(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
    command.args(args).stdin(Stdio::null());
    command
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("it does")
}

/// What a command says on both streams.
pub(crate) fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Makes a token and answers it.
pub(crate) fn token(dir: &Path, name: &str, options: &[&str]) -> String {
    let made = payecs(&["token", "create", name, "--data-dir", text(dir)]).args(options).output();
    said(&made.expect("it does")).trim().to_owned()
}
