//! How does a producer get in, with or without waiting, with or without its outcome?
//!
//! Two futures, written by hand so that an item that finds room touches the lock once: [`Enter`]
//! resolves when the item is in line, [`Submit`] when it has its outcome. Dropping one that waits
//! in line takes its item along, and passes on the turn it may have had.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use super::error::{AddError, SubmitError};
use super::queue::{Entered, Entry, Shared};
use super::round::Place;

/// Resolves when the item is in line.
pub(super) struct Enter<'a, T, O> {
    shared: &'a Shared<T, O>,
    entry: Option<Entry<T>>,
    /// The place in line for room.
    number: Option<u64>,
    submits: bool,
}

impl<'a, T, O> Enter<'a, T, O> {
    pub(super) const fn new(shared: &'a Shared<T, O>, entry: Entry<T>, submits: bool) -> Self {
        Self { shared, entry: Some(entry), number: None, submits }
    }
}

/// Nothing in here is ever pinned.
impl<T, O> Unpin for Enter<'_, T, O> {}

impl<T, O> Future for Enter<'_, T, O> {
    type Output = Result<Option<Place<O>>, AddError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(entry) = this.entry.take() else { return Poll::Pending };
        let entered = match this.number {
            Some(number) => this.shared.retry(entry, number, cx.waker(), this.submits),
            None => this.shared.enter_or_wait(entry, cx.waker(), this.submits, &mut this.number),
        };
        match entered {
            Entered::In(place) => {
                this.number = None;
                Poll::Ready(Ok(place))
            }
            Entered::Full(entry) => {
                this.entry = Some(entry);
                Poll::Pending
            }
            Entered::Closed(entry) => {
                this.number = None;
                drop(entry);
                Poll::Ready(Err(AddError::Closed))
            }
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

/// Resolves to the item's outcome.
pub(super) struct Submit<'a, T, O> {
    enter: Enter<'a, T, O>,
    place: Option<Place<O>>,
}

impl<'a, T, O> Submit<'a, T, O> {
    pub(super) const fn new(shared: &'a Shared<T, O>, entry: Entry<T>) -> Self {
        Self { enter: Enter::new(shared, entry, true), place: None }
    }
}

impl<T, O> Unpin for Submit<'_, T, O> {}

impl<T, O> Future for Submit<'_, T, O> {
    type Output = Result<O, SubmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(place) = &mut this.place {
            return place.poll(cx).map_err(SubmitError::from);
        }
        match Pin::new(&mut this.enter).poll(cx) {
            // The waker went in with the item, so there is nothing more to do here.
            Poll::Ready(Ok(place)) => {
                this.place = place;
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on a thread that has no runtime.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A wake-up between the poll and this is kept by the thread's token.
        std::thread::park();
    }
}
