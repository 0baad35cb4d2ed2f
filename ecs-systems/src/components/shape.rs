//! Checks of values that are kept as they came.

use ecs_core::{Json, Shape};
use payecs_units::{MicroPercent, PaymentHash};

/// Longest invoice, in bytes.
pub const INVOICE_BYTES_MAX: usize = 8_192;
/// Longest label, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
/// Longest `lightningd:idempotency_key`, in bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// Longest `lightningd:retry_for`: a day.
pub const RETRY_FOR_SECONDS_MAX: u64 = 86_400;
/// Largest `lightningd:metadata`, in bytes.
pub const METADATA_BYTES_MAX: usize = 4_096;

pub(super) fn anything(_: &Json) -> Result<(), Shape> {
    Ok(())
}

pub(super) fn invoice(json: &Json) -> Result<(), Shape> {
    string_of(json, INVOICE_BYTES_MAX)
}

pub(super) fn string(json: &Json) -> Result<(), Shape> {
    string_of(json, TEXT_BYTES_MAX)
}

pub(super) fn key(json: &Json) -> Result<(), Shape> {
    string_of(json, KEY_BYTES_MAX)
}

fn string_of(json: &Json, bytes_max: usize) -> Result<(), Shape> {
    let text = json.as_str().ok_or_else(Shape::default)?;
    match text.len() {
        0 => Err(because("empty")),
        length if length > bytes_max => {
            Err(because(format!("{length} bytes, {bytes_max} allowed")))
        }
        _ => Ok(()),
    }
}

/// Digits of whole bytes; none at all are some too.
pub(super) fn hex(json: &Json) -> Result<(), Shape> {
    let text = json.as_str().ok_or_else(Shape::default)?;
    if text.len() > INVOICE_BYTES_MAX {
        return Err(because(format!("{} bytes, {INVOICE_BYTES_MAX} allowed", text.len())));
    }
    hex::decode(&*text)?;
    Ok(())
}

pub(super) fn object(json: &Json) -> Result<(), Shape> {
    if json.text().len() > METADATA_BYTES_MAX {
        return Err(because(format!("more than {METADATA_BYTES_MAX} bytes")));
    }
    json.fields().map(|_| ()).ok_or_else(Shape::default)
}

pub(super) fn hex64(json: &Json) -> Result<(), Shape> {
    json.decode::<PaymentHash>()?;
    Ok(())
}

/// A JSON number with at most six decimals, zero or more.
pub(super) fn decimal(json: &Json) -> Result<(), Shape> {
    micros(json).map(|_| ())
}

pub(super) fn seconds(json: &Json) -> Result<(), Shape> {
    match micros(json)? {
        micros if micros > RETRY_FOR_SECONDS_MAX * 1_000_000 => {
            Err(because(format!("at most {RETRY_FOR_SECONDS_MAX} s, a day")))
        }
        _ => Ok(()),
    }
}

/// The number × 10⁶, exactly.
pub(super) fn micros(json: &Json) -> Result<u64, Shape> {
    Ok(json.text().parse::<MicroPercent>()?.0)
}

fn because(why: impl Into<String>) -> Shape {
    Shape(Some(why.into()))
}
