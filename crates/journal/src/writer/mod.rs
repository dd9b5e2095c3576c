//! How do waiting requests become durable?
//!
//! One thread takes everything that waits, gives it positions, copies it into one buffer, writes
//! that with one call and syncs it with one more, and only then says so: to the segments, to the
//! readers' memory, to the waiting producers. What arrives meanwhile is the next commit. A commit
//! is split where a segment ends and at [`RUN_BYTES`], so that nobody waits for an unbounded one.
//!
//! A commit ends with zeros up to a multiple of 4,096 (at least 48): recovery finds the end by
//! them, and the system never has to read a page in order to overwrite a part of it.
//!
//! What can go wrong, and what then: no room for a next segment refuses the requests that needed
//! it; a full disk cuts the file back to its last commit and refuses those of this one; any other
//! failed write, and any failed sync, ends the journal's acceptance for good, because nobody can
//! know what the disk holds.

mod publish;
mod write;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::Position;

use crate::error::AppendError;
use crate::format::frame::{HEADER_BYTES, Header};
use crate::format::segment::FRAMES_AT;
use crate::pool::{NoSegment, Ready};
use crate::queue::{Pending, Queued, Reply};
use crate::segments::Segment;
use crate::settings::Durability;
use crate::shared::{Shared, lock};
use crate::storage::StorageFile;

/// The size from which a commit is written without waiting for more.
const RUN_BYTES: usize = 4 << 20;

/// Where the next commit goes.
pub(crate) struct Active {
    pub(crate) salt: u64,
    pub(crate) capacity: u64,
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) offset: u64,
}

/// The commit being put together.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    /// The requests and the offsets of their frames in `bytes`.
    frames: Vec<(Pending, usize)>,
    weight: usize,
    /// The position it begins at, the gap in front included.
    first: Position,
}

/// Why a commit failed.
enum Broken {
    /// The file is as before; later ones may succeed.
    NoSpace(io::Error),
    /// Nothing is certain any more.
    Failed(&'static str, io::Error),
}

/// The thread's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    /// The end of the last frame, those of the commit being put together included.
    chain: Position,
    /// The position the next item gets: above `chain` if a gap frame must come first.
    next: Position,
    run: Run,
    failed: Option<Arc<str>>,
    replies: Vec<(Reply, Range<Position>)>,
    asked_ready: bool,
}

/// How the writer ended.
pub(crate) struct Ended {
    /// The end of the last frame.
    pub(crate) chain: Position,
    /// The position the next item gets.
    pub(crate) next: Position,
    pub(crate) failed: Option<Arc<str>>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        active: Active,
        chain: Position,
        next: Position,
    ) -> Self {
        let (run, failed, replies) = (Run::default(), None, Vec::new());
        Self { shared, active, chain, next, run, failed, replies, asked_ready: false }
    }

    /// Serves the queue until it is closed and drained.
    pub(crate) fn serve(mut self) -> Ended {
        // If this thread should panic, nobody may wait for it for ever.
        let guard = FailOnPanic(Arc::clone(&self.shared));
        let mut batch = Vec::new();
        while self.shared.queue.take(&mut batch) {
            self.commit(&mut batch);
        }
        if self.failed.is_none()
            && self.shared.settings.durability != Durability::Fsync
            && let Err(error) = self.active.file.sync_data()
        {
            self.fail("the last sync", &error);
        }
        drop(guard);
        Ended { chain: self.chain, next: self.next, failed: self.failed }
    }

    /// Writes a batch, in as many runs as it needs.
    fn commit(&mut self, batch: &mut Vec<Pending>) {
        let mut no_segment: Option<AppendError> = None;
        self.next = self.next.max(self.shared.skip_to.load(Ordering::Acquire));
        for pending in batch.drain(..) {
            let bytes = pending.sealed.frame_bytes();
            if self.failed.is_none() && !self.fits(bytes) {
                self.flush();
                // Tried once a batch: with a full disk each try costs as much as a success.
                if self.failed.is_none() && no_segment.is_none() && !self.fits(bytes) {
                    no_segment = self.rotate(bytes).err();
                }
            }
            let refusal = match &self.failed {
                Some(detail) => Some(AppendError::Failed { detail: Arc::clone(detail) }),
                None if !self.fits(bytes) => no_segment.clone().or_else(|| {
                    let max = self.shared.frame_bytes_max();
                    Some(AppendError::TooLarge { bytes, max })
                }),
                None => None,
            };
            if let Some(refusal) = refusal {
                self.shared.queue.release(Queued { frames: 1, bytes: pending.sealed.weight() });
                pending.refuse(refusal);
                continue;
            }
            self.add(pending);
            if self.run.bytes.len() >= RUN_BYTES {
                self.flush();
            }
        }
        self.flush();
    }

    fn fits(&self, frame_bytes: u64) -> bool {
        let gap = if self.chain < self.next { HEADER_BYTES as u64 } else { 0 };
        let run = self.run.bytes.len() as u64;
        self.active.offset + run + gap + frame_bytes <= self.active.capacity
    }

    /// Places a request at the end of the run.
    fn add(&mut self, mut pending: Pending) {
        let salt = self.active.salt;
        if self.run.frames.is_empty() {
            self.run.first = self.chain;
        }
        let commit = self.run.first;
        if self.chain < self.next {
            Header::gap(self.chain, self.next, commit, HEADER_BYTES as u64)
                .encode(salt, &mut self.run.bytes);
        }
        pending.sealed.place(self.next);
        self.next += pending.sealed.items();
        self.chain = self.next;
        self.run.weight += pending.sealed.weight();
        let at = self.run.bytes.len();
        pending.sealed.encode(commit, salt, &mut self.run.bytes);
        self.run.frames.push((pending, at));
    }

    /// Writes, syncs and publishes the run.
    fn flush(&mut self) {
        if self.run.frames.is_empty() {
            return;
        }
        let before = self.run.frames.first().map_or(self.next, |(first, _)| first.sealed.first());
        let refusal = match self.write() {
            Ok(()) => return self.publish(),
            Err(Broken::NoSpace(error)) => {
                let detail = error.to_string().into();
                AppendError::NoSpace { detail }
            }
            Err(Broken::Failed(what, error)) => {
                let detail = self.fail(what, &error);
                AppendError::Failed { detail }
            }
        };
        // Nobody has seen these positions: they are given out again, with the gap if there was one.
        (self.chain, self.next) = (self.run.first, before);
        let (frames, bytes) = (self.run.frames.len(), self.run.weight);
        self.shared.queue.release(Queued { frames, bytes });
        for (pending, _) in self.run.frames.drain(..) {
            pending.refuse(refusal.clone());
        }
        self.clear_run();
    }

    fn fail(&mut self, what: &str, error: &io::Error) -> Arc<str> {
        let detail: Arc<str> = format!("{what}: {error}").into();
        self.failed = Some(Arc::clone(&detail));
        self.shared.fail(&detail);
        detail
    }

    /// Goes on in the next segment, which must hold a frame of this size.
    fn rotate(&mut self, frame_bytes: u64) -> Result<(), AppendError> {
        // With `written`, the end of the old segment must not stay behind the new one's content.
        if self.shared.settings.durability == Durability::Written
            && let Err(error) = self.active.file.sync_data()
        {
            let detail = self.fail("syncing a full segment", &error);
            return Err(AppendError::Failed { detail });
        }
        let (taken, bytes) = {
            let mut pool = lock(&self.shared.pool);
            let taken = pool.take(frame_bytes + HEADER_BYTES as u64);
            self.shared.note_pool(&pool);
            (taken, pool.bytes())
        };
        let ready = taken.map_err(|error| match error {
            NoSegment::Full => AppendError::Full { bytes, max: self.shared.settings.max_bytes },
            NoSegment::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                AppendError::NoSpace { detail: error.to_string().into() }
            }
            NoSegment::Io(error) => AppendError::NoSegment { detail: error.to_string().into() },
        })?;
        let Ready { salt, capacity, .. } = ready;
        let file = Arc::clone(&ready.file);
        self.active = Active { salt, capacity, file, offset: FRAMES_AT };
        self.asked_ready = false;
        self.shared.counters.active_room.store(capacity - FRAMES_AT, Ordering::Release);
        let mut segments = lock(&self.shared.segments);
        segments.push(Segment::opened(ready, self.chain));
        self.shared.note_segments(&segments);
        Ok(())
    }
}

struct FailOnPanic(Arc<Shared>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&"the writer thread panicked".into());
        }
    }
}
