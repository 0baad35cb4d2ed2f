//! Millisatoshi: the only type that holds money.

use crate::{MicroPercent, ParseUnitError, Ppm};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// An amount in millisatoshi, 0 to 2⁶⁴−1.
///
/// All arithmetic is checked and returns `None` on overflow or underflow. In JSON objects it is an
/// integer; it is read from an integer or from any msat form (see [`Msat::from_str`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msat(pub u64);

/// What every place that takes an amount accepts.
const EXPECTED: &str = "msat (`N`, `Nmsat`, `Nsat`, `N.DDDsat` or `N.D{1,11}btc`)";
const MSAT_PER_SAT: u64 = 1_000;
const MSAT_PER_BTC: u64 = 100_000_000_000;

impl Msat {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// `self + other`; `None` above 2⁶⁴−1 msat.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `self − other`; `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `self × factor`; `None` above 2⁶⁴−1 msat.
    #[must_use]
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// `self − other`, or zero where that would be negative.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum of `amounts`; `None` above 2⁶⁴−1 msat.
    /// ```
    /// # use payecs_units::Msat;
    /// assert_eq!(Msat::sum([Msat(1), Msat(2)]), Some(Msat(3)));
    /// assert_eq!(Msat::sum([Msat(u64::MAX), Msat(1)]), None);
    /// ```
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// `self × share`, rounded down to a whole msat; `None` above 2⁶⁴−1 msat.
    /// Source: the Payments ECS reference, `lightningd:feebudget`.
    /// ```
    /// # use payecs_units::{MicroPercent, Msat};
    /// assert_eq!(Msat(199).share(MicroPercent(500_000)), Some(Msat(0)), "0.995 msat rounds down");
    /// assert_eq!(Msat(1_000_000).share(MicroPercent(500_000)), Some(Msat(5_000)));
    /// ```
    #[must_use]
    pub fn share(self, share: MicroPercent) -> Option<Self> {
        let product = u128::from(self.0).checked_mul(u128::from(share.0))?;
        u64::try_from(product.checked_div(MicroPercent::WHOLE)?).ok().map(Self)
    }

    /// What a channel asks for forwarding `self`: `base + self × rate`, the product rounded down.
    /// `None` above 2⁶⁴−1 msat. Source: BOLT 7, HTLC fees.
    /// ```
    /// # use payecs_units::{Msat, Ppm};
    /// assert_eq!(Msat(1_999).forwarding_fee(Msat(1), Ppm(1_000)), Some(Msat(2)));
    /// ```
    #[must_use]
    pub fn forwarding_fee(self, base: Self, rate: Ppm) -> Option<Self> {
        let product = u128::from(self.0).checked_mul(u128::from(rate.0))?;
        u64::try_from(product.checked_div(1_000_000)?)
            .ok()
            .and_then(|fee| base.0.checked_add(fee))
            .map(Self)
    }
}

impl fmt::Display for Msat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}msat", self.0)
    }
}

impl FromStr for Msat {
    type Err = ParseUnitError;

    /// Reads `N`, `Nmsat`, `Nsat`, `N.DDDsat` (up to three decimals) and `N.Dbtc` (up to eleven).
    ///
    /// # Errors
    /// Anything else: signs, blanks, bare decimals, more decimals than the unit has, and amounts
    /// above 2⁶⁴−1 msat.
    /// ```
    /// # use payecs_units::Msat;
    /// assert_eq!("12sat".parse(), Ok(Msat(12_000)));
    /// assert_eq!("0.00000000001btc".parse(), Ok(Msat(1)));
    /// assert!("1.5".parse::<Msat>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let (number, unit_msat, decimals_max) = if let Some(number) = text.strip_suffix("msat") {
            (number, 1, 0)
        } else if let Some(number) = text.strip_suffix("sat") {
            (number, MSAT_PER_SAT, 3)
        } else if let Some(number) = text.strip_suffix("btc") {
            (number, MSAT_PER_BTC, 11)
        } else {
            (text, 1, 0)
        };
        scaled(number, unit_msat, decimals_max)
            .map(Self)
            .ok_or_else(|| ParseUnitError::new(EXPECTED, text))
    }
}

/// `number × unit` for a plain decimal with at most `decimals_max` decimals, where unit is 10^n.
fn scaled(number: &str, unit: u64, decimals_max: usize) -> Option<u64> {
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
        Some(_) => return None,
        None => (number, ""),
    };
    if decimals.len() > decimals_max || !all_digits(whole) || whole.is_empty() {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if decimals.is_empty() {
        return Some(whole);
    }
    if !all_digits(decimals) {
        return None;
    }
    let step = unit.checked_div(10_u64.checked_pow(u32::try_from(decimals.len()).ok()?)?)?;
    decimals.parse::<u64>().ok()?.checked_mul(step)?.checked_add(whole)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Serialize for Msat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Msat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Msat;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Msat, E> {
                Ok(Msat(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Msat, E> {
                value.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_msat_form_is_read_exactly() {
        for (text, msat) in [
            ("0", Some(0)),
            ("1", Some(1)),
            ("1msat", Some(1)),
            ("18446744073709551615msat", Some(u64::MAX)),
            ("18446744073709551616msat", None),
            ("1sat", Some(1_000)),
            ("1.5sat", Some(1_500)),
            ("1.0005sat", None),
            ("18446744073709551.615sat", Some(u64::MAX)),
            ("18446744073709551.616sat", None),
            ("1btc", Some(100_000_000_000)),
            ("0.00000000001btc", Some(1)),
            ("0.000000000001btc", None),
            ("1.btc", None),
            (".5btc", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1 msat", None),
            ("1.5", None),
            ("1.5msat", None),
            ("", None),
            ("msat", None),
            ("1MSAT", None),
            ("0x10", None),
        ] {
            assert_eq!(text.parse::<Msat>().ok(), msat.map(Msat), "{text}");
        }
    }

    #[test]
    fn share_of_everything_at_a_hundred_percent_does_not_overflow() {
        assert_eq!(Msat(u64::MAX).share(MicroPercent(100_000_000)), Some(Msat(u64::MAX)));
        assert_eq!(Msat(u64::MAX).share(MicroPercent(100_000_001)), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(msat: u64) {
            prop_assert_eq!(Msat(msat).to_string().parse(), Ok(Msat(msat)));
        }

        #[test]
        fn share_never_shrinks_as_the_amount_grows(a: u64, b: u64, share in 0_u64..=100_000_000) {
            let (low, high) = (a.min(b), a.max(b));
            let share = MicroPercent(share);
            prop_assert!(Msat(low).share(share) <= Msat(high).share(share));
        }
    }
}
