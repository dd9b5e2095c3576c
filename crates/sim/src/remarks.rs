//! What does a reader have to know before the figures? That a target cannot be met, or hardly.
//!
//! A target below the backend's floor is a question as good as any: it is run, and said.

use crate::oracle::Oracle;
use crate::scenario::{Latency, Scenario};

/// The median latency of the smallest batch that the bounds allow, alone at the idle backend, in
/// seconds. No plan is quicker.
#[must_use]
pub fn floor_s(scenario: &Scenario) -> f64 {
    let backend = &scenario.backend;
    let items = f64::from(scenario.bounds.batch_size_min);
    (backend.fixed_ms + backend.network.median_ms) / 1e3 + backend.per_item_us * items / 1e6
}

/// The remarks on a scenario, as sentences.
pub(crate) fn of(scenario: &Scenario, oracle: &Oracle) -> Vec<String> {
    let mut remarks = Vec::new();
    let (floor, target) = (floor_s(scenario) * 1e3, scenario.target.latency_ms);
    let most = scenario.backend.items_max.unwrap_or(u32::MAX);
    if target < floor {
        let latency = match scenario.target.of {
            Latency::Attempt => "attempt",
            Latency::Delivery => "delivery",
        };
        let items = scenario.bounds.batch_size_min;
        remarks.push(format!(
            "The target of {target} ms on {latency} latency is below the backend's floor: a batch of {items} needs {floor:.3} ms (median) even alone, so little or nothing can be in time."
        ));
    } else if scenario.bounds.batch_size_min > most {
        let least = scenario.bounds.batch_size_min;
        remarks.push(format!(
            "The backend refuses more than {most} items, and no plan may ask for fewer than {least}."
        ));
    } else if oracle.is_timed() && oracle.plan.goodput <= 0.0 {
        remarks.push("No plan delivers anything in time; ratios do not apply.".into());
    } else if oracle.is_timed() && oracle.plan.miss_ratio > 0.01 {
        remarks.push(format!(
            "No plan keeps late items under 1 %; the oracle is the one that delivers most in time, with {:.1} % late.",
            oracle.plan.miss_ratio * 100.0
        ));
    }
    remarks
}
