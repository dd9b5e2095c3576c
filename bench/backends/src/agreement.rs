//! Is the simulator right? Static plans as they were measured, beside the same plans in the scenario
//! that stands for the backend.
//!
//! Measured are the medians of the interleaved rounds and the longer runs of sweeps; simulated is the
//! same length, from cold, the mean over some seeds. Runs of the same plan differ among themselves, so
//! the range of the rounds is told beside the median, and a plan *agrees* if it is within 10 % of the
//! nearest end of that range. Plans of which more than 15 % are late are told, not judged: a target
//! near the median turns a percent of latency into ten of goodput.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use tidegate::ControllerSettings;
use tidegate_sim::contender::plan;
use tidegate_sim::scenario::{Scenario, canonical};

use crate::contender::Static;
use crate::report::read_all;
use crate::results::{Phase, Results};
use crate::sweep::Landscape;

/// Within which share a plan agrees.
const WITHIN: f64 = 0.1;
/// Misses above which a plan is not judged.
const MISSES_JUDGED: f64 = 0.15;
/// Seeds of a plan.
const SEEDS: u32 = 6;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A case and the scenario that stands for it, as CASE=SCENARIO, by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "sqlite=sqlite_full,postgres=pg_copy,http=http_standin,\
                         product-http=http_standin"
    )]
    cases: Vec<String>,
    /// Where results are
    #[arg(long, default_value = "target/backends")]
    out: PathBuf,
    /// Fails unless every plan that is judged agrees
    #[arg(long)]
    check: bool,
}

/// A static plan, measured.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    plan: Static,
    seconds: f64,
    least: f64,
    median: f64,
    most: f64,
    misses: f64,
}

impl Measured {
    /// How far `goodput` is outside of the range, as a share: 0 inside.
    fn over(&self, goodput: f64) -> f64 {
        (goodput / self.most - 1.0).max(0.0) + (goodput / self.least - 1.0).min(0.0)
    }
}

/// Prints the table.
///
/// # Errors
///
/// When a scenario is not known, nothing was measured, or, asked to check, a plan does not agree.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let results: Vec<Results> = read_all(&options.out, "rounds-")?;
    let landscapes: Vec<Landscape> = read_all(&options.out, "sweep-")?;
    let mut out = String::from(
        "| case, scenario | plan | s | measured k/s | misses % | simulated k/s | misses % | ratio | |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let (mut judged, mut agree) = (0, 0);
    for pair in &options.cases {
        let (case, name) = pair.split_once('=').with_context(|| {
            format!("--cases: {pair:?} is not CASE=SCENARIO, as in sqlite=sqlite_full")
        })?;
        let measured = measured(case, &results, &landscapes);
        if measured.is_empty() {
            continue;
        }
        let scenario = canonical::by_name(name)?
            .with_context(|| format!("--cases: there is no scenario {name:?}"))?;
        for one in measured {
            let (goodput, misses) = simulated(&scenario, &one)?;
            let verdict = if one.misses > MISSES_JUDGED {
                "late"
            } else {
                judged += 1;
                let agrees = one.over(goodput).abs() <= WITHIN;
                agree += u32::from(agrees);
                if agrees { "agrees" } else { "**is off**" }
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "| {case}, {name} | {} | {} | {:.0} ({:.0}–{:.0}) | {:.1} | {:.0} | {:.1} | {:.2} | \
                 {verdict} |",
                one.plan,
                one.seconds,
                one.median / 1e3,
                one.least / 1e3,
                one.most / 1e3,
                one.misses * 100.0,
                goodput / 1e3,
                misses * 100.0,
                goodput / one.median,
            );
        }
    }
    ensure!(judged > 0, "nothing was measured of {}", options.cases.join(", "));
    let _ = writeln!(out, "\n{agree} of {judged} plans agree within {} %.", WITHIN * 100.0);
    crate::print(&out)?;
    ensure!(!options.check || agree == judged, "{} plans are off", judged - agree);
    Ok(())
}

/// What was measured of a case: rounds where there are any, then what only its sweep ran for longer.
fn measured(case: &str, results: &[Results], landscapes: &[Landscape]) -> Vec<Measured> {
    let mut all = Vec::new();
    for one in results.iter().filter(|one| one.case == case) {
        for entry in one.entries.iter().filter(|entry| entry.is_static) {
            let (Ok(plan), Some(whole)) = (entry.name.parse(), entry.summary.get(&Phase::Whole))
            else {
                continue;
            };
            all.push(Measured {
                plan,
                seconds: one.round_s,
                least: whole.goodput.min,
                median: whole.goodput.median,
                most: whole.goodput.max,
                misses: whole.miss_ratio.median,
            });
        }
    }
    for landscape in landscapes.iter().filter(|landscape| landscape.case == case) {
        for cell in &landscape.again {
            if all.iter().any(|one| one.plan == cell.plan()) {
                continue;
            }
            let goodput = cell.figures.goodput;
            all.push(Measured {
                plan: cell.plan(),
                seconds: landscape.again_s,
                least: goodput,
                median: goodput,
                most: goodput,
                misses: cell.figures.miss_ratio,
            });
        }
    }
    all.sort_by_key(|one| (one.plan.concurrency, one.plan.size));
    all
}

/// Goodput and misses in the simulator.
fn simulated(scenario: &Scenario, measured: &Measured) -> anyhow::Result<(f64, f64)> {
    let mut scenario = scenario.clone();
    scenario.duration_s = measured.seconds.max(1.0);
    scenario.changes_s.clear();
    let first = plan(measured.plan.size, f64::from(measured.plan.concurrency));
    let (mut goodput, mut misses) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let fixed = &ControllerSettings::Fixed;
        let run = tidegate_sim::run(&scenario, fixed, first, 900 + u64::from(seed))?;
        goodput += run.timeline.goodput(0.0, measured.seconds);
        misses += run.timeline.miss_ratio(0.0, measured.seconds);
    }
    Ok((goodput / f64::from(SEEDS), misses / f64::from(SEEDS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_outside_of_the_range_counts() {
        let plan = Static { size: 100, concurrency: 1 };
        let one =
            Measured { plan, seconds: 10.0, least: 90.0, median: 100.0, most: 120.0, misses: 0.0 };
        assert_eq!(one.over(100.0), 0.0);
        assert!((one.over(132.0) - 0.1).abs() < 1e-9);
        assert!((one.over(81.0) + 0.1).abs() < 1e-9);
    }
}
