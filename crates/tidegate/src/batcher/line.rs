//! In what form do items wait? In line, already in the vectors that the handler will be given.
//!
//! An item is pushed into the *open* vector; when that has the size of a batch it is *sealed*, and
//! a batch is usually one sealed vector, handed over as it is. Only when the plan has changed
//! meanwhile is a vector split or filled up from the next one.
//!
//! The arrival is read off the clock once for each vector, when its first item comes: the engine
//! asks for the oldest one only. What is left of a vector that was split keeps its arrival, so an
//! item may leave a little before its linger is over, and never after it.

use std::collections::VecDeque;
use std::task::Waker;

use super::answer::Results;
use super::batch::KEPT;
use super::round::{Group, Place};
use super::stash::Reader;
use crate::Moment;
use crate::engine::{Cut, Queue};

/// At most so many rounds are kept for later batches: a submitter that does not run for a while
/// keeps the round of its batch from being used again, and others go on meanwhile.
const ROUNDS_KEPT: usize = 64;

/// So many of them, the oldest ones, are looked at before a new one is made.
const ROUNDS_LOOKED_AT: usize = 4;

/// Items that wait.
#[derive(Debug)]
pub(super) struct Line<T, O> {
    sealed: VecDeque<Chunk<T, O>>,
    open: Chunk<T, O>,
    items: u64,
    bytes: u64,
    /// Items after which a vector is sealed: the batch size of the plan in force.
    seal_at: usize,
    /// The most bytes in a vector, a first item that is larger alone excepted.
    bytes_max: u64,
    /// How many items the last batch had: the next vector begins with room for as many.
    expected: usize,
    rounds: VecDeque<Group<O>>,
    /// Emptied vectors, for the next chunks.
    spares: Vec<Vec<T>>,
}

#[derive(Debug)]
struct Chunk<T, O> {
    items: Vec<T>,
    /// The bytes of each item; empty while all of them are 0.
    sizes: Vec<u32>,
    bytes: u64,
    first_at: Moment,
    /// Those who wait for the outcome of an item.
    group: Option<Group<O>>,
}

/// Items cut off the head of the line.
#[derive(Debug)]
pub(super) struct Taken<T, O> {
    pub(super) items: Vec<T>,
    pub(super) bytes: u64,
    /// Those who wait for the outcome of one of them.
    pub(super) groups: Groups<O>,
}

/// The submitters of a batch; more than one group only after a change of plan.
#[derive(Debug)]
pub(super) struct Groups<O> {
    first: Option<Group<O>>,
    more: Vec<Group<O>>,
}

impl<T, O> Chunk<T, O> {
    fn with_capacity(items: usize) -> Self {
        Self {
            items: Vec::with_capacity(items),
            sizes: Vec::new(),
            bytes: 0,
            first_at: Moment::ZERO,
            group: None,
        }
    }

    /// How many of the first items fit into these bounds.
    fn fitting(&self, items: usize, bytes: u64) -> usize {
        let items = items.min(self.items.len());
        if self.bytes <= bytes {
            return items;
        }
        let mut sum = 0;
        let within = |size: &&u32| {
            sum += u64::from(**size);
            sum <= bytes
        };
        self.sizes.iter().take(items).take_while(within).count()
    }

    /// Cuts off the first items.
    fn split(&mut self, items: usize) -> Self {
        let rest = self.items.split_off(items);
        let sizes = if self.sizes.is_empty() { Vec::new() } else { self.sizes.split_off(items) };
        let bytes = sizes.iter().map(|size| u64::from(*size)).sum();
        let first = Self {
            items: std::mem::replace(&mut self.items, rest),
            sizes: std::mem::replace(&mut self.sizes, sizes),
            bytes: self.bytes - bytes,
            first_at: self.first_at,
            group: self.group.as_mut().and_then(|group| group.split(items)),
        };
        self.bytes = bytes;
        first
    }
}

impl<T, O> Line<T, O> {
    pub(super) fn new(seal_at: usize, bytes_max: u64) -> Self {
        Self {
            sealed: VecDeque::new(),
            open: Chunk::with_capacity(0),
            items: 0,
            bytes: 0,
            seal_at,
            bytes_max,
            expected: 0,
            rounds: VecDeque::new(),
            spares: Vec::new(),
        }
    }

    pub(super) const fn seal_at(&mut self, items: usize) {
        self.seal_at = items;
    }

    pub(super) const fn items(&self) -> u64 {
        self.items
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn seen(&self) -> Queue {
        let oldest = self.sealed.front().unwrap_or(&self.open).first_at;
        Queue { items: self.items, bytes: self.bytes, oldest: (self.items > 0).then_some(oldest) }
    }

    /// Adds an item; the clock is asked only if it begins a vector.
    #[inline]
    pub(super) fn push(&mut self, item: T, bytes: u32, now: impl FnOnce() -> Moment) {
        let waiting = self.open.items.len();
        // The usual case: an item without bytes, in the middle of a vector of such.
        let plain = bytes == 0 && self.open.sizes.is_empty();
        if !plain || waiting == 0 || waiting >= self.seal_at {
            self.prepare(bytes, now);
        }
        self.open.items.push(item);
        self.items += 1;
    }

    /// Adds the first `items` of a stash, in one go if none has bytes.
    pub(super) fn extend(
        &mut self,
        stash: &mut Reader<T>,
        mut items: usize,
        mut now: impl FnMut() -> Moment,
    ) {
        if stash.is_sized() || !self.open.sizes.is_empty() {
            for (item, bytes) in std::iter::from_fn(|| stash.pop()).take(items) {
                self.push(item, bytes, &mut now);
            }
            return;
        }
        while items > 0 {
            if self.open.items.is_empty() || self.open.items.len() >= self.seal_at {
                self.prepare(0, &mut now);
            }
            let free = self.seal_at - self.open.items.len();
            let moved = stash.move_to(&mut self.open.items, items.min(free));
            if moved == 0 {
                return;
            }
            self.items += moved as u64;
            items -= moved;
        }
    }

    #[cold]
    fn prepare(&mut self, bytes: u32, now: impl FnOnce() -> Moment) {
        let over = self.open.bytes + u64::from(bytes) > self.bytes_max;
        if self.open.items.len() >= self.seal_at || (over && !self.open.items.is_empty()) {
            let chunk = self.swap_open();
            self.sealed.push_back(chunk);
        }
        if self.open.items.is_empty() {
            self.open.first_at = now();
            if self.open.items.capacity() == 0
                && let Some(spare) = self.spares.pop()
            {
                self.open.items = spare;
            }
            // While producers are ahead of the driver each vector is filled.
            let expected = if self.sealed.is_empty() { self.expected } else { self.seal_at };
            self.open.items.reserve(expected.min(self.seal_at));
        }
        if bytes > 0 {
            self.open.sizes.resize(self.open.items.len(), 0);
            self.open.sizes.push(bytes);
            self.open.bytes += u64::from(bytes);
            self.bytes += u64::from(bytes);
        } else if !self.open.sizes.is_empty() {
            self.open.sizes.push(0);
        }
    }

    /// A place for the outcome of the item that was pushed last.
    #[inline]
    pub(super) fn place(&mut self, waker: Waker) -> Place<O> {
        let position = self.open.items.len().saturating_sub(1);
        let (rounds, expected) = (&mut self.rounds, self.expected);
        self.open.group.get_or_insert_with(|| free_round(rounds, expected)).note(position, waker)
    }

    /// A place for the outcome of an item that did not wait in line.
    pub(super) fn lone(&mut self) -> (Groups<O>, Place<O>) {
        let mut group = free_round(&mut self.rounds, 1);
        // The submitter leaves its waker when it looks for the outcome.
        let place = group.note(0, Waker::noop().clone());
        (Groups { first: Some(group), more: Vec::new() }, place)
    }

    /// Emptied vectors, for later batches, as far as they are needed.
    pub(super) fn refill(&mut self, spares: &mut Vec<Vec<T>>) {
        while self.spares.len() < KEPT
            && let Some(spare) = spares.pop()
        {
            self.spares.push(spare);
        }
    }

    /// A round that is done, for a later batch.
    pub(super) fn keep(&mut self, round: Group<O>) {
        if self.rounds.len() < ROUNDS_KEPT {
            self.rounds.push_back(round);
        }
    }

    fn swap_open(&mut self) -> Chunk<T, O> {
        std::mem::replace(&mut self.open, Chunk::with_capacity(0))
    }

    /// Cuts a batch off the head. A first item over the bytes goes alone.
    pub(super) fn take(&mut self, cut: Cut) -> Taken<T, O> {
        let items_max = cut.items_max as usize;
        let mut head = self.sealed.pop_front().unwrap_or_else(|| self.swap_open());
        let fitting = head.fitting(items_max, cut.bytes_max).max(1);
        let mut more = Vec::new();
        if fitting < head.items.len() {
            let first = head.split(fitting);
            self.sealed.push_front(std::mem::replace(&mut head, first));
        } else {
            self.fill_up(&mut head, items_max, cut.bytes_max, &mut more);
        }
        self.expected = head.items.len();
        self.items -= head.items.len() as u64;
        self.bytes -= head.bytes;
        let groups = Groups { first: head.group, more };
        Taken { items: head.items, bytes: head.bytes, groups }
    }

    /// Takes the first vector as it is, when nothing will be sent any more.
    pub(super) fn take_all(&mut self) -> Taken<T, O> {
        let head = self.sealed.pop_front().unwrap_or_else(|| self.swap_open());
        self.items -= head.items.len() as u64;
        self.bytes -= head.bytes;
        let groups = Groups { first: head.group, more: Vec::new() };
        Taken { items: head.items, bytes: head.bytes, groups }
    }

    /// Moves items from the vectors behind `head` into it, as many as fit.
    fn fill_up(
        &mut self,
        head: &mut Chunk<T, O>,
        items_max: usize,
        bytes_max: u64,
        more: &mut Vec<Group<O>>,
    ) {
        while head.items.len() < items_max {
            let (items, bytes) =
                (items_max - head.items.len(), bytes_max.saturating_sub(head.bytes));
            let next = self.sealed.front_mut().unwrap_or(&mut self.open);
            let fitting = next.fitting(items, bytes);
            if fitting == 0 {
                return;
            }
            let all = fitting == next.items.len();
            let mut moved = if all {
                self.sealed.pop_front().unwrap_or_else(|| self.swap_open())
            } else {
                next.split(fitting)
            };
            if let Some(mut group) = moved.group.take() {
                group.move_by(head.items.len());
                more.push(group);
            }
            head.items.append(&mut moved.items);
            head.bytes += moved.bytes;
        }
    }
}

/// A round that nobody looks at any more, or a new one for as many submitters as are expected.
fn free_round<O>(rounds: &mut VecDeque<Group<O>>, expected: usize) -> Group<O> {
    for _ in 0..rounds.len().min(ROUNDS_LOOKED_AT) {
        let Some(mut round) = rounds.pop_front() else { break };
        if round.reuse() {
            return round;
        }
        rounds.push_back(round);
    }
    Group::with_capacity(expected)
}

impl<O> Groups<O> {
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Group<O>> {
        self.first.iter_mut().chain(&mut self.more)
    }

    /// How many submitters wait for one of the items.
    pub(super) fn waiters(&self) -> usize {
        self.first.iter().chain(&self.more).map(Group::waiters).sum()
    }

    /// Hands everybody the result of their own item, and wakes them.
    pub(super) fn settle(&mut self, mut results: Results<O>, items: usize) {
        match &mut self.first {
            Some(only) if self.more.is_empty() && only.is_whole() => {
                only.settle_whole(results, items);
            }
            _ => {
                for group in self.iter_mut() {
                    group.settle(|position| results.take(position, items));
                }
                // Values that nobody fetches are dropped before anybody is woken.
                drop(results);
            }
        }
        if let Some(first) = &mut self.first {
            first.wake();
        }
        self.more.iter_mut().for_each(Group::wake);
    }

    /// The submitters of the first `items` items.
    pub(super) fn split(&mut self, items: usize) -> Self {
        let first = self.first.as_mut().and_then(|group| group.split(items));
        let more = self.more.iter_mut().filter_map(|group| group.split(items)).collect();
        Self { first, more }
    }

    /// The round that can be used again; the others are rare.
    pub(super) fn into_first(self) -> Option<Group<O>> {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use proptest::prelude::*;

    use super::*;
    use crate::FlushReason;

    proptest! {
        /// Invariant: however the plan changes, batches are the items in order, within their
        /// bounds, as large as those allow, and each submitter's place belongs to its own item.
        #[test]
        fn batches_are_the_line_cut_anew(
            steps in proptest::collection::vec(
                (0..4u8, 0..40u32, 1..20u32, any::<bool>()), 0..200,
            ),
        ) {
            let mut line = Line::<u64, u64>::new(5, 100);
            let (mut model, mut places) = (VecDeque::new(), Vec::new());
            let mut next = 0u64;
            let mut now = Moment::ZERO;
            for (what, bytes, size, submits) in steps {
                now = Moment::from_nanos(now.as_nanos() + 1);
                if what < 3 {
                    let bytes = if what == 0 { bytes } else { 0 };
                    line.push(next, bytes, || now);
                    if submits {
                        places.push((next, line.place(Waker::noop().clone())));
                    }
                    model.push_back((next, u64::from(bytes), now));
                    next += 1;
                } else if !model.is_empty() {
                    line.seal_at(size as usize);
                    let cut = Cut { items_max: size, bytes_max: 100, reason: FlushReason::Size };
                    let Taken { items, bytes, mut groups } = line.take(cut);
                    let mut expected = Vec::new();
                    let mut sum = 0;
                    while expected.len() < size as usize
                        && let Some((item, bytes, _)) = model.front()
                        && sum + bytes <= 100
                    {
                        sum += bytes;
                        expected.push(*item);
                        model.pop_front();
                    }
                    prop_assert_eq!(&items, &expected);
                    prop_assert_eq!(bytes, sum);
                    groups.settle(Results::Values(items.iter().copied().map(Some).collect()), items.len());
                    if let Some(round) = groups.into_first() {
                        line.keep(round);
                    }
                }
                let seen = line.seen();
                prop_assert_eq!(seen.items, model.len() as u64);
                prop_assert_eq!(seen.bytes, model.iter().map(|(_, bytes, _)| bytes).sum::<u64>());
                // Never later than the truth, so nothing waits for longer than its linger.
                let oldest = model.front().map(|(_, _, at)| *at);
                prop_assert_eq!(seen.oldest.is_some(), oldest.is_some());
                prop_assert!(seen.oldest <= oldest);
                let cx = std::task::Context::from_waker(Waker::noop());
                let waiting = |item: u64| model.front().is_some_and(|(first, ..)| item >= *first);
                let mut wrong = None;
                places.retain_mut(|(item, place)| {
                    let expected = if waiting(*item) { Poll::Pending } else { Poll::Ready(Ok(*item)) };
                    let found = place.poll(&cx);
                    if found != expected {
                        wrong = Some(*item);
                    }
                    found.is_pending()
                });
                prop_assert_eq!(wrong, None);
            }
        }
    }
}
