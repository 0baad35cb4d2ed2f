//! Draws from the randomness that a command brings along.

use ecs_core::{EntityId, Inputs};
use sha2::{Digest, Sha256};

/// 256 bits for one purpose of one Entity: SHA256 of the command's entropy, the purpose and the
/// Entity. The same command gives the same bits, so that it can be replayed.
#[must_use]
pub(crate) fn draw(inputs: &Inputs, purpose: &str, entity: EntityId) -> [u8; 32] {
    Sha256::new()
        .chain_update(inputs.entropy)
        .chain_update(purpose.as_bytes())
        .chain_update(entity.get().to_be_bytes())
        .finalize()
        .into()
}

/// 63 bits, as group ids have.
#[must_use]
pub(crate) fn draw_63_bits(inputs: &Inputs, purpose: &str, entity: EntityId) -> u64 {
    let bytes = draw(inputs, purpose, entity);
    let (first, _) = bytes.split_first_chunk::<8>().expect("32 bytes begin with 8");
    u64::from_be_bytes(*first) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_purpose_entity_and_command_and_repeat_with_them() {
        let (first, second) = (EntityId::FIRST, EntityId::FIRST.next());
        let inputs = Inputs::default();
        let other = Inputs { entropy: [1; 32], ..inputs };
        assert_eq!(draw(&inputs, "nonce", first), draw(&inputs, "nonce", first));
        assert_ne!(draw(&inputs, "nonce", first), draw(&inputs, "nonce", second));
        assert_ne!(draw(&inputs, "nonce", first), draw(&inputs, "group", first));
        assert_ne!(draw(&inputs, "nonce", first), draw(&other, "nonce", first));
        assert!(draw_63_bits(&inputs, "group", first) < 1 << 63);
    }
}
