//! Row 21.

use crate::{
    components::{Amount, ExemptFee, FeeBudget, MaxFeePercent},
    refusal::overflow,
};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, On, Step, SystemSpec};
use payecs_units::{MicroPercent, Msat};

/// Computes what fees may take.
pub const COMPUTE_FEEBUDGET: SystemSpec = SystemSpec {
    name: "lightningd:compute_feebudget",
    required: &["lightningd:amount", "lightningd:maxfeepercent", "lightningd:exemptfee"],
    disallowed: &[
        "lightningd:feebudget",
        "lightningd:partial",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:feebudget"],
    detaches: &[],
    refuses: &[-32602],
    does: "max(⌊amount × maxfeepercent⌋, exemptfee)",
};

pub(crate) fn compute_feebudget(
    In(entity): On,
    inputs: Query<(&Amount, &MaxFeePercent, &ExemptFee)>,
) -> Answer {
    let (Amount(amount), percent, ExemptFee(floor)) = inputs.get(entity)?;
    let budget =
        budget_of(*amount, percent.share(), *floor).ok_or_else(|| overflow("The fee budget"))?;
    Ok(Step::advance().attach(&FeeBudget(budget)))
}

/// The larger of the share, rounded down, and the floor; `None` above 2⁶⁴−1 msat.
fn budget_of(amount: Msat, share: MicroPercent, floor: Msat) -> Option<Msat> {
    Some(amount.share(share)?.max(floor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run};
    use ecs_core::Json;
    use proptest::prelude::*;

    #[test]
    fn the_system_attaches_the_budget_or_refuses_one_beyond_64_bits() {
        for (amount, percent, budget) in [
            (1_000_000, "0.5", Some("\"5000msat\"")),
            (10_000_000, "0.5", Some("\"50000msat\"")),
            (10_000_000, "0", Some("\"5000msat\"")),
            (u64::MAX, "100", Some("\"18446744073709551615msat\"")),
            (u64::MAX, "100.000001", None),
        ] {
            let write = here()
                .attach(&Amount(Msat(amount)))
                .attach(&MaxFeePercent(Json::parse(percent).unwrap()))
                .attach(&ExemptFee(Msat(5_000)));
            let ran = run(&COMPUTE_FEEBUDGET, write);
            assert_eq!(ran.attached("feebudget"), budget, "{percent} % of {amount}");
            assert_eq!(ran.code(), budget.is_none().then_some(-32602));
        }
    }

    #[test]
    fn fee_budget_takes_the_larger_of_share_and_exempt_fee() {
        for (amount, micro_percent, exempt, budget) in [
            (1_000_000, 500_000, 5_000, Some(5_000)),
            (2_000_000, 500_000, 5_000, Some(10_000)),
            (100_000, 500_000, 5_000, Some(5_000)),
            (199, 500_000, 0, Some(0)),
            (1 << 63, 100_000_000, 0, Some(1 << 63)),
            (u64::MAX, 100_000_001, 0, None),
            (100_000_000, 1, 0, Some(1)),
        ] {
            let got = budget_of(Msat(amount), MicroPercent(micro_percent), Msat(exempt));
            assert_eq!(got, budget.map(Msat), "{amount} {micro_percent} {exempt}");
        }
    }

    proptest! {
        #[test]
        fn budget_never_shrinks_as_the_amount_grows(a: u64, b: u64, share in 0_u64..=100_000_000) {
            let budget = |amount| budget_of(Msat(amount), MicroPercent(share), Msat(5_000));
            prop_assert!(budget(a.min(b)) <= budget(a.max(b)));
        }
    }
}
