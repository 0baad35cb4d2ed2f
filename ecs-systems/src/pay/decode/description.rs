//! Row 8.

use crate::components::{CheckDescriptionRan, Description, InvoiceDescriptionHash};
use bevy_ecs::prelude::{In, Query};
use ecs_core::{Answer, On, Refusal, Step, SystemSpec};
use sha2::{Digest, Sha256};

/// Checks a description against the hash in the invoice.
pub const CHECK_DESCRIPTION: SystemSpec = SystemSpec {
    name: "lightningd:check_description",
    required: &["lightningd:invoice:description_hash", "lightningd:description"],
    disallowed: &["lightningd:check_description:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:check_description:ran"],
    detaches: &[],
    refuses: &[-32602],
    does: "checks the description against the invoice's hash of it",
};

pub(crate) fn check_description(
    In(entity): On,
    inputs: Query<(&InvoiceDescriptionHash, &Description)>,
) -> Answer {
    let (hash, description) = inputs.get(entity)?;
    matching(hash, description)?;
    Ok(Step::advance().attach(&CheckDescriptionRan))
}

/// Whether that is the description whose hash is in the invoice.
pub(crate) fn matching(
    InvoiceDescriptionHash(hash): &InvoiceDescriptionHash,
    description: &Description,
) -> Result<(), Refusal> {
    if Sha256::digest(description.text().as_bytes())[..] == hash.0 {
        return Ok(());
    }
    Err(Refusal::invalid("The description is not the one whose hash is in the invoice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{DESCRIPTION, here, run, sample};
    use ecs_core::Json;

    #[test]
    fn only_the_description_behind_the_hash_passes() {
        let hash = "lightningd:invoice:description_hash";
        for (text, passes) in [(DESCRIPTION, true), ("another", false), ("a description ", false)] {
            let write = here().attach_json(hash, sample(hash)).attach(&Description(Json::of(text)));
            let ran = run(&CHECK_DESCRIPTION, write);
            assert_eq!(ran.code(), (!passes).then_some(-32602), "{text}");
            let expected = if passes { "check_description:ran" } else { "failing" };
            assert_eq!(ran.names(), [expected], "{text}");
        }
    }
}
