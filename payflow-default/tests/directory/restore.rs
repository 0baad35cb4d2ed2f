//! A data directory from a backup, beside the network that went on.

use crate::common::{Dir, LOAD, copy_tree};
use ecs_systems::{
    policy::Policy,
    port::{Books, ClaimState, Ledger},
    units::{Msat, PaymentHash},
};
use ledger_store::{
    Account, LATE_PAYMENTS_MAX, LedgerHistory, MemoryLedger, MemoryReceipts, SEED_FILE,
    store::Store,
};
use node_sim::{OUR_NAME, PaymentTruth, audit_disk};
use payecs_journal::{Disk, LogId, Options, OsDisk};
use payflow_default::app::{Parts, engine};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

fn disk(dir: &Path) -> Arc<dyn Disk> {
    Arc::new(OsDisk::open(dir).expect("it can be opened"))
}

/// Holds the books against what really happened: how many hashes were paid.
fn audit(dir: &Dir) -> usize {
    let mut truths = BTreeMap::<PaymentHash, PaymentTruth>::new();
    let network = audit_disk(&disk(&dir.path().join("network")), &mut |hash, truth| {
        truths.entry(hash).or_default().add(truth);
    });
    let network = network.expect("it opens");
    network.audit().expect("no money was lost");
    assert_eq!(network.in_flight(), 0);
    // Nothing is so old that it would be asked.
    let history = Arc::new(LedgerHistory::default());
    let mut app = engine(Parts {
        policy: Policy::default(),
        ledger: Box::new(MemoryLedger::over(OUR_NAME, history, LATE_PAYMENTS_MAX)),
        receipts: Box::new(MemoryReceipts::default()),
        plugins: Vec::new(),
    })
    .expect("the default flow fits together");
    let options = Options { reserve_bytes: 0, ..Options::new(LogId([0; 16])) };
    Store::open(&disk(&dir.file("")), options, &mut app, &mut |_| {}).expect("it opens");
    let books: &dyn Ledger = &*app.resource::<Books>().expect("there are books").0;
    books.verify().expect("the books add up");
    assert!(!books.is_backup(), "they are reconciled");
    let mut paid = 0;
    for (hash, truth) in &truths {
        assert!(truth.sets_taken <= 1, "{hash} was paid {} times", truth.sets_taken);
        let complete = matches!(books.claim(hash), Ok(Some((_, ClaimState::Complete { .. }))));
        assert_eq!(complete, truth.sets_taken == 1, "{hash}: {truth:?}");
        paid += usize::from(complete);
    }
    for (channel, really) in network.our_balance() {
        let booked = books.balance(&Account::Channel(channel).of(OUR_NAME));
        let ours = booked.debits_posted_msat.checked_sub(booked.credits_posted_msat);
        assert_eq!(ours, Some(really), "our side of {channel}");
    }
    let spent = truths.values().map(PaymentTruth::received_in_all);
    assert_eq!(Some(books.balance_object().outgoing_total_msat), Msat::sum(spent));
    paid
}

#[test]
fn an_engine_from_an_old_backup_learns_what_was_paid_since_before_it_sends_anything() {
    let (dir, backup, other) = (Dir::new("old"), Dir::new("old-backup"), Dir::new("old-restored"));
    let load = ["demo", "--nodes", "20", "--load", "8", "--json"];
    let running = dir.start(&load);
    running.wait_for(30, "paid");
    let (code, text) = dir.run(&["backup", "--to", backup.text()]);
    assert_eq!(code, Some(0), "{text}");
    running.wait_for(60, "paid");
    running.kill();

    // The network is the same one; only our engine has lost its disk.
    fs::create_dir(other.path()).expect("there is room");
    copy_tree(&dir.path().join("network"), &other.path().join("network"));
    let (code, text) = other.run(&["restore", "--from", backup.text()]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("it asks the node what happened"), "{text}");
    let seed = |dir: &Dir| fs::read(dir.path().join(SEED_FILE)).expect("it is there");
    assert_eq!(seed(&other), seed(&dir), "the secrets of receipts come with it");
    let (code, text) = other.run(&["verify"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = other.run(&[&LOAD[..], &["--json"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("reconciled with the node: "), "{text}");
    assert!(text.contains(r#""books_agree":true"#), "{text}");
    assert!(audit(&other) >= 110, "thirty, sixty and twenty");
    let (code, text) = other.run(&LOAD);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("reconciled with"), "once: {text}");
    let (code, text) = other.run(&["verify"]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_restore_checks_everything_before_it_writes_and_never_overwrites() {
    let (dir, backup, other) = (Dir::new("check"), Dir::new("check-b"), Dir::new("check-to"));
    dir.pay();
    let (code, text) = dir.run(&["backup", "--to", backup.text()]);
    assert_eq!(code, Some(0), "{text}");
    let refused = |to: &Dir, why: &str| {
        let (code, text) = to.run(&["restore", "--from", backup.text()]);
        assert_eq!(code, Some(1), "{why}: {text}");
        assert!(text.contains(why), "{why}: {text}");
    };
    refused(&dir, "is not empty");
    for file in crate::common::bytes(backup.path()).keys() {
        let before = crate::common::flip(file, 50);
        let name = file.file_name().expect("it has one").to_string_lossy().into_owned();
        let (code, text) = other.run(&["restore", "--from", backup.text()]);
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(text.contains(&name), "{name}: {text}");
        assert!(!other.path().exists(), "{name}: nothing is written");
        fs::write(file, &before).expect("it can be written");
        fs::remove_file(file).expect("it is there");
        refused(&other, &name);
        fs::write(file, before).expect("it can be written");
    }
    let added = backup.path().join("journal/state/added");
    fs::write(&added, "x").expect("there is room");
    refused(&other, "it is no part of the backup");
    fs::remove_file(added).expect("it is there");
    let (code, text) = other.run(&["restore", "--from", other.text()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is that a backup?"), "{text}");
    let (code, text) = other.run(&["restore", "--from", backup.text(), "--json"]);
    assert_eq!(code, Some(0), "{text}");
    refused(&other, "is not empty");
}
