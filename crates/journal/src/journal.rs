//! How is a journal opened, appended to, and closed?
//!
//! A handle is thin: it admits requests to the queue and waits for the writer. What happens in
//! between is the business of [`crate::writer`]; with durability `memory` there is nothing in
//! between, and the request goes straight to the readers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tidegate_event::Position;
use tokio::sync::{oneshot, watch};

use crate::append::Append;

use crate::error::{AppendError, LaneError, OpenError};
use crate::frame::{Group, Sealed};
use crate::keeper::{Signal, keep};
use crate::keys::{Claim, Claimed, Keys, RequestKey};
use crate::lane::Lane;
use crate::lanes::{ClassFilter, LaneStart, Lanes};
use crate::memory::fleeting;
use crate::notes::Notes;
use crate::queue::{Pending, Queue, Queued};
use crate::recovery::{Recovered, failed, recover};
use crate::report::{Identity, Recovery};
use crate::settings::Settings;
use crate::shared::{Counters, Progress, Shared, lock};
use crate::stats::Stats;
use crate::storage::Storage;
use crate::tail::Tail;
use crate::writer::{Active, Writer};

/// A handle to an open journal; clones are the same journal.
///
/// Dropping the last handle closes it and waits for the disk; in async code, [`Journal::close`]
/// does that without blocking. Lanes do not keep a journal open.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

struct Handle {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// Closing could not write everything down. Acknowledged items are not affected with `fsync`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal was not closed in order: {detail}")]
pub struct CloseError {
    /// What went wrong.
    pub detail: Arc<str>,
}

impl Journal {
    /// Opens the journal in `storage`, or creates it there, and goes on where it ended. Blocks on
    /// the disk for as long as reading all segments takes.
    ///
    /// With [`Durability::Memory`](crate::Durability::Memory) nothing in the storage is read or changed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(storage: impl Storage, settings: Settings) -> Result<(Self, Recovery), OpenError> {
        settings.validate()?;
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let is_memory = settings.durability == crate::settings::Durability::Memory;
        let opened =
            if is_memory { fleeting(&storage, &settings) } else { recover(&storage, &settings) };
        match opened.and_then(|recovered| Self::start(&storage, settings, recovered)) {
            Ok(opened) => Ok(opened),
            Err(error) => {
                storage.close();
                Err(error)
            }
        }
    }

    fn start(
        storage: &Arc<dyn Storage>,
        settings: Settings,
        recovered: Recovered,
    ) -> Result<(Self, Recovery), OpenError> {
        let Recovered { meta, mut segments, pool, cursors, noted, keys, chain_end, report } =
            recovered;
        let next = report.next;
        let active = segments.active_mut().map(|segment| Active {
            salt: segment.salt,
            capacity: segment.capacity,
            file: Arc::clone(&segment.file),
            offset: segment.end,
        });
        let shared = Arc::new(Shared {
            settings,
            identity: report.identity,
            storage: Arc::clone(storage),
            queue: Queue::new(settings.queue_frames, settings.queue_bytes),
            tail: Mutex::new(Tail::new(next, settings.tail_bytes)),
            segments: Mutex::new(segments),
            pool: Mutex::new(pool),
            meta: Mutex::new(meta),
            lanes: Lanes::new(cursors),
            notes: Notes::new(noted),
            keys: Keys::new(keys),
            cursors_dirty: AtomicBool::new(false),
            retaining: Mutex::new(()),
            noting: Mutex::new(()),
            skip_to: AtomicU64::new(0),
            synced: AtomicU64::new(next),
            closing: AtomicBool::new(false),
            progress: watch::Sender::new(Progress { durable: next, ..Progress::default() }),
            keeper: Signal::default(),
            counters: Counters::default(),
        });
        for missing in &report.missing {
            shared.note_missing(missing.clone());
        }
        shared.note_pool(&lock(&shared.pool));
        shared.note_segments(&lock(&shared.segments));
        let mut keeper = None;
        if let Some(active) = active {
            let room = active.capacity - active.offset;
            shared.counters.active_room.store(room, Ordering::Release);
            let writer = Writer::new(Arc::clone(&shared), active, chain_end.unwrap_or(next), next);
            keeper =
                Some(spawn(&shared, writer).map_err(failed(storage.as_ref(), "start a thread"))?);
        }
        let handle = Arc::new(Handle { shared, keeper: Mutex::new(keeper) });
        Ok((Self { handle }, report))
    }

    /// Who this journal is, and which of its lives this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.shared().identity
    }

    /// Hands over one request, to be stored as one frame. Whether there is room is decided now;
    /// the future resolves once it is durable as configured, with the positions of its items.
    /// Dropping the future does not take the request back.
    ///
    /// # Errors
    /// See [`AppendError`], both at once and from the future; [`AppendError::advice`] says what to
    /// do.
    pub fn append(&self, groups: Vec<Group>) -> Result<Append, AppendError> {
        self.hand_over(groups, None)
    }

    /// Claims a request's key, so that the request is stored once however often it is sent. While
    /// somebody else appends the same request, waits for what becomes of that.
    ///
    /// A key is remembered once its request is durable as configured, as long as
    /// [`Settings::keys_age_max`] and [`Settings::keys_max`] allow, and across openings.
    pub async fn claim(&self, key: RequestKey) -> Claimed {
        self.shared().keys.claim(key).await
    }

    /// Like [`Journal::append`], for a request whose key was claimed. Refused, it gives the key
    /// back; dropping the future does not.
    ///
    /// # Errors
    /// As for [`Journal::append`].
    pub fn append_claimed(&self, claim: Claim, groups: Vec<Group>) -> Result<Append, AppendError> {
        self.hand_over(groups, Some(claim))
    }

    fn hand_over(&self, groups: Vec<Group>, claim: Option<Claim>) -> Result<Append, AppendError> {
        let shared = self.shared();
        let key = claim.as_ref().map(Claim::key);
        let sealed = Sealed::new(groups, key, shared.frame_bytes_max())?;
        if shared.is_memory() {
            return shared.keep_in_memory(sealed, claim).map(Append::done);
        }
        let frame_bytes = sealed.frame_bytes();
        let (reply, answer) = oneshot::channel();
        let admit = |queued: Queued| room(shared, queued, frame_bytes);
        shared.queue.push(Pending { sealed, reply, claim }, admit)?;
        Ok(Append::waiting(answer))
    }

    /// Whether a request of about so many bytes would be refused for want of room now: for who
    /// would rather know before the request is read. It may still be refused later. One of more
    /// than half a segment is looked at as half of one, so that nothing is refused here that the
    /// empty journal takes.
    ///
    /// # Errors
    /// [`AppendError::Full`].
    pub fn look_for_room(&self, bytes: u64) -> Result<(), AppendError> {
        let shared = self.shared();
        if shared.is_memory() {
            return Ok(());
        }
        room(shared, shared.queue.queued(), bytes.min(shared.settings.segment_bytes / 2))
    }

    /// Registers a lane: from now on nothing is freed that it has not delivered. It goes on from
    /// its cursor, or begins at `start` if it has none. When all are registered, say so with
    /// [`Journal::begin_retention`].
    ///
    /// # Errors
    /// [`LaneError`] if the lane has a reader already, or for its name.
    pub fn lane(
        &self,
        name: &str,
        filter: ClassFilter,
        start: LaneStart,
    ) -> Result<Lane, LaneError> {
        let shared = self.shared();
        let durable = shared.durable();
        let oldest = if shared.is_memory() {
            lock(&shared.tail).start()
        } else {
            lock(&shared.segments).first().unwrap_or(durable)
        };
        let begin = match start {
            LaneStart::Oldest => oldest,
            LaneStart::Newest => durable,
        };
        let state = shared.lanes.register(name, filter, oldest, begin)?;
        Ok(Lane::new(shared, &state))
    }

    /// All lanes are registered: from now on what every one of them has passed is freed. Before,
    /// nothing is, so that a lane that comes early cannot take away what a later one still needs.
    ///
    /// Returns the lanes whose cursors are known but which are not registered: nothing is kept for
    /// them any more.
    pub fn begin_retention(&self) -> Vec<String> {
        let unregistered = self.shared().lanes.complete();
        if !self.shared().is_memory() {
            self.shared().keeper.retain();
        }
        unregistered
    }

    /// The next item gets this position or a later one. For a sink whose own record has items of
    /// this journal beyond its end: the journal has lost what it once had, and a position must
    /// never name two items. No effect with durability `memory`, where each opening has an id of
    /// its own.
    pub fn skip_to(&self, position: Position) {
        self.shared().skip_to.fetch_max(position, Ordering::AcqRel);
    }

    /// About how many bytes of the journal hold items from `position` on: what a lane with this
    /// low-water mark keeps from being freed.
    #[must_use]
    pub fn bytes_from(&self, position: Position) -> u64 {
        let shared = self.shared();
        if !shared.is_memory() {
            return lock(&shared.segments).bytes_from(position);
        }
        let tail = lock(&shared.tail);
        if position < tail.next() { tail.bytes() as u64 } else { 0 }
    }

    /// Frees the segments that every lane has passed, and returns how many. After
    /// [`Journal::begin_retention`] the journal does this by itself; this is for who wants to know
    /// that it is done. Blocks on the disk.
    pub fn retain(&self) -> usize {
        if self.shared().is_memory() { 0 } else { self.shared().retain() }
    }

    /// A moment of the journal's life.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().stats()
    }

    /// Takes no more appends, writes what waits, notes the cursors, and releases the storage.
    /// Every handle and lane is closed by it; closing again waits for the same end.
    ///
    /// # Errors
    /// [`CloseError`] if the journal has failed before or something could not be written down.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.handle.begin_close();
        let mut progress = self.shared().progress.subscribe();
        let ended = progress.wait_for(|progress| progress.closed.is_some()).await;
        match ended.ok().and_then(|progress| progress.closed.clone()) {
            Some(Err(detail)) => Err(CloseError { detail }),
            _ => Ok(()),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl Handle {
    fn begin_close(&self) {
        let shared = &self.shared;
        if shared.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        shared.queue.refuse_all(AppendError::Closed);
        shared.keeper.stop();
        if shared.is_memory() {
            shared.storage.close();
            shared.progress.send_modify(|progress| progress.closed = Some(Ok(())));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.begin_close();
        if let Some(keeper) = lock(&self.keeper).take() {
            // It ends in any case: it has told everybody how, and a panic has nobody left to hear.
            let _ = keeper.join();
        }
    }
}

fn spawn(shared: &Arc<Shared>, writer: Writer) -> std::io::Result<JoinHandle<()>> {
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let writer = named("journal-writer").spawn(move || writer.serve())?;
    let for_keeper = Arc::clone(shared);
    named("journal-keeper").spawn(move || keep(&for_keeper, writer)).inspect_err(|_| {
        shared.queue.refuse_all(AppendError::Closed);
    })
}

/// Whether so many bytes more have room behind what waits already.
fn room(shared: &Shared, queued: Queued, more: u64) -> Result<(), AppendError> {
    let counters = &shared.counters;
    let room =
        counters.active_room.load(Ordering::Acquire) + counters.pool_room.load(Ordering::Acquire);
    if queued.bytes as u64 + more > room {
        let bytes = counters.bytes.load(Ordering::Acquire);
        return Err(AppendError::Full { bytes, max: shared.settings.max_bytes });
    }
    Ok(())
}
