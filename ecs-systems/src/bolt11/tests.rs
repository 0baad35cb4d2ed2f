//! BOLT 11's examples, and what no example says.

mod built;

use super::*;
use super::{fields::OnChain, vectors as v};
use lightning_invoice::{Bolt11Invoice, Currency};
use payecs_units::{PaymentHash, PaymentSecret};

/// The key that signed BOLT 11's examples.
const PAYEE: &str = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
/// The key that a signature with a high S gives away.
const PAYEE_OF_HIGH_S: &str = "02d0139ce7427d6dfffd26a326c18be754ef1e64672b42694ba5b23ef6e6e7803d";
const HASH: &str = "0001020304050607080900010203040506070809000102030405060708090102";
const SECOND: u64 = 1_496_314_658;

const VALID: [(&str, &str, Option<u64>); 16] = [
    (v::DONATION, "bc", None),
    (v::COFFEE, "bc", Some(250_000_000)),
    (v::NONSENSE, "bc", Some(250_000_000)),
    (v::CAKE, "bc", Some(2_000_000_000)),
    (v::ON_CHAIN_P2PKH, "tb", Some(2_000_000_000)),
    (v::ROUTES, "bc", Some(2_000_000_000)),
    (v::ON_CHAIN_P2SH, "bc", Some(2_000_000_000)),
    (v::ON_CHAIN_P2WPKH, "bc", Some(2_000_000_000)),
    (v::ON_CHAIN_P2WSH, "bc", Some(2_000_000_000)),
    (v::PICO, "bc", Some(967_878_534)),
    (v::BEANS, "bc", Some(2_500_000_000)),
    (v::BEANS_UPPER, "bc", Some(2_500_000_000)),
    (v::BEANS_IGNORED, "bc", Some(2_500_000_000)),
    (v::KEY_GIVEN, "bc", Some(1_000_000_000)),
    (v::METADATA, "bc", Some(1_000_000_000)),
    (v::HIGH_S, "bc", None),
];

#[test]
fn the_examples_of_bolt_11_are_read_as_it_says() {
    for (text, currency, amount) in VALID {
        let fields = decode(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!((&*fields.currency, fields.amount_msat), (currency, amount.map(Msat)), "{text}");
        assert_eq!((fields.r#type, fields.valid), ("bolt11 invoice", true));
        assert_eq!(fields.payment_secret, PaymentSecret([0x11; 32]));
        if text != v::PICO {
            assert_eq!(fields.payment_hash.to_string(), HASH, "{text}");
            assert_eq!(fields.created_at, SECOND, "{text}");
            let payee = if text == v::HIGH_S { PAYEE_OF_HIGH_S } else { PAYEE };
            assert_eq!(fields.payee.to_string(), payee, "{text}");
        }
        assert_eq!(fields.expires_at, fields.created_at + fields.expiry);
    }
}

#[test]
fn what_lightning_invoice_accepts_is_read_alike() {
    for (text, ..) in VALID {
        let theirs: Bolt11Invoice = text.parse().unwrap();
        let ours = decode(text).unwrap();
        assert_eq!(ours.amount_msat.map(|msat| msat.0), theirs.amount_milli_satoshis());
        assert_eq!(ours.payee.0, theirs.get_payee_pub_key().serialize());
        assert_eq!(
            ours.payment_hash,
            PaymentHash(*AsRef::<[u8; 32]>::as_ref(theirs.payment_hash()))
        );
        assert_eq!(ours.created_at, theirs.duration_since_epoch().as_secs());
        assert_eq!(ours.expiry, theirs.expiry_time().as_secs());
        assert_eq!(u64::from(ours.min_final_cltv_expiry), theirs.min_final_cltv_expiry_delta());
        assert_eq!(ours.payment_metadata, theirs.payment_metadata().map(hex::encode));
        assert_eq!(ours.routes.len(), theirs.private_routes().len());
        assert_eq!(ours.fallbacks.len(), theirs.fallbacks().len());
        let mpp = match theirs.features() {
            Some(features) => features.supports_basic_mpp(),
            None => false,
        };
        assert_eq!(ours.takes_multi_part(), mpp);
        let network = match theirs.currency() {
            Currency::Bitcoin => "bc",
            Currency::BitcoinTestnet => "tb",
            other @ (Currency::Regtest | Currency::Simnet | Currency::Signet) => {
                panic!("no example is for {other}")
            }
        };
        assert_eq!(ours.currency, network);
    }
}

#[test]
fn the_fields_of_the_examples_are_those_that_bolt_11_names() {
    let description = |text| decode(text).unwrap().description;
    assert_eq!(description(v::DONATION).unwrap(), "Please consider supporting this project");
    assert_eq!(description(v::COFFEE).unwrap(), "1 cup coffee");
    assert_eq!(description(v::NONSENSE).unwrap(), "ナンセンス 1杯");
    assert_eq!(description(v::BEANS_UPPER).unwrap(), "coffee beans");
    let cake = decode(v::CAKE).unwrap();
    let hash = "3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1";
    assert_eq!(cake.description, None);
    assert_eq!(cake.description_hash.unwrap().to_string(), hash);
    for (text, expiry) in
        [(v::DONATION, 3_600), (v::COFFEE, 60), (v::NONSENSE, 60), (v::PICO, 604_800)]
    {
        assert_eq!(decode(text).unwrap().expiry, expiry);
    }
    assert_eq!(decode(v::PICO).unwrap().min_final_cltv_expiry, 10);
    assert_eq!(decode(v::COFFEE).unwrap().min_final_cltv_expiry, 18);
    for (text, features) in [
        (v::DONATION, "4100"),
        (v::BEANS, "08000000000000000000004100"),
        (v::METADATA, "01000000004100"),
    ] {
        let found = decode(text).unwrap().features.unwrap();
        assert_eq!(found.trim_start_matches('0'), features.trim_start_matches('0'), "{text}");
    }
    assert_eq!(decode(v::METADATA).unwrap().payment_metadata.unwrap(), "01fafaf0");
    assert!(!decode(v::BEANS_IGNORED).unwrap().extra.is_empty(), "ignored, and shown");
    assert!(decode(v::BEANS).unwrap().extra.is_empty());
}

#[test]
fn ways_in_and_addresses_of_the_examples_are_read() {
    let routes = decode(v::ROUTES).unwrap();
    let hops: Vec<String> = routes.routes[0]
        .iter()
        .map(|hop| {
            let (base, rate) = (hop.fee_base_msat.0, hop.fee_proportional_millionths.0);
            let delta = hop.cltv_expiry_delta.0;
            format!("{} {} {base} {rate} {delta}", hop.pubkey, hop.short_channel_id)
        })
        .collect();
    let node = "9e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255";
    let first = format!("02{node} 66051x263430x1800 1 20 3");
    assert_eq!(hops, [first, format!("03{node} 197637x395016x2314 2 30 4")]);
    let p2wsh_hex = "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262";
    let p2wsh = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3";
    for (text, r#type, hex, addr) in [
        (
            v::ROUTES,
            "P2PKH",
            "04b61f7dc1ea0dc99424464cc4064dc564d91e89",
            "1RustyRX2oai4EYYDpQGWvEL62BBGqN9T",
        ),
        (
            v::ON_CHAIN_P2PKH,
            "P2PKH",
            "3172b5654f6683c8fb146959d347ce303cae4ca7",
            "mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP",
        ),
        (
            v::ON_CHAIN_P2SH,
            "P2SH",
            "8f55563b9a19f321c211e9b9f38cdf686ea07845",
            "3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX",
        ),
        (
            v::ON_CHAIN_P2WPKH,
            "P2WPKH",
            "751e76e8199196d454941c45d1b3a323f1433bd6",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (v::ON_CHAIN_P2WSH, "P2WSH", p2wsh_hex, p2wsh),
    ] {
        let (hex, addr) = (hex.to_owned(), Some(addr.to_owned()));
        assert_eq!(decode(text).unwrap().fallbacks, [OnChain { r#type, addr, hex }], "{type}");
    }
}

#[test]
fn the_bad_examples_of_bolt_11_are_refused_for_what_is_wrong() {
    type Judge = fn(&Bolt11Error) -> bool;
    let bech32: Judge = |error| matches!(error, Bolt11Error::Bech32(_));
    let amount: Judge = |error| matches!(error, Bolt11Error::Amount(_));
    let field: Judge = |error| matches!(error, Bolt11Error::Field(_));
    let rows: [(&str, Judge); 8] = [
        (v::UNKNOWN_FEATURE, |error| *error == Bolt11Error::Features),
        (v::BAD_CHECKSUM, bech32),
        (v::NO_SEPARATOR, bech32),
        (v::MIXED_CASE, bech32),
        (v::NOT_RECOVERABLE, |error| *error == Bolt11Error::Signature),
        (v::TOO_SHORT, field),
        (v::BAD_MULTIPLIER, amount),
        (v::SUB_MSAT, amount),
    ];
    for (text, expected) in rows {
        let error = decode(text).unwrap_err();
        assert!(expected(&error), "{error}: {text}");
        assert!(text.parse::<Bolt11Invoice>().is_err(), "and by lightning-invoice");
    }
}

#[test]
fn every_letter_is_under_checksum_or_signature() {
    for at in 4..v::COFFEE.len() {
        let mut changed = v::COFFEE.as_bytes().to_vec();
        changed[at] = if changed[at] == b'q' { b'p' } else { b'q' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(decode(&changed).is_err(), "letter {at}");
    }
}

#[test]
fn the_scheme_and_blanks_are_taken_off_in_any_case() {
    for (text, stripped_text) in [
        ("lightning:lnbc1", "lnbc1"),
        ("LIGHTNING:LNBC1", "LNBC1"),
        ("LightNing:lnbc1", "lnbc1"),
        ("  lnbc1\n", "lnbc1"),
        ("lightning:", ""),
        ("lightnin:lnbc1", "lightnin:lnbc1"),
        ("lightning:lightning:lnbc1", "lightning:lnbc1"),
        ("ü", "ü"),
        ("lightninü:x", "lightninü:x"),
        ("", ""),
    ] {
        assert_eq!(stripped(text), stripped_text, "{text}");
    }
    for text in [v::DONATION.to_owned(), v::DONATION.to_uppercase()] {
        assert!(decode(&format!("LIGHTNING:{text}")).is_ok());
    }
}

#[test]
fn bolt_12_is_told_from_bolt_11_by_its_prefix() {
    for (text, bolt11) in [
        ("lnbc1x", true),
        ("LNBC1x", true),
        ("lntbs1", true),
        ("lnxyz1", true),
        ("lno1x", false),
        ("LNI1X", false),
        ("lnr1x", false),
        ("lno", true),
        ("bc1q", false),
        ("", false),
    ] {
        assert_eq!(is_bolt11(text), bolt11, "{text}");
    }
}

#[test]
fn prefixes_give_network_and_amount() {
    for (prefix, expected) in [
        ("lnbc", Ok(("bc", None))),
        ("lnbc2500u", Ok(("bc", Some(250_000_000)))),
        ("lntbs1m", Ok(("tbs", Some(100_000_000)))),
        ("lnbcrt10p", Ok(("bcrt", Some(1)))),
        ("lnbc1n", Ok(("bc", Some(100)))),
        ("lnxyz1", Ok(("xyz", Some(100_000_000_000)))),
        ("lnbc184467440", Ok(("bc", Some(18_446_744_000_000_000_000)))),
        ("lnbc184467440737095516150p", Ok(("bc", Some(u64::MAX)))),
        ("lnbc0", Ok(("bc", Some(0)))),
    ] {
        let expected: Result<_, Bolt11Error> = expected;
        let expected = expected.map(|(currency, amount)| (currency, amount.map(Msat)));
        assert_eq!(read_prefix(prefix), expected, "{prefix}");
    }
}

#[test]
fn an_amount_that_is_no_msat_is_an_error_and_not_no_amount() {
    for prefix in [
        "lnbc184467441",
        "lnbc184467440737095516160p",
        "lnbc99999999999999999999m",
        "lnbc340282366920938463463374607431768211456p",
        "lnbc1p",
        "lnbc15p",
        "lnbc1x",
        "lnbc1mm",
    ] {
        assert!(matches!(read_prefix(prefix), Err(Bolt11Error::Amount(_))), "{prefix}");
    }
    for prefix in ["ln", "bc2500u", "ln2500u", "lnb-c1", ""] {
        assert!(matches!(read_prefix(prefix), Err(Bolt11Error::Prefix(_))), "{prefix}");
    }
}

#[test]
fn several_parts_are_taken_with_bit_16_or_17_alone() {
    for (features, takes) in [
        ("010000", true),
        ("020000", true),
        ("ff030000", true),
        ("040000", false),
        ("01000000", false),
        ("4100", false),
        ("", false),
        ("1", false),
        ("zz0000", false),
    ] {
        assert_eq!(takes_multi_part(features), takes, "{features}");
    }
}
