//! Keys and secrets, all derived from the seed.

use bitcoin::secp256k1::{Secp256k1, SecretKey, SignOnly};
use ecs_systems::units::NodeId;
use sha2::{Digest, Sha256};

/// A node's secret and the id that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct NodeKey {
    pub(crate) secret: SecretKey,
    pub(crate) id: NodeId,
}

/// 32 bytes for `purpose` number `index`: SHA256 of both with the seed.
pub(crate) fn derive(purpose: &str, seed: u64, index: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose.as_bytes());
    hash.update(seed.to_be_bytes());
    hash.update(index.to_be_bytes());
    hash.finalize().into()
}

/// The key of node number `index`.
pub(crate) fn node_key(secp: &Secp256k1<SignOnly>, seed: u64, index: u64) -> NodeKey {
    let secret = SecretKey::from_slice(&derive("node", seed, index))
        .expect("a SHA256 is a secret key but for one in 2¹²⁷");
    NodeKey { secret, id: NodeId(secret.public_key(secp).serialize()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_are_points_on_the_curve_and_differ_by_seed_and_index() {
        let secp = Secp256k1::signing_only();
        let ids = [(1, 1), (1, 2), (2, 1)].map(|(seed, index)| node_key(&secp, seed, index).id);
        assert!(ids.iter().all(|id| bitcoin::secp256k1::PublicKey::from_slice(&id.0).is_ok()));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(node_key(&secp, 1, 1).id, ids[0]);
    }
}
