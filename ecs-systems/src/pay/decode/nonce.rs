//! Row 1.

use crate::{components::Nonce, entropy::draw};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Id, Inputs, Json, On, Step, SystemSpec};

/// Draws 256 bits for the Entity.
pub const GENERATE_NONCE: SystemSpec = SystemSpec {
    name: "lightningd:generate_nonce",
    required: &["lightningd:systems"],
    disallowed: &["lightningd:nonce"],
    attaches: &["lightningd:nonce"],
    detaches: &[],
    refuses: &[],
    does: "draws 256 bits from the command's entropy",
};

pub(crate) fn generate_nonce(In(entity): On, ids: Query<&Id>, inputs: Res<Inputs>) -> Answer {
    let Id(number) = ids.get(entity)?;
    let nonce = draw(&inputs, "nonce", *number);
    Ok(Step::advance().attach(&Nonce(Json::of(&hex::encode(nonce)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Bench, child, here, run};

    #[test]
    fn a_nonce_is_64_hex_digits_that_repeat_with_command_and_entity() {
        let ran = run(&GENERATE_NONCE, here());
        let nonce = ran.attached("nonce").unwrap();
        assert_eq!(nonce.len(), 66, "64 digits and quotes");
        assert!(nonce.trim_matches('"').bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(run(&GENERATE_NONCE, here()).attached("nonce"), Some(nonce), "replayed");
        let other = Bench::new().run_on(child(), &GENERATE_NONCE, here());
        assert_ne!(other.attached("nonce"), Some(nonce), "another Entity, another nonce");
    }
}
