//! `payecs_explain` of payments: a change that is promised has the same payment go.

use crate::{
    calls::{field, json},
    harness::{Payer, Setup},
    nets::{self, Channels, HALF, SIZE},
};
use ecs_core::{EntityId, Json, Write};
use ecs_systems::{
    components::{
        Amount, Cancel, Exclude, ExemptFee, FeeBudget, MaxDelay, MaxFeePercent, MaxParts,
    },
    planner::{Exclusion, Policy},
    units::{Msat, Seconds},
};
use node_sim::{InvoiceRequest, Script, SimBuilder, SimNetwork, policy};
use payflow_default::Retention;
use std::num::NonZeroU32;

const AMOUNT: Msat = Msat(100_000);
/// What is over goes with the next poll.
const AT_ONCE: Retention = Retention { age: Seconds(0), finished_max: 10 };

/// What is said of a payment.
fn explained(payer: &mut Payer, id: EntityId) -> Json {
    let answer = payer.call("payecs_explain", &format!("[{id}]")).expect("it is known");
    answer.fields().expect("an object")["payment"].clone()
}

fn items(object: &Json, name: &str) -> Vec<Json> {
    object.fields().and_then(|fields| fields.get(name)?.items()).unwrap_or_default()
}

/// The Component of a setting as it should be.
fn applied(write: Write, setting: &Json) -> Write {
    let name = json(&field(setting, "component")).as_str().expect("a name").into_owned();
    let Write { entity, mut components, .. } = write;
    components.retain(|(other, _)| *other != *name);
    let kept = Write { entity, components, ..Write::here() };
    kept.attach_json(name, json(&field(setting, "to")))
}

/// The request with one of the changes.
fn changed(more: Write, change: &Json) -> Write {
    items(change, "with").iter().fold(applied(more, change), applied)
}

fn what(change: &Json) -> String {
    field(change, "what").replace('"', "")
}

fn fees(maximum: u64) -> Write {
    Write::here().attach(&FeeBudget(Msat(maximum)))
}

fn delay(blocks: u32) -> Write {
    Write::here().attach(&MaxDelay(NonZeroU32::new(blocks).expect("some")))
}

/// Two ways from alice to carol, by bob and by dave, each of which forwards 10 000 sat at most.
fn two_small() -> SimNetwork {
    let builder = ["alice", "bob", "carol", "dave"]
        .iter()
        .fold(SimBuilder::new(1).us("alice"), |builder, name| builder.node(name));
    let small = || Policy { htlc_maximum_msat: Msat(10_000_000), ..policy(0, 0) };
    builder
        .even("alice", "bob", 0)
        .channel("bob", "carol", SIZE, HALF, small(), policy(0, 0))
        .even("alice", "dave", 0)
        .channel("dave", "carol", SIZE, HALF, small(), policy(0, 0))
        .build()
        .expect("a network")
}

#[test]
fn a_promised_change_has_the_same_payment_go() {
    let line = nets::line();
    let bob = || Write::here().attach(&Exclude(vec![Exclusion::Node(line.id("bob").unwrap())]));
    let tight = Write::here().attach(&ExemptFee(Msat::ZERO)).attach(&MaxFeePercent(Json::of(&0.5)));
    let one = Write::here().attach(&MaxParts(NonZeroU32::MIN));
    for (network, amount, more, expected) in [
        (&line, AMOUNT, fees(1_000), vec!["maxfee", "amount_msat"]),
        (&line, AMOUNT, tight, vec!["maxfee"]),
        (&line, AMOUNT, delay(40), vec!["maxdelay"]),
        (&line, AMOUNT, bob(), vec!["exclude"]),
        (&two_small(), Msat(15_000_000), one, vec!["maxparts", "amount_msat"]),
    ] {
        let mut payer = Payer::new(network);
        let open = payer.invoice("carol", InvoiceRequest::any());
        let asked = more.attach(&Amount(amount));
        let id = payer.start(&open, asked.clone());
        let refused = payer.finish(id);
        assert_ne!(refused.code(), 0, "{expected:?}");
        let told = explained(&mut payer, id);
        let changes = items(&told, "changes");
        let promised: Vec<String> = changes.iter().map(what).collect();
        assert_eq!(promised, expected, "{told}");
        for change in &changes {
            assert_eq!(field(change, "promised"), "true", "{change}");
            let mut again = Payer::new(network);
            let invoice = again.invoice("carol", InvoiceRequest::any());
            let outcome = again.pay(&invoice, changed(asked.clone(), change));
            assert_eq!(outcome.code(), 0, "{change}: {outcome:?}");
        }
    }
}

#[test]
fn a_promised_limit_is_the_least_that_does() {
    let mut payer = Payer::new(&nets::line());
    for (more, less) in [(fees(0), fees(1_000)), (delay(40), delay(1))] {
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, more);
        payer.finish(id);
        let change = items(&explained(&mut payer, id), "changes").remove(0);
        let to: u64 = field(&change, "to").parse().expect("a number");
        let short = match what(&change).as_str() {
            "maxfee" => fees(to - 1),
            _ => delay(u32::try_from(to - 1).expect("blocks")),
        };
        for more in [less, short] {
            assert_eq!(payer.pay(&invoice, more).code(), 206, "{change}");
        }
        assert_eq!(payer.pay(&invoice, changed(Write::here(), &change)).code(), 0, "{change}");
    }
}

#[test]
fn an_explanation_is_the_same_after_a_restart_and_from_the_books_as_far_as_they_know() {
    for retention in [Retention::FOR_EVER, AT_ONCE] {
        let mut payer = Payer::with(&nets::line(), Setup { retention, ..Setup::default() });
        let invoice = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
        let id = payer.start(&invoice, fees(1_000));
        payer.run_until_over(&[id], 60_000);
        let told = explained(&mut payer, id);
        payer.run_for(60_000);
        payer.crash();
        payer.run_for(1_000);
        let after = explained(&mut payer, id);
        for name in ["status", "why", "code", "changes", "limits", "largest_msat", "final"] {
            assert_eq!(field(&after, name), field(&told, name), "{name}");
        }
        let gone = retention == AT_ONCE;
        let by = if gone { "\"books\"" } else { "\"engine\"" };
        assert_eq!(field(&after, "known_by"), by, "{after}");
        let answer = payer.call("payecs_explain", &format!("[{id}]")).unwrap();
        let state = if gone { "\"gone\"" } else { "\"over\"" };
        assert_eq!(field(&answer, "state"), state);
        assert!(field(&answer, "error").starts_with("{\"code\":206"), "{answer}");
    }
}

#[test]
fn drafts_and_payments_that_were_collected_are_told_from_the_books_and_nothing_else_is() {
    let mut payer = Payer::with(&nets::line(), Setup { retention: AT_ONCE, ..Setup::default() });
    let paid = payer.invoice("carol", InvoiceRequest::of(AMOUNT));
    let (paid, draft) = (payer.start(&paid, Write::here()), payer.start("lnbc1", Write::here()));
    payer.run_for(60_000);
    payer.run_for(60_000);
    assert_eq!(payer.driver.engine().entities().len(), 0);
    let told = explained(&mut payer, paid);
    assert_eq!(
        (field(&told, "status"), field(&told, "changes")),
        ("\"complete\"".into(), "[]".into())
    );
    let told = explained(&mut payer, draft);
    let found = (field(&told, "status"), field(&told, "code"), field(&told, "known_by"));
    assert_eq!(found, ("\"failed\"".into(), "-32602".into(), "\"books\"".into()));
    for id in [draft.get() + 1_000, u32::MAX] {
        assert_eq!(payer.refused("payecs_explain", &format!("[{id}]")).0, 2204);
    }
}

#[test]
fn a_payment_whose_part_is_kept_says_until_when_and_a_failed_part_says_where() {
    let mut payer = Payer::new(&nets::diamond(Msat(500_000)));
    let until = payer.now.after_ms(600_000);
    payer.script(Script::KeepNext { node: payer.node("dave"), until });
    let invoice = payer.invoice("carol", InvoiceRequest::of(Msat(1_000_000)));
    let id = payer.start(&invoice, Write::here());
    payer.run_for(10_000);
    let told = explained(&mut payer, id);
    assert_eq!(field(&told, "status"), "\"pending\"", "{told}");
    let waits = items(&told, "waits_for").remove(0);
    assert_eq!(field(&waits, "what"), "\"parts\"");
    let height: u32 = field(&waits, "until_height").parse().expect("a height");
    assert!(field(&told, "why").contains(&format!("block {height} at the latest")), "{told}");
    let attempts = told.fields().unwrap()["attempts"].clone();
    assert_eq!(
        (field(&attempts, "rounds"), field(&attempts, "parts_failed")),
        ("2".into(), "1".into())
    );
    let tried = items(&attempts, "parts").remove(0);
    let node = payer.node("bob");
    assert_eq!(field(&tried, "failure"), "\"temporary_channel_failure\"");
    assert_eq!(field(&tried, "erring_node"), format!("\"{node}\""));
    payer.tell(id, Write::here().attach(&Cancel));
    let told = explained(&mut payer, id);
    assert_eq!(
        (field(&told, "status"), field(&told, "code")),
        ("\"failing\"".into(), "210".into())
    );
    assert!(field(&told, "why").contains("nothing more is started"), "{told}");
}
