//! Which plan is best? Try a grid, then climb from the best few, always in the same simulator.
//!
//! Goodput over size and concurrency has a ridge along the target (larger size or more
//! concurrency, the same latency) and cliffs (spill, size limits, misses), so a gradient is of
//! little use. A coarse grid of short runs finds the ridge; from its best three points a pattern
//! search with shrinking steps climbs in long runs. All plans meet the same seeds, so what differs
//! between two of them is the plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate::{ControllerSettings, SettingError};

use crate::contender::plan;
use crate::run::run;
use crate::scenario::{Arrivals, Scenario};

/// How long a search takes, and how exact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// For tests: within about 3 %.
    Quick,
    /// For tables: within about 1 %.
    Full,
}

/// A plan and what it reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
    /// Timely items a second.
    pub goodput: f64,
    /// Share of items that missed the target.
    pub miss_ratio: f64,
}

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Goal {
    /// The largest share of misses that is allowed.
    pub(super) miss_max: f64,
    /// Seconds at the beginning that do not count.
    pub(super) skip_s: f64,
    /// Seconds of a coarse and of a fine run; otherwise those of the scenario.
    pub(super) lengths_s: Option<(f64, f64)>,
    /// Seeds of a fine run.
    pub(super) seeds: u64,
}

const CONCURRENCIES: [f64; 14] =
    [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0];
/// Seeds of the search are far from those that suites count up from zero.
const FIRST_SEED: u64 = 1 << 40;
/// Share of a concurrency's best goodput below which smaller batches are not tried: from large
/// to small, goodput rises, peaks and then only falls, while runs become dearer.
const HOPELESS: f64 = 0.5;

/// The best plan found for `goal`; the least bad one if none keeps the misses low enough.
pub(super) fn search(scenario: &Scenario, goal: Goal) -> Result<Best, SettingError> {
    let mut starts = coarse(scenario, goal)?;
    starts.sort_by(|a, b| score(b, goal).total_cmp(&score(a, goal)));
    starts.dedup_by(|a, b| (a.concurrency - b.concurrency).abs() < 1e-9);
    let mut climb = Climb { scenario, goal, known: BTreeMap::new() };
    for start in starts.iter().take(3) {
        climb.from(start)?;
    }
    let found = climb.known.into_values();
    let best = found.max_by(|a, b| rank(a, goal).total_cmp(&rank(b, goal)));
    Ok(best.unwrap_or(Best { batch_size: 1, concurrency: 1.0, goodput: 0.0, miss_ratio: 0.0 }))
}

/// Goodput for climbing: misses above the limit cost more and more.
fn score(found: &Best, goal: Goal) -> f64 {
    found.goodput * (-30.0 * (found.miss_ratio - goal.miss_max).max(0.0)).exp()
}

/// Goodput for the verdict: too many misses are out, however much was delivered.
fn rank(found: &Best, goal: Goal) -> f64 {
    if found.miss_ratio > goal.miss_max { found.goodput * 1e-9 } else { found.goodput }
}

fn coarse(scenario: &Scenario, goal: Goal) -> Result<Vec<Best>, SettingError> {
    let mut found = Vec::new();
    let short = goal.lengths_s.map(|(short, _)| short);
    for concurrency in CONCURRENCIES {
        if concurrency > scenario.bounds.concurrency_max {
            break;
        }
        let mut best = 0.0_f64;
        for size in sizes(scenario) {
            let tried = attempt(scenario, short, goal, 1, size, concurrency)?;
            found.push(tried);
            if tried.goodput < HOPELESS * best {
                break;
            }
            best = best.max(tried.goodput);
        }
    }
    Ok(found)
}

/// The largest size that makes sense: what the backend takes, unless the bounds ask for more.
fn most(scenario: &Scenario) -> u32 {
    let bounds = scenario.bounds;
    let taken = scenario.backend.items_max.unwrap_or(u32::MAX).min(bounds.batch_size_max);
    taken.max(bounds.batch_size_min)
}

/// Sizes of the coarse grid, descending from the largest that the backend and the bounds allow.
fn sizes(scenario: &Scenario) -> Vec<u32> {
    let bounds = scenario.bounds;
    let most = most(scenario);
    let mut sizes = vec![most];
    let mut size = most;
    while size > 12.max(bounds.batch_size_min) {
        size = size / 5 * 3 + size % 5 * 3 / 5;
        sizes.push(size.max(bounds.batch_size_min));
    }
    sizes
}

struct Climb<'a> {
    scenario: &'a Scenario,
    goal: Goal,
    known: BTreeMap<(u32, u64), Best>,
}

impl Climb<'_> {
    fn look(&mut self, size: f64, concurrency: f64) -> Result<Best, SettingError> {
        let bounds = self.scenario.bounds;
        let most = most(self.scenario);
        let size = size.round().clamp(f64::from(bounds.batch_size_min), f64::from(most));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let size = size as u32;
        let concurrency =
            ((concurrency * 100.0).round() / 100.0).clamp(0.02, bounds.concurrency_max);
        let key = (size, concurrency.to_bits());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let found = measure(self.scenario, self.goal, size, concurrency)?;
        self.known.insert(key, found);
        Ok(found)
    }

    fn from(&mut self, start: &Best) -> Result<(), SettingError> {
        let mut here = self.look(f64::from(start.batch_size), start.concurrency)?;
        // Whole slots are often the best ones and rarely on a multiplicative path.
        let mut step = (0.16_f64, 0.25_f64);
        for _ in 0..4 {
            for _ in 0..12 {
                let (size, concurrency) = (f64::from(here.batch_size), here.concurrency);
                let (by_size, by_slots) = (step.0.exp(), step.1.exp());
                let around = [
                    (size * by_size, concurrency),
                    (size / by_size, concurrency),
                    (size, concurrency * by_slots),
                    (size, concurrency / by_slots),
                    (size, concurrency.round().max(0.5)),
                    (size * by_size, concurrency / by_slots),
                    (size / by_size, concurrency * by_slots),
                ];
                let mut best = here;
                for (size, concurrency) in around {
                    let there = self.look(size, concurrency)?;
                    if score(&there, self.goal) > score(&best, self.goal) {
                        best = there;
                    }
                }
                if best == here {
                    break;
                }
                here = best;
            }
            step = (step.0 * 0.45, step.1 * 0.45);
        }
        // The penalty lets the climb end a little beyond the limit: step back inside.
        for _ in 0..8 {
            if here.miss_ratio <= self.goal.miss_max {
                break;
            }
            here = self.look(f64::from(here.batch_size) * 0.985, here.concurrency)?;
        }
        Ok(())
    }
}

/// What a plan comes to in long runs.
pub(super) fn measure(
    scenario: &Scenario,
    goal: Goal,
    size: u32,
    concurrency: f64,
) -> Result<Best, SettingError> {
    let long = goal.lengths_s.map(|(_, long)| long);
    attempt(scenario, long, goal, goal.seeds, size, concurrency)
}

fn attempt(
    scenario: &Scenario,
    length_s: Option<f64>,
    goal: Goal,
    seeds: u64,
    batch_size: u32,
    concurrency: f64,
) -> Result<Best, SettingError> {
    let mut scenario = scenario.clone();
    if let Some(length_s) = length_s {
        scenario.duration_s = length_s;
    }
    let first = plan(batch_size, concurrency);
    let (mut goodput, mut miss_ratio) = (0.0, 0.0);
    for seed in FIRST_SEED..FIRST_SEED + seeds {
        let run = run(&scenario, &ControllerSettings::Fixed, first, seed)?;
        goodput += run.timeline.goodput(goal.skip_s, scenario.duration_s);
        miss_ratio += run.timeline.miss_ratio(goal.skip_s, scenario.duration_s);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few seeds")]
    let runs = seeds as f64;
    Ok(Best { batch_size, concurrency, goodput: goodput / runs, miss_ratio: miss_ratio / runs })
}

impl Goal {
    /// The best plan of a stationary phase: misses at most 1 %.
    pub(super) const fn phase(effort: Effort) -> Self {
        let (lengths_s, seeds) = match effort {
            Effort::Quick => ((8.0, 60.0), 2),
            Effort::Full => ((15.0, 150.0), 4),
        };
        Self { miss_max: 0.01, skip_s: 2.0, lengths_s: Some(lengths_s), seeds }
    }

    /// The best static plan of a whole scenario, in hindsight: whatever it misses.
    pub(super) const fn hindsight(effort: Effort) -> Self {
        let seeds = match effort {
            Effort::Quick => 1,
            Effort::Full => 4,
        };
        Self { miss_max: 1.0, skip_s: 0.0, lengths_s: None, seeds }
    }
}

/// Whether the scenario has phases whose best plan can be found apart.
pub(super) const fn has_phases(scenario: &Scenario) -> bool {
    matches!(scenario.arrivals, Arrivals::Saturated)
}
