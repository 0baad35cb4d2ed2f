use super::*;
use crate::{
    Faults, InvoiceRequest, Settings,
    fixture::{Desk, chain, place},
    policy,
};
use ecs_systems::{
    port::{Node, NodeEvent, NodeReply, NodeRequest, PartStatus, SendPart},
    units::{Preimage, Seconds},
};

const AMOUNT: Msat = Msat(10_000_000);
const ALWAYS: u32 = 1_000_000;

fn script(desk: &Desk, script: Script) {
    desk.network.script(script, desk.now).unwrap();
}

fn desk_of(faults: Faults) -> Desk {
    Desk::new(chain(Settings { faults, ..Settings::default() }).build().unwrap())
}

fn bob_to_carol(desk: &Desk) -> ChannelDirection {
    desk.network.direction(desk.id("bob"), desk.id("carol")).unwrap()
}

fn is_paid(desk: &Desk, part: &SendPart) -> bool {
    matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }])
}

#[test]
fn answers_of_a_slow_node_are_late_and_of_no_other() {
    let (mut scripted, late_ms) = (Desk::chain(), 7_000);
    script(&scripted, Script::Slow { node: scripted.id("bob"), by_ms: late_ms });
    let faults = Faults { late_ppm: ALWAYS, late_ms, ..Faults::default() };
    // bob passes on and passes back; by chance carol's answer is late too.
    for (mut desk, late) in [(scripted, 2), (desk_of(faults), 3)] {
        let part = desk.part("carol", AMOUNT);
        desk.send(&part);
        desk.run_ms(late_ms * late);
        assert!(desk.told(part.key).is_empty());
        desk.run_ms(1_000);
        assert!(is_paid(&desk, &part));
        desk.network.audit().unwrap();
    }
    scripted = Desk::chain();
    let node = scripted.id("bob");
    script(&scripted, Script::Slow { node, by_ms: late_ms });
    script(&scripted, Script::Slow { node, by_ms: 0 });
    let part = scripted.part("carol", AMOUNT);
    scripted.send(&part);
    scripted.run_ms(1_000);
    assert!(is_paid(&scripted, &part));
}

#[test]
fn a_lying_failure_brings_along_what_does_not_hold() {
    for (lie, brings) in [
        (Lie::Missing, None),
        (Lie::Old, Some(policy(1_000, 100))),
        (Lie::OtherChannel, Some(policy(3, 0))),
        (Lie::Forged, None),
        (Lie::Free, Some(Policy { cltv_delta: ecs_systems::units::Blocks(9), ..policy(0, 0) })),
    ] {
        let mut desk = Desk::chain();
        let (node, to_carol) = (desk.id("bob"), bob_to_carol(&desk));
        let back = desk.network.direction(node, desk.id("alice")).unwrap();
        desk.network.set_policy(back, policy(3, 0), true, desk.now).unwrap();
        let holds = Policy { cltv_delta: ecs_systems::units::Blocks(9), ..policy(5, 5) };
        desk.network.set_policy(to_carol, holds.clone(), false, desk.now).unwrap();
        for (failcode, update) in [
            (FailureCode::TemporaryNodeFailure, None),
            (FailureCode::TemporaryChannelFailure, brings),
            (FailureCode::TemporaryChannelFailure, Some(holds)),
        ] {
            if failcode == FailureCode::TemporaryNodeFailure {
                script(&desk, Script::LieNext { node, lie });
            }
            script(&desk, Script::FailNext { node, failcode });
            let part = desk.part("carol", AMOUNT);
            let failure = desk.failure(&part);
            assert_eq!((failure.failcode, failure.update), (failcode, update), "{lie:?}");
        }
        desk.network.audit().unwrap();
    }
}

#[test]
fn failures_lie_by_chance_in_every_way() {
    let mut desk = desk_of(Faults { lying_update_ppm: ALWAYS, ..Faults::default() });
    let node = desk.id("bob");
    let mut brought = Vec::new();
    for _ in 0..40 {
        script(&desk, Script::FailNext { node, failcode: FailureCode::ChannelDisabled });
        let part = desk.part("carol", AMOUNT);
        brought.push(desk.failure(&part).update);
    }
    for update in [None, Some(policy(1_000, 100)), Some(policy(0, 0))] {
        assert!(brought.contains(&update), "{update:?}");
    }
}

#[test]
fn a_fee_that_changes_under_way_is_met_before_gossip_has_it() {
    let mut desk = Desk::chain();
    let (direction, part) = (bob_to_carol(&desk), desk.part("carol", AMOUNT));
    desk.send(&part);
    let gossip_at = desk.now.after_ms(60_000);
    script(&desk, Script::Reprice { direction, policy: policy(9_000, 0), gossip_at });
    desk.run_ms(5_000);
    let [PartStatus::Failed(failure)] = &desk.told(part.key)[..] else { panic!("too cheap now") };
    assert_eq!(place(failure), (FailureCode::FeeInsufficient, Some(1)));
    assert_eq!(failure.update, Some(policy(9_000, 0)));
    assert_eq!(desk.node.graph().policy(direction), Some(&policy(1_000, 100)));
    desk.run_until(gossip_at);
    assert_eq!(desk.node.graph().policy(direction), Some(&policy(9_000, 0)));
    assert!(desk.heard.iter().any(|event| matches!(event, NodeEvent::GraphChanged(_))));
    desk.network.audit().unwrap();
}

#[test]
fn fees_change_under_way_by_chance_and_gossip_follows() {
    let gossip_after = Seconds(60);
    let mut desk = desk_of(Faults { reprice_ppm: ALWAYS, gossip_after, ..Faults::default() });
    let direction = bob_to_carol(&desk);
    let mut failures = 0;
    for _ in 0..20 {
        let part = desk.part("carol", AMOUNT);
        desk.send(&part);
        desk.run_ms(5_000);
        let gossip = desk.node.graph().policy(direction).cloned();
        match &desk.told(part.key)[..] {
            [PartStatus::Failed(failure)] => {
                assert_eq!(place(failure), (FailureCode::FeeInsufficient, Some(1)));
                assert_ne!(failure.update, gossip);
                failures += 1;
            }
            [PartStatus::Paid { .. }] => {}
            told => panic!("{told:?}"),
        }
        desk.run_ms(60_000);
        assert_ne!(desk.node.graph().policy(direction), gossip.as_ref());
    }
    assert!((2..19).contains(&failures), "{failures}");
    desk.network.audit().unwrap();
}

#[test]
fn a_channel_that_is_disabled_or_closed_in_use_lets_go_what_is_in_it() {
    for closes in [false, true] {
        let mut desk = Desk::chain();
        let (direction, node) = (bob_to_carol(&desk), desk.id("carol"));
        let [kept, refused, later] = [(); 3].map(|()| desk.part("carol", AMOUNT));
        script(&desk, Script::KeepNext { node, until: desk.now.after_ms(30_000) });
        desk.send(&kept);
        desk.run_ms(5_000);
        let until = desk.now.after_ms(120_000);
        let scid = direction.scid;
        let disable = Script::Disable { direction, until };
        script(&desk, if closes { Script::Close { scid } } else { disable });
        let failure = desk.failure(&refused);
        let graph = desk.node.graph();
        if closes {
            assert_eq!(place(&failure), (FailureCode::PermanentChannelFailure, Some(1)));
            assert_eq!(graph.policy(direction), None);
        } else {
            assert_eq!(place(&failure), (FailureCode::ChannelDisabled, Some(1)));
            assert!(failure.update.is_some_and(|it| !it.enabled));
            assert!(!graph.policy(direction).unwrap().enabled);
        }
        desk.run_until(until);
        assert!(is_paid(&desk, &kept), "what was in it");
        desk.send(&later);
        desk.run_ms(5_000);
        assert_eq!(is_paid(&desk, &later), !closes);
        desk.network.audit().unwrap();
    }
}

#[test]
fn channels_are_disabled_and_closed_by_chance_but_ours_stay_open() {
    let seconds = Seconds(60);
    let disabled = Faults {
        disable_ppm: ALWAYS,
        disabled_for: seconds,
        gossip_after: Seconds(10),
        ..Faults::default()
    };
    for (faults, code, is_back) in [
        (disabled, FailureCode::ChannelDisabled, true),
        (
            Faults { close_ppm: ALWAYS, ..Faults::default() },
            FailureCode::PermanentChannelFailure,
            false,
        ),
    ] {
        let mut desk = desk_of(faults);
        let (direction, part) = (bob_to_carol(&desk), desk.part("carol", AMOUNT));
        assert_eq!(place(&desk.failure(&part)), (code, Some(1)));
        desk.run_ms(1_000);
        let usable = |desk: &Desk| desk.node.graph().policy(direction).is_some_and(|it| it.enabled);
        assert!(!usable(&desk));
        desk.run_ms(60_000);
        assert_eq!(usable(&desk), is_back);
        assert!(desk.node.view().channels[0].usable);
        let node = desk.id("bob");
        let from_carol = desk.network.direction(desk.id("carol"), node).unwrap();
        assert_eq!(from_carol.scid, direction.scid);
        desk.network.audit().unwrap();
    }
}

#[test]
fn a_node_that_restarts_takes_up_what_it_kept_or_gives_it_back() {
    for fails in [false, true] {
        let mut desk = Desk::chain();
        let (node, part) = (desk.id("carol"), desk.part("carol", AMOUNT));
        let other = desk.part("carol", AMOUNT);
        script(&desk, Script::KeepNext { node, until: desk.now.after_ms(500_000) });
        desk.send(&part);
        desk.run_ms(5_000);
        let until = desk.now.after_ms(60_000);
        script(&desk, Script::RestartNode { node, until, fails });
        let meanwhile = desk.failure(&other);
        assert_eq!(place(&meanwhile), (FailureCode::TemporaryChannelFailure, Some(1)));
        desk.run_until(until);
        assert!(desk.told(part.key).is_empty());
        desk.run_ms(2_000);
        match &desk.told(part.key)[..] {
            [PartStatus::Paid { .. }] => assert!(!fails),
            [PartStatus::Failed(failure)] => {
                assert!(fails);
                assert_eq!(place(failure), (FailureCode::TemporaryNodeFailure, Some(2)));
            }
            told => panic!("{told:?}"),
        }
        desk.network.audit().unwrap();
    }
}

#[test]
fn a_payee_that_restarts_waits_for_a_set_anew_or_gives_it_back() {
    for fails in [false, true] {
        let mut desk = Desk::chain();
        let invoice = desk.invoice("carol", InvoiceRequest::of(AMOUNT));
        let half = desk.part_for(&invoice, Msat(AMOUNT.0 / 2));
        let mut rest = desk.part_for(&invoice, Msat(AMOUNT.0 / 2));
        rest.key.group_id = half.key.group_id;
        rest.key.part_id = ecs_systems::units::PartId(2);
        desk.send(&half);
        desk.run_ms(50_000);
        let until = desk.now.after_ms(5_000);
        script(&desk, Script::RestartNode { node: desk.id("carol"), until, fails });
        desk.run_until(until.after_ms(20_000));
        assert_eq!(desk.told(half.key).is_empty(), !fails, "60 s would be over");
        if fails {
            assert!(matches!(desk.told(half.key)[..], [PartStatus::Failed(_)]));
        } else {
            desk.send(&rest);
            desk.run_ms(5_000);
            assert!(is_paid(&desk, &half) && is_paid(&desk, &rest));
        }
        desk.network.audit().unwrap();
    }
}

#[test]
fn an_offline_payee_neither_takes_nor_gives_back() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    let (node, hold) = (desk.id("carol"), desk.now.after_ms(10_000));
    script(&desk, Script::HoldSet { payment_hash: part.key.payment_hash, until: hold });
    desk.send(&part);
    desk.run_ms(5_000);
    let failcode = FailureCode::UnknownNextPeer;
    script(&desk, Script::Offline { node, until: None, failcode });
    desk.run_ms(60_000);
    assert!(desk.told(part.key).is_empty());
    script(&desk, Script::Online { node });
    desk.run_ms(5_000);
    assert!(is_paid(&desk, &part));
}

#[test]
fn nodes_restart_by_chance_and_what_reaches_them_waits() {
    let faults = Faults { restart_ppm: ALWAYS, restart_for: Seconds(30), ..Faults::default() };
    let mut desk = desk_of(faults);
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    desk.run_ms(60_000);
    assert!(desk.told(part.key).is_empty(), "bob restarts, then carol");
    desk.run_ms(2_000);
    assert!(is_paid(&desk, &part));
    desk.network.audit().unwrap();
}

#[test]
fn a_late_event_is_overtaken_but_not_by_balances_that_count_it() {
    let mut desk = Desk::chain();
    let (first, second) = (desk.part("carol", AMOUNT), desk.part("carol", AMOUNT));
    let until = desk.now.after_ms(60_000);
    script(&desk, Script::TellLate { until });
    desk.send(&first);
    desk.run_ms(2_000);
    desk.send(&second);
    desk.run_ms(2_000);
    assert!(desk.told(first.key).is_empty() && is_paid(&desk, &second));
    desk = Desk::chain();
    script(&desk, Script::TellLate { until });
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    desk.run_ms(2_000);
    desk.submit(NodeRequest::Balances);
    desk.run_ms(0);
    assert!(is_paid(&desk, &part));
    let last = desk.heard.last().unwrap();
    assert!(matches!(last, NodeEvent::Reply { reply: Ok(NodeReply::Balances { .. }), .. }));
    desk.run_until(until.after_ms(1_000));
    assert_eq!(desk.told(part.key).len(), 1, "once");
    desk.network.audit().unwrap();
}

#[test]
fn events_change_places_by_chance_and_none_is_missing() {
    let mut desk = desk_of(Faults { reorder_event_ppm: 500_000, ..Faults::default() });
    let parts: Vec<SendPart> = (0..30).map(|_| desk.part("carol", Msat(600_000))).collect();
    for part in &parts {
        desk.send(part);
        desk.run_ms(300);
    }
    desk.run_ms(10_000);
    let told = desk.heard.iter().filter_map(|event| {
        let NodeEvent::Part { key, .. } = event else { return None };
        parts.iter().position(|part| part.key == *key)
    });
    let mut told: Vec<usize> = told.collect();
    assert!(!told.is_sorted());
    told.sort_unstable();
    assert_eq!(told, (0..30).collect::<Vec<_>>());
}

#[test]
fn a_lost_answer_says_nothing_and_what_was_asked_for_is_done() {
    let scripted = Desk::chain();
    script(&scripted, Script::LoseReplies { times: 1 });
    let chance = desk_of(Faults { lost_reply_ppm: ALWAYS, ..Faults::default() });
    for mut desk in [scripted, chance] {
        desk.offer("carol", Preimage([1; 32]), Msat(5_000), Msat(5_000));
        desk.run_ms(5_000);
        let [offered] = &desk.offered()[..] else { panic!("one") };
        let (htlc, preimage) = (offered.htlc, Preimage([1; 32]));
        desk.submit(NodeRequest::SettleHtlc { htlc, preimage });
        desk.run_ms(5_000);
        assert!(matches!(
            desk.replies()[..],
            [Err(ecs_systems::port::NodeError::Transport { .. })]
        ));
        assert!(desk.heard.contains(&NodeEvent::HtlcResolved { htlc, settled: true }));
        desk.network.audit().unwrap();
    }
}

#[test]
fn our_node_restarts_when_it_is_told_to_or_with_a_block_and_offers_htlcs_again() {
    let scripted = Desk::chain();
    script(&scripted, Script::RestartUs { at: scripted.now.after_ms(500_000) });
    let chance = desk_of(Faults { our_restart_ppm: ALWAYS, ..Faults::default() });
    for mut desk in [scripted, chance] {
        desk.offer("carol", Preimage([1; 32]), Msat(5_000), Msat(5_000));
        desk.run_ms(600_000);
        let replayed: Vec<bool> = desk.offered().iter().map(|htlc| htlc.replayed).collect();
        assert_eq!(replayed, [false, true]);
    }
}

#[test]
fn scripts_about_what_is_not_there_or_ours_are_refused() {
    let desk = Desk::chain();
    let (us, nobody) = (desk.network.us(), NodeId([9; 33]));
    let scid = ShortChannelId(7);
    let direction = ChannelDirection { scid, direction: ecs_systems::units::Direction::Zero };
    for (refused, error) in [
        (Script::Slow { node: us, by_ms: 1 }, SimError::OurOwnNode),
        (Script::RestartNode { node: us, until: desk.now, fails: true }, SimError::OurOwnNode),
        (Script::Online { node: nobody }, SimError::UnknownNode { node: nobody }),
        (Script::Close { scid }, SimError::UnknownChannel { scid }),
        (Script::Disable { direction, until: desk.now }, SimError::UnknownChannel { scid }),
        (
            Script::Reprice { direction, policy: policy(0, 0), gossip_at: desk.now },
            SimError::UnknownChannel { scid },
        ),
    ] {
        assert_eq!(desk.network.script(refused, desk.now), Err(error));
    }
}
