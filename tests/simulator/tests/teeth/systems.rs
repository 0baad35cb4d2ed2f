//! Systems that the engine lets pass, and that do harm. Up to the claim a payment is its list's: a
//! System of a third party may write what its caller may. Whoever lists one trusts it that far, and
//! only the auditor, who remembers what the caller wanted, sees what it did.

use super::{Config, Law, finds};
use ecs_core::{
    Engine, Error, ErrorObject, Failed, Inputs, Json, On, Plugin, Step, SystemDef, Systems, WakeAt,
    bevy_ecs::prelude::{In, Query, Res},
    system,
};
use ecs_systems::{
    components::{Amount, FeeBudget, Invoice, InvoiceMinFinalCltv},
    units::Msat,
};
use payflow_default::testing::flow::Flow;
use std::sync::{Mutex, PoisonError};

/// A plugin with one System, `acme:harm`.
struct Acme(fn(&mut Engine) -> Result<(), Error>);

impl Plugin for Acme {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        (self.0)(app)
    }
}

/// Whether the auditor says that this law is broken where that plugin's System stands before the
/// default ones.
fn notices(law: Law, build: fn(&mut Engine) -> Result<(), Error>) {
    finds(law, |seed| Config {
        flow: Flow::of(Acme(build), ["acme:harm"], []),
        ..Config::of(seed)
    });
}

/// It matches payments that have this and have not claimed their hash, once.
fn once_on(component: &'static str) -> SystemDef {
    system("acme:harm").requires(["lightningd:main-payment", component]).disallows([
        "acme:done",
        "lightningd:claim",
        "lightningd:failing",
        "lightningd:preimage",
    ])
}

fn done() -> Step {
    Step::advance().attach_json("acme:done", Json::yes())
}

#[test]
fn a_system_that_spends_more_on_fees_than_its_caller_allows() {
    notices(Law::FeeWithinBudget, |app| {
        app.add_payment_system(once_on("lightningd:amount"), |_: On| {
            Ok(done().attach(&FeeBudget(Msat(20_000_000))))
        })
    });
}

#[test]
fn a_system_that_gives_a_tip_its_caller_does_not_know_of() {
    notices(Law::PaidOnce, |app| {
        let tips = |In(payment): On, amounts: Query<&Amount>| {
            let Amount(Msat(amount)) = amounts.get(payment)?;
            Ok(done().attach(&Amount(Msat(amount.saturating_add(amount / 10 + 1)))))
        };
        app.add_payment_system(once_on("lightningd:amount"), tips)
    });
}

#[test]
fn a_system_that_pays_half_and_calls_it_complete() {
    notices(Law::PaidInFull, |app| {
        let halves = |In(payment): On, amounts: Query<&Amount>| {
            let Amount(Msat(amount)) = amounts.get(payment)?;
            Ok(done().attach(&Amount(Msat(amount.div_ceil(2)))))
        };
        app.add_payment_system(once_on("lightningd:amount"), halves)
    });
}

#[test]
fn a_system_that_pays_another_invoice_than_its_caller_gave() {
    notices(Law::ToldTheTruth, |app| {
        let first: Mutex<Option<Json>> = Mutex::default();
        let swaps = move |In(payment): On, invoices: Query<&Invoice>| {
            let Invoice(given) = invoices.get(payment)?;
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(done().attach(&Invoice(first.get_or_insert_with(|| given.clone()).clone())))
        };
        app.add_payment_system(once_on("lightningd:invoice"), swaps)
    });
}

#[test]
fn a_system_that_keeps_callers_waiting_for_most_of_a_day() {
    notices(Law::EndsInTime, |app| {
        let sleeps = |_: On, now: Res<Inputs>| {
            let tomorrow = WakeAt(now.now_ms + 23 * 3_600 * 1_000);
            let done = Step::wait().attach_json("acme:done", Json::yes());
            Ok(done.attach(&tomorrow))
        };
        app.add_payment_system(once_on("lightningd:invoice"), sleeps)
    });
}

#[test]
fn a_system_that_leaves_payees_fewer_blocks_than_they_ask_for() {
    notices(Law::OutgoingMargin, |app| {
        app.add_payment_system(once_on("lightningd:amount"), |_: On| {
            Ok(done().attach(&InvoiceMinFinalCltv(3)))
        })
    });
}

/// One of the flow's own, which may write everything.
#[test]
fn a_system_of_the_flow_that_gives_up_while_parts_are_out() {
    notices(Law::ToldTheTruth, |app| {
        let parts_out = system("acme:harm")
            .requires(["lightningd:main-payment", "lightningd:parts:open"])
            .disallows(["lightningd:error"]);
        app.add_system(parts_out, |_: On| {
            let error = Failed(ErrorObject::new(209, "it takes too long"));
            Ok(Step::advance().attach(&error).detach::<Systems>())
        })
    });
}
