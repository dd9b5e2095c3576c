//! Do the ports of other projects' rules do what those projects publish? Their own examples, replayed.
//!
//! Facts only: the sizes that Beam's tests expect of a batch that takes 1 s + .7 s an item, the steps
//! that the rules of Netflix, Flink and Vector prescribe.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::time::Duration;

use tidegate::control::ports::{
    ArcSettings, BeamSettings, FlinkSettings, Gradient2Settings, VegasSettings,
};
use tidegate::{Bounds, Controller, ControllerSettings, Moment, Outcome, Plan, Sample, Sent};
use tidegate_sim::contender::plan;

#[expect(clippy::needless_pass_by_value, reason = "each caller makes its own")]
fn built(settings: ControllerSettings, first: Plan) -> Box<dyn Controller> {
    let bounds = Bounds { batch_size_max: 20_000, concurrency_max: 1024.0, ..Bounds::default() };
    settings.build(first, &bounds).unwrap()
}

/// The plan after an attempt of those items that took so long, with as many in flight as allowed.
fn after(controller: &mut dyn Controller, now: &mut Plan, seconds: f64, outcome: Outcome) -> Plan {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
    let in_flight = now.concurrency as u32;
    let sent = Sent {
        at: Moment::ZERO,
        epoch: now.epoch,
        target: now.batch_size,
        items: now.batch_size,
        bytes: 0,
        in_flight,
        full: true,
    };
    if let Some(change) = controller.sent(&sent) {
        *now = change.plan;
    }
    let sample = Sample {
        sent,
        at: Moment::ZERO + Duration::from_secs_f64(seconds),
        latency: Duration::from_secs_f64(seconds),
        delivered_meanwhile: 0,
        outcome,
        queue_items: 1_000_000,
        feedback: None,
    };
    if let Some(change) = controller.sample(&sample) {
        *now = change.plan;
    }
    *now
}

fn beam_sizes(settings: BeamSettings, count: usize) -> Vec<u32> {
    let mut now = plan(1, 1.0);
    let mut beam = built(ControllerSettings::Beam(settings), now);
    now = beam.start(Moment::ZERO);
    let mut sizes = vec![now.batch_size];
    while sizes.len() < count {
        let seconds = 1.0 + 0.7 * f64::from(now.batch_size);
        sizes.push(after(beam.as_mut(), &mut now, seconds, Outcome::Ok).batch_size);
    }
    sizes
}

#[test]
fn beam_finds_the_sizes_that_its_own_tests_expect() {
    // Neither of the two goals can be left out here; the other one is put out of the way.
    let by_overhead = BeamSettings { duration: Duration::from_secs(3600), ..Default::default() };
    assert_eq!(beam_sizes(by_overhead, 8), [1, 2, 4, 8, 16, 27, 27, 27]);
    let by_duration =
        BeamSettings { duration: Duration::from_secs(10), overhead: 0.001, ..Default::default() };
    assert_eq!(beam_sizes(by_duration, 7), [1, 2, 4, 8, 14, 14, 14]);
}

#[test]
fn beam_spreads_its_sizes_by_a_quarter_at_most() {
    let settings = BeamSettings { duration: Duration::from_secs(3600), ..Default::default() };
    let sizes = beam_sizes(settings, 99);
    let mut late = sizes[79..].to_vec();
    late.sort_unstable();
    assert!(
        f64::from(late[0]) > 27.0 * 0.75 - 1.0 && f64::from(late[19]) < 27.0 * 1.25,
        "{late:?}"
    );
    late.dedup();
    assert!(late.len() > 3, "{late:?}");
}

#[test]
fn flink_adds_ten_and_halves_and_never_goes_below_one() {
    let mut now = plan(500, 1.0);
    let mut flink = built(ControllerSettings::Flink(FlinkSettings::default()), now);
    now = flink.start(Moment::ZERO);
    let mut sizes = Vec::new();
    for outcome in [Outcome::Overloaded, Outcome::Ok, Outcome::Overloaded, Outcome::Ok] {
        sizes.push(after(flink.as_mut(), &mut now, 0.01, outcome).batch_size);
    }
    // 500 · .5, + 10, · .5 rounded, + 10.
    assert_eq!(sizes, [250, 260, 130, 140]);
    for _ in 0..20 {
        after(flink.as_mut(), &mut now, 0.01, Outcome::Overloaded);
    }
    assert_eq!(now.batch_size, 1);
}

#[test]
fn vegas_grows_by_six_without_a_queue_and_falls_by_one_beyond_it() {
    let mut now = plan(100, 10.0);
    let settings = VegasSettings { initial: 10, ..VegasSettings::default() };
    let mut vegas = built(ControllerSettings::Vegas(settings), now);
    now = vegas.start(Moment::ZERO);
    // The first round trip is the unloaded one and moves nothing.
    assert!((after(vegas.as_mut(), &mut now, 0.01, Outcome::Ok).concurrency - 10.0).abs() < 1e-9);
    assert!((after(vegas.as_mut(), &mut now, 0.01, Outcome::Ok).concurrency - 16.0).abs() < 1e-9);
    // ⌈16 · (1 − 10/50)⌉ = 13 queue: more than six.
    assert!((after(vegas.as_mut(), &mut now, 0.05, Outcome::Ok).concurrency - 15.0).abs() < 1e-9);
    // ⌈15 · (1 − 10/14)⌉ = 5 queue: between three and six.
    assert!((after(vegas.as_mut(), &mut now, 0.014, Outcome::Ok).concurrency - 15.0).abs() < 1e-9);
    let dropped = after(vegas.as_mut(), &mut now, 0.05, Outcome::TimedOut);
    assert!((dropped.concurrency - 14.0).abs() < 1e-9);
}

#[test]
fn gradient2_follows_its_published_formula() {
    let mut now = plan(100, 20.0);
    let mut gradient = built(ControllerSettings::Gradient2(Gradient2Settings::default()), now);
    now = gradient.start(Moment::ZERO);
    let mut limit = 20.0_f64;
    for _ in 0..5 {
        // As long as ever: gradient 1, a fifth of the way to four more.
        limit = limit * 0.8 + (limit + 4.0) * 0.2;
        let found = after(gradient.as_mut(), &mut now, 0.01, Outcome::Ok).concurrency;
        assert!((found - limit.floor()).abs() < 1e-9, "{found} {limit}");
    }
    // Ten times as long: the mean of six is 25 ms, 1.5 · 25 / 100 is below the least gradient of .5.
    limit = limit * 0.8 + (limit * 0.5 + 4.0) * 0.2;
    let found = after(gradient.as_mut(), &mut now, 0.1, Outcome::Ok).concurrency;
    assert!((found - limit.floor().max(20.0)).abs() < 1e-9, "{found} {limit}");
}

#[test]
fn arc_adds_one_in_a_quick_window_and_takes_a_tenth_after_back_pressure() {
    let mut now = plan(100, 10.0);
    let settings = ArcSettings { initial: 10, ..ArcSettings::default() };
    let mut arc = built(ControllerSettings::Arc(settings), now);
    now = arc.start(Moment::ZERO);
    // The first answer is the past; the next ones are in windows of their own.
    after(arc.as_mut(), &mut now, 0.01, Outcome::Ok);
    let quick = after(arc.as_mut(), &mut now, 0.02, Outcome::Ok).concurrency;
    let refused = {
        after(arc.as_mut(), &mut now, 10.0, Outcome::Throttled { retry_after: None }).concurrency
    };
    assert!(
        quick <= 11.0 && refused < quick && refused >= (quick * 0.9).floor(),
        "{quick} {refused}"
    );
}
