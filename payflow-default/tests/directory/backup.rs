//! Backups of a data directory whose engine runs, stands still, or was killed.

use crate::common::{Dir, flip};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// The files below a directory, and whether anybody but their owner may use them.
fn files(dir: &Path) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("it is there") {
        let entry = entry.expect("it is readable");
        let mode = entry.metadata().expect("it is readable").permissions().mode();
        found.push((entry.path().display().to_string(), mode & 0o077 != 0));
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        }
    }
    found
}

#[test]
fn a_backup_is_private_and_proves_itself_and_is_replaced_only_by_force() {
    let (dir, to) = (Dir::new("backup"), Dir::new("backup-to"));
    let (code, text) = dir.run(&["backup", "--to", to.text()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("there is no journal in"), "{text}");
    assert!(!to.path().exists());
    dir.pay();
    fs::write(dir.file("secrets"), "of receipts").expect("it can be written");
    let (code, text) = dir.run(&["backup", "--to", to.text(), "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let made: Value = serde_json::from_str(&text).expect("it is one object");
    let head = made["ledger"]["head"].as_str().expect("the head is told").to_owned();
    assert!(made["ledger"]["entries"].as_u64().expect("a number") > 100, "{text}");
    let open: Vec<String> =
        files(to.path()).into_iter().filter(|(_, open)| *open).map(|it| it.0).collect();
    assert_eq!(open, Vec::<String>::new(), "for its owner alone");
    assert!(to.path().join("journal/secrets").is_file(), "what stands beside the logs is copied");
    let before = crate::common::bytes(to.path());
    for _ in 0..2 {
        let (code, text) = to.run(&["verify", "--head", &head]);
        assert_eq!(code, Some(0), "{text}");
    }
    let looked_at = crate::common::bytes(to.path());
    assert_eq!(before, looked_at, "looking changes nothing");
    let (code, text) = dir.run(&["verify", "--head", &head]);
    assert_eq!(code, Some(0), "the head is the original's too: {text}");

    let (code, text) = dir.run(&["backup", "--to", to.text()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("add --force"), "{text}");
    let (code, text) = dir.run(&["backup", "--to", to.text(), "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Not in it: the channels of your node"), "{text}");
    for (place, why) in [
        (dir.path().join("inside"), "is in the data directory"),
        (dir.path().to_owned(), "is there already"),
        (to.path().join("no/such"), "No such file"),
    ] {
        let place = place.display().to_string();
        let (code, text) = dir.run(&["backup", "--force", "--to", &place]);
        assert_eq!(code, Some(1), "{place}: {text}");
        assert!(text.contains(why), "{place}: {text}");
    }
    let left = fs::read_dir(to.path().parent().expect("it has one")).expect("it is there");
    let name = to.path().file_name().expect("it has one").to_string_lossy().into_owned();
    let left: Vec<String> = left
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|other| other.contains(&name) && *other != name)
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing unfinished is left");
}

#[test]
fn backups_of_an_engine_that_runs_hold_and_each_has_what_the_one_before_had() {
    let dir = Dir::new("backup-running");
    let running = dir.start(&["demo", "--nodes", "20", "--load", "8", "--json"]);
    let mut heads: Vec<String> = Vec::new();
    for number in 0..4 {
        running.wait_for(20, "paid");
        let to = Dir::new(&format!("backup-running-{number}"));
        let (code, text) = dir.run(&["backup", "--to", to.text(), "--json"]);
        assert_eq!(code, Some(0), "{text}");
        let made: Value = serde_json::from_str(&text).expect("it is one object");
        let mut args = vec!["verify"];
        args.extend(heads.iter().flat_map(|head| ["--head", head]));
        let (code, text) = to.run(&args);
        assert_eq!(code, Some(0), "{text}");
        heads.push(made["ledger"]["head"].as_str().expect("the head is told").to_owned());
    }
    heads.dedup();
    assert_eq!(heads.len(), 4, "it went on meanwhile");
    running.kill();
    let to = Dir::new("backup-killed");
    let (code, text) = dir.run(&["backup", "--to", to.text()]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(0), "the original is as it was: {text}");
}

#[test]
fn a_damaged_directory_gives_no_backup_and_the_place_is_named() {
    let dir = Dir::new("backup-damaged");
    dir.pay();
    let ledger = dir.file("ledger/entries.log");
    let before = flip(&ledger, 50);
    let to = Dir::new("backup-damaged-to");
    let (code, text) = dir.run(&["backup", "--to", to.text()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("entries.log") && !to.path().exists(), "{text}");
    fs::write(&ledger, before).expect("it can be written");
    let (code, text) = dir.run(&["backup", "--to", to.text()]);
    assert_eq!(code, Some(0), "{text}");
}
