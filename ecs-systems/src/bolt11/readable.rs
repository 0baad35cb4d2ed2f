//! What can be read of an invoice, whether or not it is one that may be paid.

use super::{
    Bolt11Error,
    fields::{Fields, OnChain},
};
use crate::port::{InvoiceDescription, InvoiceDraft};
use bitcoin::{Address, Network, WitnessProgram, secp256k1::PublicKey};
use ecs_core::Json;
use lightning_invoice::{ExpiryTime, Fallback, RawBolt11Invoice, RawTaggedField};
use payecs_planner::{HintHop, RouteHint};
use payecs_units::{
    Blocks, Msat, NodeId, PaymentHash, PaymentSecret, Ppm, Seconds, ShortChannelId, Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What `expiry` is where an invoice doesn't say (BOLT 11).
const EXPIRY_SECONDS_DEFAULT: u64 = 3_600;
const MS_PER_SECOND: u64 = 1_000;
/// What `min_final_cltv_expiry` is where an invoice doesn't say (BOLT 11).
const MIN_FINAL_CLTV_DEFAULT: u32 = 18;

/// What an invoice says, as [`Fields`], but for what it lacks; and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readable {
    r#type: &'static str,
    valid: bool,
    currency: String,
    created_at: u64,
    expiry: u64,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payee: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_msat: Option<Msat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_hash: Option<PaymentHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description_hash: Option<PaymentHash>,
    min_final_cltv_expiry: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_secret: Option<PaymentSecret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_metadata: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<OnChain>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<RouteHint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra: Vec<BTreeMap<&'static str, String>>,
    #[serde(skip)]
    faults: Vec<Bolt11Error>,
}

impl Readable {
    /// What is wrong, in the order in which it is looked for; empty for a valid invoice.
    #[must_use]
    pub fn faults(&self) -> &[Bolt11Error] {
        &self.faults
    }

    /// What it is paid by, if it says so.
    #[must_use]
    pub fn payment_hash(&self) -> Option<PaymentHash> {
        self.payment_hash
    }

    /// From when on it can't be paid any more, in seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The prefix of its network: `bc`, `tb`, `tbs` or `bcrt`, or another one.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// What a node would be asked to sign for the same invoice.
    ///
    /// # Errors
    /// What it says and no node is asked to sign, or lacks, in words.
    pub fn draft(&self) -> Result<InvoiceDraft, &'static str> {
        /// `var_onion_optin`, `payment_secret`, `basic_mpp` and `option_payment_metadata` (BOLT 9).
        const KNOWN: [usize; 4] = [8, 14, 16, 48];
        if !self.extra.is_empty() {
            return Err("it has fields that BOLT 11 doesn't have");
        }
        let bits = hex::decode(self.features.as_deref().unwrap_or_default()).unwrap_or_default();
        let has = |bit: usize| {
            bits.iter().rev().nth(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
        };
        let is_known = |bit: usize| KNOWN.contains(&(bit & !1));
        if (0..bits.len().saturating_mul(8)).any(|bit| has(bit) && !is_known(bit)) {
            return Err("it has features that our node doesn't write");
        }
        let description = match (&self.description, &self.description_hash) {
            (Some(text), _) => InvoiceDescription::Text(text.clone()),
            (None, Some(hash)) => InvoiceDescription::Hash(hash.to_string()),
            (None, None) => return Err("it has no description"),
        };
        let fallbacks = self.fallbacks.iter().map(|fallback| fallback.addr.clone());
        Ok(InvoiceDraft {
            payment_hash: self.payment_hash.ok_or("it has no payment hash")?,
            payment_secret: self.payment_secret.ok_or("it has no payment secret")?,
            amount_msat: self.amount_msat,
            description,
            created_at: Timestamp(self.created_at.saturating_mul(MS_PER_SECOND)),
            expiry: Seconds(self.expiry),
            min_final_cltv: Blocks(self.min_final_cltv_expiry),
            fallbacks: fallbacks.collect::<Option<_>>().ok_or("a fallback is no address")?,
            hints: self.routes.clone(),
            payment_metadata: self.payment_metadata.clone(),
        })
    }

    /// What it says, by name, in an order that is always the same.
    ///
    /// # Panics
    /// Never: the fields are an object.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Json)> {
        Json::of(self).entries().expect("a struct is an object")
    }

    /// The fields of a valid invoice.
    ///
    /// # Errors
    /// The first fault.
    pub(super) fn into_fields(self) -> Result<Fields, Bolt11Error> {
        if let Some(fault) = self.faults.into_iter().next() {
            return Err(fault);
        }
        let missing = |what| move || Bolt11Error::Count(what);
        Ok(Fields {
            r#type: self.r#type,
            valid: self.valid,
            currency: self.currency,
            created_at: self.created_at,
            expiry: self.expiry,
            expires_at: self.expires_at,
            payee: self.payee.ok_or(Bolt11Error::Signature)?,
            amount_msat: self.amount_msat,
            payment_hash: self.payment_hash.ok_or_else(missing("payment hash"))?,
            signature: self.signature.ok_or(Bolt11Error::Signature)?,
            description: self.description,
            description_hash: self.description_hash,
            min_final_cltv_expiry: self.min_final_cltv_expiry,
            payment_secret: self.payment_secret.ok_or_else(missing("payment secret"))?,
            features: self.features,
            payment_metadata: self.payment_metadata,
            fallbacks: self.fallbacks,
            routes: self.routes,
            extra: self.extra,
        })
    }
}

/// Reads what it says. `payee` is the key that has signed it, if one has.
pub(super) fn read(
    raw: &RawBolt11Invoice,
    (currency, amount_msat): (&str, Option<Msat>),
    payee: Option<&PublicKey>,
    signature: &[u8],
    faults: Vec<Bolt11Error>,
) -> Result<Readable, Bolt11Error> {
    let created_at = raw.data.timestamp.as_unix_timestamp();
    let expiry = raw.expiry_time().map_or(EXPIRY_SECONDS_DEFAULT, ExpiryTime::as_seconds);
    let cltv = raw.min_final_cltv_expiry_delta().map_or(Ok(MIN_FINAL_CLTV_DEFAULT), |delta| {
        u32::try_from(delta.0).map_err(|_| Bolt11Error::Field("min_final_cltv_expiry".to_owned()))
    })?;
    Ok(Readable {
        r#type: "bolt11 invoice",
        valid: faults.is_empty(),
        currency: currency.to_owned(),
        created_at,
        expiry,
        expires_at: created_at.saturating_add(expiry),
        payee: payee.map(|payee| NodeId(payee.serialize())),
        amount_msat,
        payment_hash: raw.payment_hash().map(|hash| hash_of(&hash.0)),
        signature: der(signature),
        description: raw.description().map(|text| text.as_inner().0.clone()),
        description_hash: raw.description_hash().map(|hash| hash_of(&hash.0)),
        min_final_cltv_expiry: cltv,
        payment_secret: raw.payment_secret().map(|secret| PaymentSecret(secret.0)),
        features: raw.features().map(|features| big_endian_hex(features.le_flags())),
        payment_metadata: raw.payment_metadata().map(hex::encode),
        fallbacks: raw.fallbacks().into_iter().map(|it| on_chain(it, currency)).collect(),
        routes: raw.private_routes().into_iter().map(hint).collect(),
        extra: extra(raw),
        faults,
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

fn der(signature: &[u8]) -> Option<String> {
    let compact = signature.get(..64)?;
    let signature = bitcoin::secp256k1::ecdsa::Signature::from_compact(compact).ok()?;
    Some(hex::encode(signature.serialize_der()))
}

fn on_chain(fallback: &Fallback, currency: &str) -> OnChain {
    let network = match currency {
        "bc" => Some(Network::Bitcoin),
        "tb" => Some(Network::Testnet),
        "tbs" => Some(Network::Signet),
        "bcrt" => Some(Network::Regtest),
        _ => None,
    };
    let address = |of: &dyn Fn(Network) -> Option<Address>| {
        network.and_then(of).map(|address| address.to_string())
    };
    match fallback {
        Fallback::PubKeyHash(hash) => OnChain {
            r#type: "P2PKH",
            addr: address(&|network| Some(Address::p2pkh(*hash, network))),
            hex: hex::encode::<&[u8]>(hash.as_ref()),
        },
        Fallback::ScriptHash(hash) => OnChain {
            r#type: "P2SH",
            addr: address(&|network| Some(Address::p2sh_from_hash(*hash, network))),
            hex: hex::encode::<&[u8]>(hash.as_ref()),
        },
        Fallback::SegWitProgram { version, program } => {
            let r#type = match (version.to_num(), program.len()) {
                (0, 20) => "P2WPKH",
                (0, 32) => "P2WSH",
                (1, 32) => "P2TR",
                _ => "unknown",
            };
            let witness = WitnessProgram::new(*version, program).ok();
            let addr = address(&|net| Some(Address::from_witness_program(witness?, net)));
            OnChain { r#type, addr, hex: hex::encode(program) }
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
