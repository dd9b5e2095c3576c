//! How do controllers compare? Many runs side by side, folded into one row a scenario and
//! controller.
//!
//! Every controller meets the same seeds. Ratios are of timely goodput; *steady* is the second
//! half of a run. Runs are independent, so threads take them off one list, and the rows come out
//! in the order of the question whatever order the runs ended in: the same question gives the same
//! bytes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tidegate::{ControllerSettings, SettingError};

use crate::contender::{Contender, plan};
use crate::oracle::{Best, Cache, Effort, Oracle, best_static};
use crate::row::{Reference, fold};
use crate::run::{Run, run};
use crate::scenario::Scenario;

/// A plan in a result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanFound {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
}

/// What came of one controller in one scenario. Ratios are timely goodput over the oracle's; what
/// does not apply is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The controller's name.
    pub controller: String,
    /// How many seeds.
    pub seeds: u64,
    /// Timely items a second in the steady half, mean over the seeds.
    pub goodput: f64,
    /// The oracle's in the steady half.
    pub oracle_goodput: f64,
    /// The oracle's plan at the beginning.
    pub oracle_plan: PlanFound,
    /// Timely items a second of the best static plan, over the whole run.
    pub best_static_goodput: f64,
    /// The best static plan in hindsight.
    pub best_static_plan: PlanFound,
    /// Steady half against the oracle, mean over the seeds.
    pub steady_ratio: f64,
    /// Whole run against the oracle, mean over the seeds.
    pub whole_ratio: f64,
    /// The worst seed's steady ratio.
    pub worst_seed_ratio: f64,
    /// Whole run against the best static plan in hindsight.
    pub vs_best_static: f64,
    /// Time from the beginning, or from the changes that the scenario names, until 90 % of the
    /// oracle: the median; null when most never settled or nothing is to settle.
    pub settle_seconds_median: Option<f64>,
    /// The worst such time; null when one never settled.
    pub settle_seconds_worst: Option<f64>,
    /// Attempts until then, the median.
    pub settle_batches_median: Option<f64>,
    /// Share of items that were late or given up in the steady half.
    pub miss_ratio: f64,
    /// 99th percentile of the latency that the target names, mean over the seeds.
    pub p99_seconds: Option<f64>,
    /// Attempts refused by a rate limit, a minute.
    pub refusals_per_minute: f64,
    /// Attempts in a run, mean over the seeds.
    pub attempts: f64,
    /// Fairness between instances; null for one.
    pub jain: Option<f64>,
}

/// How a suite is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seeds 0 to this, excluded.
    pub seeds: u64,
    /// Threads, at least 1.
    pub threads: usize,
    /// How exact the oracle is.
    pub effort: Effort,
    /// Where oracles are kept.
    pub cache: Cache,
}

/// A suite that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// No controller has that name.
    #[error("there is no controller {name}; known are {}", ControllerSettings::NAMES.join(", "))]
    UnknownController {
        /// The name that was asked for.
        name: String,
    },
    /// Fewer than one seed.
    #[error("seeds is 0, but must be at least 1")]
    NoSeeds,
    /// Settings or bounds were refused.
    #[error("scenario {scenario}: {source}")]
    Setting {
        /// The scenario's name.
        scenario: String,
        /// The field, its value and its bound.
        source: SettingError,
    },
}

/// Runs every controller in every scenario under every seed.
///
/// # Errors
///
/// [`SuiteError`] when a controller is unknown, there is no seed, or settings are refused.
pub fn suite(
    scenarios: &[Scenario],
    controllers: &[&str],
    options: &Options,
) -> Result<Vec<Row>, SuiteError> {
    if options.seeds == 0 {
        return Err(SuiteError::NoSeeds);
    }
    if let Some(name) = controllers.iter().find(|name| ControllerSettings::by_name(name).is_none())
    {
        return Err(SuiteError::UnknownController { name: (*name).to_owned() });
    }
    let references = spread(scenarios.len(), options.threads, |index| {
        let Some(scenario) = scenarios.get(index) else { return Ok(None) };
        let found = reference(scenario, options);
        found.map(Some).map_err(|source| refused(scenario, source))
    })?;
    let mut questions = Vec::new();
    for (scenario, reference) in scenarios.iter().zip(references.iter().flatten()) {
        for name in controllers {
            questions.extend(
                Contender::by_name(name, scenario)
                    .map(|contender| (scenario, reference, contender)),
            );
        }
    }
    let rows = spread(questions.len(), options.threads, |index| {
        let Some((scenario, reference, contender)) = questions.get(index) else { return Ok(None) };
        let runs = runs(scenario, contender, options.seeds);
        let runs = runs.map_err(|source| refused(scenario, source))?;
        Ok(Some(fold(scenario, &contender.name, reference, &runs)))
    })?;
    Ok(rows.into_iter().flatten().collect())
}

fn refused(scenario: &Scenario, source: SettingError) -> SuiteError {
    SuiteError::Setting { scenario: scenario.name.clone(), source }
}

fn runs(scenario: &Scenario, contender: &Contender, seeds: u64) -> Result<Vec<Run>, SettingError> {
    (0..seeds).map(|seed| run(scenario, &contender.controller, contender.first, seed)).collect()
}

fn reference(scenario: &Scenario, options: &Options) -> Result<Reference, SettingError> {
    let oracle = Oracle::find(scenario, options.effort, &options.cache)?;
    let hindsight = best_static(scenario, options.effort, &options.cache)?;
    let scenario = &scenario.alone();
    let replay = |best: Best| {
        let name = "fixed".to_owned();
        let first = plan(best.batch_size, best.concurrency);
        let fixed = Contender { name, controller: ControllerSettings::Fixed, first };
        runs(scenario, &fixed, options.seeds)
    };
    let static_runs = replay(hindsight)?;
    let oracle_runs = if oracle.is_timed() { Vec::new() } else { replay(oracle.plan)? };
    Ok(Reference::new(scenario, oracle, &oracle_runs, hindsight, &static_runs))
}

/// Answers the questions 0 to `count` on that many threads; the answers are in their order.
fn spread<T: Send>(
    count: usize,
    threads: usize,
    answer: impl Fn(usize) -> Result<T, SuiteError> + Sync,
) -> Result<Vec<T>, SuiteError> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    // Each number is taken once; nothing else is shared through it.
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let found = answer(index);
                    let mut all = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    all.push((index, found));
                }
            });
        }
    });
    let mut all = answers.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, found)| found).collect()
}
