//! The rules of serving against a model: any order of coming, leaving, opening and closing.

use super::*;
use proptest::prelude::*;

const SYSTEMS: [&str; 3] = ["acme:a", "acme:b", "acme:c"];

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    Enters(Vec<usize>, u32, usize),
    Leaves(usize, bool),
    Opens(usize),
    Closes(usize),
    TimesOut(usize),
    /// That System is that token's now.
    Given(usize, usize),
}

/// Who serves: one who may serve all, and two tokens.
fn caller(at: usize) -> Caller {
    let owner = Caller::owner();
    let token = |name: &str| Caller { token: Some(name.into()), ..Caller::with([Scope::Flow]) };
    [owner, token("one"), token("two")][at].clone()
}

fn event() -> impl Strategy<Value = Event> {
    let systems = proptest::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop_oneof![
        2 => (systems, 1..4_u32, 0..3_usize)
            .prop_map(|(systems, room, by)| Event::Enters(systems, room, by)),
        2 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(at, takes)| Event::Leaves(at.index(64), takes)),
        6 => (0..3_usize).prop_map(Event::Opens),
        3 => any::<prop::sample::Index>().prop_map(|at| Event::Closes(at.index(64))),
        1 => any::<prop::sample::Index>().prop_map(|at| Event::TimesOut(at.index(64))),
        1 => (0..3_usize, 1..3_usize).prop_map(|(system, to)| Event::Given(system, to)),
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

/// A System is another token's: what its servers lose begins anew, under the numbers from `next`
/// on. Answers the number after those.
fn give_away(servers: &mut Servers, name: &str, to: &Caller, next: u64) -> u64 {
    let token = to.token.as_ref();
    servers.hand_over(name, token);
    let stays = |open: &Open| match open.holder {
        Holder::Server(id) => servers.all[&id].systems.contains(name),
        Holder::Nobody | Holder::Away => false,
    };
    let of_it = servers.open.iter().filter(|(_, open)| *open.system == *name);
    let anew = of_it.filter(|(_, open)| !stays(open)).map(|(number, _)| *number);
    let anew: Vec<u64> = anew.collect();
    let after = next + anew.len() as u64;
    for (old, new) in anew.into_iter().zip(next..) {
        servers.close(old);
        servers.open(new, Open::first(EntityId::FIRST, name));
    }
    for id in servers.by_system.get(name).into_iter().flatten() {
        let server = &servers.all[id];
        assert!(server.serves_all || server.token.as_ref() == token, "it may not");
    }
    after
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
                Event::Enters(systems, room, by) => {
                    let (id, _) = servers.enter((&names(&systems), room), &caller(by));
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
                Event::Given(system, to) => {
                    next = give_away(&mut servers, SYSTEMS[system], &caller(to), next);
                }
            }
            judge(&servers);
        }
        for id in servers.take_dismissed() {
            prop_assert!(servers.all[&id].systems.is_empty() && servers.all[&id].has.is_empty());
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
    let all = [(); 3].map(|()| servers.enter((&names(&[0]), 100), &Caller::owner()).0);
    for number in 1..=30 {
        servers.open(number, Open::first(EntityId::FIRST, SYSTEMS[0]));
    }
    let counts = all.map(|id| servers.all[&id].has.len());
    assert_eq!(counts, [10, 10, 10]);
    servers.leave(all[0], &[]);
    assert_eq!(servers.all[&all[1]].has.len(), 15, "what it had is shared");
}
