//! May another attempt leave? Concurrency counts those in flight, pace counts those that left.
//!
//! Concurrency is real-valued. Its whole part is a number of slots that may be busy all the time;
//! its fraction is one more slot that rests after each attempt, so that over time it is busy for
//! that fraction: after an attempt of latency *l* in a slot of fraction *f* it rests
//! *l*·(1/*f* − 1). With a concurrency below 1 that slot is the only one.

use std::time::Duration;

use crate::{Moment, Plan};

/// What is in flight and what has to rest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capacity {
    in_flight: u32,
    /// When the fractional slot has rested.
    rested_at: Moment,
    /// When an attempt was due by the pace, the last one that left.
    paced: Option<Moment>,
}

/// Whether an attempt may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Now.
    Now,
    /// At this moment.
    At(Moment),
    /// After another attempt has been answered.
    AfterAnswer,
}

/// The slot an attempt occupies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Slot {
    /// One that may be busy all the time.
    Whole,
    /// The one that rests; with its fraction when the attempt left.
    Fraction(f64),
}

impl Capacity {
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    pub(super) fn admission(&self, now: Moment, plan: &Plan) -> Admission {
        let slot_free_at = match self.next_slot(plan.concurrency) {
            None => return Admission::AfterAnswer,
            Some(Slot::Whole) => now,
            Some(Slot::Fraction(_)) => self.rested_at,
        };
        let paced_at = self.paced_at(plan.pace).unwrap_or(now);
        let at = slot_free_at.max(paced_at);
        if at <= now { Admission::Now } else { Admission::At(at) }
    }

    /// When the next attempt is due by the pace. One that left late, because no slot was free, does
    /// not delay those after it: an interval is made good.
    fn paced_at(&self, pace: Option<f64>) -> Option<Moment> {
        let (pace, last) = pace.filter(|pace| *pace > 0.0).zip(self.paced)?;
        Some(last + seconds(1.0 / pace))
    }

    /// The slot that the next attempt would occupy.
    fn next_slot(&self, concurrency: f64) -> Option<Slot> {
        let free = concurrency - f64::from(self.in_flight);
        if free >= 1.0 {
            Some(Slot::Whole)
        } else if free > 0.0 {
            Some(Slot::Fraction(free))
        } else {
            None
        }
    }

    /// An attempt leaves.
    pub(super) fn sent(&mut self, now: Moment, plan: &Plan) -> Slot {
        let slot = self.next_slot(plan.concurrency).unwrap_or(Slot::Whole);
        self.in_flight += 1;
        let interval = plan.pace.filter(|pace| *pace > 0.0).map(|pace| seconds(1.0 / pace));
        let due = self.paced_at(plan.pace).unwrap_or(now);
        // At most one interval is owed: after a pause nothing leaves in a burst.
        let owed = interval.is_some_and(|interval| due + interval >= now);
        self.paced = Some(if owed { due.min(now) } else { now });
        slot
    }

    /// An attempt was answered.
    pub(super) fn answered(&mut self, now: Moment, slot: Slot, latency: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Slot::Fraction(fraction) = slot {
            self.rested_at = now + seconds(latency.as_secs_f64() * (1.0 / fraction - 1.0));
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    fn plan(concurrency: f64, pace: Option<f64>) -> Plan {
        Plan { batch_size: 1, concurrency, pace, linger: Duration::ZERO, epoch: Epoch(0) }
    }

    /// Runs attempts of 10 ms for 10 s, sending whenever it is allowed; returns the mean number in
    /// flight and how many were sent.
    fn run(plan: &Plan) -> (f64, u32) {
        let (mut capacity, mut now) = (Capacity::default(), Moment::ZERO);
        let latency = Duration::from_millis(10);
        let end = now + Duration::from_secs(10);
        let (mut flying, mut busy, mut sent) = (std::collections::VecDeque::new(), 0.0, 0);
        while now < end {
            let admission = capacity.admission(now, plan);
            if admission == Admission::Now {
                flying.push_back((now + latency, capacity.sent(now, plan)));
                sent += 1;
                continue;
            }
            let answer = flying.front().map(|(at, _)| *at);
            let next = match admission {
                Admission::At(at) => answer.map_or(at, |answer| answer.min(at)),
                _ => answer.unwrap(),
            };
            busy += f64::from(capacity.in_flight()) * next.since(now).as_secs_f64();
            now = next;
            while flying.front().is_some_and(|(at, _)| *at <= now) {
                let (_, slot) = flying.pop_front().unwrap();
                capacity.answered(now, slot, latency);
            }
        }
        (busy / 10.0, sent)
    }

    #[test]
    fn the_mean_in_flight_is_the_concurrency() {
        for concurrency in [0.1, 0.5, 1.0, 1.25, 2.5, 7.0] {
            let (mean, _) = run(&plan(concurrency, None));
            assert!((mean / concurrency - 1.0).abs() < 0.02, "{concurrency}: {mean}");
        }
    }

    #[test]
    fn pace_limits_attempts_a_second() {
        let (_, sent) = run(&plan(8.0, Some(40.0)));
        assert!((400..=401).contains(&sent), "{sent}");
    }

    #[test]
    fn all_slots_busy_means_wait_for_an_answer() {
        let mut capacity = Capacity::default();
        capacity.sent(Moment::ZERO, &plan(1.0, None));
        assert_eq!(capacity.admission(Moment::ZERO, &plan(1.0, None)), Admission::AfterAnswer);
    }
}
