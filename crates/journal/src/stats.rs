//! What is the journal doing right now? Plain numbers, taken without stopping anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_event::Position;

use crate::queue::Queued;
use crate::report::Missing;
use crate::settings::Durability;
use crate::shared::{Shared, lock};

/// A moment of a journal's life.
#[derive(Debug, Clone)]
pub struct Stats {
    /// What an acknowledgement means.
    pub durability: Durability,
    /// The oldest position kept.
    pub first: Position,
    /// The position after the last item that is durable as configured. Reads end here.
    pub durable: Position,
    /// Segments that hold frames or are next to.
    pub segments: usize,
    /// Bytes of all segment files, spare ones included.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
    /// Bytes that can still be appended before `Full`, roughly: the rest of a segment that a
    /// frame does not fit into is lost.
    pub room_bytes: u64,
    /// Frames accepted since the journal was opened.
    pub frames: u64,
    /// Items accepted since the journal was opened.
    pub items: u64,
    /// Commits since the journal was opened: one write each, and with `fsync` one sync.
    pub commits: u64,
    /// How long the syncs of commits took. Empty unless durability is `fsync`.
    pub syncs: Latencies,
    /// Frames waiting for the writer or being written.
    pub queued_frames: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Bytes in memory for readers.
    pub tail_bytes: usize,
    /// The bound of `tail_bytes`.
    pub tail_bytes_max: usize,
    /// Request keys remembered.
    pub keys: usize,
    /// Reads that had to go to the disk since the journal was opened.
    pub disk_reads: u64,
    /// What could not be read, found at opening or since; the first 64.
    pub missing: Vec<Missing>,
    /// The last trouble that was not an append's: preparing, freeing or noting cursors.
    pub trouble: Option<Arc<str>>,
    /// Why the journal refuses everything, if it does.
    pub failed: Option<Arc<str>>,
    /// The registered lanes.
    pub lanes: Vec<LaneStats>,
}

/// A moment of a lane's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStats {
    /// Its name.
    pub name: Arc<str>,
    /// Everything below is delivered or passed.
    pub low_water: Position,
    /// The next position its reader takes.
    pub next_read: Position,
    /// How many separate ranges above the low-water mark are delivered.
    pub ranges: usize,
    /// Durable items not yet delivered or passed.
    pub backlog: u64,
}

/// How long something took, over all times: a histogram whose bucket *n* counts what took less
/// than 2ⁿ microseconds, and not less than half of that.
///
/// ```
/// use std::time::Duration;
/// use tidegate_journal::Latencies;
///
/// let mut syncs = Latencies::default();
/// syncs.record(Duration::from_micros(900));
/// assert_eq!(syncs.count(), 1);
/// assert_eq!(syncs.quantile(0.5), Duration::from_micros(1024));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latencies {
    buckets: [u64; 32],
    total: Duration,
    last: Duration,
    max: Duration,
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()).min(31) as usize;
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.total = self.total.saturating_add(took);
        self.last = took;
        self.max = self.max.max(took);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long all of them took together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// How long the last one took.
    #[must_use]
    pub fn last(&self) -> Duration {
        self.last
    }

    /// How long the longest took.
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The mean, 0 if there were none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let nanos = self.total.as_nanos() / u128::from(self.count().max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// A bound below which at least `share` (0 to 1) of them lie: right within a factor of two.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let mut left = share.clamp(0.0, 1.0) * self.count() as f64;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            left -= count as f64;
            if left <= 0.0 && count > 0 {
                return Duration::from_micros(1 << bucket);
            }
        }
        self.max
    }

    /// The counts: bucket *n* holds what took less than 2ⁿ microseconds and no less than half of
    /// that; the last bucket has no upper end.
    #[must_use]
    pub fn buckets(&self) -> &[u64; 32] {
        &self.buckets
    }
}

impl Shared {
    pub(crate) fn stats(&self) -> Stats {
        let progress = self.progress.borrow().clone();
        let Queued { frames: queued_frames, bytes: queued_bytes } = self.queue.queued();
        let count = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let (tail_bytes, tail_start) = {
            let tail = lock(&self.tail);
            (tail.bytes(), tail.start())
        };
        let (segments, first) = {
            let segments = lock(&self.segments);
            (segments.count(), segments.first())
        };
        let counters = &self.counters;
        Stats {
            durability: self.settings.durability,
            first: first.unwrap_or(tail_start),
            durable: progress.durable,
            segments,
            bytes: count(&counters.bytes),
            bytes_max: self.settings.max_bytes,
            room_bytes: count(&counters.active_room) + count(&counters.pool_room),
            frames: count(&counters.frames),
            items: count(&counters.items),
            commits: count(&counters.commits),
            syncs: lock(&counters.syncs).clone(),
            queued_frames,
            queued_bytes,
            tail_bytes,
            tail_bytes_max: self.settings.tail_bytes,
            keys: self.keys.count(),
            disk_reads: count(&counters.disk_reads),
            missing: self.missing(),
            trouble: self.trouble(),
            failed: progress.failed,
            lanes: self.lanes.stats(progress.durable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_counted_by_powers_of_two() {
        let mut latencies = Latencies::default();
        for micros in [0, 1, 3, 1000, 1023, 1024] {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.count(), 6);
        assert_eq!(latencies.buckets()[10], 2);
        assert_eq!(latencies.buckets()[11], 1);
        assert_eq!(latencies.quantile(0.0), Duration::from_micros(1));
        assert_eq!(latencies.quantile(1.0), Duration::from_micros(2048));
        assert_eq!(latencies.mean(), Duration::from_nanos(508_500));
        assert_eq!(latencies.last(), latencies.max());
    }
}
