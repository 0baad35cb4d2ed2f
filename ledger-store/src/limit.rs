//! How much was spent within a time, and when enough of it is over.

use ecs_systems::port::{LedgerError, SpendLimit};
use ecs_systems::units::{Msat, Timestamp};

/// Money that left us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spend {
    /// When it was booked.
    pub(crate) at: Timestamp,
    /// Amount and fee; of a circular payment the fee alone.
    pub(crate) msat: Msat,
    /// The label of its payment.
    pub(crate) label: Option<String>,
}

/// Whether a limit looks at payments with that label.
pub(crate) fn concerns(limit: &SpendLimit, label: Option<&str>) -> bool {
    limit.label.as_deref().is_none_or(|wanted| label == Some(wanted))
}

/// Checks one limit.
///
/// `spends` are what it looks at, in any order; those whose window is over at `now` are left out.
/// `set_aside` is everything under way that it looks at, and counts whatever its age. A spend
/// counts from its moment on for the window, the end excluded.
///
/// # Errors
/// [`LedgerError::LimitReached`]. `resets_at` is the earliest moment at which enough spends are out
/// of the window, if nothing more is spent and what is set aside is spent now; `None` where the
/// request alone is above the limit. A sum above 2⁶⁴−1 msat is told as 2⁶⁴−1 msat.
pub(crate) fn check<'a>(
    limit: &SpendLimit,
    now: Timestamp,
    spends: impl Iterator<Item = &'a Spend>,
    set_aside: Msat,
    requested: Msat,
) -> Result<(), LedgerError> {
    let mut counted: Vec<(Timestamp, Msat)> = spends
        .map(|spend| (spend.at.after(limit.window), spend.msat))
        .filter(|(until, _)| *until > now)
        .collect();
    counted.sort_unstable();
    let used = counted
        .iter()
        .fold(u128::from(set_aside.0), |sum, (_, msat)| sum.saturating_add(u128::from(msat.0)));
    let wanted = used.saturating_add(u128::from(requested.0));
    let excess = wanted.saturating_sub(u128::from(limit.max_msat.0));
    if excess == 0 {
        return Ok(());
    }
    let alone = requested > limit.max_msat;
    Err(LedgerError::LimitReached {
        limit: limit.name.clone(),
        used_msat: Msat(u64::try_from(used).unwrap_or(u64::MAX)),
        requested_msat: requested,
        max_msat: limit.max_msat,
        resets_at: (!alone).then(|| over(&counted, excess, now.after(limit.window))),
    })
}

/// When `excess` of the spends, in the order in which their windows end, are out of the window;
/// `last` where they are less than that.
fn over(counted: &[(Timestamp, Msat)], excess: u128, last: Timestamp) -> Timestamp {
    let mut left = excess;
    for (until, msat) in counted {
        left = left.saturating_sub(u128::from(msat.0));
        if left == 0 {
            return *until;
        }
    }
    last
}
