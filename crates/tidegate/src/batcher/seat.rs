//! Who polls the driver? Its task, or a lone submitter in the task's place.
//!
//! A submitter whom nobody joins pays for two switches of tasks, to the driver and back, and for the
//! worker that the runtime wakes meanwhile to look for work; that is more than its batch costs. So
//! where the driver has learnt that nobody joins, the submitter polls it where it stands, with the
//! waker of the driver's task: whatever the driver then waits for wakes its task, as ever. If the
//! submitter is dropped afterwards, nothing of the driver goes with it.
//!
//! Only one may sit at a time, and nobody waits for the seat. The task, if it finds the seat taken,
//! notes that it *missed* its turn; who leaves the seat wakes it then. Both do so by an exchange of
//! the same word, and look again afterwards, so one of the two sees the other.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::error::Failure;
use super::lone::Lone;
use super::queue::Entry;
use super::sync::atomic::{AtomicU32, Ordering};
use super::sync::{Arc, Mutex, TryLockError};

/// The task came while the seat was taken.
const MISSED: u32 = 1;
/// The task is gone: the driver has to go too.
const GONE: u32 = 2;

/// A driver that may be polled in its task's place.
pub(super) trait Driven<T, O>: Future<Output = ()> + Unpin {
    /// Sends a lone item, and does what is to be done then. Ready if the driver is done.
    fn lone(&mut self, entry: Entry<T>, cx: &mut Context<'_>) -> (Lone<T, O>, Poll<()>);
}

/// The place of the driver.
pub(super) struct Seat<D> {
    /// The driver, until it is done.
    driver: Mutex<Option<D>>,
    notes: AtomicU32,
}

/// A seat, as submitters see it.
pub(super) trait Stands<T, O>: Send + Sync {
    /// Polls the driver, whose task has this waker, for a lone item.
    fn lone(&self, entry: Entry<T>, waker: &Waker) -> Lone<T, O>;
}

impl<D: Future<Output = ()> + Unpin> Seat<D> {
    pub(super) fn new(driver: D) -> Self {
        Self { driver: Mutex::new(Some(driver)), notes: AtomicU32::new(0) }
    }

    /// What `act` says of the driver; `None` if it is gone, `Err` if somebody else has the seat.
    /// A driver that is done, as `act` says, or that panicked, is dropped.
    fn sit<R>(&self, act: impl FnOnce(&mut D) -> (R, bool)) -> Result<Option<R>, ()> {
        let mut seat = match self.driver.try_lock() {
            Ok(seat) => seat,
            Err(TryLockError::Poisoned(seat)) => seat.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(()),
        };
        let Some(driver) = seat.as_mut() else { return Ok(None) };
        // A driver that panicked is dropped, and tells all that waits for it.
        let acted = catch_unwind(AssertUnwindSafe(|| act(driver))).ok();
        let done = acted.as_ref().is_none_or(|(_, done)| *done);
        let driver = if done { seat.take() } else { None };
        drop(seat);
        drop(driver);
        Ok(acted.map(|(result, _)| result))
    }

    /// The task is gone.
    fn leave(&self) {
        // Whoever has the seat looks after it has left it.
        if self.sit(|_| ((), true)).is_err() {
            self.notes.fetch_or(GONE, Ordering::AcqRel);
            let _ = self.sit(|_| ((), true));
        }
    }
}

impl<T, O, D: Driven<T, O> + Send> Stands<T, O> for Seat<D> {
    fn lone(&self, entry: Entry<T>, waker: &Waker) -> Lone<T, O> {
        let mut entry = Some(entry);
        let sat = self.sit(|driver| {
            let mut cx = Context::from_waker(waker);
            match entry.take() {
                Some(entry) => {
                    let (lone, polled) = driver.lone(entry, &mut cx);
                    (Some(lone), polled.is_ready())
                }
                None => (None, false),
            }
        });
        if sat.is_ok() {
            let notes = self.notes.fetch_and(!MISSED, Ordering::AcqRel);
            if notes & GONE != 0 {
                let _ = self.sit(|_| ((), true));
            } else if notes & MISSED != 0 {
                waker.wake_by_ref();
            }
        }
        match (sat, entry) {
            (Ok(Some(Some(lone))), _) => lone,
            // Somebody else has the seat, or the driver is gone, which the usual way tells.
            (_, Some(entry)) => Lone::Refused(entry),
            // The driver panicked, and took the item along.
            (_, None) => Lone::Answered(Err(Failure::Lost)),
        }
    }
}

/// The driver's task.
pub(super) struct Task<D: Future<Output = ()> + Unpin>(Arc<Seat<D>>);

impl<D: Future<Output = ()> + Unpin> Task<D> {
    pub(super) const fn new(seat: Arc<Seat<D>>) -> Self {
        Self(seat)
    }
}

impl<D: Future<Output = ()> + Unpin> Future for Task<D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut poll = || {
            self.0.sit(|driver| {
                let polled = Pin::new(driver).poll(cx);
                (polled, polled.is_ready())
            })
        };
        let mut sat = poll();
        if sat.is_err() {
            self.0.notes.fetch_or(MISSED, Ordering::AcqRel);
            sat = poll();
        }
        match sat {
            Ok(polled) => polled.unwrap_or(Poll::Ready(())),
            Err(()) => Poll::Pending,
        }
    }
}

impl<D: Future<Output = ()> + Unpin> Drop for Task<D> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
