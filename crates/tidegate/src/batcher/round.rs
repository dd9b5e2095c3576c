//! How does a submitter hear of its own item? From a round that its batch's submitters share.
//!
//! A channel for each item would cost an allocation for each item. A round is one allocation for a
//! batch, and comes back for a later one. The submitter's waker is noted with its item, under the
//! lock that is held for that anyway; only a submitter that is polled again meanwhile (because it
//! is one of several futures of a task) comes here to leave its waker.
//!
//! When the batch is done, what the handler answered goes into the round as it is, which costs the
//! same for one submitter as for a thousand, and each takes its own out of it. Only when a batch
//! was cut from several vectors, or a vector went into several batches, is each result put into a
//! slot of its own. Wakers are called after the round's lock is released.

use std::task::{Context, Poll, Waker};

use super::answer::Results;
use super::error::Failure;
use super::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the submitters of one vector share.
#[derive(Debug)]
pub(super) struct Round<O> {
    contents: Mutex<Contents<O>>,
}

#[derive(Debug)]
struct Contents<O> {
    /// What the whole batch was answered, and how many items it had.
    whole: Option<(Results<O>, usize)>,
    /// Slots as far as somebody needed one.
    slots: Vec<Slot<O>>,
}

#[derive(Debug)]
enum Slot<O> {
    /// Nothing happened yet; with a later waker than the one noted with the item.
    Open(Option<Waker>),
    Done(Result<O, Failure>),
    /// The result was fetched, or nobody will fetch it.
    Left,
}

/// A submitter's place in its batch.
#[derive(Debug)]
pub(super) struct Place<O> {
    round: Arc<Round<O>>,
    slot: u32,
    /// The item's position in the vector that it was added to.
    position: u32,
    fetched: bool,
}

/// An item's submitter, as the batch sees it.
#[derive(Debug)]
pub(super) struct Waiter {
    /// The item's position in its batch.
    position: u32,
    slot: u32,
    waker: Waker,
}

/// The submitters of one batch that share one round.
#[derive(Debug)]
pub(super) struct Group<O> {
    round: Arc<Round<O>>,
    /// In order of their positions.
    waiters: Vec<Waiter>,
    /// Slots given out in the round.
    slots: u32,
    /// Whether their positions are still those that they know of themselves, and nobody else has
    /// a place in the round.
    whole: bool,
}

impl<O> Round<O> {
    fn lock(&self) -> MutexGuard<'_, Contents<O>> {
        // A value's own drop may panic here; the contents are valid all the same.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> Contents<O> {
    fn slot(&mut self, number: u32) -> Option<&mut Slot<O>> {
        let number = number as usize;
        if self.slots.len() <= number {
            self.slots.resize_with(number + 1, || Slot::Open(None));
        }
        self.slots.get_mut(number)
    }
}

impl<O> Group<O> {
    /// Nobody yet, and room for so many.
    pub(super) fn with_capacity(waiters: usize) -> Self {
        let contents = Mutex::new(Contents { whole: None, slots: Vec::new() });
        let (round, waiters) = (Arc::new(Round { contents }), Vec::with_capacity(waiters));
        Self { round, waiters, slots: 0, whole: true }
    }

    /// Notes the submitter of the item at `position`, which comes after all noted before.
    #[inline]
    pub(super) fn note(&mut self, position: usize, waker: Waker) -> Place<O> {
        let slot = self.slots;
        self.slots += 1;
        // A batch has at most 1,000,000 items.
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        self.waiters.push(Waiter { position, slot, waker });
        Place { round: Arc::clone(&self.round), slot, position, fetched: false }
    }

    /// How many wait.
    pub(super) const fn waiters(&self) -> usize {
        self.waiters.len()
    }

    /// Whether [`Self::settle_whole`] may be called.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Hands the answer of the whole batch to its submitters, who are all in this group; afterwards
    /// the wakers are to be called.
    pub(super) fn settle_whole(&mut self, mut results: Results<O>, items: usize) {
        let mut unwanted = Vec::new();
        let mut contents = self.round.lock();
        if !contents.slots.is_empty() {
            for waiter in &mut self.waiters {
                match contents.slots.get_mut(waiter.slot as usize) {
                    Some(Slot::Open(later)) => {
                        if let Some(later) = later.take() {
                            waiter.waker = later;
                        }
                    }
                    // Nobody will come for it, so it must not lie here until the round is reused.
                    Some(Slot::Left) => {
                        unwanted.push(results.discard(waiter.position as usize));
                    }
                    Some(Slot::Done(_)) | None => {}
                }
            }
        }
        contents.whole = Some((results, items));
        drop(contents);
        drop(unwanted);
    }

    /// Hands each submitter its result; afterwards the wakers are to be called.
    pub(super) fn settle(&mut self, mut result: impl FnMut(usize) -> Result<O, Failure>) {
        let mut contents = self.round.lock();
        for waiter in &mut self.waiters {
            let Some(slot) = contents.slot(waiter.slot) else { continue };
            match slot {
                Slot::Open(later) => {
                    if let Some(later) = later.take() {
                        waiter.waker = later;
                    }
                    *slot = Slot::Done(result(waiter.position as usize));
                }
                Slot::Done(_) | Slot::Left => {}
            }
        }
    }

    /// Wakes all submitters, and forgets them.
    pub(super) fn wake(&mut self) {
        for waiter in self.waiters.drain(..) {
            waiter.waker.wake();
        }
    }

    /// Makes the round ready for another batch, if no submitter looks at it any more.
    pub(super) fn reuse(&mut self) -> bool {
        let Some(round) = Arc::get_mut(&mut self.round) else { return false };
        let contents = round.contents.get_mut().unwrap_or_else(PoisonError::into_inner);
        contents.whole = None;
        contents.slots.clear();
        self.waiters.clear();
        (self.slots, self.whole) = (0, true);
        true
    }

    /// The items come after `items` others in their batch.
    pub(super) fn move_by(&mut self, items: usize) {
        self.whole = false;
        for waiter in &mut self.waiters {
            waiter.position =
                waiter.position.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
        }
    }

    /// The submitters of the first `items` items, which leave their chunk.
    pub(super) fn split(&mut self, items: usize) -> Option<Self> {
        self.whole = false;
        let first = self.waiters.partition_point(|waiter| (waiter.position as usize) < items);
        let rest = self.waiters.split_off(first);
        let gone = std::mem::replace(&mut self.waiters, rest);
        for waiter in &mut self.waiters {
            waiter.position -= u32::try_from(items).unwrap_or(waiter.position);
        }
        let round = Arc::clone(&self.round);
        (!gone.is_empty()).then_some(Self { round, waiters: gone, slots: self.slots, whole: false })
    }
}

impl<O> Place<O> {
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<O, Failure>> {
        let mut contents = self.round.lock();
        if let Some((results, items)) = &mut contents.whole {
            let result = results.take(self.position as usize, *items);
            self.fetched = true;
            return Poll::Ready(result);
        }
        let Some(slot) = contents.slot(self.slot) else { return Poll::Pending };
        match std::mem::replace(slot, Slot::Left) {
            Slot::Done(result) => {
                self.fetched = true;
                Poll::Ready(result)
            }
            Slot::Open(_) => {
                *slot = Slot::Open(Some(cx.waker().clone()));
                Poll::Pending
            }
            // Polled again after it was ready, which a future need not survive.
            Slot::Left => Poll::Pending,
        }
    }

    /// The submitter leaves without its result.
    #[cold]
    fn leave(&self) {
        let mut contents = self.round.lock();
        let unwanted = match &mut contents.whole {
            Some((results, _)) => results.discard(self.position as usize),
            None => None,
        };
        let slot = contents.slot(self.slot);
        let slot = slot.map(|slot| std::mem::replace(slot, Slot::Left));
        drop(contents);
        // A result that nobody fetched is dropped outside of the lock.
        drop((unwanted, slot));
    }
}

impl<O> Drop for Place<O> {
    #[inline]
    fn drop(&mut self) {
        if !self.fetched {
            self.leave();
        }
    }
}
