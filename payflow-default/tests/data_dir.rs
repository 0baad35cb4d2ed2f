//! The binary on a data directory: what is kept is there again, and damage is named.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Output},
};

/// A directory that is removed where the test passes.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = env::temp_dir().join(format!("payecs-{name}-{}", process::id()));
        // What an earlier process of that number left.
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    fn payecs(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payecs"));
        command.args(args).arg("--data-dir").arg(&self.0).output().expect("it runs")
    }

    /// Runs it; its exit code, and what it printed on stdout and stderr.
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.payecs(args);
        let text = [stdout, stderr].map(|it| String::from_utf8(it).expect("it prints text"));
        (status.code(), text.concat())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("journal").join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Changes one bit of the byte at that share of a file, in percent; gives the file as it was.
fn flip(file: &Path, percent: usize) -> Vec<u8> {
    let before = fs::read(file).expect("it is there");
    let mut bytes = before.clone();
    let at = bytes.len() * percent / 100;
    bytes[at] ^= 4;
    fs::write(file, bytes).expect("it can be written");
    before
}

const LOAD: [&str; 7] = ["demo", "--nodes", "20", "--load", "4", "--count", "20"];

#[test]
fn the_second_start_shows_the_books_of_the_first() {
    let dir = Dir::new("again");
    let (code, first) = dir.run(&["demo", "--speed", "50"]);
    assert_eq!(code, Some(0), "{first}");
    assert!(first.contains("The data directory is new."), "{first}");
    let (_, second) = dir.run(&["demo", "--speed", "50", "--amount", "1000sat"]);
    assert!(second.contains("6 000 000 000 msat paid"), "{second}");
    assert!(second.contains("books and network agree"), "{second}");
    let (code, other) = dir.run(&["demo", "--seed", "9"]);
    assert_eq!(code, Some(1));
    assert!(other.contains("the seed") && other.contains("another data directory"), "{other}");
}

#[test]
fn verify_proves_what_holds_and_names_the_place_that_does_not() {
    let dir = Dir::new("verify");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("there is no journal in"), "{text}");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("All holds.\n"), "{text}");
    let head = text.lines().find_map(|line| line.trim().strip_prefix("head: "));
    let head = head.expect("the head is printed").to_owned();
    dir.run(&LOAD);
    let (code, text) = dir.run(&["verify", "--head", &head]);
    assert_eq!(code, Some(0), "what was there is there: {text}");

    let ledger = dir.file("ledger/entries.log");
    let before = flip(&ledger, 50);
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("ledger entry ") && text.contains(" at byte "), "{text}");
    assert!(text.contains("entries before it hold"), "{text}");
    fs::write(&ledger, before).expect("it can be written");

    let snapshot = fs::read_dir(dir.file("state"))
        .expect("it is there")
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| path.extension().is_some_and(|it| it == "snapshot"))
        .max()
        .expect("a stop leaves a snapshot");
    flip(&snapshot, 50);
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(".snapshot is damaged at byte"), "{text}");
    assert!(text.contains("a start takes the snapshot before it"), "{text}");
}
