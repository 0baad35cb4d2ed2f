//! Receipts that expire: each does once, by itself, so that who waits for changes is told.

use super::{now, paycodes::receipts};
use crate::{
    policy::Intake,
    records::{ReceiptLine, receipt_record},
};
use bevy_ecs::prelude::Resource;
use ecs_core::{Engine, Record};
use payecs_units::{Seconds, Timestamp};

/// Most receipts that expire by one record.
pub const EXPIRED_PER_RECORD_MAX: usize = 100;
/// How long nothing is tried after a record of this kind was refused.
const PAUSE: Seconds = Seconds(60);

/// Before that moment none is to expire. It is in no snapshot.
#[derive(Resource, Debug, Default)]
struct NotBefore(Timestamp);

/// When the next receipt expires, which may be over already. `None`: none will, or new work is not
/// taken on; then it is noted later.
#[must_use]
pub fn next_expiry(engine: &Engine) -> Option<Timestamp> {
    engine.resource::<Intake>().copied().unwrap_or_default().check().ok()?;
    let (at, _) = *receipts(engine).ok()?.expiring(1).first()?;
    let not_before = engine.resource::<NotBefore>().map_or(at, |pause| pause.0);
    Some(at.max(not_before))
}

/// Notes, within a command, which receipts have expired by now: at most [`EXPIRED_PER_RECORD_MAX`].
/// To be called when [`next_expiry`] says. What began to come in for them before is taken all the
/// same.
pub fn expire_some(engine: &mut Engine) {
    let now = now(engine);
    let Ok(receipts) = receipts(engine) else { return };
    let due = receipts.expiring(EXPIRED_PER_RECORD_MAX).into_iter().filter(|it| it.0 <= now);
    let line = |payment_hash| receipt_record(&ReceiptLine::Expire { payment_hash });
    let lines: Vec<Record> = due.map(|(_, payment_hash)| line(payment_hash)).collect();
    let count = lines.len();
    match engine.keep_records(&lines) {
        Ok(()) => tracing::debug!(target: "payflow::receive", count, "expired"),
        Err(error) => {
            let code = error.code();
            tracing::error!(target: "payflow::receive", count, code, "they do not expire");
            engine.insert_resource(NotBefore(now.after(PAUSE)));
        }
    }
}
