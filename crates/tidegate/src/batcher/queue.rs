//! Where do items wait? Behind one short lock, bounded in items and bytes.
//!
//! Room is kept by two fair semaphores, so that waiting producers are served in order and a
//! producer that stops waiting gives its place up. Room is taken before the lock and given back
//! when the item has its outcome, so the bounds cover what waits and what is in flight.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, watch};

use super::clock::Clock;
use super::driver::Command;
use super::{AddError, Stats};
use crate::engine::{Cut, Engine, Queue, Wait};
use crate::{Moment, Outcome};

pub(super) struct Shared<T> {
    pub(super) clock: Clock,
    bytes_max: u64,
    /// Room in items, one permit each.
    room_items: Semaphore,
    /// Room in bytes, one permit each.
    room_bytes: Semaphore,
    open: Mutex<Open<T>>,
    /// Wakes the driver at an edge.
    pub(super) edge: Notify,
    /// All items added before this many have their outcome.
    pub(super) settled: watch::Sender<u64>,
    /// Whether the driver is done.
    pub(super) ended: watch::Sender<bool>,
    handles: AtomicUsize,
}

/// What the lock protects.
pub(super) struct Open<T> {
    items: VecDeque<Entry<T>>,
    bytes: u64,
    added: u64,
    closed: bool,
    /// The edges that the engine asked for.
    edges: Wait,
    pub(super) commands: VecDeque<Command>,
    pub(super) engine: Engine,
    pub(super) failed: u64,
    pub(super) last_failure: Option<String>,
}

struct Entry<T> {
    item: T,
    bytes: u64,
    at: Moment,
}

/// Items cut off the queue, with the room they hold.
pub(super) struct Taken<T> {
    pub(super) items: Vec<T>,
    pub(super) bytes: u64,
    /// The number of the first item, counted from the first one ever added.
    pub(super) first: u64,
}

impl<T> Shared<T> {
    pub(super) fn new(clock: Clock, engine: Engine, items_max: usize, bytes_max: usize) -> Self {
        let edges = Wait { until: None, items: 1, bytes: u64::MAX };
        Self {
            clock,
            bytes_max: engine.bounds().batch_bytes_max,
            room_items: Semaphore::new(items_max),
            room_bytes: Semaphore::new(bytes_max),
            open: Mutex::new(Open {
                items: VecDeque::new(),
                bytes: 0,
                added: 0,
                closed: false,
                edges,
                commands: VecDeque::new(),
                engine,
                failed: 0,
                last_failure: None,
            }),
            edge: Notify::new(),
            settled: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            handles: AtomicUsize::new(1),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Open<T>> {
        // No code that can panic runs under this lock but the engine's, whose state stays valid.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn add(&self, item: T, bytes: u64, priority: bool) -> Result<(), AddError> {
        let permits = match u32::try_from(bytes) {
            Ok(permits) if bytes <= self.bytes_max => permits,
            _ => return Err(AddError::TooLarge { bytes, bytes_max: self.bytes_max }),
        };
        let closed = |_| AddError::Closed;
        let room = self.room_items.acquire().await.map_err(closed)?;
        let room_bytes = self.room_bytes.acquire_many(permits).await.map_err(closed)?;
        let edge = {
            let mut open = self.lock();
            if open.closed {
                return Err(AddError::Closed);
            }
            open.push(Entry { item, bytes, at: self.clock.now() });
            if priority {
                let queue = open.seen();
                open.engine.hurry(&queue);
            }
            priority || open.at_edge()
        };
        room.forget();
        room_bytes.forget();
        if edge {
            self.edge.notify_one();
        }
        Ok(())
    }

    /// Gives the room of items that have their outcome to those who wait for it.
    pub(super) fn give_back(&self, items: usize, bytes: u64) {
        self.room_items.add_permits(items);
        self.room_bytes.add_permits(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    pub(super) fn added(&self) -> u64 {
        self.lock().added
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
        drop(open);
        self.room_items.close();
        self.room_bytes.close();
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
            queued: open.items.len() as u64,
            in_flight: open.engine.in_flight(),
            counters,
            plan: *open.engine.plan(),
            decisions: open.engine.history().iter().cloned().collect(),
            last_failure: open.last_failure.clone(),
        }
    }
}

impl<T> Open<T> {
    fn push(&mut self, entry: Entry<T>) {
        self.bytes += entry.bytes;
        self.added += 1;
        self.items.push_back(entry);
    }

    /// Whether the queue is at an edge that the engine asked for. It becomes one only once: the
    /// driver sets the next edges after it has looked.
    fn at_edge(&mut self) -> bool {
        let at = self.items.len() as u64 >= self.edges.items || self.bytes >= self.edges.bytes;
        if at {
            self.edges = Wait { until: None, items: u64::MAX, bytes: u64::MAX };
        }
        at
    }

    pub(super) const fn expect(&mut self, edges: Wait) {
        self.edges = edges;
    }

    pub(super) fn seen(&self) -> Queue {
        Queue {
            items: self.items.len() as u64,
            bytes: self.bytes,
            oldest: self.items.front().map(|entry| entry.at),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.closed && self.items.is_empty()
    }

    /// The number of the first item that waits, counted from the first one ever added.
    pub(super) fn head(&self) -> u64 {
        self.added - self.items.len() as u64
    }

    pub(super) fn take(&mut self, cut: Cut) -> Taken<T> {
        let first = self.head();
        let count = self.items.len().min(cut.items_max as usize);
        let (mut items, mut bytes) = (Vec::with_capacity(count), 0);
        while items.len() < count {
            let fits = |entry: &Entry<T>| items.is_empty() || bytes + entry.bytes <= cut.bytes_max;
            if !self.items.front().is_some_and(fits) {
                break;
            }
            let Some(entry) = self.items.pop_front() else { break };
            bytes += entry.bytes;
            items.push(entry.item);
        }
        self.bytes -= bytes;
        Taken { items, bytes, first }
    }

    pub(super) fn failed(&mut self, items: u32, outcome: Outcome, failure: Option<String>) {
        let failed = u64::from(items - outcome.delivered(items));
        self.failed += failed;
        if failed > 0 {
            self.last_failure =
                Some(failure.unwrap_or_else(|| format!("the batch ended {}", outcome.describe())));
        }
    }
}
