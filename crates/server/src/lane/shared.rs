//! What does a lane show of itself while it works? Its engine, its state and its latencies.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tidegate::{Engine, FlushReason, Outcome, Sample};

use super::tap::Tap;
use crate::clock::Clock;
use crate::recording::Attempts;
use crate::telemetry::latency::Latencies;

/// The part of a lane that the API reads. Every lock is held for a few instructions.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sink: Arc<str>,
    pub(crate) lane: Arc<str>,
    key: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) target: Duration,
    engine: Mutex<Engine>,
    state: Mutex<State>,
    attempt_latency: Mutex<Latencies>,
    delivery_latency: Mutex<Latencies>,
    tap: Mutex<Tap>,
    recording: OnceLock<Arc<Attempts>>,
    /// When the oldest event in the queue was accepted, in nanoseconds since 1970-01-01 UTC; 0 if
    /// there is none.
    pub(crate) oldest: AtomicI64,
    pub(crate) queue_items: AtomicU64,
    pub(crate) queue_bytes: AtomicU64,
    /// Attempts with a batch, or a part of one, that had failed before: by what it had failed with.
    pub(crate) retries: [AtomicU64; Outcome::LABELS.len()],
    /// Attempts that took longer than the target.
    pub(crate) misses: AtomicU64,
    /// Bytes of the journal that are kept for this lane.
    pub(crate) held_bytes: AtomicU64,
    /// Events that the sink was not to get.
    pub(crate) filtered: AtomicU64,
    /// Events that were not kept for the sink while it was detached.
    pub(crate) missed: AtomicU64,
}

/// What a lane is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is asking the sink what was delivered before.
    Starting,
    /// It delivers what arrives.
    Running,
    /// The sink does not take anything at the moment; events wait in the journal.
    Retrying {
        /// What the sink said.
        why: String,
        /// How many times the batch was tried.
        attempts: u32,
    },
    /// An item must be given up and there is no room for its letter.
    Blocked {
        /// What is in the way, and what to do.
        why: String,
    },
    /// Its sink held more of the journal than it may: nothing is kept for it until it takes a batch
    /// again.
    Detached,
    /// It delivers what is left before the server stops.
    Draining,
    /// It has ended.
    Stopped,
}

impl Shared {
    pub(crate) fn new(
        sink: Arc<str>,
        lane: Arc<str>,
        clock: Clock,
        target: Duration,
        engine: Engine,
    ) -> Self {
        let key = format!("{sink}/{lane}").into();
        Self {
            sink,
            lane,
            key,
            clock,
            target,
            engine: Mutex::new(engine),
            state: Mutex::new(State::Starting),
            attempt_latency: Mutex::new(Latencies::new()),
            delivery_latency: Mutex::new(Latencies::new()),
            tap: Mutex::new(Tap::default()),
            recording: OnceLock::new(),
            oldest: AtomicI64::new(0),
            queue_items: AtomicU64::new(0),
            queue_bytes: AtomicU64::new(0),
            retries: Default::default(),
            misses: AtomicU64::new(0),
            held_bytes: AtomicU64::new(0),
            filtered: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }

    /// The name of this lane in the journal: `sink/lane`.
    pub(crate) fn key(&self) -> Arc<str> {
        Arc::clone(&self.key)
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }

    pub(crate) fn attempt_latency(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.attempt_latency)
    }

    pub(crate) fn delivery_latency(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.delivery_latency)
    }

    pub(crate) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        *lock(&self.state) = state;
    }

    /// Attempts with what had failed before.
    pub(crate) fn retried(&self) -> u64 {
        self.retries.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The attempts of late.
    pub(crate) fn tap(&self) -> MutexGuard<'_, Tap> {
        lock(&self.tap)
    }

    /// Has attempts recorded there, from now on; only the first call counts.
    pub(crate) fn record(&self, recording: Arc<Attempts>) {
        self.recording.get_or_init(|| recording);
    }

    /// Ends the recording, which lanes may share.
    pub(crate) fn finish_recording(&self) {
        if let Some(recording) = self.recording.get() {
            recording.finish();
        }
    }

    /// Notes what came of an attempt; without a reason, its batch had been sent before.
    pub(crate) fn attempted(&self, sample: &Sample, reason: Option<FlushReason>) {
        self.attempt_latency().record(sample.at, sample.latency, 1);
        self.tap().note(sample, reason);
        if let Some(recording) = self.recording.get() {
            recording.answered(&self.key, sample);
        }
        if sample.latency > self.target {
            self.misses.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The lock, also after a panic elsewhere: what is behind these locks is valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
