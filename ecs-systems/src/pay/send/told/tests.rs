//! What a payment takes from failures.

use super::*;
use crate::{
    fixture::{graph, part},
    port::FailureCode,
};
use payecs_units::{Blocks, Msat};
use std::collections::BTreeSet;

/// What the hub asks for from now on: 1 sat, and so much more.
fn dearer(by: u64) -> Policy {
    let direction = part().route.hops[1].short_channel_id_dir;
    let policy = graph().policy(direction).unwrap().clone();
    Policy { fee_base_msat: Msat(policy.fee_base_msat.0 + by), ..policy }
}

/// The hub refuses with that policy.
fn refused(policy: Policy) -> Failure {
    let hop = part().route.hops[1].clone();
    let local = Failure::local(Some(&hop), FailureCode::FeeInsufficient);
    Failure { erring_index: Some(1), update: Some(policy), ..local }
}

fn unreadable() -> Failure {
    Failure { erring_index: None, ..Failure::local(None, FailureCode::Unreadable) }
}

#[test]
fn what_a_node_asks_for_instead_is_taken_once() {
    let (route, mut told) = (part().route, ToldFacts::default());
    assert!(told.take(&route, &refused(dearer(5)), 0));
    assert!(!told.take(&route, &refused(dearer(5)), 0), "another part met it too");
    let direction = route.hops[1].short_channel_id_dir;
    let expected = ToldPolicy { short_channel_id_dir: direction, policy: dearer(5), times: 1 };
    assert_eq!(told, ToldFacts { policies: vec![expected], avoided: Vec::new() });
}

#[test]
fn a_node_that_asks_for_more_again_and_again_is_avoided() {
    let (route, mut told) = (part().route, ToldFacts::default());
    let direction = route.hops[1].short_channel_id_dir;
    for more in 1..=u64::from(TERMS_TOLD_MAX) {
        assert!(told.take(&route, &refused(dearer(more)), 0));
        assert_eq!((told.policies.len(), told.avoided.len()), (1, 0));
        assert_eq!(told.policies[0].policy, dearer(more), "the last word counts");
    }
    assert!(told.take(&route, &refused(dearer(99)), 0));
    assert_eq!(told.avoided, [direction]);
    assert!(!told.take(&route, &refused(dearer(100)), 0), "it is avoided once");
}

#[test]
fn what_says_nothing_new_is_not_taken() {
    let (route, mut told) = (part().route, ToldFacts::default());
    let nothing = Failure { update: None, ..refused(dearer(1)) };
    let slower = Policy { cltv_delta: Blocks(0), ..dearer(0) };
    let busy = Failure { failcode: FailureCode::TemporaryChannelFailure, ..nothing.clone() };
    let payee = Failure { erring_index: Some(2), ..refused(dearer(1)) };
    for failure in [nothing, busy, refused(dearer(0)), refused(slower), payee] {
        assert!(!told.take(&route, &failure, 0), "{failure:?}");
    }
    assert_eq!(told, ToldFacts::default());
}

#[test]
fn an_unreadable_failure_avoids_one_hop_that_is_not_ours() {
    let mut route = part().route;
    route.hops.push(route.hops[0].clone());
    let ways: Vec<_> = route.hops.iter().map(|hop| hop.short_channel_id_dir).collect();
    let avoided = |route: &Route, draw| {
        let mut told = ToldFacts::default();
        assert!(told.take(route, &unreadable(), draw));
        assert!(!told.take(route, &unreadable(), draw), "the same is not new");
        told.avoided
    };
    for draw in [0, 2, u64::MAX - 1] {
        assert_eq!(avoided(&route, draw), [ways[1]], "{draw}");
        assert_eq!(avoided(&route, draw + 1), [ways[2]], "{draw}");
    }
    route.hops.truncate(1);
    assert_eq!(avoided(&route, 7), [ways[0]], "there is no other");
    route.hops.clear();
    assert!(!ToldFacts::default().take(&route, &unreadable(), 7), "there is none");
}

#[test]
fn the_channel_over_which_our_own_node_fails_is_avoided() {
    let (route, mut told) = (part().route, ToldFacts::default());
    let first = route.hops[0].short_channel_id_dir;
    let named = Failure::local(route.hops.first(), FailureCode::TemporaryNodeFailure);
    assert!(told.take(&route, &named, 7));
    assert_eq!(told.avoided, [first]);
    assert!(!told.take(&route, &named, 7), "the same is not new");
    let unnamed = Failure::local(None, FailureCode::TemporaryNodeFailure);
    assert!(!ToldFacts::default().take(&route, &unnamed, 7), "it got as far as no channel");
}

#[test]
fn parts_that_fail_in_one_command_draw_apart_and_the_same_again() {
    let draws = || (0..20).map(|part| draw_of(&[7; 32], PartId(part)));
    assert_eq!(draws().collect::<BTreeSet<u64>>().len(), 20);
    assert!(draws().eq(draws()));
    assert_ne!(draw_of(&[7; 32], PartId(1)), draw_of(&[8; 32], PartId(1)));
}
