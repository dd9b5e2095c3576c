//! Which segments hold frames, and where in them is a position?
//!
//! The last one is written to; its `end` moves only when what is before it is durable, so whoever
//! reads through here never sees a frame that could still be lost. A sparse index (one entry a
//! mebibyte) finds any position with at most that much reading.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tidegate_event::Position;

use crate::format::segment::FRAMES_AT;
use crate::pool::Ready;
use crate::storage::StorageFile;

/// Distance of index entries.
const INDEX_BYTES: u64 = 1 << 20;

/// A segment that holds frames or is next to.
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    pub(crate) salt: u64,
    pub(crate) capacity: u64,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn StorageFile>,
    /// The position its first frame has, or will have.
    pub(crate) first: Position,
    /// The position after its last durable item.
    pub(crate) next: Position,
    /// The offset after its last durable frame.
    pub(crate) end: u64,
    pub(crate) index: Index,
}

impl Segment {
    /// An empty segment that is to hold frames from `first` on.
    pub(crate) fn opened(ready: Ready, first: Position) -> Self {
        let Ready { sequence, salt, capacity, name, file } = ready;
        let (next, end, index) = (first, FRAMES_AT, Index::default());
        Self { sequence, salt, capacity, name, file, first, next, end, index }
    }
}

/// Where frames begin, one for each mebibyte.
#[derive(Debug, Default)]
pub(crate) struct Index(Vec<(Position, u64)>);

impl Index {
    /// Notes that a frame with this first position begins at `at`, if it is time for an entry.
    pub(crate) fn note(&mut self, first: Position, at: u64) {
        if self.0.last().map_or(FRAMES_AT, |&(_, last)| last) + INDEX_BYTES <= at {
            self.0.push((first, at));
        }
    }

    fn before(&self, position: Position) -> Option<(Position, u64)> {
        let after = self.0.partition_point(|&(first, _)| first <= position);
        self.0.get(after.checked_sub(1)?).copied()
    }
}

/// Where to read on.
pub(crate) struct Place {
    pub(crate) sequence: u64,
    pub(crate) salt: u64,
    pub(crate) file: Arc<dyn StorageFile>,
    /// The offsets to read.
    pub(crate) offsets: Range<u64>,
    /// The first position expected at the beginning of `offsets`.
    pub(crate) expected: Position,
    /// The position after the last one in this segment.
    pub(crate) next: Position,
}

/// Where a reader stopped, so that it need not search again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hint {
    pub(crate) sequence: u64,
    pub(crate) offset: u64,
    pub(crate) position: Position,
}

/// The segments in order; the last is the active one.
#[derive(Default)]
pub(crate) struct Segments {
    list: VecDeque<Segment>,
}

impl Segments {
    pub(crate) fn push(&mut self, segment: Segment) {
        self.list.push_back(segment);
    }

    pub(crate) fn active_mut(&mut self) -> Option<&mut Segment> {
        self.list.back_mut()
    }

    /// Whether any frame is kept.
    pub(crate) fn has_frames(&self) -> bool {
        self.list.iter().any(|segment| segment.end > FRAMES_AT)
    }

    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// The oldest position kept.
    pub(crate) fn first(&self) -> Option<Position> {
        self.list.front().map(|segment| segment.first)
    }

    /// Bytes of frames from the one with this position on: at most a mebibyte too many.
    pub(crate) fn bytes_from(&self, position: Position) -> u64 {
        let at = self.list.partition_point(|segment| segment.next <= position);
        let mut held = self.list.iter().skip(at);
        let first = held.next().map_or(0, |segment| {
            let from = segment.index.before(position).map_or(FRAMES_AT, |(_, offset)| offset);
            segment.end - from
        });
        first + held.map(|segment| segment.end - FRAMES_AT).sum::<u64>()
    }

    pub(crate) fn is_live(&self, sequence: u64) -> bool {
        self.list.iter().any(|segment| segment.sequence == sequence)
    }

    /// Where the frame with this position, or the first after it, is to be looked for.
    pub(crate) fn locate(&self, position: Position, hint: Option<Hint>) -> Option<Place> {
        let at = self.list.partition_point(|segment| segment.next <= position);
        let segment = self.list.get(at)?;
        let hinted = hint
            .filter(|hint| hint.sequence == segment.sequence && hint.position == position)
            .map(|hint| (hint.position, hint.offset));
        let (expected, offset) =
            hinted.or_else(|| segment.index.before(position)).unwrap_or((segment.first, FRAMES_AT));
        Some(Place {
            sequence: segment.sequence,
            salt: segment.salt,
            file: Arc::clone(&segment.file),
            offsets: offset..segment.end,
            expected,
            next: segment.next,
        })
    }

    /// When every lane has passed this position, there is a segment to free.
    pub(crate) fn oldest_closed_end(&self) -> Option<Position> {
        self.first_freeable().map(|segment| segment.next)
    }

    /// Takes out the oldest segment if every lane has passed it. The active one stays, and so
    /// does the last one with frames: the end of the chain of positions must be on disk.
    pub(crate) fn take_passed(&mut self, low: Position) -> Option<Segment> {
        self.first_freeable().filter(|segment| segment.next <= low)?;
        self.list.pop_front()
    }

    /// Takes back the oldest segment, which could not be freed.
    pub(crate) fn put_back(&mut self, segment: Segment) {
        self.list.push_front(segment);
    }

    fn first_freeable(&self) -> Option<&Segment> {
        let later = self.list.get(1)?;
        let last_has_frames = self.list.len() > 2 || later.end > FRAMES_AT;
        self.list.front().filter(|_| last_has_frames)
    }
}
