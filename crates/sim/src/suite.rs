//! How do controllers compare? Many runs side by side, folded into one row a scenario and
//! controller.
//!
//! Every controller meets the same seeds. Ratios are of timely goodput; *steady* is the second
//! half of a run. First the oracles that nobody remembers are searched, then everything is run:
//! each search and each run is a question of its own, answered on all cores, and the rows come out
//! in the order of the question: the same question gives the same bytes.

use tidegate::{ControllerSettings, SettingError};

use crate::claims;
use crate::contender::{self, Contender};
use crate::fold::{Reference, fold};
use crate::oracle::{Best, Cache, Effort, Oracle, best_static, questions};
use crate::row::Row;
use crate::run::{Run, run};
use crate::scenario::Scenario;
use crate::selection::{Entry, Group};
use crate::spread::spread;
use crate::summary::Summary;

/// How a suite is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seeds 0 to this, excluded; at least 1.
    pub seeds: u64,
    /// Threads, at least 1.
    pub threads: usize,
    /// How exact the oracle is.
    pub effort: Effort,
    /// Where oracles are kept.
    pub cache: Cache,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Oracles are searched that nobody remembers.
    Oracles,
    /// Static plans and controllers are run.
    Runs,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: usize,
    /// How much there is.
    pub total: usize,
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
    #[error("scenario {scenario}: {why}")]
    Setting {
        /// The scenario's name.
        scenario: String,
        /// The field, its value and its bound.
        why: SettingError,
    },
}

/// What came of a suite, and what it was held against.
#[derive(Debug)]
pub struct Study {
    /// A row for each scenario and controller.
    pub rows: Vec<Row>,
    /// What the scenarios were held against, in their order.
    pub yardsticks: Vec<Yardstick>,
}

/// What a scenario was held against.
#[derive(Debug, Clone)]
pub struct Yardstick {
    /// The scenario and its group.
    pub entry: Entry,
    /// What a clairvoyant reaches.
    pub oracle: Oracle,
    /// The best static plan in hindsight.
    pub hindsight: Best,
    /// What came of it.
    pub hindsight_row: Row,
    /// The seed that is most typical for all controllers together.
    pub typical_seed: u64,
}

/// Runs every controller in every scenario under every seed, and tells `progress` (from any thread)
/// how far it is.
///
/// # Errors
///
/// [`SuiteError`] when a controller is unknown, there is no seed, or settings are refused.
pub fn study(
    entries: &[Entry],
    controllers: &[&str],
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Study, SuiteError> {
    if options.seeds == 0 {
        return Err(SuiteError::NoSeeds);
    }
    if let Some(name) = controllers.iter().find(|name| !contender::is_known(name)) {
        return Err(SuiteError::UnknownController { name: (*name).to_owned() });
    }
    search_oracles(entries, options, progress)?;
    let references = entries.iter().map(|entry| reference(entry, options));
    let references = references.collect::<Result<Vec<_>, _>>()?;
    let contenders = contenders(entries, controllers, &references);
    let summaries = all_runs(entries, &references, &contenders, options, progress)?;
    let mut by_contender = summaries.chunks(chunk(options.seeds));
    let mut study = Study { rows: Vec::new(), yardsticks: Vec::new() };
    for (entry, reference) in entries.iter().zip(references) {
        let static_runs = by_contender.next().unwrap_or_default();
        let reference = reference.with_static(entry, static_runs);
        let names = field(entry, controllers);
        let all: Vec<_> = names.iter().map(|_| by_contender.next().unwrap_or_default()).collect();
        study.yardsticks.push(Yardstick {
            entry: entry.clone(),
            oracle: reference.oracle.clone(),
            hindsight: reference.hindsight,
            hindsight_row: fold(entry, BEST_STATIC, &reference, static_runs),
            typical_seed: typical_for_all(&all),
        });
        let rows = names.iter().zip(&all);
        study.rows.extend(rows.map(|(who, runs)| fold(entry, &who.name, &reference, runs)));
    }
    Ok(study)
}

/// The rows of [`study`], without a word meanwhile.
///
/// # Errors
///
/// As [`study`].
pub fn suite(
    scenarios: &[Scenario],
    controllers: &[&str],
    options: &Options,
) -> Result<Vec<Row>, SuiteError> {
    let entries: Vec<_> = scenarios.iter().cloned().map(Entry::own).collect();
    study(&entries, controllers, options, &|_| {}).map(|study| study.rows)
}

/// Searches what nobody remembers, on all cores; what was found is then in the cache.
fn search_oracles(
    entries: &[Entry],
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), SuiteError> {
    let mut unknown = questions(entries.iter().map(|entry| &entry.scenario), options.effort);
    unknown.retain(|question| question.known(&options.cache).is_none());
    let total = unknown.len();
    let done = |done| progress(Progress { stage: Stage::Oracles, done, total });
    if total > 0 {
        done(0);
    }
    // Whose bounds are refused is told below, with the scenario's name.
    let _ = spread(&unknown, options.threads, &done, |question| question.answer(&options.cache));
    Ok(())
}

fn reference(entry: &Entry, options: &Options) -> Result<Reference, SuiteError> {
    let found = || {
        let oracle = Oracle::find(&entry.scenario, options.effort, &options.cache)?;
        let hindsight = best_static(&entry.scenario, options.effort, &options.cache)?;
        Ok(Reference::new(entry, oracle, hindsight))
    };
    found().map_err(|source| refused(entry, source))
}

fn refused(entry: &Entry, source: SettingError) -> SuiteError {
    SuiteError::Setting { scenario: entry.scenario.name.clone(), why: source }
}

/// The name of the best static plan among the contenders.
const BEST_STATIC: &str = "best static";

/// For each scenario the best static plan, then the controllers.
fn contenders(
    entries: &[Entry],
    controllers: &[&str],
    references: &[Reference],
) -> Vec<(usize, Contender)> {
    let mut all = Vec::new();
    for (index, (entry, reference)) in entries.iter().zip(references).enumerate() {
        let Best { batch_size, concurrency, .. } = reference.hindsight;
        let name = BEST_STATIC.to_owned();
        all.push((index, Contender { name, ..Contender::fixed(batch_size, concurrency) }));
        all.extend(field(entry, controllers).into_iter().map(|contender| (index, contender)));
    }
    all
}

/// Who competes in a scenario: in one of the claims its static plan comes first.
#[must_use]
pub fn field(entry: &Entry, controllers: &[&str]) -> Vec<Contender> {
    let of_claim = claims::static_plan(&entry.scenario.name);
    let fixed = of_claim.filter(|_| entry.group == Group::Claims);
    let named = controllers.iter().filter_map(|name| Contender::by_name(name, &entry.scenario));
    fixed.into_iter().chain(named).collect()
}

/// One summary a contender and seed, in that order.
fn all_runs(
    entries: &[Entry],
    references: &[Reference],
    contenders: &[(usize, Contender)],
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Summary>, SuiteError> {
    let pairs: Vec<_> = contenders
        .iter()
        .flat_map(|(index, contender)| {
            (0..options.seeds).map(move |seed| (*index, contender, seed))
        })
        .collect();
    let total = pairs.len();
    let done = |done| progress(Progress { stage: Stage::Runs, done, total });
    let summaries = spread(&pairs, options.threads, &done, |(index, contender, seed)| {
        let Some((entry, reference)) = entries.get(*index).zip(references.get(*index)) else {
            return Ok(None);
        };
        // The best static plan is that of one instance that is alone.
        let alone = contender.name == BEST_STATIC && entry.scenario.instances > 1;
        let scenario = if alone { &entry.scenario.alone() } else { &entry.scenario };
        let run = play(scenario, contender, *seed).map_err(|source| refused(entry, source))?;
        Ok(Some(Summary::of(&entry.scenario, &reference.beginnings, &run)))
    })?;
    Ok(summaries.into_iter().flatten().collect())
}

/// One run of a contender.
///
/// # Errors
///
/// [`SettingError`] when its settings or the scenario's bounds are refused.
pub fn play(scenario: &Scenario, contender: &Contender, seed: u64) -> Result<Run, SettingError> {
    run(scenario, &contender.controller, contender.first, seed)
}

fn chunk(seeds: u64) -> usize {
    usize::try_from(seeds).unwrap_or(usize::MAX).max(1)
}

/// The seed at which all controllers together are nearest to their medians of steady goodput.
fn typical_for_all(runs: &[&[Summary]]) -> u64 {
    let mut far: Vec<(u64, f64)> =
        runs.first().map_or(&[][..], |runs| runs).iter().map(|run| (run.seed, 0.0)).collect();
    for runs in runs {
        let mut steady: Vec<f64> = runs.iter().map(|run| run.steady).collect();
        steady.sort_by(f64::total_cmp);
        let median = steady.get(steady.len() / 2).copied().unwrap_or(0.0);
        for (run, (_, far)) in runs.iter().zip(&mut far) {
            *far += (run.steady - median).abs() / median.max(1.0);
        }
    }
    far.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(seed, _)| seed)
}
