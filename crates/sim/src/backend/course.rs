//! How much capacity is there when? What the changes and the backend's own load leave.

use tidegate::Moment;

use crate::scenario::backend::{BackendSpec, CapacityChange, OwnLoad};

/// How often the course is looked at, in milliseconds.
pub const LOOK_MS: u64 = 50;

/// The share of the capacity that is there at `t` seconds, stalls apart.
#[must_use]
pub fn capacity(spec: &BackendSpec, t: f64) -> f64 {
    let changes: f64 = spec.capacity.iter().map(|change| factor(change, t)).product();
    changes * (1.0 - own_load(&spec.own_load, t))
}

fn factor(change: &CapacityChange, t: f64) -> f64 {
    if t < change.from_s || change.until_s.is_some_and(|until| t >= until) {
        return 1.0;
    }
    match change.full_s {
        Some(full) if t < full => {
            1.0 + (change.factor - 1.0) * (t - change.from_s) / (full - change.from_s)
        }
        _ => change.factor,
    }
}

/// The share that the backend is busy with on its own at `t` seconds, 0 to .99.
#[must_use]
pub fn own_load(own: &OwnLoad, t: f64) -> f64 {
    let share = match *own {
        OwnLoad::Idle => 0.0,
        OwnLoad::Constant { share } => share,
        OwnLoad::Sine { mean, amplitude, period_s } => {
            mean + amplitude * (std::f64::consts::TAU * t / period_s).sin()
        }
        OwnLoad::Spikes { base, peak, every_s, for_s } => {
            if t % every_s < for_s {
                peak
            } else {
                base
            }
        }
        OwnLoad::Gradual { from, to, over_s } => from + (to - from) * (t / over_s).min(1.0),
    };
    share.clamp(0.0, 0.99)
}

/// Others' batches in service at `t` seconds.
#[must_use]
pub fn others(spec: &BackendSpec, t: f64) -> f64 {
    let here = spec.neighbours.iter().filter(|some| t >= some.from_s && t < some.until_s);
    here.map(|some| some.jobs).sum()
}

/// Whether every connection is refused.
#[must_use]
pub fn is_out(spec: &BackendSpec, now: Moment) -> bool {
    let t = now.as_secs_f64();
    spec.outages.iter().any(|outage| t >= outage.from_s && t < outage.until_s)
}

/// Whether the course is the same all the time, so that nobody has to look.
#[must_use]
pub fn is_constant(spec: &BackendSpec) -> bool {
    let steady = matches!(spec.own_load, OwnLoad::Idle | OwnLoad::Constant { .. });
    steady && spec.drift.is_none() && spec.capacity.is_empty() && spec.neighbours.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creep_goes_down_by_and_by_and_back_at_once() {
        let creep =
            CapacityChange { from_s: 20.0, full_s: Some(80.0), until_s: Some(90.0), factor: 0.35 };
        for (t, left) in [(10.0, 1.0), (50.0, 0.675), (80.0, 0.35), (89.9, 0.35), (90.0, 1.0)] {
            assert!((factor(&creep, t) - left).abs() < 1e-9, "{t}");
        }
    }

    #[test]
    fn own_load_stays_a_share() {
        let sine = OwnLoad::Sine { mean: 0.5, amplitude: 0.9, period_s: 4.0 };
        assert_eq!((own_load(&sine, 1.0), own_load(&sine, 3.0)), (0.99, 0.0));
        let spikes = OwnLoad::Spikes { base: 0.1, peak: 0.8, every_s: 10.0, for_s: 2.0 };
        assert_eq!((own_load(&spikes, 11.0), own_load(&spikes, 12.0)), (0.8, 0.1));
        let gradual = OwnLoad::Gradual { from: 0.0, to: 0.5, over_s: 10.0 };
        assert_eq!((own_load(&gradual, 5.0), own_load(&gradual, 50.0)), (0.25, 0.5));
    }
}
