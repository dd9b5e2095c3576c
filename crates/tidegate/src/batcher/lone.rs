//! What does an item cost that nobody joins? The engine's leave, the handler and the count.
//!
//! A submitter that polls the driver itself (see [`seat`](super::seat)) needs no place in line and
//! no round: its item goes to the handler as a batch of one, and a ready answer is its result. This
//! is only for an item that would have left at once and alone: nothing waits before it, nobody
//! wants a hook to be called or a batch to be tried again, and the engine lets it go. Any other
//! goes the usual way.

use super::answer::Answer;
use super::error::Failure;
use super::flow::{Flow, heed};
use super::piece::{Flight, Piece};
use super::queue::{Entry, Shared};
use super::round::Place;
use crate::engine::{Queue, Step};

/// What became of a lone item.
pub(super) enum Lone<T, O> {
    /// It goes the usual way.
    Refused(Entry<T>),
    /// It is in flight, and its outcome will be there.
    Inside(Place<O>),
    Answered(Result<O, Failure>),
}

impl<T, O> Flow<T, O> {
    /// Sends an item past the line, if that changes nothing for anybody.
    pub(super) fn leave_alone(
        &mut self,
        shared: &Shared<T, O>,
        entry: Entry<T>,
    ) -> Result<Box<Flight<T, O>>, Entry<T>> {
        if self.recovery.is_some() || shared.hook.is_some() || shared.common.is_some() {
            return Err(entry);
        }
        let now = shared.clock.now();
        let bytes = u64::from(entry.bytes);
        let mut open = shared.lock();
        let waits = open.closed || open.line.items() > 0 || open.asked.flush || entry.priority;
        let queue = Queue { items: 1, bytes, oldest: Some(now) };
        let cut = match open.engine.poll(now, &queue) {
            Step::Send(cut) if !waits && open.room.enter(bytes) => cut,
            Step::Send(_) | Step::Wait(_) => return Err(entry),
        };
        let first = open.head();
        open.added += 1;
        let ticket = open.engine.sent(now, cut, 1, bytes);
        self.observer.look(&open.engine);
        drop(open);
        if self.spares.is_empty() {
            shared.spares.take(&mut self.spares);
        }
        let mut flight = self.flights.pop().unwrap_or_default();
        flight.items = self.spares.pop().unwrap_or_else(|| Vec::with_capacity(1));
        flight.items.push(entry.item);
        flight.ticket = Some(ticket);
        flight.piece = Piece::alone(first, bytes);
        Ok(flight)
    }

    /// Counts the answer, which was there at the first poll. Also says whether there is more to do
    /// than to wait for the next item.
    pub(super) fn answered_alone(
        &mut self,
        shared: &Shared<T, O>,
        mut flight: Box<Flight<T, O>>,
        mut answer: Answer<O>,
    ) -> (Result<O, Failure>, bool) {
        answer.check(1);
        let feedback = answer.feedback.take().map(|feedback| *feedback);
        let bytes = flight.piece.bytes;
        let now = shared.clock.now();
        let mut open = shared.lock();
        let waiting = open.line.items();
        if let Some(ticket) = flight.ticket.take() {
            let sample = open.engine.answered(now, ticket, answer.outcome, feedback, waiting);
            self.quick.learn(sample.latency);
            self.observer.keep(sample);
        }
        open.failed(1, answer.outcome, answer.failure.take());
        let room = open.room.give_back(1, bytes);
        let settled = self.settled(&mut open);
        let next = open.engine.poll(now, &Queue::default());
        heed(&mut open);
        let more = waiting > 0 || open.closed || open.asked.flush || open.asked.abandon;
        // A timer is set where the driver rests.
        let more = more || !matches!(next, Step::Wait(wait) if wait.until.is_none());
        drop(open);
        self.observer.answered(Some((1, &answer)));
        self.observer.tell(None::<&mut super::recovery::Recovery<T, O>>);
        // Nobody waits in the piece.
        let result = answer.results.take(0, 1);
        flight.piece = Piece::default();
        self.after(shared, flight, room, settled);
        (result, more)
    }

    /// The answer is not there yet: a place where the submitter waits for it.
    pub(super) fn wait_alone(
        &mut self,
        shared: &Shared<T, O>,
        flight: &mut Flight<T, O>,
    ) -> Place<O> {
        let (groups, place) = shared.lock().line.lone();
        flight.piece.join(groups);
        place
    }
}
