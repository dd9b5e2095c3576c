//! What does a batcher do next? Ask the engine, cut the batch that it wants, and count what came of
//! those before: all that happens under the lock, and nothing that waits.
//!
//! Each answer is counted in the same stretch of the lock, and by the same reading of the clock, in
//! which the next batch is cut. Who waited for it is told after the lock is released.

use std::collections::BTreeSet;
use std::task::Waker;
use std::time::Duration;

use super::observe::Observer;
use super::piece::{Care, Flight, Piece};
use super::queue::{Open, Shared};
use super::recovery::{Recovery, Turn};
use super::round::Group;
use crate::breaker::Pass;
use crate::engine::{Cut, Step, Wait};
use crate::time::earlier;
use crate::{FlushReason, Moment};

/// Handlers whose part before the first `await` takes longer run in a task of their own while
/// others wait.
const QUICK: Duration = Duration::from_micros(100);

/// After so many batches that went to a task untried, one is tried here again.
const RETRY_QUICK: u32 = 32;

/// A probe of a half-open breaker has at most this share of the items in a full batch.
const PROBE_SHARE: u32 = 10;

/// At most so many boxes of flights are kept.
const FLIGHTS_KEPT: usize = 4;

pub(super) struct Flow<T, O> {
    /// Numbers of the first items of the batches that are in a task.
    firsts: BTreeSet<u64>,
    /// The one that was answered, until it is counted.
    done: Option<Box<Flight<T, O>>>,
    /// Boxes for later flights.
    pub(super) flights: Vec<Box<Flight<T, O>>>,
    /// A round that is free again, for the next time that the lock is held.
    round: Option<Group<O>>,
    pub(super) spares: Vec<Vec<T>>,
    pub(super) recovery: Option<Box<Recovery<T, O>>>,
    pub(super) observer: Observer,
    pub(super) quick: Quick,
}

/// What the driver does next.
pub(super) enum Next<T, O> {
    Send(Box<Flight<T, O>>),
    Wait(Option<Moment>),
    /// Let those who were just told add their next items, then ask again.
    Gather,
    End,
}

/// What was decided under the lock.
enum Decided<T, O> {
    Leaves(Leaving<T, O>),
    Wait(Option<Moment>),
    Gather,
    End,
}

/// A flight that is about to leave.
struct Leaving<T, O> {
    flight: Box<Flight<T, O>>,
    /// Whether it is fresh off the queue.
    fresh: bool,
    /// The leave of a half-open breaker.
    probe: Option<Pass>,
    /// Whether others wait meanwhile.
    more: bool,
}

/// What is left to do after the lock is released.
struct Aftermath<T, O> {
    flight: Box<Flight<T, O>>,
    /// Whether the answer is final.
    told: bool,
    room: Option<Waker>,
    /// How far outcomes are, if somebody listens.
    settled: Option<u64>,
}

/// Whether handlers yield quickly.
#[derive(Debug, Default)]
pub(super) struct Quick {
    slow: bool,
    skipped: u32,
}

impl Quick {
    pub(super) fn learn(&mut self, took: Duration) {
        self.slow = took > QUICK;
    }

    /// Whether the next batch is to be polled by the driver.
    const fn here(&mut self, others_wait: bool) -> bool {
        if !self.slow || !others_wait {
            return true;
        }
        self.skipped = (self.skipped + 1) % RETRY_QUICK;
        self.skipped == 0
    }
}

impl<T, O> Flow<T, O> {
    pub(super) fn new(recovery: Option<Box<Recovery<T, O>>>, observer: Observer) -> Self {
        Self {
            firsts: BTreeSet::new(),
            done: None,
            flights: Vec::new(),
            round: None,
            spares: Vec::new(),
            recovery,
            observer,
            quick: Quick::default(),
        }
    }

    /// A batch was answered, at its first poll or in its task. It is counted in the next step.
    pub(super) fn answered(&mut self, flight: Box<Flight<T, O>>) {
        self.done = Some(flight);
    }

    /// Whether an answer waits to be counted.
    pub(super) const fn has_answer(&self) -> bool {
        self.done.is_some()
    }

    /// Whether handlers take long before their first `await`.
    pub(super) const fn is_slow(&self) -> bool {
        self.quick.slow
    }

    /// A batch went to a task; its first poll took so long, if it was polled before.
    pub(super) fn in_task(&mut self, first: u64, took: Option<Duration>) {
        self.firsts.insert(first);
        if let Some(took) = took {
            self.quick.learn(took);
        }
    }

    /// Counts what was answered, asks the engine, and cuts the batch that it wants; not if those who
    /// are told of their outcome are to go first, unless a full batch waits.
    pub(super) fn step(&mut self, shared: &Shared<T, O>, gathers: bool) -> Next<T, O> {
        let now = shared.clock.now();
        // Emptied vectors come back with answers.
        if self.spares.is_empty() && self.done.is_some() {
            shared.spares.take(&mut self.spares);
        }
        let mut open = shared.lock();
        self.hand_back(&mut open);
        open.begin_step(now);
        let after = self.done.take().map(|flight| self.count(&mut open, now, flight));
        self.obey(&mut open);
        let linger = open.engine.plan().linger;
        if open.closed {
            open.sweep_all(true, &shared.clock);
        } else if open.locals.due(linger).is_some_and(|due| due <= now) {
            open.sweep(&shared.clock);
        }
        let decided = match gathers.then(|| gathering(&open)).flatten() {
            Some(full) => {
                open.expect(full);
                Decided::Gather
            }
            None => self.decide(&mut open, now),
        };
        heed(&mut open);
        self.observer.look(&open.engine);
        if let Some(recovery) = &self.recovery {
            open.breaker = recovery.phase();
        }
        let due = open.locals.due(linger);
        drop(open);
        if let Some(after) = after {
            self.tell(shared, after);
        }
        self.observer.tell(self.recovery.as_deref_mut());
        match decided {
            Decided::Leaves(leaving) => Next::Send(self.finish(shared, now, leaving)),
            Decided::Wait(until) => Next::Wait(earlier(until, due)),
            Decided::Gather => Next::Gather,
            Decided::End => Next::End,
        }
    }

    /// Memory that later batches use again.
    fn hand_back(&mut self, open: &mut Open<T, O>) {
        if let Some(round) = self.round.take() {
            open.line.keep(round);
        }
        open.line.refill(&mut self.spares);
    }

    /// What handles asked for.
    fn obey(&mut self, open: &mut Open<T, O>) {
        if std::mem::take(&mut open.asked.flush) {
            let queue = open.line.seen();
            open.engine.flush(&queue);
        }
        if open.closed {
            open.engine.drain();
        }
    }

    fn decide(&mut self, open: &mut Open<T, O>, now: Moment) -> Decided<T, O> {
        if open.asked.abandon {
            return Decided::End;
        }
        let queue = open.line.seen();
        let mut at_latest = None;
        if let Some(recovery) = &mut self.recovery {
            match recovery.turn(now, &mut open.engine, queue.items) {
                Turn::Again(piece) => return self.again(open, now, piece),
                Turn::Probe(pass) => {
                    let plan = open.engine.plan();
                    let items_max = (plan.batch_size / PROBE_SHARE).max(1);
                    let bytes_max = open.engine.bounds().batch_bytes_max;
                    let cut = Cut { items_max, bytes_max, reason: FlushReason::Linger };
                    return self.cut(open, now, cut, Some(pass));
                }
                Turn::Nobody { until, items } => {
                    // The controller may want to be woken all the same.
                    let own = match open.engine.poll(now, &queue) {
                        Step::Wait(wait) => wait.until,
                        Step::Send(_) => None,
                    };
                    let until = earlier(until, own);
                    return self.wait(open, Wait { until, items, bytes: u64::MAX });
                }
                Turn::Queue(at) => at_latest = at,
            }
        }
        match open.engine.poll(now, &queue) {
            Step::Send(cut) => self.cut(open, now, cut, None),
            Step::Wait(wait) => {
                self.wait(open, Wait { until: earlier(wait.until, at_latest), ..wait })
            }
        }
    }

    fn wait(&self, open: &mut Open<T, O>, wait: Wait) -> Decided<T, O> {
        let idle = self.firsts.is_empty()
            && self.recovery.as_ref().is_none_or(|recovery| recovery.is_empty());
        if idle && open.closed && open.line.items() == 0 {
            open.over = true;
            return Decided::End;
        }
        open.expect(wait);
        Decided::Wait(wait.until)
    }

    /// Cuts a batch off the head of the queue.
    fn cut(
        &mut self,
        open: &mut Open<T, O>,
        now: Moment,
        cut: Cut,
        probe: Option<Pass>,
    ) -> Decided<T, O> {
        let mut flight = self.flights.pop().unwrap_or_default();
        let first = open.head();
        let taken = open.line.take(cut);
        let count = taken.items.len();
        let items = u32::try_from(count).unwrap_or(u32::MAX);
        flight.ticket = Some(open.engine.sent(now, cut, items, taken.bytes));
        flight.items = taken.items;
        flight.piece = Piece::new(first, count, taken.bytes, taken.groups);
        let more = open.line.items() > 0;
        Decided::Leaves(Leaving { flight, fresh: true, probe, more })
    }

    /// A piece leaves once more.
    fn again(&mut self, open: &mut Open<T, O>, now: Moment, piece: Piece<T, O>) -> Decided<T, O> {
        let mut flight = self.flights.pop().unwrap_or_default();
        let items = u32::try_from(piece.items).unwrap_or(u32::MAX);
        flight.ticket = Some(open.engine.resent(now, items, piece.bytes));
        flight.piece = piece;
        Decided::Leaves(Leaving { flight, fresh: false, probe: None, more: true })
    }

    /// What needs no lock any more: clones for a hook or a recovery.
    fn finish(
        &mut self,
        shared: &Shared<T, O>,
        now: Moment,
        leaving: Leaving<T, O>,
    ) -> Box<Flight<T, O>> {
        let Leaving { mut flight, fresh, probe, more } = leaving;
        flight.here = self.quick.here(more);
        if fresh && (shared.hook.is_some() || self.recovery.is_some()) {
            flight.piece.care = Some(self.care(shared, &flight.items));
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.sent(now, &mut flight.piece, probe);
        } else if let Some(care) = &mut flight.piece.care {
            care.attempts = 1;
        }
        if !fresh {
            let kept = flight.piece.care.as_ref().and_then(|care| care.kept.as_ref());
            let again = kept.zip(shared.keep).map(|(kept, keep)| keep(kept));
            flight.items = again.unwrap_or_default();
        }
        flight
    }

    fn care(&self, shared: &Shared<T, O>, items: &[T]) -> Box<Care<T>> {
        let needed =
            shared.hook.is_some() || self.recovery.as_ref().is_some_and(|r| r.keeps_items());
        let kept = shared.keep.filter(|_| needed).map(|keep| keep(items));
        let hook = shared.hook.clone();
        Box::new(Care { hook, kept, attempts: 0, since: Moment::ZERO, pass: None })
    }

    /// Counts an answer.
    fn count(
        &mut self,
        open: &mut Open<T, O>,
        now: Moment,
        mut flight: Box<Flight<T, O>>,
    ) -> Aftermath<T, O> {
        let Flight { piece, ticket, answer, at_once, .. } = &mut *flight;
        let (mut told, mut room) = (false, None);
        if let (Some(ticket), Some(answer)) = (ticket.take(), answer) {
            answer.check(piece.items);
            let waiting = open.line.items();
            let feedback = answer.feedback.take().map(|feedback| *feedback);
            let sample = open.engine.answered(now, ticket, answer.outcome, feedback, waiting);
            if *at_once {
                self.quick.learn(sample.latency);
            } else {
                self.firsts.remove(&piece.first);
            }
            self.observer.keep(sample);
            let recovery = self.recovery.as_mut();
            told = recovery.is_none_or(|recovery| recovery.answered(now, piece, answer));
            if told {
                let items = u32::try_from(piece.items).unwrap_or(u32::MAX);
                open.failed(items, answer.outcome, answer.failure.take());
                room = open.room.give_back(piece.items, piece.bytes);
            }
        }
        let settled = self.settled(open);
        Aftermath { flight, told, room, settled }
    }

    /// How far outcomes are, if somebody listens.
    pub(super) fn settled(&self, open: &mut Open<T, O>) -> Option<u64> {
        let waiting = self.recovery.as_ref().and_then(|recovery| recovery.first());
        let first = self.firsts.first().copied().into_iter().chain(waiting).min();
        let head = open.head();
        open.settled = first.map_or(head, |first| head.min(first));
        (open.flushing > 0).then_some(open.settled)
    }

    fn tell(&mut self, shared: &Shared<T, O>, after: Aftermath<T, O>) {
        let Aftermath { mut flight, told, room, settled } = after;
        let Flight { piece, answer, .. } = &mut *flight;
        let told = answer.take().filter(|_| told);
        self.observer.answered(told.as_ref().map(|answer| (piece.items, answer)));
        if let Some(answer) = told {
            if let Some(common) = &shared.common {
                common.give_back(piece.items, piece.bytes);
            }
            self.round = piece.tell(answer.results);
        }
        self.after(shared, flight, room, settled);
    }

    /// Tells of the room that is free again and of how far outcomes are, and keeps the box.
    pub(super) fn after(
        &mut self,
        shared: &Shared<T, O>,
        flight: Box<Flight<T, O>>,
        room: Option<Waker>,
        settled: Option<u64>,
    ) {
        if let Some(room) = room {
            room.wake();
        }
        if self.flights.len() < FLIGHTS_KEPT {
            self.flights.push(flight);
        }
        if let Some(settled) = settled {
            shared.settled.send_replace(settled);
        }
    }

    /// Nothing will be sent any more: what is answered, in a task or waits to be sent again is lost.
    pub(super) fn abandon(&mut self) -> Vec<Piece<T, O>> {
        let done = self.done.take().map(|mut flight| std::mem::take(&mut flight.piece));
        let waiting = self.recovery.iter_mut().flat_map(|recovery| recovery.abandon());
        done.into_iter().chain(waiting).collect()
    }
}

/// The plan, as far as producers look at it.
pub(super) fn heed<T, O>(open: &mut Open<T, O>) {
    let plan = open.engine.plan();
    let (size, lingers) = (plan.batch_size as usize, plan.linger > Duration::ZERO);
    open.line.seal_at(size);
    open.lingers = lingers;
}

/// The edges while those who were told of their outcome go first: a batch that is full already, or
/// somebody who wants it to leave, waits for nobody.
fn gathering<T, O>(open: &Open<T, O>) -> Option<Wait> {
    let items = u64::from(open.engine.plan().batch_size);
    let bytes = open.engine.bounds().batch_bytes_max;
    let waits = open.line.items() < items && open.line.bytes() < bytes;
    (waits && !open.closed).then_some(Wait { until: None, items, bytes })
}
