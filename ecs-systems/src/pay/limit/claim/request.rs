//! What an idempotency key is bound to.

use crate::components::{Approval, Cancel, IdempotencyKey, Invoice, MainPayment, Nonce, Reject};
use ecs_core::{Failed, Given, Join, Json, Systems, WakeAt, WireComponent};
use payecs_units::RequestHash;

/// Components of a caller that ask for nothing: the key itself, how the payment is run, and what
/// is said to it on its way. All others that a caller gave belong to its request, foreign ones too.
pub const NOT_ASKED_FOR: [&str; 10] = [
    IdempotencyKey::SPEC.name,
    MainPayment::SPEC.name,
    Systems::SPEC.name,
    Nonce::SPEC.name,
    Approval::SPEC.name,
    Cancel::SPEC.name,
    Reject::SPEC.name,
    Failed::SPEC.name,
    Join::SPEC.name,
    WakeAt::SPEC.name,
];

/// SHA256 of the canonical JSON of the request: an object of what was given, by name. An invoice
/// counts in lower case and without `lightning:`.
pub(crate) fn request_hash(given: &Given) -> RequestHash {
    let asked = given.iter().filter(|(name, _)| !NOT_ASKED_FOR.contains(name));
    let request = asked.map(|(name, value)| match value.as_str() {
        Some(text) if name == Invoice::SPEC.name => (name, Json::of(bare(&text).as_str())),
        Some(_) | None => (name, value.clone()),
    });
    RequestHash::of(&Json::object(request).canonical())
}

fn bare(invoice: &str) -> String {
    let lower = invoice.to_ascii_lowercase();
    lower.strip_prefix("lightning:").unwrap_or(&lower).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(fields: &[(&str, &str)]) -> Given {
        let parse = |text: &str| Json::parse(text).expect("JSON");
        fields.iter().map(|(name, text)| ((*name).into(), parse(text))).collect()
    }

    #[test]
    fn a_request_is_all_that_was_given_by_meaning_and_nothing_said_on_the_way() {
        let request = [
            ("lightningd:invoice", "\"lnbc1x\""),
            ("lightningd:maxfeepercent", "0.5"),
            ("acme:tip", "{\"a\":1,\"b\":2}"),
        ];
        let asked = request_hash(&given(&request));
        let same = [
            ("lightningd:invoice", "\"lightning:LNBC1X\""),
            ("lightningd:maxfeepercent", "0.50"),
            ("acme:tip", "{\"b\":2.0, \"a\":1}"),
        ];
        assert_eq!(request_hash(&given(&same)), asked);
        for name in NOT_ASKED_FOR {
            let more = [&request[..], &[(name, "true")]].concat();
            assert_eq!(request_hash(&given(&more)), asked, "{name}");
        }
        for place in 0..request.len() {
            let (mut without, mut other) = (request.to_vec(), request.to_vec());
            without.remove(place);
            other[place].1 = "7";
            assert_ne!(request_hash(&given(&without)), asked, "without {}", request[place].0);
            assert_ne!(request_hash(&given(&other)), asked, "other {}", request[place].0);
        }
    }
}
