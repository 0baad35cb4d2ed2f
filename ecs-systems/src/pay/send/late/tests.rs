//! Row S4.

use super::*;
use crate::{
    components::{Claimed, PartFailure, PartSent},
    effects::Contradiction,
    fixture::{AMOUNT, Bench, PREIMAGE, Ran, child, claim, failure, here, part, payment},
    port::{Claim, PaymentRef},
};
use ecs_core::EntityId;
use payecs_units::{GroupId, PartId};

/// What the part left us with, as the node says.
const LEFT_US: Msat = Msat(AMOUNT.0 + 1_234);

fn running() -> Write {
    here().attach(&Claimed(claim())).attach(&Systems::listing(["lightningd:settle"]))
}

fn ended() -> Write {
    here().attach(&Claimed(claim()))
}

fn late() -> Write {
    here()
        .attach(&Part(part()))
        .attach(&Parent(payment()))
        .attach(&PartSent)
        .attach(&PartFailure(failure()))
        .attach(&PaidPreimage(PREIMAGE))
        .attach(&PartSpent(LEFT_US))
}

fn ran(bench: Bench, parent: Write) -> (Bench, Ran, Contradiction) {
    let mut bench = bench.with(payment(), parent);
    let ran = bench.run_on(child(), &PART_LATE, late());
    assert!(ran.matched && ran.detached_from(child(), "systems"), "the part has ended");
    assert_eq!(bench.app.get::<PaidPreimage>(payment()), Some(&PaidPreimage(PREIMAGE)));
    let told = ran.effects[0].read().expect("it is told");
    assert!(!ran.effects[0].body.text().contains(&PREIMAGE.reveal()), "no preimage is told");
    (bench, ran, told)
}

fn line() -> LedgerEntry {
    let (payment, part_id, fee_msat) = (claim().claim.payment, PartId(1), Msat(1_234));
    LedgerEntry::LatePart { payment, part_id, fee_msat, circular: false }
}

fn proof() -> LedgerEntry {
    LedgerEntry::Prove { payment: claim().claim.payment, preimage: PREIMAGE }
}

#[test]
fn a_payment_that_runs_is_paid_and_goes_on_to_settle() {
    for (remaining, left) in [(None, None), (Some(AMOUNT.0), None), (Some(AMOUNT.0 + 5), Some(5))] {
        let parent = running().attach_some(remaining.map(Msat).map(Remaining).as_ref());
        let (mut bench, ran, told) = ran(Bench::new(), parent);
        assert_eq!(ran.entries, [line()]);
        let paid = bench.app.get::<PartsPaid>(payment()).unwrap().0;
        assert_eq!((paid.count, paid.amount_msat, paid.fee_msat), (1, AMOUNT, Msat(1_234)));
        assert_eq!(bench.app.get::<Remaining>(payment()).map(|it| it.0), left.map(Msat));
        assert_eq!(bench.woken().first(), Some(&payment()));
        assert_eq!((told.what, told.amount_msat), (Contradicts::PaidAfterFailed, LEFT_US));
        assert_eq!((told.entity, told.unbooked), (payment(), None));
    }
}

#[test]
fn a_payment_that_has_ended_keeps_its_outcome_and_gets_the_proof() {
    let parent = ended().attach(&Remaining(Msat(9)));
    let (mut bench, ran, _) = ran(Bench::new(), parent);
    assert_eq!(ran.entries, [proof(), line()]);
    assert_eq!(ran.names_on(payment()), ["parts:paid", "preimage"]);
    assert_eq!(bench.woken(), []);
}

#[test]
fn a_hash_counts_as_paid_even_where_the_books_cannot_take_the_part() {
    let broken = || crate::port::LedgerError::Invariant { what: "overdrawn".to_owned() };
    let part = |entry: &LedgerEntry| matches!(entry, LedgerEntry::LatePart { .. });
    for (parent, only, lines) in [
        (ended(), part as fn(&LedgerEntry) -> bool, vec![proof()]),
        (running(), part, vec![]),
        (ended(), |_| true, vec![]),
    ] {
        let (bench, ran, told) = ran(Bench::new().refusing_only(only, broken()), parent);
        assert_eq!(ran.entries, lines);
        let paid = bench.app.get::<PartsPaid>(payment()).unwrap().0;
        assert_eq!((paid.fee_msat, paid.unbooked_msat), (Msat::ZERO, LEFT_US));
        assert_eq!(told.unbooked.map(|error| error.code), Some(2320));
    }
}

#[test]
fn another_payment_of_the_hash_that_runs_is_told_and_one_that_ended_is_not() {
    let other = EntityId::new(9).unwrap();
    let again = PaymentRef { group_id: GroupId(77), ..claim().claim.payment };
    let claimed = Claim { payment: again, entity: other, ..claim().claim };
    for (write, told) in [(running(), true), (ended(), false)] {
        let bench = Bench::new().with(other, write).claimed(claimed.clone(), ClaimState::Open);
        let (mut bench, _, _) = ran(bench, ended());
        assert_eq!(bench.app.get::<PaidPreimage>(other).is_some(), told);
        assert_eq!(bench.woken().first(), told.then_some(&other));
    }
}

#[test]
fn a_late_part_of_nobody_books_nothing() {
    let ran = Bench::new().run_on(child(), &PART_LATE, late());
    assert_eq!(ran.code(), Some(-32602));
    assert!(ran.entries.is_empty());
}
