//! Row 7.

use crate::{
    components::{CheckExpiryRan, InvoiceExpiresAt},
    refusal::PAY_INVOICE_EXPIRED,
};
use bevy_ecs::prelude::{In, Query, Res};
use ecs_core::{Answer, Inputs, On, Refusal, Step, SystemSpec};
use payecs_units::Timestamp;
use serde_json::json;

/// Lets only invoices pass that still hold.
pub const CHECK_EXPIRY: SystemSpec = SystemSpec {
    name: "lightningd:check_expiry",
    required: &["lightningd:invoice:expires_at"],
    disallowed: &["lightningd:check_expiry:ran", "lightningd:failing", "lightningd:preimage"],
    attaches: &["lightningd:check_expiry:ran"],
    detaches: &[],
    refuses: &[PAY_INVOICE_EXPIRED],
    does: "lets only invoices pass that have not expired",
};

pub(crate) fn check_expiry(
    In(entity): On,
    expiries: Query<&InvoiceExpiresAt>,
    inputs: Res<Inputs>,
) -> Answer {
    let InvoiceExpiresAt(expires_at) = expiries.get(entity)?;
    if seconds_left(*expires_at, inputs.now_ms) > 0 {
        return Ok(Step::advance().attach(&CheckExpiryRan));
    }
    Err(expired(*expires_at, inputs.now_ms))
}

/// Seconds until the invoice expires, rounded up; 0 from that moment on.
fn seconds_left(expires_at: u64, now_ms: u64) -> u64 {
    expires_at.saturating_mul(1_000).saturating_sub(now_ms).div_ceil(1_000)
}

/// Code 207, with both moments in seconds since 1970.
pub(crate) fn expired(expires_at: u64, now_ms: u64) -> Refusal {
    let now = Timestamp(now_ms).unix_seconds();
    let ago = now.saturating_sub(expires_at);
    Refusal::new(PAY_INVOICE_EXPIRED, format!("Invoice expired {ago} seconds ago"))
        .with_data(&json!({ "now": now, "expiry": expires_at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW_MS, here, run};
    use ecs_core::Json;

    const NOW: u64 = NOW_MS / 1_000;

    #[test]
    fn an_invoice_holds_until_the_second_it_expires() {
        for (expires_at, holds) in
            [(0, false), (NOW - 1, false), (NOW, false), (NOW + 1, true), (u64::MAX, true)]
        {
            let ran = run(&CHECK_EXPIRY, here().attach(&InvoiceExpiresAt(expires_at)));
            assert_eq!(ran.code(), (!holds).then_some(PAY_INVOICE_EXPIRED), "{expires_at}");
            let expected = if holds { "check_expiry:ran" } else { "failing" };
            assert_eq!(ran.names(), [expected], "{expires_at}");
        }
    }

    #[test]
    fn a_refusal_tells_both_moments_and_how_long_ago() {
        let ran = run(&CHECK_EXPIRY, here().attach(&InvoiceExpiresAt(NOW - 90)));
        assert_eq!(ran.message(), "Invoice expired 90 seconds ago");
        assert_eq!(ran.facts(), Json::of(&json!({ "now": NOW, "expiry": NOW - 90 })));
    }

    #[test]
    fn seconds_left_are_rounded_up_and_never_negative() {
        for (expires_at, now_ms, left) in [
            (10, 9_999, 1),
            (10, 9_000, 1),
            (10, 8_999, 2),
            (10, 10_000, 0),
            (10, 10_001, 0),
            (0, 0, 0),
            (u64::MAX, 0, u64::MAX.div_ceil(1_000)),
        ] {
            assert_eq!(seconds_left(expires_at, now_ms), left, "{expires_at} {now_ms}");
        }
    }
}
