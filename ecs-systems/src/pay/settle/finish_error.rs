//! Row 34.

use crate::{
    components::{Claimed, Exposure, Invoice, MainPayment, PayHash, Replayed, SameAs, Status},
    effects::{APPROVAL_TIMER, HEIGHT_TIMER, PayFailure},
    port::{Books, LedgerEntry},
    records::RecordEntry,
    refusal::RESTORED,
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, EffectRequest, ErrorObject, Failed, Failing, Id, Json, On, Step, SystemSpec, Systems,
    SystemsFinal, WireComponent,
};

/// Ends what failed, once nothing of it is open.
pub const FINISH_ERROR: SystemSpec = SystemSpec {
    name: "lightningd:finish_error",
    required: &["lightningd:failing"],
    disallowed: &[
        "lightningd:preimage",
        "lightningd:parts:open",
        "lightningd:parts:failed",
        "lightningd:self:asked",
        "lightningd:planning",
        "lightningd:part",
        "lightningd:set",
        "lightningd:htlc",
    ],
    attaches: &["lightningd:error", "lightningd:status", "lightningd:systems:final"],
    detaches: &["lightningd:failing", "lightningd:systems"],
    refuses: &[],
    does: "once no part is open: gives the reservation back, makes `failing` the `error`, and ends \
           the payment, in the books too",
};

type Reads<'w> = (
    &'w Id,
    &'w Failing,
    Option<&'w Systems>,
    Option<&'w Claimed>,
    Option<&'w PayHash>,
    Option<&'w Invoice>,
    (Has<MainPayment>, Has<SameAs>, Has<Replayed>),
    Option<&'w Exposure>,
);

pub(crate) fn finish_error(
    In(entity): On,
    payments: Query<Reads<'_>>,
    books: Option<Res<Books>>,
) -> Answer {
    let (id, Failing(failing), systems, claim, hash, invoice, is, exposure) =
        payments.get(entity)?;
    let (is_payment, waits, replayed) = is;
    // The payment it waits for still runs, or the engine of before the restore may have paid it.
    let unknown = waits || failing.code == RESTORED && claim.is_none();
    let error = as_final(failing, !unknown, exposure);
    let failure = PayFailure {
        entity: id.0,
        payment_hash: hash.map(|hash| hash.0),
        bolt11: invoice.map(|invoice| invoice.text().into_owned()),
        error: error.clone(),
    };
    let mut step = Step::stop()
        .attach(&Failed(error.clone()))
        .attach(&Status::failed())
        .detach::<Failing>()
        .detach::<Systems>()
        .cancel_timers(APPROVAL_TIMER)
        .cancel_timers(HEIGHT_TIMER)
        .effect(EffectRequest::notice(&failure));
    if let Some(systems) = systems {
        step = step.attach(&SystemsFinal(systems.to_json()));
    }
    Ok(match claim {
        Some(Claimed(facts)) => {
            step.keep(&LedgerEntry::Fail { payment: facts.claim.payment, answer: Some(error) })
        }
        None if is_payment && !replayed && books.is_some() => {
            let hash = hash.map(|hash| hash.0);
            step.keep(&LedgerEntry::FailDraft { hash, answer: Some(error) })
        }
        None => step,
    })
}

/// The error with `final` among its facts: `true` where nothing of it can still be paid.
fn as_final(error: &ErrorObject, is_final: bool, exposure: Option<&Exposure>) -> ErrorObject {
    let mut facts = error.facts();
    facts.insert("final".to_owned(), Json::of(&is_final));
    if let Some(Exposure(exposure)) = exposure {
        facts.insert("exposure".to_owned(), Json::of(exposure));
    }
    error.clone().with_data(&facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Bench, Ran, claim, failure, here, payment, sample};
    use ecs_core::Write;
    use serde_json::json;

    fn failing(data: Option<&str>) -> Write {
        let error = ErrorObject::new(205, "no route");
        let data = data.map(|text| Json::parse(text).unwrap());
        here().attach(&Failing(ErrorObject { data, ..error }))
    }

    fn ran(write: Write) -> (Bench, Ran) {
        let mut bench = Bench::new();
        let ran = bench.run(&FINISH_ERROR, write);
        (bench, ran)
    }

    #[test]
    fn failing_becomes_the_error_in_the_write_that_ends_the_payment() {
        let (bench, ran) = ran(failing(None));
        assert_eq!(ran.names(), ["error", "failing", "status", "systems", "systems:final"]);
        assert!(ran.detached("failing") && ran.detached("systems"));
        assert_eq!(ran.attached("status"), Some("\"failed\""));
        let list = r#"{"current":0,"systems":["lightningd:finish_error"]}"#;
        assert_eq!(ran.attached("systems:final"), Some(list));
        assert!(ran.entries.is_empty(), "it is no payment");
        let error = bench.app.get::<Failed>(payment()).unwrap().0.clone();
        assert_eq!((error.code, &*error.message), (205, "no route"));
        let told: PayFailure = ran.effects[0].read().unwrap();
        assert_eq!((told.entity, told.payment_hash, told.bolt11), (payment(), None, None));
        assert_eq!(told.error, error);
    }

    #[test]
    fn the_facts_stay_and_say_that_it_is_final() {
        for (data, facts) in [
            (None, json!({ "final": true })),
            (
                Some(r#"{"system":"lightningd:x","n":1}"#),
                json!({ "system": "lightningd:x", "n": 1, "final": true }),
            ),
            (Some(r#"{"final":false}"#), json!({ "final": true })),
            (Some("7"), json!({ "data": 7, "final": true })),
        ] {
            let (bench, _) = ran(failing(data));
            let error = &bench.app.get::<Failed>(payment()).unwrap().0;
            assert_eq!(error.data, Some(Json::of(&facts)));
        }
    }

    #[test]
    fn what_may_have_been_paid_since_a_backup_is_not_called_final() {
        for (claimed, is_final) in [(false, false), (true, true)] {
            let claim = claimed.then(|| Claimed(claim()));
            let error = Failing(ErrorObject::new(RESTORED, "it was under way"));
            let (bench, _) = ran(here().attach(&error).attach_some(claim.as_ref()));
            let error = &bench.app.get::<Failed>(payment()).unwrap().0;
            assert_eq!(error.facts()["final"], Json::of(&is_final));
        }
    }

    #[test]
    fn a_claim_is_given_up_in_the_same_record() {
        let invoice = "lightningd:invoice";
        let write = failing(None)
            .attach(&Claimed(claim()))
            .attach(&PayHash(claim().payment_hash()))
            .attach_json(invoice, sample(invoice));
        let (bench, ran) = ran(write);
        let answer = bench.app.get::<Failed>(payment()).map(|failed| failed.0.clone());
        let fail = LedgerEntry::Fail { payment: claim().claim.payment, answer };
        assert_eq!(ran.entries, [fail]);
        let told: PayFailure = ran.effects[0].read().unwrap();
        assert_eq!(told.payment_hash, Some(claim().payment_hash()));
        assert_eq!(told.bolt11, sample(invoice).decode().ok());
    }

    #[test]
    fn what_failed_before_its_claim_is_in_the_books_unless_it_was_told_before() {
        let main = "lightningd:main-payment";
        let write = || failing(None).attach_json(main, sample(main));
        let hash = claim().payment_hash();
        for (write, hash) in [(write(), None), (write().attach(&PayHash(hash)), Some(hash))] {
            let (bench, ran) = ran(write);
            let answer = bench.app.get::<Failed>(payment()).map(|failed| failed.0.clone());
            assert!(answer.is_some());
            assert_eq!(ran.entries, [LedgerEntry::FailDraft { hash, answer }]);
        }
        let (bench, ran) = ran(write().attach(&Replayed));
        assert!(bench.app.get::<Failed>(payment()).is_some());
        assert!(ran.entries.is_empty(), "the end of the payment it was told of is in the books");
    }

    #[test]
    fn a_payment_with_anything_open_or_paid_never_fails() {
        assert!(failure().erring_index.is_some());
        for name in FINISH_ERROR.disallowed {
            let (bench, ran) = ran(failing(None).attach_json(*name, sample(name)));
            assert!(!ran.matched, "{name}");
            assert!(bench.app.get::<Failed>(payment()).is_none(), "{name}");
        }
    }
}
