//! What the invoice says: `lightningd:invoice:FIELD`, as `decode` answers it. Fields that no System
//! of ours matches on have no type and are attached by name.

use super::{
    kinds::{amounts, flags, texts, values},
    shape,
};
use ecs_core::ComponentSpec;
use payecs_planner::RouteHint;
use payecs_units::{Msat, NodeId, PaymentHash, PaymentSecret};

/// The prefix of all fields.
pub const INVOICE_PREFIX: &str = "lightningd:invoice:";

flags! {
    /// The invoice has been decoded, but not all checks have passed.
    InvoiceUnchecked = ComponentSpec::engine("lightningd:invoice:unchecked", "true",
        "The invoice is decoded and not all of its checks have passed: no hash is claimed.");
}

amounts! {
    /// What the invoice asks for.
    InvoiceAmount = ComponentSpec::input("lightningd:invoice:amount_msat", "an amount",
        "What the invoice asks for; absent where the payer chooses. Moved to `lightningd:amount`."),
        min Msat::ZERO;
}

texts! {
    /// The kind of invoice.
    InvoiceType = ComponentSpec::input("lightningd:invoice:type", "a string",
        "`bolt11 invoice`, `bolt12 invoice`, …"), check shape::string;
    /// The network's prefix.
    InvoiceCurrency = ComponentSpec::input("lightningd:invoice:currency", "a string",
        "The network: `bc`, `tb`, `tbs`, `bcrt`, or another's. Not the node's: the payment fails, \
         unless a System before detaches it and pays in its own way."), check shape::string;
    /// The feature bits.
    InvoiceFeatures = ComponentSpec::input("lightningd:invoice:features", "hex digits",
        "BOLT 9 feature bits, most significant first."), check shape::hex;
    /// What the payee wants back.
    InvoiceMetadata = ComponentSpec::input("lightningd:invoice:payment_metadata", "hex digits",
        "Goes back to the payee in the onion."), check shape::hex;
}

values! {
    /// When the invoice stops being payable.
    InvoiceExpiresAt(u64) = ComponentSpec::input("lightningd:invoice:expires_at",
        "an integer: seconds since 1970", "`created_at` + `expiry`.");
    /// SHA256 of the description.
    InvoiceDescriptionHash(PaymentHash) = ComponentSpec::input(
        "lightningd:invoice:description_hash",
        "64 hex digits", "SHA256 of a description that travels elsewhere.");
    /// The hash.
    InvoicePaymentHash(PaymentHash) = ComponentSpec::input("lightningd:invoice:payment_hash",
        "64 hex digits", "What the HTLCs are locked to.");
    /// The payee.
    InvoicePayee(NodeId) = ComponentSpec::input("lightningd:invoice:payee", "66 hex digits",
        "The node that signed the invoice.");
    /// The secret.
    InvoicePaymentSecret(PaymentSecret) = ComponentSpec::input("lightningd:invoice:payment_secret",
        "64 hex digits", "What the payee recognises its payer by.").secret();
    /// The last expiry.
    InvoiceMinFinalCltv(u32) = ComponentSpec::input("lightningd:invoice:min_final_cltv_expiry",
        "an integer: blocks", "Blocks the last HTLC must have left. Default 18.");
    /// Ways in.
    InvoiceRoutes(Vec<RouteHint>) = ComponentSpec::input("lightningd:invoice:routes",
        "an array of arrays of hops", "Channels to the payee that are not announced.");
}
