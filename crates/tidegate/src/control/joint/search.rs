//! Would another concurrency, or a smaller batch, deliver more? Asked rarely, cheaply, and within
//! the target.
//!
//! More in flight is tried with as many items in flight as before, fewer with the same size: either
//! way no batch takes longer for it. Fewer in flight win when they are as good, more must be better
//! by something, so that the concurrency rests. Steps begin coarse and become fine; when nothing is
//! better, the time to the next question doubles.
//!
//! A larger batch may be worse within the target: memory spills, a limit of the backend's own. So
//! a size that has grown by a third since it was last looked at is held against six tenths of it;
//! if that wins, it is the ceiling, until a larger one is as good.

use std::time::Duration;

use super::duel::{Duel, Point};
use crate::Moment;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    More,
    Fewer,
    Smaller,
    Larger,
}

/// What was asked, and what is next.
#[derive(Debug, Clone)]
pub(super) struct Search {
    step: f64,
    up: bool,
    fails: u32,
    interval: Duration,
    next: Moment,
    duel: Option<(Axis, Duel)>,
    /// Logarithm of the size above which batches are worse.
    ceiling: Option<f64>,
    /// Logarithm of the largest size that was held against a smaller one.
    looked_at: f64,
    /// Whether the ceiling was asked about in this cycle.
    asked_larger: bool,
}

/// What may be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Most attempts in flight.
    pub(super) concurrency_max: f64,
    /// Logarithm of the smallest size.
    pub(super) ln_size_min: f64,
    /// How far the latency is below what is allowed, as a logarithm.
    pub(super) slack: f64,
    /// The spread of a latency, as a logarithm.
    pub(super) spread: f64,
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
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(30);
/// The size that a large one is held against.
const SMALLER: f64 = 0.6;
/// A size that has grown by so much, as a logarithm, is looked at again.
const GROWN: f64 = 0.3;

impl Default for Search {
    fn default() -> Self {
        Self {
            step: COARSE,
            up: true,
            fails: 0,
            interval: SHORT,
            next: Moment::ZERO,
            duel: None,
            ceiling: None,
            looked_at: f64::NEG_INFINITY,
            asked_larger: false,
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
        self.duel.is_none() && now >= self.next
    }

    /// Gives up what is being asked, and asks nothing before `until`.
    pub(super) fn give_up(&mut self, until: Moment) {
        self.duel = None;
        self.next = self.next.max(until);
    }

    /// The backend has changed: begins anew, coarsely, from `at` on.
    pub(super) fn restart(&mut self, at: Moment) {
        let (ceiling, looked_at) = (self.ceiling, self.looked_at);
        *self = Self { next: at, ceiling, looked_at, ..Self::default() };
    }

    /// Begins a duel if there is something to ask; the time has come and the size has settled.
    pub(super) fn begin(&mut self, now: Moment, base: Point, room: &Room) -> Option<(Axis, Point)> {
        let smaller = room.better.unwrap_or(base.ln_size + SMALLER.ln());
        let asked = if self.is_doubtful(base.ln_size, room) && smaller > room.ln_size_min {
            Some((Axis::Smaller, Point { ln_size: smaller, ..base }))
        } else {
            self.concurrency(base, room).or_else(|| self.turn(base, room))
        };
        let Some((axis, other)) = asked else {
            self.rest(now);
            return None;
        };
        let ratio = (other.concurrency / base.concurrency).ln();
        let (threshold, doubt) = match axis {
            Axis::More => ((0.15 * ratio).clamp(0.02, 0.05), 0.5),
            Axis::Fewer => (-0.005, 0.3),
            Axis::Smaller => (0.015, 0.7),
            Axis::Larger => (-0.005, 0.0),
        };
        let blocks = if self.step >= COARSE || axis == Axis::Smaller { 6 } else { 12 };
        let duel = Duel::new(base, other, threshold, doubt, room.spread, blocks);
        self.duel = Some((axis, duel));
        Some((axis, other))
    }

    /// Whether the size is to be held against a smaller one before anything else.
    pub(super) fn is_doubtful(&self, ln_size: f64, room: &Room) -> bool {
        ln_size > self.looked_at + if room.better.is_some() { 0.0 } else { GROWN }
    }

    /// The next concurrency to ask about, in this direction or the other.
    fn concurrency(&mut self, base: Point, room: &Room) -> Option<(Axis, Point)> {
        while self.fails < 2 {
            let c = base.concurrency;
            let other = if self.up {
                (c * self.step).round().max(c.floor() + 1.0).min(room.concurrency_max)
            } else {
                (c / self.step).round().min(c.ceil() - 1.0)
            };
            if self.up && other > c * 1.01 {
                // As many items in flight as before, and more where the latency has room.
                let less = ((other / c).ln() - room.slack.max(0.0)).max(0.0);
                let ln_size = (base.ln_size - less).max(room.ln_size_min);
                return Some((Axis::More, Point { ln_size, concurrency: other }));
            }
            if !self.up && other >= 1.0 && other < c {
                return Some((Axis::Fewer, Point { concurrency: other, ..base }));
            }
            self.fail();
        }
        None
    }

    /// Both directions failed: finer, or about the ceiling.
    fn turn(&mut self, base: Point, room: &Room) -> Option<(Axis, Point)> {
        if self.step > FINE {
            (self.step, self.fails) = (FINE, 0);
            return self.concurrency(base, room);
        }
        let larger = base.ln_size - SMALLER.ln() / 2.0;
        if self.ceiling.is_some() && !self.asked_larger && room.slack > 0.15 {
            self.asked_larger = true;
            return Some((Axis::Larger, Point { ln_size: larger, ..base }));
        }
        None
    }

    const fn fail(&mut self) {
        self.up = !self.up;
        self.fails += 1;
    }

    fn rest(&mut self, now: Moment) {
        self.interval = (self.interval * 2).min(LONG);
        self.next = now + self.interval;
        self.fails = 0;
        self.asked_larger = false;
    }

    /// The duel is decided.
    pub(super) fn conclude(&mut self, now: Moment, won: bool, gain: f64) -> Option<Found> {
        let (axis, duel) = self.duel.take()?;
        let found = Found { axis, won, gain, base: duel.base, other: duel.other };
        self.next = now;
        match axis {
            Axis::More | Axis::Fewer if won => {
                (self.fails, self.interval) = (0, SHORT);
            }
            Axis::More | Axis::Fewer => self.fail(),
            Axis::Smaller if won => self.ceiling = Some(found.other.ln_size),
            Axis::Smaller => self.looked_at = found.base.ln_size,
            Axis::Larger if won => {
                self.ceiling = Some(found.other.ln_size);
                self.looked_at = self.looked_at.max(found.other.ln_size);
            }
            Axis::Larger => {}
        }
        Some(found)
    }
}
