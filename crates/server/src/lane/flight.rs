//! What is on its way to the sink? Batches, each with the ticket of its attempt.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::Outcome;
use tidegate::engine::Ticket;
use tidegate_sinks::{Batch, Delivery, DeliveryFailure, Sink};
use tokio::task::{Id, JoinSet};

/// An attempt on its way.
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) ticket: Ticket,
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
