//! Times as text.

use jiff::Timestamp;

/// A time in milliseconds since 1970 as RFC 3339 text in UTC, to the millisecond; the end of the
/// calendar where it is past that.
pub(crate) fn utc_text(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", moment.unwrap_or(Timestamp::MAX))
}

/// The milliseconds since 1970 of an RFC 3339 date and time with any offset, cut to whole ones.
/// `None`: it is none, or before 1970.
pub(crate) fn parse_utc(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_to_the_millisecond() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_600_001, "2025-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(utc_text(ms), text);
            assert_eq!(parse_utc(text), Some(ms));
        }
        assert!(utc_text(u64::MAX).starts_with("9999-12-30"));
        assert_eq!(parse_utc("1970-01-01T01:00:00.5+01:00"), Some(500));
        assert_eq!(parse_utc("1969-12-31T23:59:59Z"), None);
        assert_eq!(parse_utc("tomorrow"), None);
    }
}
