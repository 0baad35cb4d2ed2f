//! What goes wrong with a real directory: each time a clear error, and after the repair the books
//! are as before.

use crate::common::{Dir, LOAD, copy_tree, flip};
use serde_json::Value;
use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

/// One thing that goes wrong.
struct Fault {
    what: &'static str,
    /// `false`: it can't be brought about here.
    bring: fn(&Dir) -> bool,
    /// What the binary is asked to do.
    args: &'static [&'static str],
    code: i32,
    says: &'static str,
    /// Whether the files are as before once the fault is taken away.
    mend: fn(&Dir),
}

const START: &[&str] = &LOAD;
const VERIFY: &[&str] = &["verify"];

fn leave(_: &Dir) {}

fn cut(file: &Path, len: u64) {
    let file = OpenOptions::new().write(true).open(file).expect("it is there");
    file.set_len(len).expect("it can be cut");
}

fn half(file: &Path) {
    cut(file, fs::metadata(file).expect("it is there").len() / 2);
}

fn is_root() -> bool {
    let out = Command::new("id").arg("-u").output().expect("there is an id");
    out.stdout.trim_ascii() == b"0"
}

/// Whether a command did what it was asked to.
fn done(command: &str, args: &[&str]) -> bool {
    Command::new(command).args(args).status().is_ok_and(|status| status.success())
}

fn forbid(path: &Path) -> bool {
    if is_root() {
        return done("chattr", &["+i", &path.display().to_string()]);
    }
    fs::set_permissions(path, Permissions::from_mode(0o400)).is_ok()
}

fn allow(path: &Path) {
    if is_root() {
        assert!(done("chattr", &["-i", &path.display().to_string()]));
    } else {
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
    }
}

/// Puts a file in the place of a directory, and the other way round.
fn swap(path: &Path) {
    let kept = path.with_extension("kept");
    let is_dir = path.is_dir();
    fs::rename(path, kept).expect("it is there");
    if is_dir {
        fs::write(path, "a file").expect("there is room");
    } else {
        fs::create_dir(path).expect("there is room");
    }
}

fn swap_back(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.expect("it is there");
    fs::rename(path.with_extension("kept"), path).expect("it is there");
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "a bit of a state segment",
        bring: |dir| !flip(&dir.newest("log"), 50).is_empty(),
        args: START,
        code: 1,
        says: ".log is damaged at byte",
        mend: |dir| drop(flip(&dir.newest("log"), 50)),
    },
    Fault {
        what: "a bit of the id of a log, in the header of a segment",
        bring: |dir| !flip(&dir.newest("log"), 0).is_empty(),
        args: START,
        code: 1,
        says: "the file header is not as it was written",
        mend: |dir| drop(flip(&dir.newest("log"), 0)),
    },
    Fault {
        what: "a bit of the newest snapshot: the records make up for it",
        bring: |dir| !flip(&dir.newest("snapshot"), 50).is_empty(),
        args: START,
        code: 0,
        says: "",
        mend: leave,
    },
    Fault {
        what: "a bit of the newest snapshot, as verify sees it",
        bring: |dir| !flip(&dir.newest("snapshot"), 50).is_empty(),
        args: VERIFY,
        code: 1,
        says: ".snapshot is damaged at byte",
        mend: |dir| drop(flip(&dir.newest("snapshot"), 50)),
    },
    Fault {
        what: "a bit of the ledger",
        bring: |dir| !flip(&dir.file("ledger/entries.log"), 50).is_empty(),
        args: VERIFY,
        code: 1,
        says: "ledger entry ",
        mend: |dir| drop(flip(&dir.file("ledger/entries.log"), 50)),
    },
    Fault {
        what: "a bit of a lock file, which means nothing",
        bring: |dir| !flip(&dir.file("state/LOCK"), 0).is_empty(),
        args: START,
        code: 0,
        says: "",
        mend: leave,
    },
    Fault {
        what: "a segment that is cut",
        bring: |dir| {
            let segment = dir.newest("log");
            fs::copy(&segment, dir.path().join("kept")).expect("there is room");
            half(&segment);
            true
        },
        args: START,
        code: 1,
        says: ".log is damaged at byte",
        mend: |dir| drop(fs::rename(dir.path().join("kept"), dir.newest("log"))),
    },
    Fault {
        what: "a ledger that is cut",
        bring: |dir| {
            let ledger = dir.file("ledger/entries.log");
            fs::copy(&ledger, dir.path().join("kept")).expect("there is room");
            half(&ledger);
            true
        },
        args: START,
        code: 1,
        says: "ledger",
        mend: |dir| {
            let kept = dir.path().join("kept");
            drop(fs::rename(kept, dir.file("ledger/entries.log")));
        },
    },
    Fault {
        what: "a snapshot that is cut: the records make up for it",
        bring: |dir| {
            half(&dir.newest("snapshot"));
            true
        },
        args: START,
        code: 0,
        says: "",
        mend: leave,
    },
    Fault {
        what: "an unfinished file that a crash left",
        bring: |dir| fs::write(dir.file("state/00000000000000000099.snapshot.tmp"), "x").is_ok(),
        args: START,
        code: 0,
        says: "",
        mend: leave,
    },
    Fault {
        what: "a segment that may not be written",
        bring: |dir| forbid(&dir.newest("log")),
        args: START,
        code: 1,
        says: "permission denied; stop, mend the cause",
        mend: |dir| allow(&dir.newest("log")),
    },
    Fault {
        what: "a ledger that may not be written",
        bring: |dir| forbid(&dir.file("ledger/entries.log")),
        args: START,
        code: 1,
        says: "permission denied; stop, mend the cause",
        mend: |dir| allow(&dir.file("ledger/entries.log")),
    },
    Fault {
        what: "a file in the place of the journal",
        bring: |dir| {
            swap(&dir.path().join("journal"));
            true
        },
        args: START,
        code: 1,
        says: "cannot make directory",
        mend: |dir| swap_back(&dir.path().join("journal")),
    },
    Fault {
        what: "a file in the place of the state",
        bring: |dir| {
            swap(&dir.file("state"));
            true
        },
        args: START,
        code: 1,
        says: "cannot make directory state",
        mend: |dir| swap_back(&dir.file("state")),
    },
    Fault {
        what: "a directory in the place of the ledger",
        bring: |dir| {
            swap(&dir.file("ledger/entries.log"));
            true
        },
        args: START,
        code: 1,
        says: "ledger/entries.log",
        mend: |dir| swap_back(&dir.file("ledger/entries.log")),
    },
];

/// What the books come to.
fn books(dir: &Dir, head: Option<&str>) -> (Value, String) {
    let mut args = vec!["verify", "--json"];
    args.extend(head.iter().flat_map(|head| ["--head", head]));
    let (code, text) = dir.run(&args);
    assert_eq!(code, Some(0), "{text}");
    let report: Value = serde_json::from_str(&text).expect("it is one object");
    let head = report["ledger"]["head"].as_str().expect("it has one").to_owned();
    (report["books"].clone(), head)
}

#[test]
fn each_fault_of_a_directory_is_told_and_after_its_repair_the_books_are_as_before() {
    let base = Dir::new("faults");
    base.pay();
    let (before, head) = books(&base, None);
    for (number, fault) in FAULTS.iter().enumerate() {
        let Fault { what, bring, args, code, says, mend } = fault;
        let dir = Dir::new(&format!("faults-{number}"));
        copy_tree(base.path(), dir.path());
        if !bring(&dir) {
            eprintln!("not brought about here: {what}");
            continue;
        }
        let (found, text) = dir.run(args);
        mend(&dir);
        assert_eq!(found, Some(*code), "{what}: {text}");
        assert!(text.contains(says), "{what}: {text}");
        let names_the_place = *code == 0 || *args == VERIFY || text.contains(dir.text());
        assert!(names_the_place, "{what}: {text}");
        let (after, _) = books(&dir, Some(&head));
        if *code != 0 {
            assert_eq!(after, before, "{what}");
        }
        dir.pay();
    }
}

#[test]
fn a_directory_that_another_process_has_is_refused_with_its_number() {
    let dir = Dir::new("held");
    let running = dir.start(&["demo", "--nodes", "20", "--load", "2", "--json"]);
    running.wait_for(2, "paid");
    for (args, expected) in [(START, 1), (&["verify"], 3)] {
        let (code, text) = dir.run(args);
        assert_eq!(code, Some(expected), "{text}");
        assert!(text.contains(&format!("is held by process {}", running.id())), "{text}");
        assert!(text.contains("stop that process"), "{text}");
    }
    running.wait_for(2, "paid");
}

#[test]
fn a_directory_that_others_may_enter_is_closed_to_them() {
    let dir = Dir::new("open");
    dir.pay();
    let places = ["", "state", "ledger"].map(|name| dir.file(name));
    for place in &places {
        fs::set_permissions(place, Permissions::from_mode(0o777)).expect("it is ours");
    }
    dir.pay();
    for place in &places {
        let mode = fs::metadata(place).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", place.display());
    }
}

#[test]
fn files_that_may_not_grow_end_the_engine_and_nothing_is_lost() {
    let dir = Dir::new("limit");
    dir.pay();
    let (before, head) = books(&dir, None);
    let binary = env!("CARGO_BIN_EXE_payecs");
    let script = format!("trap '' XFSZ; ulimit -f 8; exec '{binary}' \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).args(START).args(["--data-dir", dir.text()]);
    let out = command.output().expect("there is a shell");
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("File too large") && text.contains(dir.text()), "{text}");
    assert_eq!(books(&dir, Some(&head)).0, before);
    dir.pay();
}

#[test]
fn on_a_full_disk_new_payments_are_refused_until_there_is_room() {
    let dir = Dir::new("full");
    dir.pay();
    let (before, head) = books(&dir, None);
    let place = Dir::new("full-disk");
    fs::create_dir(place.path()).expect("there is room");
    let mount = |how: &str| done("mount", &["-t", "tmpfs", "-o", how, "tmpfs", place.text()]);
    if !(is_root() && mount("size=6m")) {
        eprintln!("not brought about here: only root may mount a small disk");
        return;
    }
    let unmount = Unmount(place.text());
    copy_tree(&dir.path().join("journal"), &place.path().join("journal"));
    std::os::unix::fs::symlink(dir.path().join("network"), place.path().join("network"))
        .expect("there is room");
    let told = [START, &["--json"]].concat();
    let (code, text) = place.run(&told);
    assert_eq!(code, Some(0), "the books agree: {text}");
    assert_eq!(text.matches("nearly full").count(), 20, "{text}");
    let (after, _) = books(&place, Some(&head));
    assert_eq!((&after["accounts"], &after["open"]), (&before["accounts"], &before["open"]));
    assert!(done("mount", &["-o", "remount,size=400m", place.text()]));
    let (code, text) = place.run(&told);
    assert_eq!((code, text.matches("nearly full").count()), (Some(0), 0), "{text}");
    drop(unmount);
}

/// Takes a small disk away.
struct Unmount<'a>(&'a str);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        done("umount", &[self.0]);
    }
}
