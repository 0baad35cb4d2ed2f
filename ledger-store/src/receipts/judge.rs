//! What a receipt is paid by.

use super::made::{Held, Outcome};
use ecs_systems::port::{Offered, Receipt};
use ecs_systems::units::{Msat, PaymentSecret, Timestamp};
use std::hint::black_box;

/// Whether a receipt can still be paid.
pub(super) fn is_payable(receipt: &Receipt, held: &Held, at: Timestamp) -> Result<(), String> {
    match held.outcome {
        Outcome::Paid { at_ms, .. } => {
            return Err(format!("the receipt was paid at {}", Timestamp(at_ms)));
        }
        Outcome::Settling => return Err("the receipt is being paid".to_owned()),
        Outcome::Cancelled { .. } => return Err("the receipt was cancelled".to_owned()),
        Outcome::Unpaid | Outcome::Expired => {}
    }
    if at >= receipt.expires_at {
        return Err(format!("the receipt expired at {}", receipt.expires_at));
    }
    Ok(())
}

/// Whether the amounts are what a receipt asks for.
pub(super) fn takes(receipt: &Receipt, offered: &Offered) -> Result<(), String> {
    let (part, total) = (offered.amount_msat, offered.total_msat);
    if part == Msat::ZERO {
        return Err("the HTLC is worth nothing".to_owned());
    }
    if part < total {
        return Err(format!("the set is incomplete: {part} of {total}"));
    }
    match receipt.amount_msat.filter(|_| !receipt.takes(total)) {
        Some(asked) => Err(format!("the total of {total} does not fit the {asked} asked for")),
        None => Ok(()),
    }
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub(super) fn same_secret(expected: Option<&PaymentSecret>, shown: Option<&PaymentSecret>) -> bool {
    match (expected, shown) {
        (None, None) => true,
        (Some(expected), Some(shown)) => {
            let pairs = expected.0.iter().zip(shown.0.iter());
            black_box(pairs.fold(0_u8, |seen, (a, b)| black_box(seen | (a ^ b)))) == 0
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}
