//! What is stationary? The scenario is cut where its capacity, its neighbours or its reachability
//! change; each different piece becomes a scenario of its own.
//!
//! A capacity that changes all the time (creep, waves) has no phases. It is then looked up between
//! six evenly spaced capacities whose best goodput is known: goodput is close to linear there.

use crate::backend::course;
use crate::scenario::backend::{CapacityChange, Neighbours};
use crate::scenario::{OwnLoad, Scenario};

/// How finely time is cut, in seconds.
pub(super) const SLICE_S: f64 = 0.1;
/// Capacities that are searched where it changes all the time.
const KNOTS: u32 = 6;
/// Different capacities up to which each is searched.
const FEW: usize = 4;

/// What a slice of time is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub(super) capacity: f64,
    pub(super) others: f64,
    pub(super) out: bool,
}

/// The state of each slice.
pub(super) fn slices(scenario: &Scenario) -> Vec<State> {
    let spec = &scenario.backend;
    let mut slices = Vec::new();
    let mut begin = 0.0;
    while begin < scenario.duration_s - 1e-9 {
        let t = begin + SLICE_S / 2.0;
        slices.push(State {
            capacity: course::capacity(spec, t),
            others: course::others(spec, t),
            out: spec.outages.iter().any(|outage| t >= outage.from_s && t < outage.until_s),
        });
        begin += SLICE_S;
    }
    slices
}

/// The states whose best plan is searched: all if they are few, else knots between the extremes
/// for each number of neighbours.
pub(super) fn knots(slices: &[State]) -> Vec<State> {
    let mut groups: Vec<(f64, Vec<f64>)> = Vec::new();
    for state in slices.iter().filter(|state| !state.out) {
        let found = groups.iter().position(|(others, _)| *others == state.others);
        let Some((_, known)) = found.and_then(|index| groups.get_mut(index)) else {
            groups.push((state.others, vec![state.capacity]));
            continue;
        };
        if !known.iter().any(|capacity| (capacity - state.capacity).abs() < 1e-9) {
            known.push(state.capacity);
        }
    }
    let mut knots = Vec::new();
    for (others, capacities) in groups {
        let low = capacities.iter().copied().fold(f64::INFINITY, f64::min);
        let high = capacities.iter().copied().fold(0.0, f64::max);
        let even = |i: u32| low + (high - low) * f64::from(i) / f64::from(KNOTS - 1);
        let chosen =
            if capacities.len() <= FEW { capacities } else { (0..KNOTS).map(even).collect() };
        knots.extend(chosen.into_iter().map(|capacity| State { capacity, others, out: false }));
    }
    knots
}

/// The scenario that is like that state all the time.
pub(super) fn stationary(scenario: &Scenario, state: State) -> Scenario {
    let mut phase = scenario.clone();
    phase.name = "phase".into();
    // One question whatever the length of the scenario it came from.
    phase.duration_s = 60.0;
    phase.changes_s.clear();
    phase.backend.outages.clear();
    phase.backend.own_load = OwnLoad::Idle;
    phase.backend.capacity.clear();
    phase.backend.neighbours.clear();
    if (state.capacity - 1.0).abs() > 1e-9 {
        let factor = state.capacity;
        let change = CapacityChange { from_s: 0.0, full_s: None, until_s: None, factor };
        phase.backend.capacity.push(change);
    }
    if state.others > 0.0 {
        let all = Neighbours { from_s: 0.0, until_s: 3600.0, jobs: state.others };
        phase.backend.neighbours.push(all);
    }
    phase
}

/// The value at `state`, between those of the knots around it.
pub(super) fn between(known: &[(State, f64)], state: State) -> f64 {
    if state.out {
        return 0.0;
    }
    let same = known.iter().filter(|(knot, _)| knot.others == state.others);
    let below = same.clone().filter(|(knot, _)| knot.capacity <= state.capacity + 1e-9);
    let below = below.max_by(|a, b| a.0.capacity.total_cmp(&b.0.capacity));
    let above = same.filter(|(knot, _)| knot.capacity >= state.capacity - 1e-9);
    let above = above.min_by(|a, b| a.0.capacity.total_cmp(&b.0.capacity));
    match (below, above) {
        (Some((low, at_low)), Some((high, at_high))) => {
            let width = high.capacity - low.capacity;
            if width < 1e-9 {
                return *at_low;
            }
            at_low + (at_high - at_low) * (state.capacity - low.capacity) / width
        }
        (Some((_, only)), None) | (None, Some((_, only))) => *only,
        (None, None) => 0.0,
    }
}

/// What was found at the knot whose capacity is nearest, among those with the same neighbours.
pub(super) fn nearest<T: Copy>(known: &[(State, T)], state: State) -> Option<T> {
    let same = known.iter().filter(|(knot, _)| knot.others == state.others);
    let far = |knot: &State| (knot.capacity - state.capacity).abs();
    same.min_by(|a, b| far(&a.0).total_cmp(&far(&b.0))).map(|(_, found)| *found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::canonical;

    fn of(name: &str) -> Vec<State> {
        slices(&canonical::by_name(name).unwrap().unwrap())
    }

    #[test]
    fn steps_are_phases_and_a_creep_is_knots() {
        assert_eq!(knots(&of("pgA")).len(), 1);
        let step: Vec<_> = knots(&of("step")).iter().map(|state| state.capacity).collect();
        assert_eq!(step, [1.0, 0.25]);
        let creep = knots(&of("creep"));
        assert_eq!(creep.len(), 6);
        assert!((creep[0].capacity - 0.35).abs() < 1e-9 && (creep[5].capacity - 1.0).abs() < 1e-9);
    }

    #[test]
    fn between_knots_goodput_is_linear_and_in_an_outage_there_is_none() {
        let at = |capacity, out| State { capacity, others: 0.0, out };
        let known = [(at(0.5, false), 50.0), (at(1.0, false), 100.0)];
        assert!((between(&known, at(0.75, false)) - 75.0).abs() < 1e-9);
        assert!((between(&known, at(1.0, false)) - 100.0).abs() < 1e-9);
        assert_eq!(between(&known, at(1.0, true)), 0.0);
        let out = of("outage").iter().filter(|state| state.out).count();
        assert_eq!(out, 100);
    }
}
