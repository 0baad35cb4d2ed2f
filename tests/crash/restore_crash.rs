//! An engine that goes on from an old backup beside a node that forgets parts.

use crate::{
    invoices::hash_of,
    journal::{Death, Durable},
    restore::{LARGE, SMALL, network, pay, pay_invoice, received, restore},
};
use ecs_systems::port::{ClaimState, Decision, Ledger, LedgerEntry};
use node_sim::{Fact, InvoiceRequest};
use payflow_default::Reconciliation;

/// What was paid by each part that ever left, in the order of the node's list.
fn places(durable: &Durable) -> Vec<String> {
    let truth = durable.payer.network.truth(0);
    let hashes = truth.iter().filter_map(|record| {
        let Fact::PartSubmitted { key, .. } = record.fact else { return None };
        Some(key.payment_hash.to_string())
    });
    hashes.collect()
}

/// Two payments since the backup, the second between two parts of the first: their invoices, and
/// the place of the second's part.
fn interleaved(durable: &mut Durable) -> ([String; 2], u64) {
    let before = places(durable).len();
    // The first is retried, as its cheapest way is empty; the second is paid to a neighbour.
    let invoices = [("carol", LARGE), ("dave", SMALL)]
        .map(|(payee, amount)| durable.payer.invoice(payee, InvoiceRequest::of(amount)));
    let around = durable.pay(&invoices[0]).expect("it lives");
    while places(durable).len() < before + 2 {
        durable.run_for(1).expect("it lives");
    }
    let between = durable.pay(&invoices[1]).expect("it lives");
    durable.run_for(20_000).expect("it lives");
    for id in [around, between] {
        assert_eq!(durable.payer.outcome(id).status, "complete");
    }
    let hash = hash_of(&invoices[1]).to_string();
    let places = places(durable);
    let of_it: Vec<usize> = (0..places.len()).filter(|place| places[*place] == hash).collect();
    let [place] = of_it[..] else { panic!("one part: {of_it:?}") };
    assert!(place > before && place + 1 < places.len(), "{place} of {places:?}");
    (invoices, place as u64 + 1)
}

/// How the engine dies at each step: it is killed once, and else the power goes.
const CUTS: u64 = 8;

#[test]
fn a_crash_while_found_parts_are_booked_hides_no_part_that_the_node_forgets_then() {
    let mut durable = Durable::new(&network());
    let backup = durable.backup();
    let (invoices, place) = interleaved(&mut durable);
    let (mut step, mut closed, mut open) = (0, 0, 0);
    loop {
        let (after, cut) = (step / CUTS, step % CUTS);
        durable.payer.troubles.open().forgotten = None;
        durable.restore(&backup);
        durable.fuel = Some(after);
        let died = durable.run_for(30_000).is_err();
        durable.payer.troubles.open().forgotten = Some((place, place));
        durable.die(if cut == 0 { Death::Kill } else { Death::PowerLoss(step) });
        durable.run_for(30_000).expect("it lives");
        let told = durable.payer.driver.reconciliation().clone();
        let is_closed = durable.payer.driver.intake().reconciling;
        let forgotten = matches!(&told, Reconciliation::Blocked(report) if report.forgotten);
        assert_eq!(is_closed, forgotten, "step {step}: {told:?}");
        let claim = durable.payer.books.claim(&hash_of(&invoices[1])).expect("its past is there");
        let is_known = matches!(claim, Some((_, ClaimState::Complete { .. })));
        assert!(
            is_known || is_closed,
            "step {step}: paid, forgotten, and nobody sees it: {told:?}"
        );
        (closed, open) = (closed + u32::from(is_closed), open + u32::from(!is_closed));
        for invoice in &invoices {
            pay_invoice(&mut durable, invoice);
        }
        assert_eq!(received(&durable, &invoices[1]), (1, SMALL), "step {step}");
        assert_eq!(received(&durable, &invoices[0]), (1, LARGE), "step {step}");
        if !died && cut + 1 == CUTS {
            break;
        }
        step += 1;
    }
    assert!(closed > 0 && open > 0, "{closed} closed, {open} open");
}

/// The decision that the books were reconciled by, where there is one.
fn decided(durable: &mut Durable) -> Vec<Option<Decision>> {
    let lines = durable.entries().into_iter().flat_map(|entry| entry.lines);
    let reconciled = lines.filter_map(|line| {
        let LedgerEntry::Reconciled { forgotten, .. } = line else { return None };
        Some(forgotten)
    });
    reconciled.collect()
}

#[test]
fn a_gap_is_taken_on_by_a_decision_that_stands_in_the_books() {
    let mut durable = Durable::new(&network());
    pay(&mut durable, SMALL);
    let before = durable.payer.submitted_in_all() as u64;
    let backup = durable.backup();
    let paid = [pay(&mut durable, SMALL), pay(&mut durable, SMALL)];
    // What was cleaned up is in the backup, or is the first payment behind it.
    for (gap, missing) in [((1, before), 0), ((before + 1, before + 1), 1)] {
        durable.accepts_forgotten = None;
        durable.payer.troubles.open().forgotten = Some(gap);
        restore(&mut durable, &backup);
        let Reconciliation::Blocked(report) = durable.payer.driver.reconciliation() else {
            panic!("{:?}", durable.payer.driver.reconciliation());
        };
        assert!(report.forgotten);
        assert_eq!(report.unexplained.len(), missing, "{report:?}");
        let lacking = report.unexplained.iter().map(|(_, expected, there)| expected.0 - there.0);
        assert!(lacking.into_iter().all(|msat| msat >= SMALL.0), "{report:?}");

        let decision = Decision { who: "ann".to_owned(), why: "it was tidied up".to_owned() };
        durable.accepts_forgotten = Some(decision.clone());
        durable.restore(&backup);
        durable.run_for(30_000).expect("it lives");
        let Reconciliation::Done(report) = durable.payer.driver.reconciliation() else {
            panic!("{:?}", durable.payer.driver.reconciliation());
        };
        assert_eq!((report.forgotten, report.adjusted.len()), (true, missing), "{report:?}");
        assert_eq!(decided(&mut durable), [Some(decision)]);
        durable.payer.assert_channels_agree();
        durable.accepts_forgotten = None;
        durable.die(Death::Kill);
        durable.run_for(30_000).expect("it lives");
        assert!(!durable.payer.driver.intake().reconciling, "once");
        assert!(pay_invoice(&mut durable, &paid[1]).replayed, "what the node lists is known");
    }
}

#[test]
fn a_decision_that_is_not_needed_leaves_no_trace() {
    let mut durable = Durable::new(&network());
    let backup = durable.backup();
    pay(&mut durable, SMALL);
    durable.accepts_forgotten = Some(Decision { who: String::new(), why: String::new() });
    restore(&mut durable, &backup);
    assert!(!durable.payer.driver.intake().reconciling);
    assert_eq!(decided(&mut durable), [None]);
}
