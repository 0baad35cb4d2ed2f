//! What the store writes is what the index over the ledger reads.

use ecs_core::{
    Engine, EntityId, Inputs, Json, On, Step, Systems, Write, bevy_ecs::prelude::Res, system,
};
use ecs_systems::{
    port::{Books, LedgerEntry, ReceiptsBook},
    records::{RecordEntry as _, keep},
    units::Msat,
};
use ledger_store::{MemoryLedger, MemoryReceipts, laws::fixture, store::Store};
use payecs_index::{Follower, HISTORY, History, MemoryBackend, Moment, Names, State};
use payecs_journal::{Disk, LedgerLog, LogId, MemoryDisk, Options};
use std::{sync::Arc, time::Duration};

/// One entry of each kind, all of hash 1 but the opening.
fn each_kind() -> Vec<LedgerEntry> {
    let payment = fixture::payment(1, 1);
    vec![
        fixture::claim(1, 1, 10),
        fixture::reserve(payment, 10, 1),
        fixture::dispatch(payment, &[(1, 1, 10, 1)]),
        fixture::post(payment, 1, 1),
        fixture::around(payment, 1, 1),
        fixture::void(payment, 1),
        fixture::overspend(payment, 1, 1),
        fixture::late(payment, 1, 1),
        fixture::prove(1, 1),
        fixture::complete(1, 1, 1),
        fixture::fail(payment),
        fixture::claim_set(1),
        fixture::settle_set(1, &[(1, 10, 10)], Some(payment)),
        LedgerEntry::SelfPay { payment, amount_msat: Msat(1), paid: None },
        LedgerEntry::HoldSet { set: fixture::set(1), htlcs: fixture::shares(&[(1, 10, 0)]) },
        LedgerEntry::VoidSet { set: fixture::set(1) },
    ]
}

/// The names of an entry with this one line.
fn names(entry: &LedgerEntry) -> Names {
    let body = Json::of(entry);
    let (system, body) = (entry.system(), body.text());
    let line = format!(r#"{{"system":"{system}","body":{body}}}"#);
    let payload = format!(r#"{{"at_ms":5,"entity":7,"lines":[{line}]}}"#);
    (HISTORY.names)(0, payload.as_bytes()).unwrap_or_else(|why| panic!("{why}: {payload}"))
}

#[test]
fn every_kind_of_line_is_found_by_its_hash_and_no_preimage_is_kept() {
    let hash = fixture::preimage(1).hash().0;
    for entry in each_kind() {
        let expected = [[b"p".as_slice(), &hash].concat(), b"t\0\0\0\0\0\0\0\x05".to_vec()];
        let names = names(&entry);
        assert!(names.keys().eq(&expected), "{}: {names:?}", entry.shown());
        assert!(names.values().all(Vec::is_empty), "{}", entry.shown());
    }
    assert_eq!(names(&fixture::opening(1, 10)).len(), 1, "by its time alone");
    let hash = Some(fixture::preimage(1).hash());
    let draft = LedgerEntry::FailDraft { hash, answer: None };
    assert_eq!(names(&draft).len(), 1, "it claimed no hash");
    let settled = fixture::settle_set(1, &[(1, 10, 10)], Some(fixture::payment(2, 1)));
    assert_eq!(names(&settled).len(), 3, "by the hash of its payer too");
}

/// What is booked at the moments 1, 2, and so on.
fn entries() -> Vec<LedgerEntry> {
    let payment = fixture::payment(1, 1);
    let mut claim = fixture::claimed(1, 1, 1_000);
    claim.idempotency_key = Some("order-17".to_owned());
    vec![
        fixture::opening(1, 100_000),
        LedgerEntry::Claim(claim),
        fixture::reserve(payment, 1_000, 10),
        fixture::dispatch(payment, &[(1, 1, 1_000, 5)]),
        fixture::post(payment, 1, 5),
        fixture::complete(1, 1, 5),
    ]
}

/// An engine with books, and a System that writes one entry into them.
fn engine() -> Engine {
    let mut app = Engine::new();
    app.insert_resource(Books(Box::new(MemoryLedger::new("sim"))));
    app.insert_resource(ReceiptsBook(Box::new(MemoryReceipts::default())));
    app.set_keeper(keep);
    app.add_system(
        system("acme:book").requires(["acme:pay"]).disallows(["acme:paid"]),
        |_: On, now: Res<Inputs>| {
            let at = usize::try_from(now.now_ms).expect("it is small");
            let entry = &entries()[at - 1];
            Ok(Step::advance().attach_json("acme:paid", Json::yes()).keep(entry))
        },
    )
    .expect("a new name");
    app.record_changes(true);
    app
}

#[test]
fn what_a_store_writes_is_found_by_payment_by_key_and_by_time() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut app = engine();
    let options = Options::new(LogId([7; 16]));
    let (mut store, _) = Store::open(&disk, options, &mut app, &mut |_| {}).unwrap();
    // The Entity that pays hash 1.
    let entity: EntityId = fixture::entity(1);
    for now_ms in 1..=6 {
        app.begin(Inputs { now_ms, ..Inputs::default() });
        let list = Write::to(entity).attach(&Systems::listing(["acme:book"]));
        let write = list.attach_json("acme:pay", Json::yes()).detach_name("acme:paid");
        // It ends without a match left once the entry is written.
        let _ = app.advance_with(entity, None, &[write], &[]);
        store.append(&app.take_delta().expect("something changed")).unwrap();
    }
    store.close().unwrap();
    let (ledger, _) = LedgerLog::open(disk, LogId([7; 16])).unwrap();
    assert_eq!(ledger.head().count, 6);
    let follower = Follower::start(MemoryBackend::default(), ledger.reader(), HISTORY).unwrap();
    let all = |state: &State| matches!(state, State::Ready(progress) if progress.applied == 6);
    let state = follower.index().wait(Duration::from_mins(1), all);
    assert!(all(&state), "{state:?}");
    let history = History::of(follower.index());
    let hash = fixture::preimage(1).hash().0;
    assert_eq!(history.entries_of_payment(&hash, 0, 99).unwrap().found, [1, 2, 3, 4, 5]);
    assert_eq!(history.entry_of_key("order-17").unwrap().found, Some(1));
    let since = history.entries_since(5, None, 99).unwrap().found;
    assert_eq!(since, [Moment { at_ms: 5, entry: 4 }, Moment { at_ms: 6, entry: 5 }]);
}
