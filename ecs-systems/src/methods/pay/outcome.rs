//! What came of a payment, as its caller is told.

use crate::{
    components::{
        Amount, Claimed, FeePaid, PaidPreimage, PartsOpen, PartsPaid, PayHash, Replayed,
        Reservation,
    },
    methods::seconds,
    refusal::PAY_UNSPECIFIED_ERROR,
};
use ecs_core::{
    Engine, Entities, EntityId, Error, ErrorObject, Failed, Join, Json, Reply, Systems, WakeAt,
};
use payecs_units::{Msat, Timestamp};
use serde::Deserialize;

/// When a payment that succeeds is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Until {
    /// With the first preimage.
    First,
    /// Once no part is out.
    All,
}

/// The answer, once there is one.
pub(super) fn of(
    engine: &Engine,
    id: EntityId,
    until: Until,
) -> Option<Result<Reply, ErrorObject>> {
    if engine.resource::<Entities>().is_none_or(|all| all.get(id).is_none()) {
        return Some(Err(Error::UnknownEntity(id).into()));
    }
    if let Some(Failed(error)) = engine.get(id) {
        return Some(Err(failed(id, error.clone(), true)));
    }
    let list = engine.get::<Systems>(id);
    if engine.get::<PaidPreimage>(id).is_some() && (until == Until::First || list.is_none()) {
        return success(engine, id).map(|answer| Ok(answer.into()));
    }
    match list {
        None => {
            let what = format!("Entity {id} was ended before it paid");
            let error = ErrorObject::new(PAY_UNSPECIFIED_ERROR, what);
            Some(Err(failed(id, error, true)))
        }
        Some(list) => {
            let error = list.error().filter(|_| rests_for_nothing(engine, id));
            error.map(|error| Err(failed(id, error.clone(), false)))
        }
    }
}

/// Whether a draft waits for nothing but its caller. What is claimed ends by itself.
fn rests_for_nothing(engine: &Engine, id: EntityId) -> bool {
    let is_waiting = engine.get::<WakeAt>(id).is_some() || engine.get::<Join>(id).is_some();
    engine.get::<Claimed>(id).is_none() && !engine.is_busy(id) && !is_waiting
}

fn failed(id: EntityId, error: ErrorObject, is_final: bool) -> ErrorObject {
    let mut facts = error.facts();
    facts.entry("final".to_owned()).or_insert_with(|| Json::of(&is_final));
    // With 200 it is the one that pays.
    facts.entry("entity".to_owned()).or_insert_with(|| Json::of(&id));
    error.with_data(&facts)
}

/// What parts that arrived, or may still, come to.
struct Sent {
    amount_msat: Msat,
    fee_msat: Msat,
    count: u32,
}

/// `None`: more than 2⁶⁴−1 msat, which is more than was reserved.
fn sent(engine: &Engine, id: EntityId) -> Option<Sent> {
    let amount = engine.get::<Amount>(id).map_or(Msat::ZERO, |amount| amount.0);
    let fee = engine.get::<FeePaid>(id).map_or(Msat::ZERO, |fee| fee.0);
    let Some(PartsPaid(paid)) = engine.get(id) else {
        // To ourselves, or paid before.
        return Some(Sent { amount_msat: amount, fee_msat: fee, count: 1 });
    };
    let open = engine.get::<PartsOpen>(id).map_or(&[][..], |open| &open.0);
    let amounts = open.iter().map(|part| part.amount_msat).chain([paid.amount_msat]);
    let fees = open.iter().map(|part| part.fee_msat).chain([paid.fee_msat]);
    let count = u32::try_from(open.len()).ok()?.checked_add(paid.count)?;
    Some(Sent { amount_msat: Msat::sum(amounts)?, fee_msat: Msat::sum(fees)?, count })
}

fn success(engine: &Engine, id: EntityId) -> Option<Json> {
    let preimage = engine.get::<PaidPreimage>(id)?.0;
    let Sent { amount_msat, fee_msat, count } = sent(engine, id)?;
    let failed_parts = engine.get::<Reservation>(id).map_or(0, |it| it.0.parts_failed);
    let hash = engine.get::<PayHash>(id).map_or(preimage.hash(), |hash| hash.0);
    let mut fields = vec![
        ("payment_preimage", Json::of(&preimage.reveal())),
        ("payment_hash", Json::of(&hash)),
        ("status", Json::of("complete")),
        ("amount_msat", Json::of(&amount_msat)),
        ("amount_sent_msat", Json::of(&amount_msat.checked_add(fee_msat)?)),
        ("fee_msat", Json::of(&fee_msat)),
        ("successful_parts", Json::of(&count)),
        ("failed_parts", Json::of(&failed_parts)),
        ("created_at", seconds(Timestamp(engine.born_ms(id)?))),
        ("entity", Json::of(&id)),
    ];
    if engine.get::<Replayed>(id).is_some() {
        fields.push(("replayed", Json::yes()));
    }
    Some(Json::object(fields))
}
