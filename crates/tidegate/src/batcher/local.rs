//! How does a hot producer add without the lock? Into a small buffer of its own.
//!
//! The buffer is a [stash](super::stash) of [`BUFFERED_MAX`] items with one writer. The owner adds
//! without a lock; whoever holds the batcher's lock may take: the owner when the stash is full, the
//! driver when the items have been there for the linger. So no item depends on its owner to come
//! back, and all of them move into the line in one copy.
//!
//! When the owner has added the only item of its stash it enlists with the driver, under the lock,
//! which is two locks for 64 items. The owner may take a stash for occupied that the driver is just
//! emptying, and not enlist: therefore a stash in which the driver found something stays enlisted
//! for one more period, and only an empty one is taken off the list.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::AddError;
use super::queue::{Open, Shared};
use super::stash::{Reader, SLOTS, Writer, stash};
use super::{Batcher, Clock};
use crate::Moment;

/// The most items that a [`Local`] holds back.
///
/// ```
/// assert_eq!(tidegate::batcher::BUFFERED_MAX, 64);
/// ```
pub const BUFFERED_MAX: usize = SLOTS;

/// The shortest time after which the driver looks into stashes.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// A handle for one hot producer: it adds without a lock, into a buffer of its own.
///
/// Made by [`Batcher::local`]. At most [`BUFFERED_MAX`] items stay in the buffer, which is beyond
/// [`queue_items`](super::Builder::queue_items), and none of them for longer than the plan's linger
/// (or 1 ms, if that is longer) while there is room in the queue: the batcher fetches them, also if
/// the producer never comes back. They leave at once when the buffer is full, with
/// [`flush`](Self::flush), with the batcher's own `flush` and `close`, and when the handle is
/// dropped.
///
/// ```
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|rows: Vec<u64>| async move { drop(rows) })?;
/// let mut local = batcher.local();
/// for row in 0..10_000 {
///     local.add(row).await?; // waits while the queue is full
/// }
/// drop(local);
/// assert_eq!(batcher.close().await.delivered, 10_000);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct Local<T: Send + 'static, O: Send + 'static = ()> {
    batcher: Batcher<T, O>,
    stash: Writer<T>,
    number: usize,
}

/// The reading ends of all stashes, behind the batcher's lock.
#[derive(Debug)]
pub(super) struct Locals<T> {
    /// By number; a number that is free again is given to the next.
    stashes: Vec<Option<Reader<T>>>,
    /// Stashes in which something may be.
    enlisted: Vec<usize>,
    /// Since when the first of them is on the list.
    since: Option<Moment>,
}

impl<T> Default for Locals<T> {
    fn default() -> Self {
        Self { stashes: Vec::new(), enlisted: Vec::new(), since: None }
    }
}

impl<T> Locals<T> {
    fn insert(&mut self, stash: Reader<T>) -> usize {
        if let Some(number) = self.stashes.iter().position(Option::is_none)
            && let Some(free) = self.stashes.get_mut(number)
        {
            *free = Some(stash);
            return number;
        }
        self.stashes.push(Some(stash));
        self.stashes.len() - 1
    }

    fn stash(&mut self, number: usize) -> Option<&mut Reader<T>> {
        self.stashes.get_mut(number)?.as_mut()
    }

    fn remove(&mut self, number: usize) -> Option<Reader<T>> {
        self.stashes.get_mut(number)?.take()
    }

    /// When the driver has to look into the stashes.
    pub(super) fn due(&self, linger: Duration) -> Option<Moment> {
        self.since.map(|since| since + linger.max(PERIOD_MIN))
    }
}

impl<T, O> Open<T, O> {
    /// Moves items of a stash into the line, as far as there is room, or in spite of it.
    fn empty(&mut self, number: usize, forced: bool, clock: &Clock) -> usize {
        let now = self.arrivals(clock);
        let Some(Some(stash)) = self.locals.stashes.get_mut(number) else { return 0 };
        let held = stash.len();
        let bytes = stash.bytes(held);
        if forced {
            self.room.take(held, bytes);
        }
        let mut moved = 0;
        if forced || self.room.enter_all(held, bytes) {
            self.line.extend(stash, held, &now);
            moved = held;
        } else {
            // There is not room for all of them, but maybe for some.
            while moved < held
                && let Some(bytes) = stash.first()
                && self.room.enter(bytes)
                && let Some((item, bytes)) = stash.pop()
            {
                self.line.push(item, bytes, &now);
                moved += 1;
            }
        }
        self.added += moved as u64;
        moved
    }

    /// Fetches what is in the stashes on the list, as far as there is room.
    pub(super) fn sweep(&mut self, clock: &Clock) {
        let mut numbers = std::mem::take(&mut self.locals.enlisted);
        numbers.retain(|number| {
            let found = self.empty(*number, false, clock) > 0;
            found || self.locals.stash(*number).is_some_and(|stash| stash.len() > 0)
        });
        self.locals.since = (!numbers.is_empty()).then(|| clock.now());
        self.locals.enlisted = numbers;
    }

    /// Fetches what is in any stash; forced, in spite of the room.
    pub(super) fn sweep_all(&mut self, forced: bool, clock: &Clock) {
        for number in 0..self.locals.stashes.len() {
            self.empty(number, forced, clock);
        }
        if forced {
            // Nobody enlists any more, so there is nothing to look for later.
            self.locals.enlisted.clear();
            self.locals.since = None;
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> Local<T, O> {
    pub(super) fn new(batcher: Batcher<T, O>) -> Self {
        let (stash, reader) = stash();
        let number = {
            let mut open = batcher.shared.lock();
            open.locals.insert(reader)
        };
        Self { batcher, stash, number }
    }

    /// Adds an item that weighs nothing in bytes. Waits while the buffer and the queue are full.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, this item was not added, and those
    /// before it stay in the buffer.
    ///
    /// # Errors
    ///
    /// [`AddError::Closed`] after the batcher was closed. An item that was buffered at the same
    /// moment is delivered if the batcher is still draining, and else counted in
    /// [`Stats::failed`](super::Stats::failed) and given up.
    #[inline]
    pub async fn add(&mut self, item: T) -> Result<(), AddError> {
        match self.stash.push(item) {
            Ok(false) => Ok(()),
            Ok(true) => self.enlist(),
            Err(item) => self.add_to_full(item, 0).await,
        }
    }

    /// Adds an item of `bytes` serialized bytes. Waits while the buffer and the queue are full.
    ///
    /// Cancel-safe, as [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`AddError::TooLarge`] for an item that no batch could hold, [`AddError::Closed`] as with
    /// [`add`](Self::add).
    pub async fn add_sized(&mut self, item: T, bytes: u64) -> Result<(), AddError> {
        let entry = self.batcher.shared.entry(item, bytes, false).map_err(|(_, why)| why)?;
        match self.stash.push_sized(entry.item, entry.bytes) {
            Ok(false) => Ok(()),
            Ok(true) => self.enlist(),
            Err(item) => self.add_to_full(item, entry.bytes).await,
        }
    }

    /// Hands over what is buffered, then adds the item.
    #[cold]
    async fn add_to_full(&mut self, mut item: T, bytes: u32) -> Result<(), AddError> {
        // Once for a full buffer, so a producer that never waits lets others run.
        tokio::task::coop::consume_budget().await;
        loop {
            self.make_room().await?;
            match self.stash.push_sized(item, bytes) {
                Ok(false) => return Ok(()),
                Ok(true) => return self.enlist(),
                Err(back) => item = back,
            }
        }
    }

    /// Hands over what is buffered. Waits while the queue is full. It is the batcher's own `flush`
    /// that waits for outcomes.
    ///
    /// # Errors
    ///
    /// [`AddError::Closed`] if the batcher was closed, and done, before.
    pub async fn flush(&mut self) -> Result<(), AddError> {
        while self.buffered() > 0 {
            self.make_room().await?;
        }
        Ok(())
    }

    /// Items in the buffer.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.stash.len()
    }

    /// Tells the driver that there is an item in the stash, which was empty.
    #[cold]
    fn enlist(&self) -> Result<(), AddError> {
        let shared = &self.batcher.shared;
        let mut open = shared.lock();
        if open.closed {
            // The item comes back out, so that the error is the truth.
            let back = open.locals.stash(self.number).and_then(Reader::pop);
            drop(open);
            return if back.is_some() { Err(AddError::Closed) } else { Ok(()) };
        }
        let first = open.locals.since.is_none();
        if first {
            open.locals.since = Some(shared.clock.now());
        }
        if !open.locals.enlisted.contains(&self.number) {
            open.locals.enlisted.push(self.number);
        }
        drop(open);
        shared.at_edge(first);
        Ok(())
    }

    fn make_room(&mut self) -> MakeRoom<'_, T, O> {
        let Self { batcher, stash, number } = self;
        MakeRoom { shared: &batcher.shared, stash, number: *number, waits: None }
    }
}

impl<T: Send + 'static, O: Send + 'static> Drop for Local<T, O> {
    fn drop(&mut self) {
        let shared = &self.batcher.shared;
        let mut open = shared.lock();
        if !open.over {
            open.empty(self.number, true, &shared.clock);
        }
        let left = open.locals.remove(self.number);
        let edge = open.at_edge();
        drop(open);
        shared.at_edge(edge);
        if let Some(mut stash) = left {
            shared.lose(std::iter::from_fn(|| stash.pop().map(|(item, _)| item)));
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> std::fmt::Debug for Local<T, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("buffered", &self.buffered()).finish_non_exhaustive()
    }
}

/// Resolves when items of the stash went into the line. They stay in the stash while it waits.
struct MakeRoom<'a, T, O> {
    shared: &'a Shared<T, O>,
    stash: &'a mut Writer<T>,
    number: usize,
    /// The number in line for room, and the bytes it is for.
    waits: Option<(u64, u64)>,
}

impl<T, O> Future for MakeRoom<'_, T, O> {
    type Output = Result<(), AddError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut open = this.shared.lock();
        let Some(stash) = open.locals.stash(this.number) else { return Poll::Ready(Ok(())) };
        let Some(bytes) = stash.first() else {
            // The driver was here before.
            stash.rewind(this.stash);
            return Poll::Ready(Ok(()));
        };
        if open.over {
            return Poll::Ready(Err(AddError::Closed));
        }
        // While it drains there is room for what was promised.
        let forced = open.closed;
        let mut next = None;
        if let Some((waits, for_bytes)) = this.waits {
            let (may, woken) = open.room.retry(waits, cx.waker());
            next = woken;
            if !may && !forced {
                drop(open);
                next.into_iter().for_each(std::task::Waker::wake);
                return Poll::Pending;
            }
            if may {
                // The driver may have been here, so the room is taken anew by what is first now.
                this.waits = None;
                let again = open.room.give_back(1, for_bytes);
                next = next.or(again);
            }
        }
        if open.empty(this.number, forced, &this.shared.clock) == 0 {
            this.waits = Some((open.room.wait(bytes, cx.waker().clone()), bytes));
            drop(open);
            next.into_iter().for_each(std::task::Waker::wake);
            return Poll::Pending;
        }
        if let Some(stash) = open.locals.stash(this.number) {
            stash.rewind(this.stash);
        }
        let edge = open.at_edge();
        drop(open);
        this.shared.at_edge(edge);
        next.into_iter().for_each(std::task::Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl<T, O> Drop for MakeRoom<'_, T, O> {
    fn drop(&mut self) {
        if let Some((waits, _)) = self.waits {
            self.shared.leave(waits);
        }
    }
}
