//! Tests of JSON values.

use super::*;
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

#[test]
fn equality_is_of_values_not_of_texts() {
    for (left, right, equal) in [
        ("1", "1.0", true),
        ("1", "10e-1", true),
        ("0", "-0.0", true),
        ("0.50", "0.5", true),
        ("9007199254740993", "9007199254740992", false),
        ("1", "-1", false),
        ("1", "\"1\"", false),
        ("\"a\"", "\"\\u0061\"", true),
        ("[1, 2]", "[1,2]", true),
        ("[1,2]", "[2,1]", false),
        ("{\"a\":1,\"b\":2}", " {\"b\":2, \"a\":1}", true),
        ("{\"a\":1}", "{\"a\":1,\"b\":null}", false),
        ("null", "false", false),
        ("{}", "[]", false),
    ] {
        assert_eq!(json(left) == json(right), equal, "{left} and {right}");
    }
}

#[test]
fn text_beyond_a_limit_is_refused() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(Json::parse(&deep(64)).is_ok());
    assert_eq!(Json::parse(&deep(65)).unwrap_err(), JsonError::Depth);
    assert_eq!(Json::parse(&deep(100_000)).unwrap_err(), JsonError::Depth);
    assert_eq!(Json::parse("1e-2147483648").unwrap_err(), JsonError::Number);
    assert_eq!(Json::parse("1e1001").unwrap_err(), JsonError::Number);
    assert_eq!(Json::parse("[1e999999999999]").unwrap_err(), JsonError::Number);
    assert_eq!(Json::parse(&"9".repeat(65)).unwrap_err(), JsonError::Number);
    assert!(Json::parse(&"9".repeat(64)).is_ok());
    for text in ["", "{", "nul", "01", "\"", "[1,]", "1 2"] {
        assert!(matches!(Json::parse(text), Err(JsonError::Syntax(_))), "{text}");
    }
    assert!(Json::parse("\"[[[ 1e9999 \\\" \"").is_ok(), "strings are not looked into");
}

#[test]
fn half_a_letter_is_refused_wherever_it_stands() {
    for half in [r"\ud800", r"\uDFFF", r"\ud83d\u0041", r"\ud83dx", r"\ude00\ud83d", r"\\\ud800"] {
        for text in [format!("\"{half}\""), format!("[{{\"a\":\"x{half}\"}}]")] {
            assert_eq!(Json::parse(&text).unwrap_err(), JsonError::HalfLetter, "{text}");
        }
        let name = format!("{{\"{half}\":1}}");
        assert_eq!(Json::parse(&name).unwrap_err(), JsonError::HalfLetter, "{name}");
    }
    for whole in [r"\ud83d\ude00", r"\\ud800", r"\\\\ud800", r"\ud7ff\ue000", r"\u00e9\n\t", "é"] {
        let read = Json::parse(&format!("[\"{whole}\"]")).unwrap();
        assert!(read.items().unwrap()[0].as_str().is_some(), "{whole}");
    }
}

#[test]
fn the_text_comes_back_as_it_went_in() {
    for text in ["0.50", "{\"b\":1,\"a\":2}", "18446744073709551616", "\"\\u0061\""] {
        assert_eq!(json(text).text(), text);
    }
}

proptest! {
    #[test]
    fn integers_are_equal_exactly_when_their_texts_are(left: u64, right: u64) {
        prop_assert_eq!(json(&left.to_string()) == json(&right.to_string()), left == right);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:0-9eE.+\\\\a -]{0,40}") {
        let _ = Json::parse(&text);
    }
}

#[test]
fn equal_values_and_no_others_have_one_canonical_text() {
    let texts = [
        "1",
        "1.0",
        "10e-1",
        "-1",
        "0",
        "-0",
        "0.50",
        "5e-1",
        "\"a\"",
        "\"\\u0061\"",
        "\"1\"",
        "[]",
        "[1]",
        "[1.0]",
        "{}",
        "{\"a\":1,\"b\":2}",
        "{\"b\":2.0, \"a\":1}",
        "true",
        "null",
        "9007199254740993",
        "9007199254740992",
    ];
    let values = texts.map(|text| Json::parse(text).unwrap());
    for left in &values {
        for right in &values {
            let same = left.canonical() == right.canonical();
            assert_eq!(same, left == right, "{left} {right}");
        }
        assert_eq!(&Json::parse(&left.canonical()).unwrap(), left, "it means the same");
    }
}

/// Values of every kind that is written in place where it is short, and of some that never are.
#[derive(Clone, Debug, serde::Serialize)]
enum Value {
    Unit,
    Named(u16),
    #[serde(untagged)]
    Flag(bool),
    #[serde(untagged)]
    Number(i64),
    #[serde(untagged)]
    Large(u64),
    #[serde(untagged)]
    Some(Option<u8>),
    #[serde(untagged)]
    Text(String),
    #[serde(untagged)]
    Letter(char),
    #[serde(untagged)]
    Numbers(Vec<u8>),
    #[serde(untagged)]
    Fraction(f64),
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Unit),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Number),
        any::<u64>().prop_map(Value::Large),
        any::<Option<u8>>().prop_map(Value::Some),
        "[ -~\\n\"\\\\é\u{7f}]{0,18}".prop_map(Value::Text),
        any::<char>().prop_map(Value::Letter),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(Value::Numbers),
        (-1e9..1e9).prop_map(Value::Fraction),
        any::<u16>().prop_map(Value::Named),
    ]
}

proptest! {
    #[test]
    fn a_value_has_the_text_that_serde_json_writes_however_long_it_is(value in values()) {
        let text = serde_json::to_string(&value).unwrap();
        let json = Json::of(&value);
        prop_assert_eq!(json.text(), &text);
        let again = [Json::parse(&text).unwrap(), serde_json::from_str(&text).unwrap()];
        for read in &again {
            prop_assert!(read.is_same_text(&json), "{} and {}", read.text(), text);
        }
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), format!("[{text},{text}]"));
    }
}

#[test]
fn a_short_text_comes_back_as_it_came() {
    for text in [
        "1.0",
        "-0",
        "-7",
        "1e3",
        "0.50",
        "0",
        "18446744073709",
        "true",
        "false",
        "null",
        "[1, 2]",
        "{}",
        r#""""#,
        r#""a/b""#,
        "\"é\u{7f}\"",
        r#""\u0041""#,
        r#""\/""#,
        r#"["a"]"#,
    ] {
        assert_eq!(serde_json::to_string(&json(text)).unwrap(), text);
    }
}
