//! Who signs checkpoints, and who believes them.

use crate::{
    disk::{self, Cause, Disk, Open, read_all},
    error::{Damage, Error, Harm},
};
use secp256k1::{Keypair, Message, Secp256k1, SecretKey, XOnlyPublicKey, schnorr::Signature};
use std::{collections::BTreeSet, fmt};

/// Signs digests with one key.
pub trait Sign {
    /// What the key is known by: without spaces, and not secret.
    fn key_id(&self) -> String;

    /// Signs.
    fn sign(&self, digest: [u8; 32]) -> Vec<u8>;
}

/// Judges signatures.
pub trait Verify {
    /// Whether this is a signature of the digest by a key that is trusted.
    fn verify(&self, key_id: &str, digest: [u8; 32], signature: &[u8]) -> bool;
}

const KEY_WORD: &str = "payecs-key-1";
/// Word, space, secret in hex, space, public key in hex, end of line.
const KEY_BYTES: usize = 12 + 1 + 64 + 1 + 64 + 1;

/// A secp256k1 key that signs as BIP 340 says. Its id is the public key, 32 bytes in hex.
pub struct SchnorrKey {
    keys: Keypair,
}

impl fmt::Debug for SchnorrKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("SchnorrKey").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl SchnorrKey {
    /// The key in a file, which is made of `entropy` when it is missing, for its owner alone.
    /// `entropy` is 32 bytes from a source that nobody can guess; it is not used when there is a
    /// key.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file holds no key, or when the disk refuses. There is no key of
    /// one of 2¹²⁸ values of `entropy`, zero for example: that is [`Error::Disk`].
    pub fn open(disk: &dyn Disk, name: &str, entropy: [u8; 32]) -> Result<Self, Error> {
        let file = match disk.open(name, Open::Read) {
            Ok(file) => file,
            Err(error) if error.cause == Cause::Missing => return Self::make(disk, name, entropy),
            Err(error) => return Err(error.into()),
        };
        let (file_name, harm) = (name.to_owned(), Harm::FileHeader);
        let damage = Damage { file: file_name, offset: 0, harm, holds: None, next: None };
        if file.len_bytes()? != KEY_BYTES as u64 {
            return Err(damage.into());
        }
        let mut bytes = [0; KEY_BYTES];
        read_all(&*file, name, 0, &mut bytes)?;
        let secret = bytes.get(13..77).and_then(|text| hex::decode(text).ok());
        let secret: Option<[u8; 32]> = secret.and_then(|secret| secret.try_into().ok());
        let key = secret.and_then(Self::of).filter(|key| key.line().as_bytes() == bytes);
        key.ok_or_else(|| damage.into())
    }

    fn make(disk: &dyn Disk, name: &str, entropy: [u8; 32]) -> Result<Self, Error> {
        let key = Self::of(entropy).ok_or_else(|| {
            let cause = Cause::Other("these random bytes make no key: draw others".to_owned());
            disk::DiskError::new(disk::Operation::Create, name, cause)
        })?;
        disk::create(disk, name, key.line().as_bytes())?;
        Ok(key)
    }

    fn of(secret: [u8; 32]) -> Option<Self> {
        let secret = SecretKey::from_slice(&secret).ok()?;
        Some(Self { keys: Keypair::from_secret_key(&Secp256k1::new(), &secret) })
    }

    fn line(&self) -> String {
        let secret = hex::encode(self.keys.secret_bytes());
        format!("{KEY_WORD} {secret} {}\n", self.key_id())
    }
}

impl Sign for SchnorrKey {
    fn key_id(&self) -> String {
        let (key, _) = self.keys.x_only_public_key();
        hex::encode(key.serialize())
    }

    fn sign(&self, digest: [u8; 32]) -> Vec<u8> {
        let message = Message::from_digest(digest);
        let signature = Secp256k1::new().sign_schnorr_no_aux_rand(&message, &self.keys);
        signature.serialize().to_vec()
    }
}

/// Believes BIP 340 signatures by these keys and no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    /// What the keys are known by: public keys, 32 bytes in hex.
    pub key_ids: BTreeSet<String>,
}

impl Verify for TrustedKeys {
    fn verify(&self, key_id: &str, digest: [u8; 32], signature: &[u8]) -> bool {
        if !self.key_ids.contains(key_id) {
            return false;
        }
        let key = hex::decode(key_id).ok().and_then(|key| XOnlyPublicKey::from_slice(&key).ok());
        let signature = Signature::from_slice(signature).ok();
        let message = Message::from_digest(digest);
        key.zip(signature).is_some_and(|(key, signature)| {
            Secp256k1::verification_only().verify_schnorr(&signature, &message, &key).is_ok()
        })
    }
}
