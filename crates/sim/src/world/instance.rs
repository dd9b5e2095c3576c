//! When does an instance send nothing? What stands in for the breaker and the retry policy.

use std::ops::Range;
use std::time::Duration;

use tidegate::share::Share;
use tidegate::{Moment, Outcome};

/// Refused connections in a row that make an outage.
const REFUSALS_OF_AN_OUTAGE: u32 = 3;
/// Time between probes during an outage.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(50);

/// One program that sends to the backend, with the lanes it has.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) shells: Range<usize>,
    /// Who of its lanes takes the next slot, if there are several.
    pub(super) share: Option<Share>,
    /// When it begins; until then it sends nothing and hears nothing.
    pub(super) begins: Moment,
    refusals: u32,
    out: bool,
    resume_at: Moment,
}

/// What an outcome asks of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heed {
    /// Nothing.
    GoOn,
    /// To send nothing until then.
    PauseUntil(Moment),
    /// To send nothing until a probe gets through.
    PauseAndProbe,
}

impl Instance {
    pub(super) const fn new(shells: Range<usize>, share: Option<Share>, begins: Moment) -> Self {
        Self { shells, share, begins, refusals: 0, out: false, resume_at: Moment::ZERO }
    }

    /// Heeds an outcome.
    pub(super) fn heed(&mut self, now: Moment, outcome: Outcome) -> Heed {
        match outcome {
            Outcome::Throttled { retry_after: Some(wait) } => {
                self.resume_at = self.resume_at.max(now + wait);
                Heed::PauseUntil(self.resume_at)
            }
            Outcome::Unreachable => {
                self.refusals += 1;
                if self.refusals < REFUSALS_OF_AN_OUTAGE || self.out {
                    return Heed::GoOn;
                }
                self.out = true;
                Heed::PauseAndProbe
            }
            _ => {
                self.refusals = 0;
                Heed::GoOn
            }
        }
    }

    /// A probe got through.
    pub(super) const fn reached(&mut self) {
        self.out = false;
        self.refusals = 0;
    }

    /// Whether it may send again.
    pub(super) fn may_resume(&self, now: Moment) -> bool {
        now >= self.resume_at && !self.out
    }
}
