//! Row 29.

use super::*;
use crate::{
    components::{OpenPart, PaidParts, Remaining},
    fixture::{AMOUNT, BUDGET, Bench, NOW_MS, Ran, closed, here, open_part, payment, reservation},
};
use ecs_core::{Json, Write};
use payecs_units::{BlockHeight, PartId};
use std::num::NonZeroU32;

fn reserved() -> Write {
    here().attach(&Reservation(reservation())).attach(&Remaining(AMOUNT))
}

fn ran(bench: Bench, write: Write) -> (Ran, Option<AttemptFacts>) {
    let mut bench = bench;
    let ran = bench.run(&START_ATTEMPT, write);
    let attempt = bench.app.get::<Attempt>(payment()).map(|attempt| attempt.0);
    (ran, attempt)
}

#[test]
fn an_attempt_has_what_is_left_of_everything() {
    let (ran, attempt) = ran(Bench::new(), reserved());
    assert_eq!(ran.names(), ["attempt"]);
    let expected = AttemptFacts {
        n: 1,
        fee_left_msat: BUDGET,
        delay_left_blocks: Blocks(2_016),
        parts_left: 16,
    };
    assert_eq!(attempt, Some(expected));
}

#[test]
fn while_nothing_new_is_taken_on_no_attempt_starts() {
    for intake in closed() {
        let (ran, attempt) = ran(Bench::new().intake(intake), reserved());
        assert_eq!((ran.code(), attempt), (Some(INTAKE_CLOSED), None), "{intake:?}");
    }
}

#[test]
fn no_attempt_starts_from_the_deadline_on() {
    for (deadline, starts) in [(NOW_MS + 1, true), (NOW_MS, false), (NOW_MS - 1, false)] {
        let write = reserved().attach(&Deadline(Timestamp(deadline)));
        let (ran, attempt) = ran(Bench::new(), write);
        assert_eq!(attempt.is_some(), starts, "{deadline}");
        assert_eq!(ran.code(), (!starts).then_some(PAY_STOPPED_RETRYING));
    }
}

#[test]
fn no_attempt_starts_within_ten_seconds_of_the_expiry() {
    const NOW: u64 = NOW_MS / 1_000;
    for (expires_at, starts) in
        [(NOW + 11, true), (NOW + 10, true), (NOW + 9, false), (NOW, false), (0, false)]
    {
        let (ran, attempt) = ran(Bench::new(), reserved().attach(&InvoiceExpiresAt(expires_at)));
        assert_eq!(attempt.is_some(), starts, "{expires_at}");
        assert_eq!(ran.code(), (!starts).then_some(PAY_INVOICE_EXPIRED));
    }
}

#[test]
fn the_deadline_is_asked_before_the_expiry() {
    let write = reserved().attach(&Deadline(Timestamp(0))).attach(&InvoiceExpiresAt(0));
    assert_eq!(ran(Bench::new(), write).0.code(), Some(PAY_STOPPED_RETRYING));
}

#[test]
fn no_attempt_starts_after_the_last_round() {
    for (rounds, starts) in [(0, true), (2, true), (3, false), (4, false), (u32::MAX, false)] {
        let bench = Bench::new().policy(|policy| policy.rounds_max = 3);
        let facts = ReservationFacts { rounds, ..reservation() };
        let (ran, attempt) =
            ran(bench, here().attach(&Reservation(facts)).attach(&Remaining(AMOUNT)));
        assert_eq!(attempt.map(|attempt| attempt.n), starts.then_some(rounds.wrapping_add(1)));
        assert_eq!(ran.code(), (!starts).then_some(PAY_UNSPECIFIED_ERROR), "{rounds}");
        let facts = (!starts).then(|| Json::of(&json!({ "rounds": rounds })));
        assert_eq!(ran.facts(), facts.unwrap_or_else(Json::null));
    }
}

#[test]
fn no_attempt_starts_on_a_node_that_is_behind() {
    for (synced, age_ms, starts) in [
        (true, 0, true),
        (true, HEIGHT_AGE_MS_MAX, true),
        (true, HEIGHT_AGE_MS_MAX + 1, false),
        (false, 0, false),
    ] {
        let bench = Bench::new().node(|node| {
            (node.synced, node.height_at) = (synced, Timestamp(NOW_MS - age_ms));
        });
        let (ran, attempt) = ran(bench, reserved());
        assert_eq!(attempt.is_some(), starts, "{synced} {age_ms}");
        assert_eq!(ran.code(), (!starts).then_some(PAY_UNSPECIFIED_ERROR));
    }
    let ahead = Bench::new().node(|node| node.height_at = Timestamp(NOW_MS + 5));
    assert!(ran(ahead, reserved()).1.is_some(), "a block from the future is young");
}

fn open(count: u32, fee_msat: u64) -> PartsOpen {
    let part = |n| OpenPart { part_id: PartId(n), fee_msat: Msat(fee_msat), ..open_part() };
    PartsOpen((0..count).map(|n| part(n.into())).collect())
}

#[test]
fn parts_that_are_out_count_against_parts_and_fees() {
    for (open_count, fee, paid_fee, maxparts, parts_left, fee_left) in [
        (1, 1_000, 0, 16, 15, 4_000),
        (2, 1_000, 500, 16, 14, 2_500),
        (15, 10, 0, 16, 1, 4_850),
        (1, 5_000, 0, 2, 1, 0),
        (1, 5_001, 0, 2, 1, 0),
        (1, 4_000, 2_000, 2, 1, 0),
    ] {
        let paid = PaidParts {
            count: 1,
            amount_msat: Msat(1),
            fee_msat: Msat(paid_fee),
            ..PaidParts::default()
        };
        let write = reserved()
            .attach(&open(open_count, fee))
            .attach(&PartsPaid(paid))
            .attach(&MaxParts(NonZeroU32::new(maxparts).unwrap()));
        let attempt = ran(Bench::new(), write).1.unwrap();
        assert_eq!(attempt.parts_left, parts_left, "{open_count}");
        assert_eq!(attempt.fee_left_msat, Msat(fee_left), "{open_count} {fee} {paid_fee}");
    }
}

#[test]
fn an_attempt_waits_while_as_many_parts_are_out_as_may_be() {
    for (open_count, maxparts) in [(1, 1), (2, 1), (16, 16)] {
        let write = reserved()
            .attach(&open(open_count, 1))
            .attach(&MaxParts(NonZeroU32::new(maxparts).unwrap()));
        let (ran, attempt) = ran(Bench::new(), write);
        assert!(ran.matched && ran.names().is_empty(), "{open_count} of {maxparts}");
        assert_eq!(attempt, None);
    }
}

#[test]
fn fees_that_overflow_are_refused() {
    let (ran, _) = ran(Bench::new(), reserved().attach(&open(2, u64::MAX)));
    assert_eq!(ran.code(), Some(-32602));
}

#[test]
fn the_delay_is_the_callers_or_the_default() {
    for (given, blocks) in [(None, 2_016), (NonZeroU32::new(1), 1), (NonZeroU32::new(144), 144)] {
        let attempt = ran(Bench::new(), reserved().attach_some(given.map(MaxDelay).as_ref())).1;
        assert_eq!(attempt.unwrap().delay_left_blocks, Blocks(blocks));
    }
}

#[test]
fn no_attempt_starts_before_our_node_sees_the_height_that_the_payee_sees() {
    for (height, starts) in [(800_001, false), (800_000, true), (799_999, true)] {
        let mut bench = Bench::new();
        let awaited = HeightAwaited(BlockHeight(height));
        let ran = bench.run(&START_ATTEMPT, reserved().attach(&awaited));
        assert!(ran.matched);
        assert_eq!(bench.app.get::<Attempt>(payment()).is_some(), starts, "{height}");
        assert_eq!(ran.detached("height:awaited"), starts, "{height}");
        assert_eq!(ran.code(), None, "{height}");
    }
}

#[test]
fn the_deadline_ends_the_wait_for_a_height() {
    let write = reserved()
        .attach(&HeightAwaited(BlockHeight(800_001)))
        .attach(&Deadline(Timestamp(NOW_MS)));
    assert_eq!(ran(Bench::new(), write).0.code(), Some(PAY_STOPPED_RETRYING));
}
