//! Which lanes are there, and what is the least of what they have done?
//!
//! The least low-water mark decides which segments may be freed, the least read position which
//! frames may leave memory. Lanes that are known from the cursors file but not registered hold
//! neither: a sink that was removed from the configuration must not fill the disk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_event::Position;

use crate::cursor::Cursor;
use crate::error::LaneError;
use crate::format::cursors::Cursors;
use crate::shared::lock;
use crate::stats::LaneStats;

/// More than any configuration needs; the commit path looks at each.
pub(crate) const LANES_MAX: usize = 1024;

/// Which groups a lane wants. Groups it does not want count as passed.
///
/// ```
/// use tidegate_journal::ClassFilter;
///
/// let urgent = ClassFilter::Only("urgent".into());
/// let others = ClassFilter::AllBut(vec!["urgent".into()]);
/// assert!(urgent.wants("urgent") && !urgent.wants(""));
/// assert!(!others.wants("urgent") && others.wants(""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassFilter {
    /// Those of one declared class.
    Only(Arc<str>),
    /// All but those of these classes; with none named, all.
    AllBut(Vec<Arc<str>>),
}

impl ClassFilter {
    /// Every group.
    #[must_use]
    pub fn all() -> Self {
        Self::AllBut(Vec::new())
    }

    /// Whether a lane with this filter wants groups of `class`.
    #[must_use]
    pub fn wants(&self, class: &str) -> bool {
        match self {
            Self::Only(name) => name.as_ref() == class,
            Self::AllBut(names) => names.iter().all(|name| name.as_ref() != class),
        }
    }
}

/// Where a lane without a cursor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaneStart {
    /// At the oldest position kept.
    #[default]
    Oldest,
    /// Behind the last durable item: it gets only what is accepted from now on.
    Newest,
}

/// What a lane's handles share.
pub(crate) struct LaneState {
    pub(crate) name: Arc<str>,
    pub(crate) filter: ClassFilter,
    pub(crate) cursor: Mutex<Cursor>,
    /// A copy of the cursor's low-water mark, to be read without its lock.
    pub(crate) low: AtomicU64,
    /// The next position its reader takes; `Position::MAX` while there is no reader.
    pub(crate) read: AtomicU64,
    pub(crate) has_reader: AtomicBool,
    /// Whether its batches are noted before they are attempted.
    pub(crate) noted: AtomicBool,
}

#[derive(Default)]
struct Inner {
    registered: Vec<Arc<LaneState>>,
    /// Cursors of lanes that are not registered.
    known: Cursors,
}

/// All lanes of a journal.
#[derive(Default)]
pub(crate) struct Lanes {
    inner: Mutex<Inner>,
    /// Whether all lanes are registered that will hold anything.
    complete: AtomicBool,
}

impl Lanes {
    pub(crate) fn new(known: Cursors) -> Self {
        let registered = Vec::new();
        let inner = Mutex::new(Inner { registered, known });
        Self { inner, complete: AtomicBool::new(false) }
    }

    /// Registers a lane, or gives one whose reader is gone a new one. It goes on from its cursor,
    /// raised to `oldest`; `begin` is where it begins if it has none.
    pub(crate) fn register(
        &self,
        name: &str,
        filter: ClassFilter,
        oldest: Position,
        begin: Position,
    ) -> Result<Arc<LaneState>, LaneError> {
        if name.is_empty() || name.len() > 255 {
            return Err(LaneError::Name { bytes: name.len() });
        }
        let mut inner = lock(&self.inner);
        let mut cursor = None;
        if let Some(at) = inner.registered.iter().position(|lane| lane.name.as_ref() == name) {
            let in_use =
                inner.registered.get(at).is_none_or(|lane| lane.has_reader.load(Ordering::Acquire));
            if in_use {
                return Err(LaneError::InUse { name: name.to_owned() });
            }
            // Its filter may be another now; what is delivered stays delivered, and cursor handles
            // of the former life must not be forgotten: they share the state if nothing changed.
            let lane = inner.registered.swap_remove(at);
            if lane.filter == filter {
                let low = lock(&lane.cursor).low();
                lane.read.store(low, Ordering::Release);
                lane.has_reader.store(true, Ordering::Release);
                inner.registered.push(Arc::clone(&lane));
                return Ok(lane);
            }
            cursor = Some(lock(&lane.cursor).clone());
        }
        if inner.registered.len() >= LANES_MAX {
            return Err(LaneError::TooMany { max: LANES_MAX });
        }
        let cursor = cursor.or_else(|| inner.known.remove(name));
        let mut cursor = cursor.unwrap_or_else(|| Cursor::at(begin));
        cursor.raise(oldest);
        let low = cursor.low();
        let lane = Arc::new(LaneState {
            name: name.into(),
            filter,
            cursor: Mutex::new(cursor),
            low: AtomicU64::new(low),
            read: AtomicU64::new(low),
            has_reader: AtomicBool::new(true),
            noted: AtomicBool::new(false),
        });
        inner.registered.push(Arc::clone(&lane));
        Ok(lane)
    }

    /// Stops keeping anything for a lane; its cursor stays known. False if it was not registered.
    pub(crate) fn detach(&self, lane: &Arc<LaneState>) -> bool {
        let mut inner = lock(&self.inner);
        let Some(at) = inner.registered.iter().position(|other| Arc::ptr_eq(other, lane)) else {
            return false;
        };
        inner.registered.swap_remove(at);
        let cursor = lock(&lane.cursor).clone();
        inner.known.insert(lane.name.to_string(), cursor);
        true
    }

    /// All lanes are registered; returns the names of those that are known and are not.
    pub(crate) fn complete(&self) -> Vec<String> {
        self.complete.store(true, Ordering::Release);
        lock(&self.inner).known.keys().cloned().collect()
    }

    /// Everything below is done by every lane; `None` while nobody can tell, because there are no
    /// lanes or not all of them are registered yet.
    pub(crate) fn low(&self) -> Option<Position> {
        if !self.complete.load(Ordering::Acquire) {
            return None;
        }
        let inner = lock(&self.inner);
        inner.registered.iter().map(|lane| lane.low.load(Ordering::Acquire)).min()
    }

    /// Everything below was read by every registered lane that has a reader.
    pub(crate) fn read(&self) -> Option<Position> {
        let inner = lock(&self.inner);
        let least = inner.registered.iter().map(|lane| lane.read.load(Ordering::Acquire)).min();
        least.filter(|&read| read != Position::MAX)
    }

    /// All cursors, those of lanes not registered included.
    pub(crate) fn cursors(&self) -> Cursors {
        let inner = lock(&self.inner);
        let mut cursors = inner.known.clone();
        for lane in &inner.registered {
            cursors.insert(lane.name.to_string(), lock(&lane.cursor).clone());
        }
        cursors
    }

    pub(crate) fn stats(&self, durable: Position) -> Vec<LaneStats> {
        let inner = lock(&self.inner);
        let lane_stats = |lane: &Arc<LaneState>| {
            let read = lane.read.load(Ordering::Acquire);
            let cursor = lock(&lane.cursor);
            LaneStats {
                name: Arc::clone(&lane.name),
                low_water: cursor.low(),
                next_read: if read == Position::MAX { cursor.low() } else { read },
                ranges: cursor.above().ranges(),
                backlog: cursor.backlog(durable),
            }
        };
        inner.registered.iter().map(lane_stats).collect()
    }
}
