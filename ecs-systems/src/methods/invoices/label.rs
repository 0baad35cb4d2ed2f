//! What an issuer calls an invoice.

use ecs_core::{Args, ErrorObject, Json, Kind};
use std::borrow::Cow;

/// Longest label, in bytes.
const LABEL_BYTES_MAX: usize = 128;

/// A label: text, or a number that stands for its digits.
pub(super) const LABEL: Kind = Kind {
    shape: "a string of 1 to 128 bytes, or an integer, which stands for its digits",
    schema: r#"{"oneOf":[{"type":"string","minLength":1,"maxLength":128},{"type":"integer"}]}"#,
    fits: |json| label(json).is_some(),
};

fn label(json: &Json) -> Option<String> {
    let text = json.as_str().map(Cow::into_owned);
    let digits = || json.decode::<i128>().is_ok().then(|| json.text().to_owned());
    text.or_else(digits).filter(|text| (1..=LABEL_BYTES_MAX).contains(&text.len()))
}

/// The label that is given.
///
/// # Errors
/// −32602: none is.
pub(super) fn needed(args: &Args<'_>) -> Result<String, ErrorObject> {
    given(args).ok_or_else(|| ErrorObject::invalid("missing required parameter: label"))
}

/// The label, if one is given.
pub(super) fn given(args: &Args<'_>) -> Option<String> {
    args.given("label").and_then(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_text_or_the_digits_of_a_number() {
        for (json, read) in [
            (r#""tea""#, Some("tea")),
            ("17", Some("17")),
            ("-1", Some("-1")),
            (r#""""#, None),
            ("1.5", None),
            ("[]", None),
            ("true", None),
        ] {
            assert_eq!(label(&Json::parse(json).unwrap()).as_deref(), read, "{json}");
        }
        let long = |bytes: usize| label(&Json::of(&"x".repeat(bytes))).is_some();
        assert_eq!([long(128), long(129)], [true, false]);
    }
}
