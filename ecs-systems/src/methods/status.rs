//! How one payment stands.

use super::{
    kinds, now,
    past::{PastPayment, payments},
    seconds,
    which::Which,
};
use crate::{
    components::{
        Amount, Cancel, Deadline, Destination, Exposure, FeePaid, Invoice, Label, MainPayment,
        PaidPreimage, PartsOpen, PartsPaid, PayHash, Reservation, Status,
    },
    port::{Books, HoldState},
    refusal::{PAY_NO_SUCH_PAYMENT, from_ledger},
};
use ecs_core::{
    Args, Engine, EntityId, ErrorObject, Failed, Failing, Fields, Json, Kind, Method, Reply, Scope,
    Systems, WireComponent, optional,
};
use payecs_units::{Msat, PaymentHash, Timestamp};

pub(super) const PAY_STATUS: Method = Method {
    name: "paystatus",
    params: &[
        optional("bolt11", kinds::INVOICE),
        optional("payment_hash", kinds::HASH),
        optional("entity", Kind::ENTITY),
    ],
    scope: Scope::Read,
    errors: &[2204, 208, 2321, 2322],
    result: r#"{"entity": id, "payment_hash", "status": "pending", "complete" or "failed",
        "phase", "system", "destination", "bolt11", "label", "amount_msat", "fee_msat",
        "amount_sent_msat", "fee_budget_msat", "attempts", "successful_parts", "failed_parts",
        "parts": [{"entity", "partid", "amount_msat", "fee_msat"}, …], "created_at", "ended_at",
        "elapsed_ms", "deadline", "cancelled": true, "exposure", "payment_preimage", "error"}"#,
    doc: "How one payment stands, live or ended. By `bolt11` or `payment_hash`: the one that runs, \
          else, from the books, the one that paid the hash, else the last that tried to; drafts, \
          which have claimed no hash, are found by `entity` alone. `phase` is how far it is and \
          `system` what matched last: there it rests. `fee_msat` and `amount_sent_msat` sum the \
          parts that arrived and the `parts` that are out. `attempts` counts rounds of planning. \
          `created_at` and `ended_at` are in seconds since 1970, as everywhere. \
          What ended and is told from the books has no `phase`, `system`, `attempts`, `deadline` \
          and `bolt11`. The preimage is there only for callers who may read secrets.",
    handle: pay_status,
    check: |engine, args| Which::of(args, true)?.entity(engine).map(drop),
};

fn pay_status(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let which = Which::of(args, true)?;
    let secrets = args.caller().secrets;
    let id = which.entity(engine)?;
    if let Some(id) = id.filter(|id| engine.get::<MainPayment>(*id).is_some()) {
        return Ok(live(engine, id, secrets).into());
    }
    match (which, engine.resource::<Books>()) {
        (Which::Hash(hash), Some(books)) => {
            let reader = books.0.reader();
            let find = move || {
                let mut look = reader.look()?;
                Ok(payments(hash, look.lines_of(&hash)?)
                    .into_values()
                    .max_by_key(|paying| (paying.preimage().is_some(), paying.created.0)))
            };
            Ok(Reply::Elsewhere(Box::new(move || {
                let found = find()
                    .map_err(|error: crate::port::HistoryError| from_ledger(&error.into()))?;
                found.map(|paying| ended(hash, &paying, secrets)).ok_or_else(unknown)
            })))
        }
        (Which::Hash(_), None) | (Which::Entity(_), _) => Err(unknown()),
    }
}

fn unknown() -> ErrorObject {
    ErrorObject::new(PAY_NO_SUCH_PAYMENT, "No such payment is known")
}

fn live(engine: &Engine, id: EntityId, secrets: bool) -> Json {
    let list = engine.get::<Systems>(id);
    let failed = engine.get::<Failed>(id).map(|Failed(error)| error);
    let failing = || engine.get::<Failing>(id).map(|Failing(error)| error);
    let status = match (list, failed, engine.get::<PaidPreimage>(id)) {
        // Also where a part was paid after the payment had failed.
        (None, _, Some(_)) => "complete",
        (_, Some(_), _) | (None, None, None) => "failed",
        (Some(_), None, _) => "pending",
    };
    let open = engine.get::<PartsOpen>(id).map_or(&[][..], |open| &open.0);
    let (paid_msat, paid_fee_msat, count) = match engine.get(id) {
        Some(PartsPaid(paid)) => (paid.amount_msat, paid.fee_msat, paid.count),
        None if status == "complete" => {
            let amount = engine.get::<Amount>(id).map_or(Msat::ZERO, |amount| amount.0);
            (amount, engine.get::<FeePaid>(id).map_or(Msat::ZERO, |fee| fee.0), 1)
        }
        None => (Msat::ZERO, Msat::ZERO, 0),
    };
    let fee = Msat::sum(open.iter().map(|part| part.fee_msat).chain([paid_fee_msat]));
    let sent = Msat::sum(open.iter().map(|part| part.amount_msat).chain([paid_msat]));
    let sent = sent.zip(fee).and_then(|(sent, fee)| sent.checked_add(fee));
    let reserved = engine.get::<Reservation>(id).map(|reserved| reserved.0);
    let (born, ended) = (engine.born_ms(id), engine.ended_ms(id));
    let until = ended.unwrap_or_else(|| now(engine).0);
    let preimage = engine.get::<PaidPreimage>(id).filter(|_| secrets);
    told([
        ("entity", Some(Json::of(&id))),
        ("payment_hash", text::<PayHash>(engine, id)),
        ("status", Some(Json::of(status))),
        ("phase", text::<Status>(engine, id)),
        ("system", list.and_then(Systems::current).map(Json::of)),
        ("destination", text::<Destination>(engine, id)),
        ("bolt11", text::<Invoice>(engine, id)),
        ("label", text::<Label>(engine, id)),
        ("amount_msat", engine.get::<Amount>(id).map(|amount| Json::of(&amount.0))),
        ("fee_msat", fee.map(|fee| Json::of(&fee))),
        ("amount_sent_msat", sent.map(|sent| Json::of(&sent))),
        ("fee_budget_msat", reserved.map(|it| Json::of(&it.fee_budget_msat))),
        ("attempts", Some(Json::of(&reserved.map_or(0, |it| it.rounds)))),
        ("successful_parts", Some(Json::of(&count))),
        ("failed_parts", Some(Json::of(&reserved.map_or(0, |it| it.parts_failed)))),
        ("parts", Some(Json::of(open))),
        ("created_at", born.map(|at| seconds(Timestamp(at)))),
        ("ended_at", ended.map(|at| seconds(Timestamp(at)))),
        ("elapsed_ms", born.map(|at| Json::of(&until.saturating_sub(at)))),
        ("deadline", text::<Deadline>(engine, id)),
        ("cancelled", text::<Cancel>(engine, id)),
        ("exposure", text::<Exposure>(engine, id)),
        ("payment_preimage", preimage.map(|preimage| Json::of(&preimage.0.reveal()))),
        ("error", failed.or_else(failing).map(Json::of)),
    ])
}

fn text<C: WireComponent>(engine: &Engine, id: EntityId) -> Option<Json> {
    engine.get::<C>(id).map(WireComponent::to_json)
}

fn told<const COUNT: usize>(fields: [(&str, Option<Json>); COUNT]) -> Json {
    let there = fields.into_iter().filter_map(|(name, json)| Some((name.to_owned(), json?)));
    Json::object(there.collect::<Fields>())
}

fn ended(hash: PaymentHash, paying: &PastPayment, secrets: bool) -> Json {
    let ended = paying.end.as_ref().map(|end| end.entry.1);
    let created = paying.created.1;
    let count = |state| Some(Json::of(&paying.count(state)));
    let arrived = match paying.count(HoldState::Paid) {
        0 if paying.to_self_msat.is_some() => 1,
        arrived => arrived,
    };
    told([
        ("entity", Some(Json::of(&paying.claim.entity))),
        ("payment_hash", Some(Json::of(&hash))),
        ("status", Some(Json::of(paying.status()))),
        ("destination", Some(Json::of(&paying.claim.destination))),
        ("label", paying.label.as_deref().map(Json::of)),
        ("amount_msat", Some(Json::of(&paying.claim.amount_msat))),
        ("fee_msat", paying.fee_msat().map(|fee| Json::of(&fee))),
        ("amount_sent_msat", paying.sent_msat().map(|sent| Json::of(&sent))),
        ("fee_budget_msat", paying.fee_budget_msat.map(|budget| Json::of(&budget))),
        ("successful_parts", Some(Json::of(&arrived))),
        ("failed_parts", count(HoldState::Void)),
        ("parts", Some(Json::array([]))),
        ("created_at", Some(seconds(created))),
        ("ended_at", ended.map(seconds)),
        ("elapsed_ms", ended.map(|at| Json::of(&at.0.saturating_sub(created.0)))),
        (
            "payment_preimage",
            paying.preimage().filter(|_| secrets).map(|it| Json::of(&it.reveal())),
        ),
        ("error", paying.error().map(Json::of)),
    ])
}
