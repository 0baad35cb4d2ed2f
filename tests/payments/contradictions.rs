//! A node that took more than it was to send, and one that says that a part failed and then that it
//! is paid: the books say what left us, and nothing is paid twice.

use crate::{
    answers::{AMOUNT, part_out, retry_for_an_hour},
    books::{Audited, Opening},
    harness::{Outcome, Payer},
    invoices::hash_of,
    nets,
};
use ecs_core::EntityId;
use ecs_systems::{
    components::{LateWord, PartsPaid},
    effects::{Contradiction, Contradicts, PaySuccess},
    port::{ClaimState, HoldState, Ledger},
    units::Msat,
};
use ledger_store::Account;
use node_sim::Script;

/// What a part to carol costs on top.
pub(crate) const FEE: Msat = Msat(2_000);
pub(crate) const MINUTE_MS: u64 = 60_000;

/// A payment whose part is denied for that long.
pub(crate) fn denied(payer: &mut Payer, for_ms: u64) -> (EntityId, String) {
    let (id, invoice) = part_out(payer);
    let until = payer.now.after_ms(for_ms);
    payer.script(Script::FailThenPay { key: payer.part(id, 1), until });
    (id, invoice)
}

/// Has bob keep the part after the first one for that long.
fn keep_the_next(payer: &mut Payer, for_ms: u64) {
    payer.run_for(160);
    let (node, until) = (payer.node("bob"), payer.now.after_ms(for_ms));
    payer.script(Script::KeepNext { node, until });
}

pub(crate) fn assert_replays(payer: &mut Payer, invoice: &str) -> Outcome {
    let sent = payer.submitted_in_all();
    let again = payer.pay_plainly(invoice);
    assert!(again.replayed && again.preimage.is_some(), "{again:?}");
    assert_eq!(payer.submitted_in_all(), sent, "it was sent again");
    again
}

#[test]
fn what_a_node_took_beyond_what_was_held_is_booked_and_told() {
    for (excess, beyond_budget) in [(1, 0), (400_000, 0), (2_000_000, 1_502_000)] {
        let mut payer = Payer::new(&nets::line());
        payer.overspent = Msat(beyond_budget);
        let (id, _) = part_out(&mut payer);
        payer.script(Script::Overspend { key: payer.part(id, 1), excess_msat: Msat(excess) });
        let outcome = payer.finish(id);
        payer.assert_paid(&outcome, Msat(FEE.0 + excess));
        let paid = payer.driver.engine().get::<PartsPaid>(id).expect("a part arrived").0;
        assert_eq!((paid.overspent_msat, paid.unbooked_msat), (Msat(excess), Msat::ZERO));
        let booked = payer.books.all().into_iter().filter(|posting| posting.code == "overspend");
        let booked: Vec<_> = booked.map(|it| (it.payment, it.part_id, it.amount_msat)).collect();
        let key = payer.part(id, 1);
        assert_eq!(booked, [(payer.reference(id), Some(key.part_id), Msat(excess))]);
        let notices = payer.driver.take_notices();
        let told: Vec<Contradiction> = notices.iter().filter_map(ecs_core::Effect::read).collect();
        assert_eq!((told.len(), told[0].key, told[0].amount_msat), (1, key, Msat(excess)));
        assert_eq!((told[0].what, &told[0].unbooked), (Contradicts::Overspent, &None));
        let success: PaySuccess = notices.iter().find_map(ecs_core::Effect::read).expect("told");
        assert_eq!(success.overspent_msat, Msat(excess));
    }
}

#[test]
fn a_payment_is_complete_though_its_node_says_it_took_more_than_there_is() {
    for excess in [600_000_000, u64::MAX] {
        let mut payer = Payer::new(&nets::line());
        payer.troubles.open().overspent = Msat(excess);
        let (id, invoice) = part_out(&mut payer);
        let outcome = payer.finish(id);
        payer.assert_paid(&outcome, FEE);
        let paid = payer.driver.engine().get::<PartsPaid>(id).expect("a part arrived").0;
        assert!(paid.overspent_msat >= Msat(excess - AMOUNT.0 - FEE.0));
        assert_eq!(paid.unbooked_msat, paid.overspent_msat);
        let told = payer.told::<Contradiction>();
        assert_eq!(told[0].unbooked.as_ref().map(|error| error.code), Some(2320));
        assert_replays(&mut payer, &invoice);
    }
}

#[test]
fn a_payment_that_ended_as_failed_is_booked_when_it_turns_out_paid_and_never_paid_again() {
    for crashes in [false, true] {
        let mut payer = Payer::new(&nets::line());
        let (id, invoice) = denied(&mut payer, 10 * MINUTE_MS);
        let failed = payer.finish(id);
        assert_eq!((failed.status.as_str(), failed.preimage), ("failed", None), "{failed:?}");
        assert_eq!(payer.books.posted(Account::Payment), 0);
        if crashes {
            payer.crash();
        }
        assert_eq!(payer.told::<Contradiction>(), []);
        payer.run_for(11 * MINUTE_MS);
        payer.late.push(id);
        payer.assert_books_agree();
        let late = payer.outcome(id);
        assert_eq!((&late.status, &late.error), (&failed.status, &failed.error), "as it was told");
        let told = payer.told::<Contradiction>();
        assert_eq!((told.len(), told[0].entity, told[0].key), (1, id, payer.part(id, 1)));
        assert_eq!(told[0].what, Contradicts::PaidAfterFailed);
        assert_eq!(told[0].amount_msat, Msat(AMOUNT.0 + FEE.0));
        let again = assert_replays(&mut payer, &invoice);
        assert_eq!((again.fee, again.preimage), (Some(FEE), late.preimage));
        payer.assert_books_agree();
    }
}

#[test]
fn no_late_word_is_lost_while_the_history_of_the_books_is_opening() {
    for crashes in [false, true] {
        no_late_word_is_lost(crashes);
    }
}

fn no_late_word_is_lost(crashes: bool) {
    let mut payer = Payer::new(&nets::line());
    let (id, invoice) = denied(&mut payer, 10 * MINUTE_MS);
    assert_eq!(payer.finish(id).status, "failed");
    let history = Opening::below(&payer.books);
    payer.run_for(11 * MINUTE_MS);
    assert_eq!(payer.told::<Contradiction>(), [], "nobody can judge it yet");
    let refused = payer.pay_plainly(&invoice);
    assert_eq!((refused.status.as_str(), refused.code()), ("failed", 2321), "{refused:?}");
    let waiting = |payer: &Payer| {
        let engine = payer.driver.engine();
        let late = |id: &EntityId| engine.get::<LateWord>(*id).is_some();
        engine.entities().into_iter().filter(late).count()
    };
    assert_eq!(waiting(&payer), 1);
    if crashes {
        payer.crash();
    }
    history.set_open(true);
    payer.run_for(2_000);
    assert_eq!(waiting(&payer), 0);
    let told = payer.told::<Contradiction>();
    assert_eq!((told.len(), told[0].entity, &told[0].unbooked), (1, id, &None));
    let key = payer.part(id, 1);
    let payment = payer.reference(id).expect("it was claimed");
    assert_eq!(payer.books.part(&payment, key.part_id), Ok(Some(HoldState::Paid)));
    assert_eq!(payer.books.posted(Account::Payment), i128::from(AMOUNT.0));
    let again = assert_replays(&mut payer, &invoice);
    assert_eq!(again.fee, Some(FEE));
}

#[test]
fn a_late_word_is_booked_once_however_often_it_comes() {
    let mut payer = Payer::new(&nets::line());
    let (id, _) = denied(&mut payer, 10 * MINUTE_MS);
    payer.finish(id);
    payer.run_for(11 * MINUTE_MS);
    payer.late.push(id);
    let postings = payer.books.all().len();
    for _ in 0..3 {
        payer.network.restart(payer.now);
        payer.crash();
        payer.run_for(MINUTE_MS);
    }
    assert_eq!(payer.books.all().len(), postings);
    payer.assert_books_agree();
}

#[test]
fn a_payment_that_runs_takes_the_proof_and_starts_no_other_attempt() {
    let mut payer = Payer::new(&nets::two_ways_out());
    let (id, invoice) = denied(&mut payer, MINUTE_MS);
    keep_the_next(&mut payer, 10 * MINUTE_MS);
    payer.run_for(2 * MINUTE_MS);
    let outcome = payer.outcome(id);
    assert!(outcome.preimage.is_some() && !outcome.is_final(), "a part is still out: {outcome:?}");
    let outcome = payer.finish(id);
    payer.assert_paid(&outcome, FEE);
    assert_eq!((payer.submitted(hash_of(&invoice)).len(), outcome.parts_paid), (2, 1));
    assert_replays(&mut payer, &invoice);
}

#[test]
fn another_attempt_on_the_hash_stops_when_the_first_turns_out_paid() {
    let mut payer = Payer::new(&nets::two_ways_out());
    let (first, invoice) = denied(&mut payer, 10 * MINUTE_MS);
    assert_eq!(payer.finish(first).status, "failed");
    keep_the_next(&mut payer, 30 * MINUTE_MS);
    let second = payer.start(&invoice, retry_for_an_hour());
    payer.run_for(11 * MINUTE_MS);
    assert!(payer.outcome(second).preimage.is_some(), "{}", payer.story(second));
    let outcome = payer.finish(second);
    assert_eq!((outcome.status.as_str(), outcome.fee), ("complete", Some(Msat::ZERO)));
    assert_eq!((outcome.parts_paid, payer.submitted(hash_of(&invoice)).len()), (0, 3));
    payer.assert_channels_agree();
    let paid = i128::from(payer.truth_of(&invoice).spent().0);
    let booked = [Account::Payment, Account::RoutingFee].map(|it| payer.books.posted(it));
    assert_eq!(booked[0] + booked[1], paid);
    assert_replays(&mut payer, &invoice);
}

#[test]
fn a_late_part_that_the_books_cannot_take_still_proves_its_payment() {
    let mut payer = Payer::new(&nets::line());
    let (id, invoice) = denied(&mut payer, 10 * MINUTE_MS);
    payer.finish(id);
    payer.troubles.open().overspent = Msat(u64::MAX);
    payer.run_for(11 * MINUTE_MS);
    payer.assert_money_is_whole();
    let told = payer.told::<Contradiction>();
    assert_eq!(told[0].unbooked.as_ref().map(|error| error.code), Some(2320));
    let (_, state) = payer.books.known(&hash_of(&invoice));
    assert!(matches!(state, ClaimState::Complete { .. }), "{state:?}");
    assert_eq!(payer.books.posted(Account::Payment), 0);
    assert_replays(&mut payer, &invoice);
}
