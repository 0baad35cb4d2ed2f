//! The rules of serving against a model: any order of coming, leaving, opening and closing.

use super::*;
use proptest::prelude::*;

const SYSTEMS: [&str; 3] = ["acme:a", "acme:b", "acme:c"];

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    Enters(Vec<usize>, u32),
    Leaves(usize, bool),
    Opens(usize),
    Closes(usize),
    TimesOut(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let systems = proptest::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop_oneof![
        2 => (systems, 1..4_u32).prop_map(|(systems, room)| Event::Enters(systems, room)),
        2 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(at, takes)| Event::Leaves(at.index(64), takes)),
        6 => (0..3_usize).prop_map(Event::Opens),
        3 => any::<prop::sample::Index>().prop_map(|at| Event::Closes(at.index(64))),
        1 => any::<prop::sample::Index>().prop_map(|at| Event::TimesOut(at.index(64))),
    ]
}

fn names(systems: &[usize]) -> Vec<String> {
    systems.iter().map(|at| SYSTEMS[*at].to_owned()).collect()
}

/// Every invocation is in the hands of one server that serves it, or idle, which it is only where
/// none that serves it has room.
fn judge(servers: &Servers) {
    let mut seen = BTreeMap::new();
    for (id, server) in &servers.all {
        assert!(server.has.len() <= server.at_once, "{id:?} has too much");
        for number in &server.has {
            assert_eq!(seen.insert(*number, *id), None, "{number} is in two hands");
            assert!(server.systems.contains(&servers.open[number].system));
        }
    }
    for (number, open) in &servers.open {
        let idle = servers.idle.get(&open.system).is_some_and(|idle| idle.contains(number));
        let held = seen.get(number).copied();
        match open.holder {
            Holder::Server(id) => assert_eq!((held, idle), (Some(id), false)),
            Holder::Away => assert_eq!((held, idle), (None, false)),
            Holder::Nobody => {
                assert_eq!((held, idle), (None, true), "{number} is lost");
                let all = servers.by_system.get(&open.system).into_iter().flatten();
                let room = all.filter(|id| servers.all[id].has_room()).count();
                assert_eq!(room, 0, "{number} waits though somebody has room");
            }
        }
    }
    let idle: usize = servers.idle.values().map(BTreeSet::len).sum();
    let nobodys = servers.open.values().filter(|open| open.holder == Holder::Nobody).count();
    assert_eq!(idle, nobodys, "what is over is not idle");
}

proptest! {
    #[test]
    fn every_invocation_is_in_one_hand_or_waits_for_room(
        events in prop::collection::vec(event(), 1..200),
    ) {
        let (mut servers, mut next) = (Servers::default(), 1);
        let pick = |at: usize, len: usize| (len > 0).then(|| at % len);
        for event in events {
            match event {
                Event::Enters(systems, room) => {
                    let (id, _) = servers.enter((&names(&systems), room), None);
                    servers.is_told(id);
                }
                Event::Leaves(at, takes) => {
                    let Some(at) = pick(at, servers.all.len()) else { continue };
                    let id = *servers.all.keys().nth(at).unwrap();
                    let has: Vec<u64> = servers.all[&id].has.iter().copied().collect();
                    servers.leave(id, if takes { &has } else { &[] });
                }
                Event::Opens(system) => {
                    let entity = EntityId::FIRST;
                    servers.open(next, Open::first(entity, SYSTEMS[system]));
                    next += 1;
                }
                Event::Closes(at) => {
                    let Some(at) = pick(at, servers.open.len()) else { continue };
                    let number = *servers.open.keys().nth(at).unwrap();
                    prop_assert!(servers.close(number).is_some());
                    prop_assert!(servers.close(number).is_none(), "it is over once");
                }
                Event::TimesOut(at) => {
                    let Some(at) = pick(at, servers.open.len()) else { continue };
                    let number = *servers.open.keys().nth(at).unwrap();
                    let other = servers.has_another(&servers.open[&number]);
                    let open = servers.close(number).unwrap();
                    let holder = open.holder;
                    if other {
                        servers.open(next, open.again());
                        let now = servers.open[&next].holder;
                        prop_assert!(now != holder && now != Holder::Nobody, "another has it");
                        next += 1;
                    }
                }
            }
            judge(&servers);
        }
        for (server, number, _) in servers.take_given() {
            prop_assert!(servers.holds(server, number));
        }
        prop_assert!(servers.take_given().is_empty(), "each is told once");
    }
}

#[test]
fn servers_take_turns_and_none_is_passed_over() {
    let mut servers = Servers::default();
    let all = [(); 3].map(|()| servers.enter((&names(&[0]), 100), None).0);
    for number in 1..=30 {
        servers.open(number, Open::first(EntityId::FIRST, SYSTEMS[0]));
    }
    let counts = all.map(|id| servers.all[&id].has.len());
    assert_eq!(counts, [10, 10, 10]);
    servers.leave(all[0], &[]);
    assert_eq!(servers.all[&all[1]].has.len(), 15, "what it had is shared");
}
