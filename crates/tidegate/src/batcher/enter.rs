//! How does a producer get in, with or without waiting, with or without its outcome?
//!
//! Two futures, written by hand so that an item that finds room touches the lock once: [`Enter`]
//! resolves when the item is in line, [`Submit`] when it has its outcome. Dropping one that waits
//! in line takes its item along, and passes on the turn it may have had.

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::task::coop;

use super::error::{AddError, SubmitError};
use super::lone::Lone;
use super::queue::{Entered, Entry, Shared};
use super::round::Place;
use super::sync::atomic::Ordering;

/// A producer that always finds room pays with its share of the runtime once for so many items:
/// they cost about as much as one message in a channel does.
const ITEMS_A_SHARE: u32 = 8;
const _: () = assert!(ITEMS_A_SHARE.is_power_of_two());

thread_local! {
    static ITEMS: Cell<u32> = const { Cell::new(0) };
}

/// Whether a producer is to pay for its items now.
#[inline]
pub(super) fn pays() -> bool {
    ITEMS.with(|items| {
        let count = items.get().wrapping_add(1);
        items.set(count);
        count & (ITEMS_A_SHARE - 1) == 0
    })
}

/// Whether a submitter may have its outcome at once, which costs it a part of its share of the
/// runtime: with none left it goes the other way, and others run.
fn pays_alone(cx: &mut Context<'_>) -> bool {
    if !coop::has_budget_remaining() {
        return false;
    }
    let Poll::Ready(paid) = coop::poll_proceed(cx) else { return false };
    paid.made_progress();
    true
}

/// Resolves when an item that found no room is in line.
pub(super) struct Enter<'a, T, O> {
    shared: &'a Shared<T, O>,
    entry: Option<Entry<T>>,
    /// The place in line for room.
    number: Option<u64>,
}

impl<'a, T, O> Enter<'a, T, O> {
    pub(super) const fn new(shared: &'a Shared<T, O>, entry: Entry<T>) -> Self {
        Self { shared, entry: Some(entry), number: None }
    }
}

/// Nothing in here is ever pinned.
impl<T, O> Unpin for Enter<'_, T, O> {}

impl<T, O> Future for Enter<'_, T, O> {
    type Output = Result<(), AddError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(entry) = this.entry.take() else { return Poll::Pending };
        let waits = wait(this.shared, entry, &mut this.number, cx.waker(), false);
        match waits {
            Waits::In(_) => Poll::Ready(Ok(())),
            Waits::Still(entry) => {
                this.entry = Some(entry);
                Poll::Pending
            }
            Waits::Closed => Poll::Ready(Err(AddError::Closed)),
        }
    }
}

impl<T, O> Drop for Enter<'_, T, O> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.leave(number);
        }
    }
}

/// What came of waiting for room.
enum Waits<T, O> {
    In(Option<Place<O>>),
    Still(Entry<T>),
    Closed,
}

/// Waits in line for room: once to get a number, then once for each time that it is woken.
#[cold]
fn wait<T, O>(
    shared: &Shared<T, O>,
    entry: Entry<T>,
    number: &mut Option<u64>,
    waker: &Waker,
    submits: bool,
) -> Waits<T, O> {
    let (entered, place) = match *number {
        Some(number) => shared.retry(entry, number, waker, submits),
        None => shared.queue_up(entry, waker, submits, number),
    };
    match entered {
        Entered::Full(entry) => Waits::Still(entry),
        Entered::In => {
            *number = None;
            Waits::In(place)
        }
        Entered::Closed(entry) => {
            *number = None;
            drop(entry);
            Waits::Closed
        }
    }
}

/// The future of [`Batcher::submit`](super::Batcher::submit): resolves to the item's own outcome.
///
/// The item is added at the first poll. What happens if it is dropped is told there.
///
/// ```
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|_: Vec<u64>| async {})?;
/// let (one, other) = tokio::join!(batcher.submit(1), batcher.submit(2));
/// assert_eq!((one, other), (Ok(()), Ok(())));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a future does nothing unless it is awaited"]
pub struct Submit<'a, T, O>(Submitted<&'a Shared<T, O>, T, O>);

impl<'a, T, O> Submit<'a, T, O> {
    #[inline]
    pub(super) fn new(shared: &'a Shared<T, O>, entry: Result<Entry<T>, AddError>) -> Self {
        Self(Submitted::new(shared, entry))
    }
}

impl<T, O> Submit<'_, T, O> {
    /// Whether the item is in the queue, or beyond.
    pub(super) const fn is_inside(&self) -> bool {
        self.0.is_inside()
    }
}

impl<T, O> Future for Submit<'_, T, O> {
    type Output = Result<O, SubmitError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T, O> fmt::Debug for Submit<'_, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").finish_non_exhaustive()
    }
}

/// The same, over anything that keeps the batcher alive for so long.
pub(super) struct Submitted<S: Borrow<Shared<T, O>>, T, O> {
    shared: S,
    /// The item, until it is in the queue, or why it never will be.
    entry: Option<Result<Entry<T>, AddError>>,
    /// Where its outcome will be.
    place: Option<Place<O>>,
    /// The place in line for room.
    number: Option<u64>,
}

impl<S: Borrow<Shared<T, O>>, T, O> Submitted<S, T, O> {
    #[inline]
    pub(super) fn new(shared: S, entry: Result<Entry<T>, AddError>) -> Self {
        Self { shared, entry: Some(entry), place: None, number: None }
    }

    /// Whether the item is in the queue, or beyond.
    pub(super) const fn is_inside(&self) -> bool {
        !matches!(self.entry, Some(Ok(_)))
    }

    #[inline]
    fn enter(&mut self, entry: Entry<T>, cx: &mut Context<'_>) -> Poll<Result<O, SubmitError>> {
        let shared = self.shared.borrow();
        let entry = if self.number.is_none() {
            let entry = if shared.alone.load(Ordering::Relaxed) && pays_alone(cx) {
                match shared.lone(entry) {
                    Lone::Answered(result) => {
                        return Poll::Ready(result.map_err(SubmitError::from));
                    }
                    Lone::Inside(mut place) => {
                        let polled = place.poll(cx);
                        self.place = Some(place);
                        return polled.map_err(SubmitError::from);
                    }
                    Lone::Refused(entry) => entry,
                }
            } else {
                entry
            };
            match shared.try_submit(entry, cx.waker()) {
                Ok(place) => {
                    // The waker went in with the item, so there is nothing more to do here.
                    self.place = Some(place);
                    return Poll::Pending;
                }
                Err(Entered::Full(entry)) => entry,
                Err(Entered::Closed(_) | Entered::In) => {
                    return Poll::Ready(Err(AddError::Closed.into()));
                }
            }
        } else {
            entry
        };
        self.wait_for_room(entry, cx.waker())
    }

    #[cold]
    fn wait_for_room(&mut self, entry: Entry<T>, waker: &Waker) -> Poll<Result<O, SubmitError>> {
        let shared = self.shared.borrow();
        match wait(shared, entry, &mut self.number, waker, true) {
            Waits::In(Some(place)) => self.place = Some(place),
            Waits::Still(entry) => self.entry = Some(Ok(entry)),
            Waits::Closed | Waits::In(None) => {
                return Poll::Ready(Err(AddError::Closed.into()));
            }
        }
        Poll::Pending
    }
}

impl<S: Borrow<Shared<T, O>>, T, O> Unpin for Submitted<S, T, O> {}

impl<S: Borrow<Shared<T, O>>, T, O> Future for Submitted<S, T, O> {
    type Output = Result<O, SubmitError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(place) = &mut this.place {
            return place.poll(cx).map_err(SubmitError::from);
        }
        match this.entry.take() {
            Some(Ok(entry)) => this.enter(entry, cx),
            Some(Err(error)) => Poll::Ready(Err(error.into())),
            // Polled again after it was ready, which a future need not survive.
            None => Poll::Pending,
        }
    }
}

impl<S: Borrow<Shared<T, O>>, T, O> Drop for Submitted<S, T, O> {
    #[inline]
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.borrow().leave(number);
        }
    }
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on a thread that has no runtime.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A wake-up between the poll and this is kept by the thread's token.
        std::thread::park();
    }
}
