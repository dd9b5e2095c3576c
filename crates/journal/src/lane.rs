//! How does one sink's queue say what is done?
//!
//! A lane comes in two halves, because they live in different tasks: the reader goes through the
//! journal once, in order, and the cursor is told, from wherever a delivery ends, which positions
//! are done. Between the two there may be any number of items on their way.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_event::Position;

use crate::error::{ReadError, UnknownPositions};
use crate::frame::Frame;
use crate::lanes::LaneState;
use crate::notes::BatchNotes;
use crate::reader::LaneReader;
use crate::shared::{Shared, lock};

/// A registered lane. While it is registered, nothing it has not delivered is freed; dropping it
/// does not change that, [`LaneCursor::detach`] does.
#[derive(Debug)]
pub struct Lane {
    reader: LaneReader,
    cursor: LaneCursor,
}

impl Lane {
    pub(crate) fn new(shared: &Arc<Shared>, state: &Arc<LaneState>) -> Self {
        let cursor = LaneCursor { shared: Arc::clone(shared), state: Arc::clone(state) };
        let reader = LaneReader::new(cursor.clone());
        Self { reader, cursor }
    }

    /// The half that reads and the half that takes note of deliveries.
    #[must_use]
    pub fn split(self) -> (LaneReader, LaneCursor) {
        (self.reader, self.cursor)
    }

    /// See [`LaneReader::next`].
    ///
    /// # Errors
    /// As there.
    pub async fn next(&mut self, bytes_max: usize) -> Result<Vec<Arc<Frame>>, ReadError> {
        self.reader.next(bytes_max).await
    }

    /// See [`LaneReader::seek`].
    pub fn seek(&mut self, position: Position) {
        self.reader.seek(position);
    }

    /// The half that takes note of deliveries.
    #[must_use]
    pub fn cursor(&self) -> &LaneCursor {
        &self.cursor
    }
}

/// Takes note of what a lane has delivered. Cheap to clone; every clone is the same lane.
#[derive(Clone)]
pub struct LaneCursor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<LaneState>,
}

impl std::fmt::Debug for LaneCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneCursor")
            .field("name", &self.state.name)
            .field("low_water", &self.low_water())
            .finish()
    }
}

impl LaneCursor {
    /// The lane's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// These positions are delivered, in the sink's own durable record: once every lane has passed
    /// them, the journal deletes them. In any order; again is harmless.
    ///
    /// # Errors
    /// [`UnknownPositions`] if the range reaches beyond what is durable; nothing is noted then.
    pub fn delivered(&self, range: Range<Position>) -> Result<(), UnknownPositions> {
        self.all_delivered(&[range])
    }

    /// All of these are delivered: what was taken of a batch that was answered item by item. They
    /// are noted together, so that no crash can part them: of a batch of which a part was noted
    /// nobody would know how the rest had been cut.
    ///
    /// # Errors
    /// [`UnknownPositions`] if one reaches beyond what is durable; nothing is noted then.
    pub fn all_delivered(&self, ranges: &[Range<Position>]) -> Result<(), UnknownPositions> {
        let durable = self.shared.synced.load(Ordering::Acquire);
        if let Some(range) = ranges.iter().find(|range| range.end > durable) {
            return Err(UnknownPositions { range: range.clone(), durable });
        }
        self.pass(ranges.iter().cloned());
        // After the cursor, which the notes may be written from.
        if self.state.noted.load(Ordering::Acquire) {
            self.shared.notes.done(&self.shared.settings, &self.state.name, ranges);
        }
        Ok(())
    }

    /// Everything below is delivered or was never for this lane.
    #[must_use]
    pub fn low_water(&self) -> Position {
        self.state.low.load(Ordering::Acquire)
    }

    /// The position after the last one that is delivered or passed.
    #[must_use]
    pub fn delivered_end(&self) -> Position {
        lock(&self.state.cursor).end()
    }

    /// Notes the lane's batches from now on, for a sink that keeps no record of its own.
    #[must_use]
    pub fn notes(&self) -> BatchNotes {
        BatchNotes::new(Arc::clone(&self.shared), Arc::clone(&self.state))
    }

    /// Durable items not delivered or passed yet.
    #[must_use]
    pub fn backlog_items(&self) -> u64 {
        let durable = self.shared.durable();
        lock(&self.state.cursor).backlog(durable)
    }

    /// The parts of `range` that are not delivered: all of them, unless the lane has begun again
    /// at its low-water mark while ranges above it are done.
    #[must_use]
    pub fn undelivered_in(&self, range: Range<Position>) -> Vec<Range<Position>> {
        lock(&self.state.cursor).undelivered_in(range)
    }

    /// Stops keeping anything for this lane. Its cursor stays known, so that a lane registered
    /// under this name later goes on from there, or from the oldest position that is left.
    /// Returns false if it was not registered any more.
    pub fn detach(&self) -> bool {
        let was_registered = self.shared.lanes.detach(&self.state);
        if !self.shared.is_memory() {
            self.shared.keeper.retain();
        }
        was_registered
    }

    pub(crate) fn pass(&self, ranges: impl Iterator<Item = Range<Position>>) {
        let mut cursor = lock(&self.state.cursor);
        let before = cursor.delivered_count();
        for range in ranges {
            cursor.deliver(range);
        }
        let low = cursor.low();
        let changed = cursor.delivered_count() != before;
        // Under the cursor's lock, so that the copy never goes back.
        self.state.low.store(low, Ordering::Release);
        drop(cursor);
        if changed {
            self.shared.note_delivered(low);
        }
    }
}
