//! Row 28.

use crate::refusal::PAY_STOPPED_RETRYING;
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};

/// Stops trying.
pub const STOP_ON_CANCEL: SystemSpec = SystemSpec {
    name: "lightningd:stop_on_cancel",
    required: &["lightningd:main-payment", "lightningd:cancel"],
    disallowed: &["lightningd:failing", "lightningd:preimage"],
    attaches: &[],
    detaches: &[],
    refuses: &[PAY_STOPPED_RETRYING],
    does: "stops trying; parts that are out end as they end",
};

pub(crate) fn stop_on_cancel(_: On) -> Answer {
    Err::<Step, _>(cancelled())
}

/// What a cancelled payment fails with, and its plan.
pub(crate) fn cancelled() -> Refusal {
    Refusal::new(PAY_STOPPED_RETRYING, "Payment was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{here, run, sample};

    #[test]
    fn a_cancelled_payment_fails_with_210() {
        let all = STOP_ON_CANCEL.required.iter();
        let ran =
            run(&STOP_ON_CANCEL, all.fold(here(), |w, name| w.attach_json(*name, sample(name))));
        assert_eq!((ran.code(), ran.names()), (Some(210), vec!["failing"]));
    }
}
