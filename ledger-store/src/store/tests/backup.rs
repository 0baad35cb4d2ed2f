//! Copies of a store that goes on.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_copy_at_any_moment_opens_to_what_was_durable_then(actions in vec(action(), 1..60)) {
        let disk = MemoryDisk::new();
        let (mut store, mut app, _) = open(&disk).expect("an empty disk");
        let mut states = vec![state(&app)];
        for (at_ms, action) in (1_000..).step_by(1_000).zip(actions) {
            match action {
                Action::Run(command) => {
                    run(&mut app, at_ms, command);
                    if let Some(delta) = app.take_delta() {
                        store.append(&delta).expect("room");
                        states.push(state(&app));
                    }
                }
                Action::Write => {
                    store.write().expect("room");
                }
                Action::Sync => {
                    store.sync().expect("room");
                }
                Action::Snapshot => store.snapshot(Image::of(&app)).expect("room"),
                Action::Kill | Action::PowerLoss(_) => {
                    let to = MemoryDisk::new();
                    let Seq(last) = copy(&disk, &to, &mut |_| {}).expect("it can be read");
                    prop_assert_eq!(last, store.kept().synced);
                    let (copied, other, restored) = open(&to).expect("a copy is whole");
                    prop_assert_eq!(Some(&state(&other)), states.get(usize::try_from(last)?));
                    prop_assert!(restored.torn.is_empty() && restored.skipped.is_empty());
                    let head = copied.head();
                    prop_assert_eq!(head.count, books(&other).image().entries());
                    let begins = payecs_journal::verify(&disk, &[head], &mut |_| {});
                    prop_assert!(begins.is_ok(), "{begins:?}");
                }
            }
        }
    }
}

#[test]
fn books_that_were_noted_as_a_backup_say_so_at_every_start() {
    let disk = MemoryDisk::new();
    let (store, mut app) = three(&disk);
    let head = store.head();
    drop(store);
    let to = MemoryDisk::new();
    copy(&disk, &to, &mut |_| {}).unwrap();
    let (mut store, mut other, _) = open(&to).unwrap();
    assert!(store.head() == head && !books(&other).is_backup());
    store.note_backup(&mut other).unwrap();
    store.snapshot(Image::of(&other)).unwrap();
    store.close().unwrap();
    for with_snapshot in [true, false] {
        let (_, other, _) = open(&to).unwrap();
        assert!(books(&other).is_backup());
        let snapshots: Vec<String> =
            to.files().into_iter().filter(|name| name.ends_with(".snapshot")).collect();
        assert_eq!(snapshots.is_empty(), !with_snapshot);
        for name in snapshots {
            to.remove(&name).unwrap();
        }
    }
    payecs_journal::verify(&to, &[head], &mut |_| {}).unwrap();
    run(&mut app, 9, Command::Pay(3));
    assert!(!books(&app).is_backup(), "the one that was copied goes on");
}
