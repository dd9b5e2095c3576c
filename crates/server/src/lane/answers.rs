//! What follows from an answer of the sink?
//!
//! A batch that was taken moves the cursor. One that was not is kept and sent again, before
//! anything new and after a wait that doubles; meanwhile the engine pauses and the journal takes
//! the load. The first batch that is sent again is the probe.

use std::sync::Arc;
use std::time::Duration;

use tidegate::{Moment, Outcome};
use tidegate_sinks::{Batch, Delivery, DeliveryFailure};

use super::Lane;
use super::backoff::Backoff;
use super::error::{LaneError, is_final};
use super::flight::Flight;
use super::shared::State;

impl Lane {
    /// An attempt was answered.
    pub(super) fn landed(
        &mut self,
        (flight, delivery): (Flight, Delivery),
    ) -> Result<(), LaneError> {
        let Flight { batch, ticket } = flight;
        let Delivery { outcome, failure, feedback } = delivery;
        let now = self.shared.clock.now();
        let waiting = self.queue.seen().items;
        let sample = self.shared.engine().answered(now, ticket, outcome, feedback, waiting);
        self.shared.attempted(now, sample.latency);
        let failure = match (outcome, failure) {
            (Outcome::Ok, _) => return self.delivered(&batch, now),
            (_, Some(failure)) => failure,
            (outcome, None) => DeliveryFailure::Retry(outcome.describe().into()),
        };
        if is_final(&failure) {
            return Err(self.given_up(failure));
        }
        let recut = matches!(failure, DeliveryFailure::Recut(_));
        self.in_doubt |= recut || outcome == Outcome::Unreachable;
        if recut && self.backoff.attempts() == 0 {
            // The sink is well, only our view of it was not: ask it at once, the first time.
            self.backoff.next(None);
            self.shared.engine().pause(now);
            return Ok(());
        }
        let place = self.refused.partition_point(|kept| kept.range.start < batch.range.start);
        self.refused.insert(place, batch);
        self.keep_a_probe();
        let asked = match outcome {
            Outcome::Throttled { retry_after } => retry_after,
            _ => None,
        };
        self.wait_after(&failure, asked);
        Ok(())
    }

    /// The sink took a batch.
    fn delivered(&mut self, batch: &Batch, now: Moment) -> Result<(), LaneError> {
        self.note_delivery(batch, now);
        self.was_not_missed(batch);
        self.note(batch.range.clone())?;
        if self.backoff.attempts() > 0 {
            let (lane, sink) = (&self.shared.lane, &self.shared.sink);
            let attempts = self.backoff.attempts();
            tracing::info!(%sink, %lane, attempts, "the sink takes batches again");
            self.backoff = Backoff::new();
        }
        if !self.in_doubt {
            self.go_on(now);
        }
        Ok(())
    }

    /// Goes on with what was refused, if anything was, else with what is fresh.
    pub(super) fn go_on(&mut self, now: Moment) {
        self.retry_at = (!self.refused.is_empty()).then_some(now);
        if self.retry_at.is_none() {
            self.shared.engine().resume(now);
        }
        if self.backoff.attempts() == 0 {
            let drains = *self.signals.drain.borrow();
            if !self.detached {
                self.shared.set_state(if drains { State::Draining } else { State::Running });
            }
        }
    }

    /// Sends nothing for a while, because the sink does not take it.
    pub(super) fn wait_after(&mut self, failure: &DeliveryFailure, asked: Option<Duration>) {
        let now = self.shared.clock.now();
        let wait = self.backoff.next(asked);
        self.retry_at = Some(now + wait);
        self.shared.engine().pause(now);
        let attempts = self.backoff.attempts();
        self.shared.set_state(match self.detached {
            true => State::Detached,
            false => State::Retrying { why: failure.to_string(), attempts },
        });
        let (lane, sink) = (&self.shared.lane, &self.shared.sink);
        // One line for each doubling of the wait, then one for each hundred attempts.
        if attempts <= 8 || attempts.is_multiple_of(100) {
            let wait_ms = wait.as_millis();
            tracing::warn!(%sink, %lane, attempts, wait_ms, %failure, "the sink takes nothing now");
        }
    }

    /// Notes how long the events of a batch took from the door to the sink.
    fn note_delivery(&self, batch: &Batch, now: Moment) {
        let unix_nanos = crate::clock::unix_nanos();
        let mut latency = self.shared.delivery_latency();
        for slice in &batch.slices {
            let Some(first) = slice.rows.iter().next() else { continue };
            let took = unix_nanos.saturating_sub(first.observed);
            let took = Duration::from_nanos(u64::try_from(took).unwrap_or(0));
            latency.record(now, took, u64::from(slice.rows.len()));
        }
    }

    pub(super) fn given_up(&self, failure: DeliveryFailure) -> LaneError {
        LaneError::Sink { sink: Arc::clone(&self.shared.sink), failure }
    }
}
