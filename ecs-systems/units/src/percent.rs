//! Shares of an amount.

use crate::ParseUnitError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A share in millionths of a percent (µ%): 0.5 % is `MicroPercent(500_000)`.
///
/// Never goes through a binary float: it is read from the decimal text. In JSON objects of our own
/// it is the integer, under a name that ends in `micro_percent`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroPercent(pub u64);

const DECIMALS_MAX: usize = 6;
const EXPECTED: &str = "a percentage of 0 or more with at most 6 decimals";

impl MicroPercent {
    /// 100 %, as the divisor of a product in 128 bits.
    pub const WHOLE: u128 = 100_000_000;
}

impl FromStr for MicroPercent {
    type Err = ParseUnitError;

    /// Reads a JSON number exactly: digits, up to six decimals after trailing zeros are dropped,
    /// and an exponent.
    ///
    /// # Errors
    /// Negative numbers, more than six decimals, anything that is no number, more than 2⁶⁴−1 µ%.
    /// ```
    /// # use payecs_units::MicroPercent;
    /// assert_eq!("0.50".parse(), Ok(MicroPercent(500_000)));
    /// assert_eq!("5e-1".parse(), Ok(MicroPercent(500_000)));
    /// assert!("0.0000001".parse::<MicroPercent>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        micro(text).map(Self).ok_or_else(|| ParseUnitError::new(EXPECTED, text))
    }
}

/// The value of a decimal number × 10⁶, if that is a whole number of 64 bits.
fn micro(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || (mantissa.contains('.') && decimals.is_empty()) {
        return None;
    }
    let digits = format!("{whole}{decimals}");
    if digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return Some(0);
    }
    let dropped = i32::try_from(digits.len().checked_sub(kept.len())?).ok()?;
    let moved = exponent.checked_sub(i32::try_from(decimals.len()).ok()?)?;
    let power = moved.checked_add(i32::try_from(DECIMALS_MAX).ok()?)?.checked_add(dropped)?;
    let factor = 10_u64.checked_pow(u32::try_from(power).ok()?)?;
    kept.parse::<u64>().ok()?.checked_mul(factor)
}

impl fmt::Display for MicroPercent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if rest == 0 {
            return write!(out, "{whole}");
        }
        let decimals = format!("{rest:06}");
        write!(out, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// A rate in parts per million, as channels announce their fees (BOLT 7).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ppm(pub u32);

impl fmt::Display for Ppm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}ppm", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentages_are_read_without_a_float() {
        for (text, micro_percent) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0.5", Some(500_000)),
            ("0.500000000", Some(500_000)),
            ("100", Some(100_000_000)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("1e2", Some(100_000_000)),
            ("1E-6", Some(1)),
            ("1e-7", None),
            ("1e999999999", None),
            ("-1", None),
            ("", None),
            (".5", None),
            ("5.", None),
            ("nan", None),
        ] {
            assert_eq!(
                text.parse::<MicroPercent>().ok(),
                micro_percent.map(MicroPercent),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(micro_percent in 0_u64..=u64::MAX / 1_000_000) {
            let share = MicroPercent(micro_percent);
            prop_assert_eq!(share.to_string().parse(), Ok(share));
        }
    }
}
