//! Sets that cross channels, and sets that cross none.

use super::*;
use crate::{
    components::{
        Circular, Hold, OpenPart, Part, PartFacts, PartsOpen, ReceivedHtlc, Reject, SecretKnown,
        SetComplete,
    },
    fixture::{AMOUNT, Bench, NOW_MS, PREIMAGE, Ran, child, claim, here, part, payment, set},
    port::{ClaimState, LedgerError, Receipt, ReceiptState, SetShare},
    receive::{
        apply_reject::APPLY_REJECT,
        fixture::{bare_set, htlc, receipt, received, set_entity},
        hold_set::HOLD_SET,
    },
};
use ecs_core::{Systems, Write};
use payecs_planner::Route;
use payecs_units::Msat;

fn paying() -> Bench {
    let parent = here()
        .attach(&Claimed(claim()))
        .attach(&SelfAsked(child()))
        .attach(&Systems::listing(["acme:none"]));
    Bench::new().with(payment(), parent)
}

fn without_channel() -> Write {
    here().attach(&Set(set())).attach(&Parent(payment())).attach(&SetComplete).attach(&SecretKnown)
}

#[test]
fn a_set_without_a_channel_is_judged_booked_and_its_receipt_settled_in_one_record() {
    let mut bench = paying().receipt(receipt());
    let ran = bench.run_on(child(), &SETTLE_SET, without_channel());
    assert_eq!(ran.names(), ["preimage", "set:claimed", "set:settling"]);
    let payment_ref = claim().claim.payment;
    let paid = Some(PaidReceipt { amount_msat: AMOUNT, circular: false, label: None });
    let entry = LedgerEntry::SelfPay { payment: payment_ref, amount_msat: AMOUNT, paid };
    assert_eq!(ran.entries, [entry]);
    let shelved = bench.shelf.0.lock().unwrap();
    assert_eq!(shelved.settled, [(PREIMAGE.hash(), AMOUNT)]);
    assert!(ran.names_on(payment()).is_empty(), "the payment hears of it in the next record");
}

#[test]
fn while_books_are_reconciled_no_preimage_leaves_and_what_is_held_waits() {
    let intake = Intake { reconciling: true, ..Intake::default() };
    let bench = || Bench::new().receipt(receipt()).intake(intake);
    let (app, ran) = settled(bench(), complete());
    assert_eq!(ran.names(), ["refusing"]);
    assert_eq!(app.app.get::<Refusing>(set_entity()), Some(&Refusing(PayeeFailure::TIMEOUT)));
    assert!(ran.effects.is_empty() && ran.entries.is_empty());
    let mut held = bench().with(payment(), here().attach(&htlc()));
    held.run_on(set_entity(), &HOLD_SET, complete().attach(&Hold));
    let ran = held.run_on(set_entity(), &SETTLE_SET, here().detach::<Hold>());
    assert_eq!((ran.names(), ran.effects.len(), ran.entries.len()), (vec![], 0, 0));
    let ran = paying().receipt(receipt()).intake(intake);
    let ran = { ran }.run_on(child(), &SETTLE_SET, without_channel());
    assert_eq!(ran.names(), ["refusing"]);
}

#[test]
fn a_disk_that_is_nearly_full_gives_nothing_back_that_has_come() {
    let intake = Intake { disk_low: true, ..Intake::default() };
    let (_, ran) = settled(Bench::new().receipt(receipt()).intake(intake), complete());
    assert_eq!(ran.names(), ["preimage", "set:settling"]);
}

/// The HTLC is on [`payment`], the set on its own Entity.
fn complete() -> Write {
    bare_set().attach(&received(AMOUNT.0)).attach(&SetComplete).attach(&SecretKnown)
}

fn settled(bench: Bench, write: Write) -> (Bench, Ran) {
    let mut bench = bench.with(payment(), here().attach(&htlc()));
    let ran = bench.run_on(set_entity(), &SETTLE_SET, write);
    (bench, ran)
}

#[test]
fn a_set_over_channels_is_pending_in_the_record_that_lets_its_preimage_leave() {
    let (bench, ran) = settled(Bench::new().receipt(receipt()), complete());
    assert_eq!(ran.names(), ["preimage", "set:settling"]);
    let name = crate::receive::fixture::set().reference(set_entity());
    let share = SetShare { htlc: htlc().0.htlc, amount_msat: AMOUNT, own_msat: Msat::ZERO };
    let entry = LedgerEntry::SettleSet { set: name, htlcs: vec![share], payer: None };
    assert_eq!(ran.entries, [entry]);
    let SettleHtlcs { htlcs } = ran.effects[0].read().unwrap();
    assert_eq!(htlcs, [htlc().0.htlc]);
    assert!(!ran.effects[0].body.text().contains(&PREIMAGE.reveal()), "it stays in its Component");
    assert!(bench.app.is_busy(set_entity()), "until the node confirms every HTLC");
    let shelved = bench.shelf.0.lock().unwrap();
    assert_eq!(shelved.receipt.as_ref().unwrap().state, ReceiptState::Settling);
    assert!(shelved.settled.is_empty(), "paid once the node confirms");
}

#[test]
fn the_set_is_judged_by_the_moment_of_its_first_htlc() {
    let first_at = NOW_MS - 60_000;
    for (expires_at, taken) in [(first_at + 1, true), (first_at, false)] {
        let receipt = Receipt { expires_at: Timestamp(expires_at), ..receipt() };
        let (_, ran) = settled(Bench::new().receipt(receipt), complete());
        assert_eq!(ran.code(), (!taken).then_some(PAY_DESTINATION_PERM_FAIL));
        assert_eq!(ran.entries.len(), usize::from(taken));
    }
}

#[test]
fn no_preimage_leaves_unless_every_htlc_has_more_than_12_blocks_left() {
    for (height, name) in [(800_087, "set:settling"), (800_088, "refusing")] {
        let bench = Bench::new().receipt(receipt());
        let bench = bench.node(|node| node.height = BlockHeight(height));
        let (bench, ran) = settled(bench, complete());
        assert!(ran.names().contains(&name), "{height} {:?}", ran.names());
        let refused = bench.app.get::<Refusing>(set_entity());
        assert!(refused.is_none_or(|it| *it == Refusing(PayeeFailure::DETAILS)));
        assert_eq!(refused.is_some(), ran.effects.is_empty() && ran.entries.is_empty());
    }
    let Htlc(late) = htlc();
    let mut facts = received(1).0;
    let later = BlockHeight(late.cltv_expiry.0 - 1);
    facts.htlcs.push(ReceivedHtlc { cltv_expiry: later, ..facts.htlcs[0] });
    assert!(keeps_margin(&facts, BlockHeight(800_086)));
    assert!(!keeps_margin(&facts, BlockHeight(800_087)), "the earliest counts");
}

#[test]
fn a_set_that_is_rejected_is_given_back_in_whatever_order_its_systems_stand() {
    let orders = [
        [SETTLE_SET.name, APPLY_REJECT.name].as_slice(),
        &[APPLY_REJECT.name, SETTLE_SET.name],
        &[SETTLE_SET.name],
    ];
    for order in orders {
        let systems = Systems::listing(order.iter().copied());
        let write = complete().attach(&Reject(PayeeFailure::DETAILS)).attach(&systems);
        let (mut bench, _) = settled(Bench::new().receipt(receipt()), write);
        bench.woken();
        assert_eq!(bench.app.get::<Refusing>(set_entity()), Some(&Refusing(PayeeFailure::DETAILS)));
        assert!(bench.app.get::<SetSettling>(set_entity()).is_none(), "{order:?}");
        let shelved = bench.shelf.0.lock().unwrap();
        assert_eq!(shelved.receipt.as_ref().unwrap().state, ReceiptState::Unpaid);
    }
}

/// A circular payment of ours whose one part comes back over that channel with that amount.
fn circular(bench: Bench, channel: u64, msat: u64) -> (Bench, EntityId) {
    let [payer, of_part] = [7, 8].map(|number| EntityId::new(number).unwrap());
    let mut facts = claim();
    facts.claim.entity = payer;
    let mut route = Route { ..part().route };
    let last = route.hops.last_mut().unwrap();
    last.short_channel_id_dir.scid = payecs_units::ShortChannelId(channel);
    last.amount_msat = Msat(msat);
    let open = OpenPart { entity: of_part, ..crate::fixture::open_part() };
    let bench = bench
        .claimed(facts.claim.clone(), ClaimState::Open)
        .with(
            payer,
            here().attach(&Circular).attach(&Claimed(facts)).attach(&PartsOpen(vec![open])),
        )
        .with(of_part, here().attach(&Part(PartFacts { route, ..part() })));
    (bench, payer)
}

#[test]
fn what_is_our_own_part_is_booked_for_the_payment_that_waits_for_the_set() {
    let (bench, payer) = circular(Bench::new().receipt(receipt()), 10, AMOUNT.0 - 1);
    let (bench, ran) = settled(bench, complete());
    let Some(LedgerEntry::SettleSet { htlcs, payer: booked, .. }) = ran.entries.first() else {
        panic!("{:?}", ran.entries);
    };
    assert_eq!((htlcs[0].own_msat, *booked), (Msat(AMOUNT.0 - 1), Some(claim().claim.payment)));
    assert_eq!(bench.app.get::<SelfAsked>(payer), Some(&SelfAsked(set_entity())));
    assert_eq!(bench.app.get::<Parent>(set_entity()), Some(&Parent(payer)));
}

#[test]
fn an_htlc_that_is_no_part_of_ours_is_income_even_while_a_circular_payment_is_out() {
    let (bench, payer) = circular(Bench::new().receipt(receipt()), 11, AMOUNT.0);
    let (bench, ran) = settled(bench, complete());
    let Some(LedgerEntry::SettleSet { htlcs, payer: booked, .. }) = ran.entries.first() else {
        panic!("{:?}", ran.entries);
    };
    assert_eq!((htlcs[0].own_msat, *booked), (Msat::ZERO, None));
    assert!(bench.app.get::<SelfAsked>(payer).is_none());
}

#[test]
fn a_set_whose_receipt_is_no_longer_payable_is_refused() {
    use ReceiptState::{Cancelled, Paid, Settling};
    for state in [None, Some(Paid), Some(Settling), Some(Cancelled)] {
        for write in [without_channel(), complete()] {
            let mut bench = paying();
            if let Some(state) = state {
                bench = bench.receipt(Receipt { state, ..receipt() });
            }
            let ran = bench.run_on(child(), &SETTLE_SET, write);
            assert_eq!(ran.code(), Some(PAY_DESTINATION_PERM_FAIL), "{state:?}");
            assert!(ran.entries.is_empty() && bench.shelf.0.lock().unwrap().settled.is_empty());
        }
    }
}

#[test]
fn books_that_refuse_leave_the_receipt_unpaid() {
    for write in [without_channel(), complete()] {
        let error = LedgerError::Invariant { what: "no".to_owned() };
        let mut bench = paying().receipt(receipt()).refusing(error);
        let ran = bench.run_on(child(), &SETTLE_SET, write);
        assert_eq!((ran.code(), ran.names()), (Some(2320), vec!["failing"]));
        let shelved = bench.shelf.0.lock().unwrap();
        assert!(shelved.settled.is_empty() && ran.effects.is_empty());
        assert_eq!(shelved.receipt.as_ref().unwrap().state, ReceiptState::Unpaid);
    }
}
