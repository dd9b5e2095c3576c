//! How does a controller fare where nobody looked? On backends drawn by chance.

use super::backend::{Errors, FeedbackSpec, Network, Spill, Stalls};
use super::{Arrivals, BackendSpec, CapacityChange, OwnLoad, PlanBounds, Scenario, Target};
use crate::rng::{Rng, Stream};

/// The random scenario of that number. The distributions are part of the crate's promise: fixed
/// cost .5–5 ms, per item 5–50 µs, 1–16 cores, network .2–3 ms, spill at 1,500–12,000 items and
/// target from 10 · max(fixed, 2 ms) to 400 ms, all log-uniform; contention up to .12/cores and
/// noise .1–.3, uniform. Odd numbers have a ÷ 4 step from 30 to 45 s.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1,500 and 12,000"
)]
pub fn scenario(number: u64) -> Scenario {
    let mut rng = Rng::new(number, Stream::Scenario);
    let fixed_ms = rng.log_between(0.5, 5.0);
    let per_item_us = rng.log_between(5.0, 50.0);
    let cores = rng.log_between(1.0, 16.0).round();
    let step = CapacityChange { from_s: 30.0, full_s: None, until_s: Some(45.0), factor: 0.25 };
    let stepped = number % 2 == 1;
    Scenario {
        name: format!("random_{number}"),
        duration_s: 60.0,
        backend: BackendSpec {
            fixed_ms,
            per_item_us,
            cores,
            contention: rng.between(0.0, 0.12 / cores),
            noise: rng.between(0.1, 0.3),
            spread: None,
            tail: None,
            locks: None,
            network: Network { median_ms: rng.log_between(0.2, 3.0), sigma: 0.2 },
            spill: Some(Spill {
                above_items: rng.log_between(1_500.0, 12_000.0).round() as u32,
                ns_per_item_squared: 2.0,
                fixed_ms: 0.0,
            }),
            stalls: Some(Stalls { every_s: 30.0, for_s: 0.12, capacity: 0.1, periodic: false }),
            interruptions: Vec::new(),
            write_back: None,
            recorded_capacity: Vec::new(),
            drift: None,
            errors: Errors { base: 0.0003, slope: 0.004 },
            timeout_s: 3.0,
            rate_limit: None,
            items_max: None,
            outages: Vec::new(),
            capacity: if stepped { vec![step] } else { Vec::new() },
            own_load: OwnLoad::Idle,
            neighbours: Vec::new(),
            feedback: FeedbackSpec::default(),
        },
        target: Target {
            latency_ms: rng.log_between(10.0 * fixed_ms.max(2.0), 400.0),
            of: super::Latency::Attempt,
        },
        arrivals: Arrivals::Saturated,
        recorded_arrivals: Vec::new(),
        item_bytes: 266,
        bounds: PlanBounds::default(),
        classes: Vec::new(),
        instances: 1,
        begin_within_s: 0.0,
        changes_s: if stepped { vec![30.0, 45.0] } else { Vec::new() },
    }
}
