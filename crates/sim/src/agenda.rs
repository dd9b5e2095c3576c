//! What happens next? The earliest event; of two at one moment, the one that was noted first.
//!
//! The order of noting breaks ties, so a run is a function of its seed and of nothing else.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tidegate::Moment;

/// Events by time.
#[derive(Debug)]
pub struct Agenda<E> {
    entries: BinaryHeap<Reverse<Entry<E>>>,
    noted: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Moment,
    order: u64,
    event: E,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Agenda<E> {
    /// An empty agenda.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BinaryHeap::new(), noted: 0 }
    }

    /// Notes that `event` happens at `at`.
    pub fn note(&mut self, at: Moment, event: E) {
        self.noted += 1;
        self.entries.push(Reverse(Entry { at, order: self.noted, event }));
    }

    /// When the earliest event is.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the earliest event.
    pub fn take(&mut self) -> Option<(Moment, E)> {
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> Entry<E> {
    const fn key(&self) -> (Moment, u64) {
        (self.at, self.order)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_noted() {
        let mut agenda = Agenda::new();
        for (at, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            agenda.note(Moment::from_nanos(at), event);
        }
        let order: String = std::iter::from_fn(|| agenda.take()).map(|(_, event)| event).collect();
        assert_eq!(order, "abcd");
    }
}
