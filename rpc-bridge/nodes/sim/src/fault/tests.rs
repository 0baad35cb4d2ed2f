use crate::{
    Fact, Faults, Script, Settings, Signer,
    fixture::{Desk, chain, place},
    policy,
};
use ecs_systems::{
    port::{
        FailureCode, Node, NodeError, NodeEvent, NodeReply, NodeRequest, PartStatus, Preapproval,
    },
    units::{Msat, Preimage},
};
use payecs_planner::GraphDelta;
use std::collections::BTreeMap;

const AMOUNT: Msat = Msat(10_000_000);

fn script(desk: &Desk, script: Script) {
    desk.network.script(script, desk.now).unwrap();
}

#[test]
fn a_node_in_trouble_fails_one_htlc_and_takes_the_next() {
    let mut desk = Desk::chain();
    let (first, second) = (desk.part("carol", AMOUNT), desk.part("carol", AMOUNT));
    let failcode = FailureCode::TemporaryNodeFailure;
    script(&desk, Script::FailNext { node: desk.id("bob"), failcode });
    let failure = desk.failure(&first);
    assert_eq!(place(&failure), (failcode, Some(1)));
    assert_eq!((failure.erring_channel, failure.update), (None, None));
    desk.send(&second);
    desk.run_ms(5_000);
    assert!(matches!(desk.told(second.key)[..], [PartStatus::Paid { .. }]));
}

#[test]
fn a_part_that_our_node_overspends_costs_what_it_says() {
    for (excess, taken) in [(7, 7), (u64::MAX, 490_000_000 - 1_000 - 1_000)] {
        let mut desk = Desk::chain();
        let part = desk.part("carol", AMOUNT);
        script(&desk, Script::Overspend { key: part.key, excess_msat: Msat(excess) });
        let before = desk.network.our_balance();
        desk.send(&part);
        desk.run_ms(5_000);
        let cost = Msat(part.route.sent().0 + taken);
        let told = desk.told(part.key);
        let [PartStatus::Paid { spent_msat, .. }] = told[..] else { panic!("{told:?}") };
        assert_eq!(spent_msat, cost);
        assert_eq!(desk.network.payment(part.key.payment_hash).spent(), cost);
        let after: Vec<u64> = desk.network.our_balance().iter().map(|(_, it)| it.0).collect();
        assert_eq!(after, before.iter().map(|(_, it)| it.0 - cost.0).collect::<Vec<_>>());
        desk.network.audit().unwrap();
    }
}

#[test]
fn a_part_that_our_node_denies_failed_first_and_is_paid_then() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    let until = desk.now.after_ms(60_000);
    script(&desk, Script::FailThenPay { key: part.key, until });
    desk.send(&part);
    desk.run_ms(30_000);
    desk.submit(NodeRequest::AskPart(part.key));
    desk.run_ms(20_000);
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Failed(_), PartStatus::Failed(_)]));
    assert_eq!(desk.network.payment(part.key.payment_hash).spent(), part.route.sent());
    desk.run_ms(20_000);
    desk.submit(NodeRequest::AskPart(part.key));
    desk.run_ms(5_000);
    let paid = |status: &PartStatus| matches!(status, PartStatus::Paid { .. });
    assert_eq!(desk.told(part.key)[2..].iter().filter(|it| paid(it)).count(), 2);
    desk.network.audit().unwrap();
}

#[test]
fn a_scripted_failure_brings_along_what_its_code_does() {
    let bobs = Some(policy(1_000, 100));
    for (failcode, of_channel, update) in [
        (FailureCode::PermanentNodeFailure, false, None),
        (FailureCode::TemporaryChannelFailure, true, bobs),
        (FailureCode::RequiredChannelFeatureMissing, true, None),
    ] {
        let mut desk = Desk::chain();
        let part = desk.part("carol", AMOUNT);
        script(&desk, Script::FailNext { node: desk.id("bob"), failcode });
        let failure = desk.failure(&part);
        assert_eq!(place(&failure), (failcode, Some(1)));
        assert_eq!((failure.erring_channel.is_some(), failure.update), (of_channel, update));
    }
}

#[test]
fn an_offline_node_is_unknown_or_busy_to_its_peers_and_unusable_in_our_view() {
    for failcode in [FailureCode::UnknownNextPeer, FailureCode::TemporaryChannelFailure] {
        let mut desk = Desk::chain();
        let part = desk.part("carol", AMOUNT);
        let later = desk.part("carol", AMOUNT);
        let until = Some(desk.now.after_ms(60_000));
        script(&desk, Script::Offline { node: desk.id("carol"), until, failcode });
        assert_eq!(place(&desk.failure(&part)), (failcode, Some(1)));
        script(&desk, Script::Offline { node: desk.id("bob"), until, failcode });
        desk.run_ms(0);
        assert!(!desk.node.view().channels[0].usable);
        desk.run_ms(60_000);
        assert!(desk.node.view().channels[0].usable);
        desk.send(&later);
        desk.run_ms(5_000);
        assert!(matches!(desk.told(later.key)[..], [PartStatus::Paid { .. }]));
    }
}

#[test]
fn what_is_under_way_to_an_offline_node_waits_for_it() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    let failcode = FailureCode::UnknownNextPeer;
    let node = desk.id("bob");
    script(&desk, Script::Offline { node, until: None, failcode });
    desk.run_ms(900_000);
    assert!(desk.told(part.key).is_empty());
    script(&desk, Script::Online { node });
    desk.run_ms(5_000);
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
}

#[test]
fn a_kept_htlc_is_in_flight_until_it_is_let_go_and_a_garbled_failure_names_nobody() {
    let mut desk = Desk::chain();
    let mut part = desk.part("carol", AMOUNT);
    part.payment_secret = None;
    let (bob, carol) = (desk.id("bob"), desk.id("carol"));
    let until = desk.now.after_ms(500_000);
    script(&desk, Script::KeepNext { node: bob, until });
    script(&desk, Script::GarbleNext { node: carol });
    desk.send(&part);
    desk.run_ms(499_000);
    desk.submit(NodeRequest::AskPart(part.key));
    desk.run_ms(5_000);
    let [PartStatus::InFlight, PartStatus::Failed(failure)] = &desk.told(part.key)[..] else {
        panic!("asked once, told once")
    };
    assert_eq!(place(failure), (FailureCode::Unreadable, None));
    assert_eq!(failure.erring_node, None);
}

#[test]
fn an_htlc_kept_past_its_expiry_goes_back_without_having_been_held() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    let until = desk.now.after_ms(600_000 * 1_000);
    script(&desk, Script::KeepNext { node: desk.id("carol"), until });
    desk.send(&part);
    desk.run_ms(600_000 * 21);
    let [PartStatus::Failed(failure)] = &desk.told(part.key)[..] else { panic!("it failed") };
    assert_eq!(place(failure), (FailureCode::PermanentChannelFailure, Some(1)));
    desk.run_ms(600_000 * 1_000);
    let facts: Vec<Fact> = desk.network.truth(0).into_iter().map(|record| record.fact).collect();
    assert!(matches!(facts[..], [Fact::PartSubmitted { .. }, Fact::PartFailed { .. }]));
    desk.network.audit().unwrap();
}

#[test]
fn a_lost_outcome_is_told_when_asked_for_or_after_a_restart() {
    let mut desk = Desk::chain();
    let (first, second) = (desk.part("carol", AMOUNT), desk.part("carol", AMOUNT));
    for part in [&first, &second] {
        script(&desk, Script::LoseOutcome { key: part.key });
        desk.send(part);
    }
    script(&desk, Script::AnswerUnknown { key: first.key, times: 1 });
    desk.run_ms(60_000);
    assert!(desk.told(first.key).is_empty() && desk.told(second.key).is_empty());
    desk.submit(NodeRequest::AskPart(first.key));
    desk.submit(NodeRequest::AskPart(first.key));
    desk.run_ms(0);
    assert!(matches!(desk.told(first.key)[..], [PartStatus::Unknown, PartStatus::Paid { .. }]));
    desk.network.restart(desk.now);
    desk.run_ms(0);
    assert!(matches!(desk.told(second.key)[..], [PartStatus::Paid { .. }]));
    assert_eq!(desk.told(first.key).len(), 2, "it had been told");
}

#[test]
fn a_restart_loses_answers_under_way_but_no_part_and_offers_htlcs_again() {
    let settings = Settings { answer_ms: 1_000, ..Settings::default() };
    let mut desk = Desk::new(chain(settings).build().unwrap());
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    desk.offer("carol", Preimage([1; 32]), Msat(5_000), Msat(5_000));
    desk.run_ms(5_000);
    desk.heard.clear();
    desk.submit(NodeRequest::Balances);
    desk.network.restart(desk.now);
    desk.run_ms(5_000);
    assert!(matches!(desk.replies()[..], [Err(NodeError::Transport { .. })]));
    assert!(desk.told(part.key).is_empty(), "its outcome had been polled");
    let replayed = |event: &&NodeEvent| matches!(event, NodeEvent::Incoming(h) if h.replayed);
    assert_eq!(desk.heard.iter().filter(replayed).count(), 1);
}

#[test]
fn an_old_connection_is_deaf_and_dumb() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    let mut new = desk.network.connect(desk.now);
    desk.send(&part);
    desk.run_ms(5_000);
    assert!(desk.heard.is_empty() && desk.network.truth(0).len() == 1);
    assert!(new.poll(desk.now).is_empty());
}

#[test]
fn the_same_part_with_another_amount_is_refused_and_changes_nothing() {
    let mut desk = Desk::chain();
    let part = desk.part("carol", AMOUNT);
    let mut other = part.clone();
    other.total_msat = Msat(AMOUNT.0 + 1);
    desk.send(&part);
    desk.send(&other);
    desk.run_ms(5_000);
    assert!(matches!(desk.replies()[..], [Err(NodeError::Refused { .. })]));
    assert!(matches!(desk.told(part.key)[..], [PartStatus::Paid { .. }]));
}

#[test]
fn duplicated_events_come_twice_and_replies_once() {
    let faults = Faults { duplicate_event_ppm: 1_000_000, ..Faults::default() };
    let mut desk = Desk::new(chain(Settings { faults, ..Settings::default() }).build().unwrap());
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    desk.submit(NodeRequest::Balances);
    desk.run_ms(5_000);
    assert_eq!((desk.told(part.key).len(), desk.replies().len()), (2, 1));
}

#[test]
fn the_signer_approves_up_to_its_limit_and_only_taught_texts_are_decoded() {
    let decodes = BTreeMap::from([("lno1abc".to_owned(), "{\"valid\":true}".to_owned())]);
    let settings = Settings { signer: Signer::UpTo(AMOUNT), decodes, ..Settings::default() };
    let mut desk = Desk::new(chain(settings).build().unwrap());
    let capabilities = desk.node.view().capabilities;
    assert!(capabilities.preapprove && capabilities.decode && capabilities.idempotent_parts);
    let wish = |amount_msat| Preapproval {
        payment_hash: Preimage([1; 32]).hash(),
        destination: desk.id("carol"),
        amount_msat,
        invoice: None,
    };
    let (fine, vetoed) = (wish(AMOUNT), wish(Msat(AMOUNT.0 + 1)));
    desk.submit(NodeRequest::Preapprove(fine));
    desk.submit(NodeRequest::Preapprove(vetoed));
    desk.submit(NodeRequest::Decode("lno1abc".to_owned()));
    desk.submit(NodeRequest::Decode("lno1xyz".to_owned()));
    desk.run_ms(0);
    let replies = desk.replies();
    assert_eq!(replies[0], Ok(NodeReply::Preapproved));
    assert!(matches!(replies[1], Err(NodeError::Refused { code: 302, .. })));
    assert_eq!(replies[2], Ok(NodeReply::Decoded("{\"valid\":true}".to_owned())));
    assert!(matches!(replies[3], Err(NodeError::Refused { .. })));
}

#[test]
fn announced_changes_reach_the_graph_and_others_do_not() {
    let mut desk = Desk::chain();
    let direction = desk.network.direction(desk.id("bob"), desk.id("carol")).unwrap();
    desk.network.set_policy(direction, policy(7, 7), false, desk.now).unwrap();
    desk.run_ms(0);
    assert_eq!(desk.node.graph().policy(direction), Some(&policy(1_000, 100)));
    desk.network.set_policy(direction, policy(8, 8), true, desk.now).unwrap();
    desk.network.close_channel(direction.scid, desk.now).unwrap();
    let before = desk.node.graph();
    desk.run_ms(0);
    let changes = desk.heard.iter().filter_map(|event| {
        let NodeEvent::GraphChanged(deltas) = event else { return None };
        Some(deltas.clone())
    });
    let deltas: Vec<GraphDelta> = changes.flatten().collect();
    assert_eq!(deltas.len(), 2);
    assert_eq!(before.patched(&deltas).unwrap(), *desk.node.graph());
    assert_eq!(desk.node.graph().channels_count(), 1);
}

#[test]
fn the_view_changes_with_parts_blocks_and_says_so() {
    let mut desk = Desk::chain();
    let before = desk.node.view().clone();
    let part = desk.part("carol", AMOUNT);
    desk.send(&part);
    let locked = &desk.node.view().channels[0];
    let left = before.channels[0].spendable_msat.checked_sub(part.route.sent());
    assert_eq!(Some(locked.spendable_msat), left);
    assert_eq!(locked.free_slots, before.channels[0].free_slots - 1);
    desk.run_ms(5_000);
    assert_eq!(desk.node.view().channels[0].free_slots, before.channels[0].free_slots);
    assert_eq!(desk.node.view().channels[0].receivable_msat.0, SIZE_HALF + part.route.sent().0);
    desk.run_ms(600_000);
    assert_eq!(desk.node.view().height.0, before.height.0 + 1);
    let changes = desk.heard.iter().filter(|event| **event == NodeEvent::ViewChanged).count();
    assert_eq!(changes, 3, "sent, settled, block");
}

const SIZE_HALF: u64 = 500_000_000;
