//! What an operator's log says of payments. No invoice, preimage or secret is in it.

use ecs_core::Effect;
use ecs_systems::effects::{PartEnded, PartStarted, PayFailure, PaySuccess};
use tracing::Level;

/// Logs a notice that tells how a payment goes.
pub(super) fn log_notice(notice: &Effect) {
    if tracing::enabled!(target: "payflow::send", Level::INFO) {
        log_part(notice);
    }
    if tracing::enabled!(target: "payflow::settle", Level::INFO) {
        log_end(notice);
    }
}

fn log_part(notice: &Effect) {
    if let Some(part) = notice.read::<PartStarted>() {
        let PartStarted { entity, key, attempt_msat, fee_msat, hops, .. } = part;
        tracing::info!(
            target: "payflow::send", %entity, hash = %key.payment_hash, part = key.part_id.0,
            amount_msat = attempt_msat.0, fee_msat = fee_msat.0, hops, "part sent"
        );
    } else if let Some(PartEnded { entity, key, failure, status }) = notice.read() {
        let failure = failure.map(|failure| failure.failcode.name());
        tracing::info!(
            target: "payflow::send", %entity, hash = %key.payment_hash, part = key.part_id.0,
            status, failure, "part ended"
        );
    }
}

fn log_end(notice: &Effect) {
    if let Some(paid) = notice.read::<PaySuccess>() {
        tracing::info!(
            target: "payflow::settle", entity = %paid.entity, hash = %paid.payment_hash,
            amount_msat = paid.amount_msat.0, fee_msat = paid.fee_msat.0,
            parts = paid.successful_parts, "payment complete"
        );
    } else if let Some(PayFailure { entity, error, .. }) = notice.read() {
        tracing::info!(
            target: "payflow::settle", %entity, code = error.code, why = error.message,
            "payment failed"
        );
    }
}
