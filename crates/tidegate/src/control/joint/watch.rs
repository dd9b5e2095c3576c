//! What follows from a slow round? A doubt at once, and a jump when it is proved.
//!
//! This is the part of [`Joint`] that asks `rounds` and `doubt`, and tells the other machines what
//! came of it: the margin takes back what the slow rounds taught it, the search begins anew, and
//! a comparison that was under way is broken off.

use std::time::Duration;

use super::doubt::Verdict;
use super::margin::NOISY;
use super::rounds::Said;
use super::search::Axis;
use super::{Answered, Joint, words};
use crate::{Change, Sample};

impl Joint {
    /// What a slow or quick round says; a change if the backend has changed.
    pub(super) fn watch(&mut self, sample: &Sample, room: f64) -> Option<Change> {
        if !self.settings.parts.rounds {
            return None;
        }
        match self.rounds.push(sample, room, self.plan.concurrency, self.margin.spread()) {
            Said::Nothing => None,
            Said::Usual => {
                (self.taught, self.timeouts) = (self.margin.taught(), 0);
                None
            }
            // However many rounds it lasts, it is one miss to the margin.
            Said::Slow(median) => {
                self.margin.unlearn_but_one(self.taught);
                self.suspect(sample, median)
            }
            Said::Changed(by) => {
                if let Some(change) = self.slow_in_duel(sample) {
                    return self.suspect(sample, by).or(Some(change));
                }
                let by = by.max(-1.4);
                self.size.jump(by);
                self.changed(sample);
                let said = words::jumped(sample, by, std::mem::take(&mut self.timeouts));
                self.ask(true, said)
            }
        }
    }

    /// A round was far too slow: smaller batches tell whether that was a stall.
    fn suspect(&mut self, sample: &Sample, median: f64) -> Option<Change> {
        let duel = self.search.duel();
        // Whether smaller batches are faster may be what is being asked.
        let asked = duel.is_some_and(|(axis, _)| matches!(axis, Axis::Smaller | Axis::Larger));
        if asked || self.margin.spread() > NOISY {
            return None;
        }
        let disturbed = duel.is_some();
        let by = self.doubt.raise(sample.at, median, self.size.ln())?;
        if disturbed {
            self.search.give_up(sample.at + Duration::from_secs(2));
        }
        self.size.jump(by);
        self.ask(true, words::suspected(sample, by))
    }

    /// A batch that was cut on probation was answered.
    pub(super) fn on_probation(&mut self, sample: &Sample, answer: &Answered) -> Option<Change> {
        if self.skip > 0.0 {
            self.skip -= 1.0;
            return None;
        }
        let implied = answer.ln_sent + answer.room;
        let verdict = self.doubt.push(sample.at, implied, self.concurrency)?;
        self.rounds.restart(sample.at);
        match verdict {
            Verdict::Stall(ln_size) => {
                self.size.jump(ln_size - self.size.ln());
                self.ask(true, words::was_a_stall(self.whole(ln_size)))
            }
            Verdict::Slow(to, from) => {
                self.size.jump(to - self.size.ln());
                self.changed(sample);
                self.ask(true, words::is_slow(sample, to - from))
            }
        }
    }

    /// The backend is another.
    fn changed(&mut self, sample: &Sample) {
        self.margin.unlearn(self.taught);
        self.hindsight.forget();
        let wait = self.settings.target.max(Duration::from_millis(250)) * 4;
        self.search.restart(sample.at + wait);
        self.rounds.restart(sample.at);
    }

    /// Slow rounds while an arm was tried are that arm's, where they may be.
    fn slow_in_duel(&mut self, sample: &Sample) -> Option<Change> {
        let (axis, duel) = self.search.duel()?;
        match (axis, duel.is_other()) {
            (_, true) => self.decide(sample, false, -0.7),
            (Axis::Smaller, false) => self.decide(sample, true, 0.7),
            _ => None,
        }
    }
}
