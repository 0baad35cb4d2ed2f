//! Row 9.

use crate::{
    bolt11,
    components::{
        Circular, Destination, InvoiceFeatures, InvoicePayee, InvoicePaymentHash, MaxParts,
        PayHash, PromoteTargetRan, ToSelf,
    },
    port::NodeView,
};
use bevy_ecs::prelude::{Has, In, Query, Res};
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};
use std::num::NonZeroU32;

/// Parts under way at a time, unless the caller says otherwise.
pub const MAXPARTS_DEFAULT: NonZeroU32 = NonZeroU32::new(16).expect("16 is not 0");

/// Takes over from the invoice who is paid, for what, and in how many parts at most.
pub const PROMOTE_TARGET: SystemSpec = SystemSpec {
    name: "lightningd:promote_target",
    required: &["lightningd:invoice:payment_hash", "lightningd:invoice:payee"],
    disallowed: &["lightningd:promote_target:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &[
        "lightningd:promote_target:ran",
        "lightningd:payment_hash",
        "lightningd:destination",
        "lightningd:maxparts",
        "lightningd:to-self",
    ],
    detaches: &[],
    refuses: &[-32602],
    does: "takes over from the invoice who is paid, for what, and in how many parts at most",
};

type Inputs<'w> = (
    &'w InvoicePaymentHash,
    &'w InvoicePayee,
    Option<&'w PayHash>,
    Option<&'w Destination>,
    Option<&'w MaxParts>,
    Option<&'w InvoiceFeatures>,
    Has<Circular>,
);

pub(crate) fn promote_target(
    In(entity): On,
    inputs: Query<Inputs<'_>>,
    node: Res<NodeView>,
) -> Answer {
    let (hash, payee, given_hash, destination, maxparts, features, circular) =
        inputs.get(entity)?;
    if given_hash.is_some_and(|given| given.0 != hash.0) {
        return Err(differs("payment_hash"));
    }
    if destination.is_some_and(|given| given.0 != payee.0) {
        return Err(differs("destination"));
    }
    let multi_part = node.capabilities.mpp
        && features
            .and_then(|features| features.0.as_str())
            .is_some_and(|features| bolt11::takes_multi_part(&features));
    let parts = match (multi_part, maxparts) {
        (false, _) => NonZeroU32::MIN,
        (true, Some(MaxParts(given))) => *given,
        (true, None) => MAXPARTS_DEFAULT,
    };
    let step = Step::advance()
        .attach(&PromoteTargetRan)
        .attach(&PayHash(hash.0))
        .attach(&Destination(payee.0))
        .attach(&MaxParts(parts));
    let to_self = payee.0 == node.identity && !circular;
    Ok(if to_self { step.attach(&ToSelf) } else { step })
}

fn differs(what: &str) -> Refusal {
    Refusal::invalid(format!("`lightningd:{what}` is not the invoice's"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Bench, HASH_TEXT, PAYEE, PREIMAGE, US, here, made_up, run};
    use ecs_core::{Json, Write};
    use payecs_units::{NodeId, PaymentHash};

    /// Bit 17: several parts are welcome.
    const MPP: &str = "020000";

    fn invoice(payee: NodeId) -> Write {
        here()
            .attach(&InvoicePaymentHash(PREIMAGE.hash()))
            .attach(&InvoicePayee(payee))
            .attach(&InvoiceFeatures(Json::of(MPP)))
    }

    #[test]
    fn what_the_caller_left_out_is_taken_from_the_invoice() {
        let ran = run(&PROMOTE_TARGET, invoice(PAYEE));
        let flag = "promote_target:ran";
        assert_eq!(ran.names(), ["destination", "maxparts", "payment_hash", flag]);
        assert_eq!(ran.attached("payment_hash"), Some(&*format!("\"{HASH_TEXT}\"")));
        assert_eq!(ran.attached("destination"), Some(&*format!("\"{PAYEE}\"")));
        assert_eq!(ran.attached("maxparts"), Some("16"));
    }

    #[test]
    fn a_given_hash_or_destination_must_be_the_invoices() {
        let (other_hash, other_node) = (PaymentHash([1; 32]), made_up(0x44));
        for (hash, node, wrong) in [
            (Some(PREIMAGE.hash()), Some(PAYEE), None),
            (Some(other_hash), None, Some("payment_hash")),
            (None, Some(other_node), Some("destination")),
            (Some(other_hash), Some(other_node), Some("payment_hash")),
        ] {
            let (hash, node) = (hash.map(PayHash), node.map(Destination));
            let write = invoice(PAYEE).attach_some(hash.as_ref()).attach_some(node.as_ref());
            let ran = run(&PROMOTE_TARGET, write);
            assert_eq!(ran.code(), wrong.map(|_| -32602));
            assert!(ran.message().contains(wrong.unwrap_or_default()), "{}", ran.message());
            assert_eq!(ran.names() == ["failing"], wrong.is_some());
        }
    }

    #[test]
    fn several_parts_are_made_only_where_payee_and_node_take_them() {
        for (features, node_mpp, given, parts) in [
            (Some(MPP), true, None, 16),
            (Some("010000"), true, None, 16),
            (Some(MPP), true, Some(3), 3),
            (Some(MPP), true, Some(100), 100),
            (Some(MPP), false, Some(3), 1),
            (Some("4100"), true, Some(3), 1),
            (Some("04000000"), true, None, 1),
            (None, true, None, 1),
            (None, true, Some(1), 1),
        ] {
            let mut bench = Bench::new().node(|node| node.capabilities.mpp = node_mpp);
            let write = here()
                .attach(&InvoicePaymentHash(PREIMAGE.hash()))
                .attach(&InvoicePayee(PAYEE))
                .attach_some(features.map(|hex| InvoiceFeatures(Json::of(hex))).as_ref())
                .attach_some(given.and_then(NonZeroU32::new).map(MaxParts).as_ref());
            bench.run(&PROMOTE_TARGET, write);
            let found = bench.app.get::<MaxParts>(crate::fixture::payment()).unwrap().0.get();
            assert_eq!(found, parts, "{features:?} {node_mpp} {given:?}");
        }
    }

    #[test]
    fn a_payment_to_ourselves_is_marked_unless_it_is_to_go_round() {
        for (payee, circular, to_self) in
            [(US, false, true), (US, true, false), (PAYEE, false, false), (PAYEE, true, false)]
        {
            let circular = circular.then_some(Circular);
            let ran = run(&PROMOTE_TARGET, invoice(payee).attach_some(circular.as_ref()));
            assert_eq!(ran.attached("to-self").is_some(), to_self, "{payee} {circular:?}");
        }
    }
}
