//! What time it is outside, and how long to sleep until a moment: the only place that asks the
//! host.

use ecs_systems::units::Timestamp;
use std::{
    fmt,
    num::NonZeroU64,
    str::FromStr,
    sync::LazyLock,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// By how much the host's clock may be behind what was seen before it is told of, in milliseconds.
const BEHIND_MS_TOLD: u64 = 1_000;

/// A clock that never goes back and never stands still.
#[derive(Clone, Debug)]
pub struct Clock {
    kind: Kind,
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The host's, unless it is behind what was shown: then counted on from there.
    System { shown: Timestamp, at: Instant },
    /// Counted from a moment at a speed of its own.
    Scaled { start: Timestamp, since: Instant, speed: Speed },
}

impl Clock {
    /// The host's clock, for real nodes, from a moment on that was seen before. When the host's is
    /// set back, or is behind that moment, time runs on from what was shown last until it has
    /// caught up.
    #[must_use]
    pub fn system_after(seen: Timestamp) -> Self {
        let behind_ms = seen.0.saturating_sub(system_now().0);
        if behind_ms > BEHIND_MS_TOLD {
            tracing::warn!(
                target: "payflow::clock",
                behind_ms,
                "the host's clock is behind what was seen before: set it right"
            );
        }
        Self { kind: Kind::System { shown: seen, at: Instant::now() }, last: seen }
    }

    /// A clock that shows `start` now and then runs at `speed`: for simulated nodes.
    #[must_use]
    pub fn scaled(start: Timestamp, speed: Speed) -> Self {
        Self { kind: Kind::Scaled { start, since: Instant::now(), speed }, last: start }
    }

    /// What it shows now.
    pub fn now(&mut self) -> Timestamp {
        let shown = match &mut self.kind {
            Kind::System { shown, at } => {
                let counted = shown.after_ms(Speed::REAL.shown_ms(at.elapsed()));
                let host = system_now();
                if host >= counted {
                    (*shown, *at) = (host, Instant::now());
                }
                host.max(counted)
            }
            Kind::Scaled { start, since, speed } => start.after_ms(speed.shown_ms(since.elapsed())),
        };
        self.last = self.last.max(shown);
        self.last
    }

    /// How long to sleep until it shows `at`; nothing where it does already.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        let left_ms = at.0.saturating_sub(self.last.0);
        match self.kind {
            Kind::System { .. } => Duration::from_millis(left_ms),
            Kind::Scaled { speed, .. } => speed.real(left_ms),
        }
    }
}

/// Nanoseconds since it was read first in this process: what runs of Systems are timed by.
pub(super) fn stopwatch_ns() -> u64 {
    static SINCE: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(SINCE.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the edge")]
fn system_now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

/// How many times faster than the host's a clock runs, in thousandths: 0.001 to 1 000 000 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(NonZeroU64);

/// Thousandths in one.
const WHOLE: u64 = 1_000;
/// The fastest.
const SPEED_MAX: u64 = 1_000_000 * WHOLE;

impl Speed {
    /// As fast as the host's clock.
    pub const REAL: Self = Self(NonZeroU64::new(WHOLE).expect("it is not zero"));

    /// What the clock gains while `real` passes, in milliseconds, rounded down.
    fn shown_ms(self, real: Duration) -> u64 {
        let thousandths = real.as_millis().saturating_mul(u128::from(self.0.get()));
        u64::try_from(thousandths / u128::from(WHOLE)).unwrap_or(u64::MAX)
    }

    /// How long it really takes until the clock has gained `ms`, rounded up to a millisecond.
    fn real(self, ms: u64) -> Duration {
        Duration::from_millis(ms.saturating_mul(WHOLE).div_ceil(self.0.get()))
    }
}

/// A text that is no speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a speed from 0.001 to 1000000, with at most three decimals")]
pub struct SpeedError;

impl FromStr for Speed {
    type Err = SpeedError;

    /// Reads a decimal number with at most three decimals.
    ///
    /// # Errors
    /// Anything else, zero, and more than 1 000 000.
    /// ```
    /// # use payflow_default::shell::Speed;
    /// assert_eq!("1".parse(), Ok(Speed::REAL));
    /// assert!("2.5".parse::<Speed>().is_ok());
    /// assert!("0".parse::<Speed>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, SpeedError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(decimals) || decimals.len() > 3 {
            return Err(SpeedError);
        }
        let whole: u64 = whole.parse().map_err(|_| SpeedError)?;
        let decimals: u64 = format!("{decimals:0<3}").parse().map_err(|_| SpeedError)?;
        let thousandths = whole.saturating_mul(WHOLE).saturating_add(decimals);
        NonZeroU64::new(thousandths).filter(|it| it.get() <= SPEED_MAX).map(Self).ok_or(SpeedError)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0.get() / WHOLE, self.0.get() % WHOLE);
        if rest == 0 {
            return write!(out, "{whole}");
        }
        write!(out, "{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_as_they_are_printed_and_nothing_else_is_read() {
        for text in ["0.001", "0.5", "1", "2.25", "1000000"] {
            assert_eq!(text.parse::<Speed>().map(|speed| speed.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "0", "0.0", "-1", "1.", ".5", "1e3", "0.0001", "1000000.001", "fast"] {
            assert_eq!(text.parse::<Speed>(), Err(SpeedError), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_at_its_speed_and_sleeps_accordingly() {
        for (speed, shown_ms, sleep_ms) in
            [("1", 1_000, 500), ("10", 10_000, 50), ("0.5", 500, 1_000), ("3", 3_000, 167)]
        {
            let mut clock = Clock::scaled(Timestamp(7), speed.parse().unwrap());
            assert_eq!(clock.now(), Timestamp(7));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(clock.now(), Timestamp(7 + shown_ms), "{speed}");
            let at = clock.now().after_ms(500);
            assert_eq!(clock.until(at), Duration::from_millis(sleep_ms), "{speed}");
            assert_eq!(clock.until(Timestamp(0)), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_is_the_hosts_and_runs_on_from_what_it_is_behind_of() {
        let mut clock = Clock::system_after(Timestamp(0));
        assert!(clock.now() > Timestamp::from_unix_seconds(1_577_836_800));
        let ahead = clock.now().after_ms(1_000_000_000);
        let mut clock = Clock::system_after(ahead);
        assert_eq!(clock.now(), ahead);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), ahead.after_ms(5_000), "time goes on");
    }
}
