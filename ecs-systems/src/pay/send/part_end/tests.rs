//! Rows S2 and S3.

use super::*;
use crate::{
    fixture::{
        AMOUNT, Bench, PREIMAGE, Ran, child, claim, failure, graph, here, open_part, part, payment,
        reservation, told,
    },
    port::FailureCode,
};
use payecs_planner::Policy;
use payecs_units::BlockHeight;

fn parent(open: Vec<OpenPart>) -> Write {
    here()
        .attach(&Claimed(claim()))
        .attach(&PartsOpen(open))
        .attach(&Reservation(reservation()))
        .attach(&Systems::listing(["lightningd:settle"]))
}

/// Another part of the same payment.
fn other() -> OpenPart {
    OpenPart { part_id: PartId(8), amount_msat: Msat(9), ..open_part() }
}

fn part_entity() -> Write {
    here().attach(&Part(part())).attach(&Parent(payment())).attach(&PartSent)
}

fn paid(spent: Option<u64>) -> Write {
    let spent = spent.map(Msat).map(PartSpent);
    part_entity().attach(&PaidPreimage(PREIMAGE)).attach_some(spent.as_ref())
}

fn failed(failure: Failure) -> Write {
    part_entity().attach(&PartFailure(failure))
}

fn ran(parent: Write, spec: &SystemSpec, part: Write) -> (Bench, Ran) {
    let mut bench = Bench::new().with(payment(), parent);
    let ran = bench.run_on(child(), spec, part);
    assert!(ran.matched);
    (bench, ran)
}

#[test]
fn a_part_that_arrived_is_posted_and_pays_its_payment() {
    for (others, left) in [(vec![], None), (vec![other()], Some(vec![other()]))] {
        let open = [vec![open_part()], others].concat();
        let (mut bench, ran) = ran(parent(open), &PART_PAID, paid(None));
        assert!(ran.detached_from(child(), "systems"), "the part has ended");
        let (app, fee_msat) = (&bench.app, open_part().fee_msat);
        assert_eq!(app.get::<PartsOpen>(payment()).map(|open| open.0.clone()), left);
        let paid = PaidParts { count: 1, amount_msat: AMOUNT, fee_msat, ..PaidParts::default() };
        assert_eq!(app.get::<PartsPaid>(payment()), Some(&PartsPaid(paid)));
        assert_eq!(app.get::<PaidPreimage>(payment()), Some(&PaidPreimage(PREIMAGE)));
        let (entity_ref, part_id) = (claim().claim.payment, PartId(1));
        let entry =
            LedgerEntry::PostPart { payment: entity_ref, part_id, fee_msat, circular: false };
        assert_eq!(ran.entries, [entry]);
        assert_eq!(ran.kinds(), ["planner:learn", "pay_part_end"]);
        assert_eq!(ran.effects[0].read(), Some(Learn(Lesson::Paid(part().route))));
        let ended: PartEnded = ran.effects[1].read().unwrap();
        assert_eq!((&*ended.status, ended.failure), ("success", None));
        assert_eq!(bench.woken()[0], payment());
    }
}

#[test]
fn what_arrived_adds_up() {
    let earlier = PaidParts {
        count: 2,
        amount_msat: Msat(50),
        fee_msat: Msat(3),
        overspent_msat: Msat(2),
        unbooked_msat: Msat(1),
    };
    let with = |earlier| parent(vec![open_part()]).attach(&PartsPaid(earlier));
    let (bench, _) = ran(with(earlier), &PART_PAID, paid(Some(AMOUNT.0 + 4)));
    let sum =
        PaidParts { count: 3, amount_msat: Msat(AMOUNT.0 + 50), fee_msat: Msat(7), ..earlier };
    assert_eq!(bench.app.get::<PartsPaid>(payment()), Some(&PartsPaid(sum)));

    let full = PaidParts { amount_msat: Msat(u64::MAX), ..earlier };
    assert_eq!(ran(with(full), &PART_PAID, paid(None)).1.code(), Some(-32602));
}

#[test]
fn a_fee_is_what_left_less_what_arrived_and_what_is_above_the_hold_is_told_apart() {
    let held = open_part().fee_msat.0;
    for (spent, fee, excess) in [
        (None, held, 0),
        (Some(AMOUNT.0 + held), held, 0),
        (Some(AMOUNT.0 + 1), 1, 0),
        (Some(AMOUNT.0), 0, 0),
        (Some(AMOUNT.0 - 1), 0, 0),
        (Some(0), 0, 0),
        (Some(AMOUNT.0 + held + 1), held, 1),
        (Some(u64::MAX), held, u64::MAX - AMOUNT.0 - held),
    ] {
        let told = fee_spent(&open_part(), spent.map(Msat));
        assert_eq!(told, (Msat(fee), Msat(excess)), "{spent:?}");
        let (_, ran) = ran(parent(vec![open_part()]), &PART_PAID, paid(spent));
        let LedgerEntry::PostPart { fee_msat, .. } = ran.entries[0] else { panic!("no posting") };
        assert_eq!(fee_msat, Msat(fee), "{spent:?}");
        assert_eq!(ran.entries.len(), if excess == 0 { 1 } else { 2 }, "{spent:?}");
    }
}

/// What the payment's `parts:paid` says, and what is told of the contradiction.
fn overspent(bench: Bench, by: u64) -> (PaidParts, Vec<LedgerEntry>, Contradiction, Bench) {
    let mut bench = bench.with(payment(), parent(vec![open_part()]));
    let spent = AMOUNT.0 + open_part().fee_msat.0 + by;
    let ran = bench.run_on(child(), &PART_PAID, paid(Some(spent)));
    assert!(ran.detached_from(child(), "systems"), "the part has ended");
    assert_eq!(bench.app.get::<PaidPreimage>(payment()), Some(&PaidPreimage(PREIMAGE)));
    assert!(bench.app.get::<PartsOpen>(payment()).is_none(), "no part is open");
    let told = ran.effects.iter().find_map(ecs_core::Effect::read).expect("it is told");
    (bench.app.get::<PartsPaid>(payment()).unwrap().0, ran.entries, told, bench)
}

#[test]
fn what_the_node_took_beyond_the_hold_is_booked_and_told() {
    let (paid, entries, told, _) = overspent(Bench::new(), 7);
    let fee_msat = Msat(open_part().fee_msat.0 + 7);
    let (count, amount_msat, overspent_msat) = (1, AMOUNT, Msat(7));
    let cost = PaidParts { count, amount_msat, fee_msat, overspent_msat, ..PaidParts::default() };
    assert_eq!(paid, cost);
    let (payment_ref, part_id) = (claim().claim.payment, PartId(1));
    let over = LedgerEntry::Overspend {
        payment: payment_ref,
        part_id,
        amount_msat: Msat(7),
        circular: false,
    };
    assert_eq!(entries[1..], [over]);
    assert_eq!((told.what, told.amount_msat), (Contradicts::Overspent, Msat(7)));
    assert_eq!((told.entity, told.key, told.unbooked), (payment(), part().key, None));
}

#[test]
fn what_the_books_cannot_take_is_told_and_the_payment_is_paid_all_the_same() {
    let broken = LedgerError::Invariant { what: "overdrawn".to_owned() };
    let only = |entry: &LedgerEntry| matches!(entry, LedgerEntry::Overspend { .. });
    let (paid, entries, told, _) = overspent(Bench::new().refusing_only(only, broken), 7);
    assert!(matches!(entries[..], [LedgerEntry::PostPart { .. }]), "{entries:?}");
    assert_eq!(paid.fee_msat, open_part().fee_msat);
    assert_eq!((paid.overspent_msat, paid.unbooked_msat), (Msat(7), Msat(7)));
    assert_eq!(told.unbooked.map(|error| error.code), Some(2320));
}

#[test]
fn a_circle_is_posted_as_one() {
    let (_, ran) = ran(parent(vec![open_part()]).attach(&Circular), &PART_PAID, paid(None));
    assert!(matches!(ran.entries[0], LedgerEntry::PostPart { circular: true, .. }));
}

#[test]
fn a_part_that_failed_is_voided_and_its_payment_told() {
    for (others, left) in [(vec![], None), (vec![other()], Some(vec![other()]))] {
        let open = [vec![open_part()], others].concat();
        let (mut bench, ran) = ran(parent(open), &PART_FAILED, failed(failure()));
        assert!(ran.detached_from(child(), "systems"));
        let app = &bench.app;
        assert_eq!(app.get::<PartsOpen>(payment()).map(|open| open.0.clone()), left);
        let PartsFailed(parts) = app.get::<PartsFailed>(payment()).unwrap();
        assert_eq!((parts.len(), parts[0].amount_msat, parts[0].permanent), (1, AMOUNT, false));
        assert_eq!(app.get::<Reservation>(payment()).unwrap().0.parts_failed, 1);
        assert!(app.get::<PaidPreimage>(payment()).is_none());
        let (entity_ref, part_id) = (claim().claim.payment, PartId(1));
        assert_eq!(ran.entries, [LedgerEntry::VoidPart { payment: entity_ref, part_id }]);
        assert_eq!(ran.kinds(), ["pay_part_end", "planner:learn"]);
        let lesson = Learn(Lesson::Failed(part().route, failure()));
        assert_eq!(ran.effects[1].read(), Some(lesson));
        assert_eq!(bench.woken()[0], payment());
    }
}

#[test]
fn only_the_payee_fails_a_part_for_good() {
    let by = |index, failcode| Failure { erring_index: Some(index), failcode, ..failure() };
    for (failure, permanent) in [
        (by(2, FailureCode::IncorrectOrUnknownPaymentDetails), true),
        (by(2, FailureCode::MppTimeout), false),
        (by(1, FailureCode::UnknownNextPeer), false),
        (by(0, FailureCode::TemporaryChannelFailure), false),
    ] {
        let (bench, _) = ran(parent(vec![open_part()]), &PART_FAILED, failed(failure));
        assert_eq!(bench.app.get::<PartsFailed>(payment()).unwrap().0[0].permanent, permanent);
    }
}

#[test]
fn a_part_that_never_left_teaches_nothing() {
    let write = failed(failure()).detach::<PartSent>();
    let (_, ran) = ran(parent(vec![open_part()]), &PART_FAILED, write);
    assert_eq!(ran.kinds(), ["pay_part_end"]);
}

#[test]
fn failed_parts_queue_up_until_they_are_learned_from() {
    let first = FailedPart {
        part_id: PartId(8),
        amount_msat: Msat(9),
        permanent: false,
        awaits_height: None,
        failure: failure(),
    };
    let parent = parent(vec![open_part()]).attach(&PartsFailed(vec![first.clone()]));
    let (bench, _) = ran(parent, &PART_FAILED, failed(failure()));
    let PartsFailed(parts) = bench.app.get::<PartsFailed>(payment()).unwrap();
    assert_eq!((parts.len(), &parts[0]), (2, &first));
}

#[test]
fn an_end_that_belongs_to_no_open_part_writes_nothing() {
    for (spec, part) in [(&PART_PAID, paid(None)), (&PART_FAILED, failed(failure()))] {
        let (_, twice) = ran(parent(vec![other()]), spec, part.clone());
        assert_eq!(twice.code(), Some(-32602), "not open there");
        assert!(twice.entries.is_empty() && twice.names_on(payment()).is_empty());

        let gone = Bench::new().run_on(child(), spec, part);
        assert_eq!(gone.code(), Some(-32602), "the payment is gone");
        assert!(gone.entries.is_empty());
    }
}

/// The hub refuses: it asks for that much more.
fn dearer(by: u64) -> Failure {
    let hop = part().route.hops[1].clone();
    let policy = graph().policy(hop.short_channel_id_dir).unwrap().clone();
    let policy = Policy { fee_base_msat: Msat(policy.fee_base_msat.0 + by), ..policy };
    let local = Failure::local(Some(&hop), FailureCode::FeeInsufficient);
    Failure { erring_index: Some(1), update: Some(policy), ..local }
}

#[test]
fn what_a_failed_part_tells_is_its_payments_and_adds_up() {
    let unread = Failure { erring_index: None, failcode: FailureCode::Unreadable, ..failure() };
    let narrow = Failure { erring_index: Some(1), ..failure() };
    let ours = failure();
    for (failure, policies, avoided) in
        [(dearer(7), 1, 0), (unread, 0, 1), (narrow, 0, 0), (ours, 0, 1)]
    {
        let (bench, _) = ran(parent(vec![open_part()]), &PART_FAILED, failed(failure.clone()));
        let told = bench.app.get::<Told>(payment()).map(|told| told.0.clone());
        assert_eq!(told.is_some(), policies + avoided > 0, "{failure:?}");
        let told = told.unwrap_or_default();
        assert_eq!((told.policies.len(), told.avoided.len()), (policies, avoided));
        assert!(bench.app.get::<Told>(child()).is_none());
    }
    let earlier = parent(vec![open_part()]).attach(&Told(told()));
    let (bench, _) = ran(earlier, &PART_FAILED, failed(dearer(7)));
    let Told(now) = bench.app.get(payment()).unwrap();
    assert_eq!(now.avoided, told().avoided, "what was told before stays");
    assert_eq!((now.policies.len(), now.policies[0].times), (1, 2));
}

#[test]
fn a_part_that_never_left_tells_nothing() {
    let write = failed(dearer(7)).detach::<PartSent>();
    let (bench, _) = ran(parent(vec![open_part()]), &PART_FAILED, write);
    assert!(bench.app.get::<Told>(payment()).is_none());
}

#[test]
fn a_payee_that_sees_a_greater_height_fails_a_part_for_now() {
    let details = FailureCode::IncorrectOrUnknownPaymentDetails;
    for (ahead, awaited) in [(0, false), (1, true), (145, false)] {
        let height = Some(BlockHeight(part().height.0 + ahead));
        let failure = Failure { erring_index: Some(2), failcode: details, height, ..failure() };
        let (bench, _) = ran(parent(vec![open_part()]), &PART_FAILED, failed(failure));
        let failed = &bench.app.get::<PartsFailed>(payment()).unwrap().0[0];
        assert_eq!(failed.permanent, !awaited, "{ahead}");
        assert_eq!(failed.awaits_height, height.filter(|_| awaited), "{ahead}");
    }
}
