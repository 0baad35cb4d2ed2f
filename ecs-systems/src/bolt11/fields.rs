//! The fields of a decoded invoice, as Core Lightning's `decode` names them.

use ecs_core::Json;
use payecs_planner::RouteHint;
use payecs_units::{Msat, NodeId, PaymentHash, PaymentSecret};
use serde::Serialize;
use std::collections::BTreeMap;

/// An address to pay on chain if there is no other way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnChain {
    /// `P2PKH`, `P2SH`, `P2WPKH`, `P2WSH`, `P2TR` or `unknown`.
    pub r#type: &'static str,
    /// The address; absent on networks that we know no addresses of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
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
