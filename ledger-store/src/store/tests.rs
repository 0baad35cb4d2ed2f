use super::*;
use crate::{MemoryLedger, MemoryReceipts};
use ecs_core::{
    EntityId, Inputs, On, Step, Systems, Write, Writer, bevy_ecs::prelude::Res, system,
};
use ecs_systems::{
    port::{Books, LedgerEntry, Posting, ReceiptsBook},
    records::{RecordEntry, keep},
    units::{Msat, ShortChannelId},
};
use payecs_journal::{Faults, LogId, MemoryDisk, Operation};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

/// An engine with books, and a System that writes into them: a channel for each moment.
fn engine() -> Engine {
    let mut app = Engine::new();
    app.insert_resource(Books(Box::new(MemoryLedger::new("sim"))));
    app.insert_resource(ReceiptsBook(Box::new(MemoryReceipts::default())));
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

fn postings(app: &Engine) -> Vec<Posting> {
    app.resource::<Books>().expect("inserted").0.postings(0, u32::MAX)
}

/// Everything that a restart must bring back: all but the moment of a command that changed nothing.
fn state(app: &Engine) -> (BTreeMap<String, Json>, Vec<Posting>) {
    let mut fields = Json::of(&app.snapshot()).fields().expect("an object");
    fields.remove("now_ms").expect("the moment");
    (fields, postings(app))
}

fn options() -> Options {
    Options { segment_bytes: 2_000, reserve_bytes: 0, ..Options::new(LogId([7; 16])) }
}

fn open(disk: &MemoryDisk) -> Result<(Store, Engine, Restored), StoreError> {
    let mut app = engine();
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
}

fn run(app: &mut Engine, at_ms: u64, command: Command) {
    app.begin(Inputs { now_ms: at_ms, ..Inputs::default() });
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
    ) {
        let disk = MemoryDisk::new();
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
            prop_assert_eq!(store.head().count, postings(&app).len() as u64);
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
fn after_a_snapshot_the_books_come_from_the_ledger_alone() {
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
    assert_eq!(steps, [RestoreStep::Snapshot, RestoreStep::Entries { done: 2, of: 2 }]);
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
fn an_engine_without_the_plugin_is_refused_by_the_name_of_the_record() {
    let disk = MemoryDisk::new();
    drop(three(&disk));
    let mut bare = Engine::new();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let refused = Store::open(&disk, options(), &mut bare, &mut |_| {}).unwrap_err();
    assert!(matches!(&refused, StoreError::Unfit { what, .. } if what == "record 1"), "{refused}");
}
