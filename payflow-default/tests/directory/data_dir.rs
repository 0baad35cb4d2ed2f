//! The binary on a data directory: what is kept is there again, and damage is named.

use crate::common::{Dir, LOAD, copy_tree, flip};
use ecs_core::Inputs;
use ecs_systems::{policy::Policy, units::Timestamp};
use ledger_store::{
    Issuer, MemoryLedger, MemoryReceipts, ReceiptRequest, SEED_FILE, SeedFile, Terms, store::Store,
};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use payflow_default::app::{Parts, engine};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};
use zeroize::Zeroizing;

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
    assert!(other.contains("--seed 9") && other.contains("another data directory"), "{other}");
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

#[test]
fn what_the_ledger_holds_is_signed_by_its_engine_and_by_nobody_else() {
    let dir = Dir::new("signed");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
    let (_, text) = dir.run(&["verify", "--json"]);
    let checkpoints = told(&text, "checkpoints");
    assert!(checkpoints["count"].as_u64().is_some_and(|count| count > 0), "{text}");
    let key = checkpoints["keys"][0].as_str().expect("a public key").to_owned();
    let (code, text) = dir.run(&["verify", "--key", &key]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("checkpoints, signed by {key}\n")), "{text}");
    let (code, text) = dir.run(&["verify", "--key", &"2".repeat(64)]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("says that {key} signed it: it did not, or")), "{text}");
    assert!(text.contains("there is no checkpoint that 2222"), "{text}");

    // One whose signature is another's, and one that can't be read.
    let file = dir.file("ledger/checkpoints");
    let lines = fs::read_to_string(&file).expect("it is there");
    let end = lines.trim_end().len();
    let other = if lines[..end].ends_with('0') { "1" } else { "0" };
    fs::write(&file, format!("{}{other}\n", &lines[..end - 1])).expect("it can be written");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("did not, or"), "{text}");
    fs::write(&file, &lines[..end - 1]).expect("it can be written");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("ledger/checkpoints"), "{text}");
}

/// What the last line of a `verify` in JSON says of an object.
fn told(text: &str, of: &str) -> serde_json::Value {
    let line = text.lines().find(|line| line.starts_with('{')).expect("it is one object");
    let told: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
    told[of].clone()
}

#[test]
fn an_index_that_is_gone_damaged_or_of_another_directory_is_built_again_while_payments_go_on() {
    let (dir, other) = (Dir::new("index"), Dir::new("other-index"));
    for dir in [&dir, &other] {
        let (code, text) = dir.run(&LOAD);
        assert_eq!(code, Some(0), "{text}");
        assert!(!text.contains("index of the ledger"), "a new one is not worth a word: {text}");
    }
    let index = dir.path().join("index");
    let mode = fs::metadata(&index).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "for its owner alone");
    // What is said of it at the next start, and whether `verify` calls it a fault.
    let ways: [(&str, bool, &dyn Fn()); 4] = [
        ("it is missing", false, &|| fs::remove_dir_all(&index).expect("it is there")),
        // Of a short log the backend takes the first whole batches; the rest is read again.
        ("", false, &|| drop(flip(&index.join("db"), 50))),
        ("corrupted", true, &|| {
            fs::write(index.join("conf"), "nonsense\n").expect("there is room");
        }),
        ("it is of the ledger", true, &|| {
            fs::remove_dir_all(&index).expect("it is there");
            copy_tree(&other.path().join("index"), &index);
        }),
    ];
    for (why, is_fault, harm) in ways {
        harm();
        let (code, text) = dir.run(&["verify", "--json"]);
        let faults = told(&text, "faults").to_string();
        assert_eq!(code, Some(i32::from(is_fault)), "{text}");
        assert_eq!(faults.contains("delete ") && faults.contains(why), is_fault, "{faults}");
        let before = told(&text, "books");
        let (code, text) = dir.run(&LOAD);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("20 paid, 0 failed"), "{text}");
        assert!(text.contains("The books agree with the network"), "{text}");
        for said in [why, "index of the ledger: it has all "] {
            assert_eq!(text.contains(said), !why.is_empty() || said.is_empty(), "{said}: {text}");
        }
        let (code, text) = dir.run(&["verify", "--json"]);
        assert_eq!(code, Some(0), "{text}");
        let number = |of: &str, name: &str| told(&text, of)[name].as_u64().expect("a number");
        let (found, behind) = (number("index", "entries"), number("index", "behind"));
        assert_eq!(found + behind, number("ledger", "entries"));
        assert!(found > behind, "{text}");
        assert_ne!(told(&text, "books"), before);
    }
}

#[test]
fn an_index_that_can_not_be_opened_stops_no_payment() {
    let dir = Dir::new("no-index");
    fs::create_dir_all(dir.path()).expect("there is room");
    fs::write(dir.path().join("index"), "a file in its place").expect("there is room");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("20 paid, 0 failed"), "{text}");
    assert!(text.contains("index of the ledger: it has failed: "), "{text}");
}

/// A disk of a data directory.
fn disk(dir: &Dir, part: &str) -> Arc<dyn Disk> {
    Arc::new(OsDisk::open(dir.path().join(part)).expect("it can be made"))
}

/// Makes the file of a seed.
fn make_seed(dir: &Dir, byte: u8) -> SeedFile {
    let drawn = || Zeroizing::new([byte; 32]);
    let mut seed = SeedFile::open(&disk(dir, ""), drawn).expect("there is none");
    seed.keep().expect("it can be written");
    seed
}

/// A journal with one receipt, and its seed.
fn issue_one(dir: &Dir) {
    let seed = make_seed(dir, 1);
    let mut app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::new(node_sim::OUR_NAME)),
        receipts: Box::new(MemoryReceipts::with_seed(seed.seed().clone())),
        plugins: Vec::new(),
    })
    .expect("the default flow fits together");
    let options = Options::new(LogId([1; 16]));
    let (mut store, _) =
        Store::open(&disk(dir, "journal"), options, &mut app, &mut |_| {}).expect("it is new");
    app.record_changes(true);
    app.begin(Inputs { now_ms: 1, entropy: [2; 32] });
    let expires_at = Timestamp(u64::MAX);
    let terms = Terms::default();
    let request = ReceiptRequest { terms, ..ReceiptRequest::of(None, expires_at) };
    Issuer::new(seed.seed().clone()).issue(&mut app, &request).expect("the first");
    store.append(&app.take_delta().expect("it was recorded")).expect("room");
    store.close().expect("room");
}

#[test]
fn a_seed_that_is_missing_wrong_or_damaged_is_never_replaced() {
    let dir = Dir::new("seed");
    issue_one(&dir);
    let file = dir.path().join(SEED_FILE);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&dir.path().join("secrets"))), (0o600, 0o700));
    let seed = fs::read(&file).expect("it is there");
    let refused = |words: &[&str]| {
        let before = fs::read(&file).ok();
        let (code, text) = dir.run(&LOAD);
        assert_eq!((code, fs::read(&file).ok()), (Some(1), before), "{text}");
        for word in words {
            assert!(text.contains(word), "`{word}` is missing: {text}");
        }
    };
    fs::remove_file(&file).expect("it is there");
    refused(&["of seed ", "put the file of its seed back", "there was no ", SEED_FILE]);
    make_seed(&dir, 2);
    refused(&["of seed ", "put the file of its seed back"]);
    flip(&file, 50);
    refused(&["is damaged", "put it back from its backup"]);
    fs::write(&file, &seed).expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    refused(&["others may read ", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let (code, text) = dir.run(&["verify"]);
    assert_eq!(code, Some(0), "an auditor needs no seed: {text}");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(fs::read(&file).expect("it is there"), seed);
}

#[test]
fn a_journal_that_is_gone_is_never_begun_anew_beside_its_seed() {
    let dir = Dir::new("no-journal");
    dir.run(&LOAD);
    let kept = dir.path().join("elsewhere");
    fs::rename(dir.path().join("journal"), &kept).expect("it is there");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is there, but no journal: bring it back"), "{text}");
    let journal = dir.path().join("journal");
    if journal.exists() {
        fs::remove_dir_all(&journal).expect("it has nothing");
    }
    fs::rename(kept, journal).expect("it is there");
    let (code, text) = dir.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
}
