//! Who else hears of what a batcher does? Metrics and traces, if their features are on.
//!
//! Everything here happens once a batch or more rarely, after the lock is released. Without the
//! features it is nothing.

use super::answer::Answer;
use super::recovery::Recovery;
use super::sync::Arc;
use crate::Sample;
use crate::engine::Engine;

/// What the batcher is called in metrics and traces, and what was told so far.
pub(super) struct Observer {
    #[cfg_attr(
        not(any(feature = "metrics", feature = "tracing")),
        expect(dead_code, reason = "only metrics and traces have use for a name")
    )]
    name: Arc<str>,
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    seen: seen::Seen,
    /// Until it is told of.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    sample: Option<Sample>,
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
mod seen;

impl Observer {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            seen: seen::Seen::new(name),
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            sample: None,
        }
    }
}

#[cfg(not(any(feature = "metrics", feature = "tracing")))]
#[expect(clippy::unused_self, reason = "with a feature there is something to do")]
impl Observer {
    /// Notes, under the lock, what there will be to tell.
    #[inline]
    pub(super) fn look(&mut self, _: &Engine) {}

    /// Tells it, after the lock is released.
    #[inline]
    pub(super) fn tell<T, O>(&mut self, _: Option<&mut Recovery<T, O>>) {}

    /// Notes, under the lock, what an attempt taught.
    #[inline]
    pub(super) fn keep(&mut self, _: Sample) {}

    /// Tells of it, with the items of which the answer is final.
    #[inline]
    pub(super) fn answered<O>(&mut self, _: Option<(usize, &Answer<O>)>) {}
}

#[cfg(any(feature = "metrics", feature = "tracing"))]
impl Observer {
    /// Notes, under the lock, what there will be to tell.
    pub(super) fn look(&mut self, engine: &Engine) {
        self.seen.look(engine);
    }

    /// Tells it, after the lock is released.
    pub(super) fn tell<T, O>(&mut self, recovery: Option<&mut Recovery<T, O>>) {
        self.seen.tell(&self.name);
        for transition in recovery.map(Recovery::transitions).unwrap_or_default() {
            self.seen.transition(&self.name, &transition);
        }
    }

    /// Notes, under the lock, what an attempt taught.
    pub(super) fn keep(&mut self, sample: Sample) {
        self.sample = Some(sample);
    }

    /// Tells of it, with the items of which the answer is final.
    pub(super) fn answered<O>(&mut self, last: Option<(usize, &Answer<O>)>) {
        if let Some(sample) = self.sample.take() {
            self.seen.answered(&self.name, &sample);
        }
        if let Some((items, answer)) = last {
            self.seen.settled(&self.name, items, answer);
        }
    }
}
