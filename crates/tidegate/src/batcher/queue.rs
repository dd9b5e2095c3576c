//! What do producers and the driver share? The line of items and the engine, behind one short lock.
//!
//! An item costs its producer this lock once. The driver is woken only at the edges that the
//! engine asked for: the first item while it idles, a full batch. What is woken or dropped is woken
//! and dropped after the lock is released.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::{Notify, watch};

use super::clock::Clock;
use super::driver::Command;
use super::error::{AddError, Failure};
use super::given_up::{GivenUp, Hook};
use super::line::Line;
use super::local::Locals;
use super::room::Room;
use super::round::Place;
use super::stats::Stats;
use crate::Outcome;
use crate::engine::{Engine, Wait};

pub(super) struct Shared<T, O> {
    pub(super) clock: Clock,
    bytes_max: u64,
    open: Mutex<Open<T, O>>,
    /// Wakes the driver at an edge.
    pub(super) edge: Notify,
    /// All items added before this many have their outcome; told only while somebody listens.
    pub(super) settled: watch::Sender<u64>,
    /// Whether the driver is done.
    pub(super) ended: watch::Sender<bool>,
    handles: AtomicUsize,
    pub(super) hook: Option<Hook<T>>,
}

/// What the lock protects.
pub(super) struct Open<T, O> {
    pub(super) line: Line<T, O>,
    pub(super) room: Room,
    pub(super) locals: Locals<T>,
    pub(super) added: u64,
    pub(super) closed: bool,
    /// Whether the driver is done: nothing that is put into line now would ever leave.
    pub(super) over: bool,
    /// The edges that the engine asked for.
    edges: Wait,
    pub(super) commands: VecDeque<Command>,
    pub(super) engine: Engine,
    pub(super) failed: u64,
    pub(super) last_failure: Option<Arc<str>>,
    /// As `Shared::settled`, always up to date.
    pub(super) settled: u64,
    /// How many wait for a flush.
    pub(super) flushing: usize,
}

/// An item on its way into the line.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) bytes: u32,
    pub(super) priority: bool,
}

/// What came of an attempt to add.
pub(super) enum Entered<T, O> {
    /// It waits for its batch; with a place for its outcome if somebody waits for that.
    In(Option<Place<O>>),
    Full(Entry<T>),
    Closed(Entry<T>),
}

impl<T, O> Shared<T, O> {
    pub(super) fn new(
        clock: Clock,
        engine: Engine,
        (items_max, bytes_max): (usize, usize),
        hook: Option<Hook<T>>,
    ) -> Self {
        let edges = Wait { until: None, items: 1, bytes: u64::MAX };
        let batch_bytes = engine.bounds().batch_bytes_max;
        Self {
            clock,
            bytes_max: batch_bytes,
            open: Mutex::new(Open {
                line: Line::new(engine.plan().batch_size as usize, batch_bytes),
                room: Room::new(items_max, bytes_max as u64),
                locals: Locals::default(),
                added: 0,
                closed: false,
                over: false,
                edges,
                commands: VecDeque::new(),
                engine,
                failed: 0,
                last_failure: None,
                settled: 0,
                flushing: 0,
            }),
            edge: Notify::new(),
            settled: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            handles: AtomicUsize::new(1),
            hook,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Open<T, O>> {
        // Whatever panics under this lock (a waker's clone, the engine) leaves the state valid.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what no batch could hold.
    #[inline]
    pub(super) fn entry(
        &self,
        item: T,
        bytes: u64,
        priority: bool,
    ) -> Result<Entry<T>, (T, AddError)> {
        match u32::try_from(bytes) {
            Ok(small) if bytes <= self.bytes_max => Ok(Entry { item, bytes: small, priority }),
            _ => Err((item, AddError::TooLarge { bytes, bytes_max: self.bytes_max })),
        }
    }

    /// Adds an item if there is room and nobody has to go first.
    pub(super) fn try_enter(&self, entry: Entry<T>) -> Entered<T, O> {
        let mut open = self.lock();
        if open.closed {
            return Entered::Closed(entry);
        }
        if !open.room.enter(u64::from(entry.bytes)) {
            return Entered::Full(entry);
        }
        let (edge, place) = open.push(entry, None, &self.clock);
        drop(open);
        self.at_edge(edge);
        Entered::In(place)
    }

    /// The same, but when there is no room its owner gets a number in line.
    pub(super) fn enter_or_wait(
        &self,
        entry: Entry<T>,
        waker: &Waker,
        submits: bool,
        number: &mut Option<u64>,
    ) -> Entered<T, O> {
        // A waker is cloned before the lock, whoever wrote it.
        let submitter = submits.then(|| waker.clone());
        let mut open = self.lock();
        if open.closed {
            return Entered::Closed(entry);
        }
        let bytes = u64::from(entry.bytes);
        if !open.room.enter(bytes) {
            *number = Some(open.room.wait(bytes, waker.clone()));
            return Entered::Full(entry);
        }
        let (edge, place) = open.push(entry, submitter, &self.clock);
        drop(open);
        self.at_edge(edge);
        Entered::In(place)
    }

    /// The same for one who waits in line.
    pub(super) fn retry(
        &self,
        entry: Entry<T>,
        number: u64,
        waker: &Waker,
        submits: bool,
    ) -> Entered<T, O> {
        let mut open = self.lock();
        if open.closed {
            return Entered::Closed(entry);
        }
        let (may, next) = open.room.retry(number, waker);
        let (edge, entered) = if may {
            let waker = submits.then(|| waker.clone());
            let (edge, place) = open.push(entry, waker, &self.clock);
            (edge, Entered::In(place))
        } else {
            (false, Entered::Full(entry))
        };
        drop(open);
        self.at_edge(edge);
        // The next in line comes after this one's item, so that it finds the room that is left.
        next.into_iter().for_each(Waker::wake);
        entered
    }

    /// One who waited in line does so no more.
    pub(super) fn leave(&self, number: u64) {
        let next = self.lock().room.leave(number);
        next.into_iter().for_each(Waker::wake);
    }

    /// Gives up items that nobody will fetch any more.
    pub(super) fn lose(&self, items: impl IntoIterator<Item = T>) {
        let given_up = |item| GivenUp { item, why: Failure::Lost };
        let given_up: Vec<_> = items.into_iter().map(given_up).collect();
        if given_up.is_empty() {
            return;
        }
        let mut open = self.lock();
        open.failed += given_up.len() as u64;
        open.last_failure = Some(Failure::Lost.to_string().into());
        drop(open);
        if let Some(hook) = &self.hook {
            hook.call(given_up);
        }
    }

    pub(super) fn at_edge(&self, edge: bool) {
        if edge {
            self.edge.notify_one();
        }
    }

    pub(super) fn command(&self, command: Command) {
        self.lock().commands.push_back(command);
        self.edge.notify_one();
    }

    pub(super) fn close(&self) {
        let mut open = self.lock();
        if !std::mem::replace(&mut open.closed, true) {
            open.commands.push_back(Command::Drain);
        }
        let waiting = open.room.close();
        drop(open);
        waiting.into_iter().for_each(Waker::wake);
        self.edge.notify_one();
    }

    pub(super) fn handle_cloned(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn handle_dropped(&self) {
        // The last handle can have no other thread beside it, so the order of these is enough.
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close();
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let open = self.lock();
        let counters = *open.engine.counters();
        Stats {
            added: open.added,
            delivered: counters.items_delivered,
            failed: open.failed,
            queued: open.line.items(),
            in_flight: open.engine.in_flight(),
            counters,
            plan: *open.engine.plan(),
            decisions: open.engine.history().iter().cloned().collect(),
            last_failure: open.last_failure.as_deref().map(str::to_owned),
        }
    }
}

impl<T, O> Open<T, O> {
    /// Puts an item that has its room into the line. Says whether the driver has to look.
    pub(super) fn push(
        &mut self,
        entry: Entry<T>,
        waker: Option<Waker>,
        clock: &Clock,
    ) -> (bool, Option<Place<O>>) {
        let Entry { item, bytes, priority } = entry;
        self.added += 1;
        self.line.push(item, bytes, || clock.now());
        let place = waker.map(|waker| self.line.place(waker));
        if priority {
            let queue = self.line.seen();
            self.engine.hurry(&queue);
        }
        (self.at_edge() || priority, place)
    }

    /// Whether the queue is at an edge that the engine asked for. It becomes one only once: the
    /// driver sets the next edges after it has looked.
    #[inline]
    pub(super) const fn at_edge(&mut self) -> bool {
        let at = self.line.items() >= self.edges.items || self.line.bytes() >= self.edges.bytes;
        if at {
            self.edges = Wait { until: None, items: u64::MAX, bytes: u64::MAX };
        }
        at
    }

    pub(super) const fn expect(&mut self, edges: Wait) {
        self.edges = edges;
    }

    /// Whether nothing waits and nothing will come.
    pub(super) const fn is_done(&self) -> bool {
        self.closed && self.line.items() == 0
    }

    /// The number of the first item that waits, counted from the first one ever added.
    pub(super) const fn head(&self) -> u64 {
        self.added - self.line.items()
    }

    pub(super) fn failed(&mut self, items: u32, outcome: Outcome, failure: Option<Arc<str>>) {
        let failed = u64::from(items - outcome.delivered(items));
        self.failed += failed;
        if failed > 0 {
            let why = || format!("the batch ended {}", outcome.describe()).into();
            self.last_failure = Some(failure.unwrap_or_else(why));
        }
    }
}
