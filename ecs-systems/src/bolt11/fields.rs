//! The fields of a decoded invoice, as Core Lightning's `decode` names them.

use super::Bolt11Error;
use bitcoin::secp256k1::PublicKey;
use ecs_core::Json;
use lightning_invoice::{ExpiryTime, Fallback, RawBolt11Invoice, RawTaggedField};
use payecs_planner::{HintHop, RouteHint};
use payecs_units::{Blocks, Msat, NodeId, PaymentHash, PaymentSecret, Ppm, ShortChannelId};
use serde::Serialize;
use std::collections::BTreeMap;

/// What `expiry` is where an invoice doesn't say (BOLT 11).
const EXPIRY_SECONDS_DEFAULT: u64 = 3_600;
/// What `min_final_cltv_expiry` is where an invoice doesn't say (BOLT 11).
const MIN_FINAL_CLTV_DEFAULT: u32 = 18;

/// An address to pay on chain if there is no other way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnChain {
    /// `P2PKH`, `P2SH`, `P2WPKH`, `P2WSH`, `P2TR` or `unknown`.
    pub r#type: &'static str,
    /// The hash or program.
    pub hex: String,
}

/// A valid BOLT 11 invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fields {
    /// `bolt11 invoice`.
    pub r#type: &'static str,
    /// True.
    pub valid: bool,
    /// The network's prefix.
    pub currency: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// How long it holds, in seconds.
    pub expiry: u64,
    /// `created_at` + `expiry`, at most 2⁶⁴−1.
    pub expires_at: u64,
    /// Who signed it.
    pub payee: NodeId,
    /// What it asks for; absent: the payer chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_msat: Option<Msat>,
    /// The hash.
    pub payment_hash: PaymentHash,
    /// The signature without its recovery id, DER, as hex digits.
    pub signature: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA256 of what it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description_hash: Option<PaymentHash>,
    /// Blocks the last HTLC must have left.
    pub min_final_cltv_expiry: u32,
    /// What the payee recognises its payer by.
    pub payment_secret: PaymentSecret,
    /// Feature bits as hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// What goes back in the onion, as hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_metadata: Option<String>,
    /// Addresses on chain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<OnChain>,
    /// Ways in over channels that aren't announced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteHint>,
    /// Fields nobody of us knows, as tag and data in bech32 letters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<BTreeMap<&'static str, String>>,
}

impl Fields {
    /// Whether the payee takes several parts (BOLT 9, `basic_mpp`, bits 16 and 17).
    #[must_use]
    pub fn takes_multi_part(&self) -> bool {
        self.features.as_deref().is_some_and(takes_multi_part)
    }

    /// Each field by name, with `amount_msat` as the Component has it.
    ///
    /// # Panics
    /// Never: the fields are an object.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, Json> {
        let mut fields = Json::of(self).fields().expect("a struct is an object");
        if let Some(amount) = self.amount_msat {
            fields.insert("amount_msat".to_owned(), Json::of(&amount.to_string()));
        }
        fields
    }
}

/// Whether feature bits, as hex digits, have `basic_mpp` (BOLT 9, bits 16 and 17).
#[must_use]
pub fn takes_multi_part(features: &str) -> bool {
    const BASIC_MPP: u8 = 0b11;
    const BYTE_FROM_THE_END: usize = 2;
    hex::decode(features).is_ok_and(|bytes| {
        bytes.iter().rev().nth(BYTE_FROM_THE_END).is_some_and(|byte| byte & BASIC_MPP != 0)
    })
}

pub(super) fn read(
    raw: &RawBolt11Invoice,
    currency: &str,
    amount_msat: Option<Msat>,
    payee: &PublicKey,
    signature: &[u8],
) -> Result<Fields, Bolt11Error> {
    let missing = |what| Bolt11Error::Count(what);
    let created_at = raw.data.timestamp.as_unix_timestamp();
    let expiry = raw.expiry_time().map_or(EXPIRY_SECONDS_DEFAULT, ExpiryTime::as_seconds);
    let cltv = raw.min_final_cltv_expiry_delta().map_or(Ok(MIN_FINAL_CLTV_DEFAULT), |delta| {
        u32::try_from(delta.0).map_err(|_| Bolt11Error::Field("min_final_cltv_expiry".to_owned()))
    })?;
    Ok(Fields {
        r#type: "bolt11 invoice",
        valid: true,
        currency: currency.to_owned(),
        created_at,
        expiry,
        expires_at: created_at.saturating_add(expiry),
        payee: NodeId(payee.serialize()),
        amount_msat,
        payment_hash: raw
            .payment_hash()
            .map(|hash| hash_of(&hash.0))
            .ok_or_else(|| missing("payment hash"))?,
        signature: der(signature)?,
        description: raw.description().map(|text| text.as_inner().0.clone()),
        description_hash: raw.description_hash().map(|hash| hash_of(&hash.0)),
        min_final_cltv_expiry: cltv,
        payment_secret: raw
            .payment_secret()
            .map(|secret| PaymentSecret(secret.0))
            .ok_or_else(|| missing("payment secret"))?,
        features: raw.features().map(|features| big_endian_hex(features.le_flags())),
        payment_metadata: raw.payment_metadata().map(hex::encode),
        fallbacks: raw.fallbacks().into_iter().map(on_chain).collect(),
        routes: raw.private_routes().into_iter().map(hint).collect(),
        extra: extra(raw),
    })
}

fn hash_of(hash: &impl AsRef<[u8; 32]>) -> PaymentHash {
    PaymentHash(*hash.as_ref())
}

fn big_endian_hex(little_endian: &[u8]) -> String {
    let bytes: Vec<u8> =
        little_endian.iter().rev().skip_while(|byte| **byte == 0).copied().collect();
    hex::encode(bytes)
}

fn der(signature: &[u8]) -> Result<String, Bolt11Error> {
    let compact = signature.get(..64).ok_or(Bolt11Error::Signature)?;
    let signature = bitcoin::secp256k1::ecdsa::Signature::from_compact(compact)
        .map_err(|_| Bolt11Error::Signature)?;
    Ok(hex::encode(signature.serialize_der()))
}

fn on_chain(fallback: &Fallback) -> OnChain {
    match fallback {
        Fallback::PubKeyHash(hash) => {
            OnChain { r#type: "P2PKH", hex: hex::encode::<&[u8]>(hash.as_ref()) }
        }
        Fallback::ScriptHash(hash) => {
            OnChain { r#type: "P2SH", hex: hex::encode::<&[u8]>(hash.as_ref()) }
        }
        Fallback::SegWitProgram { version, program } => {
            let r#type = match (version.to_num(), program.len()) {
                (0, 20) => "P2WPKH",
                (0, 32) => "P2WSH",
                (1, 32) => "P2TR",
                _ => "unknown",
            };
            OnChain { r#type, hex: hex::encode(program) }
        }
    }
}

fn hint(route: &lightning_invoice::PrivateRoute) -> RouteHint {
    let hops = route.clone().into_inner().0;
    hops.iter()
        .map(|hop| HintHop {
            pubkey: NodeId(hop.src_node_id.serialize()),
            short_channel_id: ShortChannelId(hop.short_channel_id),
            fee_base_msat: Msat(u64::from(hop.fees.base_msat)),
            fee_proportional_millionths: Ppm(hop.fees.proportional_millionths),
            cltv_expiry_delta: Blocks(u32::from(hop.cltv_expiry_delta)),
        })
        .collect()
}

fn extra(raw: &RawBolt11Invoice) -> Vec<BTreeMap<&'static str, String>> {
    let unknown = |field: &RawTaggedField| match field {
        RawTaggedField::UnknownSemantics(groups) => {
            let letters: String = groups.iter().map(|group| group.to_char()).collect();
            let (tag, data) = letters.split_at_checked(1)?;
            // Two letters of length stand between tag and data.
            let data = data.get(2..).unwrap_or_default();
            Some(BTreeMap::from([("tag", tag.to_owned()), ("data", data.to_owned())]))
        }
        RawTaggedField::KnownSemantics(_) => None,
    };
    raw.data.tagged_fields.iter().filter_map(unknown).collect()
}
