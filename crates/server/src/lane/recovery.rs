//! Where does a lane begin to read? Where the sink's own record has its first gap.
//!
//! The record is the truth and the journal's cursor a hint, so a lane asks before it sends
//! anything, and asks again when it is in doubt. What the sink has already may lie between what it
//! has not, down to a part of a frame: no batch covers that again.

use std::ops::Range;
use std::sync::Arc;

use tidegate::Moment;
use tidegate_event::{Position, Rows};
use tidegate_journal::{Frame, ReadError, UnknownPositions};

use super::Lane;
use super::error::{LaneError, is_final};

impl Lane {
    /// Asks the sink what was delivered, until it says so or the server stops, and begins to read
    /// where something is missing.
    pub(super) async fn recover(&mut self) -> Result<(), LaneError> {
        self.queue.clear();
        self.refused.clear();
        while self.in_doubt && !self.gives_up() {
            let drains = *self.signals.drain.borrow();
            if let Some(retry_at) = self.retry_at.take() {
                tokio::select! {
                    () = self.shared.clock.sleep_until(Some(retry_at)) => {}
                    _ = self.signals.drain.wait_for(|drain| *drain), if !drains => {}
                }
            }
            match self.sink.delivered(&self.shared.lane, self.cursor.low_water()).await {
                Ok(ranges) => self.begin_after(ranges)?,
                Err(failure) if is_final(&failure) => return Err(self.given_up(failure)),
                Err(failure) => self.wait_after(&failure, None),
            }
        }
        Ok(())
    }

    /// Goes on where the sink's record has its first gap.
    fn begin_after(&mut self, delivered: Vec<Range<Position>>) -> Result<(), LaneError> {
        for range in delivered {
            self.known_below = self.known_below.max(range.end);
            let Err(ahead) = self.cursor.delivered(range.clone()) else { continue };
            let UnknownPositions { durable, .. } = ahead;
            if range.end > self.bounds.skipped_to {
                let (sink, delivered) = (Arc::clone(&self.shared.sink), range.end);
                return Err(LaneError::Ahead { sink, delivered, durable });
            }
            // The journal skips these, so only what it knows has to be noted.
            if range.start < durable {
                self.note(range.start..durable)?;
            }
        }
        let from = self.cursor.low_water();
        self.reader.seek(from);
        self.queued_end = from;
        self.in_doubt = false;
        self.go_on(self.shared.clock.now());
        let (lane, sink) = (&self.shared.lane, &self.shared.sink);
        tracing::info!(%sink, %lane, from, "delivering");
        Ok(())
    }

    /// Queues what the journal gave, except what the sink has.
    pub(super) fn arrived(
        &mut self,
        frames: Result<Vec<Arc<Frame>>, ReadError>,
    ) -> Result<(), LaneError> {
        let frames = frames.map_err(|error| LaneError::Journal {
            lane: Arc::clone(&self.shared.lane),
            why: error.to_string(),
        })?;
        let now = self.shared.clock.now();
        for frame in frames {
            for group in &frame.groups {
                let rows = Rows::new(group.rows.clone(), group.items);
                if group.first.min(self.queued_end) < self.known_below {
                    self.queue_missing(group.positions(), rows, now);
                } else {
                    self.queue.push(group.first, rows, now);
                }
                self.queued_end = group.positions().end;
            }
        }
        Ok(())
    }

    /// Queues the rows that the sink does not have yet. Between them, and before them, there may be
    /// some that it has: no batch may span those.
    fn queue_missing(&mut self, positions: Range<Position>, mut rows: Rows, now: Moment) {
        if positions.start != self.queued_end {
            self.queue.push_hole();
        }
        let mut at = positions.start;
        for missing in self.cursor.undelivered_in(positions.clone()) {
            let skip = u32::try_from(missing.start - at).unwrap_or(u32::MAX);
            let take = u32::try_from(missing.end - missing.start).unwrap_or(u32::MAX);
            if skip > 0 {
                rows.split_to(skip);
                self.queue.push_hole();
            }
            self.queue.push(missing.start, rows.split_to(take), now);
            at = missing.end;
        }
        if at < positions.end {
            self.queue.push_hole();
        }
    }

    /// Tells the journal what is delivered.
    pub(super) fn note(&self, range: Range<Position>) -> Result<(), LaneError> {
        let lane = Arc::clone(&self.shared.lane);
        self.cursor
            .delivered(range)
            .map_err(|unknown| LaneError::Journal { lane, why: unknown.to_string() })
    }
}
