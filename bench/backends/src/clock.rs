//! Which clock is real time? The runtime's, read here and nowhere else; paused in tests. Beside it the
//! wall clock, by which another process says when something was.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate::Moment;
use tokio::time::Instant;

/// Time since a run began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    #[expect(clippy::disallowed_methods, reason = "this is the shell that reads the clock")]
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time it shows.
    #[expect(clippy::disallowed_methods, reason = "this is the shell that reads the clock")]
    pub(crate) fn now(self) -> Moment {
        let since = Instant::now().saturating_duration_since(self.origin);
        Moment::ZERO + since
    }

    /// When it will show `at`.
    pub(crate) fn instant(self, at: Moment) -> Instant {
        self.origin + at.since(Moment::ZERO)
    }
}

/// The wall clock, in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the shell that reads the clock")]
pub(crate) fn unix_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
