//! How much time has passed? Asked here alone; everything that decides takes it as an argument.

use std::time::{Duration, Instant};

/// A moment from which time is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch(Instant);

impl Watch {
    /// Begins to count.
    #[expect(clippy::disallowed_methods, reason = "the one place where the demo reads the clock")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since its start.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
