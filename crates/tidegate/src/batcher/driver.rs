//! Who runs a batcher? One task: it takes each step of the [flow](super::flow), polls the handler,
//! and waits for what comes next.
//!
//! A batch's future is polled here once. If it is ready there was no need for a task, and no
//! allocation either: the box it was polled in is used again. If not, it goes on in a task of its
//! own, beside the others.
//!
//! After a wake-up the driver lets the tasks that are ready to run go first, once, where that pays:
//! those that are about to add an item share the batch, instead of following the first one in a
//! batch each. So it does after it has told several submitters their outcomes, who are about to
//! come back. With a lone producer it does not pay, and is tried ever more rarely; meanwhile a
//! submitter polls the driver itself (see [`seat`](super::seat)).

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Sleep;

use super::answer::Answer;
use super::batch::Batch;
use super::flow::{Flow, Next};
use super::lone::Lone;
use super::piece::Flight;
use super::queue::{Entry, Shared};
use super::seat::Driven;
use super::sync::Arc;
use super::sync::atomic::Ordering;
use crate::{Moment, Outcome};

/// After so many batches the driver lets others run, however much waits.
const BATCHES_A_POLL: usize = 64;

/// A submitter is alone after so many tries in a row that did not pay.
const LONE: u32 = 4;

/// At most so many boxes of futures are kept.
const SLOTS_KEPT: usize = 4;

/// What a handler's future resolves to, and when the attempt left if that was not at once.
pub(super) type Reply<O> = (Answer<O>, Option<Moment>);

/// Where a handler's future lies while it is polled.
type Slot<F> = Pin<Box<Option<F>>>;

/// What a task ended with.
type Joined<O, F> = Result<(Id, (Reply<O>, Slot<F>)), JoinError>;

pub(super) struct Driver<T, O: 'static, C, F> {
    shared: Arc<Shared<T, O>>,
    flow: Flow<T, O>,
    call: C,
    slots: Vec<Slot<F>>,
    flying: JoinSet<(Reply<O>, Slot<F>)>,
    /// What is in flight, by the id of its task.
    flights: HashMap<Id, Box<Flight<T, O>>>,
    timer: Option<Pin<Box<Sleep>>>,
    patience: Patience,
    /// Where the handlers' tasks and the timer live, whoever polls the driver.
    runtime: Handle,
    state: State,
}

/// Where it is between two polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// It waits for an edge, an answer or the timer.
    Rests,
    /// It went to the end of the run queue once.
    Yielded,
    Works,
}

impl<T, O, C, F> Driver<T, O, C, F>
where
    T: Send + 'static,
    O: Send + 'static,
    C: Fn(Batch<T>) -> F,
    F: Future<Output = Reply<O>> + Send + 'static,
{
    pub(super) fn new(shared: Arc<Shared<T, O>>, flow: Flow<T, O>, call: C) -> Self {
        Self {
            shared,
            flow,
            call,
            slots: Vec::new(),
            flying: JoinSet::new(),
            flights: HashMap::new(),
            timer: None,
            patience: Patience::default(),
            runtime: Handle::current(),
            state: State::New,
        }
    }

    /// Calls the handler. Whether several submitters were answered at once.
    fn send(&mut self, mut flight: Box<Flight<T, O>>, cx: &mut Context<'_>) -> bool {
        let mut slot = self.call(&mut flight);
        let here = flight.here;
        if here && let Poll::Ready((answer, _)) = poll(&mut slot, cx) {
            self.keep(slot);
            flight.answered(answer, true);
            let several = flight.piece.waiters() > 1;
            self.flow.answered(flight);
            return several;
        }
        self.spawn(flight, slot, here);
        false
    }

    /// The handler's future for these items.
    fn call(&mut self, flight: &mut Flight<T, O>) -> Slot<F> {
        let batch = Batch::new(std::mem::take(&mut flight.items), &self.shared.spares);
        let mut slot = self.slots.pop().unwrap_or_else(|| Box::pin(None));
        slot.set(Some((self.call)(batch)));
        slot
    }

    /// Goes on with a handler's future in a task, after it was `polled` here or not.
    fn spawn(&mut self, flight: Box<Flight<T, O>>, mut slot: Slot<F>, polled: bool) {
        let sent = flight.ticket.as_ref().filter(|_| polled).map(|ticket| ticket.sent().at);
        let took = sent.map(|sent| self.shared.clock.now().since(sent));
        let first = flight.piece.first;
        let task = self.flying.spawn(async move {
            let reply = std::future::poll_fn(|cx| poll(&mut slot, cx)).await;
            (reply, slot)
        });
        self.flights.insert(task.id(), flight);
        self.flow.in_task(first, took);
    }

    fn keep(&mut self, slot: Slot<F>) {
        if self.slots.len() < SLOTS_KEPT {
            self.slots.push(slot);
        }
    }

    /// Whether one in a task was answered, or may have been.
    fn poll_joined(&mut self, cx: &mut Context<'_>) -> bool {
        if self.flights.is_empty() {
            return false;
        }
        if self.flow.has_answer() {
            // One at a time is counted.
            return true;
        }
        if let Poll::Ready(Some(done)) = self.flying.poll_join_next_with_id(cx) {
            self.joined(done);
            return true;
        }
        false
    }

    fn joined(&mut self, done: Joined<O, F>) {
        let (id, (answer, departed)) = match done {
            Ok((id, (reply, slot))) => {
                self.keep(slot);
                (id, reply)
            }
            Err(error) => (error.id(), (failed(error), None)),
        };
        if let Some(mut flight) = self.flights.remove(&id) {
            if let Some((ticket, departed)) = flight.ticket.as_mut().zip(departed) {
                ticket.depart(departed);
            }
            flight.answered(answer, false);
            self.flow.answered(flight);
        }
    }

    /// Waits for the moment at most. Ready if it has come.
    fn rest(&mut self, until: Option<Moment>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let deadline = self.shared.clock.instant(until);
        let timer = match &mut self.timer {
            // One that is due earlier is left alone: to be woken once for nothing costs less than
            // to set the timer anew for each batch.
            Some(timer) => {
                if timer.deadline() > deadline || timer.is_elapsed() {
                    timer.as_mut().reset(deadline);
                }
                timer
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(deadline))),
        };
        timer.as_mut().poll(cx)
    }

    /// Does what there is to do.
    fn work(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let yielded = std::mem::replace(&mut self.state, State::Works) == State::Yielded;
        let mut gathers = false;
        for batch in 0..BATCHES_A_POLL {
            // Answers come first: they free capacity for what follows.
            let joined = self.poll_joined(cx);
            match self.flow.step(&self.shared, gathers && !joined) {
                Next::Send(flight) => {
                    let items = flight.items.len();
                    if (yielded && batch == 0) || items > 1 {
                        self.learn(items);
                    }
                    gathers = self.send(flight, cx);
                }
                // Another may be done, and only a poll that found none leaves a waker.
                Next::Wait(_) if joined => {}
                Next::Wait(until) => {
                    if self.rest(until, cx).is_pending() {
                        self.state = State::Rests;
                        return Poll::Pending;
                    }
                }
                Next::Gather => {
                    self.yield_once(cx);
                    return Poll::Pending;
                }
                Next::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Goes to the end of the run queue.
    fn yield_once(&mut self, cx: &Context<'_>) {
        self.state = State::Yielded;
        // Not `yield_now`: that comes back only after the runtime has looked for I/O.
        cx.waker().wake_by_ref();
    }

    /// So many items were in the batch for which others went first.
    fn learn(&mut self, items: usize) {
        self.patience.learn(items);
        let alone = self.patience.in_vain >= LONE;
        self.shared.alone.store(alone, Ordering::Relaxed);
    }

    /// Whether others are to go first, now that it was woken.
    fn goes_last(&mut self, cx: &Context<'_>) -> bool {
        match self.state {
            State::New => {
                // Before the first step, after which producers look for it.
                let _ = self.shared.driver.set(cx.waker().clone());
                false
            }
            State::Rests if self.patience.is_worth_it() => {
                self.yield_once(cx);
                true
            }
            State::Rests | State::Yielded | State::Works => false,
        }
    }
}

/// Nothing in here is ever pinned: a handler's future is, in a box of its own.
impl<T, O, C, F> Unpin for Driver<T, O, C, F> {}

impl<T, O, C, F> Future for Driver<T, O, C, F>
where
    T: Send + 'static,
    O: Send + 'static,
    C: Fn(Batch<T>) -> F,
    F: Future<Output = Reply<O>> + Send + 'static,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.goes_last(cx) {
            return Poll::Pending;
        }
        this.work(cx)
    }
}

impl<T, O, C, F> Driven<T, O> for Driver<T, O, C, F>
where
    T: Send + 'static,
    O: Send + 'static,
    C: Fn(Batch<T>) -> F,
    F: Future<Output = Reply<O>> + Send + 'static,
{
    fn lone(&mut self, entry: Entry<T>, cx: &mut Context<'_>) -> (Lone<T, O>, Poll<()>) {
        if self.state != State::Rests || self.flow.is_slow() || self.patience.is_worth_it() {
            return (Lone::Refused(entry), Poll::Pending);
        }
        let mut flight = match self.flow.leave_alone(&self.shared, entry) {
            Ok(flight) => flight,
            Err(entry) => return (Lone::Refused(entry), Poll::Pending),
        };
        let runtime = self.runtime.clone();
        let _here = runtime.enter();
        let mut slot = self.call(&mut flight);
        if let Poll::Ready((answer, _)) = poll(&mut slot, cx) {
            self.keep(slot);
            let (result, more) = self.flow.answered_alone(&self.shared, flight, answer);
            let polled = if more { self.work(cx) } else { Poll::Pending };
            return (Lone::Answered(result), polled);
        }
        let place = self.flow.wait_alone(&self.shared, &mut flight);
        self.spawn(flight, slot, true);
        (Lone::Inside(place), self.work(cx))
    }
}

/// The driver is done, or its runtime is: nothing that waits will ever leave.
impl<T, O: 'static, C, F> Drop for Driver<T, O, C, F> {
    fn drop(&mut self) {
        let in_tasks =
            self.flights.drain().map(|(_, mut flight)| std::mem::take(&mut flight.piece));
        let pieces: Vec<_> = in_tasks.chain(self.flow.abandon()).collect();
        self.shared.end(pieces);
    }
}

/// Whether it pays to let others go first.
#[derive(Debug, Default)]
struct Patience {
    /// Wake-ups until the next try.
    skip: u32,
    /// Tries in a row that did not pay.
    in_vain: u32,
}

impl Patience {
    const fn is_worth_it(&mut self) -> bool {
        let now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        now
    }

    /// It paid if somebody else joined the item for which the driver was woken.
    fn learn(&mut self, items: usize) {
        self.in_vain = if items > 1 { 0 } else { (self.in_vain + 1).min(8) };
        self.skip = (1 << self.in_vain) - 1;
    }
}

/// Polls a handler's future; a panic is an answer too.
fn poll<O, F>(slot: &mut Slot<F>, cx: &mut Context<'_>) -> Poll<Reply<O>>
where
    F: Future<Output = Reply<O>>,
{
    let Some(future) = slot.as_mut().as_pin_mut() else { return Poll::Pending };
    // The future is not polled again after a panic, so nobody sees what it left half done.
    let polled = catch_unwind(AssertUnwindSafe(|| future.poll(cx)));
    let reply = match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(reply)) => reply,
        Err(payload) => (Answer::panicked(&*payload), None),
    };
    // What the future holds may panic when it is dropped; the answer stands all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| slot.set(None)));
    Poll::Ready(reply)
}

/// The answer of a handler's task that was ended with its runtime.
fn failed<O>(error: JoinError) -> Answer<O> {
    match error.try_into_panic() {
        Ok(payload) => Answer::panicked(&*payload),
        Err(error) => Answer::failed(Outcome::Overloaded, error),
    }
}
