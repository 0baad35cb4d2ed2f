//! Giving a payment up.

use super::which::Which;
use crate::{
    components::{Cancel, Exposure, MainPayment, PayHash, Status},
    methods::kinds,
    refusal::{PAY_NO_SUCH_PAYMENT, PAY_STATUS_UNEXPECTED},
};
use ecs_core::{
    Args, Engine, EntityId, ErrorObject, Fields, Json, Kind, Method, Reply, Scope, Systems, Write,
    Writer, optional,
};
use serde_json::json;

/// How long it may take until what is under way for the payment is in.
const TIMEOUT_MS: u64 = 60_000;

pub(super) const CANCEL_PAY: Method = Method {
    name: "cancelpay",
    params: &[optional("payment_hash", kinds::HASH), optional("entity", Kind::ENTITY)],
    scope: Scope::Pay,
    errors: &[2204, 208, 211, 2000],
    result: r#"{"entity": id, "payment_hash", "status", "exposure": {"htlcs", "amount_msat",
        "sent_msat", "until_height"}}"#,
    doc: "Has a payment start nothing more. Its parts that are out end as they end: `exposure` \
          says how many they are, what the payee would get and what would leave us, and the height \
          until which; it is absent where nothing was out at all. The payment ends when they have, \
          paid or with 210. By `payment_hash` a payment is found from its claim to its end; where \
          none is, the code is 208. One that is over and named by `entity` is refused with 211, \
          and `data.status`. Cancelled twice is cancelled once. Where a reply of the node is \
          awaited, the answer comes after it; after a minute with 2000, and the payment is \
          cancelled all the same.",
    handle: cancel,
    check: |engine, args| doomed(engine, args).map(drop),
};

fn cancel(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let id = doomed(engine, args)?;
    // No quota holds up a cancel.
    engine.set_components(&Writer::Engine, &[Write::to(id).attach(&Cancel)], &[])?;
    // Where a reply is awaited it is advanced once that is in; where no System matches, it rests.
    let advanced = engine.advance(id, None);
    tracing::info!(target: "payflow::limit", %id, ?advanced, "payment cancelled");
    Ok(Reply::later(move |engine| told(engine, id).map(|json| Ok(json.into())), Some(TIMEOUT_MS)))
}

/// The payment that may be cancelled.
fn doomed(engine: &Engine, args: &Args<'_>) -> Result<EntityId, ErrorObject> {
    let unknown = || ErrorObject::new(PAY_NO_SUCH_PAYMENT, "No such payment is under way");
    let id = Which::of(args, false)?.entity(engine)?.ok_or_else(unknown)?;
    if engine.get::<MainPayment>(id).is_none() {
        return Err(unknown());
    }
    if engine.get::<Systems>(id).is_none() {
        let status = engine.get::<Status>(id).map_or_else(Json::null, |status| status.0.clone());
        let error = ErrorObject::new(PAY_STATUS_UNEXPECTED, "The payment is over");
        return Err(error.with_data(&json!({ "status": status, "entity": id })));
    }
    Ok(id)
}

/// What can still settle, once that is told or nothing can.
fn told(engine: &Engine, id: EntityId) -> Option<Json> {
    let exposure = engine.get::<Exposure>(id);
    if exposure.is_none() && engine.get::<Systems>(id).is_some() {
        return None;
    }
    let mut fields: Fields = vec![("entity".to_owned(), Json::of(&id))];
    let hash = engine.get::<PayHash>(id).map(|hash| Json::of(&hash.0));
    fields.extend(hash.map(|hash| ("payment_hash".to_owned(), hash)));
    let status = engine.get::<Status>(id).map(|status| status.0.clone());
    fields.extend(status.map(|status| ("status".to_owned(), status)));
    fields.extend(exposure.map(|exposure| ("exposure".to_owned(), Json::of(&exposure.0))));
    Some(Json::object(fields))
}
