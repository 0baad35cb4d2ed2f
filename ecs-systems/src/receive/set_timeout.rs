//! Row R4.

use crate::{components::Refusing, port::PayeeFailure};
use ecs_core::{Answer, On, Step, SystemSpec};

/// Gives up a set that did not become complete in time.
pub const SET_TIMEOUT: SystemSpec = SystemSpec {
    name: "lightningd:set_timeout",
    required: &["lightningd:set", "lightningd:set:timed-out"],
    disallowed: &["lightningd:set:enough", "lightningd:set:complete", "lightningd:refusing"],
    attaches: &["lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "refuses a set that did not become complete in time, with `mpp_timeout`",
};

pub(crate) fn set_timeout(_: On) -> Answer {
    Ok(Step::advance().attach(&Refusing(PayeeFailure::TIMEOUT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::SetTimedOut,
        fixture::Bench,
        receive::fixture::{bare_set, received, set_entity},
    };

    #[test]
    fn payers_of_a_set_that_timed_out_may_try_again() {
        let write = bare_set().attach(&received(1)).attach(&SetTimedOut);
        let ran = Bench::new().run_on(set_entity(), &SET_TIMEOUT, write);
        assert_eq!(ran.names(), ["refusing"]);
        assert_eq!(ran.attached("refusing"), Some("\"mpp_timeout\""));
    }
}
