//! What is on its way to the sink? Batches, each with the ticket of its attempt.
//!
//! If the sink knows batches by their range, the boundaries are noted in the journal before the
//! attempt, in its own task: batches that leave together share a sync, and the wait for the disk
//! is no part of the attempt's latency.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::engine::Ticket;
use tidegate::{FlushReason, Moment, Outcome};
use tidegate_journal::BatchNotes;
use tidegate_sinks::{Batch, Delivery, DeliveryFailure, Sink};
use tokio::task::{Id, JoinSet};

use super::outage::Leave;
use crate::clock::Clock;

/// An attempt on its way.
pub(super) struct Flight {
    pub(super) batch: Batch,
    /// The engine's; an empty batch that only commits its range has none.
    pub(super) ticket: Option<Ticket>,
    pub(super) leave: Leave,
    /// Why it left the queue; none if it had been sent before.
    pub(super) reason: Option<FlushReason>,
    /// Of which failed batch it is the first part; none if it is fresh.
    pub(super) case: Option<u64>,
    /// Attempts with these items before, and when the first one was.
    pub(super) before: (u32, Moment),
    /// Whether it was attempted in an earlier life and may have been taken then.
    pub(super) repeats: bool,
}

/// Where attempts go, and how.
#[derive(Clone)]
pub(super) struct Course {
    pub(super) sink: Arc<dyn Sink>,
    /// Longest time an attempt may take.
    pub(super) timeout: Duration,
    /// Where boundaries are noted, if the sink needs that.
    pub(super) notes: Option<BatchNotes>,
    pub(super) clock: Clock,
}

impl Course {
    /// One attempt, and when it left.
    async fn attempt(self, batch: Batch) -> (Moment, Delivery) {
        if let Some(notes) = &self.notes
            && let Err(error) = notes.begin(batch.range.clone()).await
        {
            // Not sent: whether it was taken would be unknown after a crash.
            return (self.clock.now(), no_answer(error.to_string(), Outcome::Unreachable));
        }
        let left = self.clock.now();
        let timeout = self.timeout;
        let delivery = match tokio::time::timeout(timeout, self.sink.deliver(batch)).await {
            Ok(delivery) => delivery,
            Err(_) => no_answer(format!("no answer within {timeout:?}"), Outcome::TimedOut),
        };
        (left, delivery)
    }
}

/// All attempts on their way. Each runs in a task of its own, so that a sink that panics costs an
/// attempt and not the lane.
#[derive(Default)]
pub(super) struct Flights {
    tasks: JoinSet<(Moment, Delivery)>,
    flying: HashMap<Id, Flight>,
}

impl Flights {
    pub(super) fn is_empty(&self) -> bool {
        self.flying.is_empty()
    }

    /// How many with a fresh batch.
    pub(super) fn fresh(&self) -> usize {
        self.flying.values().filter(|flight| flight.case.is_none()).count()
    }

    /// Sends a batch. It is kept here until it is answered.
    pub(super) fn launch(&mut self, course: &Course, flight: Flight) {
        let task = self.tasks.spawn(course.clone().attempt(flight.batch.clone()));
        self.flying.insert(task.id(), flight);
    }

    /// The next answer; `None` when nothing is on its way. Cancel-safe.
    pub(super) async fn land(&mut self) -> Option<(Flight, Delivery)> {
        let (id, left, delivery) = match self.tasks.join_next_with_id().await? {
            Ok((id, (left, delivery))) => (id, Some(left), delivery),
            Err(error) => {
                let why = format!("the sink failed inside: {error}");
                (error.id(), None, no_answer(why, Outcome::Unreachable))
            }
        };
        let mut flight = self.flying.remove(&id)?;
        if let (Some(left), Some(ticket)) = (left, &mut flight.ticket) {
            ticket.depart(left);
        }
        Some((flight, delivery))
    }
}

fn no_answer(why: String, outcome: Outcome) -> Delivery {
    Delivery {
        outcome,
        failure: Some(DeliveryFailure::Retry(why)),
        feedback: None,
        retry_after: None,
    }
}
