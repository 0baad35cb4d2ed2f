//! What an invoice says.

use super::{kinds, now};
use crate::bolt11::{self, Bolt11Error, Readable};
use ecs_core::{
    Args, Engine, ErrorObject, Json, Method, Reply, Scope, method::CHECK_KINDS, required,
};
use payecs_units::Timestamp;

pub(super) const DECODE: Method = Method {
    name: "decode",
    params: &[required("string", kinds::INVOICE)],
    scope: Scope::Read,
    errors: &[],
    result: r#"{"type": "bolt11 invoice", "valid": bool, "currency", "created_at", "expiry",
        "expires_at", "expired": bool, "payee", "amount_msat", "payment_hash", "signature",
        "description", "description_hash", "min_final_cltv_expiry", "payment_secret", "features",
        "payment_metadata", "fallbacks": [{"type", "addr", "hex"}, …],
        "routes": [[{"pubkey", "short_channel_id", "fee_base_msat",
        "fee_proportional_millionths", "cltv_expiry_delta"}, …], …],
        "extra": [{"tag", "data"}, …], "warning_WHAT": text}"#,
    doc: "Says what a BOLT 11 invoice says, in any case and with or without `lightning:`. What it \
          does not say is left out, but for the defaults of BOLT 11. An invoice that is readable \
          and wrong is not `valid`; each thing wrong with it has a `warning_WHAT`: \
          `warning_payment_hash`, `warning_payment_secret`, `warning_description`, \
          `warning_routes`, `warning_features`, `warning_signature`. One that has expired is \
          valid. What can't be read is refused.",
    handle: decode,
    check: CHECK_KINDS,
};

fn decode(engine: &mut Engine, args: &Args<'_>) -> Result<Reply, ErrorObject> {
    let (text, now) = (args.need::<String>("string")?, now(engine));
    // To check a signature takes as long as half of a payment.
    Ok(Reply::Elsewhere(Box::new(move || told(&text, now))))
}

fn told(text: &str, now: Timestamp) -> Result<Json, ErrorObject> {
    let read = read(text)?;
    let expired = Json::of(&(read.expires_at() <= now.unix_seconds()));
    let mut fields = read.entries();
    let behind = fields.iter().position(|(name, _)| name == "expires_at").map_or(0, |at| at + 1);
    fields.insert(behind, ("expired".to_owned(), expired));
    for fault in read.faults() {
        fields.push((warning(fault).to_owned(), Json::of(&fault.to_string())));
    }
    Ok(Json::object(fields))
}

/// Reads a BOLT 11 invoice.
///
/// # Errors
/// −32602 with what is wrong.
pub(super) fn read(text: &str) -> Result<Readable, ErrorObject> {
    let text = bolt11::stripped(text);
    if !bolt11::is_bolt11(text) {
        return Err(ErrorObject::invalid(
            "Not a BOLT 11 invoice (`lnbc…`): no other kind is decoded here",
        ));
    }
    bolt11::read(text).map_err(|error| ErrorObject::invalid(error.to_string()))
}

fn warning(fault: &Bolt11Error) -> &'static str {
    match fault {
        Bolt11Error::Count("payment hash") => "warning_payment_hash",
        Bolt11Error::Count("payment secret") | Bolt11Error::NoSecret => "warning_payment_secret",
        Bolt11Error::Count(_) => "warning_description",
        Bolt11Error::Hints => "warning_routes",
        Bolt11Error::Features => "warning_features",
        Bolt11Error::Signature => "warning_signature",
        Bolt11Error::Bech32(_)
        | Bolt11Error::Prefix(_)
        | Bolt11Error::Amount(_)
        | Bolt11Error::Field(_) => "warning_invoice",
    }
}
