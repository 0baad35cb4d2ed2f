//! What changed, as data.

use crate::common::{Deep, at, call, engine, entity, json};
use ecs_core::{Change, Delta, Engine, Json, On, Snapshot, Step, Systems, Write, Writer, system};

fn with_systems() -> Engine {
    let mut app = engine();
    app.add_payment_system(
        system("acme:nap").requires(["acme:go"]).disallows(["acme:napped"]),
        |_: On| Ok(Step::advance().attach_json("acme:napped", Json::yes())),
    )
    .expect("a new name");
    app.add_payment_system(
        system("acme:panic").requires(["acme:panic"]),
        |_: On| -> ecs_core::Answer { panic!("for the test") },
    )
    .expect("a new name");
    app
}

/// Runs a command on an engine that records, and the same changes on another.
fn followed(commands: &[&dyn Fn(&mut Engine)]) -> (Engine, Engine) {
    let (mut app, mut follower) = (with_systems(), with_systems());
    app.record_changes(true);
    for (number, command) in (1..).zip(commands) {
        app.begin(at(number * 1_000));
        command(&mut app);
        if let Some(delta) = app.take_delta() {
            follower.apply_delta(&delta).expect("a delta of the same engine");
        }
        assert_eq!(follower.snapshot(), app.snapshot(), "after command {number}");
    }
    follower.finish_restore();
    (app, follower)
}

/// What a System makes of what a caller gave may be deeper than callers may write.
#[test]
fn what_the_engine_has_written_it_takes_back_however_deep() {
    let deep = json(&("[".repeat(64) + &"]".repeat(64)));
    let mut app = engine();
    app.begin(at(1_000));
    let entity = entity(&mut app, &[], &["acme:go"]);
    let before = app.snapshot();
    app.record_changes(true);
    let deeper = Deep(Json::array([deep]));
    app.set_components(&Writer::Engine, &[Write::to(entity).attach(&deeper)], &[]).unwrap();
    let written = Json::of(&app.take_delta().expect("it was noted"));
    let kept = Json::of(&app.snapshot());
    let mut follower = engine();
    follower.restore(&before).unwrap();
    follower.apply_delta(&written.decode().unwrap()).unwrap();
    assert_eq!(follower.snapshot(), app.snapshot());
    let mut restored = engine();
    restored.restore(&kept.decode().unwrap()).unwrap();
    assert_eq!(restored.snapshot(), app.snapshot());
}

#[test]
fn everything_a_command_leaves_is_in_its_delta() {
    let register = r#"{"system":"acme:out","required":["acme:napped"],"timeout":7}"#;
    let (mut app, mut follower) = followed(&[
        &|app| {
            call(app, "payecs_newsystem", register).unwrap();
        },
        &|app| {
            entity(app, &["acme:nap", "acme:out"], &["acme:go"]);
        },
        &|app| app.advance(crate::common::id(1), None).unwrap(),
        &|app| {
            entity(app, &["acme:panic"], &["acme:panic"]);
        },
        &|app| app.advance(crate::common::id(2), None).unwrap(),
        &|app| {
            app.new_entity();
        },
        &|app| {
            let write = Write::to(crate::common::id(2))
                .attach_json("lightningd:wake_at", json(r#""1970-01-01T00:01:00Z""#));
            app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        },
        &|app| {
            let end = [Write::end(crate::common::id(2))];
            app.set_components(&Writer::Caller, &end, &[]).unwrap();
        },
        &|app| {
            // The same number again, in one command with its end.
            let two = crate::common::id(2);
            let write = Write::to(two).attach_json("acme:again", json("1"));
            app.set_components(&Writer::Caller, std::slice::from_ref(&write), &[]).unwrap();
            app.set_components(&Writer::Caller, &[Write::end(two)], &[]).unwrap();
            app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        },
        &|app| {
            let over = entity(app, &["acme:nap"], &["acme:go"]);
            assert_eq!((over, app.ended_ms(over)), (crate::common::id(4), None));
            let end = Write::to(over).detach_name("lightningd:systems");
            app.set_components(&Writer::Engine, &[end], &[]).unwrap();
            assert_eq!(app.ended_ms(over), Some(10_000));
        },
        &|app| app.collect([crate::common::id(4), crate::common::id(99)]),
    ]);
    assert!(!app.entities().contains(&crate::common::id(4)));
    let out = crate::common::id(1);
    assert_eq!(follower.invocation(out), app.invocation(out));
    assert!(follower.invocation(out).is_some());
    assert_eq!(follower.new_entity(), app.new_entity());
    follower.advance(out, Some(1)).unwrap();
}

#[test]
fn an_entity_that_is_taken_away_is_one_change_unless_something_is_written_behind() {
    let end = Write::end(crate::common::id(1));
    let again = end.clone().attach_json("acme:again", Json::yes());
    let mut ended = Vec::new();
    for writes in [vec![end.clone()], vec![again.clone()], vec![end.clone(), again], vec![end; 2]] {
        let (mut app, mut follower) = followed(&[&|app| {
            entity(app, &["acme:nap"], &["acme:go", "acme:x"]);
        }]);
        app.set_components(&Writer::Engine, &writes, &[]).unwrap();
        let delta = app.take_delta().expect("everything went");
        follower.apply_delta(&delta).unwrap();
        assert_eq!(follower.snapshot(), app.snapshot());
        let is_end = |change: &&Change| matches!(change, Change::Ended(_));
        ended.push((delta.changes.len(), delta.changes.iter().filter(is_end).count()));
        assert_eq!(app.trace(crate::common::id(1)), [], "nothing has run");
    }
    let [alone, again, both, twice] = ended[..] else { unreachable!("one for each") };
    assert_eq!((alone, again.1, both.1, twice), ((1, 1), 0, 0, (4, 1)));
}

#[test]
fn a_command_that_changes_nothing_leaves_no_delta() {
    let mut app = with_systems();
    assert_eq!(app.take_delta(), None, "nothing is recorded yet");
    app.record_changes(true);
    let id = entity(&mut app, &["acme:nap"], &[]);
    assert!(app.take_delta().is_some());
    call(&mut app, "payecs_listentities", "[]").unwrap();
    let refused = Write::to(id).attach_json("acme:x", json("1")).attach_json("", json("1"));
    app.set_components(&Writer::Caller, &[refused], &[]).unwrap_err();
    assert_eq!(app.take_delta(), None);
    let same = Write::to(id).attach_json("acme:x", json("1"));
    app.set_components(&Writer::Caller, &[same], &[]).unwrap();
    let delta = app.take_delta().unwrap();
    let component = Change::Component(id, "acme:x".into(), Some(json("1")));
    let given = Change::Given(id, false, vec!["acme:x".into()]);
    assert_eq!(delta.changes, [component, given], "callers gave it once more");
}

/// However much callers gave before, a write is recorded with what it writes, once.
#[test]
fn what_was_given_is_said_by_its_name_and_read_from_older_records() {
    let mut app = with_systems();
    app.record_changes(true);
    let mut follower = with_systems();
    follower.restore(&app.snapshot()).unwrap();
    let id = app.new_entity();
    let value = json(&format!("\"{}\"", "x".repeat(10_000)));
    for (name, exact) in
        [("acme:x", false), ("acme:y", false), ("acme:nap", false), ("acme:z", true)]
    {
        let write = Write { exact, ..Write::to(id).attach_json(name, value.clone()) };
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        let delta = app.take_delta().unwrap();
        let text = serde_json::to_string(&delta).unwrap();
        assert!((10_000..11_000).contains(&text.len()), "{}", text.len());
        follower.apply_delta(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(follower.snapshot(), app.snapshot(), "{name}");
    }
    let without = Write::to(id).detach_name("acme:z").attach_json("acme:x", json("1"));
    app.set_components(&Writer::Caller, &[without], &[]).unwrap();
    let delta = app.take_delta().unwrap();
    follower.apply_delta(&delta).unwrap();
    assert_eq!(follower.snapshot(), app.snapshot());
    let older = serde_json::to_string(&delta).unwrap();
    let (before, after) = older.split_once(r#"{"given":"#).expect("it was given");
    let after = after.split_once("]}").expect("an array of names").1;
    let notes = r#"{"life":[1,{"born_ms":7,"steps":0,"given":{"acme:old":[1]}}]}"#;
    let delta = serde_json::from_str(&format!("{before}{notes}{after}")).unwrap();
    follower.apply_delta(&delta).unwrap();
    let snapshot = serde_json::to_string(&follower.snapshot()).unwrap();
    assert!(snapshot.contains(r#""given":{"acme:old":[1]}"#), "{snapshot}");
}

/// A long list is said once after each snapshot, whoever has it; replaying from any snapshot on
/// gives the same state.
#[test]
fn a_list_that_many_have_is_said_once() {
    let long = Systems::listing((0..20).map(|number| format!("acme:long{number}")));
    let other = Systems::listing((0..20).map(|number| format!("acme:other{number}")));
    let mut app = with_systems();
    app.record_changes(true);
    let (mut snapshots, mut deltas) = (vec![(app.snapshot(), 0)], Vec::new());
    for number in 0..9 {
        let list = if number % 3 == 2 { &other } else { &long };
        let write = Write::to(app.new_entity()).attach(list);
        app.set_components(&Writer::Caller, &[write], &[]).unwrap();
        deltas.push(app.take_delta().expect("a list was attached"));
        if number == 4 {
            snapshots.push((app.snapshot(), deltas.len()));
        }
    }
    let named = |change: &&Change| matches!(change, Change::Value(..));
    let count = |delta: &Delta| delta.changes.iter().filter(named).count();
    let said: Vec<usize> = deltas.iter().map(count).collect();
    assert_eq!(said, [1, 0, 1, 0, 0, 1, 1, 0, 0], "again behind the second snapshot");
    assert_eq!(app.snapshot().values.len(), 2);
    for (snapshot, at) in &snapshots {
        let mut follower = with_systems();
        let written: Snapshot = Json::of(snapshot).decode().unwrap();
        follower.restore(&written).unwrap();
        for delta in &deltas[*at..] {
            let written: Delta = Json::of(delta).decode().unwrap();
            follower.apply_delta(&written).unwrap();
        }
        assert_eq!(follower.snapshot(), app.snapshot());
    }
    let mut stranger = with_systems();
    let refused = stranger.apply_delta(&deltas[3]).unwrap_err();
    assert!(refused.to_string().contains("value 0 is attached"), "{refused}");
}
