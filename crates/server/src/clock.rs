//! Which time is it? The one place where the server reads clocks.
//!
//! Decisions get [`Moment`]s of a clock that never jumps; only what a person or another system
//! reads gets wall time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate::Moment;
use tokio::time::Instant;

/// Moments since the server began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
    origin_unix_nanos: i64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the server's one clock")]
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now(), origin_unix_nanos: unix_nanos() }
    }

    #[expect(clippy::disallowed_methods, reason = "the server's one clock")]
    pub(crate) fn now(&self) -> Moment {
        let nanos = Instant::now().duration_since(self.origin).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.origin + moment.since(Moment::ZERO)
    }

    /// What the wall clock showed at this moment, in milliseconds since 1970-01-01 UTC, if it has
    /// not been set since the server began.
    pub(crate) fn unix_millis(&self, moment: Moment) -> i64 {
        self.unix_micros(moment) / 1_000
    }

    /// The same in microseconds.
    pub(crate) fn unix_micros(&self, moment: Moment) -> i64 {
        let since = i64::try_from(moment.as_nanos()).unwrap_or(i64::MAX);
        self.origin_unix_nanos.saturating_add(since) / 1_000
    }

    /// Completes at this moment; never, if there is none.
    pub(crate) async fn sleep_until(&self, moment: Option<Moment>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(self.instant(moment)).await,
            None => std::future::pending().await,
        }
    }
}

/// The wall clock, in nanoseconds since 1970-01-01 UTC; 0 before that.
#[expect(clippy::disallowed_methods, reason = "the server's one wall clock")]
pub(crate) fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
