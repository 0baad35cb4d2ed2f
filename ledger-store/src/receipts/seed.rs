//! The one secret that the secrets of all receipts follow from.

use ecs_systems::port::{
    Chosen, GivenSecrets, IssuedReceipt, ReceiptRequest, ReceiptSecrets, SeedId, Terms,
};
use ecs_systems::units::{PaymentHash, PaymentSecret, Preimage, ReceiptId, Sealed};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// What a derived secret is for: no two purposes give the same bytes.
const PREIMAGE: &str = "payecs receipt preimage";
const PAYMENT_SECRET: &str = "payecs receipt payment secret";
const PREIMAGE_KEY: &str = "payecs receipt preimage key";
const PAYMENT_SECRET_KEY: &str = "payecs receipt payment secret key";
const SEED_ID: &str = "payecs receipt seed id";

/// A receipt's id and hash.
pub(super) type Name<'a> = (&'a ReceiptId, &'a PaymentHash);

/// 32 bytes from which the secrets of receipts follow. **Secret**: it does not print, and is wiped
/// from memory with its last clone.
///
/// A secret is HMAC-SHA256 under the seed, of what it is for and the receipt's id. Who knows
/// preimages and ids of receipts that were paid learns nothing about others. A secret that an
/// issuer chose itself is sealed: it is combined bit by bit with such a key, which is used for that
/// secret alone, as it follows from the receipt's id and hash.
#[derive(Clone)]
pub struct Seed {
    bytes: Arc<Zeroizing<[u8; 32]>>,
    id: SeedId,
}

impl fmt::Debug for Seed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Seed({})", self.id)
    }
}

impl Seed {
    /// The seed of these bytes, which must be random. The caller wipes what it took them from.
    #[must_use]
    pub fn new(bytes: &Zeroizing<[u8; 32]>) -> Self {
        let bytes = Arc::new(bytes.clone());
        let id = SeedId(first(&mac(&bytes, SEED_ID, &[])));
        Self { bytes, id }
    }

    /// What tells it from other seeds.
    #[must_use]
    pub fn id(&self) -> SeedId {
        self.id
    }

    pub(super) fn preimage(&self, receipt: &ReceiptId) -> Preimage {
        Preimage(*mac(&self.bytes, PREIMAGE, &[&receipt.0]))
    }

    pub(super) fn payment_secret(&self, receipt: &ReceiptId) -> PaymentSecret {
        PaymentSecret(*mac(&self.bytes, PAYMENT_SECRET, &[&receipt.0]))
    }

    /// Seals the secrets that an issuer chose, or opens them: twice gives them back.
    pub(super) fn sealed(
        &self,
        receipt: &ReceiptId,
        hash: &PaymentHash,
        (preimage, payment_secret): ([u8; 32], Option<[u8; 32]>),
    ) -> ([u8; 32], Option<[u8; 32]>) {
        let with = |purpose, mut bytes: [u8; 32]| {
            let key = mac(&self.bytes, purpose, &[&receipt.0, &hash.0]);
            for (byte, key) in bytes.iter_mut().zip(key.iter()) {
                *byte ^= key;
            }
            bytes
        };
        let payment_secret = payment_secret.map(|secret| with(PAYMENT_SECRET_KEY, secret));
        (with(PREIMAGE_KEY, preimage), payment_secret)
    }

    /// The secrets of a receipt of this seed, without the preimage where that is somebody else's.
    pub(super) fn secrets_of(
        &self,
        (id, hash): Name<'_>,
        secrets: ReceiptSecrets,
    ) -> (Option<Preimage>, Option<PaymentSecret>) {
        match secrets {
            ReceiptSecrets::Derived => (Some(self.preimage(id)), Some(self.payment_secret(id))),
            ReceiptSecrets::Awaited => (None, Some(self.payment_secret(id))),
            ReceiptSecrets::Sealed { preimage: Sealed(preimage), payment_secret } => {
                let payment_secret = payment_secret.map(|sealed| sealed.0);
                let (preimage, secret) = self.sealed(id, hash, (preimage, payment_secret));
                (Some(Preimage(preimage)), secret.map(PaymentSecret))
            }
        }
    }

    /// What the payer of a receipt of this seed must show that is drafted; `None`: nothing.
    pub(super) fn payment_secret_of(&self, draft: &IssuedReceipt) -> Option<PaymentSecret> {
        self.secrets_of((&draft.receipt_id, &draft.payment_hash), draft.secrets).1
    }

    /// A preimage that comes after its receipt was issued, sealed under that receipt's key.
    pub(super) fn sealed_later(&self, (id, hash): Name<'_>, preimage: &Preimage) -> Sealed {
        Sealed(self.sealed(id, hash, (preimage.0, None)).0)
    }

    /// The preimage that was sealed so.
    pub(super) fn opened(&self, (id, hash): Name<'_>, sealed: &Sealed) -> Preimage {
        Preimage(self.sealed(id, hash, (sealed.0, None)).0)
    }

    /// What the record of a receipt says.
    pub(super) fn draft(&self, wanted: &ReceiptRequest, receipt_id: ReceiptId) -> IssuedReceipt {
        let seal = |preimage: Preimage, payment_secret: Option<PaymentSecret>| {
            let chosen = (preimage.0, payment_secret.map(|secret| secret.0));
            let (preimage, secret) = self.sealed(&receipt_id, &preimage.hash(), chosen);
            ReceiptSecrets::Sealed {
                preimage: Sealed(preimage),
                payment_secret: secret.map(Sealed),
            }
        };
        let (payment_hash, secrets) = match wanted.chosen {
            Chosen::Nothing => (self.preimage(&receipt_id).hash(), ReceiptSecrets::Derived),
            Chosen::Secrets(GivenSecrets { preimage, payment_secret }) => {
                (preimage.hash(), seal(preimage, payment_secret))
            }
            Chosen::Preimage(preimage) => {
                (preimage.hash(), seal(preimage, Some(self.payment_secret(&receipt_id))))
            }
            Chosen::Hash(payment_hash) => (payment_hash, ReceiptSecrets::Awaited),
        };
        let Terms { overpay, cltv, hold } = wanted.terms;
        // What somebody else decides about waits for that.
        let hold = hold || secrets == ReceiptSecrets::Awaited;
        IssuedReceipt {
            payment_hash,
            receipt_id,
            seed: self.id,
            secrets,
            amount_msat: wanted.amount_msat,
            overpay,
            cltv,
            expires_at: wanted.expires_at,
            hold,
            metadata: wanted.metadata.clone(),
            prepend: wanted.prepend.clone(),
            key: wanted.key.clone(),
            invoice: None,
        }
    }
}

fn mac(seed: &[u8; 32], purpose: &str, of: &[&[u8; 32]]) -> Zeroizing<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    for bytes in of {
        mac.update(*bytes);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn first(bytes: &[u8; 32]) -> u64 {
    bytes.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::fixture::preimage;

    fn seed(byte: u8) -> Seed {
        Seed::new(&Zeroizing::new([byte; 32]))
    }

    /// Computed with Python: `hmac.new(bytes([7] * 32), b"…\0" + bytes([9] * 32), "sha256")`.
    #[test]
    fn the_same_seed_and_id_give_the_same_secrets_for_ever() {
        let (seed, id) = (seed(7), ReceiptId([9; 32]));
        assert_eq!(seed.preimage(&id).reveal(), PREIMAGE_OF_7_9);
        assert_eq!(seed.payment_secret(&id).reveal(), PAYMENT_SECRET_OF_7_9);
        assert_eq!(seed.id().to_string(), SEED_ID_OF_7);
    }

    const PREIMAGE_OF_7_9: &str =
        "6d108631add7602519fffc216d00b361feb6c8dc2f0c5d2d92d0f621586b5d68";
    const PAYMENT_SECRET_OF_7_9: &str =
        "35aeb16e1dd8562e3a7544c169332d446092324ddd327795f99247526eb87a65";
    const SEED_ID_OF_7: &str = "1948c62e51ee3cb9";

    #[test]
    fn no_two_seeds_ids_or_purposes_share_a_secret() {
        let mut all = std::collections::BTreeSet::new();
        for (of, id) in [(1, 1), (1, 2), (2, 1)] {
            let (seed, id) = (seed(of), ReceiptId([id; 32]));
            all.insert(seed.preimage(&id).0);
            all.insert(seed.payment_secret(&id).0);
            for hash in [1, 2] {
                let hash = PaymentHash([hash; 32]);
                let (one, other) = seed.sealed(&id, &hash, ([0; 32], Some([0; 32])));
                all.extend([one].into_iter().chain(other));
            }
        }
        assert_eq!(all.len(), 3 * 6);
    }

    #[test]
    fn what_is_sealed_opens_under_its_own_seed_alone() {
        let (id, payment_hash) = (ReceiptId([9; 32]), preimage(1).hash());
        let chosen = (preimage(1).0, Some([4; 32]));
        let (sealed, secret) = seed(7).sealed(&id, &payment_hash, chosen);
        assert!(sealed != chosen.0 && secret != chosen.1);
        let secrets =
            ReceiptSecrets::Sealed { preimage: Sealed(sealed), payment_secret: secret.map(Sealed) };
        let opened = (Some(preimage(1)), Some(PaymentSecret([4; 32])));
        assert_eq!(seed(7).secrets_of((&id, &payment_hash), secrets), opened);
        assert_ne!(seed(8).secrets_of((&id, &payment_hash), secrets), opened);
    }

    #[test]
    fn a_seed_does_not_print() {
        assert_eq!(format!("{:?}", seed(7)), format!("Seed({SEED_ID_OF_7})"));
    }
}
