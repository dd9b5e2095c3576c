//! What is on its way to the sink? Batches, each with the ticket of its attempt.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::engine::Ticket;
use tidegate::{Moment, Outcome};
use tidegate_sinks::{Batch, Delivery, DeliveryFailure, Sink};
use tokio::task::{Id, JoinSet};

use super::outage::Leave;

/// An attempt on its way.
pub(super) struct Flight {
    pub(super) batch: Batch,
    /// The engine's; an empty batch that only commits its range has none.
    pub(super) ticket: Option<Ticket>,
    pub(super) leave: Leave,
    /// Of which failed batch it is the first part; none if it is fresh.
    pub(super) case: Option<u64>,
    /// Attempts with these items before, and when the first one was.
    pub(super) before: (u32, Moment),
}

/// All attempts on their way. Each runs in a task of its own, so that a sink that panics costs an
/// attempt and not the lane.
#[derive(Default)]
pub(super) struct Flights {
    tasks: JoinSet<Delivery>,
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

    /// Sends a batch, for at most `timeout`. The batch is kept here until it is answered.
    pub(super) fn launch(&mut self, sink: &Arc<dyn Sink>, timeout: Duration, flight: Flight) {
        let (sink, batch) = (Arc::clone(sink), flight.batch.clone());
        let task = self.tasks.spawn(async move {
            match tokio::time::timeout(timeout, sink.deliver(batch)).await {
                Ok(delivery) => delivery,
                Err(_) => no_answer(format!("no answer within {timeout:?}"), Outcome::TimedOut),
            }
        });
        self.flying.insert(task.id(), flight);
    }

    /// The next answer; `None` when nothing is on its way. Cancel-safe.
    pub(super) async fn land(&mut self) -> Option<(Flight, Delivery)> {
        let (id, delivery) = match self.tasks.join_next_with_id().await? {
            Ok(landed) => landed,
            Err(error) => {
                let why = format!("the sink failed inside: {error}");
                (error.id(), no_answer(why, Outcome::Unreachable))
            }
        };
        self.flying.remove(&id).map(|flight| (flight, delivery))
    }
}

fn no_answer(why: String, outcome: Outcome) -> Delivery {
    Delivery { outcome, failure: Some(DeliveryFailure::Retry(why)), feedback: None }
}
