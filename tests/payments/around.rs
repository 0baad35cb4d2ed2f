//! A payment to ourselves that leaves through one channel and comes back through another.

use crate::{
    books::Audited,
    harness::{Outcome, Payer, START},
    nets,
    receiving::{AMOUNT, PREIMAGE, hash, receiver, refused_all, terms, with_amount},
};
use ecs_core::{Json, Write};
use ecs_systems::{
    components::{Cancel, Circular, HtlcJoined, Invoice, RetryFor, Set, SetSettling},
    port::{Posting, PostingState},
    units::{BlockHeight, Msat, Seconds},
};
use ledger_store::Account;
use node_sim::{Fact, RemotePart, Script, Settings, SimNetwork};
use std::collections::BTreeSet;

const BLOCK: Seconds = Seconds(600);
/// By dave and carol and bob; the other way round it is 1 sat more.
const FEE: Msat = Msat(3_000);
/// More than goes one way: one part each way round.
const BOTH_WAYS: Msat = Msat(600_000_000);
const FEE_BOTH_WAYS: Msat = Msat(7_000);

fn around() -> Write {
    Write::here().attach(&Circular)
}

/// A diamond with a block every ten minutes.
fn with_slow_blocks() -> SimNetwork {
    let settings = Settings { block_interval: BLOCK, ..Settings::default() };
    nets::diamond_with(nets::HALF, settings)
}

fn both_ways() -> (Payer, String) {
    with_amount(&nets::diamond(nets::HALF), terms(), Some(BOTH_WAYS))
}

/// It cost its fee alone: nothing was earned and nothing spent, and `control:self` is level.
fn assert_went_around(payer: &Payer, outcome: &Outcome, (amount, fee): (Msat, Msat)) {
    payer.assert_paid(outcome, fee);
    assert_eq!(outcome.preimage, Some(PREIMAGE));
    let posted = |account| payer.books.posted(account);
    assert_eq!(posted(Account::RebalanceFee), i128::from(fee.0));
    for account in [Account::Payment, Account::RoutingFee, Account::IncomeInvoice] {
        assert_eq!(posted(account), 0, "{account}");
    }
    let myself = payer.books.sums(Account::SelfPayment);
    assert_eq!((myself.debits_posted_msat, myself.credits_posted_msat), (amount, amount));
    let all = payer.books.all();
    let stands = |it: &&Posting| it.state == PostingState::Posted;
    let transactions = all.iter().filter(stands).filter(|it| it.payment.is_some());
    let transactions: BTreeSet<u64> = transactions.map(|it| it.tx_id).collect();
    assert_eq!(transactions.len(), 1, "what left and what came back are one transaction");
    let paid = payer.receipts.lock().paid(&hash()).map(|paid| paid.0);
    assert_eq!(paid, Some(amount), "the receipt is paid once, with all of it");
}

fn assert_failed(payer: &Payer, outcome: &Outcome, code: i32) {
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", code), "{outcome:?}");
    payer.assert_books_agree();
    assert_eq!(payer.receipts.lock().paid(&hash()), None, "it stays payable");
}

#[test]
fn a_payment_around_costs_its_fee_and_moves_its_amount_from_one_channel_to_another() {
    let (mut payer, invoice) = receiver(&nets::diamond(nets::HALF), terms());
    let before = payer.network.our_balance();
    let outcome = payer.pay(&invoice, around());
    assert_went_around(&payer, &outcome, (AMOUNT, FEE));
    let after = payer.network.our_balance();
    let change = |at: usize| i128::from(after[at].1.0) - i128::from(before[at].1.0);
    let mut moves = [change(0), change(1)];
    moves.sort_unstable();
    assert_eq!(moves, [-i128::from(AMOUNT.0 + FEE.0), i128::from(AMOUNT.0)]);
    assert_eq!(outcome.parts_paid, 1);
    let again = payer.pay(&invoice, around());
    assert!(again.replayed, "{again:?}");
    payer.assert_books_agree();
}

#[test]
fn a_payment_around_in_several_parts_is_one_set() {
    let (mut payer, invoice) = both_ways();
    let outcome = payer.pay(&invoice, around());
    assert_eq!(outcome.parts_paid, 2, "{outcome:?}");
    assert_went_around(&payer, &outcome, (BOTH_WAYS, FEE_BOTH_WAYS));
}

#[test]
fn a_set_that_waits_for_a_part_in_vain_is_given_back_and_tried_again() {
    for (retry_for, code) in [(600, 0), (30, 210)] {
        let (mut payer, invoice) = both_ways();
        let kept_until = payer.now.after_ms(90_000);
        payer.script(Script::KeepNext { node: payer.node("bob"), until: kept_until });
        let more = around().attach(&RetryFor(Json::of(&retry_for)));
        let outcome = payer.pay(&invoice, more);
        assert!(refused_all(&payer) > 0, "the part that came in time went back");
        if code == 0 {
            payer.run_for(200_000);
            payer.assert_books_agree();
            assert_eq!(outcome.status, "complete", "{outcome:?}");
        } else {
            assert_failed(&payer, &outcome, code);
        }
    }
}

#[test]
fn a_cancelled_payment_around_fails_once_its_set_has_timed_out() {
    let (mut payer, invoice) = both_ways();
    let until = payer.now.after_ms(300_000);
    payer.script(Script::KeepNext { node: payer.node("bob"), until });
    let id = payer.start(&invoice, around());
    payer.run_for(5_000);
    payer.tell(id, Write::here().attach(&Cancel));
    assert!(!payer.outcome(id).is_final(), "parts are out");
    let outcome = payer.finish(id);
    payer.run_for(300_000);
    assert_failed(&payer, &outcome, 210);
}

#[test]
fn a_payment_around_for_nobody_is_refused_for_good() {
    let (mut unknown, invoice) = receiver(&nets::diamond(nets::HALF), terms());
    unknown.receipts.lock().cancel(&hash()).unwrap();
    let outcome = unknown.pay(&invoice, around());
    assert_failed(&unknown, &outcome, 203);
    assert_eq!(unknown.books.posted(Account::RebalanceFee), 0);
}

#[test]
fn a_crash_at_any_moment_of_a_payment_around_leads_to_one_payment() {
    for at_ms in (0..60).map(|step| step * 25).chain([1, 3]) {
        let (mut payer, invoice) = both_ways();
        let id = payer.start(&invoice, around());
        if at_ms > 0 {
            payer.run_for(at_ms);
        }
        payer.crash();
        let outcome = payer.finish(id);
        assert_eq!(outcome.status, "complete", "crash after {at_ms} ms\n{}", payer.story(id));
        assert_went_around(&payer, &outcome, (BOTH_WAYS, FEE_BOTH_WAYS));
    }
}

#[test]
fn a_payment_around_survives_a_crash_after_each_of_its_moments() {
    let (mut payer, invoice) = receiver(&nets::diamond(nets::HALF), terms());
    let id = payer.start(&invoice, around());
    for _ in 0..40 {
        payer.crash();
        payer.run_for(35);
    }
    let outcome = payer.finish(id);
    assert_went_around(&payer, &outcome, (AMOUNT, FEE));
}

#[test]
fn an_outcome_that_nobody_told_is_asked_for_and_the_payment_ends_after_its_set() {
    let (mut payer, invoice) = receiver(&nets::diamond(nets::HALF), terms());
    payer.troubles.open().lost_resolutions = 1;
    let id = payer.start(&invoice, around());
    payer.run_for(30_000);
    let engine = payer.driver.engine();
    let set = engine.entities().into_iter().find(|id| engine.get::<Set>(*id).is_some());
    assert!(engine.get::<SetSettling>(set.expect("a set")).is_some());
    assert!(!payer.outcome(id).is_final(), "its parts are paid, its set is not posted");
    let outcome = payer.finish(id);
    assert_went_around(&payer, &outcome, (AMOUNT, FEE));
}

#[test]
fn what_others_pay_while_a_payment_around_is_out_is_income() {
    let (mut payer, invoice) = receiver(&nets::diamond(nets::HALF), terms());
    let until = payer.now.after_ms(20_000);
    for node in ["bob", "dave"] {
        payer.script(Script::KeepNext { node: payer.node(node), until });
    }
    let id = payer.start(&invoice, around());
    payer.run_for(3_000);
    let part = RemotePart::whole(hash(), crate::receiving::SECRET, AMOUNT);
    payer.network.pay_us(payer.node("carol"), part, payer.now).expect("a way to us");
    let outcome = payer.finish(id);
    payer.run_for(60_000);
    assert_eq!((outcome.status.as_str(), outcome.code()), ("failed", 203), "{outcome:?}");
    payer.assert_books_agree();
    assert_eq!(payer.books.posted(Account::IncomeInvoice), -i128::from(AMOUNT.0));
}

#[test]
fn our_set_is_judged_by_the_margin_that_is_left_after_a_crash() {
    for late in [false, true] {
        let network = with_slow_blocks();
        let (mut payer, invoice) = receiver(&network, terms());
        payer.troubles.open().lost_words = u32::MAX;
        let id = payer.start(&invoice, around());
        payer.run_for(5_000);
        let joined = |payer: &Payer| {
            let engine = payer.driver.engine();
            engine
                .entities()
                .into_iter()
                .filter(|id| engine.get::<HtlcJoined>(*id).is_some())
                .count()
        };
        assert_eq!(joined(&payer), 1);
        let blocks = if late { 9 } else { 1 };
        payer.now = payer.now.after_ms(blocks * 1_000 * BLOCK.0);
        payer.troubles.open().lost_words = 0;
        payer.crash();
        let outcome = payer.finish(id);
        if late {
            assert_failed(&payer, &outcome, 203);
        } else {
            assert_went_around(&payer, &outcome, (AMOUNT, FEE));
        }
        assert_eq!(joined(&payer), 1, "it is never judged again");
        assert!(payer.network.height(payer.now) > BlockHeight(0) && payer.now > START);
        let incoming =
            |record: &node_sim::TruthRecord| matches!(record.fact, Fact::Incoming { .. });
        assert_eq!(payer.network.truth(0).iter().filter(|it| incoming(it)).count(), 1);
    }
}

#[test]
fn a_set_of_which_one_preimage_left_before_a_crash_is_settled_however_late_it_is() {
    let network = with_slow_blocks();
    let (mut payer, invoice) = with_amount(&network, terms(), Some(BOTH_WAYS));
    payer.troubles.open().lost_words = 1;
    let id = payer.start(&invoice, around());
    payer.run_for(5_000);
    assert_eq!(settled(&payer), 1, "the other word was lost");
    payer.now = payer.now.after_ms(9 * 1_000 * BLOCK.0);
    payer.crash();
    let outcome = payer.finish(id);
    assert_went_around(&payer, &outcome, (BOTH_WAYS, FEE_BOTH_WAYS));
    assert_eq!(settled(&payer), 2);
}

#[test]
fn a_set_that_nobody_got_a_preimage_for_is_given_back_however_late_its_records_are_kept() {
    let network = with_slow_blocks();
    let (mut payer, invoice) = receiver(&network, terms());
    payer.troubles.open().lost_words = u32::MAX;
    let id = payer.start(&invoice, around());
    payer.run_for(5_000);
    payer.now = payer.now.after_ms(9 * 1_000 * BLOCK.0);
    payer.troubles.open().lost_words = 0;
    payer.crash_and_journal();
    // Some other record is not kept yet while the node shows what waits for our word.
    let other = Write::here().attach(&Invoice(Json::of("no invoice")));
    payer.driver.start_payment(payer.now, other).expect("Components that fit");
    // Long enough that words which were said would be said again.
    for _ in 0..18 {
        payer.run_for(10_000);
        let answered = |fact: &Fact| matches!(fact, Fact::IncomingResolved { .. });
        let answered = payer.network.truth(0).iter().filter(|it| answered(&it.fact)).count();
        assert_eq!(answered, 0, "a word left before its record was kept");
    }
    for _ in 0..100 {
        payer.keep();
        payer.run_for(10_000);
    }
    assert_failed(&payer, &payer.outcome(id), 203);
    assert_eq!(settled(&payer), 0, "its preimage left although it was too late");
}

/// How many HTLCs that came in are ours.
fn settled(payer: &Payer) -> usize {
    let ours = |fact: &Fact| matches!(fact, Fact::IncomingResolved { settled: true, .. });
    payer.network.truth(0).iter().filter(|record| ours(&record.fact)).count()
}

#[test]
fn a_word_that_the_node_never_heard_costs_nothing_and_the_payment_fails() {
    let network = with_slow_blocks();
    let (mut payer, invoice) = receiver(&network, terms());
    payer.troubles.open().lost_words = u32::MAX;
    let outcome = payer.pay(&invoice, around());
    payer.troubles.open().lost_words = 0;
    payer.run_for(3_600_000);
    assert_eq!((outcome.status.as_str(), settled(&payer)), ("failed", 0), "{outcome:?}");
    payer.assert_books_agree();
    let paid = payer.receipts.lock().paid(&hash()).map(|paid| paid.0);
    assert_eq!(paid, Some(Msat::ZERO), "its preimage was released: it is never payable again");
    assert_eq!(payer.books.posted(Account::IncomeInvoice), 0);
}
