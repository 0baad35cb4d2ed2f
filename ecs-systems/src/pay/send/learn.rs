//! Row 32.

use crate::{
    components::{
        Deadline, FailedPart, HeightAwaited, InvoiceExpiresAt, PaidPreimage, PartsFailed, Remaining,
    },
    effects::HEIGHT_TIMER,
    pay::plan::attempt::EXPIRY_MARGIN_SECONDS,
    port::NodeView,
    refusal::{PAY_DESTINATION_PERM_FAIL, overflow},
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{
    Answer, EffectRequest, Failing, Inputs, On, Refusal, Step, SystemSpec, WireComponent, Write,
};
use payecs_units::{BlockHeight, Msat, Timestamp};

/// Draws the consequences of failed parts.
pub const LEARN: SystemSpec = SystemSpec {
    name: "lightningd:learn",
    required: &["lightningd:parts:failed"],
    disallowed: &[],
    attaches: &["lightningd:failing", "lightningd:remaining", "lightningd:height:awaited"],
    detaches: &["lightningd:parts:failed"],
    refuses: &[PAY_DESTINATION_PERM_FAIL],
    does: "fails the payment if the payee said no for good; else what failed remains to be paid, \
           once our node sees the height that a payee sees and the parts were not built for",
};

type Reads<'w> = (
    &'w PartsFailed,
    Option<&'w Remaining>,
    Option<&'w HeightAwaited>,
    Option<&'w Deadline>,
    Option<&'w InvoiceExpiresAt>,
    Has<Failing>,
    Has<PaidPreimage>,
);

pub(crate) fn learn(
    In(entity): On,
    payments: Query<Reads<'_>>,
    (node, inputs): (Res<NodeView>, Res<Inputs>),
) -> Answer {
    let (PartsFailed(failed), remaining, awaited, deadline, expiry, failing, paid) =
        payments.get(entity)?;
    let learned = Step::advance().detach::<PartsFailed>();
    if failing || paid {
        return Ok(learned);
    }
    let until = last_moment(deadline, expiry);
    // Where no attempt may start any more, another one is as useless as where the payee said so.
    let is_final = |part: &&FailedPart| {
        part.permanent || (part.awaits_height.is_some() && inputs.now_ms >= until.0)
    };
    if let Some(final_word) = failed.iter().find(is_final) {
        return Ok(learned.attach(&Failing(refused_by_payee(final_word))));
    }
    let back = failed.iter().map(|part| part.amount_msat);
    let left = remaining.map_or(Msat::ZERO, |remaining| remaining.0);
    let remaining = Msat::sum(back.chain([left])).ok_or_else(|| overflow("What remains"))?;
    let learned = learned.attach(&Remaining(remaining));
    let told = failed.iter().filter_map(|part| part.awaits_height);
    let Some(height) = told.filter(|height| *height > node.height).max() else {
        return Ok(learned);
    };
    let height = awaited.map_or(height, |awaited| height.max(awaited.0));
    Ok(awaiting(learned, height, until))
}

/// The payment waits until our node sees that height, and no longer than it may be tried.
fn awaiting(step: Step, height: BlockHeight, until: Timestamp) -> Step {
    let over = vec![Write::here().detach::<HeightAwaited>()];
    let timer = EffectRequest::timer(HEIGHT_TIMER, until.0, over, HeightAwaited::SPEC.name);
    step.attach(&HeightAwaited(height)).cancel_timers(HEIGHT_TIMER).effect(timer)
}

/// From then on no attempt starts.
fn last_moment(deadline: Option<&Deadline>, expiry: Option<&InvoiceExpiresAt>) -> Timestamp {
    let margin_ms = EXPIRY_MARGIN_SECONDS * 1_000;
    let expires = expiry.map(|at| at.0.saturating_mul(1_000).saturating_sub(margin_ms));
    let bounds = [deadline.map(|deadline| deadline.0), expires.map(Timestamp)];
    bounds.into_iter().flatten().min().unwrap_or(Timestamp(u64::MAX))
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
        fixture::{Bench, NOW_MS, PREIMAGE, Ran, failure, here, payment},
        port::{Failure, FailureCode},
    };
    use ecs_core::{EffectClass, ErrorObject, Json};
    use payecs_units::PartId;

    fn failed(amount: u64, permanent: bool) -> FailedPart {
        let (amount_msat, failure) = (Msat(amount), failure());
        FailedPart { part_id: PartId(1), amount_msat, permanent, awaits_height: None, failure }
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
    /// A part that the payee refused for a height that it sees.
    fn early(height: u32) -> FailedPart {
        FailedPart { awaits_height: Some(BlockHeight(height)), ..failed(5, false) }
    }

    /// The height that is waited for then, and until when.
    fn awaited(parts: Vec<FailedPart>, write: Write) -> Option<(u32, u64)> {
        let ran = ran(parts, write);
        assert!(ran.attached("remaining").is_some(), "it is to be paid in any case");
        let height = ran.attached("height:awaited");
        let timers: Vec<_> = ran.effects.iter().map(|timer| timer.class.clone()).collect();
        let [EffectClass::Timer { at_ms, writes, only_if }] = &timers[..] else {
            assert!(height.is_none() && timers.is_empty(), "{timers:?}");
            return None;
        };
        assert_eq!(*writes, [Write::here().detach::<HeightAwaited>()]);
        assert_eq!(only_if.as_deref(), Some("lightningd:height:awaited"));
        assert_eq!(ran.kinds(), [HEIGHT_TIMER]);
        Some((height?.parse().unwrap(), *at_ms))
    }

    #[test]
    fn a_payment_waits_for_the_greatest_height_that_a_payee_sees() {
        const FOR_EVER: u64 = u64::MAX;
        for (parts, expected) in [
            (vec![early(800_001)], Some(800_001)),
            (vec![early(800_003), early(800_002), failed(7, false)], Some(800_003)),
            (vec![early(800_000)], None),
            (vec![failed(7, false)], None),
        ] {
            let expected = expected.map(|height| (height, FOR_EVER));
            assert_eq!(awaited(parts, here()), expected);
        }
    }

    #[test]
    fn nothing_is_waited_for_longer_than_attempts_may_start() {
        let deadline = || here().attach(&Deadline(Timestamp(NOW_MS + 60_000)));
        for (write, until) in [
            (deadline(), NOW_MS + 60_000),
            (deadline().attach(&InvoiceExpiresAt(NOW_MS / 1_000 + 50)), NOW_MS + 40_000),
            (deadline().attach(&InvoiceExpiresAt(NOW_MS / 1_000 + 90)), NOW_MS + 60_000),
        ] {
            assert_eq!(awaited(vec![early(800_001)], write), Some((800_001, until)));
        }
    }

    #[test]
    fn a_payee_that_refuses_when_time_is_up_has_the_last_word() {
        for (deadline, fails) in [(NOW_MS + 1, false), (NOW_MS, true), (NOW_MS - 1, true)] {
            for height in [800_000, 800_001] {
                let write = here().attach(&Deadline(Timestamp(deadline)));
                let ran = ran(vec![early(height)], write);
                assert_eq!(ran.attached("failing").is_some(), fails, "{deadline} {height}");
                assert_eq!(ran.attached("remaining").is_none(), fails, "{deadline} {height}");
                assert!(!fails || ran.effects.is_empty());
            }
        }
    }

    #[test]
    fn a_later_part_may_raise_the_height_and_never_lowers_it() {
        for (earlier, later, expected) in [(1, 2, 2), (2, 1, 2)] {
            let [earlier, later] = [earlier, later].map(|ahead| early(800_000 + ahead));
            let mut bench = Bench::new();
            bench.run(&LEARN, here().attach(&PartsFailed(vec![earlier])));
            bench.run(&LEARN, here().attach(&PartsFailed(vec![later])));
            let height = bench.app.get::<HeightAwaited>(payment()).map(|it| it.0.0);
            assert_eq!(height, Some(800_000 + expected));
            assert_eq!(bench.app.outstanding(payment()).len(), 1, "one timer");
        }
    }
}
