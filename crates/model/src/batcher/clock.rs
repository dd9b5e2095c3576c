//! Time in the model: a counter. Each reading is a microsecond later than the one before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Moment;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Leaked: eight bytes for each schedule that is tried.
    micros: &'static AtomicU64,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { micros: Box::leak(Box::new(AtomicU64::new(0))) }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::from_nanos((self.micros.fetch_add(1, Ordering::Relaxed) + 1) * 1_000)
    }

    /// Nothing is left but to wait until then.
    pub(super) fn jump(&self, to: Moment) {
        self.micros.fetch_max(to.as_nanos() / 1_000 + 1, Ordering::Relaxed);
    }
}
