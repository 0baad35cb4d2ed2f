//! Row 33.

use super::*;
use crate::components::ReservationFacts;
use crate::{
    components::{MainPayment, PaidParts},
    fixture::{AMOUNT, Bench, HASH_TEXT, PREIMAGE, Ran, claim, here, payment, reservation},
};
use ecs_core::{ErrorObject, Json, Write};
use payecs_units::PaymentHash;

fn paid() -> Write {
    here()
        .attach(&MainPayment(Json::yes()))
        .attach(&PaidPreimage(PREIMAGE))
        .attach(&PayHash(PREIMAGE.hash()))
        .attach(&Amount(AMOUNT))
}

fn parts() -> PartsPaid {
    PartsPaid(PaidParts { count: 3, amount_msat: AMOUNT, fee_msat: Msat(1_010) })
}

fn ran(write: Write) -> (Bench, Ran) {
    let mut bench = Bench::new();
    let ran = bench.run(&SETTLE, write);
    assert!(ran.matched);
    (bench, ran)
}

#[test]
fn a_payment_that_is_paid_ends_with_fee_status_and_entry() {
    let facts = ReservationFacts { parts_failed: 2, ..reservation() };
    let write = paid().attach(&Claimed(claim())).attach(&parts()).attach(&Reservation(facts));
    let (_, ran) = ran(write);
    assert_eq!(ran.names(), ["fee", "ledger", "status", "systems", "systems:final"]);
    assert!(ran.detached("systems"));
    assert_eq!(ran.attached("fee"), Some("\"1010msat\""));
    assert_eq!(ran.attached("status"), Some("\"complete\""));
    assert_eq!(ran.attached("ledger"), Some(&*format!("\"{HASH_TEXT}/9\"")));
    let (payment_ref, fee_msat) = (claim().claim.payment, Msat(1_010));
    let complete = LedgerEntry::Complete { payment: payment_ref, preimage: PREIMAGE, fee_msat };
    assert_eq!(ran.entries, [complete]);
    let told: PaySuccess = ran.effects[0].read().unwrap();
    assert_eq!((told.successful_parts, told.failed_parts), (3, 2));
    assert_eq!((told.amount_msat, told.fee_msat), (AMOUNT, fee_msat));
    assert!(!ran.effects[0].body.text().contains(&PREIMAGE.reveal()), "no preimage is told");
}

#[test]
fn a_payment_without_parts_cost_nothing() {
    let (_, ran) = ran(paid().attach(&Claimed(claim())));
    assert_eq!(ran.attached("fee"), Some("\"0msat\""));
    let told: PaySuccess = ran.effects[0].read().unwrap();
    assert_eq!((told.successful_parts, told.failed_parts), (0, 0));
}

#[test]
fn paid_wins_over_failing() {
    let failing = Failing(ErrorObject::new(210, "time is up"));
    let (bench, ran) = ran(paid().attach(&Claimed(claim())).attach(&failing));
    assert!(ran.detached("failing"));
    assert!(bench.app.get::<ecs_core::Failed>(payment()).is_none());
}

#[test]
fn what_was_paid_before_is_answered_and_not_booked_again() {
    let write = paid().attach(&Replayed).attach(&FeePaid(Msat(7)));
    let (bench, ran) = ran(write);
    assert!(ran.entries.is_empty());
    assert_eq!(bench.app.get::<FeePaid>(payment()), Some(&FeePaid(Msat(7))));
    assert_eq!(ran.attached("status"), Some("\"complete\""));
    assert_eq!(ran.attached("ledger"), None);
    let told: PaySuccess = ran.effects[0].read().unwrap();
    assert_eq!(told.fee_msat, Msat(7));
}

#[test]
fn a_fee_that_nobody_replays_is_computed_anew() {
    let write = paid().attach(&Claimed(claim())).attach(&FeePaid(Msat(7))).attach(&parts());
    assert_eq!(ran(write).1.attached("fee"), Some("\"1010msat\""));
}

#[test]
fn a_preimage_without_a_claim_is_refused() {
    assert_eq!(ran(paid()).1.code(), Some(-32602));
}

#[test]
fn a_preimage_of_another_hash_settles_nothing() {
    let write = paid().attach(&Claimed(claim())).attach(&PayHash(PaymentHash([9; 32])));
    let (bench, ran) = ran(write);
    assert!(ran.entries.is_empty() && ran.effects.is_empty());
    assert!(bench.app.get::<FeePaid>(payment()).is_none());
}

#[test]
fn nothing_settles_while_a_part_is_open_or_unlearned() {
    for name in SETTLE.disallowed {
        let write = paid().attach(&Claimed(claim()));
        let write = write.attach_json(*name, crate::fixture::sample(name));
        assert!(!Bench::new().run(&SETTLE, write).matched, "{name}");
    }
}
