//! How do many producers hand their requests to one writer?
//!
//! They push onto one list under one short lock; the writer takes the whole list at once. What is
//! pushed while it writes and syncs is the next commit: the group grows with the disk's latency by
//! itself, and no timer is needed. The bound covers what is being written as well, so it is the
//! bound of all memory that waits for the disk.

use std::ops::Range;
use std::sync::{Condvar, Mutex};

use tidegate_event::Position;
use tokio::sync::oneshot;

use crate::error::AppendError;
use crate::frame::Sealed;
use crate::keys::Claim;
use crate::shared::lock;

pub(crate) type Reply = oneshot::Sender<Result<Range<Position>, AppendError>>;

/// A request that waits for the writer.
pub(crate) struct Pending {
    pub(crate) sealed: Sealed,
    pub(crate) reply: Reply,
    /// Of a request with a key: stored when it is durable, given back when it is refused.
    pub(crate) claim: Option<Claim>,
}

impl Pending {
    /// Tells the producer, if it still listens.
    pub(crate) fn refuse(self, error: AppendError) {
        let _ = self.reply.send(Err(error));
    }
}

#[derive(Default)]
struct Inner {
    pending: Vec<Pending>,
    /// Pushed and not yet released, those being written included.
    frames: usize,
    bytes: usize,
    writer_waits: bool,
    /// Why nothing is taken any more.
    refusal: Option<AppendError>,
}

/// The list between producers and the writer.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    frames_max: usize,
    bytes_max: usize,
}

/// What waits at the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Queue {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        let (inner, wake) = (Mutex::default(), Condvar::new());
        Self { inner, wake, frames_max, bytes_max }
    }

    /// Adds a request, if the bounds allow it. `admit` sees what waits already.
    pub(crate) fn push(
        &self,
        pending: Pending,
        admit: impl FnOnce(Queued) -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let weight = pending.sealed.weight();
        let mut inner = lock(&self.inner);
        if let Some(refusal) = &inner.refusal {
            return Err(refusal.clone());
        }
        let Inner { frames, bytes, .. } = *inner;
        let bytes_full = frames > 0 && bytes + weight > self.bytes_max;
        if frames >= self.frames_max || bytes_full {
            return Err(AppendError::Busy { frames, bytes });
        }
        admit(Queued { frames, bytes })?;
        inner.frames += 1;
        inner.bytes += weight;
        inner.pending.push(pending);
        // Waking costs a system call even when nobody sleeps; a busy writer looks by itself.
        let wake = std::mem::take(&mut inner.writer_waits);
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for requests and swaps them into `batch`, which must be empty. False when the queue
    /// is closed and drained.
    pub(crate) fn take(&self, batch: &mut Vec<Pending>) -> bool {
        let mut inner = lock(&self.inner);
        while inner.pending.is_empty() {
            if inner.refusal.is_some() {
                return false;
            }
            inner.writer_waits = true;
            inner = self.wake.wait(inner).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        std::mem::swap(&mut inner.pending, batch);
        true
    }

    /// These are done with, one way or the other.
    pub(crate) fn release(&self, done: Queued) {
        let mut inner = lock(&self.inner);
        inner.frames = inner.frames.saturating_sub(done.frames);
        inner.bytes = inner.bytes.saturating_sub(done.bytes);
    }

    /// Takes nothing more; the first reason stays, except that a failure overrides a close.
    pub(crate) fn refuse_all(&self, refusal: AppendError) {
        let mut inner = lock(&self.inner);
        let failed = matches!(inner.refusal, Some(AppendError::Failed { .. }));
        if !failed {
            inner.refusal = Some(refusal);
        }
        drop(inner);
        self.wake.notify_one();
    }

    pub(crate) fn queued(&self) -> Queued {
        let inner = lock(&self.inner);
        Queued { frames: inner.frames, bytes: inner.bytes }
    }
}
