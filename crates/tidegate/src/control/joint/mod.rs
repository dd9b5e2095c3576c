//! Which size and how many at once? Both, from what full batches take: the default controller.
//!
//! It is made of small machines, each in its own file and each of use alone:
//!
//! | machine | question |
//! |---|---|
//! | `startup` | what is the right order of magnitude? |
//! | `size` | how large may a batch be, so that it takes what is allowed? |
//! | `margin` | how far below the target is what is allowed? |
//! | `rounds` | has the backend changed, or was it one stall? |
//! | `doubt` | do smaller batches tell that at once? |
//! | `watch` | what follows from either? |
//! | `source` | is the source ahead for long enough that a comparison does no harm? |
//! | `search` | would another concurrency, or a smaller size, deliver more? |
//! | `hindsight` | were smaller batches faster on the way? |
//! | `duel`, `arm`, `pairs` | is one plan better than another? |
//! | `objective` | what is better? |
//! | `share` | do others queue at the same backend? |
//! | `floor` | can the backend meet the target at all? |
//! | `bound` | how many items does the backend take at most? |
//!
//! The base is an integrator of the batch size under the target, which is what is hard to beat on
//! real databases. Everything else acts rarely, within the target, and may be left out
//! ([`Parts`]). Batches that were not full teach nothing; neither do those of another epoch, and
//! what a duel tries teaches the base nothing.
//!
//! This file is longer than most: it holds the order in which the machines are asked, which is the
//! one thing that none of them may know.

mod arm;
mod bound;
mod doubt;
mod duel;
mod floor;
mod hindsight;
mod margin;
mod objective;
mod pairs;
mod round;
mod rounds;
mod search;
mod share;
mod size;
mod source;
mod startup;
mod watch;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use super::{Controller, Learnt, waited_for_lock};
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Feedback, Moment, Outcome, Plan, Sample};
use bound::SizeBound;
use doubt::Doubt;
use duel::{Point, Step};
use floor::Floor;
use hindsight::Hindsight;
use margin::Margin;
use rounds::Rounds;
use search::{Axis, Room, Search};
use share::{Share, Turn};
use size::Size;
use source::Source;
use startup::{Answer, End, Next, Startup};

pub use objective::{Objective, Weights};

/// How the joint controller moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Attempt latency that a batch should stay under, 1 ms to 1 h. Default 100 ms.
    pub target: Duration,
    /// What it is after. Default as much as possible in time.
    pub objective: Objective,
    /// Which machines are at work. Default all.
    pub parts: Parts,
}

/// The machines that can be left out, to see what each is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each switches one machine")]
pub struct Parts {
    /// Doubling at the beginning.
    pub startup: bool,
    /// Learning the margin from misses.
    pub margin: bool,
    /// Jumping when the backend has changed.
    pub rounds: bool,
    /// Asking about concurrency.
    pub concurrency: bool,
    /// Asking about smaller batches.
    pub ceiling: bool,
    /// Remembering which sizes were faster on the way.
    pub hindsight: bool,
    /// Following a signal that all sharers hear.
    pub share: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            startup: true,
            margin: true,
            rounds: true,
            concurrency: true,
            ceiling: true,
            hindsight: true,
            share: true,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target: Duration::from_millis(100),
            objective: Objective::default(),
            parts: Parts::default(),
        }
    }
}

/// Batch size and concurrency together.
#[derive(Debug, Clone)]
pub struct Joint {
    settings: Settings,
    bounds: Bounds,
    plan: Plan,
    ln_target: f64,
    size: Size,
    concurrency: f64,
    margin: Margin,
    bound: SizeBound,
    rounds: Rounds,
    doubt: Doubt,
    startup: Option<Startup>,
    source: Source,
    search: Search,
    hindsight: Hindsight,
    share: Share,
    floor: Floor,
    /// Logarithm of the size at which the startup found that doubling brings little.
    knee: Option<f64>,
    doublings: u32,
    /// Answers of this epoch that still had neighbours of another.
    skip: f64,
    /// What misses had taught when all was well.
    taught: f64,
    /// Timeouts since the last usual round.
    timeouts: u32,
    /// When the last batch of a stall was answered.
    stalled_at: Moment,
}

/// A full batch of the plan in force, as the machines see it.
struct Answered {
    /// Items delivered in time.
    timely: f64,
    seconds: f64,
    ln_latency: f64,
    /// How far the latency is below what is allowed, as a logarithm.
    room: f64,
    late: bool,
    /// The logarithm of the items that were sent.
    ln_sent: f64,
}

/// A batch that takes so much longer than allowed, as a logarithm, met a stall.
const STALLED: f64 = -0.7;

impl Joint {
    /// The controller, beginning with the plan `first`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: Settings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("target_ms", settings.target.as_secs_f64() * 1e3, 1.0..=3_600_000.0)?;
        settings.objective.check()?;
        let margin = Margin::default();
        Ok(Self {
            bounds,
            plan: first,
            ln_target: settings.target.as_secs_f64().ln(),
            size: Size::new(f64::from(first.batch_size).ln()),
            concurrency: first.concurrency,
            taught: margin.taught(),
            margin,
            bound: SizeBound::default(),
            rounds: Rounds::default(),
            doubt: Doubt::default(),
            startup: settings.parts.startup.then(Startup::new),
            source: Source::default(),
            search: Search::default(),
            hindsight: Hindsight::default(),
            share: Share::default(),
            floor: Floor::default(),
            knee: None,
            doublings: 0,
            skip: 0.0,
            timeouts: 0,
            stalled_at: Moment::ZERO,
            settings,
        })
    }

    /// The logarithm of what the usual batch may take, in seconds.
    fn ln_allowed(&self) -> f64 {
        self.ln_target - self.margin.get()
    }

    /// The logarithm of the largest size.
    fn ln_most(&self) -> f64 {
        let most = f64::from(self.bounds.batch_size_max);
        let most = self.bound.most().map_or(most, |bound| bound.min(most)).max(1.0).ln();
        self.search.ceiling().map_or(most, |ceiling| ceiling.min(most))
    }

    fn ln_least(&self) -> f64 {
        let least = f64::from(self.bounds.batch_size_min).ln();
        self.floor.get().map_or(least, |floor| floor.max(least)).min(self.ln_most())
    }

    /// The plan of the arm in force; a new epoch unless only the size moved a little.
    fn ask(&mut self, fresh: bool, reason: impl Into<Cow<'static, str>>) -> Option<Change> {
        let (least, most) = (self.ln_least(), self.ln_most());
        self.size.hold_within(least, most.max(least));
        let base = Point { ln_size: self.size.ln(), concurrency: self.concurrency };
        let duel = self.search.duel().map(|(_, duel)| duel);
        let point = duel.map_or(base, |duel| duel.point(self.size.ln(), duel.is_other()));
        if fresh {
            self.skip = point.concurrency.ceil();
            self.margin.break_off();
            self.plan.epoch = self.plan.epoch.next();
        }
        let concurrency = point.concurrency.min(self.bounds.concurrency_max);
        self.plan = Plan { batch_size: self.whole(point.ln_size), concurrency, ..self.plan };
        Some(Change { plan: self.plan, reason: reason.into() })
    }

    fn whole(&self, ln_size: f64) -> u32 {
        let (least, most) = (self.bounds.batch_size_min, self.bounds.batch_size_max);
        let most = self.bound.most().map_or(f64::from(most), |bound| bound.min(f64::from(most)));
        // A logarithm and back is a hair less than what it was.
        let size = (ln_size.exp() * (1.0 + 1e-9)).min(most).max(f64::from(least)).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two u32")]
        let size = size as u32;
        size
    }

    fn starting(&mut self, sample: &Sample, answer: &Answered) -> Option<Change> {
        let answer = Answer {
            items: answer.timely,
            seconds: answer.seconds,
            at: sample.at,
            ln_allowed: self.ln_allowed(),
            at_bound: self.size.ln() >= self.ln_most() - 1e-9,
            concurrency: self.concurrency,
            concurrency_max: self.bounds.concurrency_max,
        };
        self.margin.hear(answer.seconds.ln());
        let next = self.startup.as_mut()?.push(&answer);
        match next {
            Next::Go => None,
            Next::Grow => {
                self.doublings += 1;
                self.size.set(self.size.ln() + std::f64::consts::LN_2);
                self.ask(true, words::doubled(sample))
            }
            Next::Widen(to) => {
                if self.doublings > 1 {
                    self.knee = Some(self.size.ln());
                }
                self.concurrency = to;
                self.ask(true, words::widened(to))
            }
            Next::Narrow(to) => {
                self.concurrency = to;
                self.ask(true, words::narrowed(to))
            }
            Next::Repeat(to) => {
                let tried = std::mem::replace(&mut self.concurrency, to);
                self.ask(true, words::repeated(to, tried))
            }
            Next::Done(end) => self.started(sample, end),
        }
    }

    /// The startup is over.
    fn started(&mut self, sample: &Sample, end: End) -> Option<Change> {
        let tried = std::mem::replace(&mut self.concurrency, end.concurrency);
        self.startup = None;
        self.rounds.restart(sample.at);
        self.size.set(self.size.ln());
        self.search.give_up(sample.at + Duration::from_millis(50));
        let spread = self.margin.spread();
        self.search.told(sample.at, (end.more, end.fewer), spread);
        self.ask(true, words::started(&end, tried))
    }

    /// A batch of a duel's arm; those of the base arm still teach the base.
    fn dueling(&mut self, sample: &Sample, answer: &Answered) -> Option<Change> {
        let ln_size = self.size.ln();
        let (_, duel) = self.search.duel_mut()?;
        let slots = duel.point(ln_size, duel.is_other()).concurrency.floor();
        if f64::from(sample.sent.in_flight) < slots {
            if duel.was_idle() {
                self.search.give_up(sample.at + Duration::from_secs(5));
                return self.ask(true, words::IDLE);
            }
            return None;
        }
        let of_base = !duel.is_other() && !duel.is_skipping();
        match duel.push(sample.at, answer.timely, answer.seconds) {
            Step::Go if of_base => {
                self.teach(sample, answer);
                self.follow(sample)
            }
            Step::Go => None,
            Step::Switch => {
                let said = words::switched(duel, ln_size);
                self.rounds.restart(sample.at);
                self.ask(true, said)
            }
            Step::Done { won, gain } => self.decide(sample, won, gain),
        }
    }

    /// Puts the result of a duel into force.
    fn decide(&mut self, sample: &Sample, won: bool, gain: f64) -> Option<Change> {
        let was_other = self.search.duel()?.1.is_other();
        let found = self.search.conclude(sample.at, self.size.ln(), won, gain)?;
        self.source.compared();
        if won {
            self.hindsight.forget();
            self.concurrency = found.other.concurrency;
            self.size.set(found.other.ln_size);
        }
        self.rounds.restart(sample.at);
        self.ask(was_other || won, words::found(&found))
    }

    /// A batch of the plan in force moves the margin and the size.
    fn teach(&mut self, sample: &Sample, answer: &Answered) {
        let &Answered { timely, seconds, ln_latency, room, late, ln_sent } = answer;
        if self.settings.parts.margin {
            self.margin.learn(sample, ln_latency, late);
        }
        self.hindsight.push(ln_sent, timely, seconds);
        let implied = ln_sent + room - self.size.ln();
        // A stall hits all that are in flight, and is one vote.
        let stalled = room < STALLED;
        if !(stalled && sample.sent.at < self.stalled_at) {
            self.size.vote(ln_sent, implied, self.concurrency, self.margin.spread());
        }
        if stalled {
            self.stalled_at = self.stalled_at.max(sample.at);
        }
        let (least, most) = (self.ln_least(), self.ln_most());
        self.size.hold_within(least, most.max(least));
    }

    /// The plan follows the size when that has moved enough to be worth a decision.
    fn follow(&mut self, sample: &Sample) -> Option<Change> {
        let size = self.whole(self.size.ln());
        let moved = (f64::from(size) / f64::from(self.plan.batch_size)).ln().abs();
        let little = (0.25 * self.margin.spread()).clamp(0.03, 0.1);
        if moved < little || size == self.plan.batch_size {
            return None;
        }
        let said = words::moved(sample, size, self.plan.batch_size, self.ln_allowed().exp());
        self.ask(false, said)
    }

    /// Asks whether another plan is better, if the size has settled or is in doubt.
    fn question(&mut self, sample: &Sample) -> Option<Change> {
        let at_most = self.size.ln() >= self.ln_most() - 0.01;
        let parts = self.settings.parts;
        let base = Point { ln_size: self.size.ln(), concurrency: self.concurrency };
        let room = Room {
            concurrency_max: if parts.concurrency { self.bounds.concurrency_max } else { 0.0 },
            ln_size_min: self.ln_least(),
            ln_size_max: self.ln_most(),
            headroom: (self.margin.get() - self.margin.spread()).max(0.0),
            slack: if at_most { self.size.error() } else { 0.0 },
            spread: self.margin.spread(),
            weights: self.settings.objective.weights(),
            knee: self.knee,
            sizes: parts.ceiling,
            better: if parts.hindsight { self.hindsight.better(base.ln_size) } else { None },
        };
        let error = self.size.error();
        if at_most {
            self.search.hear(self.ln_allowed() - self.size.far());
        }
        let settled = error.abs() < 0.15 || (at_most && error > 0.0);
        let doubtful = room.better.is_some() && self.search.is_doubtful(base.ln_size, &room);
        if !(settled || doubtful) {
            return None;
        }
        let (axis, other) = self.search.begin(sample.at, base, &room)?;
        self.ask(true, words::asked(axis, &base, &other))
    }

    /// A full batch of the plan in force was answered, or given up.
    fn learn(&mut self, sample: &Sample) -> Option<Change> {
        let seconds = sample.latency.as_secs_f64().max(1e-6);
        let ln_latency = seconds.ln();
        let late = ln_latency > self.ln_target;
        let delivered = f64::from(sample.outcome.delivered(sample.sent.items));
        let answer = Answered {
            timely: if late { 0.0 } else { delivered },
            seconds,
            ln_latency,
            room: self.ln_allowed() - ln_latency,
            late,
            ln_sent: f64::from(sample.sent.items.max(1)).ln(),
        };
        if self.startup.is_some() {
            return self.starting(sample, &answer);
        }
        let (size, target) = (answer.ln_sent.exp(), self.settings.target.as_secs_f64());
        if let Some(floor) = self.floor.hear(size, seconds, target) {
            self.search.give_up(sample.at);
            self.size.set(floor);
            return self.ask(true, words::floor(sample, self.settings.target, self.ln_least()));
        }
        if self.doubt.is_raised() {
            return self.on_probation(sample, &answer);
        }
        if let Some(change) = self.watch(sample, answer.room) {
            return Some(change);
        }
        if self.search.duel().is_some() {
            return self.dueling(sample, &answer);
        }
        if self.skip > 0.0 {
            self.skip -= 1.0;
            return None;
        }
        self.teach(sample, &answer);
        // What concurrency does shows only where every slot is busy.
        let busy = f64::from(sample.sent.in_flight) >= self.concurrency.floor();
        let due = busy && !self.share.is_on() && self.search.is_due(sample.at);
        let due = due && self.source.is_ahead(sample.at);
        let asked = if due { self.question(sample) } else { None };
        asked.or_else(|| self.follow(sample))
    }

    /// A batch that was not full: the source is slow, so this is no time to compare.
    fn not_full(&mut self, sample: &Sample) -> Option<Change> {
        let asked = self.search.duel().is_some();
        self.source.not_full(sample.at, asked);
        if let Some(ln_size) = self.doubt.give_up() {
            self.size.jump(ln_size - self.size.ln());
            return self.ask(true, words::NOT_FULL_IN_DOUBT);
        }
        if let Some(startup) = &mut self.startup {
            let end = startup.not_full(self.concurrency)?;
            return self.started(sample, end);
        }
        if !asked {
            return None;
        }
        self.search.give_up(sample.at);
        self.ask(true, words::NOT_FULL)
    }

    /// A rate limit is the pace's affair, and that keeps to it however many are in flight: so more in
    /// flight that have met one stay. But this is no time to compare or to double anything.
    fn throttled(&mut self, sample: &Sample) -> Option<Change> {
        let more = self.search.duel().filter(|(axis, duel)| {
            *axis == Axis::More && duel.is_other() && sample.sent.epoch == self.plan.epoch
        });
        if let Some((_, duel)) = more {
            self.concurrency = duel.point(self.size.ln(), true).concurrency;
        }
        let compared = self.search.duel().is_some();
        self.search.give_up(sample.at + Duration::from_secs(15));
        if let Some(startup) = self.startup.take() {
            self.concurrency = startup.kept(self.concurrency);
            self.size.set(self.size.ln());
            return self.ask(true, words::throttled(self.concurrency));
        }
        if compared { self.ask(true, words::throttled(self.concurrency)) } else { None }
    }

    fn too_large(&mut self, sample: &Sample) -> Option<Change> {
        self.bound.refuse(f64::from(sample.sent.items));
        let most = self.ln_most();
        if f64::from(sample.sent.items).ln() < self.size.ln().min(most) {
            return None;
        }
        self.search.give_up(sample.at + Duration::from_millis(200));
        if let Some(startup) = &mut self.startup {
            startup.again(self.concurrency);
        }
        self.ask(true, words::too_large(sample.sent.items, most.exp()))
    }
}

impl Controller for Joint {
    fn name(&self) -> &'static str {
        "joint"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        match sample.outcome {
            Outcome::TooLarge => return self.too_large(sample),
            Outcome::Throttled { .. } => return self.throttled(sample),
            Outcome::Rejected | Outcome::Unreachable | Outcome::Overloaded => return None,
            Outcome::TimedOut => {
                self.timeouts += 1;
                self.share.timed_out(sample.at);
            }
            Outcome::Ok | Outcome::Partial { .. } => {
                self.bound.took(f64::from(sample.sent.items));
            }
        }
        if sample.sent.epoch != self.plan.epoch {
            return None;
        }
        if !sample.sent.full {
            return self.not_full(sample);
        }
        // Alone in flight, it was somebody else's lock: a smaller batch would have waited as long.
        let slow = sample.latency.as_secs_f64().max(1e-6).ln() > self.ln_allowed();
        if slow && self.plan.concurrency <= 1.0 && waited_for_lock(sample) {
            return None;
        }
        self.learn(sample)
    }

    fn feedback(&mut self, now: Moment, feedback: &Feedback) -> Option<Change> {
        if !self.settings.parts.share {
            return None;
        }
        let alone = !self.share.is_on();
        let turn = self.share.hear(now, feedback.queue_depth?, self.concurrency)?;
        self.search.give_up(now);
        if alone {
            self.search.forget_sizes();
        }
        self.startup = None;
        match turn {
            Turn::Take(to) => {
                let to = to.min(self.bounds.concurrency_max);
                let from = std::mem::replace(&mut self.concurrency, to);
                self.ask(true, words::shared(to, from, self.share.waiting()))
            }
            Turn::Leave => {
                self.concurrency = self.concurrency.round().max(1.0);
                self.search.restart(now);
                self.ask(true, "searches again: nobody else has waited for a while")
            }
        }
    }

    fn paused(&mut self, now: Moment) {
        self.search.give_up(now);
    }

    fn resumed(&mut self, now: Moment) -> Option<Change> {
        if let Some(ln_size) = self.doubt.give_up() {
            self.size.jump(ln_size - self.size.ln());
        }
        self.search.give_up(now + Duration::from_millis(500));
        self.rounds.restart(now);
        if let Some(startup) = &mut self.startup {
            startup.again(self.concurrency);
        }
        self.ask(true, "goes on as before the pause")
    }

    fn learnt(&self) -> Learnt {
        let phase = match (&self.startup, self.search.duel()) {
            (Some(_), _) => "starting",
            (None, Some(_)) => "comparing",
            (None, None) => "settled",
        };
        Learnt {
            latency_allowed: Duration::try_from_secs_f64(self.ln_allowed().exp()).ok(),
            batch_size: Some(self.size.ln().exp()),
            batch_size_max: self.bound.most(),
            phase: Some(phase),
            load_score: None,
        }
    }
}

#[cfg(test)]
mod tests;
