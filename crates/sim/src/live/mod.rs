//! May I have that backend in real time? A handler of the library's batcher that answers as a scenario's
//! backend would, so that demos, examples and tests need no database.
//!
//! The backend is the one of the simulator; [`Course`] drives it by an agenda of its own, and
//! [`Simulated`] is the shell that waits for real time. Whoever is woken late does what was due at the
//! time at which it was due, so a slow machine delays answers and changes nothing else.
//!
//! ```
//! use tidegate::Batcher;
//! use tidegate_sim::live::Simulated;
//! use tidegate_sim::scenario::canonical;
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let scenario = canonical::by_name("pgA")?.ok_or("pgA ships with the crate")?;
//! let backend = Simulated::start(&scenario.backend, 1);
//! let batcher = Batcher::builder().build(backend.clone())?;
//! for row in 0..5_000 {
//!     batcher.add(row).await?;
//! }
//! let stats = batcher.close().await;
//! assert_eq!(stats.delivered, backend.stats().items);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod handler;

use std::time::Duration;

use tidegate::{Feedback, Moment, Outcome};

use crate::agenda::Agenda;
use crate::backend::{Admission, Backend, course};
use crate::scenario::BackendSpec;

pub use handler::Simulated;

/// What a backend has done so far, and how it is now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Batches that came to its door.
    pub attempts: u64,
    /// Items it took.
    pub items: u64,
    /// Batches it took in and answered as overloaded.
    pub failed: u64,
    /// Batches it refused: by a rate, by their size, or because it could not be reached.
    pub refused: u64,
    /// Batches in service now, others' included.
    pub in_service: f64,
    /// What is left of its capacity now: 1 is all of it.
    pub capacity_left: f64,
    /// Batch-seconds in service so far.
    pub busy_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Turn(u64),
    Answer(usize),
    Look,
    Stall,
    Interruption(usize),
    Recorded,
    Feedback,
}

/// A batch at the backend.
#[derive(Debug, Clone, Copy)]
struct Job {
    items: u32,
    outcome: Outcome,
}

/// A backend and what happens to it, moment by moment.
#[derive(Debug)]
pub struct Course {
    backend: Backend,
    agenda: Agenda<Event>,
    jobs: Vec<Option<Job>>,
    forecast: u64,
    stats: Stats,
    feedback: Feedback,
}

impl Course {
    /// An idle backend, at its moment zero.
    #[must_use]
    pub fn new(spec: &BackendSpec, seed: u64) -> Self {
        let mut backend = Backend::new(spec, seed);
        let mut agenda = Agenda::new();
        if !course::is_constant(spec) {
            agenda.note(Moment::ZERO, Event::Look);
        }
        if let Some(at) = backend.first_stall() {
            agenda.note(at, Event::Stall);
        }
        for (number, at) in backend.first_interruptions().into_iter().enumerate() {
            agenda.note(at, Event::Interruption(number));
        }
        if let Some(at) = backend.first_recorded() {
            agenda.note(at, Event::Recorded);
        }
        if !spec.feedback.is_silent() {
            agenda.note(Moment::ZERO + every(spec), Event::Feedback);
        }
        let (stats, feedback) = (Stats::default(), Feedback::default());
        Self { backend, agenda, jobs: Vec::new(), forecast: 0, stats, feedback }
    }

    /// A batch comes to the door at `now`, to which the course has been [advanced](Self::advance);
    /// returns the number under which it is answered.
    pub fn admit(&mut self, now: Moment, items: u32) -> usize {
        let free = self.jobs.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.jobs.push(None);
            self.jobs.len() - 1
        });
        self.stats.attempts += 1;
        let outcome = match self.backend.admit(now, index, items, 1.0) {
            Admission::Refused(outcome, after) => {
                self.agenda.note(now + after, Event::Answer(index));
                outcome
            }
            Admission::Serving(outcome) => {
                self.foresee();
                outcome
            }
        };
        if let Some(job) = self.jobs.get_mut(index) {
            *job = Some(Job { items, outcome });
        }
        index
    }

    /// When something happens next.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.agenda.next()
    }

    /// What was due up to `now` happens; returns the batches that are answered, in order.
    pub fn advance(&mut self, now: Moment) -> Vec<(usize, Outcome)> {
        let mut answered = Vec::new();
        while self.agenda.next().is_some_and(|at| at <= now)
            && let Some((at, event)) = self.agenda.take()
        {
            self.happen(at, event, &mut answered);
        }
        answered
    }

    /// What it has done so far.
    pub fn stats(&mut self, now: Moment) -> Stats {
        Stats {
            in_service: self.backend.in_service(),
            capacity_left: self.backend.capacity_left(),
            busy_s: self.backend.busy(now),
            ..self.stats
        }
    }

    /// What it said of its load last.
    #[must_use]
    pub const fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    fn foresee(&mut self) {
        self.forecast += 1;
        if let Some(at) = self.backend.next_turn() {
            self.agenda.note(at, Event::Turn(self.forecast));
        }
    }

    fn happen(&mut self, at: Moment, event: Event, answered: &mut Vec<(usize, Outcome)>) {
        let next = match event {
            Event::Turn(forecast) if forecast == self.forecast => {
                if let Some(job) = self.backend.turn(at) {
                    let way = self.backend.way_back();
                    self.agenda.note(at + way, Event::Answer(job));
                }
                None
            }
            Event::Turn(_) => return,
            Event::Answer(index) => {
                if let Some(job) = self.jobs.get_mut(index).and_then(Option::take) {
                    self.count(job);
                    answered.push((index, job.outcome));
                }
                return;
            }
            Event::Look => {
                self.backend.drift(at);
                Some(at + Duration::from_millis(course::LOOK_MS))
            }
            Event::Stall => self.backend.stall(at),
            Event::Interruption(number) => self.backend.interrupt(at, number),
            Event::Recorded => self.backend.play(at),
            Event::Feedback => {
                if let Some(load) = self.backend.probe(at) {
                    self.feedback = self.backend.heard(&load);
                }
                Some(at + every(self.backend.spec()))
            }
        };
        if let Some(next) = next {
            self.agenda.note(next, event);
        }
        self.foresee();
    }

    fn count(&mut self, job: Job) {
        self.backend.answered(job.outcome);
        match job.outcome {
            Outcome::Ok => self.stats.items += u64::from(job.items),
            Outcome::Overloaded => self.stats.failed += 1,
            _ => self.stats.refused += 1,
        }
    }
}

fn every(spec: &BackendSpec) -> Duration {
    Duration::from_secs_f64(spec.feedback.every_ms / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::canonical;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn a_course_answers_as_the_formula_says_however_late_it_is_looked_at() {
        let mut spec = canonical::by_name("pgA").unwrap().unwrap().backend;
        (spec.noise, spec.stalls, spec.network.sigma) = (0.0, None, 0.0);
        (spec.errors.base, spec.errors.slope) = (0.0, 0.0);
        // 2 ms + 1,000 · 20 µs, and half a millisecond of network.
        let mut course = Course::new(&spec, 1);
        let job = course.admit(at(0), 1_000);
        assert_eq!(course.advance(at(22)), []);
        assert_eq!(course.advance(at(23)), [(job, Outcome::Ok)]);
        let again = course.admit(at(100), 1_000);
        assert_eq!(course.advance(at(9_000)), [(again, Outcome::Ok)]);
        let stats = course.stats(at(9_000));
        assert_eq!((stats.attempts, stats.items, stats.failed), (2, 2_000, 0));
        assert!((stats.busy_s - 0.044).abs() < 1e-6, "{stats:?}");
        assert!(course.feedback().cpu.is_some());
    }

    #[test]
    fn limits_refuse_and_the_course_of_capacity_is_followed() {
        let mut spec = canonical::by_name("http_rl").unwrap().unwrap().backend;
        spec.capacity = canonical::by_name("step").unwrap().unwrap().backend.capacity;
        let mut course = Course::new(&spec, 1);
        let large = course.admit(at(0), 501);
        let answers = course.advance(at(1_000));
        assert_eq!(answers, [(large, Outcome::TooLarge)]);
        assert!((course.stats(at(1_000)).capacity_left - 1.0).abs() < 1e-9);
        course.advance(at(40_000));
        assert!((course.stats(at(40_000)).capacity_left - 0.25).abs() < 1e-9);
    }
}
