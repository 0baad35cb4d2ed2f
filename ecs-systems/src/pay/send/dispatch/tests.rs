//! Row 31.

use super::*;
use crate::{
    components::{AttemptFacts, Claimed, Total},
    fixture::{
        self, AMOUNT, BUDGET, Bench, Ran, child, claim, here, made_up, payment, plan_of,
        reservation,
    },
};
use payecs_planner::Plan;
use payecs_units::{Blocks, ShortChannelId};

fn attempt() -> AttemptFacts {
    let delay_left_blocks = Blocks(2_016);
    AttemptFacts { n: 1, fee_left_msat: BUDGET, delay_left_blocks, parts_left: 16 }
}

fn planned(plan: Plan, remaining: Msat) -> Write {
    here()
        .attach(&Planned::new(plan))
        .attach(&Remaining(remaining))
        .attach(&Reservation(reservation()))
        .attach(&Claimed(claim()))
        .attach(&Attempt(attempt()))
        .attach(&PlanningEntity(child()))
}

/// Two routes that deliver half each.
fn two_halves() -> Plan {
    let mut plan = plan_of(Msat(AMOUNT.0 / 2));
    plan.routes.push(plan.routes[0].clone());
    plan
}

fn ran(mut bench: Bench, write: Write) -> (Bench, Ran) {
    let ran = bench.run(&DISPATCH, write);
    (bench, ran)
}

fn assert_round_over(why: &str, bench: &Bench) {
    for name in ["lightningd:plan", "lightningd:attempt", "lightningd:planning-entity"] {
        assert!(bench.app.component(payment(), name).is_none(), "{why}: {name} is still there");
    }
}

fn assert_dropped(why: &str, bench: &Bench, ran: &Ran) {
    assert!(ran.matched && ran.refusal.is_none(), "{why}");
    assert_round_over(why, bench);
    let over = ["attempt", "plan", "planning-entity", "reservation"];
    assert!(ran.names().iter().all(|name| over.contains(name)), "{why}: nothing else changes");
    assert_eq!(bench.app.get::<Reservation>(payment()).unwrap().0.rounds, 1, "{why}");
    assert!(bench.app.get::<PartsOpen>(payment()).is_none(), "{why}");
    assert!(ran.entries.is_empty() && ran.effects.is_empty(), "{why}");
    assert_eq!(bench.app.entities(), [payment()], "{why}: no part");
}

#[test]
fn while_nothing_new_is_taken_on_no_plan_becomes_parts() {
    for intake in fixture::closed() {
        let (bench, ran) = ran(Bench::new().intake(intake), planned(two_halves(), AMOUNT));
        assert_eq!((ran.code(), ran.names()), (Some(INTAKE_CLOSED), vec!["failing"]));
        assert!(ran.entries.is_empty() && bench.app.entities() == [payment()], "{intake:?}");
    }
}

#[test]
fn a_sound_plan_becomes_parts_in_one_record() {
    let (mut bench, ran) = ran(Bench::new(), planned(two_halves(), AMOUNT));
    assert_round_over("sent", &bench);
    assert!(ran.detached("remaining"), "nothing remains");
    assert_eq!(ran.attached("status"), Some("\"sending\""));
    let (half, fee) = (Msat(AMOUNT.0 / 2), two_halves().routes[0].fee());
    let PartsOpen(open) = bench.app.get::<PartsOpen>(payment()).unwrap();
    let numbered: Vec<_> = open.iter().map(|part| (part.entity, part.part_id)).collect();
    assert_eq!(numbered, [(child(), PartId(2)), (child().next(), PartId(3))]);
    assert!(open.iter().all(|part| part.amount_msat == half && part.fee_msat == fee));
    let Reservation(facts) = bench.app.get::<Reservation>(payment()).unwrap();
    assert_eq!((facts.rounds, facts.next_part), (1, PartId(4)));
    let hold = |part_id| PartHold {
        part_id,
        short_channel_id: ShortChannelId(10),
        amount_msat: half,
        fee_msat: fee,
    };
    let parts = vec![hold(PartId(2)), hold(PartId(3))];
    let payment_ref = claim().claim.payment;
    assert_eq!(ran.entries, [LedgerEntry::Dispatch { payment: payment_ref, parts }]);
    assert!(ran.effects.is_empty(), "HTLCs leave from their own Entities");
    let woken = bench.woken();
    assert!(woken.contains(&child()) && woken.contains(&child().next()));
}

#[test]
fn a_part_knows_its_key_way_and_total() {
    for (total, expected) in [(None, AMOUNT), (Some(Total(Msat(300_000))), Msat(300_000))] {
        let write = planned(plan_of(AMOUNT), AMOUNT).attach_some(total.as_ref());
        let (bench, ran) = ran(Bench::new(), write);
        let Part(part) = bench.app.get::<Part>(child()).unwrap();
        assert_eq!(part.total_msat, expected);
        assert_eq!(part.route, plan_of(AMOUNT).routes[0]);
        assert_eq!((part.key.payment_hash, part.key.part_id), (claim().payment_hash(), PartId(2)));
        assert_eq!(part.height, fixture::node().height);
        assert_eq!(ran.names_on(child()), ["amount", "parent", "part", "systems"]);
        assert!(bench.app.is_frozen(child()), "from birth");
    }
}

#[test]
fn a_plan_for_less_leaves_the_rest_and_open_parts_stay() {
    let open = fixture::open_part();
    let write = planned(plan_of(Msat(40_000)), AMOUNT).attach(&PartsOpen(vec![open]));
    let (bench, ran) = ran(Bench::new(), write);
    assert_eq!(ran.attached("remaining"), Some("\"60000msat\""));
    let PartsOpen(parts) = bench.app.get::<PartsOpen>(payment()).unwrap();
    assert_eq!((parts.len(), parts[0]), (2, open));
}

#[test]
fn a_plan_that_is_unsound_is_dropped_and_counts_as_a_round() {
    let changed = |change: fn(&mut Plan)| {
        let mut plan = plan_of(AMOUNT);
        change(&mut plan);
        plan
    };
    for (why, plan) in [
        ("no route", changed(|plan| plan.routes.clear())),
        ("no hop", changed(|plan| plan.routes[0].hops.clear())),
        ("twice the amount", changed(|plan| plan.routes.push(plan.routes[0].clone()))),
        (
            "overflow",
            changed(|plan| {
                plan.routes[0].hops[1].amount_msat = Msat(u64::MAX);
                plan.routes.push(plan.routes[0].clone());
            }),
        ),
        (
            "nothing",
            changed(|plan| {
                plan.routes[0].hops.iter_mut().for_each(|hop| hop.amount_msat = Msat::ZERO);
            }),
        ),
        ("fee too low", changed(|plan| plan.routes[0].hops[0].amount_msat = AMOUNT)),
        ("fee too high", changed(|plan| plan.routes[0].hops[0].amount_msat = Msat(105_001))),
        ("last expiry", changed(|plan| plan.routes[0].hops[1].cltv_blocks = Blocks(19))),
        ("first expiry", changed(|plan| plan.routes[0].hops[0].cltv_blocks = Blocks(59))),
        ("too long", changed(|plan| plan.routes[0].hops[0].cltv_blocks = Blocks(2_017))),
        ("wrong end", changed(|plan| plan.routes[0].hops[1].to = made_up(0x44))),
        ("broken", changed(|plan| plan.routes[0].hops[1].from = made_up(0x44))),
        (
            "no such channel",
            changed(|plan| {
                plan.routes[0].hops[1].short_channel_id_dir.scid = ShortChannelId(999);
            }),
        ),
        (
            "not our channel",
            changed(|plan| {
                plan.routes[0].hops[0].short_channel_id_dir.scid = ShortChannelId(20);
            }),
        ),
    ] {
        let (bench, ran) = ran(Bench::new(), planned(plan, AMOUNT));
        assert_dropped(why, &bench, &ran);
    }
}

#[test]
fn a_plan_that_the_world_has_overtaken_is_dropped() {
    let plan = || planned(plan_of(AMOUNT), AMOUNT);
    let narrowed = |facts: AttemptFacts| plan().attach(&Attempt(facts));
    let with_node = |change: fn(&mut NodeView)| Bench::new().node(change);
    let closed = |node: &mut NodeView| node.channels.clear();
    let unusable = |node: &mut NodeView| node.channels[0].usable = false;
    let poor = |node: &mut NodeView| node.channels[0].spendable_msat = Msat(AMOUNT.0);
    let full = |node: &mut NodeView| node.channels[0].free_slots = 0;
    let mut other_graph = Bench::new();
    other_graph.app.insert_resource(GraphView(std::sync::Arc::new(Graph::default())));
    let exclude = payecs_planner::Exclusion::Node(fixture::HUB);
    let excluded = plan().attach(&crate::components::Exclude(vec![exclude]));
    let rows = vec![
        ("less remains", Bench::new(), plan().attach(&Remaining(Msat(AMOUNT.0 - 1)))),
        ("no attempt", Bench::new(), plan().detach::<Attempt>()),
        (
            "fees spent",
            Bench::new(),
            narrowed(AttemptFacts { fee_left_msat: Msat(1), ..attempt() }),
        ),
        ("no part left", Bench::new(), narrowed(AttemptFacts { parts_left: 0, ..attempt() })),
        ("channel closed", with_node(closed), plan()),
        ("peer gone", with_node(unusable), plan()),
        ("spent elsewhere", with_node(poor), plan()),
        ("no slot", with_node(full), plan()),
        ("graph changed", other_graph, plan()),
        ("excluded since", Bench::new(), excluded),
    ];
    for (why, bench, write) in rows {
        let (bench, ran) = ran(bench, write);
        assert_dropped(why, &bench, &ran);
    }
}

#[test]
fn dropping_the_last_round_fails_the_payment() {
    for (rounds, code) in [(1, None), (2, Some(PAY_UNSPECIFIED_ERROR))] {
        let bench = Bench::new().policy(|policy| policy.rounds_max = 3);
        let facts = ReservationFacts { rounds, ..reservation() };
        let unsound = Plan { routes: Vec::new(), ..plan_of(AMOUNT) };
        let (_, ran) = ran(bench, planned(unsound, AMOUNT).attach(&Reservation(facts)));
        assert_eq!(ran.code(), code, "{rounds}");
    }
    let bench = Bench::new().policy(|policy| policy.rounds_max = 1);
    let (_, ran) = ran(bench, planned(plan_of(AMOUNT), AMOUNT));
    assert_eq!(ran.code(), None, "a sound plan of the last round is sent");
}

#[test]
fn what_the_books_refuse_sends_no_part() {
    let error = crate::port::LedgerError::Invariant { what: "no reservation".to_owned() };
    let (bench, ran) = ran(Bench::new().refusing(error), planned(plan_of(AMOUNT), AMOUNT));
    assert_eq!((ran.code(), ran.names()), (Some(2320), vec!["failing"]));
    assert_eq!(bench.app.entities(), [payment()]);
}
