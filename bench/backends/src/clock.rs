//! Which clock is real time? The runtime's, read here and nowhere else; paused in tests.

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
