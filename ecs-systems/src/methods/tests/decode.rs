//! `decode`.

use super::*;
use crate::bolt11::vectors as v;

fn decoded(text: &str) -> Json {
    answer(&mut engine(), "decode", &Json::array([Json::of(text)]).to_string()).unwrap()
}

#[test]
fn an_invoice_is_told_field_by_field_in_one_order() {
    let told = decoded(v::COFFEE);
    let payee = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
    let start = [
        r#"{"type":"bolt11 invoice","valid":true,"currency":"bc","created_at":1496314658,"#,
        r#""expiry":60,"expires_at":1496314718,"expired":true,"#,
        &format!(r#""payee":"{payee}","amount_msat":250000000,"payment_hash":"0001"#),
    ];
    assert!(told.text().starts_with(&start.concat()), "{told}");
    let fields = told.fields().unwrap();
    assert_eq!(fields["description"], Json::of("1 cup coffee"));
    assert_eq!(fields["min_final_cltv_expiry"], Json::of(&18));
    assert_eq!(fields["payment_secret"], Json::of(&"11".repeat(32)));
    assert!(fields["signature"].text().starts_with("\"3045"), "DER: {told}");
    assert!(!told.text().contains("warning"), "{told}");
}

#[test]
fn what_an_invoice_does_not_say_is_left_out() {
    let told = decoded(v::DONATION).fields().unwrap();
    for absent in
        ["amount_msat", "description_hash", "payment_metadata", "fallbacks", "routes", "extra"]
    {
        assert!(!told.contains_key(absent), "{absent}");
    }
    let addr = r#"[{"type":"P2SH","addr":"3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX","hex":"#;
    let on_chain = decoded(v::ON_CHAIN_P2SH).fields().unwrap();
    assert!(on_chain["fallbacks"].text().starts_with(addr));
    let hop = r#""short_channel_id":"66051x263430x1800","fee_base_msat":1,"#;
    assert!(decoded(v::ROUTES).text().contains(hop));
}

#[test]
fn case_blanks_and_scheme_make_no_difference() {
    let told = decoded(v::DONATION);
    let upper = v::DONATION.to_uppercase();
    for text in [&upper, &format!("LiGhTnInG:{upper}"), &format!(" lightning:{}\n", v::DONATION)] {
        assert_eq!(decoded(text), told, "{text}");
    }
}

#[test]
fn an_invoice_expires_in_the_second_it_says() {
    for (now, expired) in [(1_496_314_717_999, false), (1_496_314_718_000, true)] {
        let inputs = Inputs { now_ms: now, ..Inputs::default() };
        let params = Json::array([Json::of(v::COFFEE)]);
        let reply = engine().call(&Caller::owner(), inputs, "decode", Some(&params));
        let Reply::Elsewhere(work) = reply.unwrap() else { panic!("a signature is checked") };
        assert_eq!(work().unwrap().fields().unwrap()["expired"], Json::of(&expired), "{now}");
    }
}

#[test]
fn what_is_readable_and_wrong_is_not_valid_and_says_why() {
    let unknown = decoded(v::UNKNOWN_FEATURE);
    let fields = unknown.fields().unwrap();
    assert_eq!(fields["valid"], Json::of(&false));
    assert_eq!(fields["warning_features"], Json::of("Unknown required feature bits"));
    assert_eq!(fields["description"], Json::of("coffee beans"), "{unknown}");
    assert!(fields.contains_key("payee"), "its signature holds");
    let unsigned = decoded(v::NOT_RECOVERABLE).fields().unwrap();
    assert_eq!(unsigned["valid"], Json::of(&false));
    assert_eq!(unsigned["warning_signature"], Json::of("Bad signature"));
    assert!(!unsigned.contains_key("payee"), "nobody knows");
}

#[test]
fn what_can_not_be_read_is_refused_with_what_is_wrong() {
    let long = format!(r#"["lnbc{}"]"#, "q".repeat(8_192));
    let kind = "`string`: expected an invoice: a string of 1 to 8192 bytes";
    for (params, said) in [
        ("[]", "missing required parameter: `string`, an invoice: a string of 1 to 8192 bytes"),
        ("[7]", kind),
        (r#"[""]"#, kind),
        (&*long, kind),
        (r#"["lnbc1", 1]"#, "too many parameters: `decode` takes 1, got 2"),
        (r#"{"invstring":"lnbc1"}"#, "unknown parameter: `invstring`"),
        (r#"["hello"]"#, "Not a BOLT 11 invoice (`lnbc…`): no other kind is decoded here"),
        (r#"["lno1abc"]"#, "Not a BOLT 11 invoice (`lnbc…`): no other kind is decoded here"),
        (r#"["lnbc1"]"#, "Bad bech32 string: "),
        (&format!(r#"["{}"]"#, v::BAD_CHECKSUM), "Bad bech32 string: "),
        (&format!(r#"["{}"]"#, v::TOO_SHORT), "Bad invoice: too short for a signature"),
        (&format!(r#"["{}"]"#, v::BAD_MULTIPLIER), "Invalid amount: "),
    ] {
        let (code, message) = refusal(&mut engine(), "decode", params);
        assert_eq!(code, -32602, "{params}");
        assert!(message.starts_with(said), "{params}: {message}");
    }
}
