//! Several lanes on one sink: shares by weight, sizes of their own, nothing left idle.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use tidegate::ControllerSettings;
use tidegate_sim::contender::{Contender, plan};
use tidegate_sim::scenario::{Arrivals, canonical};
use tidegate_sim::{Run, Scenario, run};

fn classes(seconds: f64) -> Scenario {
    let mut scenario = canonical::by_name("classes").unwrap().unwrap();
    scenario.duration_s = seconds;
    scenario
}

fn aimd(scenario: &Scenario, seed: u64) -> Run {
    let contender = Contender::by_name("aimd", scenario).unwrap();
    run(scenario, &contender.controller, contender.first, seed).unwrap()
}

/// The share of the attempt-seconds that the first lane held.
fn first_share(run: &Run) -> f64 {
    run.lanes[0].held_s / run.lanes.iter().map(|lane| lane.held_s).sum::<f64>()
}

#[test]
fn saturated_classes_hold_slots_by_weight_and_learn_sizes_of_their_own() {
    for seed in 0..4 {
        let run = aimd(&classes(30.0), seed);
        assert_eq!(run.lanes.len(), 2);
        assert!((first_share(&run) - 0.75).abs() < 0.02, "{}", first_share(&run));
        // Twenty times the cost: the sizes that fit the target differ by about as much.
        let sizes: Vec<f64> =
            run.lanes.iter().map(|lane| f64::from(lane.plan.batch_size)).collect();
        assert!(sizes[0] > 8.0 * sizes[1], "{sizes:?}");
        assert_eq!(run.offered, run.queued + run.in_flight + run.delivered);
    }
    let mut even = classes(30.0);
    even.classes[0].weight = 1.0;
    assert!((first_share(&aimd(&even, 1)) - 0.5).abs() < 0.02);
}

#[test]
fn what_an_idle_class_leaves_the_other_takes() {
    let mut scenario = classes(20.0);
    scenario.classes[1].arrivals = Some(Arrivals::Constant { rate: 0.0 });
    let fixed = |scenario: &Scenario| {
        let plan = plan(1_000, 4.0);
        run(scenario, &ControllerSettings::Fixed, plan, 1).unwrap().timeline.goodput(1.0, 20.0)
    };
    let beside_nobody = fixed(&scenario);
    scenario.classes.clear();
    let alone = fixed(&scenario);
    assert!((beside_nobody / alone - 1.0).abs() < 1e-9, "{beside_nobody} {alone}");
}

#[test]
fn classes_of_many_instances_keep_their_weights_and_their_bytes() {
    let mut scenario = classes(8.0);
    (scenario.instances, scenario.begin_within_s) = (3, 1.0);
    let runs = [aimd(&scenario, 4), aimd(&scenario, 4)];
    assert_eq!(serde_json::to_string(&runs[0]).unwrap(), serde_json::to_string(&runs[1]).unwrap());
    assert_eq!((runs[0].lanes.len(), runs[0].shares(4, 8).len()), (6, 3));
    assert!(runs[0].jain(4, 8).unwrap() > 0.8);
}

#[test]
fn a_class_out_of_bounds_is_refused_by_field() {
    let mut scenario = classes(8.0);
    scenario.classes[1].weight = 0.0;
    assert_eq!(
        scenario.checked().unwrap_err().to_string(),
        "scenario classes: classes.weight is 0, but must be between 0.01 and 100"
    );
}
