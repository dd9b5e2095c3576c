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
mod search;

use tidegate::SettingError;

pub use cache::Cache;
pub use search::{Best, Effort};

use crate::scenario::Scenario;
use phases::{SLICE_S, State};
use search::{Goal, search};

/// What a clairvoyant would have reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Oracle {
    /// The best plan at the beginning; for arrivals, of the whole run.
    pub plan: Best,
    /// Timely goodput of each slice of time; none for arrivals, where it differs by seed.
    slices: Option<Vec<f64>>,
}

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
        let slices = phases::slices(scenario);
        let mut known: Vec<(State, f64)> = Vec::new();
        let mut plan = None;
        for state in phases::knots(&slices) {
            let phase = phases::stationary(scenario, state);
            let best = remembered(&phase, Goal::phase(effort), cache)?;
            if slices.first().is_some_and(|first| (first.capacity - state.capacity).abs() < 1e-9) {
                plan = plan.or(Some(best));
            }
            known.push((state, best.goodput));
        }
        let nothing = Best { batch_size: 1, concurrency: 1.0, goodput: 0.0, miss_ratio: 0.0 };
        let slices = slices.into_iter().map(|state| phases::between(&known, state)).collect();
        Ok(Self { plan: plan.unwrap_or(nothing), slices: Some(slices) })
    }

    /// Whether its goodput is known for every moment; otherwise its plan has to be run.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.slices.is_some()
    }

    /// Timely items a second from one moment to another (in seconds), if it is timed.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "slices of an hour are few"
    )]
    pub fn goodput(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let slices = self.slices.as_ref()?;
        let place = |seconds: f64| ((seconds / SLICE_S).round() as usize).min(slices.len());
        let window = slices.get(place(from_s)..place(until_s))?;
        Some(window.iter().sum::<f64>() / window.len().max(1) as f64)
    }
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
    remembered(&scenario.alone(), Goal::hindsight(effort), cache)
}

fn remembered(scenario: &Scenario, goal: Goal, cache: &Cache) -> Result<Best, SettingError> {
    let question = serde_json::to_string(&(scenario, goal)).unwrap_or_default();
    if let Some(best) = cache.find(&question) {
        return Ok(best);
    }
    let best = search(scenario, goal)?;
    cache.keep(&question, best);
    Ok(best)
}
