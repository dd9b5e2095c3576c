//! The parts that resemble real backends, each against what it says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate::ControllerSettings;
use tidegate_sim::contender::plan;
use tidegate_sim::scenario::canonical;
use tidegate_sim::scenario::weather::{Between, Drift, Interruption, Locks, Spread, Tail};
use tidegate_sim::{Run, Scenario, run};

/// pgA without any chance: 1,000 items take 22 ms on each of four cores.
fn calm(seconds: f64) -> Scenario {
    let mut scenario = canonical::by_name("pgA").unwrap().unwrap();
    scenario.duration_s = seconds;
    let backend = &mut scenario.backend;
    (backend.noise, backend.stalls, backend.network.median_ms) = (0.0, None, 0.0);
    (backend.errors.base, backend.errors.slope) = (0.0, 0.0);
    scenario
}

fn fixed(scenario: &Scenario, size: u32, concurrency: f64) -> Run {
    let scenario = scenario.clone().checked().unwrap();
    run(&scenario, &ControllerSettings::Fixed, plan(size, concurrency), 1).unwrap()
}

fn goodput(scenario: &Scenario, size: u32, concurrency: f64) -> f64 {
    fixed(scenario, size, concurrency).timeline.goodput(1.0, scenario.duration_s)
}

#[test]
fn a_lock_serves_in_order_and_a_handover_costs_what_it_says() {
    let mut scenario = calm(10.0);
    scenario.backend.locks = Some(Locks { writers: 2, handoff_ms: 0.0, polls: false });
    // Two at a time whatever the number in flight: 2,000 items in 22 ms.
    for concurrency in [2.0, 4.0, 8.0] {
        let found = goodput(&scenario, 500, concurrency);
        assert!((found / (1_000.0 / 0.012) - 1.0).abs() < 0.02, "{concurrency}: {found}");
    }
    // In order: six in flight wait for three services each, none longer.
    let p99 = fixed(&scenario, 500, 6.0).p99_s.unwrap();
    assert!((p99 / 0.036 - 1.0).abs() < 0.01, "{p99}");
    scenario.backend.locks = Some(Locks { writers: 2, handoff_ms: 3.0, polls: false });
    let found = goodput(&scenario, 500, 6.0);
    assert!((found / (1_000.0 / 0.015) - 1.0).abs() < 0.02, "{found}");
    let unlocked = goodput(&scenario, 500, 2.0);
    assert!((unlocked / (1_000.0 / 0.012) - 1.0).abs() < 0.02, "{unlocked}");
}

#[test]
fn a_silence_hits_everything_in_flight_and_costs_its_share_of_the_time() {
    let mut scenario = calm(60.0);
    let every_s = Between { from: 0.9, to: 1.1 };
    let for_s = Between { from: 0.03, to: 0.05 };
    scenario.backend.interruptions = vec![Interruption { every_s, for_s, capacity: 0.001 }];
    let ratio = goodput(&scenario, 1_000, 4.0) / goodput(&calm(60.0), 1_000, 4.0);
    assert!((ratio - 1.0 / 1.04).abs() < 0.01, "{ratio}");
    // Whatever was in flight is later by as long as the silence lasts.
    let p99 = fixed(&scenario, 1_000, 4.0).p99_s.unwrap();
    assert!((0.05..0.075).contains(&p99), "{p99}");
}

#[test]
fn spread_grows_only_beyond_what_it_names() {
    let mut scenario = calm(30.0);
    scenario.backend.spread = Some(Spread { above: 2.0, per_batch: 0.2, most: 0.3 });
    let stretch = |concurrency| fixed(&scenario, 1_000, concurrency).p99_s.unwrap() / 0.022;
    assert!((stretch(2.0) - 1.0).abs() < 0.01);
    // Two beyond add .3, not .4: the 99th percentile is e^(2.33 · .3) = 2.01.
    assert!((1.85..2.2).contains(&stretch(4.0)), "{}", stretch(4.0));
}

#[test]
fn a_tail_costs_its_mean() {
    let mut tailed = calm(60.0);
    tailed.backend.tail = Some(Tail { probability: 0.02, exponent: 1.5, most: 50.0 });
    // The mean of Pareto's law cut at m: (a − m^(1 − a)) / (a − 1).
    let mean = 0.98 + 0.02 * (1.5 - 50.0_f64.powf(-0.5)) / 0.5;
    let ratio = goodput(&calm(60.0), 100, 4.0) / goodput(&tailed, 100, 4.0);
    assert!((ratio / mean - 1.0).abs() < 0.01, "{ratio} {mean}");
}

#[test]
fn drift_moves_goodput_and_every_plan_meets_the_same() {
    let mut scenario = calm(60.0);
    scenario.backend.drift = Some(Drift { sigma: 0.2, memory_s: 2.0 });
    let course = |size| -> Vec<f64> {
        let run = fixed(&scenario, size, 4.0);
        (1..59).map(|s| run.timeline.goodput(f64::from(s), f64::from(s) + 1.0)).collect()
    };
    let (small, large) = (course(200), course(1_000));
    let spread = |course: &[f64]| {
        let max = course.iter().copied().fold(0.0, f64::max);
        max / course.iter().copied().fold(f64::INFINITY, f64::min)
    };
    assert!(spread(&small) > 1.5, "{}", spread(&small));
    let ratios: Vec<f64> = small.iter().zip(&large).map(|(s, l)| s / l).collect();
    assert!(spread(&ratios) < 1.2, "{ratios:?}");
}
