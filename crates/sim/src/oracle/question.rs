//! What is searched for a scenario? Questions that can be answered apart from each other, so that
//! all cores search, and nothing that two scenarios share is searched twice.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tidegate::SettingError;

use super::Cache;
use super::phases::{self, State};
use super::search::{self, Best, Effort, Goal, has_phases};
use crate::scenario::Scenario;

/// A search: for the best plan of a scenario, or of a phase of it.
#[derive(Debug, Clone)]
pub struct Question {
    scenario: Scenario,
    goal: Goal,
}

impl Question {
    pub(super) fn phase(scenario: &Scenario, state: State, effort: Effort) -> Self {
        Self { scenario: phases::stationary(&scenario.alone(), state), goal: Goal::phase(effort) }
    }

    pub(super) fn hindsight(scenario: &Scenario, effort: Effort) -> Self {
        // Neither what it is called nor where settling is measured makes another plan better.
        let scenario =
            Scenario { name: "hindsight".into(), changes_s: Vec::new(), ..scenario.alone() };
        Self { scenario, goal: Goal::hindsight(effort) }
    }

    /// The question as text, which names its answer.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string(&(&self.scenario, self.goal)).unwrap_or_default();
        // Where items arrive, how long a batch waits for company is part of what is asked.
        if !has_phases(&self.scenario) {
            let _ = write!(text, " linger {:?}", crate::contender::LINGER);
        }
        text
    }

    /// The answer that is known, if one is.
    #[must_use]
    pub fn known(&self, cache: &Cache) -> Option<Best> {
        cache.find(&self.text())
    }

    /// What that plan comes to now, measured as the search measures its best ones: of an answer that
    /// is still right, its own figures.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when the scenario's bounds are refused.
    pub fn measure(&self, plan: Best) -> Result<Best, SettingError> {
        search::measure(&self.scenario, self.goal, plan.batch_size, plan.concurrency)
    }

    /// The answer that is known, or that is searched now and then kept.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when the scenario's bounds are refused.
    pub fn answer(&self, cache: &Cache) -> Result<Best, SettingError> {
        if let Some(best) = self.known(cache) {
            return Ok(best);
        }
        let best = search::search(&self.scenario, self.goal)?;
        cache.keep(&self.text(), best);
        Ok(best)
    }
}

/// Every different question of these scenarios.
#[must_use]
pub fn questions<'a>(
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    effort: Effort,
) -> Vec<Question> {
    let mut asked = BTreeSet::new();
    let mut questions = Vec::new();
    for scenario in scenarios {
        let mut all = vec![Question::hindsight(scenario, effort)];
        if has_phases(scenario) {
            let states = phases::knots(&phases::slices(scenario));
            all.extend(states.into_iter().map(|state| Question::phase(scenario, state, effort)));
        }
        questions.extend(all.into_iter().filter(|question| asked.insert(question.text())));
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::canonical;

    #[test]
    fn scenarios_that_share_a_phase_ask_for_it_once() {
        let scenario = |name: &str| canonical::by_name(name).unwrap().unwrap();
        let count = |names: &[&str]| {
            let scenarios: Vec<_> = names.iter().map(|name| scenario(name)).collect();
            questions(&scenarios, Effort::Quick).len()
        };
        assert_eq!((count(&["pgA"]), count(&["step"]), count(&["arrivals_half"])), (2, 3, 1));
        // The calm of step and outage is pgA.
        assert_eq!(count(&["pgA", "step", "outage"]), 2 + 2 + 1);
        let mut renamed = scenario("pgA");
        renamed.name = "mine".into();
        assert_eq!(questions(&[scenario("pgA"), renamed], Effort::Quick).len(), 2);
    }
}
