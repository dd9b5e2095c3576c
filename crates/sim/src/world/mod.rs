//! What follows from what? The event loop: instances, their lanes and engines, and one backend.
//!
//! The engine and the controller are the library's own; this is the third shell around them, beside
//! the batcher and the server's lane, with counts as items. What it adds stands in for parts that
//! belong to a shell: an attempt that failed goes back to the head of the queue and leaves again at
//! once; a Retry-After pauses the instance for as long as it asks; three refused connections in a
//! row pause it until a probe, one every 50 ms, gets through.
//!
//! This file is longer than most: each event is one arm of the loop, and they share all of its state.

mod instance;
mod shell;

use std::time::Duration;

use tidegate::engine::{Cut, Ticket};
use tidegate::share::{Share, Slot};
use tidegate::{Controller, Engine, Moment, Outcome, SettingError};

use crate::agenda::Agenda;
use crate::arrivals::{Process, TICK};
use crate::backend::{Admission, Backend, course};
use crate::lane::{Chunk, Lane};
use crate::record::Record;
use crate::rng::{Rng, Stream};
use crate::run::{FinalPlan, LaneRun, Run};
use crate::scenario::{Arrivals, Latency, Scenario};
use instance::{Heed, Instance, PROBE_EVERY};
use shell::{Next, Place, Shell};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// An instance begins.
    Begin(usize),
    /// Something happens in the backend, if nothing has changed since this version of the forecast.
    Turn(u64),
    /// The answer to a job reaches the client.
    Answer(usize),
    /// The client gives up on the job, if it is still the attempt of that number.
    GiveUp(usize, u64),
    Arrivals,
    Look,
    Stall,
    /// The interruption of that number begins or ends.
    Interruption(usize),
    /// The recorded capacity changes.
    Recorded,
    Feedback,
    /// The timer of an engine.
    Timer(usize),
    /// A Retry-After of an instance is over.
    Resume(usize),
    /// A probe of an instance during an outage.
    Probe(usize),
}

/// A batch at the backend; without a ticket the client has given it up.
#[derive(Default)]
struct Job {
    shell: usize,
    ticket: Option<Ticket>,
    slot: Option<Slot>,
    batch: Vec<Chunk>,
    outcome: Option<Outcome>,
    attempt: u64,
}

/// Decisions of each engine that are kept for a person to read.
const DECISIONS_KEPT: usize = 4096;

/// A run under way.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    agenda: Agenda<Event>,
    instances: Vec<Instance>,
    shells: Vec<Shell>,
    backend: Backend,
    record: Record,
    jobs: Vec<Job>,
    free: Vec<usize>,
    attempts: u64,
    forecast: u64,
    patience: Duration,
}

impl<'a> World<'a> {
    /// A world with one controller for each instance.
    pub(crate) fn new(
        scenario: &'a Scenario,
        controllers: Vec<Box<dyn Controller>>,
        seed: u64,
    ) -> Result<Self, SettingError> {
        let by_arrival = scenario.target.of == Latency::Delivery;
        let mut begins = Rng::new(seed, Stream::Instances);
        let (mut instances, mut shells) = (Vec::new(), Vec::new());
        let weights: Vec<f64> = scenario.classes.iter().map(|class| class.weight).collect();
        let lanes = weights.len().max(1);
        for instance in 0..scenario.instances as usize {
            let within_s = if instance == 0 { 0.0 } else { scenario.begin_within_s };
            let begins = Moment::ZERO + Duration::from_secs_f64(begins.between(0.0, within_s));
            let share = if lanes > 1 { Some(Share::new(&weights)?) } else { None };
            let shells = instance * lanes..(instance + 1) * lanes;
            instances.push(Instance::new(shells, share, begins));
        }
        for (index, controller) in controllers.into_iter().enumerate() {
            let Some(instance) = instances.get(index / lanes) else { break };
            let class = scenario.classes.get(index % lanes);
            let cost = class.map_or(1.0, |class| class.cost);
            let place = Place { instance: index / lanes, class: index % lanes, cost };
            shells.push(shell(scenario, controller, place, instance.begins, seed));
        }
        Ok(Self {
            scenario,
            agenda: Agenda::new(),
            instances,
            shells,
            backend: Backend::new(&scenario.backend, seed),
            record: Record::new(scenario.duration_s, scenario.target(), by_arrival),
            jobs: Vec::new(),
            free: Vec::new(),
            attempts: 0,
            forecast: 0,
            patience: Duration::from_secs_f64(scenario.backend.timeout_s),
        })
    }

    /// Plays until `end`.
    pub(crate) fn play(mut self, end: Moment, seed: u64) -> Run {
        self.begin();
        while let Some((now, event)) = self.agenda.take() {
            if now >= end {
                break;
            }
            self.happen(now, event);
        }
        self.end(end, seed)
    }

    fn begin(&mut self) {
        if self.shells.iter().any(|shell| shell.process.is_some()) {
            self.agenda.note(Moment::ZERO + TICK, Event::Arrivals);
        }
        if !course::is_constant(&self.scenario.backend) {
            self.agenda.note(Moment::ZERO, Event::Look);
        }
        if let Some(at) = self.backend.first_stall() {
            self.agenda.note(at, Event::Stall);
        }
        for (number, at) in self.backend.first_interruptions().into_iter().enumerate() {
            self.agenda.note(at, Event::Interruption(number));
        }
        if let Some(at) = self.backend.first_recorded() {
            self.agenda.note(at, Event::Recorded);
        }
        if !self.scenario.backend.feedback.is_silent() {
            self.agenda.note(Moment::ZERO + self.feedback_every(), Event::Feedback);
        }
        for index in 0..self.instances.len() {
            let begins = self.instances.get(index).map_or(Moment::ZERO, |one| one.begins);
            if begins == Moment::ZERO {
                self.settle_all(begins, index);
            } else {
                self.agenda.note(begins, Event::Begin(index));
            }
        }
    }

    fn feedback_every(&self) -> Duration {
        Duration::from_secs_f64(self.scenario.backend.feedback.every_ms / 1e3)
    }

    fn happen(&mut self, now: Moment, event: Event) {
        match event {
            Event::Begin(instance) => self.settle_all(now, instance),
            Event::Turn(forecast) if forecast == self.forecast => self.turn(now),
            Event::Turn(_) => {}
            Event::Answer(job) => self.answered(now, job),
            Event::GiveUp(job, attempt) => self.give_up(now, job, attempt),
            Event::Arrivals => self.arrive(now),
            Event::Look => {
                self.backend.drift(now);
                self.agenda.note(now + Duration::from_millis(course::LOOK_MS), Event::Look);
                self.foresee();
            }
            Event::Stall => {
                if let Some(next) = self.backend.stall(now) {
                    self.agenda.note(next, Event::Stall);
                }
                self.foresee();
            }
            Event::Interruption(number) => {
                if let Some(next) = self.backend.interrupt(now, number) {
                    self.agenda.note(next, Event::Interruption(number));
                }
                self.foresee();
            }
            Event::Recorded => {
                if let Some(next) = self.backend.play(now) {
                    self.agenda.note(next, Event::Recorded);
                }
                self.foresee();
            }
            Event::Feedback => self.report(now),
            Event::Timer(index) => {
                if self.shells.get_mut(index).is_some_and(|shell| shell.timer_is_due(now)) {
                    self.settle(now, index);
                }
            }
            Event::Resume(instance) => self.try_resume(now, instance),
            Event::Probe(instance) => self.probe(now, instance),
        }
    }

    /// Notes when something happens in the backend, and forgets what was noted before.
    fn foresee(&mut self) {
        self.forecast += 1;
        if let Some(at) = self.backend.next_turn() {
            self.agenda.note(at, Event::Turn(self.forecast));
        }
    }

    fn turn(&mut self, now: Moment) {
        if let Some(job) = self.backend.turn(now) {
            let way = self.backend.way_back();
            self.agenda.note(now + way, Event::Answer(job));
        }
        self.foresee();
    }

    fn arrive(&mut self, now: Moment) {
        self.agenda.note(now + TICK, Event::Arrivals);
        for index in 0..self.shells.len() {
            let full = self.shells.get_mut(index).is_some_and(|shell| shell.arrive(now));
            if full && self.has_begun(now, index) {
                self.settle(now, index);
            }
        }
    }

    fn has_begun(&self, now: Moment, shell: usize) -> bool {
        let instance =
            self.shells.get(shell).and_then(|shell| self.instances.get(shell.place.instance));
        instance.is_some_and(|instance| instance.begins <= now)
    }

    /// Every instance hears of the same load, each through noise of its own.
    fn report(&mut self, now: Moment) {
        self.agenda.note(now + self.feedback_every(), Event::Feedback);
        let Some(load) = self.backend.probe(now) else { return };
        for index in 0..self.shells.len() {
            if !self.has_begun(now, index) {
                continue;
            }
            let feedback = self.backend.heard(&load);
            if let Some(shell) = self.shells.get_mut(index) {
                shell.engine.feedback(now, &feedback);
            }
            self.settle(now, index);
        }
    }

    /// Does what the engines of an instance say until they say wait.
    fn settle_all(&mut self, now: Moment, instance: usize) {
        let Some(shells) = self.instances.get(instance).map(|one| one.shells.clone()) else {
            return;
        };
        for index in shells {
            self.settle(now, index);
        }
    }

    /// Drives a lane, and then those of the same instance whose turn has come.
    fn settle(&mut self, now: Moment, index: usize) {
        self.drive(now, index);
        while let Some(next) = self.next_turn(index) {
            self.drive(now, next);
        }
    }

    /// The lane whose turn it is, in the instance that lane belongs to.
    fn next_turn(&self, index: usize) -> Option<usize> {
        let instance = self.instances.get(self.shells.get(index)?.place.instance)?;
        let next = instance.share.as_ref()?.next(self.slots(instance))?;
        Some(instance.shells.start + next)
    }

    /// Attempts that an instance may have in flight: the most that any of its lanes has found.
    fn slots(&self, instance: &Instance) -> f64 {
        let shells = self.shells.get(instance.shells.clone()).into_iter().flatten();
        shells.map(|shell| shell.engine.plan().concurrency).fold(1.0, f64::max)
    }

    /// Whether the lane may send now, with the slot it takes if it shares.
    fn may_send(&mut self, index: usize) -> (bool, Option<Slot>) {
        let Some(place) = self.shells.get(index).map(|shell| shell.place) else {
            return (false, None);
        };
        let slots = self.instances.get(place.instance).map_or(1.0, |one| self.slots(one));
        let instance = self.instances.get_mut(place.instance);
        match instance.and_then(|one| one.share.as_mut()) {
            None => (true, None),
            Some(share) => {
                let slot = share.ask(place.class, slots);
                (slot.is_some(), slot)
            }
        }
    }

    fn withdraw(&mut self, index: usize) {
        let Some(place) = self.shells.get(index).map(|shell| shell.place) else { return };
        let instance = self.instances.get_mut(place.instance);
        if let Some(share) = instance.and_then(|one| one.share.as_mut()) {
            share.withdraw(place.class);
        }
    }

    /// Does what the engine says until it says wait, or until it is another lane's turn.
    fn drive(&mut self, now: Moment, index: usize) {
        while let Some(shell) = self.shells.get_mut(index) {
            match shell.step(now) {
                Next::Send(cut) => {
                    let (may, slot) = self.may_send(index);
                    if !may {
                        return;
                    }
                    self.send(now, index, cut, slot);
                }
                Next::Wait(until) => {
                    self.withdraw(index);
                    if let Some(until) = until {
                        self.agenda.note(until, Event::Timer(index));
                    }
                    return;
                }
            }
        }
    }

    fn send(&mut self, now: Moment, from: usize, cut: Cut, slot: Option<Slot>) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(Job::default());
            self.jobs.len() - 1
        });
        let (Some(job), Some(shell)) = (self.jobs.get_mut(index), self.shells.get_mut(from)) else {
            return;
        };
        job.batch.clear();
        let items = shell.lane.cut(now, cut, &mut job.batch);
        let bytes = u64::from(items) * u64::from(self.scenario.item_bytes);
        self.attempts += 1;
        job.shell = from;
        job.attempt = self.attempts;
        job.slot = slot;
        job.ticket = Some(shell.engine.sent(now, cut, items, bytes));
        match self.backend.admit(now, index, items, shell.place.cost) {
            Admission::Refused(outcome, after) => {
                job.outcome = Some(outcome);
                self.agenda.note(now + after, Event::Answer(index));
            }
            Admission::Serving(outcome) => {
                job.outcome = Some(outcome);
                self.agenda.note(now + self.patience, Event::GiveUp(index, self.attempts));
                self.foresee();
            }
        }
    }

    fn answered(&mut self, now: Moment, index: usize) {
        self.free.push(index);
        let Some(outcome) = self.jobs.get_mut(index).and_then(|job| job.outcome.take()) else {
            return;
        };
        self.conclude(now, index, outcome);
    }

    fn give_up(&mut self, now: Moment, index: usize, attempt: u64) {
        if self.jobs.get(index).is_some_and(|job| job.attempt == attempt) {
            self.conclude(now, index, Outcome::TimedOut);
        }
    }

    /// The attempt ends for the client, unless it has ended before.
    fn conclude(&mut self, now: Moment, index: usize, outcome: Outcome) {
        let Some(job) = self.jobs.get_mut(index) else { return };
        let Some(ticket) = job.ticket.take() else { return };
        let (from, slot) = (job.shell, job.slot.take());
        let Some(shell) = self.shells.get_mut(from) else { return };
        let sent = ticket.sent().at;
        // Of many lanes one is told: plans that belong to different lanes make no curve.
        let plan = (from == 0).then(|| shell.engine.plan());
        let timely = self.record.answered(now, sent, outcome, &job.batch, plan);
        shell.delivered(now, timely);
        if outcome != Outcome::Ok {
            shell.lane.take_back(&job.batch);
        }
        self.backend.answered(outcome);
        shell.engine.answered(now, ticket, outcome, None, shell.lane.waiting());
        shell.held_s += now.since(sent).as_secs_f64();
        let instance = shell.place.instance;
        let share = self.instances.get_mut(instance).and_then(|one| one.share.as_mut());
        if let (Some(share), Some(slot)) = (share, slot) {
            share.answered(slot, now.since(sent));
        }
        self.heed(now, instance, outcome);
        self.settle(now, from);
    }

    /// Pauses when the backend asks for it or cannot be reached.
    fn heed(&mut self, now: Moment, index: usize, outcome: Outcome) {
        let Some(instance) = self.instances.get_mut(index) else { return };
        match instance.heed(now, outcome) {
            Heed::GoOn => return,
            Heed::PauseUntil(at) => self.agenda.note(at, Event::Resume(index)),
            Heed::PauseAndProbe => self.agenda.note(now + PROBE_EVERY, Event::Probe(index)),
        }
        for shell in self.shells.get_mut(instance.shells.clone()).into_iter().flatten() {
            shell.engine.pause(now);
        }
    }

    fn try_resume(&mut self, now: Moment, index: usize) {
        let Some(instance) = self.instances.get(index) else { return };
        if !instance.may_resume(now) {
            return;
        }
        for shell in self.shells.get_mut(instance.shells.clone()).into_iter().flatten() {
            shell.engine.resume(now);
        }
        self.settle_all(now, index);
    }

    fn probe(&mut self, now: Moment, index: usize) {
        if course::is_out(&self.scenario.backend, now) {
            self.agenda.note(now + PROBE_EVERY, Event::Probe(index));
            return;
        }
        if let Some(instance) = self.instances.get_mut(index) {
            instance.reached();
        }
        self.try_resume(now, index);
    }

    fn end(mut self, end: Moment, seed: u64) -> Run {
        let flying = self.jobs.iter().filter_map(|job| job.ticket.as_ref());
        let in_flight = flying.map(|ticket| u64::from(ticket.sent().items)).sum();
        let of_all = |count: fn(&Shell) -> u64| self.shells.iter().map(count).sum::<u64>();
        let lanes: Vec<LaneRun> = self.shells.iter().map(lane_run).collect();
        Run {
            seed,
            offered: of_all(|shell| shell.lane.offered()),
            delivered: of_all(|shell| shell.engine.counters().items_delivered),
            queued: of_all(|shell| shell.lane.waiting()),
            in_flight,
            attempts: of_all(|shell| shell.engine.counters().attempts),
            p99_s: self.record.p99_s(),
            latency_sum_s: self.record.latency_sum_s(),
            busy_s: self.backend.busy(end),
            decisions: of_all(|shell| shell.engine.history().total()),
            plan: lanes.first().map_or(FinalPlan { batch_size: 0, concurrency: 0.0 }, |l| l.plan),
            history: match self.shells.first() {
                Some(shell) => shell.engine.history().iter().cloned().collect(),
                None => Vec::new(),
            },
            lanes,
            timeline: self.record.into_timeline(),
        }
    }
}

fn shell(
    scenario: &Scenario,
    controller: Box<dyn Controller>,
    place: Place,
    begins: Moment,
    seed: u64,
) -> Shell {
    let bounds = scenario.bounds.to_bounds();
    let engine = Engine::new(begins, controller, bounds, DECISIONS_KEPT);
    let class = scenario.classes.get(place.class);
    let arrivals = class.and_then(|class| class.arrivals).unwrap_or(scenario.arrivals);
    let saturated = matches!(arrivals, Arrivals::Saturated);
    let lane = Lane::new(scenario.item_bytes, saturated);
    // Far from the seeds that suites count up from zero and oracles from 2^40.
    let number = place.instance * scenario.classes.len().max(1) + place.class;
    let own_seed = seed ^ ((number as u64) << 48);
    let share = 1.0 / f64::from(scenario.instances);
    let process = Process::playing(arrivals, &scenario.recorded_arrivals, share, own_seed);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an hour")]
    let seconds = scenario.duration_s.ceil() as usize;
    Shell::new(engine, lane, place, process, seconds)
}

fn lane_run(shell: &Shell) -> LaneRun {
    let plan = shell.engine.plan();
    LaneRun {
        instance: shell.place.instance,
        class: shell.place.class,
        held_s: shell.held_s,
        delivered: shell.engine.counters().items_delivered,
        attempts: shell.engine.counters().attempts,
        timely: shell.timely.clone(),
        plan: FinalPlan { batch_size: plan.batch_size, concurrency: plan.concurrency },
    }
}
