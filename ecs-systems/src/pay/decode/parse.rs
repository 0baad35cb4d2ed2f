//! Row 2.

use crate::{
    bolt11::{self, DecodedInvoices},
    components::{Invoice, InvoiceUnchecked, ParseInvoiceRan},
    effects::DecodeByNode,
    port::NodeView,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, EffectRequest, On, Refusal, Step, SystemSpec};

/// Decodes the invoice.
pub const PARSE_INVOICE: SystemSpec = SystemSpec {
    name: "lightningd:parse_invoice",
    required: &["lightningd:invoice"],
    disallowed: &["lightningd:parse_invoice:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &[
        "lightningd:parse_invoice:ran",
        "lightningd:invoice:unchecked",
        "lightningd:invoice:FIELD",
    ],
    detaches: &[],
    refuses: &[-32602],
    does: "decodes the invoice in one step: BOLT 11 in place, other kinds by the node",
};

pub(crate) fn parse_invoice(
    In(entity): On,
    invoices: Query<&Invoice>,
    node: Option<Res<NodeView>>,
    decoded: Res<DecodedInvoices>,
) -> Answer {
    let invoice = invoices.get(entity)?.text();
    let text = bolt11::stripped(&invoice);
    if !bolt11::is_bolt11(text) {
        return by_node(text, node.as_deref());
    }
    let fields = decoded.take(text).map_err(|error| {
        Refusal::invalid(error.to_string())
            .with_data(&serde_json::json!({ "warning_invoice": error.to_string() }))
    })?;
    let parsed = Step::advance().attach(&ParseInvoiceRan).attach(&InvoiceUnchecked);
    Ok(fields.into_iter().fold(parsed, |step, (name, json)| step.attach_json(name, json)))
}

/// The node's reply brings the fields, or fails the payment: `replies::decoded`.
fn by_node(invoice: &str, node: Option<&NodeView>) -> Answer {
    if !node.is_some_and(|node| node.capabilities.decode) {
        return Err(Refusal::invalid(
            "Not a BOLT 11 invoice (`lnbc…`), and this node decodes no other kind",
        ));
    }
    let effect = EffectRequest::with_reply(&DecodeByNode { invoice: invoice.to_owned() });
    Ok(Step::wait().attach(&ParseInvoiceRan).attach(&InvoiceUnchecked).effect(effect))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bolt11::vectors,
        fixture::{Bench, here, run},
    };
    use ecs_core::{Engine, Json};

    fn given(text: &str) -> ecs_core::Write {
        here().attach(&Invoice(Json::of(text)))
    }

    #[test]
    fn an_invoice_is_decoded_in_one_step_whatever_its_case_and_scheme() {
        let upper = vectors::DONATION.to_uppercase();
        let schemed = format!("LIGHTNING:{}", vectors::DONATION);
        for text in [vectors::DONATION, &upper, &schemed, &format!(" {upper}\n")] {
            let ran = run(&PARSE_INVOICE, given(text));
            assert_eq!(ran.attached("parse_invoice:ran"), Some("true"), "{text}");
            assert_eq!(ran.attached("invoice:unchecked"), Some("true"), "{text}");
            assert_eq!(ran.attached("invoice:type"), Some("\"bolt11 invoice\""));
            assert_eq!(ran.attached("invoice:currency"), Some("\"bc\""));
            assert_eq!(ran.attached("invoice:amount_msat"), None, "the payer chooses");
            assert_eq!(ran.attached("invoice:expires_at"), Some("1496318258"));
            assert!(ran.effects.is_empty());
        }
        let coffee = run(&PARSE_INVOICE, given(vectors::COFFEE));
        assert_eq!(coffee.attached("invoice:amount_msat"), Some("\"250000000msat\""));
    }

    #[test]
    fn what_is_wrong_with_an_invoice_refuses_it_and_attaches_nothing() {
        for (text, message) in [
            (vectors::UNKNOWN_FEATURE, "Unknown required feature bits"),
            (vectors::TOO_SHORT, "Bad invoice: too short for a signature"),
            (vectors::NOT_RECOVERABLE, "Bad signature"),
            ("lnbc1", "Bad bech32 string"),
        ] {
            let ran = run(&PARSE_INVOICE, given(text));
            assert_eq!(ran.code(), Some(-32602), "{text}");
            assert!(ran.message().starts_with(message), "{}", ran.message());
            let warning = ran.facts().fields().unwrap().remove("warning_invoice").unwrap();
            assert_eq!(warning, Json::of(ran.message()));
            assert_eq!(ran.names(), ["failing"]);
        }
    }

    #[test]
    fn other_kinds_are_decoded_by_the_node_if_it_can() {
        let mut bench = Bench::new();
        let ran = bench.run(&PARSE_INVOICE, given("lightning:LNO1abc"));
        assert_eq!(ran.names(), ["invoice:unchecked", "parse_invoice:ran"]);
        let asked = ran.effects[0].read::<DecodeByNode>().unwrap();
        assert_eq!(asked.invoice, "LNO1abc");

        let mut bench = Bench::new().node(|node| node.capabilities.decode = false);
        let ran = bench.run(&PARSE_INVOICE, given("lno1abc"));
        assert_eq!((ran.code(), ran.names()), (Some(-32602), vec!["failing"]));
    }

    #[test]
    fn bolt_11_needs_no_node() {
        let mut app = Engine::new();
        ecs_core::Plugin::build(&crate::PaymentSystems::default(), &mut app).unwrap();
        let entity = app.new_entity();
        let list = ecs_core::Systems::listing([PARSE_INVOICE.name]);
        let write =
            ecs_core::Write { entity: Some(entity), ..given(vectors::COFFEE).attach(&list) };
        app.set_components(&ecs_core::Writer::Caller, &[write], &[]).unwrap();
        app.advance(entity, None).unwrap();
        assert!(app.get::<InvoiceUnchecked>(entity).is_some());
    }
}
