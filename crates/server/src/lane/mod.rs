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

mod answers;
mod backoff;
pub(crate) mod error;
mod flight;
mod letting_go;
mod queue;
mod recovery;
pub(crate) mod shared;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_at_least_once;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate::engine::{Cut, Step};
use tidegate::{Feedback, FlushReason, Moment};
use tidegate_event::Position;
use tidegate_journal::{LaneCursor, LaneReader};
use tidegate_sinks::{Batch, Sink};
use tokio::sync::watch;

use backoff::Backoff;
use error::LaneError;
use flight::{Course, Flight, Flights};
use queue::PositionQueue;
use shared::{Shared, State};

use crate::route::Route;

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
    /// Whether the sink holds more of the journal than it may and is to be let go of.
    pub(crate) detach: watch::Receiver<bool>,
}

/// One lane of one sink.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    course: Course,
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
    /// Which events the sink gets, and how.
    route: Arc<Route>,
    /// Whether nothing is kept for the sink: see `letting_go`.
    detached: bool,
}

impl Lane {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sink: Arc<dyn Sink>,
        bounds: Bounds,
        (reader, cursor): (LaneReader, LaneCursor),
        signals: Signals,
    ) -> Self {
        let notes = sink.keys_batches().then(|| cursor.notes());
        let course = Course { sink, timeout: bounds.timeout, notes, clock: shared.clock };
        Self {
            shared,
            course,
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
            route: Arc::default(),
            detached: false,
        }
    }

    /// Gives the sink only what this route says.
    pub(crate) fn routed(mut self, route: Arc<Route>) -> Self {
        self.route = route;
        self
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
            self.attach_if_well();
            let wait = self.step();
            // A batch in doubt of which the sink gets nothing any more has nothing to send.
            for done in self.queue.reach(0) {
                self.note(done)?;
            }
            if self.is_done() {
                return Ok(());
            }
            self.next_edge(wait).await?;
            self.publish();
        }
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
                Step::Send(mut cut) => {
                    if self.queue.repeats() {
                        // Its size was another plan's: it must not look full.
                        cut.reason = FlushReason::Linger;
                    }
                    let batch = self.queue.cut(&self.shared.lane, cut)?;
                    let ticket = sent(&mut engine, now, cut, &batch);
                    self.send(batch, ticket);
                }
            }
        }
    }

    fn send(&mut self, batch: Batch, ticket: tidegate::engine::Ticket) {
        self.flights.launch(&self.course, Flight { batch, ticket });
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
        if let Some(position) = self.queue.awaits() {
            self.reader.call_at(position);
        }
        let chunk = usize::try_from(self.bounds.queue_bytes / 4).unwrap_or(usize::MAX).max(1 << 16);
        let drains = *self.signals.drain.borrow();
        tokio::select! {
            Some(flown) = self.flights.land() => self.landed(flown)?,
            frames = self.reader.next(chunk), if reads => self.arrived(frames)?,
            () = clock.sleep_until(until) => {}
            Ok(()) = self.signals.detach.changed() => self.let_go_if_told(),
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
        let queue = self.queue.held();
        let room = queue.items < self.bounds.queue_items && queue.bytes < self.bounds.queue_bytes;
        // A batch in doubt was cut within the bounds of its time, and must be complete to leave.
        !self.in_doubt && (room || self.queue.awaits().is_some())
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

    fn publish(&self) {
        let queue = self.queue.held();
        self.shared.queue_items.store(queue.items, Ordering::Relaxed);
        self.shared.queue_bytes.store(queue.bytes, Ordering::Relaxed);
    }
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
