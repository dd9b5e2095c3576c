//! Where does the batcher's time come from? From tokio, so that a test can pause it.

use tokio::time::Instant;

use crate::Moment;

/// Moments since the batcher began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
    pub(super) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
    pub(super) fn now(&self) -> Moment {
        let nanos = Instant::now().duration_since(self.origin).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.origin + moment.since(Moment::ZERO)
    }
}
