//! How deep JSON may be nested, and how long its numbers may be.

use super::JsonError;
use memchr::memchr2;

/// Deepest nesting of arrays and objects that is read.
pub const JSON_DEPTH_MAX: u32 = 64;
/// Deepest nesting of what we wrapped around values that were read.
pub(super) const WRAPPED_DEPTH_MAX: u32 = 2 * JSON_DEPTH_MAX;
/// Most digits of a number that is read.
pub const NUMBER_DIGITS_MAX: usize = 64;
/// Largest exponent of a number that is read, either way from zero.
pub const NUMBER_EXPONENT_MAX: i32 = 1_000;

/// Walks the bytes of valid JSON once and judges depth and numbers. A string has neither.
pub(super) fn check_limits(text: &str, depth_max: u32) -> Result<(), JsonError> {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'"') {
        return Ok(());
    }
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return Err(JsonError::Depth);
                }
            }
            b']' | b'}' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let end = rest.iter().position(|byte| !is_of_number(*byte)).unwrap_or(rest.len());
                let is_plain = || rest[..end].iter().all(|byte| !matches!(byte, b'e' | b'E'));
                if end > NUMBER_DIGITS_MAX || !is_plain() {
                    bounded_number(&text[at..at + end]).ok_or(JsonError::Number)?;
                }
                at += end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// The index of the quote that closes the string opened at `start`.
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        let ahead = memchr2(b'"', b'\\', &bytes[at..]);
        at += ahead.expect("a string of valid JSON is closed");
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
}

/// The digits of a number before and after its point, and its exponent. `None`: beyond the limits
/// of this module.
pub(super) fn bounded_number(text: &str) -> Option<(&str, &str, i32)> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let too_far = exponent.unsigned_abs() > NUMBER_EXPONENT_MAX.unsigned_abs();
    let too_long = whole.len() + decimals.len() > NUMBER_DIGITS_MAX;
    (!too_far && !too_long).then_some((whole, decimals, exponent))
}
