//! Would another concurrency, or a smaller batch, deliver more? Asked rarely, cheaply, and within
//! the target.
//!
//! More in flight is tried with as many items in flight as before, fewer with batches that are
//! somewhat larger, within the target. Fewer in flight win when they are as good, more must be better
//! by something, so that the concurrency rests. Steps begin coarse and become fine. What a question
//! cost says when it is asked again: so late that asking takes less than half a percent of what is
//! delivered.
//!
//! A larger batch may be worse within the target: memory spills, a limit of the backend's own; or no
//! better, and then a stall that hits it costs more. So a size that has grown by a third since it
//! was last looked at is held against six tenths of it; if that delivers more in time, it is the
//! ceiling, until a larger one does, or until such batches take less than half of what they took: then
//! whoever slowed the backend is gone, and what was best beside him says nothing any more.

use std::time::Duration;

use super::duel::{Duel, Point};
use super::margin::{NOISY, UNEVEN};
use super::objective::Weights;
use crate::Moment;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// More attempts in flight.
    More,
    /// Fewer.
    Fewer,
    /// Smaller batches.
    Smaller,
    /// Larger ones than the ceiling.
    Larger,
}

/// What was asked, and what is next.
#[derive(Debug, Clone)]
pub(super) struct Search {
    duel: Option<(Axis, Duel)>,
    /// When the duel began.
    began: Moment,
    /// When each question may be asked again, by [`Axis`].
    next: [Moment; 4],
    /// Nothing is asked before.
    quiet: Moment,
    /// The factor on concurrency to try next, for more and for fewer.
    steps: [f64; 2],
    /// Logarithm of the size above which batches are worse.
    ceiling: Option<f64>,
    /// The logarithm of what a batch of that size took.
    took: f64,
    /// Logarithm of the largest size that was held against a smaller one.
    looked_at: f64,
}

/// What may be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Most attempts in flight.
    pub(super) concurrency_max: f64,
    /// Logarithms of the smallest and the largest size.
    pub(super) ln_size_min: f64,
    pub(super) ln_size_max: f64,
    /// How much larger a batch may be before the usual one is near the target, as a logarithm.
    pub(super) headroom: f64,
    /// How far the latency is below what is allowed, as a logarithm.
    pub(super) slack: f64,
    /// The spread of a latency, as a logarithm.
    pub(super) spread: f64,
    pub(super) weights: Weights,
    /// Logarithm of the size under which a batch is mostly fixed cost, if that is known.
    pub(super) knee: Option<f64>,
    /// Whether sizes are asked about.
    pub(super) sizes: bool,
    /// Logarithm of a smaller size that was clearly faster on the way.
    pub(super) better: Option<f64>,
}

/// The result of a duel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) axis: Axis,
    pub(super) won: bool,
    pub(super) gain: f64,
    pub(super) base: Point,
    pub(super) other: Point,
}

const COARSE: f64 = 1.4;
const FINE: f64 = 1.15;
/// Of the concurrency it begins with nobody knows more than that it is modest.
const HALF: f64 = 2.0;
/// A loss of this, as a logarithm, is clear.
const CLEAR: f64 = 0.03;
/// What the startup told is not asked for so many seconds.
const KNOWN: f64 = 20.0;
/// The share of what is delivered that one question may cost over time.
const TAX: f64 = 0.004;
/// A question that costs next to nothing is asked again after so long at the earliest, and every
/// question so often at least.
const SHORT: f64 = 4.0;
const LONG: f64 = 60.0;
/// The size that a large one is held against.
const SMALLER: f64 = 0.6;
/// A ceiling does not outlive the backend's becoming so much faster, as a logarithm.
const FASTER: f64 = 0.8;
/// A size that has grown by so much, as a logarithm, is looked at again.
const GROWN: f64 = 0.7;

impl Default for Search {
    fn default() -> Self {
        Self {
            duel: None,
            began: Moment::ZERO,
            next: [Moment::ZERO; 4],
            quiet: Moment::ZERO,
            steps: [COARSE, HALF],
            ceiling: None,
            took: 0.0,
            looked_at: f64::NEG_INFINITY,
        }
    }
}

impl Search {
    pub(super) const fn duel(&self) -> Option<&(Axis, Duel)> {
        self.duel.as_ref()
    }

    pub(super) const fn duel_mut(&mut self) -> Option<&mut (Axis, Duel)> {
        self.duel.as_mut()
    }

    pub(super) const fn ceiling(&self) -> Option<f64> {
        self.ceiling
    }

    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.duel.is_none() && now >= self.quiet
    }

    /// Gives up what is being asked, and asks nothing before `until`.
    pub(super) fn give_up(&mut self, until: Moment) {
        self.duel = None;
        self.quiet = self.quiet.max(until);
    }

    /// The backend has changed: every question is open again, from `at` on.
    pub(super) fn restart(&mut self, at: Moment) {
        let Self { ceiling, looked_at, took, .. } = *self;
        *self = Self { quiet: at, ceiling, looked_at, took, ..Self::default() };
    }

    /// What was found of sizes was somebody else's doing: batches of any size wait when others come.
    pub(super) const fn forget_sizes(&mut self) {
        (self.ceiling, self.looked_at) = (None, f64::NEG_INFINITY);
    }

    /// A usual batch as large as the ceiling takes exp(`took`). If that is far less than when the
    /// ceiling was found, the backend is another, and so may be the size it is best at.
    pub(super) fn hear(&mut self, took: f64) {
        if self.ceiling.is_some() && self.duel.is_none() && took < self.took - FASTER {
            self.ceiling = None;
        }
    }

    /// What twice and half as many in flight have just brought, as logarithms, where they were tried:
    /// what is known is not asked for a while.
    pub(super) fn told(
        &mut self,
        now: Moment,
        (more, fewer): (Option<f64>, Option<f64>),
        spread: f64,
    ) {
        let later = now + Duration::from_secs_f64(KNOWN);
        if more.is_some_and(|gain| gain < 0.2) {
            self.put_off(Axis::More, later);
            self.steps = [FINE, HALF];
        }
        // What small batches say of waiting for each other does not hold for large ones.
        if spread < NOISY && fewer.is_some_and(|gain| gain < -0.25) {
            self.put_off(Axis::Fewer, later);
            let [up, _] = self.steps;
            self.steps = [up, FINE];
        }
    }

    fn put_off(&mut self, axis: Axis, until: Moment) {
        if let Some(next) = self.next.get_mut(axis as usize) {
            *next = until;
        }
    }

    /// Begins a duel if there is something to ask.
    pub(super) fn begin(&mut self, now: Moment, base: Point, room: &Room) -> Option<(Axis, Point)> {
        let smaller = room.better.unwrap_or(base.ln_size + SMALLER.ln());
        let known = self.next.get(Axis::Smaller as usize).is_some_and(|next| now < *next);
        let doubtful = self.is_doubtful(base.ln_size, room) && smaller > room.ln_size_min;
        let doubtful = doubtful && !(known && room.spread > NOISY);
        let (axis, other) = if let Some(other) = self.halved(now, base, room) {
            (Axis::Fewer, other)
        } else if doubtful {
            (Axis::Smaller, Point { ln_size: smaller, ..base })
        } else {
            let all = [Axis::More, Axis::Fewer, Axis::Larger, Axis::Smaller];
            let asked = if room.sizes { &all[..] } else { &all[..2] };
            asked.iter().copied().find_map(|axis| {
                let due = self.next.get(axis as usize).is_some_and(|next| now >= *next);
                let other = if due { self.other(axis, base, room) } else { None };
                other.map(|other| (axis, other))
            })?
        };
        let ratio = (other.concurrency / base.concurrency).ln();
        let (threshold, doubt) = match axis {
            Axis::More => ((0.25 * ratio).clamp(0.03, 0.06), 1.0),
            // Attempts that wait for each other drown every comparison: then the doubt is the plan's
            // that makes them wait.
            Axis::Fewer => (-0.01, if room.spread > NOISY { 0.0 } else { 0.7 }),
            Axis::Smaller => (0.01, 1.0),
            Axis::Larger => (0.0, 0.3),
        };
        let blocks = if room.spread > UNEVEN {
            16
        } else if ratio.abs() > 0.25 {
            6
        } else {
            12
        };
        self.began = now;
        self.duel = Some((
            axis,
            Duel::new(base, other, threshold, doubt, (room.spread, room.weights), blocks),
        ));
        Some((axis, other))
    }

    /// Whether the size is to be held against a smaller one before anything else.
    pub(super) fn is_doubtful(&self, ln_size: f64, room: &Room) -> bool {
        room.sizes && ln_size > self.looked_at + if room.better.is_some() { 0.0 } else { GROWN }
    }

    /// Half as many in flight, if nobody has yet told what they do: attempts that wait for each other
    /// cost the most, and make every other answer noisy.
    fn halved(&self, now: Moment, base: Point, room: &Room) -> Option<Point> {
        let [.., fewer] = self.steps;
        let due = self.next.get(Axis::Fewer as usize).is_some_and(|next| now >= *next);
        if due && fewer == HALF {
            return self.other(Axis::Fewer, base, room);
        }
        None
    }

    /// The plan to hold the base against; `None` where there is none.
    fn other(&self, axis: Axis, base: Point, room: &Room) -> Option<Point> {
        let [up, down] = self.steps;
        let c = base.concurrency;
        match axis {
            Axis::More => {
                let other = more(c, up).min(room.concurrency_max);
                // As many items in flight as before, and more where the latency has room.
                let less = ((other / c).ln() - room.slack.max(0.0)).max(0.0);
                let ln_size = (base.ln_size - less).max(room.ln_size_min);
                // Sharers that take ever more slots all end with batches of nothing but fixed cost:
                // whoever gains by that gains at the others' cost.
                let enough = room.knee.is_none_or(|knee| ln_size > knee - 0.35);
                (enough && other > c * 1.01).then_some(Point { ln_size, concurrency: other })
            }
            Axis::Fewer => {
                let other = fewer(c, down);
                let some = other >= 1.0 && room.concurrency_max > 0.0;
                // Fewer in flight may be larger: half of the way, as far as the target has room.
                let larger = (0.5 * (c / other).ln()).min(room.headroom);
                let ln_size = (base.ln_size + larger).min(room.ln_size_max).max(base.ln_size);
                some.then_some(Point { ln_size, concurrency: other })
            }
            Axis::Larger => {
                let ln_size = base.ln_size - SMALLER.ln();
                (self.ceiling.is_some() && room.slack > 0.15).then_some(Point { ln_size, ..base })
            }
            Axis::Smaller => {
                let ln_size = base.ln_size + SMALLER.ln();
                (ln_size > room.ln_size_min).then_some(Point { ln_size, ..base })
            }
        }
    }

    /// The duel is decided.
    pub(super) fn conclude(
        &mut self,
        now: Moment,
        ln_size: f64,
        won: bool,
        gain: f64,
    ) -> Option<Found> {
        let (axis, duel) = self.duel.take()?;
        let (base, other) = (duel.point(ln_size, false), duel.point(ln_size, true));
        let found = Found { axis, won, gain, base, other };
        match axis {
            Axis::Smaller if won => {
                self.ceiling = Some(found.other.ln_size);
                self.took = duel.ln_latency(true);
            }
            Axis::Smaller => self.looked_at = found.base.ln_size,
            Axis::Larger if won => {
                self.ceiling = Some(found.other.ln_size);
                self.took = duel.ln_latency(true);
                self.looked_at = self.looked_at.max(found.other.ln_size);
            }
            Axis::More | Axis::Fewer if won => self.next = [now; 4],
            _ => {}
        }
        if won {
            self.win(axis);
        } else {
            self.lose(&found, now);
        }
        Some(found)
    }

    /// Goes on in this direction with wider steps.
    fn win(&mut self, axis: Axis) {
        if let Some(step) = self.steps.get_mut(axis as usize) {
            *step = (*step * *step).min(2.0);
        }
    }

    /// Asks again in finer steps, or when the cost of asking is forgotten.
    fn lose(&mut self, found: &Found, now: Moment) {
        let place = found.axis as usize;
        if let Some(step) = self.steps.get_mut(place)
            && *step > FINE
        {
            *step = if *step > COARSE { COARSE } else { FINE };
            let c = found.base.concurrency;
            let next = if found.axis == Axis::More { more(c, *step) } else { fewer(c, *step) };
            // A step between is worth asking now only if this one was not clearly worse.
            if next != found.other.concurrency && found.gain > -CLEAR {
                return;
            }
        }
        let took = now.since(self.began).as_secs_f64() / 2.0;
        let lost = (-found.gain.exp_m1()).max(0.01) * took;
        let wait = (lost / TAX).clamp(SHORT, LONG);
        if let Some(next) = self.next.get_mut(place) {
            *next = now + Duration::from_secs_f64(wait);
        }
    }
}

fn more(concurrency: f64, step: f64) -> f64 {
    (concurrency * step).round().max(concurrency.floor() + 1.0)
}

fn fewer(concurrency: f64, step: f64) -> f64 {
    (concurrency / step).round().min(concurrency.ceil() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: Room = Room {
        concurrency_max: 16.0,
        ln_size_min: 0.0,
        ln_size_max: 20.0,
        headroom: 0.0,
        slack: 0.0,
        spread: 0.1,
        weights: Weights { throughput: 1.0, latency: 0.0, cost: 0.0 },
        knee: None,
        sizes: true,
        better: None,
    };

    proptest! {
        /// Invariant: what is tried is another plan, within the bounds, and (size apart) never with
        /// more items in flight than the base.
        #[test]
        fn what_is_tried_is_allowed(
            answers in proptest::collection::vec((any::<bool>(), -0.5..0.5f64), 1..60),
            concurrency in 1..16u32, ln_size in 1.0..9.0f64,
        ) {
            let mut search = Search::default();
            let mut base = Point { ln_size, concurrency: f64::from(concurrency) };
            let mut now = Moment::ZERO;
            for (won, gain) in answers {
                now += Duration::from_secs(70);
                let Some((axis, other)) = search.begin(now, base, &ROOM) else { continue };
                prop_assert!(other != base && (1.0..=16.0).contains(&other.concurrency));
                prop_assert!(other.ln_size >= 0.0 && axis != Axis::Larger);
                let items = |point: Point| point.ln_size.exp() * point.concurrency;
                prop_assert!(items(other) <= items(base) * 1.000_001 || other.ln_size <= 0.0);
                let found = search.conclude(now, base.ln_size, won, gain).unwrap();
                if won {
                    base = found.other;
                }
            }
        }
    }

    #[test]
    fn a_ceiling_does_not_outlive_a_slow_backend() {
        let slow = Search { ceiling: Some(6.0), took: 0.01f64.ln(), ..Search::default() };
        let after = |seconds: f64| {
            let mut search = slow.clone();
            search.hear(seconds.ln());
            search.ceiling()
        };
        assert_eq!(after(0.006), Some(6.0));
        assert_eq!(after(0.004), None);
    }

    #[test]
    fn a_question_that_costs_much_is_asked_rarely() {
        let mut search = Search { looked_at: 9.0, steps: [FINE; 2], ..Search::default() };
        let base = Point { ln_size: 7.0, concurrency: 8.0 };
        let mut now = Moment::ZERO;
        let (axis, _) = search.begin(now, base, &ROOM).unwrap();
        assert_eq!(axis, Axis::More);
        now += Duration::from_secs(1);
        search.conclude(now, 7.0, false, -0.1);
        // Half a second at a tenth less: forgotten after twelve seconds.
        assert_eq!(search.begin(now, base, &ROOM).unwrap().0, Axis::Fewer);
        search.conclude(now, 7.0, false, -0.02);
        assert_eq!(search.begin(now, base, &ROOM).unwrap().0, Axis::Smaller);
        search.conclude(now, 7.0, false, -0.02);
        assert_eq!(search.begin(now + Duration::from_secs(3), base, &ROOM), None);
        let later = now + Duration::from_secs(11);
        assert_eq!(search.begin(later, base, &ROOM).unwrap().0, Axis::Fewer);
        search.conclude(later, 7.0, false, -0.02);
        assert_eq!(search.begin(now + Duration::from_secs(12), base, &ROOM).unwrap().0, Axis::More);
    }
}
