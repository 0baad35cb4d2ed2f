//! Rows 5 and 6.

use crate::{
    components::{CheckCurrencyRan, InvoiceCurrency},
    port::NodeView,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};
use serde_json::json;

/// Lets only invoices of our network pass.
pub const CHECK_CURRENCY: SystemSpec = SystemSpec {
    name: "lightningd:check_currency",
    required: &["lightningd:invoice:currency"],
    disallowed: &["lightningd:check_currency:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:check_currency:ran"],
    detaches: &[],
    refuses: &[-32602],
    does: "lets only invoices of the node's network pass",
};

pub(crate) fn check_currency(
    In(entity): On,
    currencies: Query<&InvoiceCurrency>,
    node: Res<NodeView>,
) -> Answer {
    let InvoiceCurrency(json) = currencies.get(entity)?;
    let (theirs, ours) = (json.as_str().unwrap_or_default(), node.network.currency());
    if theirs == ours {
        return Ok(Step::advance().attach(&CheckCurrencyRan));
    }
    Err(Refusal::invalid(format!("Invoice is for another network: `{theirs}`, ours is `{ours}`"))
        .with_data(&json!({ "currency": theirs, "expected": ours })))
}

/// Accepts an invoice without currency: of a kind that has none, or detached by another System.
pub const ACCEPT_NO_CURRENCY: SystemSpec = SystemSpec {
    name: "lightningd:accept_no_currency",
    required: &["lightningd:invoice:unchecked"],
    disallowed: &[
        "lightningd:invoice:currency",
        "lightningd:check_currency:ran",
        "lightningd:failing",
        "lightningd:preimage",
    ],
    attaches: &["lightningd:check_currency:ran"],
    detaches: &[],
    refuses: &[],
    does: "accepts an invoice whose currency a System before has detached, or that has none",
};

pub(crate) fn accept_no_currency(_: On) -> Answer {
    Ok(Step::advance().attach(&CheckCurrencyRan))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Bench, here, run},
        port::Network,
    };
    use ecs_core::Json;

    #[test]
    fn only_the_nodes_network_passes() {
        let networks = [
            (Network::Bitcoin, "bc"),
            (Network::Testnet, "tb"),
            (Network::Signet, "tbs"),
            (Network::Regtest, "bcrt"),
        ];
        for (network, ours) in networks {
            for theirs in ["bc", "tb", "tbs", "bcrt", "xyz"] {
                let mut bench = Bench::new().node(|node| node.network = network);
                let write = here().attach(&InvoiceCurrency(Json::of(theirs)));
                let ran = bench.run(&CHECK_CURRENCY, write);
                let passes = theirs == ours;
                assert_eq!(ran.code(), (!passes).then_some(-32602), "{theirs} on {ours}");
                let expected = if passes { "check_currency:ran" } else { "failing" };
                assert_eq!(ran.names(), [expected], "{theirs} on {ours}");
                if !passes {
                    let facts = json!({ "currency": theirs, "expected": ours });
                    assert_eq!(ran.facts(), Json::of(&facts));
                }
            }
        }
    }

    #[test]
    fn an_invoice_without_currency_passes() {
        let ran = run(&ACCEPT_NO_CURRENCY, here().attach(&crate::components::InvoiceUnchecked));
        assert_eq!(ran.names(), ["check_currency:ran"]);
    }
}
