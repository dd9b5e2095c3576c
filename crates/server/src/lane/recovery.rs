//! Where does a lane begin to read? Where the sink's own record has its first gap.
//!
//! The record is the truth and the journal's cursor a hint, so a lane asks before it sends
//! anything, and asks again when it is in doubt. What the sink has already may lie between what it
//! has not, down to a part of a frame: no batch covers that again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate::Moment;
use tidegate_event::{Position, Rows};
use tidegate_journal::{Frame, ReadError, UnknownPositions};

use super::error::{LaneError, is_final};
use super::letting_go::SKIP_BYTES;
use super::{Lane, Signals};
use crate::route::Run;

impl Lane {
    /// Asks the sink what was delivered, until it says so or the server stops, and begins to read
    /// where something is missing.
    pub(super) async fn recover(&mut self) -> Result<(), LaneError> {
        self.queue.clear();
        self.refused.clear();
        while self.in_doubt && !self.gives_up() {
            if let Some(retry_at) = self.retry_at.take() {
                self.rest_until(retry_at).await?;
            }
            match self.course.sink.delivered(&self.shared.lane, self.cursor.low_water()).await {
                Ok(ranges) => self.begin_after(ranges)?,
                Err(failure) if is_final(&failure) => return Err(self.given_up(failure)),
                Err(failure) => self.wait_after(&failure, None),
            }
        }
        Ok(())
    }

    /// Waits for a moment, or until the lane drains. A lane that is let go of reads on meanwhile.
    async fn rest_until(&mut self, moment: Moment) -> Result<(), LaneError> {
        let drains = *self.signals.drain.borrow();
        loop {
            let Signals { drain, detach, .. } = &mut self.signals;
            let frames = tokio::select! {
                () = self.shared.clock.sleep_until(Some(moment)) => return Ok(()),
                _ = drain.wait_for(|drain| *drain), if !drains => return Ok(()),
                Ok(()) = detach.changed() => None,
                frames = self.reader.next(SKIP_BYTES), if self.detached => Some(frames),
            };
            match frames {
                Some(frames) => self.arrived(frames)?,
                None => self.let_go_if_told(),
            }
        }
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
        if let Some(notes) = &self.course.notes {
            // The journal alone knows what such a sink has, and how the rest was cut.
            self.known_below = self.known_below.max(self.cursor.delivered_end());
            self.queue.fix(notes.in_doubt());
        }
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
        if self.detached {
            return self.skip(&frames);
        }
        let now = self.shared.clock.now();
        for frame in frames {
            for group in &frame.groups {
                let rows = Rows::new(group.rows.clone(), group.items);
                if group.first.min(self.queued_end) < self.known_below {
                    self.queue_missing(group.positions(), rows, now)?;
                } else {
                    self.enqueue(group.first, rows, now)?;
                }
                self.queued_end = group.positions().end;
            }
        }
        for done in self.queue.reach(self.reader.place()) {
            self.note(done)?;
        }
        Ok(())
    }

    /// Queues the rows that the sink is to get, in the form in which it gets them.
    fn enqueue(&mut self, first: Position, rows: Rows, now: Moment) -> Result<(), LaneError> {
        if self.route.is_open() {
            self.queue.push(first, rows, now);
            return Ok(());
        }
        let mut at = first;
        for run in self.route.runs(&rows) {
            let end = at + u64::from(run.count());
            match run {
                Run::Wanted(rows) => self.queue.push(at, rows, now),
                Run::Filtered(count) => {
                    self.shared.filtered.fetch_add(u64::from(count), Ordering::Relaxed);
                    for done in self.queue.pass(at..end) {
                        self.note(done)?;
                    }
                }
            }
            at = end;
        }
        Ok(())
    }

    /// Queues the rows that the sink does not have yet. Between them, and before them, there may be
    /// some that it has: no batch may span those.
    fn queue_missing(
        &mut self,
        positions: Range<Position>,
        mut rows: Rows,
        now: Moment,
    ) -> Result<(), LaneError> {
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
            self.enqueue(missing.start, rows.split_to(take), now)?;
            at = missing.end;
        }
        if at < positions.end {
            self.queue.push_hole();
        }
        Ok(())
    }

    /// Tells the journal what is delivered.
    pub(super) fn note(&self, range: Range<Position>) -> Result<(), LaneError> {
        let lane = Arc::clone(&self.shared.lane);
        self.cursor
            .delivered(range)
            .map_err(|unknown| LaneError::Journal { lane, why: unknown.to_string() })
    }
}
