//! The oracle against the published column: the simulator is the one that was described. And those
//! that ship: all are there, and they are still what the simulator says.
//!
//! The default run is quick and looks at two scenarios; `TIDEGATE_SIM_FULL=1` looks at all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate_sim::oracle::{Best, Cache, Effort, Oracle, questions};
use tidegate_sim::scenario::canonical;
use tidegate_sim::selection::{Draw, Suite};

/// Scenario and published goodput, in items a second.
const PUBLISHED: [(&str, f64); 6] = [
    ("fsync", 404e3),
    ("pgC", 39.7e3),
    ("pgA", 187e3),
    ("pgB", 1_211e3),
    ("http_rl", 19.7e3),
    ("http", 163e3),
];

#[test]
fn the_oracle_agrees_with_the_published_column_within_three_percent() {
    let full = std::env::var_os("TIDEGATE_SIM_FULL").is_some();
    let (effort, which) =
        if full { (Effort::Full, &PUBLISHED[..]) } else { (Effort::Quick, &PUBLISHED[..2]) };
    for (name, published) in which {
        let scenario = canonical::by_name(name).unwrap().unwrap();
        let oracle = Oracle::find(&scenario, effort, &Cache::default()).unwrap();
        let ratio = oracle.plan.goodput / published;
        assert!((ratio - 1.0).abs() < 0.03, "{name}: {ratio:.3} with {:?}", oracle.plan);
        assert!(oracle.plan.miss_ratio <= 0.01, "{name}: {:?}", oracle.plan);
    }
}

#[test]
fn every_scenario_that_ships_has_its_oracle() {
    let shipped = Cache::shipped();
    let suites = [Suite::All, Suite::Claims];
    for entry in suites.into_iter().flat_map(|suite| suite.entries(Draw::default()).unwrap()) {
        for question in questions([&entry.scenario], Effort::Full) {
            let name = &entry.scenario.name;
            assert!(
                question.known(&shipped).is_some(),
                "an oracle of {name} is not among those that ship: \
                 cargo run --release -p tidegate-sim --example oracles"
            );
        }
    }
}

/// Invariant: measured again, a plan that ships has the figures that ship, to the last bit: a change
/// of the simulator or of the engine that moves an oracle must search it anew.
#[test]
fn oracles_that_ship_are_what_the_simulator_says_now() {
    let full = std::env::var_os("TIDEGATE_SIM_FULL").is_some();
    let shipped = Cache::shipped();
    // Of each kind one: a phase alone, with a step and with neighbours; a whole run; arrivals; a lock
    // that is polled; a random backend; a claim.
    let some = ["fsync", "step", "arrivals_sine", "pg_copy_neighbour", "random_3", "claim_limit"];
    let suites = [Suite::All, Suite::Claims];
    for entry in suites.into_iter().flat_map(|suite| suite.entries(Draw::default()).unwrap()) {
        if !full && !some.contains(&entry.scenario.name.as_str()) {
            continue;
        }
        for question in questions([&entry.scenario], Effort::Full) {
            let known = question.known(&shipped).unwrap();
            let now = question.measure(known).unwrap();
            // A goodput that was printed and read again may differ in its last digit.
            let rounded = |best: Best| {
                let miss_ratio = (best.miss_ratio * 1e12).round();
                Best { goodput: (best.goodput * 1e3).round(), miss_ratio, ..best }
            };
            let name = &entry.scenario.name;
            assert_eq!(rounded(now), rounded(known), "{name}");
        }
    }
}
