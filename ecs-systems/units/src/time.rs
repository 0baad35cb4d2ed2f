//! Blocks and seconds.

use crate::{ParseUnitError, text::serde_as_text};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A number of blocks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Blocks(pub u32);

impl Blocks {
    /// `self + other`; `None` above 2³²−1 blocks.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} blocks", self.0)
    }
}

/// The number of a block, counted from the genesis block.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BlockHeight(pub u32);

impl BlockHeight {
    /// The height `delay` later; `None` above 2³²−1.
    #[must_use]
    pub fn checked_add(self, delay: Blocks) -> Option<Self> {
        self.0.checked_add(delay.0).map(Self)
    }
}

/// A number of seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} s", self.0)
    }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z, written as RFC 3339 with milliseconds, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `seconds` later; the end of time where that overflows.
    #[must_use]
    pub fn after(self, seconds: Seconds) -> Self {
        Self(self.0.saturating_add(seconds.0.saturating_mul(1_000)))
    }

    /// The moment `milliseconds` later; the end of time where that overflows.
    #[must_use]
    pub fn after_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// The moment that is `seconds` after 1970.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
            .unwrap_or(jiff::Timestamp::MAX);
        write!(out, "{moment:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = ParseUnitError;

    /// Reads an RFC 3339 date and time, any offset, cut to whole milliseconds.
    ///
    /// # Errors
    /// No such date, or one before 1970.
    /// ```
    /// # use payecs_units::Timestamp;
    /// assert_eq!("1970-01-01T01:00:00.5+01:00".parse(), Ok(Timestamp(500)));
    /// assert_eq!(Timestamp(500).to_string(), "1970-01-01T00:00:00.500Z");
    /// ```
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|moment| u64::try_from(moment.as_millisecond()).ok())
            .map(Self)
            .ok_or_else(|| ParseUnitError::new("an RFC 3339 time from 1970 on", text))
    }
}
serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_outside_the_calendar_still_print() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert!(Timestamp(u64::MAX).to_string().starts_with("9999-12-30"));
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(ms in 0_u64..=253_402_207_200_000 - 1) {
            prop_assert_eq!(Timestamp(ms).to_string().parse(), Ok(Timestamp(ms)));
        }
    }
}
