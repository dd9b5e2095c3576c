//! The engine under random interleavings, driven by a shell that holds real items.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{ControllerSettings, Epoch};

/// What happens to the lane.
#[derive(Debug, Clone)]
enum Event {
    Arrive { items: u64, bytes: u64 },
    Priority { bytes: u64 },
    Answer { which: usize, outcome: Outcome, cpu: f64 },
    Wait { ms: u64 },
    ClockBack,
    Flush,
    Pause,
    Resume,
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Ok),
        1 => Just(Outcome::TimedOut),
        1 => (0..20u32).prop_map(|delivered| Outcome::Partial { delivered }),
        1 => Just(Outcome::TooLarge),
    ];
    prop_oneof![
        6 => (1..30u64, 0..120u64).prop_map(|(items, bytes)| Event::Arrive { items, bytes }),
        1 => (0..120u64).prop_map(|bytes| Event::Priority { bytes }),
        6 => (0..8usize, outcome, any::<f64>())
            .prop_map(|(which, outcome, cpu)| Event::Answer { which, outcome, cpu }),
        4 => (0..40u64).prop_map(|ms| Event::Wait { ms }),
        1 => Just(Event::ClockBack),
        1 => Just(Event::Flush),
        1 => Just(Event::Pause),
        1 => Just(Event::Resume),
    ]
}

/// A shell whose items are numbers, each with its bytes and arrival.
struct Shell {
    engine: Engine,
    now: Moment,
    queue: VecDeque<(u64, u64, Moment)>,
    flying: Vec<(Ticket, Vec<u64>)>,
    answered: BTreeSet<u64>,
    next_item: u64,
    paused: bool,
}

impl Shell {
    fn new(name: &str, concurrency: f64, linger_ms: u64) -> Self {
        let bounds = Bounds {
            batch_size_min: 2,
            batch_size_max: 40,
            batch_bytes_max: 1000,
            concurrency_max: 6.0,
            linger_max: Duration::from_millis(50),
        };
        let first = Plan {
            batch_size: 10,
            concurrency,
            pace: None,
            linger: Duration::from_millis(linger_ms),
            epoch: Epoch::default(),
        };
        let controller = ControllerSettings::by_name(name).unwrap();
        let controller = controller.build(first, &bounds).unwrap();
        Self {
            engine: Engine::new(Moment::ZERO, controller, bounds, 16),
            now: Moment::ZERO,
            queue: VecDeque::new(),
            flying: Vec::new(),
            answered: BTreeSet::new(),
            next_item: 0,
            paused: false,
        }
    }

    fn seen(&self) -> Queue {
        Queue {
            items: self.queue.len() as u64,
            bytes: self.queue.iter().map(|(_, bytes, _)| bytes).sum(),
            oldest: self.queue.front().map(|(_, _, at)| *at),
        }
    }

    fn arrive(&mut self, bytes: u64) {
        self.queue.push_back((self.next_item, bytes, self.now));
        self.next_item += 1;
    }

    /// Does what the engine says until it says wait.
    fn settle(&mut self) -> Result<Wait, TestCaseError> {
        loop {
            let queue = self.seen();
            let cut = match self.engine.poll(self.now, &queue) {
                Step::Wait(wait) => {
                    self.check_wait(&queue, &wait)?;
                    return Ok(wait);
                }
                Step::Send(cut) => cut,
            };
            prop_assert!(!self.paused, "nothing leaves during an outage");
            prop_assert!(queue.items > 0, "no empty batch");
            self.send(cut)?;
        }
    }

    fn send(&mut self, cut: Cut) -> Result<(), TestCaseError> {
        let (mut items, mut total) = (Vec::new(), 0);
        while let Some((item, bytes, _)) = self.queue.front().copied() {
            let fits = total + bytes <= cut.bytes_max || items.is_empty();
            if items.len() == cut.items_max as usize || !fits {
                break;
            }
            self.queue.pop_front();
            items.push(item);
            total += bytes;
        }
        let plan = *self.engine.plan();
        prop_assert!(items.len() <= 40 && total <= 1000);
        prop_assert!(self.engine.bounds().check_plan(&plan).is_ok());
        prop_assert!(f64::from(self.engine.in_flight()) < plan.concurrency);
        let count = u32::try_from(items.len()).unwrap();
        let ticket = self.engine.sent(self.now, cut, count, total);
        self.flying.push((ticket, items));
        Ok(())
    }

    /// Waiting is right only if there is a reason to wait, and something will end it.
    fn check_wait(&self, queue: &Queue, wait: &Wait) -> Result<(), TestCaseError> {
        if queue.items > 0 && !self.paused && self.flying.is_empty() {
            prop_assert!(wait.until.is_some(), "items wait and no edge would ever come");
        }
        prop_assert!(wait.until.is_none_or(|until| until > self.now), "a timer in the past");
        Ok(())
    }

    fn answer(&mut self, which: usize, outcome: Outcome, cpu: f64) -> Result<(), TestCaseError> {
        if self.flying.is_empty() {
            return Ok(());
        }
        let (ticket, items) = self.flying.swap_remove(which % self.flying.len());
        let feedback = Feedback { cpu: Some(cpu), ..Feedback::default() };
        let waiting = self.queue.len() as u64;
        let sample = self.engine.answered(self.now, ticket, outcome, Some(feedback), waiting);
        prop_assert_eq!(sample.sent.items as usize, items.len());
        for item in items {
            prop_assert!(self.answered.insert(item), "item {} was answered twice", item);
        }
        Ok(())
    }

    fn happen(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match *event {
            Event::Arrive { items, bytes } => (0..items).for_each(|_| self.arrive(bytes)),
            Event::Priority { bytes } => {
                self.arrive(bytes);
                self.engine.hurry(&self.seen());
            }
            Event::Answer { which, outcome, cpu } => self.answer(which, outcome, cpu)?,
            Event::Wait { ms } => self.now += Duration::from_millis(ms),
            Event::ClockBack => {
                self.now = Moment::from_nanos(self.now.as_nanos().saturating_sub(3_000_000));
            }
            Event::Flush => self.engine.flush(&self.seen()),
            Event::Pause => {
                self.engine.pause(self.now);
                self.paused = true;
            }
            Event::Resume => {
                self.engine.resume(self.now);
                self.paused = false;
            }
        }
        Ok(())
    }

    /// Drains, answering whatever is in flight and following the timers.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        self.engine.resume(self.now);
        self.paused = false;
        self.engine.drain();
        for _ in 0..100_000 {
            let wait = self.settle()?;
            if !self.flying.is_empty() {
                self.now += Duration::from_millis(1);
                self.answer(0, Outcome::Ok, 0.5)?;
            } else if self.queue.is_empty() {
                return Ok(());
            } else {
                self.now = wait.until.unwrap();
            }
        }
        Err(TestCaseError::fail("the lane never drained"))
    }
}

proptest! {
    /// Invariant: in any interleaving of arrivals, flushes, outages, answers and wakes, with a clock
    /// that stands still or jumps back, every item gets exactly one answer, no batch exceeds its caps,
    /// no more attempts are in flight than allowed, and no plan leaves its bounds.
    #[test]
    fn every_item_is_answered_once_within_all_bounds(
        name in proptest::sample::select(&ControllerSettings::NAMES[..]),
        concurrency in 0.05..6.0f64,
        linger_ms in 0..50u64,
        events in proptest::collection::vec(event(), 0..300),
    ) {
        let mut shell = Shell::new(name, concurrency, linger_ms);
        for event in &events {
            shell.happen(event)?;
            shell.settle()?;
        }
        shell.finish()?;
        prop_assert_eq!(shell.answered.len() as u64, shell.next_item);
        let counters = shell.engine.counters();
        prop_assert_eq!(counters.items_sent, shell.next_item);
        prop_assert_eq!(counters.answered(), counters.attempts);
        prop_assert_eq!(counters.by_reason.iter().sum::<u64>(), counters.attempts);
    }

    /// Invariant: the same events give the same plans, decisions and counts.
    #[test]
    fn the_same_events_end_the_same(events in proptest::collection::vec(event(), 0..200)) {
        let run = || -> Result<String, TestCaseError> {
            let mut shell = Shell::new("load_score", 1.5, 5);
            for event in &events {
                shell.happen(event)?;
                shell.settle()?;
            }
            Ok(format!("{:?} {:?}", shell.engine.counters(), shell.engine.history()))
        };
        prop_assert_eq!(run()?, run()?);
    }
}

#[test]
fn an_outage_is_told_to_the_controller_once() {
    let mut shell = Shell::new("aimd", 1.0, 0);
    shell.arrive(10);
    shell.engine.pause(shell.now);
    shell.engine.pause(shell.now);
    shell.paused = true;
    let wait = shell.settle().unwrap();
    assert_eq!((wait.until, wait.items), (None, u64::MAX));
    shell.engine.resume(shell.now);
    shell.paused = false;
    shell.settle().unwrap();
    assert_eq!(shell.flying.len(), 1);
}

#[test]
fn a_decision_says_who_and_why() {
    let mut shell = Shell::new("aimd", 1.0, 0);
    (0..10).for_each(|_| shell.arrive(10));
    shell.settle().unwrap();
    shell.now += Duration::from_millis(20);
    shell.answer(0, Outcome::Ok, 0.0).unwrap();
    let decision = shell.engine.history().iter().next().unwrap();
    assert_eq!((decision.by, decision.from.batch_size, decision.to.batch_size), ("aimd", 10, 20));
    assert_eq!(decision.reason, "raised × 2: a full batch of 10 took 20 ms of 100 ms allowed");
}
