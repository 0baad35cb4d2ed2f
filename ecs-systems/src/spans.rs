//! What the spans of payments tell, for whoever records them: amounts and outcomes, and no secret.

use crate::components::{
    Amount, FeePaid, Htlc, HtlcJoined, PaidPreimage, Part, PartFailure, PayHash, Planned, Planning,
    Refused, Set, Settled,
};
use bevy_ecs::{
    entity::Entity,
    world::{EntityRef, World},
};
use ecs_core::{EntityId, Failed, Failing};
use payecs_units::{Msat, PaymentHash};
use tracing::{Span, field::Empty, span::Id};

/// Begins the span of an Entity: `otel.name` and `kind` are what it is, `entity` its number. The
/// other fields are empty until [`end`].
#[must_use]
pub fn begin(id: EntityId, kind: &'static str, parent: Option<Id>) -> Span {
    // Whole numbers are signed there: what is not is exported as text.
    let entity = i64::from(id.get());
    tracing::info_span!(
        target: "payecs::span", parent: parent, "entity", otel.name = kind, kind, entity,
        payment_hash = Empty, amount_msat = Empty, fee_msat = Empty, outcome = Empty, code = Empty,
        otel.status_code = Empty
    )
}

/// Says in it what became of the Entity: `outcome` in one word, `code` of its error, and what it
/// has of `payment_hash`, `amount_msat` and `fee_msat`. An Entity that ends without an outcome, as
/// one that its owner took away, has none. Its status is an error where it `failed`.
pub fn end(world: &World, entity: Entity, span: &Span) {
    let entity = world.entity(entity);
    if let Some(hash) = hash_of(entity) {
        span.record("payment_hash", tracing::field::display(hash));
    }
    let (amount, fee) = amounts_of(entity);
    for (field, amount) in [("amount_msat", amount), ("fee_msat", fee)] {
        // No amount of bitcoin is as much as that; a text keeps what is.
        match amount.map(|amount| i64::try_from(amount.0).map_err(|_| amount)) {
            Some(Ok(msat)) => span.record(field, msat),
            Some(Err(Msat(msat))) => span.record(field, tracing::field::display(msat)),
            None => span,
        };
    }
    let (outcome, code) = outcome_of(entity);
    if let Some(outcome) = outcome {
        span.record("outcome", outcome);
        if outcome == FAILED {
            span.record("otel.status_code", "error");
        }
    }
    if let Some(code) = code {
        span.record("code", i64::from(code));
    }
}

const FAILED: &str = "failed";

fn hash_of(entity: EntityRef<'_>) -> Option<PaymentHash> {
    let own = entity.get::<PayHash>().map(|hash| hash.0);
    let part = || Some(entity.get::<Part>()?.0.key.payment_hash);
    let set = || Some(entity.get::<Set>()?.0.payment_hash);
    let htlc = || Some(entity.get::<Htlc>()?.0.payment_hash);
    own.or_else(part).or_else(set).or_else(htlc)
}

/// What the payee gets, and what that costs.
fn amounts_of(entity: EntityRef<'_>) -> (Option<Msat>, Option<Msat>) {
    if let Some(Part(part)) = entity.get() {
        return (Some(part.route.amount()), Some(part.route.fee()));
    }
    let set = || Some(entity.get::<Set>()?.0.amount_msat);
    let htlc = || Some(entity.get::<Htlc>()?.0.amount_msat);
    let amount = entity.get::<Amount>().map(|amount| amount.0).or_else(set).or_else(htlc);
    (amount, entity.get::<FeePaid>().map(|fee| fee.0))
}

/// What became of it, in one word, and the code of its error.
fn outcome_of(entity: EntityRef<'_>) -> (Option<&'static str>, Option<i32>) {
    // Also where a part was paid after the payment had failed.
    if entity.contains::<PaidPreimage>() {
        return (Some("paid"), None);
    }
    let failed = entity.get::<Failed>().map(|Failed(error)| error.code);
    let failing = entity.get::<Failing>().map(|Failing(error)| error.code);
    if let Some(code) = failed.or(failing) {
        return (Some(FAILED), Some(code));
    }
    let words = [
        (entity.contains::<PartFailure>(), FAILED),
        (entity.contains::<Planning>() && entity.contains::<Planned>(), "planned"),
        (entity.contains::<Settled>(), "settled"),
        (entity.contains::<Refused>(), "refused"),
        (entity.contains::<HtlcJoined>(), "joined"),
    ];
    (words.iter().find(|(is_it, _)| *is_it).map(|(_, word)| *word), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::{Claimed, MainPayment},
        fixture::{
            AMOUNT, HASH_TEXT, PREIMAGE, SECRET, child, claim, failure, htlc, part, payment,
            plan_of, set,
        },
        kin::kin,
        port::PayeeFailure,
    };
    use bevy_ecs::bundle::Bundle;
    use ecs_core::{ErrorObject, Json};
    use std::{
        collections::BTreeMap,
        fmt,
        sync::{Arc, Mutex},
    };
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Record},
    };

    /// Every field that was told of any span, as text.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<BTreeMap<String, String>>>);

    impl Visit for Told {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            let mut told = self.0.lock().expect("no panic");
            told.insert(field.name().to_owned(), format!("{value:?}"));
        }
    }

    impl Subscriber for Told {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            span.record(&mut self.clone());
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut self.clone());
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// What the span of an Entity with these Components tells.
    fn told(components: impl Bundle) -> BTreeMap<String, String> {
        let mut world = World::new();
        let entity = world.spawn(components).id();
        let told = Told::default();
        tracing::subscriber::with_default(told.clone(), || {
            let span = begin(payment(), kin(&world, entity).kind, None);
            end(&world, entity, &span);
        });
        let told = told.0.lock().unwrap();
        told.clone()
    }

    #[test]
    fn a_span_tells_what_became_of_its_entity_and_no_secret() {
        let paying = || (MainPayment(Json::yes()), PayHash(PREIMAGE.hash()), Amount(AMOUNT));
        let (paid, fee) = (PaidPreimage(PREIMAGE), FeePaid(Msat(7)));
        let failed = || Failed(ErrorObject::new(205, "no route"));
        let failing = Failing(ErrorObject::new(206, "too expensive"));
        let plan = plan_of(AMOUNT);
        for (fields, kind, outcome, code) in [
            (told((paying(), Claimed(claim()), paid.clone(), fee)), "payment", Some("paid"), None),
            (told((paying(), failed())), "payment", Some("failed"), Some("205")),
            (told((paying(), failed(), paid.clone())), "payment", Some("paid"), None),
            (told(paying()), "payment", None, None),
            (told((Planning, Amount(AMOUNT), Planned::new(plan))), "plan", Some("planned"), None),
            (told((Planning, Amount(AMOUNT), failing)), "plan", Some("failed"), Some("206")),
            (told((Planning, Amount(AMOUNT))), "plan", None, None),
            (told((Part(part()), paid)), "part", Some("paid"), None),
            (told((Part(part()), PartFailure(failure()))), "part", Some("failed"), None),
            (told((Set(set()), Settled)), "set", Some("settled"), None),
            (told((Htlc(htlc()), Refused(PayeeFailure::TIMEOUT))), "htlc", Some("refused"), None),
            (told((Htlc(htlc()), HtlcJoined(child()))), "htlc", Some("joined"), None),
        ] {
            let field = |name: &str| fields.get(name).map(String::as_str);
            assert_eq!(field("kind"), Some(&*format!("{kind:?}")), "{fields:?}");
            assert_eq!(field("entity"), Some("1"), "{fields:?}");
            let quoted = outcome.map(|word| format!("{word:?}"));
            assert_eq!(field("outcome"), quoted.as_deref(), "{fields:?}");
            assert_eq!(field("code"), code, "{fields:?}");
            let status = (outcome == Some("failed")).then_some("\"error\"");
            assert_eq!(field("otel.status_code"), status, "{fields:?}");
            let hash = (kind != "plan").then_some(HASH_TEXT);
            assert_eq!(field("payment_hash"), hash, "{fields:?}");
            assert!(field("amount_msat").is_some_and(|it| it.parse::<u64>().is_ok()), "{fields:?}");
            for secret in [PREIMAGE.reveal(), SECRET.reveal()] {
                assert!(fields.values().all(|value| !value.contains(&secret)), "{fields:?}");
            }
        }
    }
}
