//! Row 14.

use crate::components::{Amount, Partial, Total};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};

/// Pays only a part of what the payee gets.
pub const SPLIT_PARTIAL: SystemSpec = SystemSpec {
    name: "lightningd:split_partial",
    required: &["lightningd:partial", "lightningd:amount"],
    disallowed: &["lightningd:total", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:total", "lightningd:amount"],
    detaches: &["lightningd:partial"],
    refuses: &[-32602],
    does: "pays only `lightningd:partial`; the payee is told the whole amount",
};

pub(crate) fn split_partial(In(entity): On, amounts: Query<(&Partial, &Amount)>) -> Answer {
    let (Partial(part), Amount(total)) = amounts.get(entity)?;
    if part > total {
        return Err(Refusal::invalid(format!("`lightningd:partial` {part} is above {total}")));
    }
    Ok(Step::advance().attach(&Total(*total)).attach(&Amount(*part)).detach::<Partial>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run};
    use payecs_units::Msat;

    #[test]
    fn a_part_is_paid_of_a_total_that_is_as_large_at_least() {
        for (part, total, fits) in [
            (1, 1, true),
            (1, 2, true),
            (40, 100, true),
            (100, 100, true),
            (101, 100, false),
            (u64::MAX, u64::MAX, true),
            (u64::MAX, u64::MAX - 1, false),
        ] {
            let write = here().attach(&Partial(Msat(part))).attach(&Amount(Msat(total)));
            let ran = run(&SPLIT_PARTIAL, write);
            assert_eq!(ran.code(), (!fits).then_some(-32602), "{part} of {total}");
            let text = |msat: u64| format!("\"{msat}msat\"");
            assert_eq!(ran.attached("total"), fits.then_some(&*text(total)));
            // The same amount again is no change.
            let changed = (fits && part != total).then(|| text(part));
            assert_eq!(ran.attached("amount"), changed.as_deref(), "{part} of {total}");
        }
    }
}
