//! Invoices that we build and sign ourselves.

use super::*;
use bech32::ByteIterExt;
use bitcoin::{
    hashes::{Hash, sha256},
    secp256k1::{SecretKey, SignOnly},
};
use lightning_invoice::{
    CreationError, InvoiceBuilder, PaymentSecret as TheirSecret, RouteHint, RouteHintHop,
    RoutingFees,
};
use proptest::prelude::*;
use std::time::Duration;

fn key() -> SecretKey {
    SecretKey::from_slice(&[0x42; 32]).unwrap()
}

fn signer() -> Secp256k1<SignOnly> {
    Secp256k1::signing_only()
}

fn payee() -> PublicKey {
    key().public_key(&Secp256k1::new())
}

/// An invoice of these data under any prefix, signed with [`key`].
fn signed(prefix: &str, data: &[Fe32]) -> String {
    let digest = Sha256::new()
        .chain_update(prefix.as_bytes())
        .chain_update(padded_to_bytes(data))
        .finalize();
    let message = Message::from_digest(digest.into());
    let (recovery, compact) = signer().sign_ecdsa_recoverable(&message, &key()).serialize_compact();
    let recovery = u8::try_from(recovery.to_i32()).unwrap();
    let signature = compact.into_iter().chain([recovery]).bytes_to_fes();
    let hrp = bech32::Hrp::parse(prefix).unwrap();
    let data = data.iter().copied().chain(signature);
    data.with_checksum::<Bolt11Bech32>(&hrp).chars().collect()
}

/// The data of a valid invoice, without its signature.
fn data_of(text: &str) -> Vec<Fe32> {
    let checked = CheckedHrpstring::new::<Bolt11Bech32>(text).unwrap();
    let mut data: Vec<Fe32> = checked.fe32_iter::<std::iter::Empty<u8>>().collect();
    data.truncate(data.len() - SIGNATURE_GROUPS);
    data
}

/// A tagged field (BOLT 11): type, length, data.
fn field(tag: char, data: &[Fe32]) -> Vec<Fe32> {
    let group = |number: usize| Fe32::try_from(u8::try_from(number).unwrap()).unwrap();
    let length = [group(data.len() / 32), group(data.len() % 32)];
    [vec![Fe32::from_char(tag).unwrap()], length.to_vec(), data.to_vec()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<Fe32> {
    bytes.iter().copied().bytes_to_fes().collect()
}

/// A timestamp of zero, then these fields.
fn made_of(fields: &[Vec<Fe32>]) -> Vec<Fe32> {
    [vec![Fe32::Q; 7], fields.concat()].concat()
}

fn hash_field() -> Vec<Fe32> {
    field('p', &bytes(&[1; 32]))
}

fn secret_field() -> Vec<Fe32> {
    field('s', &bytes(&[2; 32]))
}

fn description_field() -> Vec<Fe32> {
    field('d', &bytes(b"x"))
}

#[test]
fn a_network_nobody_knows_is_read_with_its_fields() {
    for (prefix, currency, amount) in [
        ("lnxyz", "xyz", None),
        ("lnxyz2500u", "xyz", Some(Msat(250_000_000))),
        ("lntbs20m", "tbs", Some(Msat(2_000_000_000))),
        ("lnbcrt1", "bcrt", Some(Msat(100_000_000_000))),
    ] {
        let fields = decode(&signed(prefix, &data_of(v::COFFEE))).unwrap();
        assert_eq!((&*fields.currency, fields.amount_msat), (currency, amount));
        assert_eq!(fields.payee.0, payee().serialize());
        assert_eq!(fields.description.as_deref(), Some("1 cup coffee"));
        assert_eq!(fields.by_name().contains_key("amount_msat"), amount.is_some());
    }
}

#[test]
fn an_amount_beyond_64_bits_is_refused_though_it_is_signed() {
    for prefix in ["lnbc184467441", "lnbc18446744073709551616", "lnbc99999999999999999999999"] {
        let invoice = signed(prefix, &data_of(v::COFFEE));
        assert!(matches!(decode(&invoice), Err(Bolt11Error::Amount(_))), "{prefix}");
    }
}

#[test]
fn hash_secret_and_description_are_there_exactly_once() {
    let (hash, secret, text) = (hash_field(), secret_field(), description_field());
    let digest = field('h', &bytes(&[3; 32]));
    let short = field('p', &bytes(&[1; 31]));
    for (fields, missing) in [
        (vec![hash.clone(), secret.clone(), text.clone()], None),
        (vec![hash.clone(), secret.clone(), digest.clone()], None),
        (vec![short.clone(), hash.clone(), secret.clone(), text.clone()], None),
        (vec![secret.clone(), text.clone()], Some("payment hash")),
        (vec![short, secret.clone(), text.clone()], Some("payment hash")),
        (vec![hash.clone(), hash.clone(), secret.clone(), text.clone()], Some("payment hash")),
        (vec![hash.clone(), text.clone()], Some("no secret")),
        (vec![hash.clone(), secret.clone(), secret.clone(), text.clone()], Some("payment secret")),
        (vec![hash.clone(), secret.clone()], Some("description or description hash")),
        (vec![hash, secret, text, digest], Some("description or description hash")),
    ] {
        let read = decode(&signed("lnbc", &made_of(&fields)));
        let fault = |missing| match missing {
            "no secret" => Bolt11Error::NoSecret,
            what => Bolt11Error::Count(what),
        };
        assert_eq!(read.as_ref().err(), missing.map(fault).as_ref());
    }
}

#[test]
fn all_that_is_wrong_is_found_and_the_rest_is_read() {
    let text = signed("lnbc1", &made_of(&[hash_field(), hash_field()]));
    let read = read(&text).unwrap();
    let count = |what| Bolt11Error::Count(what);
    let wrong =
        [count("payment hash"), Bolt11Error::NoSecret, count("description or description hash")];
    assert_eq!(read.faults(), wrong);
    let said: Vec<String> = read.entries().into_iter().map(|(name, _)| name).collect();
    assert!(said.contains(&"payee".to_owned()) && !said.contains(&"payment_secret".to_owned()));
}

#[test]
fn an_empty_field_of_features_or_metadata_is_kept() {
    let empty = |tag| field(tag, &[]);
    let all = [hash_field(), secret_field(), description_field(), empty('9'), empty('m')];
    let fields = decode(&signed("lnbc", &made_of(&all))).unwrap();
    assert_eq!(fields.features.as_deref(), Some(""));
    assert_eq!(fields.payment_metadata.as_deref(), Some(""));
    let write = crate::fixture::here()
        .attach(&crate::components::Invoice(ecs_core::Json::of(&signed("lnbc", &made_of(&all)))));
    let ran = crate::fixture::run(&crate::pay::decode::parse::PARSE_INVOICE, write);
    assert_eq!(ran.refusal, None, "it can be paid");
}

#[test]
fn a_given_key_must_have_signed() {
    let with_key = |key: PublicKey| {
        let key = field('n', &bytes(&key.serialize()));
        signed("lnbc", &made_of(&[hash_field(), secret_field(), description_field(), key]))
    };
    assert_eq!(decode(&with_key(payee())).unwrap().payee.0, payee().serialize());
    let other = SecretKey::from_slice(&[0x43; 32]).unwrap().public_key(&Secp256k1::new());
    assert_eq!(decode(&with_key(other)), Err(Bolt11Error::Signature));
}

#[test]
fn a_last_expiry_or_a_lifetime_that_is_too_large_does_no_harm() {
    let all =
        |extra: Vec<Fe32>| made_of(&[hash_field(), secret_field(), description_field(), extra]);
    let most = |groups| vec![Fe32::L; groups];
    let cltv = decode(&signed("lnbc", &all(field('c', &most(7)))));
    assert!(matches!(cltv, Err(Bolt11Error::Field(_))), "35 bits are no u32");
    assert_eq!(
        decode(&signed("lnbc", &all(field('c', &most(6))))).unwrap().min_final_cltv_expiry,
        (1 << 30) - 1
    );
    let expiry = decode(&signed("lnbc", &all(field('x', &most(12))))).unwrap();
    assert_eq!(expiry.expires_at, expiry.expiry, "made at zero");
}

fn hop(byte: u8) -> RouteHintHop {
    let node = SecretKey::from_slice(&[byte; 32]).unwrap();
    RouteHintHop {
        src_node_id: node.public_key(&Secp256k1::new()),
        short_channel_id: u64::from(byte) << 40,
        fees: RoutingFees { base_msat: 1, proportional_millionths: 2 },
        cltv_expiry_delta: 3,
        htlc_minimum_msat: None,
        htlc_maximum_msat: None,
    }
}

#[test]
fn twenty_hints_are_read_and_one_more_is_refused() {
    for (count, read) in [(0, true), (1, true), (20, true), (21, false), (40, false)] {
        let mut builder = InvoiceBuilder::new(Currency::Regtest)
            .description("x".to_owned())
            .payment_hash(sha256::Hash::hash(&[1]))
            .payment_secret(TheirSecret([2; 32]))
            .duration_since_epoch(Duration::from_secs(SECOND))
            .min_final_cltv_expiry_delta(18);
        for _ in 0..count {
            builder = builder.private_route(RouteHint(vec![hop(5)]));
        }
        let invoice = builder
            .build_signed(|digest| signer().sign_ecdsa_recoverable(digest, &key()))
            .unwrap()
            .to_string();
        let hints = decode(&invoice).map(|fields| fields.routes.len());
        assert_eq!(hints, if read { Ok(count) } else { Err(Bolt11Error::Hints) });
    }
}

/// What a random invoice says.
#[derive(Clone, Debug)]
struct Said {
    amount: Option<u64>,
    description: String,
    hash: [u8; 32],
    secret: [u8; 32],
    second: u64,
    expiry: u64,
    cltv: u32,
    metadata: Option<Vec<u8>>,
    mpp: bool,
    hops: Vec<u8>,
}

fn said() -> impl Strategy<Value = Said> {
    let text = (proptest::option::of(1_u64..=u64::MAX / 10), "[ -~äß€]{0,100}");
    let bytes = (any::<[u8; 32]>(), any::<[u8; 32]>(), 0_u64..1 << 35);
    let times = (0_u64..1 << 40, 0_u32..1 << 30);
    let rest = (
        proptest::option::of(proptest::collection::vec(any::<u8>(), 1..50)),
        any::<bool>(),
        proptest::collection::vec(1_u8..200, 0..4),
    );
    (text, bytes, times, rest).prop_map(|(text, bytes, times, rest)| Said {
        amount: text.0,
        description: text.1,
        hash: bytes.0,
        secret: bytes.1,
        second: bytes.2,
        expiry: times.0,
        cltv: times.1,
        metadata: rest.0,
        mpp: rest.1,
        hops: rest.2,
    })
}

fn built(said: &Said) -> Result<String, CreationError> {
    let mut builder = InvoiceBuilder::new(Currency::Signet)
        .description(said.description.clone())
        .payment_hash(sha256::Hash::from_byte_array(said.hash))
        .payment_secret(TheirSecret(said.secret))
        .duration_since_epoch(Duration::from_secs(said.second))
        .expiry_time(Duration::from_secs(said.expiry))
        .min_final_cltv_expiry_delta(u64::from(said.cltv));
    if let Some(amount) = said.amount {
        builder = builder.amount_milli_satoshis(amount);
    }
    if said.mpp {
        builder = builder.basic_mpp();
    }
    if !said.hops.is_empty() {
        builder = builder.private_route(RouteHint(said.hops.iter().copied().map(hop).collect()));
    }
    let sign = |digest: &Message| signer().sign_ecdsa_recoverable(digest, &key());
    let invoice = match said.metadata.clone() {
        Some(metadata) => builder.payment_metadata(metadata).build_signed(sign)?,
        None => builder.build_signed(sign)?,
    };
    Ok(invoice.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_lightning_invoice_builds_is_read_back(said in said()) {
        let fields = decode(&built(&said).unwrap()).unwrap();
        prop_assert_eq!(&*fields.currency, "tbs");
        prop_assert_eq!(fields.amount_msat, said.amount.map(Msat));
        prop_assert_eq!(fields.description, Some(said.description));
        prop_assert_eq!(fields.payment_hash, PaymentHash(said.hash));
        prop_assert_eq!(fields.payment_secret, PaymentSecret(said.secret));
        prop_assert_eq!((fields.created_at, fields.expiry), (said.second, said.expiry));
        prop_assert_eq!(fields.min_final_cltv_expiry, said.cltv);
        prop_assert_eq!(fields.payment_metadata, said.metadata.map(hex::encode));
        let takes = fields.features.as_deref().is_some_and(takes_multi_part);
        prop_assert_eq!(takes, said.mpp);
        let hops: Vec<u64> =
            fields.routes.iter().flatten().map(|hop| hop.short_channel_id.0 >> 40).collect();
        prop_assert_eq!(hops, said.hops.iter().copied().map(u64::from).collect::<Vec<_>>());
        prop_assert_eq!(fields.payee.0, payee().serialize());
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = (decode(&text), is_bolt11(&text), takes_multi_part(&text));
    }

    #[test]
    fn no_data_under_a_good_checksum_and_signature_panics(
        prefix in "ln[a-z]{0,4}[0-9]{0,12}[munpx]?",
        groups in proptest::collection::vec(0_u8..32, 0..400),
    ) {
        let data: Vec<Fe32> = groups.into_iter().map(|it| Fe32::try_from(it).unwrap()).collect();
        let _ = decode(&signed(&prefix, &data));
    }

    #[test]
    fn no_change_of_a_good_invoice_panics(at: prop::sample::Index, to in "[a-z0-9:ü]{0,3}") {
        let at = at.index(v::ROUTES.len());
        let changed = format!("{}{to}{}", &v::ROUTES[..at], &v::ROUTES[at + 1..]);
        let _ = decode(&changed);
    }
}
