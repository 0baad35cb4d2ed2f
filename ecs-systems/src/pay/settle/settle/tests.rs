//! Row 33.

use super::*;
use crate::{components::ReservationFacts, port::LedgerError};
use crate::{
    components::{FeeBudget, MainPayment, PaidParts, Preapproved},
    fixture::{AMOUNT, Bench, HASH_TEXT, PREIMAGE, Ran, claim, here, payment, reservation},
    pay::limit::policy::POLICY,
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
    PartsPaid(PaidParts {
        count: 3,
        amount_msat: AMOUNT,
        fee_msat: Msat(1_010),
        overspent_msat: Msat(6),
        unbooked_msat: Msat(4),
    })
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
    let complete = LedgerEntry::Complete {
        payment: payment_ref,
        preimage: PREIMAGE,
        fee_msat,
        successful_parts: 3,
        failed_parts: 2,
        amount_msat: Some(AMOUNT),
    };
    assert_eq!(ran.entries, [complete]);
    let told: PaySuccess = ran.effects[0].read().unwrap();
    assert_eq!((told.successful_parts, told.failed_parts), (3, 2));
    assert_eq!((told.amount_msat, told.fee_msat), (AMOUNT, fee_msat));
    assert_eq!((told.overspent_msat, told.unbooked_msat), (Msat(6), Msat(4)));
    assert!(!ran.effects[0].body.text().contains(&PREIMAGE.reveal()), "no preimage is told");
}

#[test]
fn what_the_payee_got_is_what_arrived() {
    let PartsPaid(all) = parts();
    let less = Msat(AMOUNT.0 / 3);
    let some = PartsPaid(PaidParts { count: 1, amount_msat: less, ..all });
    let (_, ran) = ran(paid().attach(&Claimed(claim())).attach(&some));
    let told: PaySuccess = ran.effects[0].read().unwrap();
    assert_eq!(told.amount_msat, less);
    let [LedgerEntry::Complete { amount_msat, .. }] = ran.entries[..] else { panic!("one end") };
    assert_eq!(amount_msat, Some(less));
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
    assert_eq!(ran.code(), Some(2320));
    assert!(ran.entries.is_empty() && ran.effects.is_empty());
    assert!(bench.app.get::<FeePaid>(payment()).is_none());
}

#[test]
fn books_that_disagree_refuse_the_end_with_2320_and_the_proof_stays() {
    let broken = LedgerError::Invariant { what: "1 parts are open".to_owned() };
    let mut bench = Bench::new().refusing(broken);
    let ran = bench.run(&SETTLE, paid().attach(&Claimed(claim())).attach(&parts()));
    assert_eq!(ran.code(), Some(2320), "{}", ran.message());
    assert_eq!(ran.names(), ["failing"], "nothing else is written");
    assert!(ran.effects.is_empty() && ran.entries.is_empty());
    assert_eq!(bench.app.get::<PaidPreimage>(payment()), Some(&PaidPreimage(PREIMAGE)));
    while bench.app.run_one().is_some() {}
    assert!(bench.app.get::<ecs_core::Failed>(payment()).is_none(), "it is not called unpaid");
}

#[test]
fn a_question_to_an_operator_ends_with_the_payment() {
    let mut bench = Bench::new().policy(|policy| policy.ask_above_msat = Some(Msat::ZERO));
    let write = paid().attach(&Claimed(claim())).attach(&FeeBudget(Msat::ZERO));
    let asked = bench.run(&POLICY, write.clone().detach::<PaidPreimage>().attach(&Preapproved));
    assert!(asked.attached("approval:asked").is_some());
    assert_eq!(bench.app.outstanding(payment()).len(), 1, "its timer");
    bench.run(&SETTLE, write.attach(&Systems::listing([SETTLE.name])));
    assert_eq!(bench.app.outstanding(payment()), []);
}

#[test]
fn nothing_settles_while_a_part_is_open_or_unlearned() {
    for name in SETTLE.disallowed {
        let write = paid().attach(&Claimed(claim()));
        let write = write.attach_json(*name, crate::fixture::sample(name));
        assert!(!Bench::new().run(&SETTLE, write).matched, "{name}");
    }
}
