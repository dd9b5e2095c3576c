//! The machines together, against a backend in closed form.

use super::*;
use crate::control::tests::{first_plan, sample};

/// Attempts of a plan against a backend of some cores that takes 2 ms and 20 µs an item: the
/// answers come one by one, each slot at its turn.
struct Backend {
    joint: Joint,
    plan: Plan,
    now: f64,
    reasons: Vec<String>,
    cores: f64,
    slower: f64,
}

impl Backend {
    fn new(cores: f64, settings: Settings) -> Self {
        let bounds = Bounds { batch_size_max: 20_000, ..Bounds::default() };
        let mut joint = Joint::new(settings, first_plan(100), bounds).unwrap();
        let plan = joint.start(Moment::ZERO);
        Self { joint, plan, now: 0.0, reasons: Vec::new(), cores, slower: 1.0 }
    }

    fn latency(&self) -> f64 {
        let (size, c) = (f64::from(self.plan.batch_size), self.plan.concurrency.max(1.0));
        (0.002 + 20e-6 * size) * (c / self.cores).max(1.0) * self.slower
    }

    fn play(&mut self, seconds: f64) {
        let end = self.now + seconds;
        while self.now < end {
            let latency = self.latency();
            self.now += latency / self.plan.concurrency.max(1.0);
            let mut one = sample(0, 0, self.plan.batch_size, Outcome::Ok);
            one.at = Moment::ZERO + Duration::from_secs_f64(self.now);
            one.latency = Duration::from_secs_f64(latency);
            one.sent.at = Moment::ZERO + Duration::from_secs_f64((self.now - latency).max(0.0));
            one.sent.epoch = self.plan.epoch;
            one.sent.in_flight = 64;
            if let Some(change) = self.joint.sample(&one) {
                self.plan = change.plan;
                self.reasons.push(change.reason.into_owned());
            }
        }
    }

    /// Items a second of the plan in force.
    fn rate(&self) -> f64 {
        f64::from(self.plan.batch_size) * self.plan.concurrency / self.latency()
    }
}

#[test]
fn it_finds_size_and_concurrency_together() {
    for cores in [1.0, 4.0, 7.0] {
        let mut backend = Backend::new(cores, Settings::default());
        backend.play(20.0);
        let c = backend.joint.concurrency;
        assert!((cores - 0.1..=cores + 1.1).contains(&c), "{cores}: {c}");
        assert!(backend.rate() > 0.9 * cores * 48_000.0, "{cores}: {}", backend.rate());
    }
}

#[test]
fn a_slower_backend_is_met_within_a_few_rounds() {
    let mut backend = Backend::new(4.0, Settings::default());
    backend.play(20.0);
    backend.slower = 4.0;
    backend.play(3.0);
    assert!(backend.latency() < 0.1, "{}", backend.latency());
}

#[test]
fn every_reason_is_a_sentence_for_a_person() {
    let mut backend = Backend::new(4.0, Settings::default());
    backend.play(30.0);
    let has = |text: &str| backend.reasons.iter().any(|reason| reason.contains(text));
    assert!(has("doubled: a full batch of 100 took 4 ms, and larger ones still pay"));
    assert!(has("kept 4 in flight: 8 was"), "{:?}", backend.reasons);
    assert!(has("trying 5 in flight for a moment, instead of 4"), "{:?}", backend.reasons);
}

#[test]
fn an_objective_steers() {
    let with = |objective| Settings { objective, ..Settings::default() };
    let size = |objective| {
        let mut backend = Backend::new(4.0, with(objective));
        backend.play(60.0);
        backend.joint.size.ln().exp()
    };
    let [throughput, latency, cost] =
        [Objective::Throughput, Objective::Latency, Objective::Cost].map(size);
    assert!(latency < 0.3 * throughput, "{latency} {throughput}");
    assert!(cost > 0.9 * throughput, "{cost} {throughput}");
}

#[test]
fn a_target_below_what_the_backend_can_do_never_throttles_to_nothing() {
    let target = Duration::from_millis(1);
    let mut backend = Backend::new(1.0, Settings { target, ..Settings::default() });
    backend.play(10.0);
    assert!(backend.rate() > 2_000.0, "{} of {:?}", backend.rate(), backend.plan);
    let said = backend.reasons.iter().any(|reason| reason.contains("is below what the backend"));
    assert!(said, "{:?}", backend.reasons);
}

#[test]
fn waiting_for_somebody_elses_lock_is_not_held_against_the_size() {
    let bounds = Bounds { concurrency_max: 1.0, ..Bounds::default() };
    let mut joint = Joint::new(Settings::default(), first_plan(100), bounds).unwrap();
    let mut slow = sample(0, 90, 100, Outcome::Ok);
    slow.sent.epoch = joint.start(Moment::ZERO).epoch;
    slow.feedback = Some(Feedback { lock_waits: Some(3.0), ..Feedback::default() });
    for _ in 0..1000 {
        assert_eq!(joint.sample(&slow), None);
    }
    // That the look can fail: without the wait it says something.
    slow.feedback = None;
    assert!((0..1000).any(|_| joint.sample(&slow).is_some()));
}

#[test]
fn a_stall_that_hits_all_in_flight_lowers_the_size_once() {
    let sized = |batches: u64, apart: bool| {
        let parts = Parts { startup: false, rounds: false, ..Parts::default() };
        let settings = Settings { parts, ..Settings::default() };
        let mut joint = Joint::new(settings, first_plan(1000), Bounds::default()).unwrap();
        let mut slow = sample(0, 300, 1000, Outcome::Ok);
        slow.sent.epoch = joint.start(Moment::ZERO).epoch;
        for batch in 0..batches {
            // In flight together, or one after the other.
            slow.sent.at =
                Moment::ZERO + Duration::from_millis(if apart { 301 * batch } else { 0 });
            slow.at =
                slow.sent.at + slow.latency + Duration::from_millis(if apart { 0 } else { batch });
            joint.sample(&slow);
        }
        joint.size.ln()
    };
    assert_eq!(sized(4, false), sized(1, false));
    assert!(sized(4, true) < sized(1, true) - 0.1);
}
