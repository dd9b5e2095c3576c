//! Which scenarios are refused? Those with a number out of its bounds, by field, value and bound.

use tidegate::SettingError;
use tidegate::error::within;

use super::backend::{BackendSpec, FeedbackSpec, Span};
use super::weather::Between;
use super::{Arrivals, OwnLoad, Scenario};

/// The longest anything may last, in seconds.
const LONG: f64 = 3600.0;

/// Changes of a recorded capacity: an hour of one each fifty milliseconds.
const RECORDED_MAX: usize = 72_000;

pub(super) fn check(scenario: &Scenario) -> Result<(), SettingError> {
    within("name (length)", scenario.name.len(), 1..=128)?;
    within("duration_s", scenario.duration_s, 1.0..=LONG)?;
    within("target.latency_ms", scenario.target.latency_ms, 1.0..=LONG * 1e3)?;
    within("item_bytes", scenario.item_bytes, 1..=1_000_000)?;
    within("classes (how many)", scenario.classes.len(), 0..=16)?;
    for class in &scenario.classes {
        within("classes.name (length)", class.name.len(), 1..=64)?;
        within("classes.weight", class.weight, 0.01..=100.0)?;
        within("classes.cost", class.cost, 0.001..=1000.0)?;
        class.arrivals.iter().try_for_each(arrivals)?;
    }
    within("instances", scenario.instances, 1..=64)?;
    within("begin_within_s", scenario.begin_within_s, 0.0..=scenario.duration_s)?;
    for at in &scenario.changes_s {
        within("changes_s", *at, 0.0..=scenario.duration_s)?;
    }
    scenario.bounds.to_bounds().check()?;
    arrivals(&scenario.arrivals)?;
    recorded(&scenario.recorded_arrivals)?;
    let replays = |arrivals: &Arrivals| matches!(arrivals, Arrivals::Replay { .. });
    let of_classes = scenario.classes.iter().filter_map(|class| class.arrivals.as_ref());
    if std::iter::once(&scenario.arrivals).chain(of_classes).any(replays) {
        let bound = 1..=tidegate::recording::LINES_MAX;
        within("recorded_arrivals (how many)", scenario.recorded_arrivals.len(), bound)?;
    }
    cost(&scenario.backend)?;
    faults(&scenario.backend)?;
    weather(&scenario.backend)?;
    feedback(&scenario.backend.feedback)?;
    course(&scenario.backend)
}

fn recorded(arrived: &[(u64, u64)]) -> Result<(), SettingError> {
    within("recorded_arrivals (how many)", arrived.len(), 0..=tidegate::recording::LINES_MAX)?;
    let pairs = arrived.iter().zip(arrived.iter().skip(1));
    for ((before, _), (at_ms, _)) in pairs {
        within("recorded_arrivals.at_ms", *at_ms, before + 1..=u64::MAX)?;
    }
    let items = arrived.iter().map(|(_, items)| *items).max().unwrap_or(0);
    within("recorded_arrivals.items", items, 0..=1_000_000_000)
}

fn cost(backend: &BackendSpec) -> Result<(), SettingError> {
    within("backend.fixed_ms", backend.fixed_ms, 0.0..=60_000.0)?;
    within("backend.per_item_us", backend.per_item_us, 0.0..=1e6)?;
    if backend.fixed_ms + backend.per_item_us <= 0.0 {
        let bound = "above 0 unless backend.per_item_us is: a free backend has no best plan";
        return Err(SettingError::new("backend.fixed_ms", backend.fixed_ms, bound));
    }
    within("backend.cores", backend.cores, 0.1..=1024.0)?;
    within("backend.contention", backend.contention, 0.0..=1.0)?;
    within("backend.noise", backend.noise, 0.0..=2.0)?;
    within("backend.network.median_ms", backend.network.median_ms, 0.0..=60_000.0)?;
    within("backend.network.sigma", backend.network.sigma, 0.0..=2.0)?;
    if let Some(spill) = backend.spill {
        within("backend.spill.above_items", spill.above_items, 1..=1_000_000)?;
        within("backend.spill.ns_per_item_squared", spill.ns_per_item_squared, 0.0..=1000.0)?;
        within("backend.spill.fixed_ms", spill.fixed_ms, 0.0..=60_000.0)?;
    }
    Ok(())
}

fn faults(backend: &BackendSpec) -> Result<(), SettingError> {
    if let Some(stalls) = backend.stalls {
        within("backend.stalls.every_s", stalls.every_s, 0.01..=LONG)?;
        within("backend.stalls.for_s", stalls.for_s, 0.001..=60.0)?;
        within("backend.stalls.capacity", stalls.capacity, 0.001..=1.0)?;
    }
    within("backend.errors.base", backend.errors.base, 0.0..=1.0)?;
    within("backend.errors.slope", backend.errors.slope, 0.0..=1.0)?;
    within("backend.timeout_s", backend.timeout_s, 0.001..=LONG)?;
    if let Some(limit) = backend.rate_limit {
        within("backend.rate_limit.requests_per_s", limit.requests_per_s, 0.001..=1e6)?;
        within("backend.rate_limit.burst", limit.burst, 1.0..=1e6)?;
        within("backend.rate_limit.retry_after_s", limit.retry_after_s.unwrap_or(0.0), 0.0..=LONG)?;
    }
    within("backend.items_max", backend.items_max.unwrap_or(1), 1..=1_000_000)?;
    for outage in &backend.outages {
        span("backend.outages.from_s", "backend.outages.until_s", *outage)?;
    }
    Ok(())
}

fn feedback(feedback: &FeedbackSpec) -> Result<(), SettingError> {
    within("backend.feedback.every_ms", feedback.every_ms, 1.0..=LONG * 1e3)?;
    within("backend.feedback.lag_ms", feedback.lag_ms, 0.0..=LONG * 1e3)?;
    within("backend.feedback.noise", feedback.noise, 0.0..=1.0)?;
    within("backend.feedback.queue_full", feedback.queue_full, 0.1..=1e6)?;
    // What is late is kept: not more than an hour of it at the shortest interval that is usual.
    within("backend.feedback.lag_ms / every_ms", feedback.lag_ms / feedback.every_ms, 0.0..=1e5)?;
    within("backend.feedback.custom (how many)", feedback.custom.len(), 0..=16)?;
    for metric in &feedback.custom {
        within("backend.feedback.custom.name (length)", metric.name.len(), 1..=64)?;
        within("backend.feedback.custom.factor", metric.factor, -1e9..=1e9)?;
        within("backend.feedback.custom.offset", metric.offset, -1e9..=1e9)?;
    }
    Ok(())
}

fn weather(backend: &BackendSpec) -> Result<(), SettingError> {
    if let Some(tail) = backend.tail {
        within("backend.tail.probability", tail.probability, 0.0..=1.0)?;
        within("backend.tail.exponent", tail.exponent, 0.5..=10.0)?;
        within("backend.tail.most", tail.most, 1.0..=1000.0)?;
    }
    if let Some(spread) = backend.spread {
        within("backend.spread.above", spread.above, 0.0..=1024.0)?;
        within("backend.spread.per_batch", spread.per_batch, 0.0..=2.0)?;
        within("backend.spread.most", spread.most, 0.0..=2.0)?;
    }
    if let Some(locks) = backend.locks {
        within("backend.locks.writers", locks.writers, 1..=1024)?;
        within("backend.locks.handoff_ms", locks.handoff_ms, 0.0..=60_000.0)?;
    }
    let recorded = &backend.recorded_capacity;
    within("backend.recorded_capacity (how many)", recorded.len(), 0..=RECORDED_MAX)?;
    for ((before, _), (at_ms, _)) in recorded.iter().zip(recorded.iter().skip(1)) {
        within("backend.recorded_capacity.at_ms", *at_ms, before + 1..=u64::MAX)?;
    }
    for (_, left) in recorded {
        within("backend.recorded_capacity.left", *left, 0.001..=100.0)?;
    }
    within("backend.interruptions (how many)", backend.interruptions.len(), 0..=16)?;
    for interruption in &backend.interruptions {
        let Between { from, to } = interruption.every_s;
        within("backend.interruptions.every_s.from", from, 0.001..=LONG)?;
        within("backend.interruptions.every_s.to", to, from..=LONG)?;
        let Between { from, to } = interruption.for_s;
        within("backend.interruptions.for_s.from", from, 0.001..=LONG)?;
        within("backend.interruptions.for_s.to", to, from..=LONG)?;
        within("backend.interruptions.capacity", interruption.capacity, 0.001..=1.0)?;
    }
    if let Some(write_back) = backend.write_back {
        let Between { from, to } = write_back.every_items;
        within("backend.write_back.every_items.from", from, 1.0..=1e9)?;
        within("backend.write_back.every_items.to", to, from..=1e9)?;
        let Between { from, to } = write_back.for_s;
        within("backend.write_back.for_s.from", from, 0.001..=LONG)?;
        within("backend.write_back.for_s.to", to, from..=LONG)?;
        within("backend.write_back.capacity", write_back.capacity, 0.001..=1.0)?;
    }
    if let Some(drift) = backend.drift {
        within("backend.drift.sigma", drift.sigma, 0.0..=1.0)?;
        within("backend.drift.memory_s", drift.memory_s, 0.1..=LONG)?;
    }
    Ok(())
}

fn course(backend: &BackendSpec) -> Result<(), SettingError> {
    for change in &backend.capacity {
        within("backend.capacity.factor", change.factor, 0.001..=100.0)?;
        let full_s = change.full_s.unwrap_or(change.from_s);
        let until_s = change.until_s.unwrap_or(LONG);
        let whole = Span { from_s: change.from_s, until_s };
        span("backend.capacity.from_s", "backend.capacity.until_s", whole)?;
        within("backend.capacity.full_s", full_s, change.from_s..=until_s)?;
    }
    for neighbours in &backend.neighbours {
        let whole = Span { from_s: neighbours.from_s, until_s: neighbours.until_s };
        span("backend.neighbours.from_s", "backend.neighbours.until_s", whole)?;
        within("backend.neighbours.jobs", neighbours.jobs, 0.0..=1024.0)?;
    }
    let share = |field, value: f64| within(field, value, 0.0..=0.99);
    match backend.own_load {
        OwnLoad::Idle => Ok(()),
        OwnLoad::Constant { share: value } => share("backend.own_load.share", value),
        OwnLoad::Sine { mean, amplitude, period_s } => {
            share("backend.own_load.mean", mean)?;
            share("backend.own_load.amplitude", amplitude)?;
            within("backend.own_load.period_s", period_s, 0.1..=LONG)
        }
        OwnLoad::Spikes { base, peak, every_s, for_s } => {
            share("backend.own_load.base", base)?;
            share("backend.own_load.peak", peak)?;
            within("backend.own_load.every_s", every_s, 0.1..=LONG)?;
            within("backend.own_load.for_s", for_s, 0.0..=every_s)
        }
        OwnLoad::Gradual { from, to, over_s } => {
            share("backend.own_load.from", from)?;
            share("backend.own_load.to", to)?;
            within("backend.own_load.over_s", over_s, 0.1..=LONG)
        }
    }
}

fn arrivals(arrivals: &Arrivals) -> Result<(), SettingError> {
    let rate = |field, value: f64| within(field, value, 0.0..=1e9);
    let time = |field, value: f64| within(field, value, 0.01..=LONG);
    match *arrivals {
        Arrivals::Saturated | Arrivals::Replay { .. } => Ok(()),
        Arrivals::Constant { rate: value } => rate("arrivals.rate", value),
        Arrivals::Sine { mean, amplitude, period_s } => {
            rate("arrivals.mean", mean)?;
            rate("arrivals.amplitude", amplitude)?;
            time("arrivals.period_s", period_s)
        }
        Arrivals::Spikes { base, peak, every_s, for_s, first_s } => {
            rate("arrivals.base", base)?;
            rate("arrivals.peak", peak)?;
            time("arrivals.every_s", every_s)?;
            within("arrivals.first_s", first_s, 0.0..=LONG)?;
            within("arrivals.for_s", for_s, 0.0..=every_s)
        }
        Arrivals::Ramp { from, to, over_s } => {
            rate("arrivals.from", from)?;
            rate("arrivals.to", to)?;
            time("arrivals.over_s", over_s)
        }
        Arrivals::Burst { low, high, hold_s } => {
            rate("arrivals.low", low)?;
            rate("arrivals.high", high)?;
            time("arrivals.hold_s", hold_s)
        }
    }
}

fn span(from: &'static str, until: &'static str, span: Span) -> Result<(), SettingError> {
    within(from, span.from_s, 0.0..=LONG)?;
    within(until, span.until_s, span.from_s..=LONG)
}
