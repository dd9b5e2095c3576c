//! What must hold in every run, whatever the scenario and the controller.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use proptest::prelude::*;
use tidegate::ControllerSettings;
use tidegate_sim::contender::{Contender, plan};
use tidegate_sim::scenario::weather::Tail;
use tidegate_sim::scenario::{Arrivals, canonical, random};
use tidegate_sim::{Run, Scenario, run};

fn short(name: &str, seconds: f64) -> Scenario {
    let mut scenario = canonical::by_name(name).unwrap().unwrap();
    scenario.duration_s = seconds;
    scenario.changes_s.clear();
    scenario
}

fn play(scenario: &Scenario, controller: &str, seed: u64) -> Run {
    let contender = Contender::by_name(controller, scenario).unwrap();
    run(scenario, &contender.controller, contender.first, seed).unwrap()
}

fn bytes(run: &Run) -> String {
    format!("{}{:?}", serde_json::to_string(run).unwrap(), run.history)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_does_not() {
    for name in ["pgA", "http_rl", "outage", "arrivals_burst"] {
        for controller in ControllerSettings::NAMES {
            let mut scenario = short(name, 6.0);
            for outage in &mut scenario.backend.outages {
                (outage.from_s, outage.until_s) = (2.0, 3.0);
            }
            let twice = [play(&scenario, controller, 7), play(&scenario, controller, 7)];
            assert_eq!(bytes(&twice[0]), bytes(&twice[1]), "{name} {controller}");
            assert_ne!(bytes(&twice[0]), bytes(&play(&scenario, controller, 8)), "{name}");
        }
    }
}

/// Every fault at once: limits, an outage, stalls, a client that gives up early.
fn stormy(number: u64) -> Scenario {
    let mut scenario = random::scenario(number);
    scenario.duration_s = 4.0;
    scenario.changes_s.clear();
    let backend = &mut scenario.backend;
    backend.capacity.clear();
    let http = canonical::by_name("http_rl").unwrap().unwrap().backend;
    if number.is_multiple_of(3) {
        (backend.rate_limit, backend.items_max) = (http.rate_limit, http.items_max);
    }
    backend.outages = canonical::by_name("outage").unwrap().unwrap().backend.outages;
    for outage in &mut backend.outages {
        (outage.from_s, outage.until_s) = (1.0, 1.5);
    }
    if let Some(stalls) = &mut backend.stalls {
        (stalls.every_s, stalls.for_s) = (0.5, 0.2);
    }
    backend.timeout_s = 0.1;
    backend.errors.base = 0.05;
    if number.is_multiple_of(5) {
        let pg = canonical::by_name("pg_copy").unwrap().unwrap().backend;
        (backend.locks, backend.spread, backend.drift) = (pg.locks, pg.spread, pg.drift);
        backend.interruptions = pg.interruptions;
        backend.tail = Some(Tail { probability: 0.1, exponent: 1.0, most: 100.0 });
    }
    if number.is_multiple_of(2) {
        scenario.arrivals = Arrivals::Burst { low: 100.0, high: 30_000.0, hold_s: 0.3 };
    }
    scenario
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Invariant: every item that was offered waits, is in flight, or was delivered; nothing is
    /// lost or made up, in any storm. And no plan ever leaves its bounds.
    #[test]
    fn items_are_conserved_and_plans_stay_in_bounds(
        number in 0..10_000u64,
        controller in proptest::sample::select(&ControllerSettings::NAMES[..]),
    ) {
        let mut scenario = stormy(number);
        scenario.bounds.batch_size_min = 40;
        scenario.bounds.batch_size_max = 700;
        scenario.bounds.concurrency_max = 3.5;
        let run = play(&scenario, controller, number);
        prop_assert_eq!(run.offered, run.queued + run.in_flight + run.delivered);
        prop_assert!(run.attempts > 0);
        let plans = run.timeline.bins().iter().filter(|bin| bin.attempts > 0);
        for bin in plans {
            prop_assert!((40..=700).contains(&bin.batch_size) && bin.concurrency <= 3.5);
        }
        let bounds = scenario.bounds.to_bounds();
        for decision in &run.history {
            prop_assert!(bounds.check_plan(&decision.to).is_ok());
        }
    }
}

/// Little's law: the mean number in service is the rate of attempts times their mean latency.
#[test]
fn the_number_in_flight_is_rate_times_latency() {
    let mut scenario = short("pgA", 60.0);
    scenario.backend.network.median_ms = 0.0;
    let run = run(&scenario, &ControllerSettings::Fixed, plan(1_000, 6.0), 1).unwrap();
    // Six are always in service; what is in flight at the end is not in the sum yet.
    assert!((run.busy_s / 60.0 - 6.0).abs() < 1e-6, "{}", run.busy_s);
    assert!((run.latency_sum_s / run.busy_s - 1.0).abs() < 0.002, "{}", run.latency_sum_s);
}

/// Deterministic sharing in closed form: c batches at once take S · φ(c) each.
#[test]
fn without_chance_goodput_is_the_formula() {
    let mut scenario = short("pgA", 20.0);
    let backend = &mut scenario.backend;
    (backend.noise, backend.stalls) = (0.0, None);
    (backend.errors.base, backend.errors.slope) = (0.0, 0.0);
    backend.network.sigma = 0.0;
    let run = run(&scenario, &ControllerSettings::Fixed, plan(1_000, 4.0), 1).unwrap();
    // 2 ms + 1,000 · 20 µs of service and .5 ms of network.
    let expected = 4.0 * 1_000.0 / 0.0225;
    let found = run.timeline.goodput(5.0, 20.0);
    assert!((found / expected - 1.0).abs() < 0.003, "{found} {expected}");
}

#[test]
fn a_rate_limit_lets_through_what_it_says_and_is_learnt() {
    let scenario = short("http_rl", 30.0);
    let run = run(&scenario, &ControllerSettings::Fixed, plan(500, 32.0), 3).unwrap();
    let most = (10.0 + 40.0 * 30.0) * 500.0;
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let delivered = run.delivered as f64;
    assert!(delivered <= most, "{delivered}");
    // The engine's rate gate learns the limit from its refusals, whoever chose the plan; the first
    // time all 32 in flight are refused.
    let refusals = run.timeline.throttled();
    assert!((1..64).contains(&refusals) && delivered > 0.8 * most, "{refusals} {delivered}");
}

#[test]
fn what_is_given_up_is_still_worked_on() {
    let mut scenario = short("fsync", 10.0);
    scenario.backend.timeout_s = 0.02;
    // 5 ms + 10,000 · 2 µs: never done in time, and what was given up piles up in service.
    let run = run(&scenario, &ControllerSettings::Fixed, plan(10_000, 1.0), 1).unwrap();
    assert!(run.delivered < run.attempts * 10_000 / 20, "{} of {}", run.delivered, run.attempts);
    assert!(run.busy_s > 20.0, "{}", run.busy_s);
}

#[test]
fn an_outage_pauses_and_ends_within_a_probe() {
    let scenario = canonical::by_name("outage").unwrap().unwrap();
    let run = play(&scenario, "aimd", 1);
    assert!(run.timeline.goodput(30.5, 40.0) < 1.0);
    assert!(run.timeline.attempts(30.5, 40.0) == 0);
    assert!(run.timeline.goodput(40.2, 41.0) > 0.8 * run.timeline.goodput(25.0, 30.0));
}
