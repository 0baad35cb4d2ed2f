//! What criterion measures here: how long this thread has had a core.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time of the thread.
pub(crate) struct ThreadTime;

impl ThreadTime {
    /// So far.
    pub(crate) fn now() -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let whole = Duration::from_secs(now.tv_sec.unsigned_abs());
        whole + Duration::from_nanos(now.tv_nsec.unsigned_abs())
    }

    /// What a piece of work takes.
    pub(crate) fn of(work: impl FnOnce()) -> Duration {
        let begun = Self::now();
        work();
        Self::now().saturating_sub(begun)
    }
}

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, begun: Duration) -> Duration {
        Self::now().saturating_sub(begun)
    }

    fn add(&self, left: &Duration, right: &Duration) -> Duration {
        *left + *right
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        static NANOS: WallTime = WallTime;
        NANOS.formatter()
    }
}
