use super::{
    json::Lines,
    show::{Teller, tell},
    story::{Beat, Fired, Part, PartState, Phase, Role},
    text::Text,
    world::World,
    *,
};
use anstream::StripStream;
use ecs_core::{EntityId, Json};
use ecs_systems::{
    effects::{PartEnded, PartStarted},
    planner::Route,
    port::{Failure, FailureCode, Node, PartKey},
    units::{Blocks, GroupId, PartId, PaymentHash, Timestamp},
};
use node_sim::{SimBuilder, policy};
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// alice (us), bob and carol in a row, and the way from end to end.
fn world() -> (World, Route) {
    let (size, half) = (Msat(1_000_000_000), Msat(500_000_000));
    let network = SimBuilder::new(1)
        .node("alice")
        .node("bob")
        .node("carol")
        .channel("alice", "bob", size, half, policy(0, 0), policy(0, 0))
        .channel("bob", "carol", size, half, policy(1_000, 10), policy(0, 0))
        .us("alice")
        .build()
        .unwrap();
    let carol = network.id("carol").unwrap();
    let route = network.route(network.us(), carol, Msat(100_000), Blocks(20), NOW).unwrap();
    let graph = network.connect(NOW).graph();
    (World { network, graph, seed: 1, file: None }, route)
}

fn fired(role: Role, system: &str) -> Beat {
    let matched = BTreeMap::from([
        ("lightningd:amount".to_owned(), Json::of(&Msat(7))),
        ("lightningd:plan".to_owned(), Json::of(&"x".repeat(100))),
    ]);
    let entity = EntityId::new(12).unwrap();
    let (phase, system) = (Phase::of(system), system.to_owned());
    Beat::Fired(Fired { entity, role, phase, system, invocation: None, matched })
}

/// A part that leaves, one that comes back, one that arrives.
fn parts(route: &Route) -> [Beat; 3] {
    let entity = EntityId::FIRST;
    let key =
        PartKey { payment_hash: PaymentHash([1; 32]), group_id: GroupId(5), part_id: PartId(1) };
    let started = PartStarted {
        entity,
        key,
        total_payment_msat: route.amount(),
        attempt_msat: route.amount(),
        fee_msat: route.fee(),
        hops: 2,
    };
    let part = |state, failure: Option<Failure>| Part {
        id: key.part_id,
        amount_msat: route.amount(),
        fee_msat: route.fee(),
        route: route.clone(),
        state,
        failure,
    };
    let ended = |status: &str, failure: Option<Failure>| PartEnded {
        entity,
        key,
        status: status.to_owned(),
        failure,
    };
    let failure = Failure {
        erring_index: Some(1),
        ..Failure::local(None, FailureCode::TemporaryChannelFailure)
    };
    [
        Beat::PartStarted { started, route: route.clone() },
        Beat::PartEnded {
            part: Box::new(part(PartState::Failed, Some(failure.clone()))),
            ended: Box::new(ended("failure", Some(failure))),
        },
        Beat::PartEnded {
            part: Box::new(part(PartState::Paid, None)),
            ended: Box::new(ended("success", None)),
        },
    ]
}

fn as_text(trace: bool, beats: &[Beat], world: &World) -> String {
    let mut out = StripStream::new(Vec::new());
    let mut text = Text::new(&mut out, trace, false);
    for (beat, at_ms) in beats.iter().zip((0..).step_by(12_345)) {
        text.beat(world, at_ms, beat).unwrap();
    }
    drop(text);
    String::from_utf8(out.into_inner()).unwrap()
}

#[test]
fn systems_are_indented_under_their_payment_and_parts_say_where_they_went() {
    let (world, route) = world();
    let systems = [
        fired(Role::Payment, "lightningd:parse_invoice"),
        fired(Role::Plan, "lightningd:route"),
        fired(Role::Part, "lightningd:send_part"),
    ];
    let expected = "  \
  +0.000 s  decode   payment 12    lightningd:parse_invoice
 +12.345 s  plan       plan 12     lightningd:route
 +24.690 s  send       part 12     lightningd:send_part
";
    assert_eq!(as_text(false, &systems, &world).trim_start(), expected.trim_start());
    let expected = "
                                    ↗ no. 1 leaves: 100 sat, fee 1 001 msat, alice → bob → carol
                                    ✗ no. 1 came back: temporary_channel_failure at bob, on the \
                    channel 1001x1x0 to carol
                                    ✓ no. 1 arrived: 100 sat
";
    assert_eq!(as_text(false, &parts(&route), &world), expected.trim_start_matches('\n'));
}

#[test]
fn with_trace_each_system_is_followed_by_what_it_matched_cut_where_it_is_long() {
    let (world, _) = world();
    let shown = as_text(true, &[fired(Role::Payment, "lightningd:route")], &world);
    let lines: Vec<&str> = shown.lines().map(str::trim_start).collect();
    assert_eq!(lines[1], "lightningd:amount = 7");
    assert_eq!(lines[2], format!("lightningd:plan = \"{}…", "x".repeat(95)));
}

#[test]
fn each_json_line_is_an_object_that_names_its_event() {
    let (world, route) = world();
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out, true);
    lines.beat(&world, 7, &fired(Role::Plan, "lightningd:route")).unwrap();
    for beat in parts(&route) {
        lines.beat(&world, 8, &beat).unwrap();
    }
    lines.lost(3).unwrap();
    let out = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["system", "part_start", "part_end", "part_end", "lost"]);
    assert_eq!(lines[0]["components"]["lightningd:amount"], 7);
    assert_eq!((&lines[0]["role"], &lines[0]["phase"]), (&"plan".into(), &"plan".into()));
    assert_eq!(lines[1]["route"]["hops"].as_array().unwrap().len(), 2);
    assert_eq!((&lines[2]["status"], &lines[2]["partid"]), (&"failure".into(), &1.into()));
    assert_eq!(lines[2]["failure"]["failcode"], 0x1007);
    assert_eq!(lines[3]["attempt_msat"], 100_000);
}

#[test]
fn the_whole_demo_is_told_in_both_forms_from_one_run_each() {
    let args = Args {
        other: None,
        seed: Some(3),
        amount: Msat(5_000_000_000),
        nodes: Some(5),
        graph: None,
        balances: None,
        json: false,
        trace: false,
        speed: None,
        at_once: true,
        accept: super::accept::Accepting::default(),
        data_dir: None,
        load: None,
        count: None,
    };
    let mut out = StripStream::new(Vec::new());
    assert!(tell(&args, Pace::Virtual, &mut Text::new(&mut out, false, false)).unwrap());
    let text = String::from_utf8(out.into_inner()).unwrap();
    assert!(text.lines().all(|line| line.starts_with("lnbcrt") || line.chars().count() <= 120));
    let mut out = Vec::new();
    assert!(tell(&args, Pace::Virtual, &mut Lines::new(&mut out, false)).unwrap());
    let lines = String::from_utf8(out).unwrap();
    let systems = lines.lines().filter(|line| line.contains(r#""event":"system""#)).count();
    let told = text.lines().filter(|line| line.contains(" s  ")).count();
    assert_eq!(systems, told, "both tell of every System");
}
