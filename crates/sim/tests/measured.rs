//! The scenarios *as measured* against what was measured: static plans on real backends.
//!
//! `measured.csv` holds what `bench/backends` found. Runs of the same plan on the same machine differ
//! among themselves by up to 15 %, so each plan is held against the range of all its runs, widened by
//! a tenth.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]
#![allow(clippy::print_stdout, reason = "the figures of a fit are what a person looks at")]

use std::collections::BTreeMap;

use tidegate::ControllerSettings;
use tidegate_sim::contender::plan;
use tidegate_sim::run;
use tidegate_sim::scenario::canonical;

const MEASURED: &str = include_str!("measured.csv");

/// What the runs of one plan came to, those of at least that many seconds.
#[derive(Debug, Clone, Copy)]
struct Runs {
    least: f64,
    most: f64,
    misses: f64,
    seconds: f64,
}

type Plan = (u32, u32);

fn measured(backend: &str, seconds: std::ops::Range<f64>) -> BTreeMap<Plan, Runs> {
    let mut plans: BTreeMap<Plan, Runs> = BTreeMap::new();
    for line in MEASURED.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |index: usize| cells[index].parse::<f64>().unwrap();
        if cells[0] != backend || !seconds.contains(&number(3)) {
            continue;
        }
        let plan = (cells[1].parse().unwrap(), cells[2].parse().unwrap());
        let one = Runs { least: number(5), most: number(6), misses: number(7), seconds: number(3) };
        let all = plans.entry(plan).or_insert(one);
        all.least = all.least.min(one.least);
        all.most = all.most.max(one.most);
        all.misses = all.misses.max(one.misses);
    }
    plans
}

/// Goodput and misses in the simulator, over some seeds.
fn simulated(scenario: &str, (size, concurrency): Plan, seconds: f64) -> (f64, f64) {
    let mut scenario = canonical::by_name(scenario).unwrap().unwrap();
    scenario.duration_s = seconds.max(1.0);
    scenario.changes_s.clear();
    let seeds = if seconds < 2.0 { 4_u32 } else { 6 };
    let (mut goodput, mut misses) = (0.0, 0.0);
    for seed in 0..seeds {
        let first = plan(size, f64::from(concurrency));
        let run = run(&scenario, &ControllerSettings::Fixed, first, 900 + u64::from(seed)).unwrap();
        goodput += run.timeline.goodput(0.0, seconds);
        misses += run.timeline.miss_ratio(0.0, seconds);
    }
    (goodput / f64::from(seeds), misses / f64::from(seeds))
}

/// How far outside of the range of its runs each plan is, as a share, of those that mostly deliver
/// in time.
fn differences(backend: &str, scenario: &str, seconds: std::ops::Range<f64>) -> Vec<(Plan, f64)> {
    let mut found = Vec::new();
    for (plan, runs) in measured(backend, seconds) {
        let (goodput, misses) = simulated(scenario, plan, runs.seconds);
        let above = (goodput / runs.most - 1.0).max(0.0);
        let over = above + (goodput / runs.least - 1.0).min(0.0);
        println!(
            "{backend} {plan:?} {} s: {:.0}-{:.0} ({:.1} %), here {goodput:.0} ({:.1} %): {:+.1} %",
            runs.seconds,
            runs.least,
            runs.most,
            runs.misses * 100.0,
            misses * 100.0,
            over * 100.0
        );
        if runs.misses <= 0.15 {
            found.push((plan, over));
        }
    }
    found
}

fn worst_of(values: &[(Plan, f64)], share: f64) -> f64 {
    let mut values: Vec<f64> = values.iter().map(|(_, value)| value.abs()).collect();
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small index")]
    let place = ((values.len() - 1) as f64 * share).round() as usize;
    values[place]
}

#[test]
fn static_plans_reach_what_was_measured() {
    for (backend, scenario) in
        [("http", "http_standin"), ("sqlite", "sqlite_full"), ("postgres", "pg_copy")]
    {
        // Runs of seconds decide.
        let long = differences(backend, scenario, 5.0..60.0);
        assert!(long.len() >= 6, "{backend}: {long:?}");
        let far: Vec<_> = long.iter().filter(|(_, over)| over.abs() > 0.1).collect();
        assert!(far.is_empty(), "{backend}: {far:?}");
        // Of runs of .8 s, and small batches on PostgreSQL, most.
        let short = differences(backend, scenario, 0.1..5.0);
        assert!(short.len() >= 22, "{backend}: {short:?}");
        let (median, most) = (worst_of(&short, 0.5), worst_of(&short, 0.9));
        println!("{backend}: half of the short runs within {median:.3}, nine tenths {most:.3}");
        assert!(median < 0.08 && most < 0.3, "{backend}: {median:.3} {most:.3}");
    }
}
