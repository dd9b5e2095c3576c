//! How does an event get from the journal to its sink? Through its lane.
//!
//! A lane reads the journal in order, queues views of its frames, and sends batches as its
//! [`Engine`](tidegate::Engine) says. It is one task with one loop; what it awaits is an answer of
//! the sink, a fresh frame, a timer of the engine, or the end.
//!
//! * The sink's record is the truth: a lane begins by asking what was delivered, and asks again
//!   when a batch contradicts that record. The journal's cursor is told only after the answer.
//! * A batch that the sink does not take keeps its place and its slot until each of its items is
//!   delivered or given up: see `case`. What follows from which answer is decided in `consequence`.
//! * The sink's breaker alone owns its outages: while it is open nothing is sent, the queue fills up
//!   to its bounds, reading stops, and the journal takes the load.
//! * An item is given up only once its letter is durable: see `burial`.
//! * What is in flight and what waits is bounded; the rest of a backlog stays on disk.

mod answers;
mod burial;
mod case;
pub(crate) mod consequence;
mod cut;
pub(crate) mod error;
mod flight;
mod letting_go;
pub(crate) mod outage;
mod queue;
mod recovery;
mod sending;
pub(crate) mod shared;
pub(crate) mod tap;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_at_least_once;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate::breaker::Phase;
use tidegate::control::gradient::MEMORY;
use tidegate::guard::Reading;
use tidegate::{Feedback, Moment};
use tidegate_event::{JournalId, Position};
use tidegate_journal::{LaneCursor, LaneReader};
use tidegate_sinks::Sink;
use tokio::sync::watch;

use crate::dead_letters::DeadLetters;
use case::{Case, Known};
use consequence::Policy;
use error::LaneError;
use flight::{Course, Flights};
use outage::Outage;
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

/// What a lane needs when something fails.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) policy: Policy,
    pub(crate) outage: Arc<Outage>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) journal: JournalId,
}

/// What a lane listens to besides its journal and its sink.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    /// Whether to deliver what is left and end.
    pub(crate) drain: watch::Receiver<bool>,
    /// What of the host is in use.
    pub(crate) host: watch::Receiver<Reading>,
    /// Whether the sink holds more of the journal than it may and is to be let go of.
    pub(crate) detach: watch::Receiver<bool>,
}

/// One lane of one sink.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    sink: Arc<dyn Sink>,
    course: Course,
    bounds: Bounds,
    reader: LaneReader,
    cursor: LaneCursor,
    signals: Signals,
    queue: PositionQueue,
    flights: Flights,
    failing: Failing,
    /// Batches that failed, in the order of their positions.
    cases: Vec<Case>,
    cases_opened: u64,
    /// What was tried with positions that were read anew since.
    known: Vec<Known>,
    /// Positions whose letters are kept and that are not committed in the sink yet.
    given_up: BTreeSet<Position>,
    /// Letters written so far.
    buried: u64,
    /// Why no letter can be written now, and when that is tried again if nobody makes room.
    blocked: Option<(String, Option<Moment>)>,
    blocked_said: Option<String>,
    /// Attempts in a row that the sink did not take now.
    refusals: u32,
    /// When the sink's record may be asked again.
    ask_at: Option<Moment>,
    /// Changes of the breaker, and of the room for dead letters.
    changes: watch::Receiver<u64>,
    room: watch::Receiver<u64>,
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
        failing: Failing,
    ) -> Self {
        let course = Course {
            sink: Arc::clone(&sink),
            timeout: bounds.timeout,
            notes: sink.keys_batches().then(|| cursor.notes()),
            clock: shared.clock,
        };
        Self {
            course,
            changes: failing.outage.changes(),
            room: failing.dead_letters.room(),
            failing,
            cases: Vec::new(),
            cases_opened: 0,
            known: Vec::new(),
            given_up: BTreeSet::new(),
            buried: 0,
            blocked: None,
            blocked_said: None,
            refusals: 0,
            ask_at: None,
            shared,
            sink,
            bounds,
            reader,
            cursor,
            signals,
            queue: PositionQueue::default(),
            flights: Flights::default(),
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
            self.bury().await?;
            self.attach_if_well();
            let wait = self.step();
            // A batch in doubt of which the sink gets nothing any more has nothing to send.
            for done in self.queue.reach(0) {
                self.note(done)?;
            }
            if self.is_done() {
                return Ok(());
            }
            self.show();
            self.next_edge(wait).await?;
            self.publish();
        }
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
            Ok(()) = self.changes.changed() => {}
            Ok(()) = self.signals.detach.changed() => self.let_go_if_told(),
            Ok(()) = self.room.changed(), if self.blocked.is_some() => {}
            Ok(()) = self.signals.drain.changed(), if !drains => {
                self.shared.engine().drain();
            }
            Ok(()) = self.signals.host.changed() => {
                let seen = *self.signals.host.borrow_and_update();
                self.host_was_read(&seen);
            }
        }
        Ok(())
    }

    /// The guards look at it, and controllers that weigh the host's load.
    fn host_was_read(&self, seen: &Reading) {
        let (now, mut engine) = (self.shared.clock.now(), self.shared.engine());
        engine.read(now, seen);
        let load = Feedback { cpu: seen.cpu, ..Feedback::default() };
        let load = match seen.system_memory {
            Some(share) => load.with(MEMORY, share),
            None => load,
        };
        engine.feedback(now, &load);
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
        let stands = self.blocked.is_some() || self.gives_up();
        drains && self.flights.is_empty() && (delivered_all || stands)
    }

    /// Whether to leave the rest to the journal: the lane drains, and the sink keeps refusing.
    fn gives_up(&self) -> bool {
        let drains = *self.signals.drain.borrow();
        drains && (self.refusals >= DRAIN_ATTEMPTS || self.is_open())
    }

    fn is_open(&self) -> bool {
        let phase = self.failing.outage.phase(self.shared.clock.now());
        matches!(phase, Phase::Open { .. })
    }

    fn publish(&self) {
        let queue = self.queue.held();
        self.shared.queue_items.store(queue.items, Ordering::Relaxed);
        self.shared.queue_bytes.store(queue.bytes, Ordering::Relaxed);
        self.shared.oldest.store(self.queue.oldest().unwrap_or(0), Ordering::Relaxed);
    }
}
