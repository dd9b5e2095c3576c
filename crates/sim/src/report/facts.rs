//! What is this scenario? Its backend, load and target in a few sentences.

use super::words::{short, time};
use crate::scenario::backend::BackendSpec;
use crate::scenario::{Arrivals, Latency, OwnLoad, Scenario};

/// The scenario in sentences: target, arrivals, cost and faults.
#[must_use]
pub fn told(scenario: &Scenario) -> String {
    let of = match scenario.target.of {
        Latency::Attempt => "attempt latency (send to answer)",
        Latency::Delivery => "delivery latency (arrival to delivery)",
    };
    let mut told = vec![
        format!("Target {} on {of}", time(scenario.target.latency_ms / 1e3)),
        arrivals(&scenario.arrivals),
        cost(&scenario.backend),
    ];
    told.extend(faults(&scenario.backend));
    format!("{}.", told.join(". "))
}

fn arrivals(arrivals: &Arrivals) -> String {
    let rate = |rate: f64| format!("{}/s", short(rate));
    match *arrivals {
        Arrivals::Saturated => "Always more items than can be taken".into(),
        Arrivals::Constant { rate: items } => format!("{} items arrive", rate(items)),
        Arrivals::Sine { mean, amplitude, period_s } => {
            format!("Arrivals {} ± {} over {}", rate(mean), rate(amplitude), time(period_s))
        }
        Arrivals::Spikes { base, peak, every_s, for_s, .. } => format!(
            "Arrivals {}, {} for {} every {}",
            rate(base),
            rate(peak),
            time(for_s),
            time(every_s)
        ),
        Arrivals::Ramp { from, to, over_s } => {
            format!("Arrivals {} to {} over {}", rate(from), rate(to), time(over_s))
        }
        Arrivals::Burst { low, high, hold_s } => format!(
            "Arrivals {} and {} in turns of {} on average",
            rate(high),
            rate(low),
            time(hold_s)
        ),
        _ => "Arrivals as recorded".into(),
    }
}

fn cost(backend: &BackendSpec) -> String {
    let mut cost = format!(
        "A batch costs {} + {} µs an item, {} served at full speed at once",
        time(backend.fixed_ms / 1e3),
        short(backend.per_item_us),
        short(backend.cores),
    );
    if backend.network.median_ms > 0.0 {
        cost += &format!(", network {}", time(backend.network.median_ms / 1e3));
    }
    if let Some(spill) = backend.spill {
        cost += &format!(", dearer above {} items", spill.above_items);
    }
    cost
}

fn faults(backend: &BackendSpec) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(limit) = backend.rate_limit {
        told.push(format!("At most {} requests/s", short(limit.requests_per_s)));
    }
    if let Some(items) = backend.items_max {
        told.push(format!("At most {items} items a request"));
    }
    for change in &backend.capacity {
        let until =
            change.until_s.map_or_else(String::new, |until| format!(" until {}", time(until)));
        let from = time(change.from_s);
        told.push(format!("Capacity × {} from {from}{until}", short(change.factor)));
    }
    for outage in &backend.outages {
        told.push(format!("Out from {} to {}", time(outage.from_s), time(outage.until_s)));
    }
    for others in &backend.neighbours {
        told.push(format!(
            "{} batches of neighbours from {} to {}",
            short(others.jobs),
            time(others.from_s),
            time(others.until_s)
        ));
    }
    if !matches!(backend.own_load, OwnLoad::Idle) {
        told.push("The backend has a load of its own".into());
    }
    if let Some(stalls) = backend.stalls {
        told.push(format!("It stalls for {} every {}", time(stalls.for_s), time(stalls.every_s)));
    }
    told
}
