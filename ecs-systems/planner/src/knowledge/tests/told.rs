//! What others say of liquidity.

use super::*;
use crate::LiquidityReport;

const NOW: u64 = 100 * HOUR_MS;

fn said(lo: Option<u64>, hi: Option<u64>, at: u64) -> LiquidityReport {
    LiquidityReport {
        short_channel_id_dir: there(1),
        minimum_msat: lo.map(Msat),
        maximum_msat: hi.map(Msat),
        at: Timestamp(at),
    }
}

fn told(reports: &[LiquidityReport]) -> Knowledge {
    let mut knowledge = Knowledge::default();
    for report in reports {
        knowledge.told(&[*report], Timestamp(NOW));
    }
    knowledge
}

/// The same as parts teach it, one after the other.
fn learned(reports: &[LiquidityReport]) -> Knowledge {
    let mut knowledge = Knowledge::default();
    for report in reports {
        let (amount, at) = match (report.minimum_msat, report.maximum_msat) {
            (Some(lo), _) => (lo.0, FailedAt::Destination),
            (None, hi) => (hi.unwrap().0 + 1, lack(0)),
        };
        knowledge.sent(&route(&[amount]));
        knowledge.failed(&route(&[amount]), at, report.at);
    }
    knowledge
}

/// Everything that plans see of it at a moment.
fn seen(knowledge: &Knowledge, at: u64) -> [(u64, u64, Option<Msat>); 2] {
    [there(1), twin_of(there(1))].map(|direction| {
        let (lo, hi) = bounds(knowledge, direction, at);
        (lo, hi, knowledge.refused_from(direction, Timestamp(at)))
    })
}

#[test]
fn where_two_bounds_cannot_both_be_the_younger_holds() {
    let (old, young) = (NOW - 8, NOW - 4);
    let (lo, hi) = (|msat, at| said(Some(msat), None, at), |msat, at| said(None, Some(msat), at));
    for (reports, expected) in [
        ([lo(300, old), hi(500, young)], (299, 500)),
        ([lo(600, old), hi(500, young)], (499, 500)),
        ([lo(600, young), hi(500, old)], (599, 1_000)),
        ([lo(300, young), lo(200, old)], (299, 1_000)),
        ([lo(300, old), lo(200, young)], (299, 1_000)),
        ([lo(300, NOW - HOUR_MS), lo(200, young)], (199, 1_000)),
        ([hi(500, old), hi(400, young)], (0, 400)),
        ([hi(400, old), hi(500, young)], (0, 400)),
        ([hi(400, young - HOUR_MS), hi(500, young)], (0, 500)),
        ([said(Some(0), None, old), said(None, None, young)], (0, 1_000)),
        ([said(Some(200), Some(500), old), hi(500, NOW + 9)], (199, 500)),
    ] {
        let [one, other] = reports;
        // What is left of a minimum after milliseconds is rounded down.
        for both in [[one, other], [other, one]] {
            assert_eq!(bounds(&told(&both), there(1), NOW), expected, "{both:?}");
        }
    }
}

#[test]
fn a_maximum_forbids_what_is_above_it_for_a_half_life_and_counts_our_htlcs() {
    let mut knowledge = told(&[said(None, Some(499), NOW - HOUR_MS / 2)]);
    knowledge.sent(&route(&[200]));
    let later = |ms| Timestamp(NOW + ms);
    let refused = |ms| knowledge.refused_from(there(1), later(ms));
    assert_eq!((refused(0), refused(HOUR_MS / 2)), (Some(Msat(500)), None));
    let known = knowledge.of(there(1), CAPACITY, later(0));
    assert_eq!((known.bounds.hi, known.in_flight), (Msat(499), Msat(200)));
}

#[test]
fn what_has_decayed_is_neither_taken_nor_told() {
    let long_ago = NOW - DECAYED_HALF_LIVES * HOUR_MS - 1;
    let knowledge = told(&[said(Some(999), None, long_ago), said(None, Some(0), long_ago)]);
    assert_eq!((knowledge.directions_count(), knowledge.version()), (0, 2));
    let knowledge = told(&[said(Some(999), Some(999), long_ago + 1)]);
    let reports = |at| knowledge.reports(there(1), Timestamp(at)).count();
    assert_eq!((reports(NOW), reports(NOW + 1)), (1, 0));
}

#[test]
fn the_oldest_goes_where_more_is_told_than_is_remembered() {
    let config = KnowledgeConfig { entries_max: 8, ..KnowledgeConfig::default() };
    let mut knowledge = Knowledge::new(config);
    let many: Vec<LiquidityReport> = (1..=9)
        .map(|scid| LiquidityReport {
            short_channel_id_dir: there(scid),
            ..said(Some(9), None, NOW - scid)
        })
        .collect();
    knowledge.told(&many, Timestamp(NOW));
    let mut left: Vec<u64> = knowledge.directions().map(|direction| direction.scid.0).collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2, 3, 4, 5, 6, 7]);
}

/// A bound of the last hours, within the channel.
fn any_report() -> impl Strategy<Value = LiquidityReport> {
    let age = prop_oneof![0_u64..10, 0..HOUR_MS * 5];
    (any::<bool>(), 0_u64..CAPACITY.0, age).prop_map(|(is_minimum, msat, age)| {
        let (lo, hi) = if is_minimum { (Some(msat), None) } else { (None, Some(msat)) };
        said(lo, hi, NOW - age)
    })
}

proptest! {
    #[test]
    fn bounds_that_are_told_count_as_if_learned_at_their_moment(
        mut reports in prop::collection::vec(any_report(), 1..9), later in 0_u64..HOUR_MS * 30,
    ) {
        reports.sort_by_key(|report| report.at);
        let at = NOW + later;
        prop_assert_eq!(seen(&told(&reports), at), seen(&learned(&reports), at));
    }

    #[test]
    fn two_bounds_that_are_told_in_either_order_come_to_the_same(
        one in any_report(), other in any_report(), later in 0_u64..HOUR_MS * 30,
    ) {
        prop_assume!(one.at != other.at);
        let at = NOW + later;
        prop_assert_eq!(seen(&told(&[one, other]), at), seen(&told(&[other, one]), at));
    }

    #[test]
    fn a_bound_that_is_told_narrows_as_much_as_its_age_leaves(
        lo in 0_u64..CAPACITY.0, more in 0_u64..CAPACITY.0, half_lives in 1_u64..30,
    ) {
        let hi = (lo + more).min(CAPACITY.0);
        let knowledge = told(&[said(Some(lo), Some(hi), NOW)]);
        prop_assert_eq!(bounds(&knowledge, there(1), NOW), (lo, hi));
        prop_assert_eq!(bounds(&knowledge, there(1), NOW + HOUR_MS - 1).1, hi, "held so long");
        let left = |msat: u64| msat >> half_lives;
        let expected = (left(lo), CAPACITY.0 - left(CAPACITY.0 - hi));
        prop_assert_eq!(bounds(&knowledge, there(1), NOW + half_lives * HOUR_MS), expected);
    }

    #[test]
    fn what_one_knowledge_tells_is_the_same_in_another_and_twice_is_once(
        reports in prop::collection::vec(report(), 1..20), later in 0_u64..HOUR_MS * 30,
    ) {
        let mut knowledge = Knowledge::default();
        for (amounts, outcome, now) in reports {
            knowledge.sent(&route(&amounts));
            tell(&mut knowledge, &route(&amounts), outcome, Timestamp(now));
        }
        let at = Timestamp(HOUR_MS * 10);
        let directions = knowledge.directions();
        let all: Vec<LiquidityReport> =
            directions.flat_map(|direction| knowledge.reports(direction, at)).collect();
        let mut other = Knowledge::default();
        other.told(&all, at);
        let once = other.ways.clone();
        other.told(&all, at);
        prop_assert_eq!(&other.ways, &once);
        for direction in (1..4).flat_map(|scid| [there(scid), twin_of(there(scid))]) {
            let later = at.0 + later;
            prop_assert_eq!(
                bounds(&other, direction, later), bounds(&knowledge, direction, later)
            );
        }
    }
}
