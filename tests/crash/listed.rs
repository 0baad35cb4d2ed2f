//! What is listed is what was answered, also where the index has not seen it yet and after a death.

use crate::{
    calls::{field, json},
    journal::{Death, Durable},
    nets,
    place::Place,
};
use ecs_core::Json;
use ecs_systems::units::Msat;
use node_sim::InvoiceRequest;

/// The answer of a call that is done with the next records.
fn call(durable: &mut Durable, name: &str, params: &str) -> Json {
    let call = durable.payer.begin_call(name, params);
    durable.run_for(5_000).expect("it lives");
    call.answered().expect("it is kept").expect(name)
}

fn items(answer: &Json, name: &str) -> Vec<Json> {
    json(&field(answer, name)).items().expect("an array")
}

#[test]
fn payments_and_entries_are_listed_alike_before_and_after_a_death() {
    for place in [Place::memory, Place::sled] {
        let mut durable = Durable::with_index(&nets::line(), place());
        for number in 1..=3 {
            let description = format!("order {number}");
            let request = InvoiceRequest { description, ..InvoiceRequest::of(Msat(100_000)) };
            let invoice = durable.payer.invoice("carol", request);
            let paid = call(&mut durable, "pay", &format!("[\"{invoice}\"]"));
            // At once: the index may not have it.
            let listed = call(&mut durable, "listpays", &format!("[\"{invoice}\"]"));
            let [pay] = &items(&listed, "pays")[..] else { panic!("{listed}") };
            assert_eq!(field(pay, "status"), "\"complete\"");
            assert_eq!(field(pay, "preimage"), field(&paid, "payment_preimage"));
            assert_eq!(field(pay, "amount_sent_msat"), "101001");
            let all = call(&mut durable, "listpays", "[]");
            assert_eq!(items(&all, "pays").len(), number);
        }
        let told = |durable: &mut Durable| {
            ["listpays", "ledger-list"].map(|name| call(durable, name, "[]"))
        };
        let before = told(&mut durable);
        let postings = |entry: &Json| items(entry, "postings").len();
        assert!(items(&before[1], "entries").iter().map(postings).sum::<usize>() > 12);
        durable.die(Death::Kill);
        durable.run_for(1_000).expect("it lives");
        assert_eq!(told(&mut durable), before);
    }
}
