//! What we wait to be paid for, in memory.

use ecs_systems::port::{Offered, OverpayRule, Receipt, ReceiptState, Receipts, Verdict};
use ecs_systems::units::{Blocks, Msat, PaymentHash, PaymentSecret, Preimage, Timestamp};
use std::{collections::BTreeMap, hint::black_box};

/// The least that a receipt may ask for as [`Terms::cltv`]: 12 blocks that must be left when it is
/// settled, and 6 to come in and be settled.
pub const CLTV_BLOCKS_MIN: Blocks = Blocks(18);

/// On which terms a receipt is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which totals it takes.
    pub overpay: OverpayRule,
    /// Blocks that each HTLC must have left when it comes in, at least [`CLTV_BLOCKS_MIN`].
    pub cltv: Blocks,
    /// A complete set waits for a decision.
    pub hold: bool,
}

impl Default for Terms {
    /// From once to twice, 18 blocks, no hold.
    fn default() -> Self {
        Self { overpay: OverpayRule::Bolt, cltv: CLTV_BLOCKS_MIN, hold: false }
    }
}

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
    /// On which terms.
    pub terms: Terms,
}

/// Why a receipt is not added. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddReceiptError {
    /// It asks for nothing. Ask for an amount, or for any.
    #[error("a receipt asks for 1 msat or more, or for any amount; this one asks for 0msat")]
    ZeroAmount,
    /// Its HTLCs could not be settled in time. Ask for more blocks.
    #[error("a receipt asks for {CLTV_BLOCKS_MIN} or more; this one asks for {cltv}")]
    CltvTooShort {
        /// What it asks for.
        cltv: Blocks,
    },
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
    /// Its preimage leaves, or has left.
    #[error("the receipt of hash {payment_hash} is being paid")]
    Settling {
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
/// use ecs_systems::port::{Offered, Receipts, Verdict};
/// use ecs_systems::units::{Blocks, Msat, Preimage, Timestamp};
/// use ledger_store::{MemoryReceipts, NewReceipt, Terms};
///
/// let mut receipts = MemoryReceipts::default();
/// let payment_hash = receipts.add(NewReceipt {
///     preimage: Preimage([7; 32]),
///     payment_secret: None,
///     amount_msat: Some(Msat(100)),
///     expires_at: Timestamp(1_000),
///     terms: Terms::default(),
/// })?;
/// let amount_msat = Msat(100);
/// let (total_msat, payment_secret) = (amount_msat, None);
/// let whole = Offered { payment_hash, amount_msat, total_msat, payment_secret };
/// assert_eq!(receipts.judge(&whole, Timestamp(999)), Verdict::Settle(Preimage([7; 32])));
/// assert!(matches!(receipts.judge(&whole, Timestamp(1_000)), Verdict::Refuse(_)), "expired");
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
    Settling,
    Paid { received: Msat, at: Timestamp },
    Cancelled,
}

impl MemoryReceipts {
    /// Adds a receipt. The same one again is no error and changes nothing.
    ///
    /// # Errors
    /// It asks for nothing or for too few blocks, or its preimage is another receipt's.
    pub fn add(&mut self, receipt: NewReceipt) -> Result<PaymentHash, AddReceiptError> {
        if receipt.amount_msat == Some(Msat::ZERO) {
            return Err(AddReceiptError::ZeroAmount);
        }
        if receipt.terms.cltv < CLTV_BLOCKS_MIN {
            return Err(AddReceiptError::CltvTooShort { cltv: receipt.terms.cltv });
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
    /// There is none, or it was paid or is being paid.
    pub fn cancel(&mut self, payment_hash: &PaymentHash) -> Result<(), CancelReceiptError> {
        let payment_hash = *payment_hash;
        let held = self.held.get_mut(&payment_hash);
        let held = held.ok_or(CancelReceiptError::Unknown { payment_hash })?;
        match held.outcome {
            Outcome::Paid { received: received_msat, .. } => {
                Err(CancelReceiptError::Paid { payment_hash, received_msat })
            }
            Outcome::Settling => Err(CancelReceiptError::Settling { payment_hash }),
            Outcome::Unpaid | Outcome::Cancelled => {
                held.outcome = Outcome::Cancelled;
                Ok(())
            }
        }
    }

    /// From one state to another.
    fn change(
        &mut self,
        payment_hash: &PaymentHash,
        from: ReceiptState,
        to: Outcome,
    ) -> Result<(), String> {
        let state = self.find(payment_hash).map(|receipt| receipt.state);
        match self.held.get_mut(payment_hash) {
            Some(held) if state == Some(from) => held.outcome = to,
            Some(_) => return Err(format!("the receipt of hash {payment_hash} is {state:?}")),
            None => return Err(format!("no receipt of hash {payment_hash}")),
        }
        Ok(())
    }

    /// What a receipt was paid with, and when; `None` where it wasn't.
    #[must_use]
    pub fn paid(&self, payment_hash: &PaymentHash) -> Option<(Msat, Timestamp)> {
        match self.held.get(payment_hash)?.outcome {
            Outcome::Paid { received, at } => Some((received, at)),
            Outcome::Unpaid | Outcome::Settling | Outcome::Cancelled => None,
        }
    }
}

impl Receipts for MemoryReceipts {
    fn find(&self, payment_hash: &PaymentHash) -> Option<Receipt> {
        let Held { made, outcome } = self.held.get(payment_hash)?;
        Some(Receipt {
            payment_hash: *payment_hash,
            amount_msat: made.amount_msat,
            overpay: made.terms.overpay,
            cltv: made.terms.cltv,
            expires_at: made.expires_at,
            hold: made.terms.hold,
            preimage_known: true,
            state: match outcome {
                Outcome::Unpaid => ReceiptState::Unpaid,
                Outcome::Settling => ReceiptState::Settling,
                Outcome::Paid { .. } => ReceiptState::Paid,
                Outcome::Cancelled => ReceiptState::Cancelled,
            },
        })
    }

    fn shows_secret(&self, payment_hash: &PaymentHash, shown: Option<&PaymentSecret>) -> bool {
        let held = self.held.get(payment_hash);
        held.is_some_and(|held| same_secret(held.made.payment_secret.as_ref(), shown))
    }

    fn judge(&self, offered: &Offered, at: Timestamp) -> Verdict {
        let receipt = self.find(&offered.payment_hash);
        let held = self.held.get(&offered.payment_hash);
        let (Some(receipt), Some(held)) = (receipt, held) else {
            return Verdict::Refuse("no receipt of this hash".to_owned());
        };
        match objection(&receipt, held, offered, at) {
            Some(objection) => Verdict::Refuse(objection),
            None => Verdict::Settle(held.made.preimage),
        }
    }

    fn release(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.change(payment_hash, ReceiptState::Unpaid, Outcome::Settling)
    }

    fn restore(&mut self, payment_hash: &PaymentHash) -> Result<(), String> {
        self.change(payment_hash, ReceiptState::Settling, Outcome::Unpaid)
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
            Outcome::Unpaid | Outcome::Settling => {
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

/// Why what is offered is not taken. The order follows BOLT 4 and Core Lightning: what is known of
/// the receipt, then the secret, then the amounts.
fn objection(receipt: &Receipt, held: &Held, offered: &Offered, at: Timestamp) -> Option<String> {
    match held.outcome {
        Outcome::Paid { at, .. } => return Some(format!("the receipt was paid at {at}")),
        Outcome::Settling => return Some("the receipt is being paid".to_owned()),
        Outcome::Cancelled => return Some("the receipt was cancelled".to_owned()),
        Outcome::Unpaid => {}
    }
    if at >= receipt.expires_at {
        return Some(format!("the receipt expired at {}", receipt.expires_at));
    }
    if !same_secret(held.made.payment_secret.as_ref(), offered.payment_secret.as_ref()) {
        return Some("the payment secret is wrong".to_owned());
    }
    let (part, total) = (offered.amount_msat, offered.total_msat);
    if part == Msat::ZERO {
        return Some("the HTLC is worth nothing".to_owned());
    }
    if part < total {
        return Some(format!("the set is incomplete: {part} of {total}"));
    }
    let asked = receipt.amount_msat.filter(|_| !receipt.takes(total));
    asked.map(|asked| format!("the total of {total} does not fit the {asked} asked for"))
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
