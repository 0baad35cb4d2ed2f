//! What a payment takes from the failures of its parts.

use crate::{harness::Payer, invoices::hash_of, nets, refused::plan_all};
use ecs_core::{EntityId, Write};
use ecs_systems::{
    components::{Cancel, FeeBudget, HeightAwaited, RetryFor, Told},
    planner::{HintHop, Policy},
    port::FailureCode,
    units::{BlockHeight, Blocks, Msat, Ppm},
};
use node_sim::{Faults, InvoiceRequest, Lie, Script, Settings, SimBuilder, SimNetwork, policy};

const AMOUNT: Msat = Msat(100_000_000);
/// What bob takes of it in `nets::line`.
const BOBS_FEE: u64 = 2_000;
/// Gossip has no change before a day is over.
const LATER_MS: u64 = 24 * 3_600 * 1_000;

fn retry_for(seconds: u64) -> Write {
    Write::here().attach(&RetryFor(ecs_core::Json::of(&seconds)))
}

/// From now on bob asks for that on the way to carol, and nobody has heard of it.
fn reprice(payer: &Payer, policy: Policy) {
    let direction = payer.network.direction(payer.node("bob"), payer.node("carol"));
    let direction = direction.expect("they have a channel");
    let gossip_at = payer.now.after_ms(LATER_MS);
    payer.script(Script::Reprice { direction, policy, gossip_at });
}

fn parts_of(payer: &Payer, invoice: &str) -> usize {
    payer.submitted(hash_of(invoice)).len()
}

#[test]
fn what_a_node_asks_for_since_is_paid_in_the_next_round_by_this_payment_alone() {
    let asks = policy(5_000, 10);
    for (asked, fee) in [
        (asks.clone(), 6_000),
        (Policy { cltv_delta: Blocks(200), ..policy(1_000, 10) }, BOBS_FEE),
        (Policy { cltv_delta: Blocks(200), ..asks }, 6_000),
    ] {
        let mut payer = Payer::new(&nets::line());
        reprice(&payer, asked);
        for _ in 0..2 {
            let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
            let outcome = payer.pay_plainly(&invoice);
            payer.assert_paid(&outcome, Msat(fee));
            assert_eq!(parts_of(&payer, &invoice), 2, "once as announced, once as asked");
        }
    }
}

#[test]
fn what_a_node_asks_for_counts_against_the_budget() {
    let mut payer = Payer::new(&nets::line());
    reprice(&payer, policy(5_000, 10));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay(&invoice, Write::here().attach(&FeeBudget(Msat(5_999))));
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 206), "{outcome:?}");
    assert_eq!(outcome.fact("fee_needed_msat"), "6000");
    assert_eq!(parts_of(&payer, &invoice), 1);
    payer.assert_books_agree();
}

#[test]
fn a_node_that_wants_less_or_more_than_a_part_has_is_gone_around() {
    let (least, most) = (Msat(AMOUNT.0 + 1), Msat(AMOUNT.0 - 1));
    for asked in [
        Policy { htlc_minimum_msat: least, ..policy(1_000, 0) },
        Policy { htlc_maximum_msat: most, ..policy(1_000, 0) },
        Policy { enabled: false, ..policy(1_000, 0) },
    ] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        reprice(&payer, asked.clone());
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let outcome = payer.pay_plainly(&invoice);
        payer.assert_paid(&outcome, outcome.fee.unwrap_or_default());
        assert!(parts_of(&payer, &invoice) <= 3, "{asked:?}");
    }
}

#[test]
fn a_node_that_refuses_what_it_asks_for_is_avoided_at_once() {
    for lie in [Lie::Old, Lie::Free, Lie::Missing, Lie::Forged] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let bob = payer.node("bob");
        reprice(&payer, policy(1_500, 0));
        for _ in 0..9 {
            payer.script(Script::LieNext { node: bob, lie });
        }
        for parts in [2, 1] {
            let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
            let outcome = payer.pay_plainly(&invoice);
            payer.assert_paid(&outcome, Msat(3_000));
            assert_eq!(parts_of(&payer, &invoice), parts, "{lie:?}: by bob once, by dave then");
        }
    }
}

#[test]
fn a_node_that_asks_for_something_else_each_time_is_tried_three_times_at_most() {
    let faults = Faults { reprice_ppm: 1_000_000, ..Faults::default() };
    let settings = Settings { faults, ..Settings::default() };
    let mut payer = Payer::new(&nets::line_with(settings));
    let mut most = 0;
    for _ in 0..20 {
        let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(10_000_000)));
        let outcome = payer.pay_plainly(&invoice);
        let parts = parts_of(&payer, &invoice);
        assert!(parts <= 3, "{parts} parts, {outcome:?}");
        let tired = outcome.code() == 205 && parts == 3;
        assert!(outcome.status == "complete" || tired, "{parts} parts, {outcome:?}");
        payer.assert_books_agree();
        most = most.max(parts);
    }
    assert_eq!(most, 3, "none asked for more and more");
}

/// alice – bob – carol; what bob takes towards carol only the invoice says.
fn hidden(asked: Policy) -> SimNetwork {
    let free = policy(0, 0);
    SimBuilder::new(1)
        .us("alice")
        .node("alice")
        .node("bob")
        .node("carol")
        .channel("alice", "bob", nets::SIZE, nets::HALF, free.clone(), free.clone())
        .channel("bob", "carol", nets::SIZE, nets::HALF, asked, free)
        .private()
        .build()
        .expect("a network")
}

#[test]
fn a_hint_that_says_too_little_is_corrected_by_who_forwards() {
    let slow = Policy { cltv_delta: Blocks(77), ..policy(7_000, 20) };
    for (asked, fee) in [(policy(7_000, 20), 9_000), (slow, 9_000), (policy(0, 0), 0)] {
        let mut payer = Payer::new(&hidden(asked));
        let bob = payer.node("bob");
        let way = payer.network.direction(bob, payer.node("carol")).expect("a channel");
        let hint = HintHop {
            pubkey: bob,
            short_channel_id: way.scid,
            fee_base_msat: Msat::ZERO,
            fee_proportional_millionths: Ppm(0),
            cltv_expiry_delta: Blocks(40),
        };
        let request = InvoiceRequest { hints: vec![vec![hint]], ..InvoiceRequest::of(AMOUNT) };
        let invoice = payer.invoice("carol", request);
        let outcome = payer.pay_plainly(&invoice);
        payer.assert_paid(&outcome, Msat(fee));
        assert_eq!(parts_of(&payer, &invoice), if fee == 0 { 1 } else { 2 });
    }
}

#[test]
fn a_failure_that_nobody_can_read_is_held_against_a_hop_by_this_payment_alone() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let bob = payer.node("bob");
    let failcode = FailureCode::TemporaryChannelFailure;
    payer.script(Script::FailNext { node: bob, failcode });
    payer.script(Script::GarbleNext { node: bob });
    for (fee, parts) in [(3_000, 2), (1_000, 1)] {
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let outcome = payer.pay_plainly(&invoice);
        payer.assert_paid(&outcome, Msat(fee));
        assert_eq!(parts_of(&payer, &invoice), parts);
    }
}

#[test]
fn a_part_that_our_own_node_fails_goes_out_by_another_channel() {
    for failcode in [FailureCode::TemporaryNodeFailure, FailureCode::TemporaryChannelFailure] {
        let mut payer = Payer::new(&nets::diamond(nets::HALF));
        let node = payer.network.us();
        payer.script(Script::FailNext { node, failcode });
        for (fee, parts) in [(3_000, 2), (1_000, 1)] {
            let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
            let outcome = payer.pay_plainly(&invoice);
            payer.assert_paid(&outcome, Msat(fee));
            assert_eq!(parts_of(&payer, &invoice), parts, "by dave, then by bob as ever");
        }
    }
}

#[test]
fn a_node_that_fails_whatever_it_is_to_send_is_asked_once_for_each_channel() {
    let mut payer = Payer::new(&nets::diamond(nets::HALF));
    let (node, failcode) = (payer.network.us(), FailureCode::PermanentNodeFailure);
    for _ in 0..9 {
        payer.script(Script::FailNext { node, failcode });
    }
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 205), "{outcome:?}");
    assert_eq!(parts_of(&payer, &invoice), 2);
    payer.assert_books_agree();
}

/// Blocks are found that our node sees only so much later.
fn seen_late(payer: &Payer, blocks: u32, milliseconds: u64) {
    let until = payer.now.after_ms(milliseconds);
    payer.script(Script::SeeLate { blocks: Blocks(blocks), until });
}

/// The height that the payment waits for.
fn awaited(payer: &Payer, id: EntityId) -> Option<BlockHeight> {
    payer.driver.engine().get::<HeightAwaited>(id).map(|awaited| awaited.0)
}

#[test]
fn a_payee_that_sees_more_blocks_is_paid_once_our_node_sees_them() {
    for crashes in [false, true] {
        let mut payer = Payer::new(&nets::line());
        seen_late(&payer, 6, 20_000);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, Write::here());
        payer.run_for(10_000);
        assert_eq!(awaited(&payer, id), Some(payer.network.height(payer.now)));
        assert_eq!(parts_of(&payer, &invoice), 1, "nothing more leaves");
        if crashes {
            payer.crash();
            payer.run_for(1_000);
            assert_eq!(parts_of(&payer, &invoice), 1, "not after a crash either");
        }
        payer.run_for(11_000);
        let outcome = payer.finish(id);
        payer.assert_paid(&outcome, Msat(BOBS_FEE));
        assert_eq!((parts_of(&payer, &invoice), awaited(&payer, id)), (2, None));
    }
}

#[test]
fn blocks_that_our_node_has_seen_by_then_are_not_waited_for() {
    let mut payer = Payer::new(&nets::line());
    seen_late(&payer, 6, 100);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let outcome = payer.pay_plainly(&invoice);
    payer.assert_paid(&outcome, Msat(BOBS_FEE));
    assert_eq!(parts_of(&payer, &invoice), 2);
}

#[test]
fn a_height_is_not_waited_for_beyond_the_deadline_or_a_cancel() {
    for cancels in [false, true] {
        let mut payer = Payer::new(&nets::line());
        seen_late(&payer, 6, 600_000);
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, retry_for(30));
        payer.run_for(10_000);
        assert!(awaited(&payer, id).is_some() && !payer.outcome(id).is_final());
        if cancels {
            payer.tell(id, Write::here().attach(&Cancel));
            assert!(payer.outcome(id).is_final(), "{}", payer.story(id));
        }
        let outcome = payer.finish(id);
        assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 210), "{outcome:?}");
        assert!(payer.now.0 <= crate::harness::START.0 + 33_000, "at the deadline");
        assert_eq!(parts_of(&payer, &invoice), 1);
        assert_eq!(payer.driver.engine().outstanding(id), [], "no timer is left");
        payer.assert_books_agree();
    }
}

#[test]
fn what_was_told_outlives_a_crash() {
    let mut payer = Payer::new(&nets::line());
    reprice(&payer, policy(5_000, 10));
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    let told = |payer: &Payer| payer.driver.engine().get::<Told>(id).map(|told| told.0.clone());
    while told(&payer).is_none() {
        plan_all(&mut payer);
        let next = payer.driver.next_at().expect("the part is under way");
        payer.now = payer.now.max(next);
        payer.driver.poll(payer.now);
    }
    let before = told(&payer);
    payer.crash();
    assert_eq!(told(&payer), before);
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, Msat(6_000));
    assert_eq!(parts_of(&payer, &invoice), 2);
}
