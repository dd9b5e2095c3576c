//! What would a clairvoyant have reached? The yardstick of every controller.
//!
//! For a saturated scenario: the best plan of each stationary phase, changed in no time, with at
//! most 1 % of misses. For arrivals: the best static plan of the whole run, since what arrives
//! cannot be exceeded. Beside it stands the best static plan in hindsight, whatever it misses:
//! what a person would have set who knew the run.
//!
//! Where many instances share a backend, both are those of one instance that is alone: what all
//! of them together could reach if they were one.

mod cache;
mod phases;
mod question;
mod search;

use tidegate::SettingError;

pub use cache::{Answers, Cache};
pub use question::{Question, questions};
pub use search::{Best, Effort};

use crate::scenario::Scenario;
use phases::{SLICE_S, State};

/// What a clairvoyant would have reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Oracle {
    /// The best plan at the beginning; for arrivals, of the whole run.
    pub plan: Best,
    /// What is reached in each slice of time; none for arrivals, where it differs by seed.
    slices: Option<Vec<Slice>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Slice {
    goodput: f64,
    /// Of the searched phase that is nearest; none while nothing can be delivered.
    plan: Option<Best>,
}

const NOTHING: Best = Best { batch_size: 1, concurrency: 1.0, goodput: 0.0, miss_ratio: 0.0 };

impl Oracle {
    /// Searches, or remembers, the oracle of a scenario.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when the scenario's bounds are refused.
    pub fn find(scenario: &Scenario, effort: Effort, cache: &Cache) -> Result<Self, SettingError> {
        let scenario = &scenario.alone();
        if !search::has_phases(scenario) {
            return Ok(Self { plan: best_static(scenario, effort, cache)?, slices: None });
        }
        let states = phases::slices(scenario);
        let mut known: Vec<(State, Best)> = Vec::new();
        for state in phases::knots(&states) {
            let best = Question::phase(scenario, state, effort).answer(cache)?;
            known.push((state, best));
        }
        let goodputs: Vec<_> = known.iter().map(|(state, best)| (*state, best.goodput)).collect();
        let slice = |state: State| Slice {
            goodput: phases::between(&goodputs, state),
            plan: phases::nearest(&known, state).filter(|_| !state.out),
        };
        let slices: Vec<_> = states.into_iter().map(slice).collect();
        let plan = slices.iter().find_map(|slice| slice.plan).unwrap_or(NOTHING);
        Ok(Self { plan, slices: Some(slices) })
    }

    /// Whether its goodput is known for every moment; otherwise its plan has to be run.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.slices.is_some()
    }

    /// Timely items a second from one moment to another (in seconds), if it is timed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "slices of an hour are few")]
    pub fn goodput(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let slices = self.slices.as_ref()?;
        // A window that rounding leaves empty is that of the moment at which it begins.
        let from = slice(from_s).min(slices.len().saturating_sub(1));
        let until = slice(until_s).clamp(from + 1, slices.len().max(from + 1));
        let window = slices.get(from..until)?;
        let sum: f64 = window.iter().map(|slice| slice.goodput).sum();
        Some(sum / window.len().max(1) as f64)
    }

    /// The plan at that moment; none while nothing can be delivered.
    #[must_use]
    pub fn plan_at(&self, at_s: f64) -> Option<Best> {
        match &self.slices {
            Some(slices) => slices.get(slice(at_s)).and_then(|slice| slice.plan),
            None => Some(self.plan),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an hour")]
fn slice(seconds: f64) -> usize {
    (seconds / SLICE_S).round() as usize
}

/// Searches, or remembers, the plan that delivers most in time over the whole scenario.
///
/// # Errors
///
/// [`SettingError`] when the scenario's bounds are refused.
pub fn best_static(
    scenario: &Scenario,
    effort: Effort,
    cache: &Cache,
) -> Result<Best, SettingError> {
    Question::hindsight(scenario, effort).answer(cache)
}
