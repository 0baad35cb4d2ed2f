//! The plugin as a process: what is asked, and what that costs it.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Condvar, Mutex},
    thread,
};

/// Says to this program that it is the plugin.
pub(crate) const IS_PLUGIN: &str = "PAYECS_BENCH_PLUGIN";
/// How an answer begins; what is announced begins otherwise.
const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id""#;

/// A plugin that runs.
pub(crate) struct Plugin {
    child: Child,
    to: Option<ChildStdin>,
    from: Messages,
}

/// What a run came to.
pub(crate) struct Run {
    /// User and system time of the process.
    pub(crate) cpu_ns: u64,
    /// What was announced meanwhile.
    pub(crate) told: usize,
    /// Every answer, where they were wanted.
    pub(crate) answers: Vec<String>,
}

/// What comes, message by message.
struct Messages {
    from: ChildStdout,
    bytes: Vec<u8>,
    /// Up to where there is no end of a message.
    looked: usize,
    begin: usize,
}

impl Messages {
    fn next(&mut self) -> Vec<u8> {
        loop {
            let found = self.bytes[self.looked..].windows(2).position(|pair| pair == b"\n\n");
            if let Some(at) = found {
                let message = self.bytes[self.begin..self.looked + at].to_vec();
                self.begin = self.looked + at + 2;
                self.looked = self.begin;
                return message;
            }
            self.bytes.drain(..self.begin);
            self.begin = 0;
            self.looked = self.bytes.len().saturating_sub(1);
            let end = self.bytes.len();
            self.bytes.resize(end + (1 << 18), 0);
            let count = self.from.read(&mut self.bytes[end..]).unwrap();
            assert!(count > 0, "the plugin has ended");
            self.bytes.truncate(end + count);
        }
    }
}

impl Plugin {
    /// Starts it in that directory, and shakes hands.
    pub(crate) fn start(binary: &Path, dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let mut command = Command::new(binary);
        let command = command
            .env(IS_PLUGIN, "1")
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let from = child.stdout.take().unwrap();
        let from = Messages { from, bytes: Vec::new(), looked: 0, begin: 0 };
        let mut plugin = Self { to: child.stdin.take(), child, from };
        plugin.ask("getmanifest", "{}");
        plugin.ask("init", r#"{"options":{"payecs-nodes":30},"configuration":{}}"#);
        while !plugin.ask("payecs-getinfo", "[]").contains(r#""open":true"#) {
            thread::yield_now();
        }
        // What its history takes is no Entity's.
        while !plugin.answer("payecs-listpays", "[]").contains(r#""result""#) {
            thread::yield_now();
        }
        plugin
    }

    /// One call; its answer, which is no error.
    pub(crate) fn ask(&mut self, method: &str, params: &str) -> String {
        let answer = self.answer(method, params);
        assert!(answer.contains(r#""result""#), "{method} {params}: {answer}");
        answer
    }

    fn answer(&mut self, method: &str, params: &str) -> String {
        let asked = request(0, method, params);
        self.run(1, &[asked], true).answers.remove(0)
    }

    /// Makes calls, so many in flight at a time.
    pub(crate) fn run(&mut self, in_flight: usize, asked: &[String], keep: bool) -> Run {
        let room = (Mutex::new(in_flight), Condvar::new());
        let (count, before) = (asked.len(), self.cpu_ns());
        let (mut told, mut answers, mut answered) = (0, Vec::new(), 0);
        let (to, from) = (self.to.as_mut().unwrap(), &mut self.from);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut rest = asked;
                while !rest.is_empty() {
                    let mut free = room.0.lock().unwrap();
                    free = room.1.wait_while(free, |free| *free == 0).unwrap();
                    let (now, later) = rest.split_at(rest.len().min(*free));
                    *free -= now.len();
                    drop(free);
                    to.write_all(now.concat().as_bytes()).unwrap();
                    rest = later;
                }
            });
            while answered < count {
                let message = from.next();
                if !message.starts_with(ANSWER) {
                    told += 1;
                    continue;
                }
                answered += 1;
                *room.0.lock().unwrap() += 1;
                room.1.notify_one();
                if keep {
                    answers.push(String::from_utf8(message).unwrap());
                }
            }
        });
        Run { cpu_ns: self.cpu_ns() - before, told, answers }
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let ran = |task: fs::DirEntry| -> u64 {
            // A thread that has ended meanwhile is left out.
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|ran| ran.parse().ok()).unwrap_or(0)
        };
        tasks.map(|task| ran(task.unwrap())).sum()
    }

    /// What it holds of memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        resident_bytes(&self.child.id().to_string())
    }

    /// Ends its input, and waits.
    pub(crate) fn stop(mut self) {
        drop(self.to.take());
        let mut rest = Vec::new();
        self.from.from.read_to_end(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "a clean stop");
    }
}

/// A request.
pub(crate) fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// What a process holds of memory, in bytes: a number, or `self`.
pub(crate) fn resident_bytes(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let (_, rest) = status.split_once("VmRSS:").unwrap();
    rest.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1_024
}
