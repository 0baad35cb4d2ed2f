//! Row 32.

use crate::{
    components::{FailedPart, PaidPreimage, PartsFailed, Remaining},
    refusal::{PAY_DESTINATION_PERM_FAIL, overflow},
};
use bevy_ecs::prelude::{Has, In, Query};
use ecs_core::{Answer, Failing, On, Refusal, Step, SystemSpec};
use payecs_units::Msat;

/// Draws the consequences of failed parts.
pub const LEARN: SystemSpec = SystemSpec {
    name: "lightningd:learn",
    required: &["lightningd:parts:failed"],
    disallowed: &[],
    attaches: &["lightningd:failing", "lightningd:remaining"],
    detaches: &["lightningd:parts:failed"],
    refuses: &[PAY_DESTINATION_PERM_FAIL],
    does: "fails the payment if the payee said no for good; else what failed remains to be paid",
};

type Reads<'w> = (&'w PartsFailed, Option<&'w Remaining>, Has<Failing>, Has<PaidPreimage>);

pub(crate) fn learn(In(entity): On, payments: Query<Reads<'_>>) -> Answer {
    let (PartsFailed(failed), remaining, failing, paid) = payments.get(entity)?;
    let learned = Step::advance().detach::<PartsFailed>();
    if failing || paid {
        return Ok(learned);
    }
    if let Some(final_word) = failed.iter().find(|part| part.permanent) {
        return Ok(learned.attach(&Failing(refused_by_payee(final_word))));
    }
    let back = failed.iter().map(|part| part.amount_msat);
    let left = remaining.map_or(Msat::ZERO, |remaining| remaining.0);
    let remaining = Msat::sum(back.chain([left])).ok_or_else(|| overflow("What remains"))?;
    Ok(learned.attach(&Remaining(remaining)))
}

fn refused_by_payee(part: &FailedPart) -> Refusal {
    let name = part.failure.failcode.name();
    Refusal::new(PAY_DESTINATION_PERM_FAIL, format!("The destination refused the payment: {name}"))
        .with_data(&part.failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Bench, PREIMAGE, Ran, failure, here},
        port::{Failure, FailureCode},
    };
    use ecs_core::{ErrorObject, Json, Write};
    use payecs_units::PartId;

    fn failed(amount: u64, permanent: bool) -> FailedPart {
        let (amount_msat, failure) = (Msat(amount), failure());
        FailedPart { part_id: PartId(1), amount_msat, permanent, failure }
    }

    fn ran(parts: Vec<FailedPart>, write: Write) -> Ran {
        let ran = Bench::new().run(&LEARN, write.attach(&PartsFailed(parts)));
        assert!(ran.matched);
        ran
    }

    #[test]
    fn what_failed_for_now_remains_to_be_paid() {
        for (parts, left, remaining) in [
            (vec![failed(5, false)], None, "\"5msat\""),
            (vec![failed(5, false), failed(7, false)], None, "\"12msat\""),
            (vec![failed(5, false), failed(7, false)], Some(Msat(3)), "\"15msat\""),
        ] {
            let ran = ran(parts, here().attach_some(left.map(Remaining).as_ref()));
            assert_eq!(ran.attached("remaining"), Some(remaining));
            assert!(ran.detached("parts:failed"));
        }
    }

    #[test]
    fn one_final_no_of_the_payee_fails_the_payment() {
        for parts in [vec![failed(5, true)], vec![failed(5, false), failed(7, true)]] {
            let ran = ran(parts, here().attach(&Remaining(Msat(3))));
            assert_eq!(ran.names(), ["failing", "parts:failed"]);
            let failing = Json::parse(ran.attached("failing").unwrap()).unwrap();
            let failing: ErrorObject = failing.decode().unwrap();
            assert_eq!(failing.code, PAY_DESTINATION_PERM_FAIL);
            assert!(failing.message.ends_with("temporary_channel_failure"));
            assert_eq!(failing.data.unwrap().decode::<Failure>().unwrap(), failure());
        }
        assert_eq!(failure().failcode, FailureCode::TemporaryChannelFailure);
    }

    #[test]
    fn a_payment_that_fails_or_is_paid_only_forgets_its_failed_parts() {
        let failing = Failing(ErrorObject::new(210, "time is up"));
        for write in [here().attach(&failing), here().attach(&PaidPreimage(PREIMAGE))] {
            for permanent in [false, true] {
                let ran = ran(vec![failed(5, permanent)], write.clone());
                assert_eq!(ran.names(), ["parts:failed"]);
                assert!(ran.detached("parts:failed"));
            }
        }
    }

    #[test]
    fn what_remains_never_overflows() {
        let ran = ran(vec![failed(u64::MAX, false)], here().attach(&Remaining(Msat(1))));
        assert_eq!((ran.code(), ran.names()), (Some(-32602), vec!["failing"]));
    }
}
