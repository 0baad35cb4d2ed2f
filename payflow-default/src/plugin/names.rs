//! What the methods are called beside those of lightningd.

use ecs_core::Method;
use rpc_bridge::Topic;
use std::collections::BTreeMap;

/// What a method is called that lightningd has too: its own name behind this. So is our topic, so
/// that all that is ours can be told by it.
const PREFIX: &str = "payecs-";

/// Names that lightningd and the plugins it comes with register, by who does: a plugin that
/// registers one of them is refused at its start. Those in brackets are beginnings.
const TAKEN: &[(&str, &str)] = &[
    // lightningd itself: the node, its wallet, its invoices and what it knows of payments.
    (
        "lightningd",
        "addgossip addpsbtinput addpsbtoutput batching blacklistrune check checkmessage",
    ),
    ("lightningd", "checkrune close connect createinvoice createonion createrune datastore"),
    (
        "lightningd",
        "datastoreusage deldatastore delforward delinvoice delpay deprecations disconnect",
    ),
    ("lightningd", "feerates fetchbip353 fundchannel fundpsbt getinfo getlog help"),
    ("lightningd", "injectpaymentonion invoice listaddresses listchainmoves listchannelmoves"),
    ("lightningd", "listclosedchannels listconfigs listdatastore listforwards listfunds listhtlcs"),
    ("lightningd", "listinvoices listpeerchannels listpeers listsendpays listtransactions"),
    ("lightningd", "makesecret multifundchannel multiwithdraw newaddr notifications parsefeerate"),
    ("lightningd", "ping plugin preapproveinvoice preapprovekeysend recoverchannel reserveinputs"),
    ("lightningd", "sendcustommsg sendonion sendpay sendpsbt setchannel setconfig setpsbtversion"),
    (
        "lightningd",
        "showrunes signinvoice signmessage signmessagewithkey signpsbt staticbackup stop",
    ),
    ("lightningd", "txdiscard txprepare txsend unreserveinputs upgradewallet utxopsbt wait"),
    ("lightningd", "waitanyinvoice waitblockheight waitinvoice waitsendpay withdraw"),
    (
        "lightningd",
        "addblockdepthwatch addoutpointwatch addscidwatch addscriptpubkeywatch delblockdepthwatch",
    ),
    ("lightningd", "deloutpointwatch delscidwatch delscriptpubkeywatch listwatch delnetworkevent"),
    ("lightningd", "listnetworkevents injectonionmessage injectutxodeposit injectutxospend dev"),
    (
        "lightningd",
        "createoffer decryptencrypteddata destroyrune graceful invokerune payersign setleaserates",
    ),
    ("lightningd", "[dev-] [fundchannel_] [openchannel_] [splice_] [stfu_] [abort_]"),
    // What pays through the node's own channels: ours is another engine, with other books.
    ("pay", "pay paystatus listpays"),
    ("keysend", "keysend"),
    ("xpay", "xpay xkeysend sendamount"),
    ("renepay", "renepay renepaystatus"),
    // What plans: ours asks another planner.
    ("askrene", "getroutes [askrene-]"),
    ("topology", "getroute listchannels listincoming listnodes"),
    // What reads and makes invoices and offers: ours knows BOLT 11 alone.
    (
        "offers",
        "cancelrecurringinvoice createinvoicerequest decode decodepay disableinvoicerequest",
    ),
    (
        "offers",
        "disableoffer enableoffer fetchinvoice invoicerequest listinvoicerequests listoffers",
    ),
    ("offers", "offer sendinvoice createproof"),
    // What keeps books of the node.
    ("bookkeeper", "[bkpr-]"),
    ("sql", "listsqlschemas sql"),
    // The rest.
    ("bcli", "estimatefees getchaininfo getrawblockbyheight getutxout sendrawtransaction"),
    ("currencyrate", "currencyconvert currencyrate listcurrencyrates"),
    ("recklessrpc", "reckless"),
    ("spenderp", "splicein spliceout"),
    ("autoclean", "[autoclean-]"),
    ("chanbackup", "emergencyrecover getemergencyrecoverdata restorefrompeer"),
    ("commando", "commando [commando-]"),
    ("exposesecret", "exposesecret"),
    ("funder", "funderupdate"),
    ("lsps", "[lsps-]"),
    ("recover", "recover"),
];

/// Who registers a name already, if somebody does.
pub(super) fn taken_by(name: &str) -> Option<&'static str> {
    let is_it = |known: &str| match known.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(beginning) => name.starts_with(beginning),
        None => name == known,
    };
    TAKEN.iter().find(|(_, names)| names.split(' ').any(is_it)).map(|(by, _)| *by)
}

/// How the description of a method begins that a pipe has no use for: it hears of every System
/// anyway.
const SUBSCRIPTION: &str = "Over WebSocket: ";

/// What is told of receipts that are paid, by the topic that it is told on. `invoice_payment` is
/// lightningd's own: it refuses a plugin that declares it.
pub(super) const RECEIVED: [(Topic, &str); 2] =
    [(Topic::PaycodePayment, "paycode_payment"), (Topic::InvoicePayment, "payecs_invoice_payment")];

/// The methods by what they are called here, without the subscriptions of a WebSocket.
pub(super) fn named(
    methods: impl IntoIterator<Item = &'static Method>,
) -> BTreeMap<String, &'static Method> {
    let methods = methods.into_iter().filter(|method| !method.doc.starts_with(SUBSCRIPTION));
    methods.map(|method| (name(method.name), method)).collect()
}

/// What a method is called here.
pub(super) fn name(of: &str) -> String {
    let prefix = if taken_by(of).is_some() { PREFIX } else { "" };
    format!("{prefix}{of}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Parts, engine};
    use ecs_systems::policy::Policy;
    use ledger_store::{MemoryLedger, MemoryReceipts};

    const DOCS: &str = include_str!("../../../docs/PLUGIN-PROCESS.md");

    #[test]
    fn no_name_is_one_that_lightningd_has_and_every_method_has_one() {
        let parts = Parts {
            policy: Policy::default(),
            ledger: Box::new(MemoryLedger::new("us")),
            receipts: Box::new(MemoryReceipts::default()),
            plugins: Vec::new(),
        };
        let engine = engine(parts).unwrap();
        let named = named(engine.methods());
        for (name, method) in &named {
            assert_eq!(taken_by(name), None, "{name}");
            assert!(*name == method.name || *name == format!("payecs-{}", method.name), "{name}");
            let renamed = *name != method.name && !method.name.starts_with("askrene-");
            assert!(!renamed || DOCS.contains(&format!("`{name}`")), "{name} is in the docs");
        }
        let mut left_out: Vec<&str> = engine.methods().map(|method| method.name).collect();
        left_out.retain(|of| named.values().all(|method| method.name != *of));
        for subscription in [
            "payecs_observe",
            "subscribe_invoice_payment",
            "subscribe_pay_failure",
            "subscribe_pay_success",
            "subscribe_paycode_payment",
        ] {
            assert!(left_out.contains(&subscription), "{subscription}");
        }
        assert_eq!(engine.methods().count(), named.len() + left_out.len(), "each has its own name");
        for (of, called) in [
            ("pay", "payecs-pay"),
            ("decode", "payecs-decode"),
            ("listpays", "payecs-listpays"),
            ("getroutes", "payecs-getroutes"),
            ("getinfo", "payecs-getinfo"),
            ("check", "payecs-check"),
            ("paystatus", "payecs-paystatus"),
            ("cancelpay", "cancelpay"),
            ("payecs_advance", "payecs_advance"),
        ] {
            assert_eq!(named.get(called).map(|method| method.name), Some(of));
        }
    }

    #[test]
    fn a_name_is_taken_as_a_whole_or_by_its_beginning() {
        for (name, by) in [
            ("pay", Some("pay")),
            ("pays", None),
            ("bkpr-listbalances", Some("bookkeeper")),
            ("bkpr", None),
            ("[bkpr-]", None),
            ("", None),
            ("invoice", Some("lightningd")),
            ("wait", Some("lightningd")),
        ] {
            assert_eq!(taken_by(name), by, "{name}");
        }
    }
}
