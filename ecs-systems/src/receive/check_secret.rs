//! Row R2, the secret.

use super::gathering::refuse;
use crate::{
    components::{CheckSecretRan, Htlc},
    port::ReceiptsBook,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, On, Step, SystemSpec};

/// Checks what the payer shows.
pub const CHECK_SECRET: SystemSpec = SystemSpec {
    name: "lightningd:check_secret",
    required: &["lightningd:htlc", "lightningd:htlc:matched"],
    disallowed: &["lightningd:check_secret:ran", "lightningd:refusing", "lightningd:failing"],
    attaches: &["lightningd:check_secret:ran", "lightningd:refusing"],
    detaches: &[],
    refuses: &[],
    does: "compares the payment secret in constant time",
};

pub(crate) fn check_secret(
    In(entity): On,
    htlcs: Query<&Htlc>,
    receipts: Res<ReceiptsBook>,
) -> Answer {
    let Htlc(htlc) = htlcs.get(entity)?;
    if receipts.0.shows_secret(&htlc.payment_hash, htlc.payment_secret.as_ref()) {
        return Ok(Step::advance().attach(&CheckSecretRan));
    }
    Ok(refuse("the payment secret is wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        components::HtlcMatched,
        fixture::{Bench, here, payment},
        port::IncomingHtlc,
        receive::fixture::{htlc, receipt},
    };
    use payecs_units::PaymentSecret;

    #[test]
    fn an_htlc_that_does_not_show_the_secret_is_refused() {
        let Htlc(good) = htlc();
        let wrong = Some(PaymentSecret([1; 32]));
        for (htlc, name) in [
            (good.clone(), "check_secret:ran"),
            (IncomingHtlc { payment_secret: wrong, ..good.clone() }, "refusing"),
            (IncomingHtlc { payment_secret: None, ..good }, "refusing"),
        ] {
            let write = here().attach(&Htlc(htlc)).attach(&HtlcMatched);
            let ran = Bench::new().receipt(receipt()).run_on(payment(), &CHECK_SECRET, write);
            assert_eq!(ran.names(), [name]);
        }
    }
}
