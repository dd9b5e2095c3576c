//! What happens to a batch that leaves? The parts of the backend in the order in which a real one
//! would look at it: connection, size, rate, then service among all others, then the way back.
//!
//! Noise has **median** one: a batch takes exp(σ·N) times S(b), which is e^(σ²/2) on average. With
//! a mean of one the oracle of `pgB` (σ = .3) would come out 4.6 % higher than the published
//! column; with a median of one all of them agree.
//!
//! An attempt that the client gave up keeps its place in service: the work goes on, and whoever
//! sends the batch again pays for both.

pub mod course;
pub mod limits;
mod locks;
mod report;
pub mod sharing;
mod weather;
mod write_back;

use std::time::Duration;

use tidegate::{Feedback, Moment, Outcome};

use crate::rng::{Rng, Stream};
use crate::scenario::BackendSpec;
use crate::scenario::backend::Stalls;
use limits::Bucket;
use locks::Waiting;
use report::{Load, Report};
use sharing::Sharing;
use weather::Weather;
use write_back::Volume;

/// A backend at work.
#[derive(Debug)]
pub struct Backend {
    spec: BackendSpec,
    sharing: Sharing,
    bucket: Option<Bucket>,
    report: Report,
    weather: Weather,
    volume: Option<Volume>,
    waiting: Waiting,
    service: Rng,
    network: Rng,
    stalls: Rng,
    feedback: Rng,
    stalled: bool,
    at: Moment,
}

/// What became of a batch at the door.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Admission {
    /// Refused; the answer comes after this time.
    Refused(Outcome, Duration),
    /// In service; this will be the answer unless the client gives up before.
    Serving(Outcome),
}

/// A batch that was taken in.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Batch {
    job: usize,
    items: u32,
    /// The service it needs.
    seconds: f64,
}

impl Backend {
    /// An idle backend.
    #[must_use]
    pub fn new(spec: &BackendSpec, seed: u64) -> Self {
        let mut backend = Self {
            sharing: Sharing::new(spec.cores, spec.contention),
            bucket: spec.rate_limit.map(Bucket::new),
            report: Report::new(spec.feedback.clone()),
            weather: Weather::new(spec, seed),
            volume: spec.write_back.map(|spec| Volume::new(spec, seed)),
            waiting: Waiting::new(spec.locks),
            service: Rng::new(seed, Stream::Service),
            network: Rng::new(seed, Stream::Network),
            stalls: Rng::new(seed, Stream::Stalls),
            feedback: Rng::new(seed, Stream::Feedback),
            stalled: false,
            at: Moment::ZERO,
            spec: spec.clone(),
        };
        backend.look(Moment::ZERO);
        backend
    }

    /// What it is made of.
    #[must_use]
    pub const fn spec(&self) -> &BackendSpec {
        &self.spec
    }

    /// A batch of that many items comes to the door, which cost that many times the usual.
    pub fn admit(&mut self, now: Moment, job: usize, items: u32, cost: f64) -> Admission {
        if course::is_out(&self.spec, now) {
            return Admission::Refused(Outcome::Unreachable, self.refusal_to_connect());
        }
        if self.spec.items_max.is_some_and(|most| items > most) {
            return Admission::Refused(Outcome::TooLarge, self.way_back() / 2);
        }
        if let Some(Err(retry_after)) = self.bucket.as_mut().map(|bucket| bucket.take(now)) {
            return Admission::Refused(Outcome::Throttled { retry_after }, self.way_back() / 2);
        }
        self.advance(now);
        let others = self.load();
        let outcome = self.draw_outcome(others + 1.0, f64::from(items));
        let seconds = self.seconds_alone(items) * cost * self.draw_noise(others + 1.0);
        self.serve(now, Batch { job, items, seconds }, others);
        Admission::Serving(outcome)
    }

    /// Serves a batch at once, or when a lock is free.
    fn serve(&mut self, now: Moment, batch: Batch, others: f64) {
        if self.has_room() {
            self.report.entered(self.spec.contention * others);
            self.enter(now, batch);
        } else {
            self.report.entered(1.0);
            self.waiting.wait(now, batch);
        }
    }

    fn has_room(&self) -> bool {
        let writers = self.spec.locks.map_or(usize::MAX, |locks| locks.writers as usize);
        self.sharing.in_service() < writers
    }

    fn enter(&mut self, now: Moment, batch: Batch) {
        self.sharing.enter(now, batch.job, batch.seconds);
        if self.volume.as_mut().is_some_and(|volume| volume.written(now, batch.items)) {
            self.look(now);
        }
    }

    /// All batches that were taken in and are not done, others' included.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 batches")]
    fn load(&self) -> f64 {
        self.sharing.load() + self.waiting.count() as f64
    }

    /// By which factor a batch among `n` takes longer.
    fn draw_noise(&mut self, n: f64) -> f64 {
        let more = self.spec.spread.map_or(0.0, |spread| {
            (spread.per_batch * (n - spread.above).max(0.0)).min(spread.most)
        });
        let noise = self.service.lognormal(self.spec.noise + more);
        match self.spec.tail {
            Some(tail) if self.service.uniform() < tail.probability => {
                noise * self.service.pareto(tail.exponent, tail.most)
            }
            _ => noise,
        }
    }

    /// S(b): the service a batch of that many items needs at the median, in seconds.
    #[must_use]
    pub fn seconds_alone(&self, items: u32) -> f64 {
        let (spec, b) = (&self.spec, f64::from(items));
        let spilled = spec.spill.filter(|spill| items > spill.above_items);
        let spill = spilled
            .map_or(0.0, |spill| spill.fixed_ms * 1e-3 + spill.ns_per_item_squared * 1e-9 * b * b);
        spec.fixed_ms * 1e-3 + spec.per_item_us * 1e-6 * b + spill
    }

    fn draw_outcome(&mut self, n: f64, items: f64) -> Outcome {
        let errors = self.spec.errors;
        let over = ((n - self.spec.cores) / self.spec.cores).max(0.0);
        let probability = errors.base + errors.slope * over * (items / 1000.0).min(5.0);
        if self.service.uniform() < probability.min(0.9) {
            Outcome::Overloaded
        } else {
            Outcome::Ok
        }
    }

    fn refusal_to_connect(&mut self) -> Duration {
        Duration::from_secs_f64(self.network.between(0.002, 0.005))
    }

    /// A draw of the network's round trip.
    pub fn way_back(&mut self) -> Duration {
        let network = self.spec.network;
        let seconds = network.median_ms * 1e-3 * self.network.lognormal(network.sigma);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// When something happens in it if nothing changes before: a batch is done, one asks for a lock
    /// again, or what was written has been written back.
    #[must_use]
    pub fn next_turn(&self) -> Option<Moment> {
        let asks = self.waiting.next_ask();
        let written = self.volume.as_ref().and_then(Volume::ends);
        [self.sharing.next_end(), asks, written].into_iter().flatten().min()
    }

    /// What happens now happens; returns the batch that leaves, if it is that.
    pub fn turn(&mut self, now: Moment) -> Option<usize> {
        self.advance(now);
        if self.volume.as_mut().is_some_and(|volume| volume.is_over(now)) {
            self.look(now);
            return None;
        }
        let asks = self.waiting.next_ask().filter(|at| *at <= now);
        if asks.is_some() && self.sharing.next_end().is_none_or(|end| end > now) {
            if let Some(batch) = self.waiting.ask(now, self.has_room()) {
                self.enter(now, batch);
            }
            return None;
        }
        self.leave(now)
    }

    fn leave(&mut self, now: Moment) -> Option<usize> {
        let done = self.sharing.leave(now);
        if let Some(batch) = self.waiting.take_turn() {
            self.enter(now, batch);
        }
        done
    }

    /// An attempt was answered, or given up.
    pub fn answered(&mut self, outcome: Outcome) {
        self.report.answered(outcome != Outcome::Ok);
    }

    /// Follows the course of capacity and neighbours.
    pub fn look(&mut self, now: Moment) {
        self.advance(now);
        let t = now.as_secs_f64();
        let stall = match self.spec.stalls {
            Some(stalls) if self.stalled => stalls.capacity,
            _ => 1.0,
        };
        let written = self.volume.as_ref().map_or(1.0, Volume::capacity);
        let left = course::capacity(&self.spec, t) * stall * self.weather.capacity() * written;
        let speed = left.max(1e-6);
        self.sharing.set(now, speed, course::others(&self.spec, t));
    }

    /// The capacity drifts for as long as it takes from one look to the next.
    pub fn drift(&mut self, now: Moment) {
        self.weather.blow();
        self.look(now);
    }

    /// When each interruption first comes, by its number.
    pub fn first_interruptions(&mut self) -> Vec<Moment> {
        self.weather.first()
    }

    /// The interruption of that number begins or ends; returns when the other comes.
    pub fn interrupt(&mut self, now: Moment, number: usize) -> Option<Moment> {
        let next = self.weather.turn(now, number);
        self.look(now);
        next
    }

    /// When the recorded capacity first changes, if one is played.
    pub fn first_recorded(&mut self) -> Option<Moment> {
        self.weather.first_recorded()
    }

    /// The recorded capacity changes; returns when it does again.
    pub fn play(&mut self, now: Moment) -> Option<Moment> {
        let next = self.weather.play();
        self.look(now);
        next
    }

    /// When the first stall begins, if there are any.
    pub fn first_stall(&mut self) -> Option<Moment> {
        let stalls = self.spec.stalls?;
        Some(Moment::ZERO + self.until_next(stalls))
    }

    /// A stall begins or ends; returns when the other comes.
    pub fn stall(&mut self, now: Moment) -> Option<Moment> {
        let stalls = self.spec.stalls?;
        self.advance(now);
        self.stalled = !self.stalled;
        self.look(now);
        let lasts = if self.stalled {
            Duration::from_secs_f64(stalls.for_s)
        } else {
            self.until_next(stalls)
        };
        Some(now + lasts)
    }

    fn until_next(&mut self, stalls: Stalls) -> Duration {
        let seconds =
            if stalls.periodic { stalls.every_s } else { self.stalls.exponential(stalls.every_s) };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// What a probe of its load finds: the state of a while ago.
    pub(crate) fn probe(&mut self, now: Moment) -> Option<Load> {
        self.advance(now);
        self.report.probe()
    }

    /// What one listener hears of it, through noise of its own.
    pub(crate) fn heard(&mut self, load: &Load) -> Feedback {
        self.report.heard(load, &mut self.feedback)
    }

    /// Batches that were taken in and are not done, others' included.
    #[must_use]
    pub fn in_service(&self) -> f64 {
        self.load()
    }

    /// What is left of its capacity now: 1 is all of it.
    #[must_use]
    pub const fn capacity_left(&self) -> f64 {
        self.sharing.speed()
    }

    /// Batch-seconds in service so far.
    pub fn busy(&mut self, now: Moment) -> f64 {
        self.advance(now);
        self.sharing.busy()
    }

    fn advance(&mut self, now: Moment) {
        let seconds = now.since(self.at).as_secs_f64();
        if seconds > 0.0 {
            let own = course::own_load(&self.spec.own_load, self.at.as_secs_f64());
            let share = (self.sharing.load() / self.spec.cores).min(1.0);
            let waiting = (self.load() - self.spec.cores).max(0.0);
            self.report.spent(seconds, own + (1.0 - own) * share, waiting);
            self.at = now;
        }
        self.sharing.advance(now);
    }
}
