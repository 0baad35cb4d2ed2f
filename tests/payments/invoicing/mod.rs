//! Invoices by name: asked for, paid, looked at, waited for, deleted.

mod ask;
mod create;
mod wait;
mod delete;
mod clean;
mod counters;
mod told;
mod terms;
mod expiry;

use crate::{
    calls::{field, json},
    harness::Payer,
    paycodes::Paycode,
    receiving::carol_sends,
};
use ecs_core::Json;

pub(crate) use crate::paycodes::{merchant, merchant_on, paycode};

/// Makes an invoice of that label.
fn invoice(payer: &mut Payer, label: &str, amount_msat: u64) -> Paycode {
    let params = format!("[{amount_msat},\"{label}\",\"tea\"]");
    Paycode::of(&payer.call("invoice", &params).expect(&params))
}

/// Carol pays it in one part.
fn pays(payer: &mut Payer, made: &Paycode, msat: u64) {
    carol_sends(payer, made.whole(msat));
    payer.run_for(1_000);
}

/// What a list has.
fn listed(payer: &mut Payer, params: &str) -> Vec<Json> {
    let answer = payer.call("listinvoices", params).expect(params);
    json(&field(&answer, "invoices")).items().expect("an array")
}

/// Where the invoice of that label stands; empty: there is none.
fn status_of(payer: &mut Payer, label: &str) -> String {
    let found = listed(payer, &format!("[\"{label}\"]"));
    found.first().map(|it| field(it, "status").trim_matches('"').to_owned()).unwrap_or_default()
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
