//! Many instances on one backend: what they share, what each hears, and how even it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use proptest::prelude::*;
use tidegate::ControllerSettings;
use tidegate_sim::contender::{Contender, plan};
use tidegate_sim::scenario::{Arrivals, canonical};
use tidegate_sim::{Run, Scenario, run};

fn sharers(name: &str, seconds: f64) -> Scenario {
    let mut scenario = canonical::by_name(name).unwrap().unwrap();
    scenario.duration_s = seconds;
    scenario
}

fn play(scenario: &Scenario, controller: &str, seed: u64) -> Run {
    let contender = Contender::by_name(controller, scenario).unwrap();
    run(scenario, &contender.controller, contender.first, seed).unwrap()
}

#[test]
fn equal_plans_share_evenly_and_together_reach_what_one_reaches() {
    let four = sharers("sharers_4", 30.0);
    let together = run(&four, &ControllerSettings::Fixed, plan(2_000, 1.0), 1).unwrap();
    let alone = run(&four.alone(), &ControllerSettings::Fixed, plan(2_000, 4.0), 1).unwrap();
    assert_eq!((together.lanes.len(), alone.lanes.len()), (4, 1));
    let ratio = together.timeline.goodput(10.0, 30.0) / alone.timeline.goodput(10.0, 30.0);
    assert!((ratio - 1.0).abs() < 0.03, "{ratio}");
    assert!(together.jain(10, 30).unwrap() > 0.99);
    assert_eq!(alone.jain(10, 30), None);
}

#[test]
fn jains_index_of_one_who_has_all_is_one_over_n() {
    let mut four = sharers("sharers_4", 10.0);
    four.begin_within_s = 0.0;
    let mut run = run(&four, &ControllerSettings::Fixed, plan(100, 1.0), 1).unwrap();
    for lane in run.lanes.iter_mut().skip(1) {
        lane.timely.fill(0);
    }
    assert!((run.jain(0, 10).unwrap() - 0.25).abs() < 1e-9);
    run.lanes[0].timely.fill(0);
    assert_eq!(run.jain(0, 10), None);
}

#[test]
fn later_instances_send_nothing_before_they_begin_and_only_those_who_hear_react() {
    let scenario = sharers("sharers_4", 20.0);
    let run = play(&scenario, "aimd", 3);
    let silent: Vec<_> = run.lanes.iter().filter(|lane| lane.timely[0] == 0).collect();
    assert!(!silent.is_empty() && run.lanes[0].timely[0] > 0);
    assert!(run.lanes.iter().all(|lane| lane.timely[10] > 0));
    // The load score moves by what it hears and by nothing else.
    let moves = |name| play(&sharers(name, 30.0), "load_score", 1).decisions;
    assert!(moves("sharers_4") > 0);
    assert_eq!(moves("sharers_4_silent"), 0);
}

#[test]
fn what_arrives_is_shared_evenly_whatever_the_number_of_instances() {
    let mut scenario = sharers("sharers_16", 20.0);
    scenario.arrivals = Arrivals::Constant { rate: 40_000.0 };
    let offered = play(&scenario, "fixed", 1).offered;
    assert!(offered.abs_diff(800_000) < 8_000, "{offered}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Invariant: with any number of instances items are conserved, the sum of the lanes is the
    /// whole, and the same seed gives the same bytes.
    #[test]
    fn items_are_conserved_among_instances(
        instances in 1..=64u32,
        seed: u16,
        arrivals: bool,
        controller in proptest::sample::select(&ControllerSettings::NAMES[..]),
    ) {
        let mut scenario = sharers("sharers_4", 2.0);
        (scenario.instances, scenario.begin_within_s) = (instances, 1.0);
        scenario.backend.timeout_s = 0.2;
        if arrivals {
            scenario.arrivals = Arrivals::Burst { low: 100.0, high: 90_000.0, hold_s: 0.3 };
        }
        let run = play(&scenario.checked().unwrap(), controller, u64::from(seed));
        prop_assert_eq!(run.offered, run.queued + run.in_flight + run.delivered);
        prop_assert_eq!(run.lanes.iter().map(|lane| lane.delivered).sum::<u64>(), run.delivered);
        prop_assert_eq!(run.lanes.iter().map(|lane| lane.attempts).sum::<u64>(), run.attempts);
        let timely: u64 = run.timeline.bins().iter().map(|bin| bin.timely).sum();
        let lanes = run.lanes.iter().flat_map(|lane| &lane.timely).sum::<u64>();
        prop_assert_eq!(timely, lanes);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_among_sharers() {
    let scenario = sharers("sharers_16", 6.0);
    let bytes = |seed| serde_json::to_string(&play(&scenario, "aimd", seed)).unwrap();
    assert_eq!(bytes(5), bytes(5));
    assert_ne!(bytes(5), bytes(6));
}
