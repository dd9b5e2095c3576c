//! How does a program batch its own items? With a handle to add them and a handler to take them.
//!
//! The batcher is the async shell of the [engine](crate::engine): it keeps the items, reads the
//! clock and runs the handler; every decision is the engine's. One task drives it. A producer that
//! adds an item takes one short lock, and wakes that task only at an edge.
//!
//! Memory is bounded: items that wait and items in flight together stay within
//! [`queue_items`](Builder::queue_items) and [`queue_bytes`](Builder::queue_bytes); beyond them
//! `add` waits. Room goes to whoever has waited longest, but a newcomer that finds some free may take
//! it before a woken caller does; one that was overtaken goes first from then on.

mod answer;
mod batch;
mod builder;
mod clock;
mod driver;
mod enter;
mod error;
mod flow;
mod given_up;
mod handler;
mod keyed;
mod line;
mod local;
mod lone;
mod observe;
mod piece;
mod queue;
#[cfg(test)]
mod races;
mod recovery;
mod room;
mod round;
mod seat;
mod stash;
mod stats;
#[cfg(feature = "stream")]
mod stream;
mod sync;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_alone;
#[cfg(test)]
mod tests_keyed;
#[cfg(test)]
mod tests_recovery;
#[cfg(feature = "tower")]
pub mod tower;

use std::time::Duration;

use crate::guard::Reading;

pub use answer::{Answer, IntoAnswer};
pub use batch::Batch;
pub use builder::Builder;
pub use enter::Submit;
pub use error::{AddError, Closed, Failure, SubmitError, TryAddError};
pub use given_up::GivenUp;
pub use handler::{Handler, HandlerFn, handler_fn};
pub use keyed::{Keyed, Keys, Totals};
pub use local::{BUFFERED_MAX, Local};
pub use recovery::Retries;
pub use stats::Stats;
#[cfg(feature = "stream")]
pub use stream::{BatchSink, Outcomes};

use clock::Clock;
use enter::{Enter, block_on};
use queue::{Entered, Entry, Shared};
use sync::Arc;

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
pub struct Batcher<T, O = ()> {
    shared: Arc<Shared<T, O>>,
}

impl<T: Send + 'static> Batcher<T> {
    /// Settings with their defaults; [`Builder::build`] makes the batcher.
    #[must_use]
    pub fn builder() -> Builder<T> {
        Builder::default()
    }
}

impl<T: Send + 'static, O: Send + 'static> Batcher<T, O> {
    /// Adds an item that weighs nothing in bytes. Waits while the queue is full.
    ///
    /// It is in the queue when this returns; what becomes of it later is told to the
    /// [hook](Builder::on_given_up) and counted in [`Stats`]. To wait for it use
    /// [`submit`](Self::submit).
    ///
    /// Cancel-safe: if the future is dropped before it is ready, the item was not added, and
    /// nobody else loses their turn.
    ///
    /// # Errors
    ///
    /// [`AddError::Closed`] after [`close`](Self::close).
    #[inline]
    pub async fn add(&self, item: T) -> Result<(), AddError> {
        // As `enter`, written out: this is the path that has to be short.
        if enter::pays() {
            tokio::task::coop::consume_budget().await;
        }
        match self.shared.try_enter(Entry { item, bytes: 0, priority: false }) {
            Entered::In => Ok(()),
            Entered::Full(entry) => self.wait_for_room(entry).await,
            Entered::Closed(_) => Err(AddError::Closed),
        }
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
        let entry = self.shared.entry(item, bytes, false).map_err(|(_, why)| why)?;
        self.enter(entry).await
    }

    /// Adds an item that must not wait: it leaves, with all that came before it, as soon as there
    /// is capacity. It overtakes nothing.
    ///
    /// # Errors
    ///
    /// As [`add_sized`](Self::add_sized).
    pub async fn add_priority(&self, item: T, bytes: u64) -> Result<(), AddError> {
        let entry = self.shared.entry(item, bytes, true).map_err(|(_, why)| why)?;
        self.enter(entry).await
    }

    async fn enter(&self, entry: Entry<T>) -> Result<(), AddError> {
        // A producer that never has to wait lets others run now and then.
        if enter::pays() {
            tokio::task::coop::consume_budget().await;
        }
        match self.shared.try_enter(entry) {
            Entered::In => Ok(()),
            Entered::Full(entry) => self.wait_for_room(entry).await,
            Entered::Closed(_) => Err(AddError::Closed),
        }
    }

    #[cold]
    fn wait_for_room(&self, entry: Entry<T>) -> Enter<'_, T, O> {
        Enter::new(&self.shared, entry)
    }

    /// Adds an item if there is room at once, and gives it back if not.
    ///
    /// ```
    /// use tidegate::Batcher;
    /// use tidegate::batcher::TryAddError;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().queue_items(1).build(|_: Vec<u64>| async {})?;
    /// batcher.try_add(1, 0)?;
    /// assert_eq!(batcher.try_add(2, 0), Err(TryAddError::Full(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`TryAddError::Full`] with the item when there is no room, or when somebody who came before
    /// is to have it; [`TryAddError::Refused`] with the item and the [`AddError`].
    pub fn try_add(&self, item: T, bytes: u64) -> Result<(), TryAddError<T>> {
        let refused = |(item, why)| TryAddError::Refused { item, why };
        let entry = self.shared.entry(item, bytes, false).map_err(refused)?;
        match self.shared.try_enter(entry) {
            Entered::In => Ok(()),
            Entered::Full(entry) => Err(TryAddError::Full(entry.item)),
            Entered::Closed(entry) => Err(refused((entry.item, AddError::Closed))),
        }
    }

    /// Adds an item of `bytes` serialized bytes from a thread without a runtime, which it blocks
    /// while the queue is full.
    ///
    /// Not for async code: on the runtime's own threads it may block the batcher it waits for.
    ///
    /// ```
    /// use tidegate::Batcher;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().build(|rows: Vec<u64>| async move { drop(rows) })?;
    /// let handle = batcher.clone();
    /// let thread = std::thread::spawn(move || handle.blocking_add(1, 0));
    /// thread.join().unwrap()?;
    /// assert_eq!(batcher.close().await.delivered, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`add_sized`](Self::add_sized).
    pub fn blocking_add(&self, item: T, bytes: u64) -> Result<(), AddError> {
        let entry = self.shared.entry(item, bytes, false).map_err(|(_, why)| why)?;
        match self.shared.try_enter(entry) {
            Entered::In => Ok(()),
            Entered::Full(entry) => block_on(self.wait_for_room(entry)),
            Entered::Closed(_) => Err(AddError::Closed),
        }
    }

    /// Adds an item and waits for its own outcome: the value that the handler gave for it, or why
    /// it was given up.
    ///
    /// If the future is dropped, an item that waits for room is not added; one that is in the queue
    /// goes its way with its batch, and its value is dropped. No other item is touched by that.
    ///
    /// ```
    /// use tidegate::Batcher;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().build(|names: Vec<String>| async move {
    ///     let length = |name: &String| match name.len() {
    ///         0 => Err("a name is needed"),
    ///         length => Ok(length),
    ///     };
    ///     names.iter().map(length).collect::<Vec<_>>()
    /// })?;
    /// assert_eq!(batcher.submit("tide".to_owned()).await?, 4);
    /// let error = batcher.submit(String::new()).await.unwrap_err();
    /// assert_eq!(error.to_string(), "a name is needed");
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubmitError::NotAdded`] as with [`add`](Self::add); [`SubmitError::GivenUp`] with the
    /// [`Failure`] of this item, or of its batch.
    #[inline]
    pub fn submit(&self, item: T) -> Submit<'_, T, O> {
        Submit::new(&self.shared, Ok(Entry { item, bytes: 0, priority: false }))
    }

    /// The same, with an item of `bytes` serialized bytes.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), and [`AddError::TooLarge`] for an item that no batch could
    /// hold.
    pub fn submit_sized(&self, item: T, bytes: u64) -> Submit<'_, T, O> {
        let entry = self.shared.entry(item, bytes, false).map_err(|(_, why)| why);
        Submit::new(&self.shared, entry)
    }

    /// A handle for one hot producer, which adds without a lock into a small buffer of its own.
    #[must_use]
    pub fn local(&self) -> Local<T, O> {
        Local::new(self.clone())
    }

    /// Sends what waits without waiting for company, and returns when every item added before the
    /// call has its outcome, good or bad. Items in the buffer of a [`Local`] are among them as far
    /// as there is room in the queue.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the batcher ended first.
    pub async fn flush(&self) -> Result<(), Closed> {
        let mut settled = self.shared.settled.subscribe();
        let listening = Listening::new(&self.shared);
        let Some(until) = listening.until else { return Ok(()) };
        let mut ended = self.shared.ended.subscribe();
        tokio::select! {
            biased;
            _ = settled.wait_for(|settled| *settled >= until) => Ok(()),
            _ = ended.wait_for(|ended| *ended) => {
                if self.shared.lock().settled >= until { Ok(()) } else { Err(Closed) }
            }
        }
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

    /// As [`close`](Self::close), but not for longer than `limit`: what has no outcome by then is
    /// given up as [`Failure::Lost`], handlers that are at work are ended, and the hook and every
    /// submitter hear of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate::Batcher;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().build(|_: Vec<u64>| std::future::pending::<()>())?;
    /// batcher.add(7).await?;
    /// let stats = batcher.close_within(Duration::from_millis(10)).await;
    /// assert_eq!((stats.delivered, stats.failed), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn close_within(&self, limit: Duration) -> Stats {
        if let Ok(stats) = tokio::time::timeout(limit, self.close()).await {
            return stats;
        }
        self.shared.abandon();
        self.close().await
    }

    /// Tells the guards what of the host is in use; what they have no limit for is not looked at. Once
    /// a second is often enough. Reading it is the caller's affair: crates such as `sysinfo` do.
    ///
    /// ```
    /// use tidegate::Batcher;
    /// use tidegate::guard::{Limits, Reading};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tidegate::SettingError> {
    /// let batcher = Batcher::builder()
    ///     .batch_size_initial(1000)
    ///     .guards(Limits { cpu: Some(0.9), ..Limits::default() })
    ///     .build(|_: Vec<u64>| async {})?;
    /// batcher.host_was_read(&Reading { cpu: Some(0.97), ..Reading::default() });
    /// assert_eq!(batcher.stats().plan.batch_size, 500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn host_was_read(&self, reading: &Reading) {
        let now = self.shared.clock.now();
        self.shared.lock().engine.read(now, reading);
    }

    /// The figures so far, the plan in force and the last decisions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

/// While somebody listens, the driver tells how far outcomes are.
struct Listening<'a, T, O> {
    shared: &'a Shared<T, O>,
    /// The number to listen for, if it is not reached yet.
    until: Option<u64>,
}

impl<'a, T, O> Listening<'a, T, O> {
    fn new(shared: &'a Shared<T, O>) -> Self {
        let mut open = shared.lock();
        open.sweep_all(false, &shared.clock);
        open.flushing += 1;
        let until = (open.settled < open.added).then_some(open.added);
        drop(open);
        shared.lock().asked.flush = true;
        shared.wake_driver();
        Self { shared, until }
    }
}

impl<T, O> Drop for Listening<'_, T, O> {
    fn drop(&mut self) {
        self.shared.lock().flushing -= 1;
    }
}

impl<T, O> Clone for Batcher<T, O> {
    fn clone(&self) -> Self {
        self.shared.handle_cloned();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T, O> Drop for Batcher<T, O> {
    fn drop(&mut self) {
        self.shared.handle_dropped();
    }
}

impl<T, O> std::fmt::Debug for Batcher<T, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher").finish_non_exhaustive()
    }
}
