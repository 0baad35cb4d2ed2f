//! What is over is collected after a while, never before nobody needs it any more, and its answer
//! stays.

use crate::{
    books::{Audited, Opening},
    contradictions::{FEE, MINUTE_MS, assert_replays, denied},
    harness::{Payer, Setup},
    nets,
    receiving::{self, AMOUNT},
};
use ecs_core::{EntityId, Join, JoinAllOrAny, JoinMode, Systems, Write};
use ecs_systems::{
    components::Htlc,
    effects::{Contradiction, Contradicts},
    port::{ClaimState, HtlcId},
    units::{Msat, Seconds},
};
use ledger_store::Account;
use node_sim::{Fact, InvoiceRequest, RemotePart, Script, SimNetwork};
use payflow_default::Retention;
use std::collections::BTreeSet;

/// What is over goes with the next poll.
const AT_ONCE: Retention = Retention { age: Seconds(0), finished_max: 10 };

fn payer(network: &SimNetwork, retention: Retention) -> Payer {
    Payer::with(network, Setup { retention, ..Setup::default() })
}

fn entities(payer: &Payer) -> Vec<EntityId> {
    payer.driver.engine().entities()
}

fn assert_empty(payer: &Payer) {
    assert_eq!(entities(payer), []);
    let text = format!("{:?}", payer.driver);
    let empty = "parts: 0, asked: 0, htlcs: 0, words: 0, waiters: Waiters(0), \
                 finished: 0 of 0, (0, 0, 0), 0 off";
    assert!(text.contains(empty), "{text}");
}

#[test]
fn a_thousand_payments_leave_a_bounded_engine() {
    let retention = Retention { age: Seconds(3_600), finished_max: 10 };
    let mut payer = payer(&nets::diamond(Msat(500_000)), retention);
    let mut most = 0;
    for _ in 0..100 {
        for _ in 0..10 {
            let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(100_000)));
            payer.start(&invoice, Write::here());
        }
        payer.run_for(5_000);
        most = most.max(entities(&payer).len());
    }
    assert!(most < 10 * 20, "{most} Entities");
    let complete = payer.books.posted(Account::Payment);
    assert_eq!(complete, 1_000 * 100_000, "all were paid");
    let payments = payer.started.iter().filter(|it| payer.outcome(it.id).is_final());
    let kept: Vec<EntityId> = payments.map(|it| it.id).collect();
    let newest: Vec<EntityId> = payer.started[990..].iter().map(|it| it.id).collect();
    assert_eq!(kept, newest, "the oldest went first");
    payer.run_for(3_601_000);
    assert_empty(&payer);
    payer.assert_channels_agree();
}

#[test]
fn what_is_over_stays_for_its_age_also_over_a_crash_and_gives_the_same_answer_afterwards() {
    let retention = Retention { age: Seconds(600), ..Retention::default() };
    let mut payer = payer(&nets::line(), retention);
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let first = payer.pay_plainly(&invoice);
    let id = payer.started[0].id;
    payer.run_for(300_000);
    payer.crash();
    payer.run_for(290_000);
    assert_eq!(payer.outcome(id), first);
    payer.run_for(11_000);
    assert_empty(&payer);
    let (postings, sent) = (payer.books.all(), payer.submitted_in_all());
    let again = payer.pay_plainly(&invoice);
    assert!(again.replayed);
    assert_eq!(
        (&again.status, again.preimage, again.fee),
        (&first.status, first.preimage, first.fee)
    );
    assert_eq!((payer.books.all(), payer.submitted_in_all()), (postings, sent));
}

#[test]
fn a_payment_whose_htlcs_are_out_is_never_collected() {
    let mut payer = payer(&nets::line(), AT_ONCE);
    let bob = payer.node("bob");
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(MINUTE_MS) });
    let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = payer.start(&invoice, Write::here());
    payer.run_for(2_000);
    payer.tell(id, Write::here().attach(&ecs_systems::components::Cancel));
    payer.crash();
    payer.run_for(50_000);
    assert!(entities(&payer).contains(&id), "its part is out");
    payer.run_for(MINUTE_MS);
    assert_empty(&payer);
    payer.assert_channels_agree();
}

#[test]
fn what_somebody_waits_for_stays() {
    let mut payer = payer(&nets::line(), AT_ONCE);
    let bob = payer.node("bob");
    let [quick, slow] = [(); 2].map(|()| payer.invoice("carol", InvoiceRequest::of(AMOUNT)));
    let quick = payer.start(&quick, Write::here());
    payer.driver.keep(quick);
    payer.run_for(1_000);
    payer.script(Script::KeepNext { node: bob, until: payer.now.after_ms(10 * MINUTE_MS) });
    let slow = payer.start(&slow, Write::here());
    let all = Join { entities: [quick, slow].into(), mode: JoinMode::Named(JoinAllOrAny::All) };
    let joiner = payer.driver.command(payer.now, ecs_core::Engine::new_entity);
    let list = Systems::listing(["lightningd:generate_nonce"]);
    payer.tell(joiner, Write::here().attach(&all).attach(&list));
    payer.driver.release(quick);
    payer.crash();
    payer.run_for(5 * MINUTE_MS);
    assert!([quick, slow, joiner].iter().all(|id| entities(&payer).contains(id)));
    payer.driver.keep(quick);
    payer.run_for(20 * MINUTE_MS);
    assert!(entities(&payer).contains(&quick), "kept");
    assert!(!entities(&payer).contains(&slow));
    payer.driver.release(quick);
    payer.run_for(2 * MINUTE_MS);
    assert_eq!(entities(&payer), [joiner]);
}

#[test]
fn no_more_than_so_many_go_with_one_poll() {
    let mut payer = payer(&nets::line(), Retention::FOR_EVER);
    for _ in 0..300 {
        payer.start("lnbc1nonsense", Write::here());
    }
    assert_eq!(entities(&payer).len(), 300);
    payer.driver.retain(AT_ONCE);
    payer.driver.poll(payer.now);
    assert_eq!(entities(&payer).len(), 300 - payflow_default::COLLECTED_PER_POLL_MAX);
    assert!(payer.driver.next_at().is_some_and(|at| at <= payer.now), "the rest is due");
    payer.run_for(0);
    assert_empty(&payer);
}

impl Payer {
    /// The HTLCs that came in and are in their channel.
    fn unresolved(&self) -> BTreeSet<HtlcId> {
        let mut open = BTreeSet::new();
        for record in self.network.truth(0) {
            if let Fact::Incoming { htlc, .. } = record.fact {
                open.insert(htlc);
            } else if let Fact::IncomingResolved { htlc, .. } = record.fact {
                open.remove(&htlc);
            }
        }
        open
    }

    fn knows(&self, htlc: HtlcId) -> bool {
        let engine = self.driver.engine();
        let is_it = |id: &EntityId| engine.get::<Htlc>(*id).is_some_and(|it| it.0.htlc == htlc);
        engine.entities().iter().any(is_it)
    }
}

#[test]
fn what_others_paid_is_collected_once_its_htlcs_are_off_their_channel() {
    for crash in [false, true] {
        let network = nets::diamond(nets::HALF);
        let (mut payer, _) = receiving::receiver(&network, receiving::terms());
        payer.retention = AT_ONCE;
        payer.driver.retain(AT_ONCE);
        let part = RemotePart::whole(receiving::hash(), receiving::SECRET, AMOUNT);
        let from = payer.node("carol");
        for share in [60_000, 40_000] {
            payer
                .network
                .pay_us(from, part.clone().of_it(Msat(share)), payer.now)
                .expect("a way to us");
        }
        let wrong = RemotePart { payment_secret: None, ..part };
        payer.network.pay_us(from, wrong, payer.now).expect("a way to us");
        for step in 0..500 {
            payer.run_for(10);
            if crash && step % 10 == 0 {
                payer.crash();
            }
            assert!(payer.unresolved().iter().all(|htlc| payer.knows(*htlc)), "step {step}");
        }
        payer.run_for(3 * MINUTE_MS);
        assert_empty(&payer);
        assert_eq!(payer.books.posted(Account::IncomeInvoice), -i128::from(AMOUNT.0));
        payer.network.restart(payer.now);
        payer.run_for(MINUTE_MS);
        assert_empty(&payer);
        payer.assert_channels_agree();
    }
}

#[test]
fn a_part_that_turns_out_paid_after_it_was_collected_is_booked_all_the_same() {
    for opening in [false, true] {
        let mut payer = payer(&nets::line(), AT_ONCE);
        let (id, invoice) = denied(&mut payer, 10 * MINUTE_MS);
        payer.run_for(5 * MINUTE_MS);
        assert_empty(&payer);
        payer.told::<Contradiction>();
        let history = opening.then(|| Opening::below(&payer.books));
        payer.run_for(6 * MINUTE_MS);
        if let Some(history) = history {
            assert_eq!(payer.told::<Contradiction>(), [], "nobody can judge it yet");
            history.set_open(true);
            payer.run_for(2_000);
        }
        let told = payer.told::<Contradiction>();
        assert_eq!((told.len(), told[0].entity), (1, id));
        assert_eq!((told[0].what, &told[0].unbooked), (Contradicts::PaidAfterFailed, &None));
        let hash = crate::invoices::hash_of(&invoice);
        let (_, state) = payer.books.known(&hash);
        let is_paid = matches!(state, ClaimState::Complete { fee_msat, .. } if fee_msat == FEE);
        assert!(is_paid, "{state:?}");
        payer.assert_channels_agree();
        payer.driver.retain(Retention::FOR_EVER);
        assert_replays(&mut payer, &invoice);
    }
}
