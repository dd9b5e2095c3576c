//! How does a submitter hear of its own item? From a slot in a round that its batch shares.
//!
//! A channel for each item would cost an allocation for each item. A round is one allocation for a
//! batch, and comes back for a later one. The submitter's waker is noted with its item, under the
//! lock that is held for that anyway; only a submitter that is polled again meanwhile (because it
//! is one of several futures of a task) comes here to leave its waker. When the batch is done each
//! slot gets its result under the round's lock; wakers are called after it is released.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::error::Failure;

/// The slots of items that were submitted into one batch.
#[derive(Debug)]
pub(super) struct Round<O> {
    /// As many as were asked for so far.
    slots: Mutex<Vec<Slot<O>>>,
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
    fetched: bool,
}

/// An item's submitter, as the batch sees it.
#[derive(Debug)]
pub(super) struct Waiter {
    /// The item's position in its batch.
    pub(super) position: u32,
    pub(super) slot: u32,
    pub(super) waker: Waker,
}

/// The submitters of one batch that share one round.
#[derive(Debug)]
pub(super) struct Group<O> {
    pub(super) round: Arc<Round<O>>,
    /// In order of their positions.
    pub(super) waiters: Vec<Waiter>,
    /// Slots given out in the round.
    pub(super) slots: u32,
}

impl<O> Round<O> {
    fn lock(&self) -> MutexGuard<'_, Vec<Slot<O>>> {
        // A value's own drop may panic here; the slots are valid all the same.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot<O>(slots: &mut Vec<Slot<O>>, number: u32) -> Option<&mut Slot<O>> {
    let number = number as usize;
    if slots.len() <= number {
        slots.resize_with(number + 1, || Slot::Open(None));
    }
    slots.get_mut(number)
}

impl<O> Default for Group<O> {
    fn default() -> Self {
        let round = Arc::new(Round { slots: Mutex::default() });
        Self { round, waiters: Vec::new(), slots: 0 }
    }
}

impl<O> Group<O> {
    /// Notes the submitter of the item at `position`, which comes after all noted before.
    pub(super) fn note(&mut self, position: usize, waker: Waker) -> Place<O> {
        let slot = self.slots;
        self.slots += 1;
        // A batch has at most 1,000,000 items.
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        self.waiters.push(Waiter { position, slot, waker });
        Place { round: Arc::clone(&self.round), slot, fetched: false }
    }

    /// Hands each submitter its result; afterwards the wakers are to be called.
    pub(super) fn settle(&mut self, mut result: impl FnMut(usize) -> Result<O, Failure>) {
        let mut slots = self.round.lock();
        for waiter in &mut self.waiters {
            let Some(slot) = slot(&mut slots, waiter.slot) else { continue };
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

    /// The same round for another batch, if no submitter looks at it any more.
    pub(super) fn reuse(mut self) -> Option<Self> {
        let round = Arc::get_mut(&mut self.round)?;
        round.slots.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        self.waiters.clear();
        self.slots = 0;
        Some(self)
    }

    /// The items come after `items` others in their batch.
    pub(super) fn move_by(&mut self, items: usize) {
        for waiter in &mut self.waiters {
            waiter.position =
                waiter.position.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
        }
    }

    /// The submitters of the first `items` items, which leave their chunk.
    pub(super) fn split(&mut self, items: usize) -> Option<Self> {
        let first = self.waiters.partition_point(|waiter| (waiter.position as usize) < items);
        let rest = self.waiters.split_off(first);
        let gone = std::mem::replace(&mut self.waiters, rest);
        for waiter in &mut self.waiters {
            waiter.position -= u32::try_from(items).unwrap_or(waiter.position);
        }
        let round = Arc::clone(&self.round);
        (!gone.is_empty()).then_some(Self { round, waiters: gone, slots: self.slots })
    }
}

impl<O> Place<O> {
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<O, Failure>> {
        let mut slots = self.round.lock();
        let Some(slot) = slot(&mut slots, self.slot) else { return Poll::Pending };
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
}

/// The submitter is gone, with its result or before it.
impl<O> Drop for Place<O> {
    fn drop(&mut self) {
        if self.fetched {
            return;
        }
        let gone =
            slot(&mut self.round.lock(), self.slot).map(|slot| std::mem::replace(slot, Slot::Left));
        // A result that nobody fetched is dropped outside of the lock.
        drop(gone);
    }
}
