//! Row R6b.

use crate::components::{Refusing, Reject};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, On, Step, SystemSpec};

/// Refuses what a third party rejects.
pub const APPLY_REJECT: SystemSpec = SystemSpec {
    name: "lightningd:apply_reject",
    required: &["lightningd:set:complete", "lightningd:reject"],
    disallowed: &["lightningd:refusing", "lightningd:set:settling", "lightningd:settled"],
    attaches: &["lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "refuses a set that a third party rejects, in its words",
};

pub(crate) fn apply_reject(In(entity): On, sets: Query<&Reject>) -> Answer {
    let Reject(failure) = *sets.get(entity)?;
    Ok(Step::advance().attach(&Refusing(failure)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::SetComplete,
        fixture::Bench,
        port::PayeeFailure,
        receive::fixture::{bare_set, set_entity},
    };

    #[test]
    fn payers_are_told_what_the_third_party_says() {
        for name in ["temporary_node_failure", "incorrect_or_unknown_payment_details"] {
            let failure = PayeeFailure::try_from(name.to_owned()).unwrap();
            let write = bare_set().attach(&SetComplete).attach(&Reject(failure));
            let ran = Bench::new().run_on(set_entity(), &APPLY_REJECT, write);
            assert_eq!(ran.attached("refusing"), Some(format!("\"{name}\"").as_str()));
        }
    }
}
