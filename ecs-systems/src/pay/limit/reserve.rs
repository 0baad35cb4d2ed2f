//! Row 27.

use crate::{
    components::{
        Claimed, Deadline, FeeBudget, Label, Remaining, Reservation, ReservationFacts, RetryFor,
    },
    policy::Policy,
    port::LedgerEntry,
    records::RecordEntry,
    refusal::{PAY_INSUFFICIENT_FUNDS, POLICY_REFUSED},
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Inputs, On, Step, SystemSpec};
use payecs_units::{PartId, Timestamp};

/// How long attempts may start where nobody said: 60 s.
const RETRY_FOR_MS_DEFAULT: u64 = 60_000;

/// Sets aside amount and fee budget.
pub const RESERVE_FUNDS: SystemSpec = SystemSpec {
    name: "lightningd:reserve_funds",
    required: &["lightningd:policy:passed"],
    disallowed: &[
        "lightningd:to-self",
        "lightningd:reservation",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:reservation", "lightningd:remaining", "lightningd:deadline"],
    detaches: &[],
    refuses: &[PAY_INSUFFICIENT_FUNDS, POLICY_REFUSED],
    does: "sets aside amount and fee budget; limits and balance are checked in the same batch",
};

type Reads<'w> = (&'w Claimed, &'w FeeBudget, Option<&'w RetryFor>, Option<&'w Label>);

pub(crate) fn reserve_funds(
    In(entity): On,
    payments: Query<Reads<'_>>,
    policy: Res<Policy>,
    inputs: Res<Inputs>,
) -> Answer {
    let (Claimed(facts), budget, retry_for, label) = payments.get(entity)?;
    let amount_msat = facts.claim.amount_msat;
    let FeeBudget(fee_budget_msat) = *budget;
    let wait_ms = retry_for.map_or(RETRY_FOR_MS_DEFAULT, RetryFor::milliseconds);
    let reservation = ReservationFacts {
        amount_msat,
        fee_budget_msat,
        rounds: 0,
        next_part: PartId(1),
        parts_failed: 0,
    };
    Ok(Step::advance()
        .attach(&Reservation(reservation))
        .attach(&Remaining(amount_msat))
        .attach(&Deadline(Timestamp(inputs.now_ms).after_ms(wait_ms)))
        .keep(&LedgerEntry::Reserve {
            payment: facts.claim.payment,
            amount_msat,
            fee_budget_msat,
            label: label.map(|label| label.text().into_owned()),
            limits: policy.limits.clone(),
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::PolicyPassed,
        fixture::{AMOUNT, BUDGET, Bench, NOW_MS, claim, here, payment, sample},
        port::{LedgerError, SpendLimit},
    };
    use ecs_core::{Json, Write};
    use payecs_units::{Msat, Seconds};

    fn passed() -> Write {
        here()
            .attach(&PolicyPassed)
            .attach(&Claimed(claim()))
            .attach(&FeeBudget(BUDGET))
            .attach(&Label(Json::of("rent")))
    }

    #[test]
    fn amount_and_fee_budget_are_set_aside_within_the_limits() {
        let limit = SpendLimit {
            name: "daily".to_owned(),
            label: None,
            window: Seconds(86_400),
            max_msat: Msat(1_000_000),
        };
        let mut bench = Bench::new().policy(|policy| policy.limits = vec![limit.clone()]);
        let ran = bench.run(&RESERVE_FUNDS, passed());
        assert_eq!(ran.names(), ["deadline", "remaining", "reservation"]);
        assert_eq!(bench.app.get::<Remaining>(payment()).unwrap().0, AMOUNT);
        let Reservation(facts) = bench.app.get::<Reservation>(payment()).unwrap();
        assert_eq!((facts.amount_msat, facts.fee_budget_msat), (AMOUNT, BUDGET));
        assert_eq!((facts.rounds, facts.next_part, facts.parts_failed), (0, PartId(1), 0));
        let reserved = LedgerEntry::Reserve {
            payment: claim().claim.payment,
            amount_msat: AMOUNT,
            fee_budget_msat: BUDGET,
            label: Some("rent".to_owned()),
            limits: vec![limit],
        };
        assert_eq!(ran.entries, [reserved]);
    }

    #[test]
    fn the_deadline_is_retry_for_from_now() {
        for (seconds, ms) in
            [(None, 60_000), (Some("0"), 0), (Some("1.5"), 1_500), (Some("86400"), 86_400_000)]
        {
            let retry_for = seconds.map(|text| RetryFor(Json::parse(text).unwrap()));
            let mut bench = Bench::new();
            bench.run(&RESERVE_FUNDS, passed().attach_some(retry_for.as_ref()));
            let Deadline(deadline) = bench.app.get::<Deadline>(payment()).unwrap();
            assert_eq!(deadline.0, NOW_MS + ms, "{seconds:?}");
        }
    }

    #[test]
    fn what_the_books_refuse_reserves_nothing() {
        let (requested_msat, available_msat) = (Msat(105_000), Msat(7));
        let limit = LedgerError::LimitReached {
            limit: "daily".to_owned(),
            used_msat: Msat(1),
            requested_msat,
            max_msat: Msat(2),
            resets_at: None,
        };
        for (error, code) in [
            (LedgerError::InsufficientFunds { requested_msat, available_msat }, 215),
            (limit, 2310),
        ] {
            let ran = Bench::new().refusing(error).run(&RESERVE_FUNDS, passed());
            assert_eq!((ran.code(), ran.names()), (Some(code), vec!["failing"]));
        }
    }

    #[test]
    fn a_payment_to_ourselves_takes_nothing_from_channels() {
        let name = "lightningd:to-self";
        let ran = Bench::new().run(&RESERVE_FUNDS, passed().attach_json(name, sample(name)));
        assert!(!ran.matched);
    }
}
