//! Which scenarios are run? Suites by name, each scenario with the group it is judged in.
//!
//! Saturated scenarios, arrivals, and random backends are judged apart: almost any plan passes the
//! arrivals, and only backends that nobody looked at while tuning tell how far a rule carries.

use serde::Serialize;

use crate::claims;
use crate::scenario::{Arrivals, Scenario, ScenarioError, canonical, random};

/// What a scenario is judged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Canonical, always more items than can be taken.
    Saturated,
    /// Canonical, items arrive by themselves.
    Arrivals,
    /// Many instances on one backend.
    Sharers,
    /// Fitted to what real backends did.
    Measured,
    /// Drawn by chance.
    Random,
    /// The source is slow, or silent for a while.
    Source,
    /// Several classes of operations on one sink.
    Classes,
    /// What earlier systems claim.
    Claims,
    /// A file of the user's.
    Own,
}

impl Group {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 9] = [
        Self::Random,
        Self::Measured,
        Self::Saturated,
        Self::Arrivals,
        Self::Source,
        Self::Sharers,
        Self::Classes,
        Self::Claims,
        Self::Own,
    ];

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Saturated => "Saturated",
            Self::Arrivals => "Arrivals",
            Self::Sharers => "Sharers",
            Self::Measured => "As measured",
            Self::Random => "Random backends",
            Self::Source => "Slow sources",
            Self::Classes => "Classes",
            Self::Claims => "Claims",
            Self::Own => "Own scenarios",
        }
    }
}

/// A scenario and what it is judged with.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is judged with.
    pub group: Group,
    /// What is simulated.
    pub scenario: Scenario,
}

/// A set of scenarios that ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Those that everyone quotes.
    Canonical,
    /// Many instances on one backend.
    Sharers,
    /// Those that are fitted to what real backends did.
    Measured,
    /// Backends drawn by chance.
    Random,
    /// Those in which the source is what is slow.
    Source,
    /// Those of several classes on one sink.
    Classes,
    /// Those in which the claims of earlier systems are measured.
    Claims,
    /// All but the claims.
    All,
}

/// Which random backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Another seed is another suite. 0 is the one that tuning may look at.
    pub seed: u64,
    /// How many backends.
    pub count: u64,
}

/// Suites of different seeds share no backend.
const BACKENDS_OF_A_SEED: u64 = 1_000_000;

impl Default for Draw {
    fn default() -> Self {
        Self { seed: 0, count: 24 }
    }
}

impl Suite {
    /// Its names.
    pub const NAMES: [&'static str; 8] =
        ["canonical", "source", "sharers", "classes", "measured", "random", "claims", "all"];

    /// The suite of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "canonical" => Some(Self::Canonical),
            "sharers" => Some(Self::Sharers),
            "measured" => Some(Self::Measured),
            "random" => Some(Self::Random),
            "source" => Some(Self::Source),
            "classes" => Some(Self::Classes),
            "claims" => Some(Self::Claims),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    /// Its scenarios, in the order in which they are told.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
    pub fn entries(self, draw: Draw) -> Result<Vec<Entry>, ScenarioError> {
        let of = |group: Group, scenarios: Vec<Scenario>| {
            scenarios.into_iter().map(move |scenario| Entry { group, scenario })
        };
        match self {
            Self::Canonical => {
                let saturated = of(Group::Saturated, canonical::saturated()?);
                Ok(saturated.chain(of(Group::Arrivals, canonical::arrivals()?)).collect())
            }
            Self::Sharers => Ok(of(Group::Sharers, canonical::sharers()?).collect()),
            Self::Source => Ok(of(Group::Source, canonical::source()?).collect()),
            Self::Classes => Ok(of(Group::Classes, canonical::classes()?).collect()),
            Self::Measured => Ok(of(Group::Measured, canonical::measured()?).collect()),
            Self::Random => Ok(of(Group::Random, draw.scenarios()).collect()),
            Self::Claims => Ok(of(Group::Claims, claims::scenarios()?).collect()),
            Self::All => {
                let mut all = Vec::new();
                let suites = [Self::Canonical, Self::Source, Self::Sharers, Self::Classes];
                for suite in suites.into_iter().chain([Self::Measured, Self::Random]) {
                    all.extend(suite.entries(draw)?);
                }
                Ok(all)
            }
        }
    }
}

impl Draw {
    fn scenarios(self) -> Vec<Scenario> {
        (0..self.count).map(|index| random::scenario(self.number(index))).collect()
    }

    /// The number of its `index`-th backend: as even as `index`, since odd ones have a step.
    const fn number(self, index: u64) -> u64 {
        self.seed.wrapping_mul(BACKENDS_OF_A_SEED).wrapping_add(index)
    }
}

impl Entry {
    /// A scenario of the user's.
    #[must_use]
    pub const fn own(scenario: Scenario) -> Self {
        Self { group: Group::Own, scenario }
    }

    /// Whether there are always more items than can be taken.
    #[must_use]
    pub const fn is_saturated(&self) -> bool {
        matches!(self.scenario.arrivals, Arrivals::Saturated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_scenarios_and_names_are_unique() {
        for name in Suite::NAMES {
            let entries = Suite::by_name(name).unwrap().entries(Draw::default()).unwrap();
            let mut names: Vec<_> = entries.iter().map(|entry| &entry.scenario.name).collect();
            assert!(!names.is_empty(), "{name}");
            names.sort();
            names.dedup();
            assert_eq!(names.len(), entries.len(), "{name}");
        }
        assert_eq!(Suite::by_name("cannonical"), None);
    }

    #[test]
    fn suites_of_different_seeds_share_no_backend() {
        let of = |seed| Suite::Random.entries(Draw { seed, count: 40 }).unwrap();
        let (first, second) = (of(0), of(1));
        assert!(first.iter().all(|entry| !second.contains(entry)));
        assert_eq!(first[0].scenario, random::scenario(0));
    }
}
