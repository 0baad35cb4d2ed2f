//! Real BOLT 11 invoices.

use crate::error::SimError;
use bitcoin::{
    hashes::{Hash, sha256},
    secp256k1::{PublicKey, Secp256k1, SecretKey, SignOnly},
};
use ecs_systems::{
    bolt11,
    port::{InvoiceDescription, InvoiceDraft, Network},
    units::{Blocks, Msat, Seconds},
};
use lightning_invoice::{Currency, Fallback, InvoiceBuilder, RouteHintHop, RoutingFees};
use payecs_planner::RouteHint;
use std::time::Duration;

/// What a remote node is asked to put into an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceRequest {
    /// What to pay; absent: the payer chooses.
    pub amount_msat: Option<Msat>,
    /// What for.
    pub description: String,
    /// Put only the description's hash into the invoice.
    pub description_hash_only: bool,
    /// How long it holds.
    pub expiry: Seconds,
    /// Blocks the last HTLC must have left.
    pub min_final_cltv: Blocks,
    /// Whether several parts are taken.
    pub basic_mpp: bool,
    /// Ways in over channels that aren't announced.
    pub hints: Vec<RouteHint>,
    /// What every HTLC must bring along, as hexadecimal digits.
    pub payment_metadata: Option<String>,
}

impl InvoiceRequest {
    /// A request for `amount`, with an hour of expiry, 18 blocks, several parts and no hints.
    #[must_use]
    pub fn of(amount: Msat) -> Self {
        Self { amount_msat: Some(amount), ..Self::any() }
    }

    /// A request that leaves the amount to the payer, otherwise as [`InvoiceRequest::of`].
    #[must_use]
    pub fn any() -> Self {
        Self {
            amount_msat: None,
            description: "simulated".to_owned(),
            description_hash_only: false,
            expiry: Seconds(3_600),
            min_final_cltv: Blocks(18),
            basic_mpp: true,
            hints: Vec::new(),
            payment_metadata: None,
        }
    }
}

/// Writes and signs what `draft` says.
///
/// # Errors
/// [`SimError::Invoice`] where BOLT 11 has no room for it: a description over 639 bytes, a time
/// past the year 3058, a hint of no hop or with a key that is none, metadata that isn't hex.
pub(crate) fn sign(
    draft: &InvoiceDraft,
    basic_mpp: bool,
    network: Network,
    secp: &Secp256k1<SignOnly>,
    secret: &SecretKey,
) -> Result<String, SimError> {
    let refused = |message: String| SimError::Invoice { message };
    let mut builder = InvoiceBuilder::new(currency(network))
        .payment_hash(sha256::Hash::from_byte_array(draft.payment_hash.0))
        .duration_since_epoch(Duration::from_secs(draft.created_at.unix_seconds()))
        .min_final_cltv_expiry_delta(u64::from(draft.min_final_cltv.0))
        .payment_secret(lightning_invoice::PaymentSecret(draft.payment_secret.0))
        .expiry_time(Duration::from_secs(draft.expiry.0));
    if basic_mpp {
        builder = builder.basic_mpp();
    }
    if let Some(amount) = draft.amount_msat {
        builder = builder.amount_milli_satoshis(amount.0);
    }
    for hint in &draft.hints {
        builder = builder.private_route(private_route(hint)?);
    }
    for address in &draft.fallbacks {
        builder = builder.fallback(fallback(address, network)?);
    }
    let builder = match &draft.description {
        InvoiceDescription::Text(text) => builder.description(text.clone()),
        InvoiceDescription::Hash(hash) => {
            builder.description_hash(hash.parse().map_err(|_| refused(unfit_hash()))?)
        }
    };
    let signed = match &draft.payment_metadata {
        None => builder.build_signed(|hash| secp.sign_ecdsa_recoverable(hash, secret)),
        Some(metadata) => builder
            .payment_metadata(hex::decode(metadata).map_err(|why| refused(why.to_string()))?)
            .require_payment_metadata()
            .build_signed(|hash| secp.sign_ecdsa_recoverable(hash, secret)),
    };
    signed.map(|invoice| invoice.to_string()).map_err(|why| refused(why.to_string()))
}

fn unfit_hash() -> String {
    "the description's hash is not 64 hexadecimal digits".to_owned()
}

fn fallback(address: &str, network: Network) -> Result<Fallback, SimError> {
    let refused = |why: String| SimError::Invoice { message: format!("`{address}`: {why}") };
    bolt11::fallback(address, network).map_err(|error| refused(error.to_string()))
}

fn currency(network: Network) -> Currency {
    match network {
        Network::Bitcoin => Currency::Bitcoin,
        Network::Testnet => Currency::BitcoinTestnet,
        Network::Signet => Currency::Signet,
        Network::Regtest => Currency::Regtest,
    }
}

fn private_route(hint: &RouteHint) -> Result<lightning_invoice::RouteHint, SimError> {
    let unfit = |what: &str| SimError::Invoice { message: format!("a hint's {what} is none") };
    let hops = hint.iter().map(|hop| {
        Ok(RouteHintHop {
            src_node_id: PublicKey::from_slice(&hop.pubkey.0).map_err(|_| unfit("pubkey"))?,
            short_channel_id: hop.short_channel_id.0,
            fees: RoutingFees {
                base_msat: u32::try_from(hop.fee_base_msat.0).map_err(|_| unfit("base fee"))?,
                proportional_millionths: hop.fee_proportional_millionths.0,
            },
            cltv_expiry_delta: u16::try_from(hop.cltv_expiry_delta.0)
                .map_err(|_| unfit("cltv_expiry_delta"))?,
            htlc_minimum_msat: None,
            htlc_maximum_msat: None,
        })
    });
    Ok(lightning_invoice::RouteHint(hops.collect::<Result<_, SimError>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;
    use ecs_systems::units::{PaymentSecret, Ppm, Preimage, ShortChannelId, Timestamp};
    use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
    use payecs_planner::HintHop;

    const FALLBACKS: [&str; 2] =
        ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"];

    fn draft() -> InvoiceDraft {
        InvoiceDraft {
            payment_hash: Preimage([1; 32]).hash(),
            payment_secret: PaymentSecret([2; 32]),
            amount_msat: None,
            description: InvoiceDescription::Text("tea".to_owned()),
            fallbacks: Vec::new(),
            created_at: Timestamp(1_700_000_000_999),
            expiry: Seconds(60),
            min_final_cltv: Blocks(18),
            hints: Vec::new(),
            payment_metadata: None,
        }
    }

    fn signed(draft: &InvoiceDraft, mpp: bool, network: Network) -> Result<String, SimError> {
        let secp = Secp256k1::signing_only();
        sign(draft, mpp, network, &secp, &keys::node_key(&secp, 1, 1).secret)
    }

    #[test]
    fn every_network_has_its_prefix_and_mpp_is_a_feature_of_its_own() {
        for network in [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest] {
            for mpp in [true, false] {
                let text = signed(&draft(), mpp, network).unwrap();
                assert!(text.starts_with(&format!("ln{}1", network.currency())), "{text}");
                let read: Bolt11Invoice = text.parse().unwrap();
                assert_eq!(read.features().unwrap().supports_basic_mpp(), mpp);
                assert_eq!(read.amount_milli_satoshis(), None);
                assert_eq!(read.expiry_time(), Duration::from_mins(1));
            }
        }
    }

    #[test]
    fn hints_metadata_and_a_hashed_description_are_read_back() {
        let secp = Secp256k1::signing_only();
        let hop = HintHop {
            pubkey: keys::node_key(&secp, 1, 2).id,
            short_channel_id: ShortChannelId(7),
            fee_base_msat: Msat(3),
            fee_proportional_millionths: Ppm(4),
            cltv_expiry_delta: Blocks(5),
        };
        let draft = InvoiceDraft {
            hints: vec![vec![hop]],
            payment_metadata: Some("c0ffee".to_owned()),
            description: InvoiceDescription::hash_of("tea"),
            fallbacks: FALLBACKS.map(str::to_owned).to_vec(),
            ..draft()
        };
        let text = signed(&draft, true, Network::Regtest).unwrap();
        let read: Bolt11Invoice = text.parse().unwrap();
        assert_eq!(read.payment_metadata(), Some(&vec![0xc0, 0xff, 0xee]));
        assert_eq!(read.route_hints()[0].0[0].short_channel_id, 7);
        assert!(matches!(read.description(), Bolt11InvoiceDescriptionRef::Hash(_)));
        let fallbacks = read.fallback_addresses();
        assert_eq!(fallbacks.iter().map(ToString::to_string).collect::<Vec<_>>(), FALLBACKS);
    }

    #[test]
    fn what_bolt_11_has_no_room_for_is_refused() {
        let long =
            InvoiceDraft { description: InvoiceDescription::Text("x".repeat(640)), ..draft() };
        let late = InvoiceDraft { created_at: Timestamp(u64::MAX), ..draft() };
        let odd = InvoiceDraft { payment_metadata: Some("f".to_owned()), ..draft() };
        let much = InvoiceDraft { amount_msat: Some(Msat(u64::MAX)), ..draft() };
        let hash =
            InvoiceDraft { description: InvoiceDescription::Hash("f".to_owned()), ..draft() };
        let away = InvoiceDraft { fallbacks: vec!["bc1".to_owned()], ..draft() };
        for draft in [long, late, odd, much, hash, away] {
            let result = signed(&draft, true, Network::Regtest);
            assert!(matches!(result, Err(SimError::Invoice { .. })), "{result:?}");
        }
    }
}
