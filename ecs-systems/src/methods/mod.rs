//! The methods of a payer, one file per theme: what can be called by name, whatever the transport.
//!
//! Names, params and results are Core Lightning's where it has them.

mod kinds;
mod which;
mod past;
mod decode;
mod pay;
mod cancel;
mod status;
mod list_pays;
mod routes;
mod layers;
mod knowledge;
mod info;
mod ledger;
mod events;
mod explain;
mod paycodes;
mod invoices;
mod autoclean;
mod expiry;
mod holds;
mod counters;

pub(crate) use autoclean::Cleaning;
pub use autoclean::{CLEANED_PER_RECORD_MAX, clean_some, next_cleaning};
pub use expiry::{EXPIRED_PER_RECORD_MAX, expire_some, next_expiry};
pub(crate) use explain::PAYMENT;
pub use invoices::{Signing, take_signings};
pub use kinds::AMOUNT;
pub use layers::forget_passing;
pub use paycodes::make_paycode;
pub use routes::{DELAY_BLOCKS_MAX, PARTS_DEFAULT, RISK, routes_answer};

use crate::{port::Books, refusal::PAY_UNSPECIFIED_ERROR};
use ecs_core::{Engine, ErrorObject, Inputs, Json, Method};
use payecs_units::Timestamp;

/// All of them but those for layers.
const OTHERS: [&Method; 34] = [
    &decode::DECODE,
    &pay::PAY,
    &cancel::CANCEL_PAY,
    &status::PAY_STATUS,
    &list_pays::LIST_PAYS,
    &routes::GET_ROUTES,
    &knowledge::LIST_KNOWLEDGE,
    &knowledge::IMPORT_KNOWLEDGE,
    &info::GET_INFO,
    &ledger::LEDGER_BALANCE,
    &ledger::LEDGER_LIST,
    &events::EVENTS,
    &events::OBSERVE,
    &events::SUBSCRIBE_PAY_SUCCESS,
    &events::SUBSCRIBE_PAY_FAILURE,
    &events::SUBSCRIBE_PAYCODE_PAYMENT,
    &events::SUBSCRIBE_INVOICE_PAYMENT,
    &paycodes::PAYCODE,
    &paycodes::LIST_PAYCODES,
    &paycodes::WAIT_PAYCODE,
    &paycodes::DEL_PAYCODE,
    &paycodes::SETTLE_PAYCODE,
    &paycodes::CANCEL_PAYCODE,
    &invoices::INVOICE,
    &invoices::CREATE_INVOICE,
    &invoices::SIGN_INVOICE,
    &invoices::LIST_INVOICES,
    &invoices::WAIT_INVOICE,
    &invoices::WAIT_ANY_INVOICE,
    &invoices::DEL_INVOICE,
    &counters::WAIT,
    &autoclean::AUTOCLEAN_ONCE,
    &autoclean::AUTOCLEAN_STATUS,
    &holds::LIST_HOLDS,
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Method> {
    OTHERS.into_iter().chain(layers::ALL)
}

/// The books.
///
/// # Errors
/// 209: they are not there yet.
fn books(engine: &Engine) -> Result<&Books, ErrorObject> {
    engine.resource().ok_or_else(|| {
        ErrorObject::new(PAY_UNSPECIFIED_ERROR, "There are no books yet: try again later")
    })
}

/// The moment of the command.
fn now(engine: &Engine) -> Timestamp {
    engine.resource::<Inputs>().map_or(Timestamp(0), |inputs| Timestamp(inputs.now_ms))
}

/// A moment that something was made or ended, as all methods tell it: whole seconds since 1970 UTC.
fn seconds(at: Timestamp) -> Json {
    Json::of(&at.unix_seconds())
}

#[cfg(test)]
mod tests;
