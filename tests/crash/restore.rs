//! An engine that goes on from an old backup, beside a network that has gone on.

use crate::{
    harness::Outcome,
    invoices::hash_of,
    journal::{Death, Durable},
    nets::{self, Channels},
};
use ecs_core::{EntityId, Json, SystemDef, Systems, WakeAt, Write, Writer, system};
use ecs_systems::{components::RetryFor, port::PartKey, units::Msat};
use node_sim::{InvoiceRequest, Script, SimBuilder, SimNetwork};
use payecs_journal::MemoryDisk;
use payflow_default::Reconciliation;

/// More than one channel carries.
pub(crate) const LARGE: Msat = Msat(700_000_000);
pub(crate) const SMALL: Msat = Msat(1_000_000);

/// Three ways from alice to carol, of which the cheapest is empty behind bob.
pub(crate) fn network() -> SimNetwork {
    let builder = ["alice", "bob", "carol", "dave", "erin"]
        .iter()
        .fold(SimBuilder::new(1).us("alice"), |builder, name| builder.node(name));
    builder
        .even("alice", "bob", 0)
        .with("bob", "carol", nets::SIZE, Msat(1_000))
        .even("alice", "dave", 0)
        .even("dave", "carol", 3_000)
        .even("alice", "erin", 0)
        .even("erin", "carol", 4_000)
        .build()
        .expect("a network")
}

/// An invoice of carol's, who keeps what comes in for it until then.
fn held(durable: &Durable, amount: Msat, for_ms: u64) -> String {
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(amount));
    let until = durable.payer.now.after_ms(for_ms);
    let payment_hash = hash_of(&invoice);
    durable.payer.script(Script::HoldSet { payment_hash, until });
    invoice
}

fn start(durable: &mut Durable, invoice: &str) -> EntityId {
    let id = durable.pay(invoice).expect("it lives");
    durable.run_for(5_000).expect("it lives");
    id
}

pub(crate) fn pay(durable: &mut Durable, amount: Msat) -> String {
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(amount));
    let outcome = pay_invoice(durable, &invoice);
    assert_eq!(outcome.status, "complete", "{outcome:?}");
    invoice
}

pub(crate) fn pay_invoice(durable: &mut Durable, invoice: &str) -> Outcome {
    let id = durable.pay(invoice).expect("it lives");
    let until = durable.payer.now.after_ms(50_000);
    durable.run_until(until).expect("it lives");
    durable.payer.outcome(id)
}

/// What a network has seen paid for an invoice.
pub(crate) fn received(durable: &Durable, invoice: &str) -> (u32, Msat) {
    let truth = durable.payer.truth_of(invoice);
    (truth.sets_taken, truth.received_in_all())
}

/// Restores, and asks the node for a minute; nothing leaves meanwhile.
pub(crate) fn restore(durable: &mut Durable, backup: &MemoryDisk) {
    let sent = durable.payer.submitted_in_all();
    durable.restore(backup);
    assert!(durable.payer.driver.intake().reconciling, "closed from the first moment");
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(SMALL));
    let id = durable.payer.start(&invoice, Write::here());
    assert_eq!(durable.payer.outcome(id).code(), 2330, "nothing new before the node has said all");
    durable.run_for(30_000).expect("it lives");
    assert_eq!(durable.payer.submitted_in_all(), sent, "nothing is sent");
}

#[test]
fn nothing_is_paid_again_after_an_old_backup_was_restored() {
    let mut durable = Durable::new(&network());
    let before = pay(&mut durable, LARGE);
    // Under way when the backup is made: one that arrives after it, one that is retried after it,
    // one that carol never takes.
    let arriving = held(&durable, SMALL, 20_000);
    start(&mut durable, &arriving);
    let backup = durable.backup();
    durable.run_for(30_000).expect("it lives");
    assert_eq!(received(&durable, &arriving), (1, SMALL));
    let after = [pay(&mut durable, SMALL), pay(&mut durable, Msat(2_000_000))];
    let flying = held(&durable, SMALL, 600_000);
    start(&mut durable, &flying);

    restore(&mut durable, &backup);
    let Reconciliation::Done(report) = durable.payer.driver.reconciliation().clone() else {
        panic!("{:?}", durable.payer.driver.reconciliation());
    };
    let mut found: Vec<_> = after.iter().chain([&flying]).map(|it| hash_of(it)).collect();
    found.sort_unstable();
    assert_eq!(report.found, found);
    assert!(report.adjusted.is_empty(), "the parts explain every difference: {report:?}");

    let paid = [&before, &arriving].into_iter().chain(&after);
    for invoice in paid.clone() {
        let known = received(&durable, invoice);
        let again = pay_invoice(&mut durable, invoice);
        assert!(again.replayed && again.status == "complete", "{again:?}");
        assert_eq!(received(&durable, invoice), known);
    }
    let again = pay_invoice(&mut durable, &flying);
    assert_eq!(again.code(), 200, "it is in flight: {again:?}");
    durable.die(Death::Kill);
    durable.run_for(700_000).expect("it lives");
    let again = pay_invoice(&mut durable, &flying);
    assert!(again.replayed && again.status == "complete", "{again:?}");
    pay(&mut durable, SMALL);
    for invoice in paid.chain([&flying]) {
        assert_eq!(received(&durable, invoice).0, 1, "paid once");
    }
    durable.payer.assert_channels_agree();
}

#[test]
fn a_payment_that_was_retried_after_the_backup_is_booked_as_the_node_has_it() {
    for amount in [LARGE, SMALL] {
        let mut durable = Durable::new(&network());
        let invoice = durable.payer.invoice("carol", InvoiceRequest::of(amount));
        // Every moment of it is one at which the backup may have been made.
        let mut backups = vec![durable.backup()];
        let id = durable.pay(&invoice).expect("it lives");
        for _ in 0..30 {
            backups.push(durable.backup());
            durable.run_for(50).expect("it lives");
        }
        durable.run_for(10_000).expect("it lives");
        assert_eq!(durable.payer.outcome(id).status, "complete");
        for (number, backup) in backups.iter().enumerate() {
            restore(&mut durable, backup);
            let done = durable.payer.driver.reconciliation();
            assert!(matches!(done, Reconciliation::Done(_)), "backup {number}: {done:?}");
            let again = pay_invoice(&mut durable, &invoice);
            assert_eq!(again.status, "complete", "backup {number}: {again:?}");
            assert_eq!(received(&durable, &invoice), (1, amount), "backup {number}");
            durable.payer.assert_channels_agree();
        }
    }
}

#[test]
fn what_failed_after_the_backup_may_be_paid_and_what_was_under_way_is_not_gone_on_with() {
    let mut durable = Durable::new(&network());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(SMALL));
    let briefly = RetryFor(Json::parse("0.1").expect("a number"));
    let id = durable.payer.start(&invoice, Write::here().attach(&briefly));
    durable.run_for(50).expect("it lives");
    let backup = durable.backup();
    durable.run_for(10_000).expect("it lives");
    assert_eq!(durable.payer.outcome(id).status, "failed");
    restore(&mut durable, &backup);
    assert_eq!(received(&durable, &invoice), (0, Msat::ZERO));
    let outcome = pay_invoice(&mut durable, &invoice);
    assert_eq!(outcome.status, "complete", "{outcome:?}");
    durable.payer.assert_channels_agree();
}

/// A part that is in flight when the backup is made, and of which the node then says for a while
/// that it can't tell.
pub(crate) fn with_unknown(durable: &mut Durable, times: u32) -> (String, MemoryDisk) {
    let invoice = held(durable, SMALL, 900_000);
    start(durable, &invoice);
    let payment_hash = hash_of(&invoice);
    let sent = durable.payer.submitted(payment_hash);
    let (group_id, part_id, _) = *sent.last().expect("a part is out");
    let key = PartKey { payment_hash, group_id, part_id };
    let backup = durable.backup();
    durable.payer.script(Script::AnswerUnknown { key, times });
    durable.payer.script(Script::LoseOutcome { key });
    (invoice, backup)
}

#[test]
fn while_a_part_is_unknown_nothing_new_is_taken_on_and_once_it_is_known_all_is() {
    let mut durable = Durable::new(&network());
    let (invoice, backup) = with_unknown(&mut durable, 6);
    restore(&mut durable, &backup);
    let blocked = durable.payer.driver.reconciliation().clone();
    let Reconciliation::Blocked(report) = &blocked else { panic!("{blocked:?}") };
    assert_eq!((report.unknown.len(), report.forgotten), (1, false));
    durable.run_for(200_000).expect("it lives");
    assert!(!durable.payer.driver.intake().reconciling, "the node has said what it is");
    pay(&mut durable, SMALL);
    assert_eq!(pay_invoice(&mut durable, &invoice).code(), 200);
    durable.run_for(1_800_000).expect("it lives");
    assert!(pay_invoice(&mut durable, &invoice).replayed);
    durable.payer.assert_channels_agree();
}

#[test]
fn an_operator_may_accept_a_part_that_stays_unknown_and_its_hash_stays_refused() {
    let mut durable = Durable::new(&network());
    let (invoice, backup) = with_unknown(&mut durable, u32::MAX);
    restore(&mut durable, &backup);
    durable.run_for(600_000).expect("it lives");
    assert!(durable.payer.driver.intake().reconciling, "never by itself");
    durable.accepts_unknown = true;
    durable.restore(&backup);
    durable.run_for(30_000).expect("it lives");
    assert!(!durable.payer.driver.intake().reconciling);
    let done = durable.payer.driver.reconciliation();
    let Reconciliation::Done(report) = done else { panic!("{done:?}") };
    assert_eq!(report.uncompared.len(), 1, "the channel of the part: {report:?}");
    pay(&mut durable, SMALL);
    assert_eq!(pay_invoice(&mut durable, &invoice).code(), 200, "it may be paid");
    durable.run_for(300_000).expect("it lives");
    assert_eq!(pay_invoice(&mut durable, &invoice).code(), 200, "nobody says that it was");
    assert_eq!(received(&durable, &invoice), (1, SMALL));
    durable.payer.assert_money_is_whole();
}

/// Pays where an external System of a third party is at work first, until it answers.
fn pay_asking(durable: &mut Durable, invoice: &str, outside: SystemDef) -> EntityId {
    let now = durable.payer.now;
    let name = outside.system.to_string();
    let list = durable.payer.driver.command(now, |engine| {
        engine.add_external_system_for(outside, 3_600_000).expect("a name of its own");
        let own: Vec<_> = engine.default_systems().iter().map(ToString::to_string).collect();
        std::iter::once(name).chain(own).collect::<Vec<_>>()
    });
    let at = WakeAt(now.after_ms(60_000).0);
    let more = Write::here().attach(&Systems::listing(list)).attach(&at);
    let id = durable.pay_with(invoice, more).expect("it lives");
    durable.run_for(5_000).expect("it lives");
    let engine = durable.payer.driver.engine();
    assert!(engine.invocation(id).is_some(), "{}", durable.payer.story(id));
    id
}

/// The external System answers, if it is still waited for.
fn answer_outside(durable: &mut Durable, id: EntityId) {
    let write = Write::to(id).attach_json("acme:answered", Json::yes());
    durable.payer.driver.command(durable.payer.now, |engine| {
        let number = engine.invocation(id).and_then(|it| it.invocation);
        engine.set_components(&Writer::Caller, &[write], &[]).expect("its own name");
        let _advanced = engine.advance(id, number);
    });
    durable.run_for(60_000).expect("it lives");
}

#[test]
fn what_had_not_claimed_its_hash_at_the_backup_is_never_paid() {
    let mut durable = Durable::new(&network());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(SMALL));
    let outside = system("acme:x").requires(["lightningd:invoice"]).disallows(["acme:answered"]);
    let id = pay_asking(&mut durable, &invoice, outside);
    let backup = durable.backup();
    restore(&mut durable, &backup);
    answer_outside(&mut durable, id);
    assert_eq!(received(&durable, &invoice), (0, Msat::ZERO));
    assert_eq!(durable.payer.outcome(id).code(), 2331, "{}", durable.payer.story(id));
    assert!(durable.payer.driver.engine().get::<WakeAt>(id).is_none());
    let again = pay_invoice(&mut durable, &invoice);
    assert_eq!((again.status.as_str(), again.replayed), ("complete", false), "{again:?}");
}

#[test]
fn a_payment_whose_failed_parts_were_not_learned_from_at_the_backup_ends() {
    let mut durable = Durable::new(&network());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(SMALL));
    let failed = ["lightningd:parts:failed"];
    let outside = system("acme:x").requires(failed).disallows(["acme:answered"]);
    let id = pay_asking(&mut durable, &invoice, outside);
    let backup = durable.backup();
    restore(&mut durable, &backup);
    assert_eq!(durable.payer.outcome(id).code(), 2331, "{}", durable.payer.story(id));
    assert_eq!(pay_invoice(&mut durable, &invoice).status, "complete");
    durable.payer.assert_channels_agree();
}

#[test]
fn a_node_that_has_forgotten_parts_since_the_backup_keeps_the_intake_closed() {
    let mut durable = Durable::new(&network());
    // Places 1 to 3 of the list before the backup, 4 to 7 after it.
    let listed = |count| (0..count).map(|_| SMALL);
    listed(3).for_each(|amount| drop(pay(&mut durable, amount)));
    let before = durable.payer.submitted_in_all() as u64;
    let backup = durable.backup();
    let after: Vec<String> = listed(4).map(|amount| pay(&mut durable, amount)).collect();
    let last = durable.payer.submitted_in_all() as u64;
    for (gap, forgotten) in [
        (None, false),
        (Some((1, before - 1)), false),
        (Some((2, before - 1)), false),
        (Some((1, before)), true),
        (Some((before + 1, before + 1)), true),
        (Some((last - 1, last - 1)), true),
        (Some((1, last)), true),
    ] {
        durable.payer.troubles.open().forgotten = gap;
        restore(&mut durable, &backup);
        for start in ["first", "second"] {
            let told = durable.payer.driver.reconciliation();
            let is_forgotten = match told {
                Reconciliation::Blocked(report) => report.forgotten,
                Reconciliation::Done(_) | Reconciliation::None => false,
                Reconciliation::Asking { .. } | Reconciliation::Booking { .. } => {
                    panic!("{told:?}")
                }
            };
            assert_eq!(is_forgotten, forgotten, "{gap:?}, {start} start: {told:?}");
            assert_eq!(durable.payer.driver.intake().reconciling, forgotten, "{gap:?}");
            durable.die(Death::Kill);
            durable.run_for(30_000).expect("it lives");
        }
        for invoice in &after {
            pay_invoice(&mut durable, invoice);
            assert_eq!(received(&durable, invoice), (1, SMALL), "{gap:?}");
        }
    }
}
