//! A plugin process, and lightningd's end of its pipe.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A plugin that has its `init`.
pub(crate) struct Plugin {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    asked: u64,
}

impl Plugin {
    /// One that sends spans to this collector.
    pub(crate) fn start(dir: &Path, collector: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_payecs-plugin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let requests = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut plugin = Self { child, requests, answers, asked: 0 };
        let options = json!({"payecs-nodes": 30, "payecs-speed": "10", "payecs-otlp": collector});
        let params = json!({"options": options, "configuration": {"lightning-dir": dir}});
        assert_eq!(plugin.ask("init", &params)["result"], json!({}));
        plugin
    }

    /// The answer to a request. What else is written is passed over.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        write!(self.requests, "{request}").expect("it reads");
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).expect("it writes") > 0, "it has ended");
            let answer = serde_json::from_str::<Value>(&line);
            if let Some(answer) = answer.ok().filter(|answer| answer["id"] == id) {
                return answer;
            }
        }
    }

    /// Asks again and again, since payments are not taken on at once.
    #[expect(clippy::disallowed_methods, reason = "another process is waited for")]
    pub(crate) fn asks_until_complete(&mut self, method: &str, params: &Value) {
        let since = Instant::now();
        while self.ask(method, params)["result"]["status"] != "complete" {
            assert!(since.elapsed() < Duration::from_mins(1), "{method}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Closes its input, and waits for its end.
    pub(crate) fn stop(self) {
        let Self { mut child, requests, answers, asked: _ } = self;
        drop((requests, answers));
        assert!(child.wait().expect("it ends").success());
    }
}
