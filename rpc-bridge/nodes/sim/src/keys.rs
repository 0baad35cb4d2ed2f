//! Keys and secrets, all derived from the seed.

use bitcoin::secp256k1::{Secp256k1, SecretKey, SignOnly};
use ecs_systems::units::NodeId;
use sha2::{Digest, Sha256};
use std::{ops::Range, thread};

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

/// The keys of the first `count` nodes, made on two threads where there are many.
pub(crate) fn node_keys(secp: &Secp256k1<SignOnly>, seed: u64, count: usize) -> Vec<NodeKey> {
    const FEW: usize = 1_000;
    let keys = |range: Range<usize>| -> Vec<NodeKey> {
        let index = |at| u64::try_from(at).expect("a length fits 64 bits");
        range.map(|at| node_key(secp, seed, index(at))).collect()
    };
    if count <= FEW {
        return keys(0..count);
    }
    thread::scope(|scope| {
        let second = scope.spawn(|| keys(count / 2..count));
        let mut first = keys(0..count / 2);
        first.extend(second.join().expect("making a key does not panic"));
        first
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_are_the_same_as_each_by_itself() {
        let secp = Secp256k1::signing_only();
        let ids: Vec<_> = node_keys(&secp, 5, 1_003).into_iter().map(|key| key.id).collect();
        assert_eq!(ids.len(), 1_003);
        for index in [0, 500, 501, 1_002] {
            assert_eq!(ids[index], node_key(&secp, 5, index as u64).id);
        }
    }

    #[test]
    fn node_ids_are_points_on_the_curve_and_differ_by_seed_and_index() {
        let secp = Secp256k1::signing_only();
        let ids = [(1, 1), (1, 2), (2, 1)].map(|(seed, index)| node_key(&secp, seed, index).id);
        assert!(ids.iter().all(|id| bitcoin::secp256k1::PublicKey::from_slice(&id.0).is_ok()));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(node_key(&secp, 1, 1).id, ids[0]);
    }
}
