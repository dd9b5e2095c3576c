//! What follows from what? The event loop: one lane, the engine, and a backend.
//!
//! The engine and the controller are the library's own; this is the third shell around them, beside
//! the batcher and the server's lane, with counts as items. What it adds stands in for parts that
//! belong to a shell: an attempt that failed goes back to the head of the queue and leaves again at
//! once; a Retry-After pauses the engine for as long as it asks; three refused connections in a
//! row pause it until a probe, one every 50 ms, gets through.

use std::time::Duration;

use tidegate::engine::{Counters, Cut, Step, Ticket};
use tidegate::{Engine, Moment, Outcome};

use crate::agenda::Agenda;
use crate::arrivals::{Process, TICK};
use crate::backend::{Admission, Backend, course};
use crate::lane::{Chunk, Lane};
use crate::record::Record;
use crate::run::{FinalPlan, Run};
use crate::scenario::{Arrivals, Latency, Scenario};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// A batch is done, if nothing has changed since this version of the forecast.
    Done(u64),
    /// The answer to a job reaches the client.
    Answer(usize),
    /// The client gives up on the job, if it is still the attempt of that number.
    GiveUp(usize, u64),
    Arrivals,
    Look,
    Stall,
    Feedback,
    /// The engine's timer.
    Timer,
    /// A Retry-After is over.
    Resume,
    /// A probe during an outage.
    Probe,
}

/// A batch at the backend; without a ticket the client has given it up.
#[derive(Default)]
struct Job {
    ticket: Option<Ticket>,
    batch: Vec<Chunk>,
    outcome: Option<Outcome>,
    attempt: u64,
}

/// Refused connections in a row that make an outage.
const REFUSALS_OF_AN_OUTAGE: u32 = 3;
/// Time between probes during an outage.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// Decisions that are kept for a person to read.
const DECISIONS_KEPT: usize = 4096;

/// A run under way.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    agenda: Agenda<Event>,
    engine: Engine,
    backend: Backend,
    lane: Lane,
    process: Option<Process>,
    record: Record,
    jobs: Vec<Job>,
    free: Vec<usize>,
    attempts: u64,
    forecast: u64,
    timer: Option<Moment>,
    /// How many waiting items are the next edge.
    edge_items: u64,
    refusals: u32,
    out: bool,
    resume_at: Moment,
    patience: Duration,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        controller: Box<dyn tidegate::Controller>,
        seed: u64,
    ) -> Self {
        let by_arrival = scenario.target.of == Latency::Delivery;
        let saturated = matches!(scenario.arrivals, Arrivals::Saturated);
        let bounds = scenario.bounds.to_bounds();
        Self {
            scenario,
            agenda: Agenda::new(),
            engine: Engine::new(Moment::ZERO, controller, bounds, DECISIONS_KEPT),
            backend: Backend::new(&scenario.backend, seed),
            lane: Lane::new(scenario.item_bytes, saturated),
            process: Process::new(scenario.arrivals, seed),
            record: Record::new(scenario.duration_s, scenario.target(), by_arrival),
            jobs: Vec::new(),
            free: Vec::new(),
            attempts: 0,
            forecast: 0,
            timer: None,
            edge_items: 0,
            refusals: 0,
            out: false,
            resume_at: Moment::ZERO,
            patience: Duration::from_secs_f64(scenario.backend.timeout_s),
        }
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
        if self.process.is_some() {
            self.agenda.note(Moment::ZERO + TICK, Event::Arrivals);
        }
        if !course::is_constant(&self.scenario.backend) {
            self.agenda.note(Moment::ZERO, Event::Look);
        }
        if let Some(at) = self.backend.first_stall() {
            self.agenda.note(at, Event::Stall);
        }
        self.agenda.note(Moment::ZERO + self.feedback_every(), Event::Feedback);
        self.settle(Moment::ZERO);
    }

    fn feedback_every(&self) -> Duration {
        Duration::from_secs_f64(self.scenario.backend.feedback.every_ms / 1e3)
    }

    fn happen(&mut self, now: Moment, event: Event) {
        match event {
            Event::Done(forecast) if forecast == self.forecast => self.done(now),
            Event::Done(_) => {}
            Event::Answer(job) => self.answered(now, job),
            Event::GiveUp(job, attempt) => self.give_up(now, job, attempt),
            Event::Arrivals => self.arrive(now),
            Event::Look => {
                self.backend.look(now);
                self.agenda.note(now + Duration::from_millis(course::LOOK_MS), Event::Look);
                self.foresee();
            }
            Event::Stall => {
                if let Some(next) = self.backend.stall(now) {
                    self.agenda.note(next, Event::Stall);
                }
                self.foresee();
            }
            Event::Feedback => {
                self.agenda.note(now + self.feedback_every(), Event::Feedback);
                if let Some(feedback) = self.backend.probe(now) {
                    self.engine.feedback(now, &feedback);
                    self.settle(now);
                }
            }
            Event::Timer if self.timer == Some(now) => {
                self.timer = None;
                self.settle(now);
            }
            Event::Timer => {}
            Event::Resume => self.try_resume(now),
            Event::Probe => self.probe(now),
        }
    }

    /// Notes when the next batch is done, and forgets what was noted before.
    fn foresee(&mut self) {
        self.forecast += 1;
        if let Some(at) = self.backend.next_end() {
            self.agenda.note(at, Event::Done(self.forecast));
        }
    }

    fn done(&mut self, now: Moment) {
        if let Some(job) = self.backend.leave(now) {
            let way = self.backend.way_back();
            self.agenda.note(now + way, Event::Answer(job));
        }
        self.foresee();
    }

    fn arrive(&mut self, now: Moment) {
        self.agenda.note(now + TICK, Event::Arrivals);
        let Some(process) = &mut self.process else { return };
        let items = process.tick(now);
        if items > 0 {
            self.lane.arrive(now, items);
        }
        if self.lane.waiting() >= self.edge_items {
            self.settle(now);
        }
    }

    /// Does what the engine says until it says wait.
    fn settle(&mut self, now: Moment) {
        loop {
            match self.engine.poll(now, &self.lane.seen(now)) {
                Step::Send(cut) => self.send(now, cut),
                Step::Wait(wait) => {
                    self.edge_items = wait.items;
                    if let Some(until) = wait.until
                        && self.timer.is_none_or(|armed| until < armed || armed <= now)
                    {
                        self.timer = Some(until);
                        self.agenda.note(until, Event::Timer);
                    }
                    return;
                }
            }
        }
    }

    fn send(&mut self, now: Moment, cut: Cut) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(Job::default());
            self.jobs.len() - 1
        });
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.batch.clear();
        let items = self.lane.cut(now, cut, &mut job.batch);
        let bytes = u64::from(items) * u64::from(self.scenario.item_bytes);
        self.attempts += 1;
        job.attempt = self.attempts;
        job.ticket = Some(self.engine.sent(now, cut, items, bytes));
        match self.backend.admit(now, index, items) {
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
        self.record.answered(now, ticket.sent().at, outcome, &job.batch, self.engine.plan());
        if outcome != Outcome::Ok {
            self.lane.take_back(&job.batch);
        }
        self.backend.answered(outcome);
        self.engine.answered(now, ticket, outcome, None, self.lane.waiting());
        self.heed(now, outcome);
        self.settle(now);
    }

    /// Pauses when the backend asks for it or cannot be reached.
    fn heed(&mut self, now: Moment, outcome: Outcome) {
        match outcome {
            Outcome::Throttled { retry_after: Some(wait) } => {
                self.resume_at = self.resume_at.max(now + wait);
                self.engine.pause(now);
                self.agenda.note(self.resume_at, Event::Resume);
            }
            Outcome::Unreachable => {
                self.refusals += 1;
                if self.refusals >= REFUSALS_OF_AN_OUTAGE && !self.out {
                    self.out = true;
                    self.engine.pause(now);
                    self.agenda.note(now + PROBE_EVERY, Event::Probe);
                }
            }
            _ => self.refusals = 0,
        }
    }

    fn try_resume(&mut self, now: Moment) {
        if now >= self.resume_at && !self.out {
            self.engine.resume(now);
            self.settle(now);
        }
    }

    fn probe(&mut self, now: Moment) {
        if course::is_out(&self.scenario.backend, now) {
            self.agenda.note(now + PROBE_EVERY, Event::Probe);
            return;
        }
        self.out = false;
        self.refusals = 0;
        self.try_resume(now);
    }

    fn end(mut self, end: Moment, seed: u64) -> Run {
        let counters: Counters = *self.engine.counters();
        let flying = self.jobs.iter().filter_map(|job| job.ticket.as_ref());
        let plan = self.engine.plan();
        Run {
            seed,
            offered: self.lane.offered(),
            delivered: counters.items_delivered,
            queued: self.lane.waiting(),
            in_flight: flying.map(|ticket| u64::from(ticket.sent().items)).sum(),
            attempts: counters.attempts,
            p99_s: self.record.p99_s(),
            latency_sum_s: self.record.latency_sum_s(),
            busy_s: self.backend.busy(end),
            decisions: self.engine.history().total(),
            plan: FinalPlan { batch_size: plan.batch_size, concurrency: plan.concurrency },
            history: self.engine.history().iter().cloned().collect(),
            timeline: self.record.into_timeline(),
        }
    }
}
