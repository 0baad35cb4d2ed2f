//! Paycodes: receipts as they are asked for, looked at and decided about by name.

mod standing;
mod issue;

pub(super) use issue::PAYCODE;

use crate::port::{Receipts, ReceiptsBook};
use ecs_core::{Engine, ErrorObject};

/// The receipts.
///
/// # Errors
/// 209: the engine has none.
fn receipts(engine: &Engine) -> Result<&dyn Receipts, ErrorObject> {
    let missing =
        || ErrorObject::new(crate::refusal::PAY_UNSPECIFIED_ERROR, "There are no receipts");
    engine.resource::<ReceiptsBook>().map(|book| &*book.0).ok_or_else(missing)
}
