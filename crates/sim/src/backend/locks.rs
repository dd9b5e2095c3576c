//! Who has the lock next? Those who wait in order, or whoever asks while it is free.
//!
//! A lock that wakes its waiters serves them in order, and what it costs to hand it over is part of
//! the service. One that is only asked for again and again, after pauses that grow, is had by
//! whoever comes first: the connection that has just given it back, as a rule, while a few others
//! sleep for tens of milliseconds.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate::Moment;

use super::Batch;
use crate::scenario::weather::Locks;

/// Pauses between questions, in milliseconds, as SQLite's busy handler makes them; the last one
/// again and again.
const PAUSES_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/// Batches that wait for a lock.
#[derive(Debug)]
pub(super) struct Waiting {
    polls: bool,
    handoff_s: f64,
    in_order: VecDeque<Batch>,
    asking: Vec<Asking>,
}

#[derive(Debug)]
struct Asking {
    batch: Batch,
    asked: usize,
    next: Moment,
}

impl Waiting {
    pub(super) fn new(locks: Option<Locks>) -> Self {
        Self {
            polls: locks.is_some_and(|locks| locks.polls),
            handoff_s: locks.map_or(0.0, |locks| locks.handoff_ms * 1e-3),
            in_order: VecDeque::new(),
            asking: Vec::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.in_order.len() + self.asking.len()
    }

    /// A batch finds the lock taken.
    pub(super) fn wait(&mut self, now: Moment, batch: Batch) {
        let batch = Batch { seconds: batch.seconds + self.handoff_s, ..batch };
        if self.polls {
            self.asking.push(Asking { batch, asked: 0, next: now + pause(0) });
        } else {
            self.in_order.push_back(batch);
        }
    }

    /// The lock is free: whose turn it is, if turns are kept.
    pub(super) fn take_turn(&mut self) -> Option<Batch> {
        self.in_order.pop_front()
    }

    /// When somebody asks again.
    pub(super) fn next_ask(&self) -> Option<Moment> {
        self.asking.iter().map(|one| one.next).min()
    }

    /// Who is due asks; has it if there is room.
    pub(super) fn ask(&mut self, now: Moment, room: bool) -> Option<Batch> {
        let due = self.asking.iter().position(|one| one.next <= now)?;
        if room {
            return Some(self.asking.remove(due).batch);
        }
        let one = self.asking.get_mut(due)?;
        one.asked += 1;
        one.next = now + pause(one.asked);
        None
    }
}

fn pause(asked: usize) -> Duration {
    let longest = PAUSES_MS.len() - 1;
    Duration::from_millis(PAUSES_MS.get(asked.min(longest)).copied().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: Batch = Batch { job: 1, items: 10, seconds: 0.5 };

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn turns_are_kept_unless_everyone_asks() {
        let locks = Locks { writers: 1, handoff_ms: 100.0, polls: false };
        let mut waiting = Waiting::new(Some(locks));
        waiting.wait(at(0), BATCH);
        assert_eq!((waiting.count(), waiting.next_ask()), (1, None));
        assert_eq!(waiting.take_turn(), Some(Batch { seconds: 0.6, ..BATCH }));
        let mut asking = Waiting::new(Some(Locks { polls: true, ..locks }));
        asking.wait(at(0), BATCH);
        assert_eq!((asking.take_turn(), asking.next_ask()), (None, Some(at(1))));
        assert_eq!(asking.ask(at(1), false), None);
        assert_eq!(asking.next_ask(), Some(at(3)));
        assert_eq!(asking.ask(at(3), true).map(|batch| batch.job), Some(1));
        assert_eq!(asking.count(), 0);
    }

    #[test]
    fn pauses_grow_up_to_the_last() {
        let mut asking = Waiting::new(Some(Locks { writers: 1, handoff_ms: 0.0, polls: true }));
        asking.wait(at(0), BATCH);
        let mut now = Moment::ZERO;
        for _ in 0..PAUSES_MS.len() + 2 {
            now = asking.next_ask().unwrap();
            assert_eq!(asking.ask(now, false), None);
        }
        assert_eq!(asking.next_ask().unwrap().since(now), Duration::from_millis(100));
    }
}
