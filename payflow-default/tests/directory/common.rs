//! The binary on directories of its own.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

/// Twenty payments, four at a time.
pub(crate) const LOAD: [&str; 7] = ["demo", "--nodes", "20", "--load", "4", "--count", "20"];
/// How long a line of the binary is waited for.
const LINE_MAX: Duration = Duration::from_mins(2);

/// A place for a directory, empty, that is removed at the end.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let dir = env::temp_dir().join(format!("payecs-{name}-{}", process::id()));
        // What an earlier process of that number left.
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("it is text")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
        command.env_remove("PAYECS_LOG").args(args).arg("--data-dir").arg(&self.0);
        command
    }

    /// Runs it; its exit code, and what it printed on stdout and stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(args).output().expect("it runs");
        let text = [stdout, stderr].map(|it| String::from_utf8(it).expect("it prints text"));
        (status.code(), text.concat())
    }

    /// Twenty payments.
    pub(crate) fn pay(&self) {
        let (code, text) = self.run(&LOAD);
        assert_eq!(code, Some(0), "{text}");
    }

    /// Starts it, to be killed.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, lines) = channel();
        thread::spawn(move || {
            // A line that is cut short by a kill is none.
            stdout.lines().map_while(Result::ok).all(|line| to.send(line).is_ok())
        });
        Running { child, lines: Mutex::new(lines) }
    }

    /// A file of the journal.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join("journal").join(name)
    }

    /// The newest file of the state with that ending.
    pub(crate) fn newest(&self, ending: &str) -> PathBuf {
        let names = fs::read_dir(self.file("state")).expect("it is there");
        let paths = names.map(|entry| entry.expect("it is readable").path());
        let of_ending = paths.filter(|path| path.extension().is_some_and(|it| it == ending));
        of_ending.max().expect("there is one")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binary while it runs.
pub(crate) struct Running {
    child: Child,
    lines: Mutex<Receiver<String>>,
}

impl Running {
    /// Waits for so many lines with a word.
    pub(crate) fn wait_for(&self, count: usize, word: &str) {
        let lines = self.lines.lock().expect("nobody panicked");
        let mut seen = 0;
        while seen < count {
            let line = lines.recv_timeout(LINE_MAX).expect("it says something");
            seen += usize::from(line.contains(word));
        }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a power cut would, but for the page cache.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Changes one bit of the byte at that share of a file, in percent; gives the file as it was.
pub(crate) fn flip(file: &Path, percent: usize) -> Vec<u8> {
    let before = fs::read(file).expect("it is there");
    let mut bytes = before.clone();
    let at = bytes.len() * percent / 100;
    bytes[at] ^= 4;
    fs::write(file, bytes).expect("it can be written");
    before
}

/// All files below a directory that mean something in a copy, with what they hold.
pub(crate) fn bytes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else if path.file_name().is_some_and(|name| name != "LOCK") {
            let held = fs::read(&path).expect("it is readable");
            all.insert(path, held);
        }
    }
    all
}

/// Copies a directory.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is readable").path();
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).expect("there is room");
        }
    }
}
