//! Row 23.

use crate::{
    components::{Claimed, Invoice, Preapproved},
    effects::AskSigner,
    port::{NodeView, Preapproval},
    refusal::PREAPPROVAL_DECLINED,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, EffectRequest, On, Step, SystemSpec};

/// Asks the signer.
pub const PREAPPROVE: SystemSpec = SystemSpec {
    name: "lightningd:preapprove",
    required: &["lightningd:claim"],
    disallowed: &["lightningd:preapproved", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:preapproved"],
    detaches: &[],
    refuses: &[PREAPPROVAL_DECLINED],
    does: "asks the node's signer, if it has one that may object",
};

pub(crate) fn preapprove(
    In(entity): On,
    payments: Query<(&Claimed, Option<&Invoice>)>,
    node: Res<NodeView>,
) -> Answer {
    if !node.capabilities.preapprove {
        return Ok(Step::advance().attach(&Preapproved));
    }
    let (Claimed(facts), invoice) = payments.get(entity)?;
    let question = Preapproval {
        payment_hash: facts.payment_hash(),
        destination: facts.claim.destination,
        amount_msat: facts.claim.amount_msat,
        invoice: invoice.map(|invoice| invoice.text().into_owned()),
    };
    Ok(Step::wait().effect(EffectRequest::with_reply(&AskSigner(question))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{AMOUNT, Bench, PAYEE, PREIMAGE, claim, here};
    use ecs_core::Json;

    #[test]
    fn only_a_signer_that_may_object_is_asked() {
        let claimed = || here().attach(&Claimed(claim()));
        let mut without = Bench::new().node(|node| node.capabilities.preapprove = false);
        let ran = without.run(&PREAPPROVE, claimed());
        assert_eq!(ran.names(), ["preapproved"]);
        assert!(ran.effects.is_empty());

        for invoice in [None, Some("lnbc1text")] {
            let write = claimed().attach_some(invoice.map(|it| Invoice(Json::of(it))).as_ref());
            let ran = Bench::new().run(&PREAPPROVE, write);
            assert!(ran.names().is_empty(), "the answer attaches, not the question");
            let AskSigner(question) = ran.effects[0].read().unwrap();
            assert_eq!(question.payment_hash, PREIMAGE.hash());
            assert_eq!((question.destination, question.amount_msat), (PAYEE, AMOUNT));
            assert_eq!(question.invoice.as_deref(), invoice);
        }
    }
}
