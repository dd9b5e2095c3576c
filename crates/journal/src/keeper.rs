//! Who does the slow work beside the commits?
//!
//! One thread, asleep unless asked: it makes the next segment ahead of need, frees segments that
//! every lane has passed, notes the cursors at most once a second while they change, and in the
//! end waits for the writer and closes the books. None of it is ever on the way of an append.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_event::Position;

use crate::clock;
use crate::format::cursors;
use crate::format::keys;
use crate::format::meta::{self, Meta, State};
use crate::pool::{NoSegment, Spare, make_zeroed};
use crate::segments::Segment;
use crate::shared::{Shared, lock};
use crate::storage::replace;
use crate::writer::Ended;

/// How long a changed cursor may stay unwritten.
const CURSORS_PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Clone, Copy)]
struct Wants {
    prepare: bool,
    retain: bool,
    cursors: bool,
    stop: bool,
}

/// Wakes the keeper.
#[derive(Default)]
pub(crate) struct Signal {
    wants: Mutex<Wants>,
    wake: Condvar,
}

impl Signal {
    /// A next segment will be needed.
    pub(crate) fn prepare(&self) {
        self.want(|wants| wants.prepare = true);
    }

    /// A segment can be freed.
    pub(crate) fn retain(&self) {
        self.want(|wants| wants.retain = true);
    }

    /// Cursors have changed.
    pub(crate) fn cursors(&self) {
        self.want(|wants| wants.cursors = true);
    }

    /// The journal closes.
    pub(crate) fn stop(&self) {
        self.want(|wants| wants.stop = true);
    }

    fn want(&self, set: impl FnOnce(&mut Wants)) {
        set(&mut lock(&self.wants));
        self.wake.notify_one();
    }

    /// Sleeps until something is wanted, or until `due`.
    fn wait(&self, due: Option<Instant>) -> Wants {
        let mut wants = lock(&self.wants);
        loop {
            let Wants { prepare, retain, cursors, stop } = *wants;
            if prepare || retain || cursors || stop {
                return std::mem::take(&mut *wants);
            }
            let left = due.map(|due| due.saturating_duration_since(clock::now()));
            wants = match left {
                Some(Duration::ZERO) => return Wants::default(),
                Some(left) => {
                    let woken = self.wake.wait_timeout(wants, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wake.wait(wants).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// The thread.
pub(crate) fn keep(shared: &Shared, writer: JoinHandle<Ended>) {
    let mut due = None;
    loop {
        let wants = shared.keeper.wait(due);
        if wants.cursors && due.is_none() {
            due = Some(clock::now() + CURSORS_PERIOD);
        }
        let freed = if wants.retain { shared.retain() } else { 0 };
        // What was freed may be just what a preparation had to do without.
        if wants.prepare || freed > 0 {
            shared.prepare();
        }
        if wants.stop {
            return shared.finish(writer);
        }
        if due.is_some_and(|due| due <= clock::now()) {
            let again = shared.write_cursors().is_err();
            due = again.then(|| clock::now() + CURSORS_PERIOD);
        }
    }
}

impl Shared {
    /// Sees to it that the next rotation finds a segment ready.
    fn prepare(&self) {
        let reserved = {
            let mut pool = lock(&self.pool);
            let needed = !pool.has_ready() && !pool.has_spare();
            let capacity = pool.next_capacity();
            let reserved = if needed { pool.reserve(capacity) } else { None };
            self.note_pool(&pool);
            reserved
        };
        if let Some(reserved) = reserved {
            // Without the lock: the writer can always help itself meanwhile.
            let made = make_zeroed(self.storage.as_ref(), &reserved);
            let mut pool = lock(&self.pool);
            match made {
                Ok(spare) => pool.add_spare(spare),
                Err(error) => {
                    pool.cancel(&reserved);
                    self.note_trouble("preparing the next segment", &error);
                }
            }
            self.note_pool(&pool);
        }
        let mut pool = lock(&self.pool);
        if let Err(NoSegment::Io(error)) = pool.make_ready() {
            self.note_trouble("preparing the next segment", &error);
        }
        self.note_pool(&pool);
    }

    /// Frees the segments that every lane has passed; returns how many.
    pub(crate) fn retain(&self) -> usize {
        let _alone = lock(&self.retaining);
        let Some(low) = self.lanes.low() else { return 0 };
        let free_at = lock(&self.segments).oldest_closed_end();
        if free_at.is_none_or(|end| end > low) {
            return 0;
        }
        // First, so that no cursor on disk ever points to what is gone.
        if self.write_cursors().is_err() {
            return 0;
        }
        // So that a key is found as long as its window lasts, however soon its frame is gone.
        if self.write_keys(low).is_err() {
            return 0;
        }
        let mut freed = 0;
        loop {
            let Some(segment) = lock(&self.segments).take_passed(low) else { break };
            if let Err(error) = self.free(&segment) {
                self.note_trouble("freeing a segment", &error);
                lock(&self.segments).put_back(segment);
                break;
            }
            freed += 1;
        }
        let segments = lock(&self.segments);
        self.note_segments(&segments);
        freed
    }

    /// Keeps the file as a spare, or removes it; durably, before the next one is freed or this one's
    /// content changes. A crash must neither show new content under the old name nor a hole where
    /// a younger segment went and an older one did not.
    fn free(&self, segment: &Segment) -> io::Result<()> {
        let Segment { sequence, capacity, ref name, ref file, .. } = *segment;
        let keep = lock(&self.pool).wants(capacity);
        let spare = format!("{sequence:016x}.spare");
        let gone = if keep { self.storage.rename(name, &spare) } else { self.storage.remove(name) };
        match gone {
            // It went the last time, and only the sync failed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
        self.storage.sync_dir()?;
        let mut pool = lock(&self.pool);
        if keep {
            pool.add_spare(Spare { name: spare, file: Arc::clone(file), capacity });
            self.note_pool(&pool);
        } else {
            pool.forget(capacity);
        }
        Ok(())
    }

    /// Writes the cursors file.
    pub(crate) fn write_cursors(&self) -> io::Result<()> {
        let _alone = lock(&self.noting);
        // Cleared before the cursors are read: a delivery in between only causes one more write.
        self.cursors_dirty.store(false, Ordering::Release);
        let content = cursors::encode(self.identity.id, &self.lanes.cursors());
        replace(self.storage.as_ref(), cursors::NAME, &content).inspect_err(|error| {
            self.cursors_dirty.store(true, Ordering::Release);
            self.note_trouble("writing `cursors`", error);
        })
    }

    /// Writes the keys of requests below `low`, if there are any. Held by who frees.
    fn write_keys(&self, low: Position) -> io::Result<()> {
        let kept = self.keys.below(low);
        if kept.is_empty() {
            return Ok(());
        }
        let content = keys::encode(self.identity.id, &kept);
        replace(self.storage.as_ref(), keys::NAME, &content)
            .inspect_err(|error| self.note_trouble("writing `keys`", error))
    }

    /// The queue is closed: waits for the writer, then writes down where everything stands.
    fn finish(&self, writer: JoinHandle<Ended>) {
        self.notes.close();
        let outcome = match writer.join() {
            Ok(Ended { failed: Some(detail), .. }) => Err(detail),
            Ok(Ended { chain, next, .. }) => self.close_books(chain, next),
            Err(_) => Err("the writer thread panicked".into()),
        };
        self.storage.close();
        self.progress.send_modify(|progress| progress.closed = Some(outcome));
    }

    fn close_books(&self, chain: Position, next: Position) -> Result<(), Arc<str>> {
        let described = |what: &str, error: &io::Error| Arc::from(format!("{what}: {error}"));
        self.write_cursors().map_err(|error| described("writing `cursors`", &error))?;
        let end = lock(&self.segments).has_frames().then_some(chain);
        let mut meta = lock(&self.meta);
        *meta = Meta { floor: next, state: State::Closed { end }, ..*meta };
        replace(self.storage.as_ref(), meta::NAME, &meta.encode())
            .map_err(|error| described("writing `meta`", &error))
    }
}
