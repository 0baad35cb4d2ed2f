use super::*;
use crate::{Hop, Route};
use payecs_units::{Blocks, Direction, ShortChannelId};
use proptest::prelude::*;

mod told;

const CAPACITY: Msat = Msat(1_000);
const HOUR_MS: u64 = 3_600_000;

fn there(scid: u64) -> ChannelDirection {
    ChannelDirection { scid: ShortChannelId(scid), direction: Direction::Zero }
}

fn node(index: u8) -> NodeId {
    let mut bytes = [index; 33];
    bytes[0] = 2;
    NodeId(bytes)
}

fn hop(scid: u8, msat: u64) -> Hop {
    Hop {
        short_channel_id_dir: there(u64::from(scid)),
        from: node(scid),
        to: node(scid + 1),
        amount_msat: Msat(msat),
        cltv_blocks: Blocks(40),
    }
}

fn route(amounts: &[u64]) -> Route {
    let hops = (1_u8..).zip(amounts).map(|(scid, msat)| hop(scid, *msat)).collect();
    Route { hops, probability_ppm: 0 }
}

fn lack(index: usize) -> FailedAt {
    FailedAt::Hop { index, kind: HopFailure::LiquidityLack }
}

fn bounds(knowledge: &Knowledge, direction: ChannelDirection, now: u64) -> (u64, u64) {
    let bounds = knowledge.bounds(direction, CAPACITY, Timestamp(now));
    (bounds.lo.0, bounds.hi.0)
}

fn failed(amounts: &[u64], at: FailedAt) -> Knowledge {
    let mut knowledge = Knowledge::default();
    knowledge.sent(&route(amounts));
    knowledge.failed(&route(amounts), at, Timestamp(0));
    knowledge
}

#[test]
fn a_lack_raises_the_hops_before_and_caps_the_hop_and_its_twin() {
    let knowledge = failed(&[300, 200, 100], lack(1));
    assert_eq!(bounds(&knowledge, there(1), 0), (300, 1_000));
    assert_eq!(bounds(&knowledge, twin_of(there(1)), 0), (0, 700));
    assert_eq!(bounds(&knowledge, there(2), 0), (0, 199));
    assert_eq!(bounds(&knowledge, twin_of(there(2)), 0), (801, 1_000));
    assert_eq!(bounds(&knowledge, there(3), 0), (0, 1_000), "never reached");
}

#[test]
fn a_payment_moves_liquidity_to_the_far_end() {
    let mut knowledge = failed(&[300, 600], lack(1));
    knowledge.sent(&route(&[100, 100]));
    knowledge.paid(&route(&[100, 100]), Timestamp(0));
    assert_eq!(bounds(&knowledge, there(1), 0), (200, 900));
    assert_eq!(bounds(&knowledge, there(2), 0), (0, 499));
    assert_eq!(bounds(&knowledge, twin_of(there(2)), 0), (501, 1_000));
}

#[test]
fn a_refusal_at_the_payee_proves_every_hop_and_an_unreadable_one_none() {
    let knowledge = failed(&[300, 200], FailedAt::Destination);
    assert_eq!(bounds(&knowledge, there(2), 0), (200, 1_000));
    let knowledge = failed(&[300, 200], FailedAt::Unreadable);
    assert_eq!(knowledge.directions_count(), 0);
    let knowledge = failed(&[300, 200], lack(2));
    assert_eq!(knowledge.directions_count(), 0, "no such hop");
}

#[test]
fn a_wrong_policy_is_avoided_for_a_while_or_until_it_changes() {
    let kind = HopFailure::DisabledOrPolicy;
    let mut knowledge = failed(&[300, 200], FailedAt::Hop { index: 1, kind });
    assert!(knowledge.is_disabled(there(2), Timestamp(1_799_999)));
    assert!(!knowledge.is_disabled(there(2), Timestamp(1_800_000)));
    let before = knowledge.version();
    knowledge.policy_changed(there(2));
    assert!(!knowledge.is_disabled(there(2), Timestamp(0)));
    assert!(knowledge.version() > before);
    let knowledge = failed(&[300, 200], FailedAt::Hop { index: 1, kind: HopFailure::Node });
    assert!(knowledge.is_node_disabled(&node(2), Timestamp(0)));
    assert_eq!(knowledge.disabled_nodes(Timestamp(1_800_000)).count(), 0);
}

#[test]
fn bounds_hold_then_relax_towards_ignorance() {
    let knowledge = failed(&[400, 200], lack(1));
    assert_eq!(bounds(&knowledge, there(2), HOUR_MS - 1), (0, 199));
    assert_eq!(bounds(&knowledge, there(2), HOUR_MS), (0, 600));
    assert_eq!(bounds(&knowledge, there(1), HOUR_MS), (200, 1_000));
    let late = bounds(&knowledge, there(2), 100 * HOUR_MS);
    assert_eq!(late, (0, 1_000));
}

#[test]
fn what_else_we_have_in_flight_counts_for_the_bound_but_not_for_the_refusal() {
    let mut knowledge = Knowledge::default();
    knowledge.sent(&route(&[300]));
    knowledge.sent(&route(&[500]));
    knowledge.failed(&route(&[500]), lack(0), Timestamp(0));
    assert_eq!(bounds(&knowledge, there(1), 0), (0, 799));
    assert_eq!(knowledge.refused_from(there(1), Timestamp(0)), Some(Msat(500)));
    assert_eq!(knowledge.in_flight(there(1)), Msat(300));
}

#[test]
fn a_route_is_forbidden_as_long_as_no_plan_would_have_it() {
    let at = |index, kind| FailedAt::Hop { index, kind };
    let minute = Timestamp(60_000);
    for (at, amounts, expected) in [
        (lack(1), [300, 200], true),
        (lack(1), [300, 201], true),
        (lack(1), [300, 199], false),
        (lack(0), [300, 100], true),
        (lack(0), [299, 100], false),
        (at(1, HopFailure::DisabledOrPolicy), [2, 1], true),
        (at(1, HopFailure::Node), [2, 1], true),
        (at(0, HopFailure::Node), [2, 1], false),
        (at(1, HopFailure::OtherTerms), [300, 200], false),
        (FailedAt::Destination, [300, 200], false),
        (FailedAt::Unreadable, [300, 200], false),
    ] {
        let knowledge = failed(&[300, 200], at);
        assert_eq!(knowledge.forbids(&route(&amounts), minute), expected, "{at:?} {amounts:?}");
        assert!(!knowledge.forbids(&route(&amounts), Timestamp(HOUR_MS)), "not for ever");
    }
}

#[test]
fn the_oldest_is_forgotten_first() {
    let config = KnowledgeConfig { entries_max: 2, ..KnowledgeConfig::default() };
    let mut knowledge = Knowledge::new(config);
    for (age, scid) in (1..).zip([7_u8, 5, 6]) {
        let route = Route { hops: vec![hop(scid, 10)], probability_ppm: 0 };
        knowledge.failed(&route, lack(0), Timestamp(age));
    }
    assert_eq!(knowledge.directions_count(), 2);
    assert_eq!(knowledge.refused_from(there(7), Timestamp(4)), None);
    assert_eq!(knowledge.refused_from(there(6), Timestamp(4)), Some(Msat(10)));
}

#[test]
fn knowledge_survives_being_written_and_read() {
    let mut knowledge = failed(&[300, 200], lack(1));
    knowledge.sent(&route(&[1, 2, 3]));
    let kind = HopFailure::Node;
    knowledge.failed(&route(&[1, 2]), FailedAt::Hop { index: 1, kind }, Timestamp(5));
    let written = serde_json::to_string(&knowledge).unwrap();
    assert_eq!(serde_json::from_str::<Knowledge>(&written).unwrap(), knowledge);
}

fn report() -> impl Strategy<Value = (Vec<u64>, u8, u64)> {
    (prop::collection::vec(1_u64..2_000, 1..4), 0_u8..8, 0_u64..HOUR_MS * 2)
}

fn tell(knowledge: &mut Knowledge, route: &Route, outcome: u8, now: Timestamp) {
    let kinds = [HopFailure::LiquidityLack, HopFailure::DisabledOrPolicy, HopFailure::Node];
    match outcome {
        0 => knowledge.paid(route, now),
        1 => knowledge.failed(route, FailedAt::Destination, now),
        2 => knowledge.failed(route, FailedAt::Unreadable, now),
        other => {
            let index = usize::from(other % 3);
            knowledge.failed(route, FailedAt::Hop { index, kind: kinds[index] }, now);
        }
    }
}

/// The knowledge of an image that was written at `now` and read.
fn kept(knowledge: &Knowledge, now: u64) -> Knowledge {
    let written = serde_json::to_string(&knowledge.image(Timestamp(now))).unwrap();
    let read: KnowledgeImage = serde_json::from_str(&written).unwrap();
    Knowledge::of_image(knowledge.config().clone(), &read).unwrap()
}

#[test]
fn an_image_leaves_out_what_has_decayed_and_who_is_not_avoided_any_more() {
    let mut knowledge = failed(&[300, 200], lack(1));
    let kinds = [HopFailure::DisabledOrPolicy, HopFailure::Node];
    for kind in kinds {
        knowledge.failed(&route(&[1]), FailedAt::Hop { index: 0, kind }, Timestamp(0));
    }
    assert_eq!(kept(&knowledge, 0), knowledge);
    let later = kept(&knowledge, HOUR_MS);
    assert_eq!((later.ways.disabled_count(), later.disabled_nodes.len()), (0, 0));
    let decayed = DECAYED_HALF_LIVES * HOUR_MS;
    assert_eq!(kept(&knowledge, decayed).directions_count(), 2);
    assert_eq!(kept(&knowledge, decayed + 1).directions_count(), 0);
}

#[test]
fn an_image_of_a_direction_that_is_none_is_refused() {
    let image = serde_json::to_string(&failed(&[300], lack(0)).image(Timestamp(0))).unwrap();
    let wrong = image.replace("[1,0]", "[1,2]");
    assert_ne!(wrong, image);
    let wrong: KnowledgeImage = serde_json::from_str(&wrong).unwrap();
    let refused = Knowledge::of_image(KnowledgeConfig::default(), &wrong).unwrap_err();
    assert_eq!(refused, "2 is no direction of a channel");
}

#[test]
fn what_passes_below_a_refusal_leaves_it_standing() {
    let mut knowledge = Knowledge::default();
    for msat in [340, 300] {
        knowledge.sent(&route(&[msat]));
        knowledge.failed(&route(&[msat]), lack(0), Timestamp(0));
    }
    let refused = |knowledge: &Knowledge| knowledge.refused_from(there(1), Timestamp(0));
    let lack_of = |msat| {
        let mut knowledge = knowledge.clone();
        knowledge.sent(&route(&[msat, msat]));
        knowledge.failed(&route(&[msat, msat]), lack(1), Timestamp(0));
        let back = Knowledge::of_image(KnowledgeConfig::default(), &knowledge.image(Timestamp(0)));
        assert_eq!(back.as_ref(), Ok(&knowledge));
        (refused(&knowledge), bounds(&knowledge, there(1), 0).1)
    };
    assert_eq!(lack_of(299), (Some(Msat(300)), 299));
    assert_eq!(lack_of(320), (Some(Msat(321)), 340), "it may be there by now");
    assert_eq!(lack_of(340).0, None);
}

proptest! {
    #[test]
    fn no_bound_is_lost_with_an_image(
        reports in prop::collection::vec(report(), 1..20), at in 0_u64..HOUR_MS * 40,
        later in 0_u64..HOUR_MS * 5,
    ) {
        let mut knowledge = Knowledge::default();
        for (amounts, outcome, now) in reports {
            knowledge.sent(&route(&amounts));
            tell(&mut knowledge, &route(&amounts), outcome, Timestamp(now));
        }
        knowledge.sent(&route(&[7]));
        let kept = kept(&knowledge, at);
        let totals = |it: &Knowledge| (it.version(), it.in_flight_total());
        prop_assert_eq!(totals(&kept), totals(&knowledge));
        for direction in (1..4).flat_map(|scid| [there(scid), twin_of(there(scid))]) {
            let now = Timestamp(at + later);
            prop_assert_eq!(kept.in_flight(direction), knowledge.in_flight(direction));
            prop_assert_eq!(
                (kept.is_disabled(direction, now), kept.refused_from(direction, now)),
                (knowledge.is_disabled(direction, now), knowledge.refused_from(direction, now))
            );
            // Of so little nothing is left after 24 half-lives.
            prop_assert_eq!(bounds(&kept, direction, now.0), bounds(&knowledge, direction, now.0));
        }
    }

    #[test]
    fn bounds_never_cross_nor_leave_the_channel(
        reports in prop::collection::vec(report(), 1..20), later in 0_u64..HOUR_MS * 5,
    ) {
        let mut knowledge = Knowledge::default();
        for (amounts, outcome, now) in reports {
            knowledge.sent(&route(&amounts));
            tell(&mut knowledge, &route(&amounts), outcome, Timestamp(now));
            for scid in 1..4 {
                for direction in [there(scid), twin_of(there(scid))] {
                    let (lo, hi) = bounds(&knowledge, direction, now + later);
                    prop_assert!(lo <= hi && hi <= CAPACITY.0, "{lo} {hi}");
                }
            }
        }
    }

    #[test]
    fn reservations_never_outlive_their_parts(
        reports in prop::collection::vec(report(), 1..20),
    ) {
        let mut knowledge = Knowledge::default();
        let mut version = knowledge.version();
        for (amounts, _, _) in &reports {
            knowledge.sent(&route(amounts));
            prop_assert!(knowledge.version() > version);
            version = knowledge.version();
        }
        prop_assert!(knowledge.in_flight_total() > Msat::ZERO);
        for (amounts, outcome, now) in &reports {
            tell(&mut knowledge, &route(amounts), *outcome, Timestamp(*now));
        }
        prop_assert_eq!(knowledge.in_flight_total(), Msat::ZERO);
        let flying = |(_, way): (ChannelDirection, &Way)| way.in_flight > Msat::ZERO;
        prop_assert!(!knowledge.ways.iter().any(flying));
    }

    #[test]
    fn a_refused_amount_is_never_allowed_again_within_the_half_life(
        before in prop::collection::vec(report(), 0..10), msat in 1_u64..2_000,
        later in 0_u64..HOUR_MS,
    ) {
        let mut knowledge = Knowledge::default();
        for (amounts, outcome, now) in before {
            knowledge.sent(&route(&amounts));
            tell(&mut knowledge, &route(&amounts), outcome, Timestamp(now));
        }
        let now = Timestamp(HOUR_MS * 3);
        knowledge.sent(&route(&[msat]));
        knowledge.failed(&route(&[msat]), lack(0), now);
        let refused = knowledge.refused_from(there(1), now.after_ms(later));
        prop_assert!(refused.is_some_and(|refused| refused <= Msat(msat)));
        prop_assert!(bounds(&knowledge, there(1), now.0 + later).1 < msat);
    }
}
