//! BOLT 11 invoices, decoded into the fields of Core Lightning's `decode`.
//!
//! `lightning-invoice` reads the tagged fields. The prefix, the amount and the signature are read
//! here, for two reasons: it takes an amount that overflows for no amount, and it refuses networks
//! it doesn't know, whose `currency` a third party's System may want to see.

use bech32::{Fe32, Fe32IterExt, primitives::decode::CheckedHrpstring};
use bitcoin::secp256k1::{
    Message, PublicKey, Secp256k1, VerifyOnly,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use lightning_invoice::{Bolt11Bech32, RawBolt11Invoice, TaggedField};
use payecs_units::Msat;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

mod ahead;
mod fallback;
mod fields;
mod readable;

pub use ahead::DecodedInvoices;
pub use fallback::fallback;
pub use fields::{Fields, OnChain, takes_multi_part};
pub use readable::Readable;

/// Most route hints of an invoice.
pub const HINTS_MAX: usize = 20;
/// 65 bytes of signature in groups of five bits.
const SIGNATURE_GROUPS: usize = 104;
/// Smaller units of a bitcoin in an invoice's prefix, in pico-bitcoin (BOLT 11).
const MULTIPLIERS: [(char, u64); 4] =
    [('m', 1_000_000_000), ('u', 1_000_000), ('n', 1_000), ('p', 1)];
const PICO_PER_BITCOIN: u64 = 1_000_000_000_000;
const PICO_PER_MSAT: u128 = 10;

/// What is wrong with an invoice, in the words a payer gets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bolt11Error {
    /// Letters or checksum are wrong.
    #[error("Bad bech32 string: {0}")]
    Bech32(String),
    /// It does not begin as an invoice does.
    #[error("Prefix `{0}` is no invoice's: `ln`, a network, an amount")]
    Prefix(String),
    /// The amount is no number of msat.
    #[error("Invalid amount: {0}")]
    Amount(String),
    /// A field could not be read.
    #[error("Bad invoice: {0}")]
    Field(String),
    /// A field is there not exactly once.
    #[error("Expected exactly one {0}")]
    Count(&'static str),
    /// There is no payment secret.
    #[error("need payment_secret")]
    NoSecret,
    /// Features that we don't know are required.
    #[error("Unknown required feature bits")]
    Features,
    /// The signature doesn't hold.
    #[error("Bad signature")]
    Signature,
    /// More route hints than anyone needs.
    #[error("More than {HINTS_MAX} route hints")]
    Hints,
}

/// Whether a text, stripped, looks like BOLT 11: `ln`, a network, perhaps an amount, then `1`.
///
/// BOLT 12's begin `lno1`, `lni1`, `lnr1`.
#[must_use]
pub fn is_bolt11(invoice: &str) -> bool {
    let lower = invoice.to_ascii_lowercase();
    lower.starts_with("ln") && !["lno1", "lni1", "lnr1"].iter().any(|it| lower.starts_with(it))
}

/// The invoice without blanks around it and without `lightning:`, in any case.
#[must_use]
pub fn stripped(invoice: &str) -> &str {
    const SCHEME: &str = "lightning:";
    let invoice = invoice.trim();
    match invoice.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => &invoice[SCHEME.len()..],
        _ => invoice,
    }
}

/// Decodes and checks an invoice: letters, checksum, amount, fields, features, signature. Whether
/// it has expired, and is for our network, is for others to say.
///
/// # Errors
/// The first thing found wrong.
pub fn decode(invoice: &str) -> Result<Fields, Bolt11Error> {
    read(invoice)?.into_fields()
}

/// Reads an invoice, also one that nobody may pay: [`Readable::faults`] says what is wrong with it.
///
/// # Errors
/// Letters, checksum, amount or fields can't be read.
pub fn read(invoice: &str) -> Result<Readable, Bolt11Error> {
    let checked = CheckedHrpstring::new::<Bolt11Bech32>(stripped(invoice))
        .map_err(|error| Bolt11Error::Bech32(error.to_string()))?;
    let prefix = checked.hrp().to_lowercase();
    let groups: Vec<Fe32> = checked.fe32_iter::<std::iter::Empty<u8>>().collect();
    let split = groups
        .len()
        .checked_sub(SIGNATURE_GROUPS)
        .ok_or_else(|| Bolt11Error::Field("too short for a signature".to_owned()))?;
    let (data, signature) = groups.split_at(split);
    let asked = read_prefix(&prefix)?;
    let raw = RawBolt11Invoice::from_raw("lnbc", data)
        .map_err(|error| Bolt11Error::Field(error.to_string()))?;
    let mut faults = counted_wrong(&raw);
    if let Some(features) = raw.features()
        && features.requires_unknown_bits()
    {
        faults.push(Bolt11Error::Features);
    }
    let signature: Vec<u8> = signature.iter().copied().fes_to_bytes().collect();
    let payee = check_signature(&raw, &prefix, data, &signature);
    faults.extend(payee.as_ref().err().cloned());
    readable::read(&raw, asked, payee.as_ref().ok(), &signature, faults)
}

/// Network and amount from the prefix.
fn read_prefix(prefix: &str) -> Result<(&str, Option<Msat>), Bolt11Error> {
    let bad = || Bolt11Error::Prefix(prefix.chars().take(80).collect());
    let rest = prefix.strip_prefix("ln").ok_or_else(bad)?;
    let digits_at = rest.find(|char: char| char.is_ascii_digit()).unwrap_or(rest.len());
    let (currency, amount) = rest.split_at(digits_at);
    if currency.is_empty() || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(bad());
    }
    if amount.is_empty() {
        return Ok((currency, None));
    }
    read_amount(amount)
        .map(|amount| (currency, Some(amount)))
        .ok_or_else(|| Bolt11Error::Amount(format!("`{amount}`")))
}

/// `None`: not digits with a unit, not whole msat, or more than 2⁶⁴−1 of them.
fn read_amount(text: &str) -> Option<Msat> {
    let unit = MULTIPLIERS.iter().find(|(letter, _)| text.ends_with(*letter));
    let digits = unit.map_or(text, |_| &text[..text.len() - 1]);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pico_per_unit = unit.map_or(PICO_PER_BITCOIN, |(_, pico)| *pico);
    let pico = digits.parse::<u128>().ok()?.checked_mul(u128::from(pico_per_unit))?;
    let whole = pico.is_multiple_of(PICO_PER_MSAT);
    u64::try_from(pico / PICO_PER_MSAT).ok().filter(|_| whole).map(Msat)
}

/// BOLT 11: exactly one payment hash and secret, and one description or its hash.
fn counted_wrong(raw: &RawBolt11Invoice) -> Vec<Bolt11Error> {
    let count = |wanted: fn(&TaggedField) -> bool| {
        raw.known_tagged_fields().filter(|field| wanted(field)).count()
    };
    let hashes = count(|field| matches!(field, TaggedField::PaymentHash(_)));
    let secrets = count(|field| matches!(field, TaggedField::PaymentSecret(_)));
    let descriptions = count(|field| {
        matches!(field, TaggedField::Description(_) | TaggedField::DescriptionHash(_))
    });
    let faults = [
        (hashes != 1, Bolt11Error::Count("payment hash")),
        (secrets == 0, Bolt11Error::NoSecret),
        (secrets > 1, Bolt11Error::Count("payment secret")),
        (descriptions != 1, Bolt11Error::Count("description or description hash")),
        (raw.private_routes().len() > HINTS_MAX, Bolt11Error::Hints),
    ];
    faults.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, fault)| fault).collect()
}

/// What signatures are checked with.
static CURVE: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// Answers the payee: the key in the invoice, or the one the signature gives away.
fn check_signature(
    raw: &RawBolt11Invoice,
    prefix: &str,
    data: &[Fe32],
    signature: &[u8],
) -> Result<PublicKey, Bolt11Error> {
    let (recovery, compact) = signature.split_last().ok_or(Bolt11Error::Signature)?;
    let signed = padded_to_bytes(data);
    let digest = Sha256::new().chain_update(prefix.as_bytes()).chain_update(signed).finalize();
    let message = Message::from_digest(digest.into());
    let recovery =
        RecoveryId::from_i32(i32::from(*recovery)).map_err(|_| Bolt11Error::Signature)?;
    let signature = RecoverableSignature::from_compact(compact, recovery)
        .map_err(|_| Bolt11Error::Signature)?;
    let curve = &*CURVE;
    match raw.payee_pub_key() {
        Some(payee) => curve
            .verify_ecdsa(&message, &signature.to_standard(), &payee.0)
            .map(|()| payee.0)
            .map_err(|_| Bolt11Error::Signature),
        None => curve.recover_ecdsa(&message, &signature).map_err(|_| Bolt11Error::Signature),
    }
}

/// The groups of five bits as bytes, filled up with zero bits (BOLT 11, signature).
fn padded_to_bytes(data: &[Fe32]) -> Vec<u8> {
    let bits = data.len() * 5;
    let padding = (bits.div_ceil(8) * 8 - bits).div_ceil(5);
    let zeros = std::iter::repeat_n(Fe32::Q, padding);
    let mut bytes: Vec<u8> = data.iter().copied().chain(zeros).fes_to_bytes().collect();
    bytes.truncate(bits.div_ceil(8));
    bytes
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;
