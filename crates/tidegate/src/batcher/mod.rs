//! How does a program batch its own items? With a handle to add them and a handler to take them.
//!
//! The batcher is the async shell of the [engine](crate::engine): it keeps the items, reads the
//! clock and runs the handler; every decision is the engine's. One task drives it. A producer that
//! adds an item takes one short lock, and wakes that task only at an edge.
//!
//! Memory is bounded: items that wait and items in flight together stay within
//! [`queue_items`](Builder::queue_items) and [`queue_bytes`](Builder::queue_bytes); beyond them
//! `add` waits, in the order of the callers.

mod builder;
mod clock;
mod driver;
mod handler;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use builder::Builder;
pub use handler::{Answer, Handler};
pub use stats::Stats;

use driver::Command;
use queue::Shared;

/// Batches items of type `T`.
///
/// Clones share one queue. When the last clone is dropped, what waits is still handed to the
/// handler, in the background; [`close`](Self::close) waits for that.
///
/// ```
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|rows: Vec<u64>| async move {
///     println!("{} rows at once", rows.len());
/// })?;
/// for row in 0..10_000 {
///     batcher.add(row).await?;
/// }
/// let stats = batcher.close().await;
/// assert_eq!(stats.delivered, 10_000);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct Batcher<T> {
    shared: Arc<Shared<T>>,
}

/// An item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The batcher was closed.
    #[error("the batcher is closed")]
    Closed,
    /// The item alone is over the most bytes a batch may have, so it could never leave.
    #[error("the item has {bytes} bytes, and a batch at most {bytes_max}: raise batch_bytes_max")]
    TooLarge {
        /// The item's serialized bytes.
        bytes: u64,
        /// The most a batch may have.
        bytes_max: u64,
    },
}

/// The batcher was closed before the flush was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batcher is closed")]
pub struct Closed;

impl Batcher<()> {
    /// Settings with their defaults; [`Builder::build`] makes the batcher.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl<T: Send + 'static> Batcher<T> {
    /// Adds an item that weighs nothing in bytes. Waits while the queue is full.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, the item was not added.
    ///
    /// # Errors
    ///
    /// [`AddError::Closed`] after [`close`](Self::close).
    pub async fn add(&self, item: T) -> Result<(), AddError> {
        self.shared.add(item, 0, false).await
    }

    /// Adds an item of `bytes` serialized bytes. Waits while the queue is full.
    ///
    /// Cancel-safe, as [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`AddError::TooLarge`] for an item that no batch could hold, [`AddError::Closed`] after
    /// [`close`](Self::close).
    pub async fn add_sized(&self, item: T, bytes: u64) -> Result<(), AddError> {
        self.shared.add(item, bytes, false).await
    }

    /// Adds an item that must not wait: it leaves, with all that came before it, as soon as there
    /// is capacity. It overtakes nothing.
    ///
    /// # Errors
    ///
    /// As [`add_sized`](Self::add_sized).
    pub async fn add_priority(&self, item: T, bytes: u64) -> Result<(), AddError> {
        self.shared.add(item, bytes, true).await
    }

    /// Sends what waits without waiting for company, and returns when every item added before the
    /// call has its outcome, good or bad.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the batcher ended first.
    pub async fn flush(&self) -> Result<(), Closed> {
        let until = self.shared.added();
        self.shared.command(Command::Flush);
        let mut settled = self.shared.settled.subscribe();
        settled.wait_for(|settled| *settled >= until).await.map(|_| ()).map_err(|_| Closed)
    }

    /// Takes no more items, hands over what waits, and returns the final figures when every item
    /// has its outcome. Every clone of the batcher is closed by it.
    pub async fn close(&self) -> Stats {
        self.shared.close();
        let mut ended = self.shared.ended.subscribe();
        // An error means that the driver is gone, which is what is waited for.
        let _ = ended.wait_for(|ended| *ended).await;
        self.stats()
    }

    /// The figures so far, the plan in force and the last decisions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl<T> Clone for Batcher<T> {
    fn clone(&self) -> Self {
        self.shared.handle_cloned();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Batcher<T> {
    fn drop(&mut self) {
        self.shared.handle_dropped();
    }
}

impl<T> std::fmt::Debug for Batcher<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher").finish_non_exhaustive()
    }
}
