//! Receipts by command: what is in the record, and what only the issuer learns.

use super::{Terms, seed::Seed};
use ecs_core::{Engine, Error, Inputs};
use ecs_systems::port::{AddReceiptError, IssuedReceipt, ReceiptSecrets, ReceiptsBook};
use ecs_systems::records::{ReceiptLine, receipt_record};
use ecs_systems::units::{
    Msat, PaymentHash, PaymentSecret, Preimage, ReceiptId, Sealed, Timestamp,
};
use sha2::{Digest, Sha256};

/// How many receipts one command can issue.
pub const RECEIPTS_PER_COMMAND_MAX: u64 = 1_000;

/// What somebody wants to be paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRequest {
    /// How much, at least 1 msat; `None`: any amount.
    pub amount_msat: Option<Msat>,
    /// When it stops being payable: at that moment it no longer is.
    pub expires_at: Timestamp,
    /// On which terms.
    pub terms: Terms,
    /// Secrets that the issuer chose; `None`: they follow from the seed, as they should.
    pub given: Option<GivenSecrets>,
}

/// Secrets that an issuer chose. They do not print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenSecrets {
    /// What is given for the money. Nobody else may know it, and it must not have been used before.
    pub preimage: Preimage,
    /// What the payer must show; `None`: it must show none.
    pub payment_secret: Option<PaymentSecret>,
}

/// What an issuer learns of its receipt, to write it into an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its hash.
    pub payment_hash: PaymentHash,
    /// What the payer must show; `None`: it must show none.
    pub payment_secret: Option<PaymentSecret>,
}

/// Why no receipt is issued. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The receipts don't take it.
    #[error(transparent)]
    Refused(#[from] AddReceiptError),
    /// The command has issued as many as it may. Issue the others by another one.
    #[error("one command issues {RECEIPTS_PER_COMMAND_MAX} receipts at most")]
    TooMany,
    /// The engine was made without receipts.
    #[error("the engine has no receipts")]
    NoReceipts,
    /// The engine doesn't take the record.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// Issues receipts under a seed.
///
/// To be called within a command of the engine, with fresh entropy, as `Driver::command` brings it:
/// the receipt is in the record of that command. What is answered may leave once that is kept.
#[derive(Clone, Debug)]
pub struct Issuer {
    seed: Seed,
}

impl Issuer {
    /// An issuer for the receipts of this seed.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed }
    }

    /// Issues a receipt.
    ///
    /// # Errors
    /// See [`IssueError`].
    pub fn issue(
        &self,
        engine: &mut Engine,
        request: &ReceiptRequest,
    ) -> Result<Issued, IssueError> {
        let entropy = engine.resource::<Inputs>().map(|inputs| inputs.entropy).unwrap_or_default();
        for number in 0..RECEIPTS_PER_COMMAND_MAX {
            let issued = self.receipt(receipt_id(&entropy, number), request);
            let receipts = engine.resource::<ReceiptsBook>().ok_or(IssueError::NoReceipts)?;
            match receipts.0.check(&issued) {
                Ok(()) => {}
                // An earlier one of this command.
                Err(AddReceiptError::HashTaken { .. } | AddReceiptError::WasPaid { .. })
                    if request.given.is_none() =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let payment_hash = issued.payment_hash;
            let payment_secret = self.seed.secrets_of(&issued).and_then(|secrets| secrets.1);
            engine.keep_records(&[receipt_record(&ReceiptLine::Issue(Box::new(issued)))])?;
            return Ok(Issued { payment_hash, payment_secret });
        }
        Err(IssueError::TooMany)
    }

    fn receipt(&self, receipt_id: ReceiptId, request: &ReceiptRequest) -> IssuedReceipt {
        let (payment_hash, secrets) = match request.given {
            None => (self.seed.preimage(&receipt_id).hash(), ReceiptSecrets::Derived),
            Some(GivenSecrets { preimage, payment_secret }) => {
                let hash = preimage.hash();
                let chosen = (preimage.0, payment_secret.map(|secret| secret.0));
                let (preimage, secret) = self.seed.sealed(&receipt_id, &hash, chosen);
                let (preimage, payment_secret) = (Sealed(preimage), secret.map(Sealed));
                (hash, ReceiptSecrets::Sealed { preimage, payment_secret })
            }
        };
        let Terms { overpay, cltv, hold } = request.terms;
        let ReceiptRequest { amount_msat, expires_at, .. } = *request;
        let seed = self.seed.id();
        IssuedReceipt {
            payment_hash,
            receipt_id,
            seed,
            secrets,
            amount_msat,
            overpay,
            cltv,
            expires_at,
            hold,
        }
    }
}

/// Withdraws a receipt, within a command: it is in its record. Twice is no error.
///
/// # Errors
/// There is no such receipt, or it is being paid or was (203). Nothing was written.
pub fn withdraw(engine: &mut Engine, payment_hash: PaymentHash) -> Result<(), Error> {
    engine.keep_records(&[receipt_record(&ReceiptLine::Withdraw { payment_hash })])
}

/// The name of the receipt with that number of a command. It is in the record, as the entropy is.
fn receipt_id(entropy: &[u8; 32], number: u64) -> ReceiptId {
    let digest = Sha256::new().chain_update("payecs receipt id\0").chain_update(entropy);
    ReceiptId(digest.chain_update(number.to_be_bytes()).finalize().into())
}
