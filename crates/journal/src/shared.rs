//! What do a journal's handles, its lanes and its two threads share?
//!
//! Each part has its own short lock, and no lock is taken while another is held, with two
//! exceptions: the notes, then the list of lanes, then one lane's cursor; and `retaining`, then
//! `noting`, which protect no data but let only one thread at a time free segments, and write
//! `cursors`. The order in which a commit becomes
//! visible is `segments`, `tail`, `progress`: who has seen a durable position finds every frame up
//! to it in the segments, and in memory unless it was evicted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_event::Position;
use tokio::sync::watch;

use crate::error::AppendError;
use crate::format::frame::HEADER_BYTES;
use crate::format::meta::Meta;
use crate::format::segment::FRAMES_AT;
use crate::keeper::Signal;
use crate::keys::Keys;
use crate::lanes::Lanes;
use crate::notes::Notes;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::report::{Identity, Missing};
use crate::segments::Segments;
use crate::settings::{Durability, Settings};
use crate::stats::Latencies;
use crate::storage::Storage;
use crate::tail::Tail;

/// Locks. A panic elsewhere leaves plain numbers and lists behind, which stay usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far the journal is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// The position after the last durable item.
    pub(crate) durable: Position,
    /// Why it refuses everything, if it does.
    pub(crate) failed: Option<Arc<str>>,
    /// Set once everything is written and the threads are done; with what went wrong in that.
    pub(crate) closed: Option<Result<(), Arc<str>>>,
}

/// At most this much damage is remembered.
const MISSING_MAX: usize = 64;

/// Running counts.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) frames: AtomicU64,
    pub(crate) items: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) disk_reads: AtomicU64,
    pub(crate) syncs: Mutex<Latencies>,
    /// Room in the active segment, and in what may follow it.
    pub(crate) active_room: AtomicU64,
    pub(crate) pool_room: AtomicU64,
    /// All segment files.
    pub(crate) bytes: AtomicU64,
    /// When every lane has passed this, a segment can be freed.
    pub(crate) free_at: AtomicU64,
    missing: Mutex<Vec<Missing>>,
    trouble: Mutex<Option<Arc<str>>>,
}

/// Everything.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) queue: Queue,
    pub(crate) tail: Mutex<Tail>,
    pub(crate) segments: Mutex<Segments>,
    pub(crate) pool: Mutex<Pool>,
    pub(crate) meta: Mutex<Meta>,
    pub(crate) lanes: Lanes,
    pub(crate) notes: Notes,
    pub(crate) keys: Arc<Keys>,
    pub(crate) cursors_dirty: AtomicBool,
    /// Held while segments are freed.
    pub(crate) retaining: Mutex<()>,
    /// Held while `cursors` is written.
    pub(crate) noting: Mutex<()>,
    /// Positions below are not to be given out: see [`crate::Journal::skip_to`].
    pub(crate) skip_to: AtomicU64,
    /// The position after the last item that is durable as configured. It moves before anything of
    /// a commit can be read, and `progress` after, so a lane may have delivered what `progress`
    /// does not show yet, but nothing beyond this.
    pub(crate) synced: AtomicU64,
    pub(crate) closing: AtomicBool,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) keeper: Signal,
    pub(crate) counters: Counters,
}

impl Shared {
    pub(crate) fn is_memory(&self) -> bool {
        self.settings.durability == Durability::Memory
    }

    /// The largest frame that fits into a segment (or into memory).
    pub(crate) fn frame_bytes_max(&self) -> u64 {
        if self.is_memory() {
            self.settings.tail_bytes as u64
        } else {
            // A gap frame may have to come first.
            self.settings.segment_bytes - FRAMES_AT - HEADER_BYTES as u64
        }
    }

    /// Refuses everything from now on.
    pub(crate) fn fail(&self, detail: &Arc<str>) {
        self.queue.refuse_all(AppendError::Failed { detail: Arc::clone(detail) });
        self.progress.send_modify(|progress| {
            progress.failed.get_or_insert_with(|| Arc::clone(detail));
        });
    }

    /// Publishes a new durable position.
    pub(crate) fn advance(&self, durable: Position) {
        self.progress.send_modify(|progress| progress.durable = progress.durable.max(durable));
    }

    pub(crate) fn durable(&self) -> Position {
        self.progress.borrow().durable
    }

    /// The pool has changed: lets appends know without its lock, which may be held during a sync.
    pub(crate) fn note_pool(&self, pool: &Pool) {
        self.counters.pool_room.store(pool.room(), Ordering::Release);
        self.counters.bytes.store(pool.bytes(), Ordering::Release);
    }

    /// The segments have changed.
    pub(crate) fn note_segments(&self, segments: &Segments) {
        let end = segments.oldest_closed_end().unwrap_or(Position::MAX);
        self.counters.free_at.store(end, Ordering::Release);
    }

    /// Some lane has passed something.
    pub(crate) fn note_delivered(&self, low: Position) {
        if self.is_memory() {
            let low = self.lanes.low().unwrap_or(0);
            lock(&self.tail).release(Some(low));
            return;
        }
        if !self.cursors_dirty.swap(true, Ordering::AcqRel) {
            self.keeper.cursors();
        }
        if low >= self.counters.free_at.load(Ordering::Acquire) {
            self.keeper.retain();
        }
    }

    /// Remembers damage, once for each place.
    pub(crate) fn note_missing(&self, missing: Missing) {
        let mut list = lock(&self.counters.missing);
        if list.len() < MISSING_MAX && !list.contains(&missing) {
            list.push(missing);
        }
    }

    pub(crate) fn missing(&self) -> Vec<Missing> {
        lock(&self.counters.missing).clone()
    }

    /// Remembers what went wrong off the append path.
    pub(crate) fn note_trouble(&self, what: &str, error: &std::io::Error) {
        *lock(&self.counters.trouble) = Some(format!("{what}: {error}").into());
    }

    pub(crate) fn trouble(&self) -> Option<Arc<str>> {
        lock(&self.counters.trouble).clone()
    }
}
