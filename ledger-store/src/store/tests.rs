mod backup;
mod marks;
mod receive;
mod signing;

use super::*;
use crate::laws::fixture::{claim, fail, opening, payment, preimage};
use crate::memory::tests::thaw::Told;
use crate::{MemoryLedger, MemoryReceipts};
use ecs_core::{
    EntityId, Inputs, Json, On, Step, Systems, Write, Writer, bevy_ecs::prelude::Res, system,
};
use ecs_systems::{
    port::{Books, ClaimState, HistoryError, Ledger, LedgerEntry, LedgerError, ReceiptsBook},
    records::{RecordEntry, keep, ledger_record},
    units::{Msat, ShortChannelId, Timestamp},
};
use payecs_journal::{Faults, LedgerMark, LogId, MemoryDisk, Operation};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

/// An engine with books, and a System that writes into them: a channel for each moment.
fn engine() -> Engine {
    engine_with(MemoryLedger::new("sim"))
}

/// Books over a history that is never told anything.
fn over_nothing() -> MemoryLedger {
    MemoryLedger::over("sim", Arc::new(Told::lagging(usize::MAX)), 0)
}

fn engine_with(books: MemoryLedger) -> Engine {
    let mut app = Engine::new();
    app.insert_resource(Books(Box::new(books)));
    app.insert_resource(ReceiptsBook(Box::new(MemoryReceipts::with_seed(receive::seed(1)))));
    app.set_keeper(keep);
    app.add_system(
        system("acme:book").requires(["acme:pay"]).disallows(["acme:paid"]),
        |_: On, now: Res<Inputs>| {
            let short_channel_id = ShortChannelId(now.now_ms);
            let entry = LedgerEntry::Opening { short_channel_id, amount_msat: Msat(1_000) };
            Ok(Step::advance().attach_json("acme:paid", Json::yes()).keep(&entry))
        },
    )
    .expect("a new name");
    app.record_changes(true);
    app
}

fn books(app: &Engine) -> &dyn Ledger {
    &*app.resource::<Books>().expect("inserted").0
}

/// Everything that a restart must bring back: all but the moment of a command that changed nothing.
fn state(app: &Engine) -> (BTreeMap<String, Json>, Json, Json) {
    let mut fields = Json::of(&app.snapshot()).fields().expect("an object");
    fields.remove("now_ms").expect("the moment");
    (fields, books(app).image().json(), receive::receipts(app).image().json())
}

fn options() -> Options {
    Options { segment_bytes: 2_000, reserve_bytes: 0, ..Options::new(LogId([7; 16])) }
}

fn open(disk: &MemoryDisk) -> Result<(Store, Engine, Restored), StoreError> {
    open_with(disk, MemoryLedger::new("sim"))
}

fn open_with(
    disk: &MemoryDisk,
    books: MemoryLedger,
) -> Result<(Store, Engine, Restored), StoreError> {
    let mut app = engine_with(books);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, restored) = Store::open(&disk, options(), &mut app, &mut |_| {})?;
    Ok((store, app, restored))
}

/// What a command does to the engine.
#[derive(Clone, Copy, Debug)]
enum Command {
    Draft(u8),
    Pay(u8),
    End(u8),
    Register(u8),
    /// The next that can happen to a receipt.
    Receive(u8),
}

fn run(app: &mut Engine, at_ms: u64, command: Command) {
    app.begin(Inputs { now_ms: at_ms, entropy: receive::entropy(at_ms) });
    let entity = |number: u8| EntityId::new(u32::from(number) + 1).expect("above zero");
    let written = match command {
        Command::Draft(number) => {
            let write = Write::to(entity(number)).attach_json("acme:note", Json::of(&at_ms));
            app.set_components(&Writer::Caller, &[write], &[])
        }
        Command::Pay(number) => {
            let list = Write::to(entity(number)).attach(&Systems::listing(["acme:book"]));
            let write = list.attach_json("acme:pay", Json::yes()).detach_name("acme:paid");
            app.advance_with(entity(number), None, &[write], &[])
        }
        Command::End(number) => {
            app.set_components(&Writer::Caller, &[Write::end(entity(number))], &[])
        }
        Command::Register(number) => {
            let name: String = format!("acme:out{number}");
            app.add_external_system_for(system(&name).requires(["acme:x"]), at_ms)
        }
        Command::Receive(number) => receive::next(app, number),
    };
    // Some end without a match left, which is recorded as well.
    drop(written);
}

fn command() -> impl Strategy<Value = Command> {
    let number = 0_u8..4;
    prop_oneof![
        3 => number.clone().prop_map(Command::Draft),
        3 => number.clone().prop_map(Command::Pay),
        1 => number.clone().prop_map(Command::End),
        3 => any::<u8>().prop_map(Command::Receive),
        1 => number.prop_map(Command::Register),
    ]
}

/// What happens to the store.
#[derive(Clone, Copy, Debug)]
enum Action {
    Run(Command),
    Write,
    Sync,
    Snapshot,
    Kill,
    PowerLoss(u64),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => command().prop_map(Action::Run),
        2 => Just(Action::Write),
        3 => Just(Action::Sync),
        1 => Just(Action::Snapshot),
        1 => Just(Action::Kill),
        1 => any::<u64>().prop_map(Action::PowerLoss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever is lost, what comes back is a state that was, no older than what was kept.
    #[test]
    fn a_restart_never_finds_a_state_that_was_not_nor_one_older_than_was_kept(
        actions in vec(action(), 1..60),
        whole in any::<bool>(),
    ) {
        let disk = MemoryDisk::new();
        let open = |disk: &MemoryDisk| {
            open_with(disk, if whole { MemoryLedger::new("sim") } else { over_nothing() })
        };
        let (mut store, mut app, _) = open(&disk).expect("an empty disk");
        let mut states = vec![state(&app)];
        for (at_ms, action) in (1_000..).step_by(1_000).zip(actions) {
            let lost = match action {
                Action::Run(command) => {
                    run(&mut app, at_ms, command);
                    if let Some(delta) = app.take_delta() {
                        prop_assert_eq!(store.append(&delta).expect("room"), states.len() as u64);
                        states.push(state(&app));
                    }
                    continue;
                }
                Action::Write => {
                    store.write().expect("room");
                    continue;
                }
                Action::Sync => {
                    prop_assert_eq!(store.sync().expect("room").synced, store.last());
                    continue;
                }
                Action::Snapshot => {
                    store.snapshot(Image::of(&app)).expect("room");
                    continue;
                }
                Action::Kill => {
                    let kept = store.kept().written;
                    disk.crash();
                    kept
                }
                Action::PowerLoss(seed) => {
                    let kept = store.kept().synced;
                    disk.power_loss(seed);
                    kept
                }
            };
            let appended = store.last();
            drop(store);
            (store, app, _) = open(&disk).expect("what a crash leaves is opened");
            let last = store.last();
            prop_assert!((lost..=appended).contains(&last), "{lost} ≤ {last} ≤ {appended}");
            states.truncate(usize::try_from(last).expect("small").saturating_add(1));
            prop_assert_eq!(Some(&state(&app)), states.last());
            prop_assert_eq!(store.head().count, books(&app).image().entries());
            app.record_changes(true);
        }
    }
}

/// A store with three records, two of them with lines.
fn three(disk: &MemoryDisk) -> (Store, Engine) {
    let (mut store, mut app, _) = open(disk).unwrap();
    for (at_ms, command) in [(1, Command::Pay(0)), (2, Command::Draft(1)), (3, Command::Pay(2))] {
        run(&mut app, at_ms, command);
        store.append(&app.take_delta().unwrap()).unwrap();
    }
    store.sync().unwrap();
    (store, app)
}

#[test]
fn what_a_crash_kept_from_the_ledger_is_completed_from_the_records() {
    let disk = MemoryDisk::new();
    let (store, app) = three(&disk);
    let head = store.head();
    assert_eq!(head.count, 2);
    drop(store);
    disk.power_loss(3);
    let (store, other, restored) = open(&disk).unwrap();
    assert_eq!((state(&other), store.head()), (state(&app), head));
    assert_eq!((restored.records, restored.entries), (3, 2));
}

#[test]
fn after_a_snapshot_the_books_come_from_the_snapshot_alone() {
    let disk = MemoryDisk::new();
    let (mut store, app) = three(&disk);
    store.snapshot(Image::of(&app)).unwrap();
    store.close().unwrap();
    let mut steps = Vec::new();
    let mut other = engine();
    let dyn_disk: Arc<dyn Disk> = Arc::new(disk);
    let (_, restored) =
        Store::open(&dyn_disk, options(), &mut other, &mut |step| steps.push(step)).unwrap();
    assert_eq!(state(&other), state(&app));
    assert_eq!((restored.records, restored.completed), (0, 0));
    assert_eq!(steps, [RestoreStep::Snapshot]);
}

#[test]
fn records_go_on_while_a_snapshot_is_written_and_it_counts_once_adopted() {
    let disk = MemoryDisk::new();
    let (mut store, mut app) = three(&disk);
    let begun = store.begin_snapshot(Image::of(&app)).unwrap().expect("there are records");
    run(&mut app, 4, Command::Pay(0));
    store.append(&app.take_delta().expect("something changed")).unwrap();
    assert_eq!(store.sync().unwrap().synced, 4);
    let crashed = disk.fork();
    crashed.crash();
    let written = begun.write().unwrap();
    store.adopt(written).unwrap();
    assert!(store.begin_snapshot(Image::of(&app)).unwrap().is_some(), "one more record");
    store.close().unwrap();
    for (disk, behind) in [(crashed, 4), (disk, 1)] {
        let (_, again, restored) = open(&disk).unwrap();
        assert_eq!((restored.records, state(&again)), (behind, state(&app)));
    }
}

#[test]
fn a_sync_that_fails_is_final_and_what_was_kept_before_is_there() {
    let disk = MemoryDisk::new();
    let (mut store, mut app) = three(&disk);
    let before = state(&app);
    disk.plan(Faults { fail: Some((Operation::Sync, 1)), ..Faults::default() });
    run(&mut app, 9, Command::Pay(3));
    store.append(&app.take_delta().unwrap()).unwrap();
    store.sync().unwrap_err();
    assert_eq!(store.kept().synced, 3);
    store.sync().unwrap_err();
    drop(store);
    disk.plan(Faults::default());
    disk.power_loss(1);
    let (store, other, _) = open(&disk).unwrap();
    assert!(store.last() == 3 && state(&other) == before);
}

#[test]
fn a_ledger_that_can_t_be_synced_for_a_snapshot_ends_the_records_too() {
    let disk = MemoryDisk::new();
    let (mut store, mut app) = three(&disk);
    // The state log has nothing to sync: the ledger is next.
    disk.plan(Faults { fail: Some((Operation::Sync, 1)), ..Faults::default() });
    assert!(store.begin_snapshot(Image::of(&app)).is_err());
    disk.plan(Faults::default());
    run(&mut app, 4, Command::Draft(3));
    let delta = app.take_delta().unwrap();
    assert!(store.append(&delta).is_err(), "a record");
    assert!(store.write().is_err(), "a write");
    assert!(store.sync().is_err(), "a sync");
}

#[test]
fn an_engine_without_the_plugin_is_refused_by_the_name_of_the_record() {
    let disk = MemoryDisk::new();
    drop(three(&disk));
    let mut bare = Engine::new();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let refused = Store::open(&disk, options(), &mut bare, &mut |_| {}).unwrap_err();
    assert!(matches!(&refused, StoreError::Unfit { what, .. } if what == "record 1"), "{refused}");
}

/// Keeps lines as one record, and tells the history.
fn keep_line(store: &mut Store, app: &mut Engine, told: &Told, entry: &LedgerEntry) {
    app.begin(Inputs { now_ms: 5, ..Inputs::default() });
    app.keep_records(&[ledger_record(entry)]).unwrap();
    store.append(&app.take_delta().unwrap()).unwrap();
    told.take(std::slice::from_ref(entry), None, Timestamp(5));
}

#[test]
fn a_restart_needs_no_history_for_records_that_needed_one() {
    let (disk, told) = (MemoryDisk::new(), Told::lagging(0));
    let over = |told: &Told| MemoryLedger::over("sim", Arc::new(told.clone()), 0);
    let (mut store, mut app, _) = open_with(&disk, over(&told)).unwrap();
    let before = [1, 2].map(|number| [claim(number, 1, 500), fail(payment(number, 1))]);
    for entry in before.iter().flatten().chain([&opening(1, 9_000)]) {
        keep_line(&mut store, &mut app, &told, entry);
    }
    store.snapshot(Image::of(&app)).unwrap();
    for entry in [claim(1, 2, 500), fail(payment(1, 2)), opening(2, 5), claim(1, 3, 700)] {
        keep_line(&mut store, &mut app, &told, &entry);
    }
    store.close().unwrap();
    let opening = Told::lagging(0);
    opening.refuse(Some(HistoryError::Opening { done: 0, of: 9 }));
    let (store, other, restored) = open_with(&disk, over(&opening)).unwrap();
    assert_eq!((restored.records, restored.entries, store.head().count), (4, 9, 9));
    let of = |app: &Engine, number: u8| books(app).claim(&preimage(number).hash());
    assert_eq!(of(&other, 1), of(&app, 1));
    assert!(matches!(of(&other, 1), Ok(Some((_, ClaimState::Open)))));
    assert_eq!(of(&other, 2), Err(LedgerError::HistoryOpening { done: 0, of: 9 }));
    assert_eq!(books(&other).trial_balance(), books(&app).trial_balance());
    books(&other).verify().unwrap();
}

#[test]
fn a_snapshot_of_an_older_version_is_refused_by_its_version() {
    let disk = MemoryDisk::new();
    let (mut store, app) = three(&disk);
    let older = Json::object([("entries", Json::of(&2)), ("engine", Json::of(&app.snapshot()))]);
    store.snapshot(Image::of(&app)).unwrap();
    let mut app = app;
    run(&mut app, 9, Command::Draft(3));
    store.append(&app.take_delta().unwrap()).unwrap();
    store.sync().unwrap();
    store.state.snapshot(Seq(4), Seq(4), [older.text().as_bytes()]).unwrap();
    store.close().unwrap();
    let refused = open(&disk).unwrap_err().to_string();
    assert!(refused.contains("its version is 1, this program reads 4"), "{refused}");
}

/// A snapshot as it is written.
fn text_of(image: Image, entries: u64, mark: LedgerMark) -> Json {
    let mut bytes = Vec::new();
    format::write_snapshot(&mut bytes, image, entries, mark).unwrap();
    Json::parse(&String::from_utf8(bytes).unwrap()).unwrap()
}

#[test]
fn an_image_that_is_not_of_the_last_record_is_no_snapshot() {
    let disk = MemoryDisk::new();
    let (mut store, mut app) = three(&disk);
    let image = Image::of(&app);
    run(&mut app, 9, Command::Pay(3));
    store.append(&app.take_delta().unwrap()).unwrap();
    let refused = store.snapshot(image).unwrap_err();
    assert!(matches!(refused, StoreError::OutOfStep { image: 2, journal: 3 }), "{refused}");
    store.snapshot(Image::of(&app)).unwrap();
    let snapshot = text_of(Image::of(&app), 3, store.ledger.mark());
    let (entries, image) = read_books(snapshot.text().as_bytes()).unwrap();
    assert_eq!((entries, image), (3, Some(books(&app).image().json())));
}
