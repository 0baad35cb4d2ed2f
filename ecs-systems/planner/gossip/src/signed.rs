//! A `channel_update` by itself, as failures bring it along: signed, and held against its signer.

use crate::message::{CHANNEL_UPDATE, Chain, Message, UPDATED_CHAIN_AT, Update};
use crate::write::update;
use payecs_planner::Policy;
use payecs_units::{ChannelDirection, NodeId};
use secp256k1::{
    Message as Digest, PublicKey, Secp256k1, SecretKey, Signing, Verification, ecdsa::Signature,
};
use sha2::{Digest as _, Sha256};

/// Behind the type.
const SIGNATURE_AT: usize = 2;

/// What a `channel_update` says whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpdate {
    /// Of which direction.
    pub direction: ChannelDirection,
    /// When it was made, in seconds since 1970: of two the later one holds.
    pub timestamp_s: u32,
    /// What holds. Where it names no largest HTLC, that is 2⁶⁴−1 msat.
    pub policy: Policy,
}

/// Why a message is no `channel_update` of that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateFault {
    /// It is none, or cut short.
    #[error("it is no channel_update")]
    Unreadable,
    /// It is about another block chain.
    #[error("it is of another chain")]
    OtherChain,
    /// That node did not sign it.
    #[error("its signature is not that of {signer}")]
    Signature {
        /// Whose it was to be.
        signer: NodeId,
    },
}

/// Reads a `channel_update` (BOLT 7), with or without its type in front, as BOLT 4 knows both of
/// failures, and checks that it is of that chain and that `signer` has signed it. That the channel
/// and direction are those of `signer` is for the caller to check.
///
/// # Errors
/// [`UpdateFault`]: nothing it says counts.
pub fn verify_update<C: Verification>(
    secp: &Secp256k1<C>,
    message: &[u8],
    signer: &NodeId,
    chain: &Chain,
) -> Result<SignedUpdate, UpdateFault> {
    let kind = CHANNEL_UPDATE.to_be_bytes();
    let typed = match message.strip_prefix(&kind) {
        Some(_) => message.to_vec(),
        None => [&kind, message].concat(),
    };
    let Some(Message::Update(update)) = Message::of(&typed) else {
        return Err(UpdateFault::Unreadable);
    };
    let Update { chain: theirs, scid, direction, timestamp, policy, .. } = update;
    if theirs != *chain {
        return Err(UpdateFault::OtherChain);
    }
    let is_signed = || {
        let signature = Signature::from_compact(typed.get(SIGNATURE_AT..UPDATED_CHAIN_AT)?).ok()?;
        let key = PublicKey::from_slice(&signer.0).ok()?;
        secp.verify_ecdsa(&digest(&typed), &signature, &key).ok()
    };
    is_signed().ok_or(UpdateFault::Signature { signer: *signer })?;
    let direction = ChannelDirection { scid, direction };
    Ok(SignedUpdate { direction, timestamp_s: timestamp, policy })
}

/// The message of a node that says so, with its type. `None`: a fee base of 2³² msat or more, or a
/// delta of 2¹⁶ blocks or more, can't be said.
#[must_use]
pub fn sign_update<C: Signing>(
    secp: &Secp256k1<C>,
    said: &SignedUpdate,
    secret: &SecretKey,
    chain: &Chain,
) -> Option<Vec<u8>> {
    let mut message = update(said.direction, &said.policy, said.timestamp_s, chain)?;
    let signature = secp.sign_ecdsa(&digest(&message), secret).serialize_compact();
    message.get_mut(SIGNATURE_AT..UPDATED_CHAIN_AT)?.copy_from_slice(&signature);
    Some(message)
}

/// What is signed: all behind the signature, hashed twice.
fn digest(message: &[u8]) -> Digest {
    let said = message.get(UPDATED_CHAIN_AT..).unwrap_or_default();
    Digest::from_digest(Sha256::digest(Sha256::digest(said)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use payecs_units::{Blocks, Direction, Msat, Ppm, ShortChannelId};
    use proptest::prelude::*;
    use secp256k1::All;

    const CHAIN: Chain = [6; 32];

    fn key(secp: &Secp256k1<All>, number: u8) -> (SecretKey, NodeId) {
        let secret = SecretKey::from_slice(&[number; 32]).unwrap();
        (secret, NodeId(secret.public_key(secp).serialize()))
    }

    fn said() -> SignedUpdate {
        SignedUpdate {
            direction: ChannelDirection { scid: ShortChannelId(77), direction: Direction::One },
            timestamp_s: 1_700_000_000,
            policy: Policy {
                enabled: true,
                cltv_delta: Blocks(34),
                htlc_minimum_msat: Msat(1),
                htlc_maximum_msat: Msat(990_000_000),
                fee_base_msat: Msat(1_000),
                fee_rate: Ppm(250),
            },
        }
    }

    #[test]
    fn what_a_node_signs_is_what_it_said_with_its_type_or_without() {
        let secp = Secp256k1::new();
        let (secret, node) = key(&secp, 1);
        let message = sign_update(&secp, &said(), &secret, &CHAIN).unwrap();
        for message in [&message[..], &message[2..]] {
            assert_eq!(verify_update(&secp, message, &node, &CHAIN), Ok(said()));
        }
    }

    #[test]
    fn what_another_node_or_nobody_signed_does_not_count() {
        let secp = Secp256k1::new();
        let ((secret, node), (_, other)) = (key(&secp, 1), key(&secp, 2));
        let message = sign_update(&secp, &said(), &secret, &CHAIN).unwrap();
        let seen = |message: &[u8], signer, chain| verify_update(&secp, message, &signer, chain);
        let not_by = |signer| Err(UpdateFault::Signature { signer });
        assert_eq!(seen(&message, other, &CHAIN), not_by(other));
        assert_eq!(seen(&message, NodeId([0; 33]), &CHAIN), not_by(NodeId([0; 33])));
        assert_eq!(seen(&message, node, &[7; 32]), Err(UpdateFault::OtherChain));
        assert_eq!(seen(&message[..message.len() - 9], node, &CHAIN), Err(UpdateFault::Unreadable));
        assert_eq!(seen(&[], node, &CHAIN), Err(UpdateFault::Unreadable));
        // Later versions of the message may be longer: what they add is signed too.
        assert_eq!(seen(&[&message[..], &[0]].concat(), node, &CHAIN), not_by(node));
    }

    #[test]
    fn what_an_update_has_no_room_for_is_not_signed() {
        let secp = Secp256k1::new();
        let (secret, _) = key(&secp, 1);
        let policy = Policy { fee_base_msat: Msat(1 << 32), ..said().policy };
        assert_eq!(sign_update(&secp, &SignedUpdate { policy, ..said() }, &secret, &CHAIN), None);
    }

    proptest! {
        #[test]
        fn no_changed_byte_is_taken_for_what_was_said(at in 0_usize..138, by in 1_u8..) {
            let secp = Secp256k1::new();
            let (secret, node) = key(&secp, 1);
            let mut message = sign_update(&secp, &said(), &secret, &CHAIN).unwrap();
            prop_assert_eq!(message.len(), 138);
            message[at] ^= by;
            prop_assert!(verify_update(&secp, &message, &node, &CHAIN).is_err());
        }
    }
}
