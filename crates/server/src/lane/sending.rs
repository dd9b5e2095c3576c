//! What is sent next? Parts of failed batches before anything fresh, and nothing without leave.

use std::sync::atomic::Ordering;

use tidegate::breaker::Phase;
use tidegate::engine::{Cut, Queue, Resend, Step};
use tidegate::{FlushReason, Moment};
use tidegate_sinks::Batch;

use super::case::Part;
use super::flight::Flight;
use super::outage::Leave;
use super::shared::State;
use super::{Lane, cut};

/// A probe has at most this share of the items in a full batch.
const PROBE_SHARE: u32 = 10;

/// Whether something was sent.
enum Sent {
    Yes,
    /// Nothing can be, before this moment or another edge.
    No(Option<Moment>),
}

impl Lane {
    /// Sends what is due; returns the moment to look again.
    pub(super) fn step(&mut self) -> Option<Moment> {
        loop {
            let now = self.shared.clock.now();
            if self.in_doubt {
                return None;
            }
            if let Some((_, retry_at)) = &self.blocked {
                return *retry_at;
            }
            let phase = self.failing.outage.phase(now);
            self.follow(phase, now);
            if let Phase::Open { until } = phase {
                return Some(until);
            }
            let Sent::No(of_cases) = self.send_part(now) else { continue };
            let sent = match phase {
                Phase::Closed => self.send_fresh(now),
                _ => self.send_probe(now),
            };
            let Sent::No(of_queue) = sent else { continue };
            return [of_cases, of_queue].into_iter().flatten().min();
        }
    }

    /// Tells the engine what the breaker says.
    pub(super) fn follow(&self, phase: Phase, now: Moment) {
        match phase {
            Phase::Closed => self.shared.engine().resume(now),
            _ => self.shared.engine().pause(now),
        }
    }

    /// Sends the first part of a failed batch, if one is due.
    fn send_part(&mut self, now: Moment) -> Sent {
        let mut timer: Option<Moment> = None;
        for place in 0..self.cases.len() {
            let case = &mut self.cases[place];
            if case.flying {
                continue;
            }
            let unpaid = !case.paid && case.sends().is_some_and(|parcel| parcel.is_retry);
            if case.due <= now && unpaid {
                match self.failing.outage.pay(now) {
                    Ok(()) => case.paid = true,
                    Err(at) => case.due = at,
                }
            }
            if case.due > now {
                timer = Some(timer.map_or(case.due, |timer| timer.min(case.due)));
                continue;
            }
            let room = match case.sends() {
                Some(_) => self.shared.engine().may_resend(now),
                None => Resend::Now,
            };
            let wait = match room {
                Resend::Now => match self.failing.outage.admit(now) {
                    Ok(leave) => {
                        self.launch_part(place, leave, now);
                        return Sent::Yes;
                    }
                    Err(wait) => wait,
                },
                Resend::At(at) => Some(at),
                Resend::AfterAnswer => None,
            };
            return Sent::No([timer, wait].into_iter().flatten().min());
        }
        Sent::No(timer)
    }

    fn launch_part(&mut self, place: usize, leave: Leave, now: Moment) {
        if leave.is_probe() {
            self.shrink(place);
        }
        let case = &mut self.cases[place];
        (case.flying, case.paid) = (true, false);
        let id = Some(case.id);
        let (batch, ticket) = match case.parts.front() {
            Some(Part::Send(parcel)) => {
                let batch = parcel.batch.clone();
                if parcel.attempts > 0 {
                    self.shared.retries[parcel.last.index()].fetch_add(1, Ordering::Relaxed);
                }
                let (items, bytes) = size(&batch);
                let ticket = self.shared.engine().resent(now, items, bytes);
                (batch, Some(ticket))
            }
            Some(Part::Settle(batch)) => (batch.clone(), None),
            Some(Part::Die(..)) | None => return,
        };
        let (before, reason) = ((0, now), None);
        self.send(Flight { batch, ticket, leave, reason, case: id, before, repeats: false });
    }

    /// Makes the first part small enough for a probe, unless it may have been stored: what is in
    /// doubt is repeated unchanged.
    fn shrink(&mut self, place: usize) {
        let most = u64::from(self.probe_items());
        let case = &mut self.cases[place];
        let Some(parcel) = case.sends() else { return };
        if parcel.is_in_doubt || parcel.batch.items() <= most {
            return;
        }
        let parcel = parcel.clone();
        let (head, tail) = cut::split(&parcel.batch, most);
        let parts = [head, tail].map(|batch| Part::Send(parcel.part(batch)));
        case.replace(parts.into_iter());
    }

    fn probe_items(&self) -> u32 {
        (self.shared.engine().plan().batch_size / PROBE_SHARE).max(1)
    }

    /// Whether another fresh batch may be on its way: each failed one keeps its slot.
    fn has_slot(&self) -> bool {
        let concurrency = self.shared.engine().plan().concurrency;
        let held = self.flights.fresh() + self.cases.len();
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let held = held as f64;
        held < concurrency.ceil().max(1.0)
    }

    /// Sends a batch from the queue if the engine says so.
    fn send_fresh(&mut self, now: Moment) -> Sent {
        let seen = if self.has_slot() { self.queue.seen() } else { Queue::default() };
        let step = self.shared.engine().poll(now, &seen);
        let cut = match step {
            Step::Wait(wait) => return Sent::No(wait.until),
            Step::Send(cut) => cut,
        };
        match self.failing.outage.admit(now) {
            Ok(leave) => self.launch_fresh(cut, leave, now),
            Err(wait) => Sent::No(wait),
        }
    }

    /// Sends a small batch from the queue to see whether the sink takes it.
    fn send_probe(&mut self, now: Moment) -> Sent {
        if self.queue.seen().items == 0 || !self.has_slot() {
            return Sent::No(None);
        }
        match self.shared.engine().may_resend(now) {
            Resend::Now => {}
            Resend::At(at) => return Sent::No(Some(at)),
            Resend::AfterAnswer => return Sent::No(None),
        }
        let bytes_max = self.shared.engine().bounds().batch_bytes_max;
        let reason = FlushReason::Linger;
        let cut = Cut { items_max: self.probe_items(), bytes_max, reason };
        match self.failing.outage.admit(now) {
            Ok(leave) => self.launch_fresh(cut, leave, now),
            Err(wait) => Sent::No(wait),
        }
    }

    fn launch_fresh(&mut self, mut cut: Cut, leave: Leave, now: Moment) -> Sent {
        let repeats = self.queue.repeats();
        if repeats {
            // Its size was another plan's: it must not look full.
            cut.reason = FlushReason::Linger;
        }
        let Some(batch) = self.queue.cut(&self.shared.lane, cut) else { return Sent::No(None) };
        // Some of it may turn out to be given up already; then it becomes a case.
        let Some((batch, before)) = self.recognize(batch) else { return Sent::No(Some(now)) };
        let (items, bytes) = size(&batch);
        let ticket = self.shared.engine().sent(now, cut, items, bytes);
        self.failing.outage.first_attempt(now);
        let (ticket, reason) = (Some(ticket), Some(cut.reason));
        self.send(Flight { batch, ticket, leave, reason, case: None, before, repeats });
        Sent::Yes
    }

    /// The one place where a batch leaves.
    fn send(&mut self, flight: Flight) {
        self.flights.launch(&self.course, flight);
    }

    /// Shows what the lane is doing.
    pub(super) fn show(&self) {
        if self.detached {
            return self.shared.set_state(State::Detached);
        }
        let drains = *self.signals.drain.borrow();
        let well = if drains { State::Draining } else { State::Running };
        if let Some((why, _)) = &self.blocked {
            return self.shared.set_state(State::Blocked { why: why.clone() });
        }
        let attempts = self.refusals;
        let waiting = self.cases.iter().filter(|case| case.failures > 0);
        let said = waiting.map(|case| case.said.as_str()).next_back();
        let phase = self.failing.outage.phase(self.shared.clock.now());
        // Half-open with nothing to send: the next event is the next probe, and goes at once.
        let idle = self.cases.is_empty() && self.queue.seen().items == 0;
        let waits = match phase {
            Phase::Closed => false,
            Phase::HalfOpen => !idle,
            Phase::Open { .. } => true,
        };
        let stands = waits || said.is_some() && !self.has_slot();
        if !stands || self.in_doubt {
            return self.shared.set_state(if self.in_doubt { self.shared.state() } else { well });
        }
        let why = said.map_or_else(|| "the breaker is open".to_owned(), str::to_owned);
        self.shared.set_state(State::Retrying { why, attempts });
    }
}

fn size(batch: &Batch) -> (u32, u64) {
    (u32::try_from(batch.items()).unwrap_or(u32::MAX), batch.bytes())
}
