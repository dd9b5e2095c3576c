//! How does an event get from the journal to its sink? Through its lane.
//!
//! A lane reads the journal in order, queues views of its frames, and sends batches as its
//! [`Engine`](tidegate::Engine) says. It is one task with one loop; what it awaits is an answer of
//! the sink, a fresh frame, a timer of the engine, or the end.
//!
//! * The sink's record is the truth: a lane begins by asking what was delivered, and asks again
//!   when a batch contradicts that record. The journal's cursor is told only after the answer.
//! * A batch that the sink does not take now is kept and tried again, before anything new: it
//!   keeps its place. Meanwhile the engine pauses, the queue fills up to its bounds, reading stops,
//!   and the journal takes the load.
//! * What is in flight and what waits is bounded; the rest of a backlog stays on disk.

mod backoff;
mod flight;
pub(crate) mod queue;
pub(crate) mod shared;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate::engine::{Cut, Step};
use tidegate::{Feedback, FlushReason, Moment, Outcome};
use tidegate_event::{Position, Rows};
use tidegate_journal::{Frame, LaneCursor, LaneReader, ReadError, UnknownPositions};
use tidegate_sinks::{Batch, Delivery, DeliveryFailure, Sink};
use tokio::sync::watch;

use backoff::Backoff;
use flight::{Flight, Flights};
use queue::PositionQueue;
use shared::{Shared, State};

/// Attempts in a row that a sink may refuse before a lane that drains leaves the rest to the
/// journal.
const DRAIN_ATTEMPTS: u32 = 3;

/// How far a lane reads ahead of what it sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Most events that wait.
    pub(crate) queue_items: u64,
    /// Most bytes that wait.
    pub(crate) queue_bytes: u64,
    /// Longest time an attempt may take.
    pub(crate) timeout: Duration,
    /// The journal gives no position below this one to a new event.
    pub(crate) skipped_to: Position,
}

/// What a lane listens to besides its journal and its sink.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    /// Whether to deliver what is left and end.
    pub(crate) drain: watch::Receiver<bool>,
    /// The host's load.
    pub(crate) host: watch::Receiver<Feedback>,
}

/// One lane of one sink.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    sink: Arc<dyn Sink>,
    bounds: Bounds,
    reader: LaneReader,
    cursor: LaneCursor,
    signals: Signals,
    queue: PositionQueue,
    flights: Flights,
    /// Batches that the sink did not take, oldest first, and when the first may go again.
    refused: Vec<Batch>,
    retry_at: Option<Moment>,
    backoff: Backoff,
    /// Below this position some may have been delivered before this lane began.
    known_below: Position,
    /// The position after the last event that was queued.
    queued_end: Position,
    /// Whether the sink's record must be read before anything more is sent: at the start, when a
    /// batch contradicts it, and when the sink could not be reached (it may be another one now).
    in_doubt: bool,
}

/// A lane cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LaneError {
    /// The sink refuses this journal for good.
    #[error("sink `{sink}`: {failure}")]
    Sink {
        /// The sink's name.
        sink: Arc<str>,
        /// What it said.
        failure: DeliveryFailure,
    },
    /// The sink has events that the journal does not know.
    #[error(
        "sink `{sink}` has events up to position {delivered}, but the journal ends at {durable}: it \
         was exchanged for another one while the server ran. New events may have got the names of \
         those that it has. Start again, so that the journal skips them"
    )]
    Ahead {
        /// The sink's name.
        sink: Arc<str>,
        /// The position after the last one that the sink has.
        delivered: Position,
        /// The position after the last one that the journal has.
        durable: Position,
    },
    /// The journal cannot be read.
    #[error("lane `{lane}` cannot read the journal: {why}")]
    Journal {
        /// The lane's name.
        lane: Arc<str>,
        /// What the journal said.
        why: String,
    },
}

impl Lane {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sink: Arc<dyn Sink>,
        bounds: Bounds,
        (reader, cursor): (LaneReader, LaneCursor),
        signals: Signals,
    ) -> Self {
        Self {
            shared,
            sink,
            bounds,
            reader,
            cursor,
            signals,
            queue: PositionQueue::default(),
            flights: Flights::default(),
            refused: Vec::new(),
            retry_at: None,
            backoff: Backoff::new(),
            known_below: 0,
            queued_end: 0,
            in_doubt: true,
        }
    }

    /// Delivers until it is told to drain and nothing is left, or the sink takes nothing more.
    pub(crate) async fn run(mut self) -> Result<(), LaneError> {
        let ended = self.deliver().await;
        self.shared.set_state(State::Stopped);
        ended
    }

    async fn deliver(&mut self) -> Result<(), LaneError> {
        loop {
            if self.in_doubt && self.flights.is_empty() {
                self.recover().await?;
            }
            let wait = self.step();
            if self.is_done() {
                return Ok(());
            }
            self.next_edge(wait).await?;
            self.publish();
        }
    }

    /// Asks the sink what was delivered, until it says so or the server stops, and begins to read
    /// where something is missing.
    async fn recover(&mut self) -> Result<(), LaneError> {
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

    /// Sends what is due; returns the engine's timer.
    fn step(&mut self) -> Option<Moment> {
        loop {
            let now = self.shared.clock.now();
            if self.in_doubt {
                return None;
            }
            if let Some(at) = self.retry_at {
                if at > now || !self.flights.is_empty() {
                    return Some(at).filter(|at| *at > now);
                }
                self.retry(now);
                return None;
            }
            let shared = Arc::clone(&self.shared);
            let mut engine = shared.engine();
            match engine.poll(now, &self.queue.seen()) {
                Step::Wait(wait) => return wait.until,
                Step::Send(cut) => {
                    let batch = self.queue.cut(&self.shared.lane, cut)?;
                    let ticket = sent(&mut engine, now, cut, &batch);
                    self.send(batch, ticket);
                }
            }
        }
    }

    fn send(&mut self, batch: Batch, ticket: tidegate::engine::Ticket) {
        self.flights.launch(&self.sink, self.bounds.timeout, Flight { batch, ticket });
    }

    /// Sends the oldest batch that was refused, alone: it is the probe.
    fn retry(&mut self, now: Moment) {
        self.retry_at = None;
        if self.refused.is_empty() {
            return;
        }
        let batch = self.refused.remove(0);
        self.shared.retries.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        let mut engine = shared.engine();
        let cut = Cut {
            items_max: engine.plan().batch_size,
            bytes_max: engine.bounds().batch_bytes_max,
            // A batch that was small when it was cut must not look full now.
            reason: FlushReason::Linger,
        };
        let ticket = sent(&mut engine, now, cut, &batch);
        drop(engine);
        self.send(batch, ticket);
    }

    async fn next_edge(&mut self, until: Option<Moment>) -> Result<(), LaneError> {
        let clock = self.shared.clock;
        let reads = self.has_room();
        let chunk = usize::try_from(self.bounds.queue_bytes / 4).unwrap_or(usize::MAX).max(1 << 16);
        let drains = *self.signals.drain.borrow();
        tokio::select! {
            Some(flown) = self.flights.land() => self.landed(flown)?,
            frames = self.reader.next(chunk), if reads => self.arrived(frames)?,
            () = clock.sleep_until(until) => {}
            Ok(()) = self.signals.drain.changed(), if !drains => {
                self.shared.engine().drain();
                self.shared.set_state(State::Draining);
            }
            Ok(()) = self.signals.host.changed() => {
                let load = self.signals.host.borrow_and_update().clone();
                self.shared.engine().feedback(clock.now(), &load);
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        let queue = self.queue.seen();
        !self.in_doubt
            && queue.items < self.bounds.queue_items
            && queue.bytes < self.bounds.queue_bytes
    }

    /// Whether the lane was told to drain and there is nothing left to do, or no use in trying.
    fn is_done(&self) -> bool {
        let drains = *self.signals.drain.borrow();
        let delivered_all = self.cursor.backlog_items() == 0;
        drains && self.flights.is_empty() && (delivered_all || self.gives_up())
    }

    /// Whether to leave the rest to the journal: the lane drains, and the sink keeps refusing.
    fn gives_up(&self) -> bool {
        *self.signals.drain.borrow() && self.backoff.attempts() >= DRAIN_ATTEMPTS
    }

    fn arrived(&mut self, frames: Result<Vec<Arc<Frame>>, ReadError>) -> Result<(), LaneError> {
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

    /// An attempt was answered.
    fn landed(&mut self, (flight, delivery): (Flight, Delivery)) -> Result<(), LaneError> {
        let Flight { batch, ticket } = flight;
        let Delivery { outcome, failure, feedback } = delivery;
        let now = self.shared.clock.now();
        let waiting = self.queue.seen().items;
        let sample = self.shared.engine().answered(now, ticket, outcome, feedback, waiting);
        self.shared.attempted(now, sample.latency);
        let failure = match (outcome, failure) {
            (Outcome::Ok, _) => return self.delivered(&batch, now),
            (_, Some(failure)) => failure,
            (outcome, None) => DeliveryFailure::Retry(outcome.describe().into()),
        };
        if is_final(&failure) {
            return Err(self.given_up(failure));
        }
        let recut = matches!(failure, DeliveryFailure::Recut(_));
        self.in_doubt |= recut || outcome == Outcome::Unreachable;
        if recut && self.backoff.attempts() == 0 {
            // The sink is well, only our view of it was not: ask it at once, the first time.
            self.backoff.next(None);
            self.shared.engine().pause(now);
            return Ok(());
        }
        let place = self.refused.partition_point(|kept| kept.range.start < batch.range.start);
        self.refused.insert(place, batch);
        let asked = match outcome {
            Outcome::Throttled { retry_after } => retry_after,
            _ => None,
        };
        self.wait_after(&failure, asked);
        Ok(())
    }

    /// The sink took a batch.
    fn delivered(&mut self, batch: &Batch, now: Moment) -> Result<(), LaneError> {
        self.note_delivery(batch, now);
        self.note(batch.range.clone())?;
        if self.backoff.attempts() > 0 {
            let (lane, sink) = (&self.shared.lane, &self.shared.sink);
            let attempts = self.backoff.attempts();
            tracing::info!(%sink, %lane, attempts, "the sink takes batches again");
            self.backoff = Backoff::new();
        }
        if !self.in_doubt {
            self.go_on(now);
        }
        Ok(())
    }

    /// Tells the journal what is delivered.
    fn note(&self, range: Range<Position>) -> Result<(), LaneError> {
        let lane = Arc::clone(&self.shared.lane);
        self.cursor
            .delivered(range)
            .map_err(|unknown| LaneError::Journal { lane, why: unknown.to_string() })
    }

    /// Goes on with what was refused, if anything was, else with what is fresh.
    fn go_on(&mut self, now: Moment) {
        self.retry_at = (!self.refused.is_empty()).then_some(now);
        if self.retry_at.is_none() {
            self.shared.engine().resume(now);
        }
        if self.backoff.attempts() == 0 {
            let drains = *self.signals.drain.borrow();
            self.shared.set_state(if drains { State::Draining } else { State::Running });
        }
    }

    /// Sends nothing for a while, because the sink does not take it.
    fn wait_after(&mut self, failure: &DeliveryFailure, asked: Option<Duration>) {
        let now = self.shared.clock.now();
        let wait = self.backoff.next(asked);
        self.retry_at = Some(now + wait);
        self.shared.engine().pause(now);
        let attempts = self.backoff.attempts();
        self.shared.set_state(State::Retrying { why: failure.to_string(), attempts });
        let (lane, sink) = (&self.shared.lane, &self.shared.sink);
        // One line for each doubling of the wait, then one for each hundred attempts.
        if attempts <= 8 || attempts.is_multiple_of(100) {
            let wait_ms = wait.as_millis();
            tracing::warn!(%sink, %lane, attempts, wait_ms, %failure, "the sink takes nothing now");
        }
    }

    /// Notes how long the events of a batch took from the door to the sink.
    fn note_delivery(&self, batch: &Batch, now: Moment) {
        let unix_nanos = crate::clock::unix_nanos();
        let mut latency = self.shared.delivery_latency();
        for slice in &batch.slices {
            let Some(first) = slice.rows.iter().next() else { continue };
            let took = unix_nanos.saturating_sub(first.observed);
            let took = Duration::from_nanos(u64::try_from(took).unwrap_or(0));
            latency.record(now, took, u64::from(slice.rows.len()));
        }
    }

    fn given_up(&self, failure: DeliveryFailure) -> LaneError {
        LaneError::Sink { sink: Arc::clone(&self.shared.sink), failure }
    }

    fn publish(&self) {
        let queue = self.queue.seen();
        self.shared.queue_items.store(queue.items, Ordering::Relaxed);
        self.shared.queue_bytes.store(queue.bytes, Ordering::Relaxed);
    }
}

/// Whether no later attempt can succeed.
const fn is_final(failure: &DeliveryFailure) -> bool {
    matches!(failure, DeliveryFailure::Fenced { .. })
}

/// Reports a batch to the engine.
fn sent(
    engine: &mut tidegate::Engine,
    now: Moment,
    cut: Cut,
    batch: &Batch,
) -> tidegate::engine::Ticket {
    let items = u32::try_from(batch.items()).unwrap_or(u32::MAX);
    engine.sent(now, cut, items, batch.bytes())
}
