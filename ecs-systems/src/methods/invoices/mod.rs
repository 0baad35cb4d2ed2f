//! Invoices: receipts with a label and a text that payers read, by the names of Core Lightning.

mod element;
mod label;
mod sign;
mod warnings;
mod ask;
mod create;
mod list;
mod wait;
mod delete;

pub(super) use ask::INVOICE;
pub(super) use create::{CREATE_INVOICE, SIGN_INVOICE};
pub(super) use delete::DEL_INVOICE;
pub(super) use element::element;
pub(super) use list::LIST_INVOICES;
pub(super) use wait::{WAIT_ANY_INVOICE, WAIT_INVOICE};

pub use sign::{Signing, take_signings};

use super::paycodes::receipts;
use crate::{port::ReceiptFacts, refusal::LIGHTNINGD};
use ecs_core::{Engine, ErrorObject};

/// The invoice of that label.
///
/// # Errors
/// 209: there are no receipts.
fn of_label(engine: &Engine, label: &str) -> Result<Option<ReceiptFacts>, ErrorObject> {
    let receipts = receipts(engine)?;
    Ok(receipts.of_label(label).and_then(|hash| receipts.facts(&hash)))
}

fn gone(what: &str) -> ErrorObject {
    ErrorObject::new(LIGHTNINGD, what)
}
