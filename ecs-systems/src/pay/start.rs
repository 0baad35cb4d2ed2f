//! How a payment begins.

use crate::components::MainPayment;
use ecs_core::{Engine, EntityId, Error, Json, Write, Writer};

/// Makes a payment of these Components, with the default list and `main-payment`, and advances it,
/// as part of a command. The caller's own `lightningd:systems` is kept.
///
/// # Errors
/// A Component is refused; then there is no payment.
pub fn start_payment(engine: &mut Engine, components: Write) -> Result<EntityId, Error> {
    let id = engine.new_entity();
    let list = engine.default_list();
    let mut write = Write::to(id).attach(list).attach(&MainPayment(Json::yes()));
    write.components.extend(components.components);
    engine.set_components(&Writer::Caller, &[write], &[])?;
    engine.advance(id, None)?;
    Ok(id)
}
