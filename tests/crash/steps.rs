//! A crash between any two steps of a payment in several parts with a retry.

use crate::{
    invoices::hash_of,
    journal::{Death, Durable},
    nets::{self, Channels},
    place::Place,
};
use ecs_systems::units::{Msat, Seconds};
use node_sim::{InvoiceRequest, SimBuilder, SimNetwork, policy};
use payflow_default::Retention;
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

/// More than two channels carry, so that it leaves in three parts at least.
pub(crate) const AMOUNT: Msat = Msat(1_100_000_000);

/// Four ways from alice to carol. The cheapest is empty behind bob, and nobody knows: what is sent
/// there fails and is planned again.
pub(crate) fn network() -> SimNetwork {
    let builder = ["alice", "bob", "carol", "dave", "erin", "frank"]
        .iter()
        .fold(SimBuilder::new(1).us("alice"), |builder, name| builder.node(name));
    builder
        .even("alice", "bob", 0)
        .channel("bob", "carol", nets::SIZE, Msat(1_000), policy(1_000, 0), policy(0, 0))
        .even("alice", "dave", 0)
        .even("dave", "carol", 3_000)
        .even("alice", "erin", 0)
        .even("erin", "carol", 4_000)
        .even("alice", "frank", 0)
        .even("frank", "carol", 5_000)
        .build()
        .expect("a network")
}

/// Pays, and dies after so many steps. `false`: it was over before.
fn pays_although_it_dies(after: u64, deaths: &[Death]) -> bool {
    let mut durable = Durable::new(&network());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    durable.fuel = Some(after);
    let acknowledged = durable.pay(&invoice);
    let mut died = acknowledged.is_err();
    if let Ok(id) = acknowledged {
        let until = durable.payer.now.after_ms(crate::harness::DAY_MS);
        died = durable.run_until(until).is_err();
        if !died {
            let outcome = durable.payer.outcome(id);
            assert_eq!(outcome.status, "complete", "{outcome:?}");
            durable.assert_books_agree();
        }
    }
    for death in deaths {
        durable.die(*death);
    }
    let id = match (durable.known(&invoice), acknowledged) {
        (Some(id), _) => id,
        (None, Ok(id)) => panic!("payment {id} was acknowledged and is gone"),
        // Whoever got no answer asks again.
        (None, Err(_)) => durable.pay(&invoice).expect("it lives"),
    };
    durable.payer.started.retain(|started| started.id == id);
    let outcome = durable.finish(id);
    assert_eq!(outcome.status, "complete", "step {after}\n{}", durable.payer.story(id));
    assert_eq!(durable.payer.truth_of(&invoice).received_in_all(), AMOUNT, "step {after}");
    durable.assert_books_agree();
    let parts = durable.payer.submitted(hash_of(&invoice));
    let keys: BTreeSet<_> = parts.iter().map(|(group, part, _)| (*group, *part)).collect();
    assert_eq!(keys.len(), parts.len(), "step {after}: sent twice: {parts:?}");
    let groups: BTreeSet<_> = parts.iter().map(|(group, ..)| *group).collect();
    assert_eq!(groups.len(), 1, "step {after}: begun twice: {parts:?}");
    assert!(outcome.parts_paid >= 3, "step {after}: {outcome:?}");
    assert!(parts.len() > outcome.parts_paid as usize, "step {after}: nothing was retried");
    died
}

#[test]
fn a_payment_goes_on_after_a_crash_between_any_two_steps() {
    let mut after = 0;
    while pays_although_it_dies(after, &[Death::Kill]) {
        after += 1;
    }
    assert!(after > 30, "the payment had {after} steps only");
}

#[test]
fn a_payment_goes_on_after_a_power_cut_between_any_two_steps() {
    let mut after = 0;
    while pays_although_it_dies(after, &[Death::PowerLoss(after), Death::Kill]) {
        after += 1;
    }
    assert!(after > 30, "the payment had {after} steps only");
}

/// How the engine dies, after so many steps, and whether its state was written down whole before.
fn death() -> impl Strategy<Value = (u64, Death, bool)> {
    let death = prop_oneof![Just(Death::Kill), any::<u64>().prop_map(Death::PowerLoss)];
    (0_u64..30, death, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// However often the engine dies, and however: what was acknowledged is paid once, what was
    /// not may be asked for again, and nothing is lost.
    #[test]
    fn nothing_is_lost_or_paid_twice_however_often_the_engine_dies(
        deaths in vec(death(), 1..6),
        on_sled in prop::bool::weighted(0.2),
    ) {
        let place = if on_sled { Place::sled() } else { Place::memory() };
        let mut durable = Durable::with_index(&network(), place);
        let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let mut acknowledged = None;
        for (steps, death, snapshot) in deaths {
            durable.fuel = Some(steps);
            if acknowledged.is_none() {
                acknowledged = durable.pay(&invoice).ok();
            }
            let until = durable.payer.now.after_ms(300);
            if acknowledged.is_some() && durable.run_until(until).is_ok() && snapshot {
                durable.snapshot();
            }
            durable.die(death);
            let known = durable.known(&invoice);
            prop_assert!(acknowledged.is_none() || known.is_some(), "{acknowledged:?} is gone");
            acknowledged = known;
        }
        let id = match acknowledged {
            Some(id) => id,
            None => durable.pay(&invoice).expect("it lives"),
        };
        durable.payer.started.retain(|started| started.id == id);
        let outcome = durable.finish(id);
        prop_assert_eq!(&*outcome.status, "complete", "{}", durable.payer.story(id));
        prop_assert_eq!(durable.payer.truth_of(&invoice).received_in_all(), AMOUNT);
        durable.assert_books_agree();
    }
}

/// Pays once where what is over is collected at once, dies after so many steps, and asks again for
/// the same. `false`: everything was over and collected before.
fn is_collected_although_it_dies(after: u64, death: Death) -> bool {
    let retention = Retention { age: Seconds(1), finished_max: 1 };
    let mut durable = Durable::keeping(&network(), retention);
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    durable.fuel = Some(after);
    let died = durable.pay(&invoice).is_err() || durable.run_for(10_000).is_err();
    durable.die(death);
    durable.run_for(10_000).expect("it lives");
    durable.payer.run_for(0);
    assert_eq!(durable.payer.driver.engine().entities(), [], "step {after}");
    let sent = durable.payer.submitted_in_all();
    durable.payer.driver.retain(Retention::FOR_EVER);
    let id = durable.pay(&invoice).expect("it lives");
    let again = durable.finish(id);
    assert_eq!((&*again.status, sent > 0), ("complete", again.replayed), "step {after}: {again:?}");
    assert!(!again.replayed || sent == durable.payer.submitted_in_all(), "step {after}");
    assert_eq!(durable.payer.truth_of(&invoice).received_in_all(), AMOUNT, "step {after}");
    durable.assert_books_agree();
    died
}

#[test]
fn what_is_over_is_collected_and_answered_after_a_crash_between_any_two_steps() {
    for death in [Death::Kill, Death::PowerLoss(7)] {
        let mut after = 0;
        while is_collected_although_it_dies(after, death) {
            after += 1;
        }
        assert!(after > 30, "the payment had {after} steps only");
    }
}
