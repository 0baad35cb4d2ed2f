//! What we wait to be paid for, in memory.

use ecs_systems::port::{Receipt, ReceiptState, Receipts, Verdict, VirtualHtlc};
use ecs_systems::units::{Msat, PaymentHash, PaymentSecret, Preimage, Timestamp};
use std::{collections::BTreeMap, hint::black_box};

/// A receipt as it is made. Its secrets do not print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// What is given for the money.
    pub preimage: Preimage,
    /// What the payer must show; `None`: it must show none.
    pub payment_secret: Option<PaymentSecret>,
    /// What it asks for, at least 1 msat; `None`: any amount.
    pub amount_msat: Option<Msat>,
    /// When it stops being payable: at that moment it no longer is.
    pub expires_at: Timestamp,
}

/// Why a receipt is not added. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddReceiptError {
    /// It asks for nothing. Ask for an amount, or for any.
    #[error("a receipt asks for 1 msat or more, or for any amount; this one asks for 0msat")]
    ZeroAmount,
    /// There is a receipt of this hash that differs. Draw another preimage.
    #[error("there is another receipt of hash {payment_hash}")]
    HashTaken {
        /// The hash.
        payment_hash: PaymentHash,
    },
}

/// Why a receipt is not cancelled. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelReceiptError {
    /// There is none.
    #[error("no receipt of hash {payment_hash}")]
    Unknown {
        /// The hash.
        payment_hash: PaymentHash,
    },
    /// The money is ours already.
    #[error("the receipt of hash {payment_hash} was paid with {received_msat}")]
    Paid {
        /// The hash.
        payment_hash: PaymentHash,
        /// What came.
        received_msat: Msat,
    },
}

/// Receipts that live as long as the process. No preimage and no secret of theirs prints.
/// ```
/// use ecs_systems::port::{Receipts, Verdict, VirtualHtlc};
/// use ecs_systems::units::{Msat, Preimage, Timestamp};
/// use ledger_store::{MemoryReceipts, NewReceipt};
///
/// let mut receipts = MemoryReceipts::default();
/// let payment_hash = receipts.add(NewReceipt {
///     preimage: Preimage([7; 32]),
///     payment_secret: None,
///     amount_msat: Some(Msat(100)),
///     expires_at: Timestamp(1_000),
/// })?;
/// let amount_msat = Msat(100);
/// let htlc =
///     VirtualHtlc { payment_hash, amount_msat, total_msat: amount_msat, payment_secret: None };
/// assert_eq!(receipts.judge(&htlc, Timestamp(999)), Verdict::Settle(Preimage([7; 32])));
/// assert!(matches!(receipts.judge(&htlc, Timestamp(1_000)), Verdict::Refuse(_)), "expired");
/// # Ok::<(), ledger_store::AddReceiptError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryReceipts {
    held: BTreeMap<PaymentHash, Held>,
}

#[derive(Clone, Debug)]
struct Held {
    made: NewReceipt,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Unpaid,
    Paid { received: Msat, at: Timestamp },
    Cancelled,
}

impl MemoryReceipts {
    /// Adds a receipt. The same one again is no error and changes nothing.
    ///
    /// # Errors
    /// It asks for nothing, or its preimage is another receipt's.
    pub fn add(&mut self, receipt: NewReceipt) -> Result<PaymentHash, AddReceiptError> {
        if receipt.amount_msat == Some(Msat::ZERO) {
            return Err(AddReceiptError::ZeroAmount);
        }
        let payment_hash = receipt.preimage.hash();
        match self.held.get(&payment_hash) {
            Some(held) if held.made == receipt => Ok(payment_hash),
            Some(_) => Err(AddReceiptError::HashTaken { payment_hash }),
            None => {
                let held = Held { made: receipt, outcome: Outcome::Unpaid };
                self.held.insert(payment_hash, held);
                Ok(payment_hash)
            }
        }
    }

    /// Withdraws a receipt. Twice is no error.
    ///
    /// # Errors
    /// There is none, or it was paid.
    pub fn cancel(&mut self, payment_hash: &PaymentHash) -> Result<(), CancelReceiptError> {
        let payment_hash = *payment_hash;
        let held = self.held.get_mut(&payment_hash);
        let held = held.ok_or(CancelReceiptError::Unknown { payment_hash })?;
        match held.outcome {
            Outcome::Paid { received: received_msat, .. } => {
                Err(CancelReceiptError::Paid { payment_hash, received_msat })
            }
            Outcome::Unpaid | Outcome::Cancelled => {
                held.outcome = Outcome::Cancelled;
                Ok(())
            }
        }
    }

    /// What a receipt was paid with, and when; `None` where it wasn't.
    #[must_use]
    pub fn paid(&self, payment_hash: &PaymentHash) -> Option<(Msat, Timestamp)> {
        match self.held.get(payment_hash)?.outcome {
            Outcome::Paid { received, at } => Some((received, at)),
            Outcome::Unpaid | Outcome::Cancelled => None,
        }
    }
}

impl Receipts for MemoryReceipts {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let held = self.held.get(payment_hash)?;
        Some(Receipt {
            payment_hash: *payment_hash,
            amount_msat: held.made.amount_msat,
            expires_at: held.made.expires_at,
            state: match held.outcome {
                Outcome::Unpaid => ReceiptState::Unpaid,
                Outcome::Paid { .. } => ReceiptState::Paid,
                Outcome::Cancelled => ReceiptState::Cancelled,
            },
        })
    }

    fn judge(&self, htlc: &VirtualHtlc, now: Timestamp) -> Verdict {
        let Some(held) = self.held.get(&htlc.payment_hash) else {
            return Verdict::Refuse("no receipt of this hash".to_owned());
        };
        match objection(held, htlc, now) {
            Some(objection) => Verdict::Refuse(objection),
            None => Verdict::Settle(held.made.preimage),
        }
    }

    fn settle(
        &mut self,
        payment_hash: &PaymentHash,
        amount: Msat,
        at: Timestamp,
    ) -> Result<(), String> {
        let held = self.held.get_mut(payment_hash);
        let held = held.ok_or_else(|| format!("no receipt of hash {payment_hash}"))?;
        match held.outcome {
            Outcome::Unpaid => {
                held.outcome = Outcome::Paid { received: amount, at };
                Ok(())
            }
            Outcome::Paid { received, .. } if received == amount => Ok(()),
            Outcome::Paid { received, .. } => Err(format!(
                "the receipt of hash {payment_hash} was paid with {received}, not with {amount}"
            )),
            Outcome::Cancelled => Err(format!("the receipt of hash {payment_hash} was cancelled")),
        }
    }
}

/// Why an HTLC is not taken. The order follows BOLT 4 and Core Lightning: what is known of the
/// receipt, then the secret, then the amounts.
fn objection(held: &Held, htlc: &VirtualHtlc, now: Timestamp) -> Option<String> {
    match held.outcome {
        Outcome::Paid { at, .. } => return Some(format!("the receipt was paid at {at}")),
        Outcome::Cancelled => return Some("the receipt was cancelled".to_owned()),
        Outcome::Unpaid => {}
    }
    if now >= held.made.expires_at {
        return Some(format!("the receipt expired at {}", held.made.expires_at));
    }
    if !same_secret(held.made.payment_secret.as_ref(), htlc.payment_secret.as_ref()) {
        return Some("the payment secret is wrong".to_owned());
    }
    let (part, total) = (htlc.amount_msat, htlc.total_msat);
    if part == Msat::ZERO {
        return Some("the HTLC is worth nothing".to_owned());
    }
    if part < total {
        return Some(format!("the set is incomplete: {part} of {total}"));
    }
    if let Some(asked) = held.made.amount_msat {
        if total < asked {
            return Some(format!("the total of {total} is less than the {asked} asked for"));
        }
        if asked.checked_mul(2).is_some_and(|twice| total > twice) {
            return Some(format!("the total of {total} is more than twice the {asked} asked for"));
        }
    }
    None
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
fn same_secret(expected: Option<&PaymentSecret>, shown: Option<&PaymentSecret>) -> bool {
    match (expected, shown) {
        (None, None) => true,
        (Some(expected), Some(shown)) => {
            let pairs = expected.0.iter().zip(shown.0.iter());
            black_box(pairs.fold(0_u8, |seen, (a, b)| black_box(seen | (a ^ b)))) == 0
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
