//! Which events does the next free connection send, and when are they due?
//!
//! Connections do not own shares of a run: whichever is free claims the next request, so a slow
//! connection delays its own request and no other. A request is due when its last event is, as if
//! a producer had gathered them; when all connections are busy the schedule goes on without them,
//! and the wait counts as latency. (A generator that waits with its schedule would hide exactly
//! the moments in which the server was slow: "coordinated omission".)

use std::time::Duration;

use crate::schedule::Schedule;

/// One request's share of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Number of its first event.
    pub(crate) first: u64,
    /// How many events; at least 1.
    pub(crate) events: usize,
    /// When it should be sent, since the start; `None` for at once.
    pub(crate) due: Option<Duration>,
}

impl Claim {
    /// Number of its last event.
    pub(crate) fn last(&self) -> u64 {
        self.first + (self.events as u64).saturating_sub(1)
    }
}

/// Hands out the events of a run in order, each once.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    next: u64,
    total: Option<u64>,
    until: Option<Duration>,
    schedule: Option<Schedule>,
}

impl Claims {
    /// Up to `total` events, none due after `until`.
    pub(crate) fn new(
        total: Option<u64>,
        until: Option<Duration>,
        schedule: Option<Schedule>,
    ) -> Self {
        Self { next: 0, total, until, schedule }
    }

    /// How many events are left; `u64::MAX` without a bound.
    pub(crate) fn left(&self) -> u64 {
        self.total.map_or(u64::MAX, |total| total.saturating_sub(self.next))
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The next request, of up to `events` events; `None` at the end of the run. `elapsed` is
    /// the time since the start: without a schedule it decides whether the run is over.
    pub(crate) fn claim(&mut self, events: usize, elapsed: Duration) -> Option<Claim> {
        let events = usize::try_from(self.left()).unwrap_or(usize::MAX).min(events);
        if events == 0 {
            return None;
        }
        let first = self.next;
        let behind = first + events as u64;
        let due = self.schedule.as_mut().map(|schedule| schedule.when(behind));
        if self.until.is_some_and(|until| due.unwrap_or(elapsed) > until) {
            return None;
        }
        self.next = behind;
        Some(Claim { first, events, due })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schedule::Pattern;

    proptest! {
        /// Invariant: every event is claimed exactly once, in order, whatever is asked for.
        #[test]
        fn each_event_once(
            total in 0_u64..10_000, asks in prop::collection::vec(1_usize..500, 1..100),
        ) {
            let mut claims = Claims::new(Some(total), None, None);
            let mut next = 0;
            for events in asks.into_iter().cycle() {
                let Some(claim) = claims.claim(events, Duration::ZERO) else { break };
                prop_assert_eq!(claim.first, next);
                prop_assert!(claim.events >= 1 && claim.events <= events);
                next = claim.last() + 1;
            }
            prop_assert_eq!(next, total);
        }
    }

    #[test]
    fn a_bound_in_time_ends_the_run() {
        let second = Duration::from_secs(1);
        let schedule = Schedule::new(Pattern::Constant, 1000.0, second, 0);
        let mut scheduled = Claims::new(None, Some(second), Some(schedule));
        let mut events = 0;
        while let Some(claim) = scheduled.claim(100, Duration::ZERO) {
            events += claim.events;
        }
        assert_eq!(events, 1000);
        let mut unscheduled = Claims::new(None, Some(second), None);
        assert!(unscheduled.claim(100, second).is_some());
        assert_eq!(unscheduled.claim(100, second * 2), None);
    }
}
