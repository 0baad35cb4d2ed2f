//! Receipts by command: what is in the record, and what only the issuer learns.

use super::seed::Seed;
use ecs_core::{Engine, Error, Inputs};
use ecs_systems::port::{AddReceiptError, Chosen, ReceiptRequest, ReceiptsBook};
use ecs_systems::records::{ReceiptLine, receipt_id, receipt_record};
use ecs_systems::units::{PaymentHash, PaymentSecret};

/// How many receipts one command can issue.
pub const RECEIPTS_PER_COMMAND_MAX: u64 = 1_000;

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
            let issued = self.seed.draft(request, receipt_id(&entropy, number));
            let receipts = engine.resource::<ReceiptsBook>().ok_or(IssueError::NoReceipts)?;
            match receipts.0.check(&issued) {
                Ok(()) => {}
                // An earlier one of this command.
                Err(
                    AddReceiptError::HashTaken { .. }
                    | AddReceiptError::WasPaid { .. }
                    | AddReceiptError::WasDeleted { .. },
                ) if request.chosen == Chosen::Nothing => {
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let payment_hash = issued.payment_hash;
            let payment_secret = self.seed.payment_secret_of(&issued);
            engine.keep_records(&[receipt_record(&ReceiptLine::Issue(Box::new(issued)))])?;
            return Ok(Issued { payment_hash, payment_secret });
        }
        Err(IssueError::TooMany)
    }
}

/// Withdraws a receipt, within a command: it is in its record. Twice is no error.
///
/// # Errors
/// There is no such receipt, or it is being paid or was (203). Nothing was written.
pub fn withdraw(engine: &mut Engine, payment_hash: PaymentHash) -> Result<(), Error> {
    engine.keep_records(&[receipt_record(&ReceiptLine::Withdraw { payment_hash })])
}
