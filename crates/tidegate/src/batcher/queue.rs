//! What do producers and the driver share? The line of items and the engine, behind one short lock.
//!
//! An item costs its producer this lock once. The driver is woken only at the edges that the
//! engine asked for: the first item while it idles, a full batch. It sets them under the lock, as
//! the last thing before it rests, so an item is either seen by it or finds its edge. What is woken
//! or dropped is woken and dropped after the lock is released.

use std::task::Waker;

use tokio::sync::watch;

use super::batch::Spares;
use super::clock::Clock;
use super::error::{AddError, Failure};
use super::given_up::{GivenUp, Hook, Keep};
use super::keyed::Common;
use super::line::Line;
use super::local::Locals;
use super::lone::Lone;
use super::piece::Piece;
use super::room::Room;
use super::round::Place;
use super::seat::Stands;
use super::stats::Stats;
use super::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use super::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use crate::breaker::Phase;
use crate::engine::{Engine, Wait};
use crate::{Moment, Outcome};

pub(super) struct Shared<T, O> {
    pub(super) clock: Clock,
    bytes_max: u64,
    open: Mutex<Open<T, O>>,
    /// Wakes the driver at an edge. It is a task that stays the same, so its waker does too.
    pub(super) driver: OnceLock<Waker>,
    /// Where a submitter may poll the driver itself.
    pub(super) seat: OnceLock<Arc<dyn Stands<T, O>>>,
    /// Whether one that is alone should: nobody joined those before it.
    pub(super) alone: AtomicBool,
    pub(super) spares: Arc<Spares<T>>,
    /// All items added before this many have their outcome; told only while somebody listens.
    pub(super) settled: watch::Sender<u64>,
    /// Whether the driver is done.
    pub(super) ended: watch::Sender<bool>,
    handles: AtomicUsize,
    pub(super) hook: Option<Hook<T>>,
    /// Clones what is sent, if somebody needs it afterwards.
    pub(super) keep: Option<Keep<T>>,
    /// What it shares with other batchers.
    pub(super) common: Option<Arc<Common>>,
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
    pub(super) asked: Asked,
    pub(super) engine: Engine,
    pub(super) failed: u64,
    pub(super) last_failure: Option<Arc<str>>,
    /// As `Shared::settled`, always up to date.
    pub(super) settled: u64,
    /// How many wait for a flush.
    pub(super) flushing: usize,
    /// Whether the plan has a linger; without one nobody asks when an item came.
    pub(super) lingers: bool,
    /// The phase of the breaker, if there is one.
    pub(super) breaker: Option<Phase>,
    /// The moment of the driver's last step.
    now: Moment,
}

/// What handles ask of the driver.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// What waits shall leave.
    pub(super) flush: bool,
    /// Nothing shall leave any more.
    pub(super) abandon: bool,
}

/// An item on its way into the line.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) bytes: u32,
    pub(super) priority: bool,
}

/// What came of an attempt to add.
pub(super) enum Entered<T> {
    In,
    Full(Entry<T>),
    Closed(Entry<T>),
}

/// No edge at all.
const NEVER: Wait = Wait { until: None, items: u64::MAX, bytes: u64::MAX };

impl<T, O> Shared<T, O> {
    pub(super) fn new(
        clock: Clock,
        engine: Engine,
        (items_max, bytes_max): (usize, usize),
        hook: Option<Hook<T>>,
        keep: Option<Keep<T>>,
        common: Option<Arc<Common>>,
    ) -> Self {
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
                edges: Wait { items: 1, ..NEVER },
                asked: Asked::default(),
                engine,
                failed: 0,
                last_failure: None,
                settled: 0,
                flushing: 0,
                lingers: true,
                breaker: None,
                now: Moment::ZERO,
            }),
            driver: OnceLock::new(),
            seat: OnceLock::new(),
            alone: AtomicBool::new(false),
            spares: Arc::new(Spares::default()),
            settled: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            handles: AtomicUsize::new(1),
            hook,
            keep,
            common,
        }
    }

    #[inline]
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
    #[inline]
    pub(super) fn try_enter(&self, entry: Entry<T>) -> Entered<T> {
        let mut open = self.lock();
        if open.closed {
            return Entered::Closed(entry);
        }
        if !open.room.enter(u64::from(entry.bytes)) {
            return Entered::Full(entry);
        }
        let edge = open.push(entry, &self.clock);
        drop(open);
        self.at_edge(edge);
        Entered::In
    }

    /// The same for one who waits for the item's outcome.
    #[inline]
    pub(super) fn try_submit(
        &self,
        entry: Entry<T>,
        waker: &Waker,
    ) -> Result<Place<O>, Entered<T>> {
        // A waker is cloned before the lock, whoever wrote it.
        let waker = waker.clone();
        let mut open = self.lock();
        if open.closed {
            return Err(Entered::Closed(entry));
        }
        if !open.room.enter(u64::from(entry.bytes)) {
            return Err(Entered::Full(entry));
        }
        let edge = open.push(entry, &self.clock);
        let place = open.line.place(waker);
        drop(open);
        self.at_edge(edge);
        Ok(place)
    }

    /// Gets a number in line for room, or goes in if there is some meanwhile.
    pub(super) fn queue_up(
        &self,
        entry: Entry<T>,
        waker: &Waker,
        submits: bool,
        number: &mut Option<u64>,
    ) -> (Entered<T>, Option<Place<O>>) {
        let waker = waker.clone();
        let mut open = self.lock();
        if open.closed {
            return (Entered::Closed(entry), None);
        }
        let bytes = u64::from(entry.bytes);
        if !open.room.enter(bytes) {
            *number = Some(open.room.wait(bytes, waker));
            return (Entered::Full(entry), None);
        }
        let edge = open.push(entry, &self.clock);
        let place = submits.then(|| open.line.place(waker));
        drop(open);
        self.at_edge(edge);
        (Entered::In, place)
    }

    /// The same for one who has a number.
    pub(super) fn retry(
        &self,
        entry: Entry<T>,
        number: u64,
        waker: &Waker,
        submits: bool,
    ) -> (Entered<T>, Option<Place<O>>) {
        let mut open = self.lock();
        if open.closed {
            return (Entered::Closed(entry), None);
        }
        let (may, next) = open.room.retry(number, waker);
        let (edge, entered, place) = if may {
            let edge = open.push(entry, &self.clock);
            let place = submits.then(|| open.line.place(waker.clone()));
            (edge, Entered::In, place)
        } else {
            (false, Entered::Full(entry), None)
        };
        drop(open);
        self.at_edge(edge);
        // The next in line comes after this one's item, so that it finds the room that is left.
        next.into_iter().for_each(Waker::wake);
        (entered, place)
    }

    /// One who waited in line does so no more.
    pub(super) fn leave(&self, number: u64) {
        let next = self.lock().room.leave(number);
        next.into_iter().for_each(Waker::wake);
    }

    /// Gives up items that nobody will fetch any more.
    pub(super) fn lose(&self, items: impl IntoIterator<Item = T>) {
        let given_up = |item| GivenUp { item, why: Failure::Lost, attempts: 0 };
        let given_up: Vec<_> = items.into_iter().map(given_up).collect();
        if given_up.is_empty() {
            return;
        }
        self.lost(given_up.len() as u64);
        if let Some(hook) = &self.hook {
            hook.call(given_up);
        }
    }

    fn lost(&self, items: u64) {
        let mut open = self.lock();
        open.failed += items;
        open.last_failure = Some(Failure::Lost.to_string().into());
    }

    #[inline]
    pub(super) fn at_edge(&self, edge: bool) {
        if edge {
            self.wake_driver();
        }
    }

    #[inline]
    pub(super) fn wake_driver(&self) {
        // One that was not polled yet has everything before it.
        if let Some(driver) = self.driver.get() {
            driver.wake_by_ref();
        }
    }

    /// Sends the item of a submitter that is alone here and now, if that can be.
    pub(super) fn lone(&self, entry: Entry<T>) -> Lone<T, O> {
        match self.seat.get().zip(self.driver.get()) {
            Some((seat, waker)) => seat.lone(entry, waker),
            None => Lone::Refused(entry),
        }
    }

    pub(super) fn close(&self) {
        let mut open = self.lock();
        open.closed = true;
        let waiting = open.room.close();
        drop(open);
        waiting.into_iter().for_each(Waker::wake);
        self.wake_driver();
    }

    /// Gives up whatever has no outcome yet.
    pub(super) fn abandon(&self) {
        self.close();
        self.lock().asked.abandon = true;
        self.wake_driver();
    }

    /// The driver is gone, and with it what it had: everybody who waits hears of that.
    pub(super) fn end(&self, pieces: Vec<Piece<T, O>>) {
        self.close();
        let in_flight: usize = pieces.iter().map(|piece| piece.items).sum();
        if in_flight > 0 {
            self.lost(in_flight as u64);
        }
        drop(pieces);
        let mut lost = Vec::new();
        {
            let mut open = self.lock();
            open.sweep_all(true, &self.clock);
            open.over = true;
            while open.line.items() > 0 {
                lost.push(open.line.take_all());
            }
        }
        for taken in lost {
            let mut groups = taken.groups;
            groups.settle(super::answer::Results::None(Failure::Lost), taken.items.len());
            self.lose(taken.items);
        }
        if let Some(common) = &self.common {
            let room = self.lock().room.taken();
            common.give_back(room.0, room.1);
        }
        self.ended.send_replace(true);
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
            breaker: open.breaker,
        }
    }
}

impl<T, O> Open<T, O> {
    /// Puts an item that has its room into the line. Says whether the driver has to look.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<T>, clock: &Clock) -> bool {
        let Entry { item, bytes, priority } = entry;
        self.added += 1;
        let (lingers, now) = (self.lingers, self.now);
        self.line.push(item, bytes, || arrival(lingers, now, clock));
        if priority {
            let queue = self.line.seen();
            self.engine.hurry(&queue);
        }
        // An item that weighs nothing brings no edge of bytes.
        (if bytes == 0 { self.at_items() } else { self.at_edge() }) || priority
    }

    /// The driver looks now: it needs no more edges until it has.
    pub(super) const fn begin_step(&mut self, now: Moment) {
        self.edges = NEVER;
        self.now = now;
    }

    /// Whether the queue is at an edge that the engine asked for. It becomes one only once: the
    /// driver sets the next edges after it has looked.
    #[inline]
    pub(super) const fn at_edge(&mut self) -> bool {
        let at = self.line.items() >= self.edges.items || self.line.bytes() >= self.edges.bytes;
        if at {
            self.edges = NEVER;
        }
        at
    }

    #[inline]
    const fn at_items(&mut self) -> bool {
        let at = self.line.items() >= self.edges.items;
        if at {
            self.edges = NEVER;
        }
        at
    }

    pub(super) const fn expect(&mut self, edges: Wait) {
        self.edges = edges;
    }

    /// The clock, for items that come now.
    pub(super) fn arrivals(&self, clock: &Clock) -> impl Fn() -> Moment + use<T, O> {
        let (lingers, now, clock) = (self.lingers, self.now, *clock);
        move || arrival(lingers, now, &clock)
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

/// When an item came. Only the linger asks for that; without one a moment before is as good, and
/// reading the clock would cost a good part of what the item does.
fn arrival(lingers: bool, seen: Moment, clock: &Clock) -> Moment {
    if lingers { clock.now() } else { seen }
}
