//! What is done about an answer of the sink?
//!
//! A batch that was taken moves the cursor. What follows from any other answer is decided in
//! `consequence` and carried out here, on the parts of the batch: see `case`.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate::breaker::Verdict;
use tidegate::{Moment, Outcome, bisect};
use tidegate_event::Position;
use tidegate_sinks::{Batch, Delivery, DeliveryFailure};

use super::Lane;
use super::case::{Case, Known, Parcel, Part, leaves_doubt};
use super::consequence::{Consequence, Tried, consequence};
use super::cut;
use super::error::LaneError;
use super::flight::Flight;
use crate::dead_letters::Why;
use crate::dead_letters::letter::Kind;

impl Lane {
    /// An attempt was answered.
    pub(super) fn landed(
        &mut self,
        (flight, delivery): (Flight, Delivery),
    ) -> Result<(), LaneError> {
        let Flight { batch, ticket, leave, reason, case, before, repeats } = flight;
        let Delivery { outcome, failure, feedback, retry_after } = delivery;
        let now = self.shared.clock.now();
        if let Some(ticket) = ticket {
            let waiting = self.queue.seen().items;
            let sample = self.shared.engine().answered(now, ticket, outcome, feedback, waiting);
            self.shared.attempted(&sample, reason);
        }
        let failure = match (outcome, failure) {
            (Outcome::Ok, _) => {
                leave.answered(now, Verdict::Answered);
                return self.delivered(&batch, case, now);
            }
            (_, Some(failure)) => failure,
            (outcome, None) => DeliveryFailure::Retry(outcome.describe().into()),
        };
        // The sink is well if only our view of what it has was not.
        let recut = matches!(failure, DeliveryFailure::Recut(_));
        leave.answered(now, if recut { Verdict::Answered } else { outcome.into() });
        let place = self.place_of(case, batch, before, repeats, now);
        self.failed(place, (outcome, retry_after), failure, now)?;
        self.keep_a_probe();
        Ok(())
    }

    /// The sink took a batch.
    fn delivered(
        &mut self,
        batch: &Batch,
        case: Option<u64>,
        now: Moment,
    ) -> Result<(), LaneError> {
        self.note_delivery(batch, now);
        self.was_not_missed(batch);
        self.given_up.retain(|position| !batch.range.contains(position));
        self.note(batch.range.clone())?;
        if let Some(place) = case.and_then(|id| self.cases.iter().position(|case| case.id == id)) {
            let case = &mut self.cases[place];
            (case.flying, case.failures, case.paid, case.due) = (false, 0, false, now);
            if case.sends().is_some_and(|parcel| parcel.is_hinted) {
                case.hints.judge(false);
            }
            case.parts.pop_front();
            if case.parts.is_empty() {
                self.cases.remove(place);
            }
        }
        if self.refusals > 0 {
            let (lane, sink, attempts) = (&self.shared.lane, &self.shared.sink, self.refusals);
            tracing::info!(%sink, %lane, attempts, "the sink takes batches again");
            self.refusals = 0;
        }
        Ok(())
    }

    /// Where the failed batch stands among the cases; a fresh one becomes one.
    fn place_of(
        &mut self,
        case: Option<u64>,
        batch: Batch,
        (attempts, first_at): (u32, Moment),
        repeats: bool,
        now: Moment,
    ) -> usize {
        if let Some(place) = case.and_then(|id| self.cases.iter().position(|case| case.id == id)) {
            return place;
        }
        let parcel = Parcel {
            batch,
            attempts,
            first_at,
            last: Outcome::Ok,
            is_in_doubt: repeats,
            is_retry: false,
            is_hinted: false,
        };
        self.open_case(now, [Part::Send(parcel)].into())
    }

    /// A new case, at its place.
    pub(super) fn open_case(
        &mut self,
        now: Moment,
        parts: std::collections::VecDeque<Part>,
    ) -> usize {
        self.cases_opened += 1;
        let case = Case::new(self.cases_opened, now, parts);
        let place = self.cases.partition_point(|other| other.start() <= case.start());
        self.cases.insert(place, case);
        place
    }

    /// The first part of this case was not taken.
    fn failed(
        &mut self,
        place: usize,
        (outcome, retry_after): (Outcome, Option<Duration>),
        failure: DeliveryFailure,
        now: Moment,
    ) -> Result<(), LaneError> {
        let (guarantee, policy) = (self.sink.limits().guarantee, self.failing.policy);
        let case = &mut self.cases[place];
        (case.flying, case.paid) = (false, false);
        let settles = case.sends().is_none();
        if let Some(parcel) = case.sends() {
            parcel.attempts = parcel.attempts.saturating_add(1);
            parcel.last = outcome;
            parcel.is_in_doubt |= leaves_doubt(outcome);
        }
        let tried = case.sends().map_or(
            Tried { items: 0, attempts: 0, age: Duration::ZERO, guarantee },
            |parcel| Tried {
                items: parcel.batch.items(),
                attempts: parcel.attempts,
                age: now.since(parcel.first_at),
                guarantee,
            },
        );
        match consequence(&policy, outcome, &failure, tried) {
            Consequence::End => return Err(self.gave_up(failure)),
            Consequence::Recut => {
                self.in_doubt = true;
                // The first time the record is asked at once.
                if self.refusals > 0 {
                    self.ask_at = Some(now + policy.backoff.bound(self.refusals));
                }
                self.refusals += 1;
            }
            // Its letters are kept: nothing else can become of it than this commit.
            _ if settles => {
                self.again(place, &failure, None, now);
            }
            Consequence::Retry { asked } => {
                self.again(place, &failure, asked.max(retry_after), now);
            }
            Consequence::Ask { dies } => {
                self.in_doubt = true;
                let dies = dies.map(|kind| why(kind, outcome, &failure));
                if let Some(parcel) = self.cases[place].sends() {
                    let known = Known::of(parcel, dies);
                    self.remember(known);
                }
                let wait = self.again(place, &failure, None, now);
                self.ask_at = Some(now + wait);
            }
            Consequence::Split { at } => self.split(place, at),
            Consequence::Die(kind) => self.doom(place, why(kind, outcome, &failure)),
            Consequence::Items => self.item_by_item(place, outcome, &failure, now)?,
        }
        Ok(())
    }

    /// The first part goes again after a wait.
    fn again(
        &mut self,
        place: usize,
        failure: &DeliveryFailure,
        asked: Option<Duration>,
        now: Moment,
    ) -> Duration {
        let random = self.failing.outage.roll();
        let case = &mut self.cases[place];
        case.failures = case.failures.saturating_add(1);
        let wait = self.failing.policy.backoff.wait(case.failures, asked, random);
        case.due = now + wait;
        case.said = failure.to_string();
        if let Some(parcel) = case.sends() {
            parcel.is_retry = true;
        }
        self.tell_refusal(failure, wait);
        wait
    }

    /// Counts and tells that the sink takes nothing now.
    pub(super) fn tell_refusal(&mut self, failure: &DeliveryFailure, wait: Duration) {
        self.refusals = self.refusals.saturating_add(1);
        let (lane, sink, attempts) = (&self.shared.lane, &self.shared.sink, self.refusals);
        // One line for each of the first, then one for each hundred.
        if attempts <= 8 || attempts.is_multiple_of(100) {
            let wait_ms = wait.as_millis();
            tracing::warn!(%sink, %lane, attempts, wait_ms, %failure, "the sink takes nothing now");
        }
    }

    /// Cuts the first part, at the item that the backend pointed at if it is to be believed.
    fn split(&mut self, place: usize, at: Option<Position>) {
        let case = &mut self.cases[place];
        case.failures = 0;
        let Some(parcel) = case.sends().cloned() else { return };
        let hint = at.and_then(|at| cut::index_of(&parcel.batch, at));
        let hint = case.hints.believed(hint);
        let items = u32::try_from(parcel.batch.items()).unwrap_or(u32::MAX);
        let mut reached = 0;
        let cut = cut::into_parts(&parcel.batch, &bisect::parts(items, hint));
        let parts = cut.into_iter().map(|batch| {
            let is_hinted = hint == Some(reached) && batch.items() == 1;
            reached += u32::try_from(batch.items()).unwrap_or(u32::MAX);
            Part::Send(Parcel { is_hinted, ..parcel.part(batch) })
        });
        let parts: Vec<_> = parts.collect();
        case.replace(parts.into_iter());
    }

    /// The first part is given up.
    fn doom(&mut self, place: usize, why: Why) {
        let case = &mut self.cases[place];
        case.failures = 0;
        let Some(parcel) = case.sends().cloned() else { return };
        if parcel.is_hinted {
            case.hints.judge(true);
        }
        case.replace(std::iter::once(Part::Die(parcel, why)));
    }

    /// The backend took all but these: what it may take later goes again, the rest is given up.
    /// First the latter, so that the letters are kept before their positions are passed.
    fn item_by_item(
        &mut self,
        place: usize,
        outcome: Outcome,
        failure: &DeliveryFailure,
        now: Moment,
    ) -> Result<(), LaneError> {
        let DeliveryFailure::Items(failures) = failure else { return Ok(()) };
        let Some(parcel) = self.cases[place].sends().cloned() else { return Ok(()) };
        let known: BTreeSet<_> = cut::singles(&parcel.batch).map(|slice| slice.first).collect();
        let named = failures.iter().filter(|failure| known.contains(&failure.position));
        let (later, never): (Vec<_>, Vec<_>) = named.partition(|failure| failure.retryable);
        if later.is_empty() && never.is_empty() {
            self.again(place, failure, None, now);
            return Ok(());
        }
        let of = |list: &[_]| -> BTreeSet<Position> {
            list.iter().map(|failure: &&tidegate_sinks::ItemFailure| failure.position).collect()
        };
        let (later, gone) = (of(&later), of(&never).into_iter().chain(of(&later)).collect());
        self.note_all(&cut::without(&parcel.batch.range, &gone))?;
        let mut parts = Vec::new();
        for item in never {
            let Some(batch) = cut::only(&parcel.batch, &[item.position].into()) else { continue };
            let reason = item.why.clone();
            let at = crate::clock::unix_nanos();
            let why = Why { kind: Kind::Refused, outcome: Outcome::Rejected, reason, at };
            parts.push(Part::Die(parcel.part(batch), why));
        }
        if let Some(batch) = cut::only(&parcel.batch, &later) {
            let parcel = Parcel { is_retry: true, ..parcel.part(batch) };
            let age = now.since(parcel.first_at);
            let exhausted = self.failing.policy.limits.exhausted(parcel.attempts, age);
            parts.push(match exhausted {
                None => Part::Send(parcel),
                Some(which) => Part::Die(parcel, why(which.into(), outcome, failure)),
            });
        }
        self.cases[place].replace(parts.into_iter());
        if !later.is_empty() {
            let random = self.failing.outage.roll();
            let case = &mut self.cases[place];
            case.failures = case.failures.saturating_add(1);
            case.due = now + self.failing.policy.backoff.wait(case.failures, None, random);
            case.said = failure.to_string();
        }
        Ok(())
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

    pub(super) fn gave_up(&self, failure: DeliveryFailure) -> LaneError {
        LaneError::Sink { sink: std::sync::Arc::clone(&self.shared.sink), failure }
    }
}

fn why(kind: Kind, outcome: Outcome, failure: &DeliveryFailure) -> Why {
    Why { kind, outcome, reason: failure.to_string(), at: crate::clock::unix_nanos() }
}
