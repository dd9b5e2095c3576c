//! Where does a lane begin to read? Where the sink's own record has its first gap.
//!
//! The record is the truth and the journal's cursor a hint, so a lane asks before it sends
//! anything, and asks again when it is in doubt. What the sink has already may lie between what it
//! has not, down to a part of a frame: no batch covers that again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate::Moment;
use tidegate::breaker::{Phase, Verdict};
use tidegate_event::{Position, Rows};
use tidegate_journal::{Frame, ReadError, UnknownPositions};
use tidegate_sinks::DeliveryFailure;

use super::error::{LaneError, is_final};
use super::letting_go::SKIP_BYTES;
use super::outage::Leave;
use super::shared::State;
use super::{Lane, Signals, cut};
use crate::dead_letters::StoreError;
use crate::route::Run;

impl Lane {
    /// Asks the sink what was delivered, until it says so or the server stops, and begins to read
    /// where something is missing.
    pub(super) async fn recover(&mut self) -> Result<(), LaneError> {
        self.queue.clear();
        self.forget_cases();
        while self.in_doubt && !self.gives_up() {
            let Some(leave) = self.leave_to_ask().await? else { continue };
            let low = self.cursor.low_water();
            let asked = self.sink.delivered(&self.shared.lane, low);
            let failure = match tokio::time::timeout(self.bounds.timeout, asked).await {
                Ok(Ok(ranges)) => match self.kept_above(low).await {
                    Ok(kept) => {
                        self.begin_after(ranges)?;
                        self.settle_kept(kept)?;
                        continue;
                    }
                    Err(error) => DeliveryFailure::Retry(error.to_string()),
                },
                Ok(Err(failure)) if is_final(&failure) => return Err(self.gave_up(failure)),
                Ok(Err(failure)) => {
                    leave.answered(self.shared.clock.now(), Verdict::Failed);
                    failure
                }
                Err(_) => {
                    leave.answered(self.shared.clock.now(), Verdict::Failed);
                    let timeout = self.bounds.timeout;
                    DeliveryFailure::Retry(format!("no answer within {timeout:?}"))
                }
            };
            let now = self.shared.clock.now();
            let wait = match self.failing.outage.phase(now) {
                // The breaker alone owns an outage: a wait of the lane's own would outlast it.
                Phase::Open { until } => until.since(now),
                _ => {
                    let random = self.failing.outage.roll();
                    self.failing.policy.backoff.wait(self.refusals + 1, None, random)
                }
            };
            self.tell_refusal(&failure, wait);
            self.ask_at = Some(now + wait);
            let (why, attempts) = (failure.to_string(), self.refusals);
            let state = State::Retrying { why, attempts };
            self.shared.set_state(if self.detached { State::Detached } else { state });
        }
        Ok(())
    }

    /// Letters that are kept of this lane's items.
    async fn kept_above(&self, low: Position) -> Result<Vec<Position>, StoreError> {
        let (sink, lane) = (Arc::clone(&self.shared.sink), Arc::clone(&self.shared.lane));
        self.failing.dead_letters.positions(self.failing.journal, sink, lane, low).await
    }

    /// Waits until the sink may be asked; `None` when something else has happened meanwhile. A
    /// lane that is let go of reads on.
    async fn leave_to_ask(&mut self) -> Result<Option<Leave>, LaneError> {
        let now = self.shared.clock.now();
        self.follow(self.failing.outage.phase(now), now);
        let wait = match self.ask_at.filter(|at| *at > now) {
            Some(at) => Some(at),
            None => match self.failing.outage.admit(now) {
                Ok(leave) => {
                    self.ask_at = None;
                    return Ok(Some(leave));
                }
                Err(wait) => wait,
            },
        };
        let drains = *self.signals.drain.borrow();
        let Signals { drain, detach, .. } = &mut self.signals;
        let frames = tokio::select! {
            () = self.shared.clock.sleep_until(wait) => return Ok(None),
            Ok(()) = self.changes.changed() => return Ok(None),
            _ = drain.wait_for(|drain| *drain), if !drains => {
                self.ask_at = None;
                return Ok(None);
            }
            Ok(()) = detach.changed() => None,
            frames = self.reader.next(SKIP_BYTES), if self.detached => Some(frames),
        };
        match frames {
            Some(frames) => self.arrived(frames)?,
            None => self.let_go_if_told(),
        }
        Ok(None)
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
        let missing = self.cursor.undelivered_in(positions.clone());
        let missing = missing.iter().flat_map(|range| cut::without(range, &self.given_up));
        for missing in missing.collect::<Vec<_>>() {
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
        self.note_all(&[range])
    }

    /// Tells the journal, in one, that all of these are.
    pub(super) fn note_all(&self, ranges: &[Range<Position>]) -> Result<(), LaneError> {
        let lane = Arc::clone(&self.shared.lane);
        self.cursor
            .all_delivered(ranges)
            .map_err(|unknown| LaneError::Journal { lane, why: unknown.to_string() })
    }
}
