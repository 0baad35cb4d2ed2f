//! A word of the node that the books can't judge yet outlives the engine.

use crate::{
    books::{Audited, Opening},
    journal::{Death, Durable},
    nets,
};
use ecs_core::EntityId;
use ecs_systems::{
    components::LateWord,
    port::{HoldState, Ledger},
    units::Msat,
};
use ledger_store::Account;
use node_sim::{InvoiceRequest, Script};

const AMOUNT: Msat = Msat(100_000_000);
const MINUTE_MS: u64 = 60_000;

fn waiting(durable: &Durable) -> usize {
    let engine = durable.payer.driver.engine();
    let late = |id: &EntityId| engine.get::<LateWord>(*id).is_some();
    engine.entities().into_iter().filter(late).count()
}

/// A payment failed by its node's word, which calls it paid while the history is being opened.
fn word_waits() -> (Durable, EntityId) {
    let mut durable = Durable::new(&nets::line());
    let invoice = durable.payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let id = durable.pay(&invoice).expect("it lives");
    while durable.payer.submitted_in_all() == 0 {
        durable.run_for(1).expect("it lives");
    }
    let until = durable.payer.now.after_ms(10 * MINUTE_MS);
    durable.payer.script(Script::FailThenPay { key: durable.payer.part(id, 1), until });
    while !durable.payer.outcome(id).is_final() {
        durable.run_for(1_000).expect("it lives");
    }
    assert_eq!(durable.payer.outcome(id).status, "failed");
    let whole = durable.whole_books();
    durable.payer.books.set(&whole);
    let _opening = Opening::below(&durable.payer.books);
    (durable, id)
}

#[test]
fn a_word_that_waits_for_the_history_is_booked_after_a_power_cut_right_behind_it() {
    for death in [Death::Kill, Death::PowerLoss(1), Death::PowerLoss(2)] {
        let (mut durable, id) = word_waits();
        for _ in 0..1_000 {
            if waiting(&durable) == 0 {
                durable.run_for(1_000).expect("it lives");
            }
        }
        assert_eq!(waiting(&durable), 1);
        assert_eq!(durable.payer.books.posted(Account::Payment), 0, "not judged yet");
        durable.die(death);
        assert_eq!(waiting(&durable), 1, "{death:?}");
        durable.run_for(2_000).expect("it lives");
        assert_eq!(waiting(&durable), 0, "{death:?}");
        let payment = durable.payer.reference(id).expect("it was claimed");
        let part = durable.payer.part(id, 1).part_id;
        assert_eq!(durable.payer.books.part(&payment, part), Ok(Some(HoldState::Paid)));
        assert_eq!(durable.payer.books.posted(Account::Payment), i128::from(AMOUNT.0));
    }
}
