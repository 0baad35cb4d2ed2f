//! Paycodes: receipts as they are asked for, looked at and decided about by name.

mod standing;
mod element;
mod issue;
pub(super) mod page;
mod list;
mod wait;
mod delete;
mod decide;
mod prepend;

pub(super) use decide::{CANCEL_PAYCODE, SETTLE_PAYCODE};
pub(super) use delete::DEL_PAYCODE;
pub(super) use element::element;
pub(super) use issue::PAYCODE;
pub use issue::make_paycode;
pub(super) use list::LIST_PAYCODES;
pub(super) use wait::WAIT_PAYCODE;

use crate::{
    port::{Receipts, ReceiptsBook},
    refusal::{PAY_UNSPECIFIED_ERROR, PAYCODE_NOT_FOUND, PAYCODE_STATUS_UNEXPECTED},
};
use ecs_core::{Engine, ErrorObject, Json};
pub(super) use issue::{
    AMOUNT_OR_ANY, CLTV, OVERPAY, TIMEOUT_S, chosen, drafted, is_any, refused, terms,
};
pub(super) use prepend::{PREPEND, prepended};
pub(super) use standing::{Status, live_set, status};

/// The receipts.
///
/// # Errors
/// 209: the engine has none.
pub(super) fn receipts(engine: &Engine) -> Result<&dyn Receipts, ErrorObject> {
    let missing = || ErrorObject::new(PAY_UNSPECIFIED_ERROR, "There are no receipts");
    engine.resource::<ReceiptsBook>().map(|book| &*book.0).ok_or_else(missing)
}

fn unknown() -> ErrorObject {
    ErrorObject::new(PAYCODE_NOT_FOUND, "No such paycode is known")
}

/// A paycode does not stand where the caller thinks it does.
fn unexpected(current: Status, expected: Status) -> ErrorObject {
    let [is, thought] = [current, expected].map(|status| Json::of(&status));
    let what = format!("The paycode is {}", is.as_str().unwrap_or_default());
    let facts = Json::object([("current_status", is), ("expected_status", thought)]);
    ErrorObject::new(PAYCODE_STATUS_UNEXPECTED, what).with_data(&facts)
}
