//! Strings of JSON that are text.

use super::JsonError;

/// Judges the escapes of valid JSON: half a letter has its other half behind it.
pub(super) fn check_letters(text: &str) -> Result<(), JsonError> {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        rest = match code_unit(escape) {
            None => &escape[1..],
            Some((0xd800..=0xdbff, behind)) => {
                let other = behind.strip_prefix('\\').and_then(code_unit);
                let Some((0xdc00..=0xdfff, behind)) = other else {
                    return Err(JsonError::HalfLetter);
                };
                behind
            }
            Some((0xdc00..=0xdfff, _)) => return Err(JsonError::HalfLetter),
            Some((_, behind)) => behind,
        };
    }
    Ok(())
}

/// The code unit of an escape `uXXXX`, and what stands behind it. `None`: another escape.
fn code_unit(escape: &str) -> Option<(u16, &str)> {
    let (digits, behind) = escape.strip_prefix('u')?.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, behind))
}
