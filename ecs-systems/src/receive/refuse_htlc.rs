//! Row R9a.

use crate::{
    components::{Htlc, Refused, Refusing},
    effects::RefuseHtlcs,
};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, EffectRequest, On, Step, SystemSpec, Systems};

/// Gives one HTLC back.
pub const REFUSE_HTLC: SystemSpec = SystemSpec {
    name: "lightningd:refuse_htlc",
    required: &["lightningd:htlc", "lightningd:refusing"],
    disallowed: &["lightningd:htlc:joined", "lightningd:refused"],
    attaches: &["lightningd:refused"],
    detaches: &["lightningd:systems"],
    refuses: &[],
    does: "fails an HTLC that is in no set; it ends",
};

pub(crate) fn refuse_htlc(In(entity): On, htlcs: Query<(&Htlc, &Refusing)>) -> Answer {
    let (Htlc(htlc), Refusing(failure)) = htlcs.get(entity)?;
    let refuse = RefuseHtlcs { htlcs: vec![htlc.htlc] };
    Ok(Step::stop()
        .attach(&Refused(*failure))
        .detach::<Systems>()
        .effect(EffectRequest::notice(&refuse)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Bench, here, payment},
        port::PayeeFailure,
        receive::fixture::htlc,
    };

    #[test]
    fn an_htlc_ends_with_what_its_payer_is_told() {
        let write = here().attach(&htlc()).attach(&Refusing(PayeeFailure::DETAILS));
        let ran = Bench::new().run_on(payment(), &REFUSE_HTLC, write);
        assert_eq!(ran.names(), ["refused", "systems"]);
        assert_eq!(ran.attached("refused"), Some("\"incorrect_or_unknown_payment_details\""));
        let RefuseHtlcs { htlcs } = ran.effects[0].read().unwrap();
        assert_eq!(htlcs, [htlc().0.htlc]);
    }
}
