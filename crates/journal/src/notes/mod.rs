//! Which batches were attempted, when the sink keeps no record of its own?
//!
//! A sink that commits its rows together with their range can be asked what it has. One that only
//! receives — an HTTP API — cannot: after a crash nobody knows whether the batches on their way
//! were taken. The backend can recognize a repeat by its key, but only if the batch that comes
//! again is the one that was sent. So its boundaries are noted before the first attempt, and a
//! batch in doubt is cut again from the notes.
//!
//! One file for all lanes, not one for each: what waits is written by one thread with one write
//! and one sync, so batches that leave together, of whatever lane, share it. The truth in use is
//! in memory and small — a few open batches for each lane — so a file that is full, or that cannot
//! be trusted after a failed sync, is replaced by a new one made from that. The layout is in
//! [`crate::format::notes`].

pub(crate) mod open;
mod writer;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use tidegate_event::Position;
use tokio::sync::oneshot;

use crate::cursor::Cursor;
use crate::format::cursors::Cursors;
use crate::format::notes::{Block, LaneNoted, Noted};
use crate::lanes::LaneState;
use crate::shared::{Shared, lock};
use open::OpenBatches;

/// A batch could not be noted, so it must not be attempted yet. Noting it again may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot note the batch: {detail}")]
pub struct NoteError {
    /// The system's answer.
    pub detail: Arc<str>,
}

/// The boundaries of a lane's batches, durable as configured before a batch is attempted.
///
/// ```
/// use tidegate_journal::{ClassFilter, FileStorage, Group, Journal, LaneStart, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let (journal, _) = Journal::open(FileStorage::open(dir.path())?, Settings::default())?;
/// let (_reader, cursor) =
///     journal.lane("api", ClassFilter::all(), LaneStart::Oldest)?.split();
/// # let group = Group { class: "".into(), items: 9, rows: "nine rows".into() };
/// # journal.append(vec![group])?.await?;
/// let notes = cursor.notes();
/// notes.begin(0..5).await?;
/// notes.begin(5..9).await?;
/// // The first is answered; the second is in doubt, now and after a crash.
/// cursor.delivered(0..5)?;
/// assert_eq!(notes.in_doubt(), [5..9]);
/// # journal.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BatchNotes {
    shared: Arc<Shared>,
    lane: Arc<LaneState>,
}

impl std::fmt::Debug for BatchNotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchNotes").field("lane", &self.lane.name).finish_non_exhaustive()
    }
}

impl BatchNotes {
    pub(crate) fn new(shared: Arc<Shared>, lane: Arc<LaneState>) -> Self {
        lane.noted.store(true, std::sync::atomic::Ordering::Release);
        Self { shared, lane }
    }

    /// Notes a batch before its first attempt; resolves once the note is as durable as the journal.
    /// At once if it stands there already. A batch that overlaps others takes their place: only
    /// after a definite refusal may one be cut anew.
    ///
    /// The note is closed when any of its positions is called
    /// [delivered](crate::LaneCursor::delivered).
    ///
    /// # Errors
    /// [`NoteError`] if it cannot be written now.
    pub async fn begin(&self, batch: Range<Position>) -> Result<(), NoteError> {
        if self.shared.is_memory() {
            lock(&self.shared.notes.inner).lane(&self.lane.name).open.begin(batch);
            return Ok(());
        }
        let Some(answer) = self.shared.notes.begin(&self.shared, &self.lane.name, batch)? else {
            return Ok(());
        };
        let ended = || NoteError { detail: "the journal is closed".into() };
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The batches that were noted and of which nothing is known to be delivered, in order: to be
    /// sent again exactly so.
    #[must_use]
    pub fn in_doubt(&self) -> Vec<Range<Position>> {
        let cursor = lock(&self.lane.cursor).clone();
        let inner = lock(&self.shared.notes.inner);
        let Some(lane) = inner.lanes.get(&self.lane.name) else { return Vec::new() };
        lane.open.iter().filter(|batch| !cursor.is_delivered(batch)).collect()
    }
}

type Answer = oneshot::Sender<Result<(), NoteError>>;

/// The notes of all lanes.
#[derive(Default)]
pub(crate) struct Notes {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    lanes: BTreeMap<Arc<str>, Lane>,
    /// What is not written yet. Bounded: see [`Inner::bound`].
    pending: Block,
    /// Whether what was pending is left to a new file.
    overflown: bool,
    waiting: Vec<Waiting>,
    thread: Option<JoinHandle<()>>,
    stop: bool,
}

/// Somebody whose batch is to be durable.
struct Waiting {
    lane: Arc<str>,
    batch: Range<Position>,
    answer: Answer,
}

#[derive(Default)]
struct Lane {
    number: u16,
    open: OpenBatches,
    /// Those of the open ones that are durable since this opening.
    durable: OpenBatches,
}

impl Notes {
    /// The notes as they were found. The file is not touched before a batch is noted.
    pub(crate) fn new(found: Noted) -> Self {
        let mut inner = Inner::default();
        for (name, LaneNoted { open, .. }) in found {
            inner.lane(&name.into()).open = open;
        }
        Self { inner: Mutex::new(inner), wake: Condvar::new() }
    }

    /// Notes a batch; `None` if that was done before.
    fn begin(
        &self,
        shared: &Arc<Shared>,
        name: &Arc<str>,
        batch: Range<Position>,
    ) -> Result<Option<oneshot::Receiver<Result<(), NoteError>>>, NoteError> {
        let mut inner = lock(&self.inner);
        if inner.stop {
            return Err(NoteError { detail: "the journal is closed".into() });
        }
        let lane = inner.lane(name);
        if batch.is_empty() || (lane.open.has(&batch) && lane.durable.has(&batch)) {
            return Ok(None);
        }
        lane.open.begin(batch.clone());
        let number = lane.number;
        inner.pending.begun(number, &batch);
        inner.bound(shared.settings.notes_bytes);
        let (answer, answered) = oneshot::channel();
        inner.waiting.push(Waiting { lane: Arc::clone(name), batch, answer });
        if inner.thread.is_none() {
            let for_thread = Arc::clone(shared);
            let named = std::thread::Builder::new().name("journal-notes".to_owned());
            let spawned = named.spawn(move || writer::serve(&for_thread));
            inner.thread = Some(spawned.map_err(|error| NoteError {
                detail: format!("starting a thread: {error}").into(),
            })?);
        }
        drop(inner);
        self.wake.notify_one();
        Ok(Some(answered))
    }

    /// These positions of a lane are delivered: one record, or none, says so of all of them.
    pub(crate) fn done(
        &self,
        settings: &crate::Settings,
        name: &Arc<str>,
        ranges: &[Range<Position>],
    ) {
        let mut inner = lock(&self.inner);
        let lane = inner.lane(name);
        for range in ranges {
            lane.open.close(range);
            lane.durable.close(range);
        }
        let number = lane.number;
        // Without a thread there is no file yet that could say otherwise of this opening.
        if inner.thread.is_none() {
            return;
        }
        ranges.iter().for_each(|range| inner.pending.done(number, range));
        inner.bound(settings.notes_bytes);
        drop(inner);
        self.wake.notify_one();
    }

    /// Writes what waits, and takes no more.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.stop = true;
        let thread = inner.thread.take();
        drop(inner);
        self.wake.notify_one();
        if let Some(thread) = thread {
            // It has told everybody who waited; a panic has nobody left to hear.
            let _ = thread.join();
        }
    }

    /// Waits for something to write.
    fn wait(&self) -> std::sync::MutexGuard<'_, Inner> {
        let idle = |inner: &mut Inner| {
            inner.pending.is_empty() && inner.waiting.is_empty() && !inner.stop && !inner.overflown
        };
        self.wake.wait_while(lock(&self.inner), idle).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The notes of a lane, which gets a number if it has none.
    fn lane(&mut self, name: &Arc<str>) -> &mut Lane {
        let number = u16::try_from(self.lanes.len()).unwrap_or(u16::MAX);
        let pending = &mut self.pending;
        self.lanes.entry(Arc::clone(name)).or_insert_with(|| {
            pending.lane(number, name);
            Lane { number, ..Lane::default() }
        })
    }

    /// Keeps what is not written below `bytes`: the rest is left to a new file, which says all.
    fn bound(&mut self, bytes: u64) {
        if self.pending.len() as u64 > bytes {
            self.pending.clear();
            self.overflown = true;
        }
    }

    /// All that is still of use, as the first block of a new file.
    fn snapshot(&self, cursors: &Cursors) -> Block {
        let mut block = Block::default();
        for (name, lane) in &self.lanes {
            block.lane(lane.number, name);
            if let Some(cursor) = cursors.get(name.as_ref()) {
                delivered(cursor, lane.number, &mut block);
            }
            lane.open.iter().for_each(|batch| block.begun(lane.number, &batch));
        }
        block
    }
}

fn delivered(cursor: &Cursor, lane: u16, block: &mut Block) {
    if cursor.low() > 0 {
        block.done(lane, &(0..cursor.low()));
    }
    cursor.above().iter().for_each(|range| block.done(lane, &range));
}
