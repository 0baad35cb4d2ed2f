//! Row R5.

use crate::{components::SetComplete, effects::SET_TIMER};
use ecs_core::{Answer, On, Step, SystemSpec};

/// Closes a set whose HTLCs sum to its total.
pub const COMPLETE_SET: SystemSpec = SystemSpec {
    name: "lightningd:complete_set",
    required: &["lightningd:set:enough"],
    disallowed: &["lightningd:set:complete", "lightningd:refusing"],
    attaches: &["lightningd:set:complete"],
    detaches: &[],
    refuses: &[],
    does: "closes a set whose HTLCs sum to its total, and takes its timer back; third parties may \
           now reject or hold it",
};

pub(crate) fn complete_set(_: On) -> Answer {
    Ok(Step::advance().attach(&SetComplete).cancel_timers(SET_TIMER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::SetEnough,
        fixture::{AMOUNT, Bench},
        receive::fixture::{bare_set, received, set_entity},
    };

    #[test]
    fn a_set_with_enough_is_complete() {
        let write = bare_set().attach(&received(AMOUNT.0)).attach(&SetEnough);
        let ran = Bench::new().run_on(set_entity(), &COMPLETE_SET, write);
        assert_eq!(ran.names(), ["set:complete"]);
    }
}
