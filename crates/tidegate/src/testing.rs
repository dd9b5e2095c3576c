//! How does a user test what they built on a batcher? In paused time, against a backend that
//! follows a script.
//!
//! [`paused`] runs a test on a runtime whose clock jumps from timer to timer, so a linger of an hour
//! takes no time and every run is the same. [`Backend`] is a handler that answers as its script
//! says, tells which batches came and when, and can hold them back.
//!
//! ```
//! use std::time::Duration;
//! use tidegate::testing::{Backend, Reply, paused};
//! use tidegate::batcher::Retries;
//! use tidegate::{Batcher, Outcome};
//!
//! paused(async {
//!     let backend = Backend::new([Reply::fails(Outcome::Overloaded).after(Duration::from_secs(3))]);
//!     let batcher = Batcher::builder().retries(Retries::default()).build(backend.clone()).unwrap();
//!     assert_eq!(batcher.submit("order 1").await, Ok(())); // it was tried again
//!     let batches = backend.batches();
//!     assert_eq!(batches.len(), 2);
//!     assert_eq!(batches[1].items, ["order 1"]);
//!     assert!(batches[1].at - batches[0].at >= Duration::from_secs(3));
//! });
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::Outcome;
use crate::batcher::{Answer, Batch, Handler};

/// Runs a test in paused time: the clock stands still while anything is to be done, and then jumps
/// to the next timer.
///
/// ```
/// use std::time::Duration;
///
/// tidegate::testing::paused(async { tokio::time::sleep(Duration::from_secs(3600)).await });
/// ```
///
/// # Panics
///
/// If the system refuses a runtime, and with whatever the test panics with.
#[expect(clippy::expect_used, reason = "a test without a runtime cannot go on")]
pub fn paused<F: Future>(test: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(test)
}

/// What a [`Backend`] answers to one batch.
///
/// ```
/// use std::time::Duration;
/// use tidegate::Outcome;
/// use tidegate::testing::Reply;
///
/// let script = [
///     Reply::ok().after(Duration::from_secs(1)),
///     Reply::fails(Outcome::Overloaded),
///     Reply::refuses(|row: &&str| row.is_empty()),
///     Reply::panics(),
/// ];
/// assert_eq!(script.len(), 4);
/// ```
pub struct Reply<T> {
    kind: Kind<T>,
    after: Duration,
}

enum Kind<T> {
    Of(Outcome),
    Panics,
    /// Each item for which it holds has an error of its own.
    Refuses(Arc<dyn Fn(&T) -> bool + Send + Sync>),
}

impl<T> Clone for Reply<T> {
    fn clone(&self) -> Self {
        let kind = match &self.kind {
            Kind::Of(outcome) => Kind::Of(*outcome),
            Kind::Panics => Kind::Panics,
            Kind::Refuses(which) => Kind::Refuses(Arc::clone(which)),
        };
        Self { kind, after: self.after }
    }
}

impl<T> Reply<T> {
    /// Every item is taken.
    #[must_use]
    pub const fn ok() -> Self {
        Self { kind: Kind::Of(Outcome::Ok), after: Duration::ZERO }
    }

    /// The batch as a whole ends so.
    #[must_use]
    pub const fn fails(outcome: Outcome) -> Self {
        Self { kind: Kind::Of(outcome), after: Duration::ZERO }
    }

    /// The handler panics.
    #[must_use]
    pub const fn panics() -> Self {
        Self { kind: Kind::Panics, after: Duration::ZERO }
    }

    /// Items for which `which` holds are refused, each with an error of its own; the others are
    /// taken.
    #[must_use]
    pub fn refuses(which: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Refuses(Arc::new(which)), after: Duration::ZERO }
    }

    /// The same, that much later.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    fn answer(&self, batch: &[T]) -> Answer {
        match &self.kind {
            Kind::Of(outcome) => Answer::of(*outcome),
            Kind::Panics => std::panic::resume_unwind(Box::new("as the script says")),
            Kind::Refuses(which) => {
                Answer::per_item(batch.iter().map(|item| {
                    if which(item) { Err("refused, as the script says") } else { Ok(()) }
                }))
            }
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("after", &self.after).finish_non_exhaustive()
    }
}

/// A batch that a [`Backend`] was sent.
///
/// ```
/// # use tidegate::{Batcher, testing::{Backend, paused}};
/// paused(async {
///     let backend = Backend::new([]);
///     let batcher = Batcher::builder().build(backend.clone()).unwrap();
///     batcher.submit(7).await.unwrap();
///     let sent = backend.batches().remove(0);
///     assert_eq!((sent.items, sent.at.as_secs()), (vec![7], 0));
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent<T> {
    /// Its items, in order.
    pub items: Vec<T>,
    /// When it came, since the backend was made.
    pub at: Duration,
}

/// A handler that follows a script. Clones are the same backend.
///
/// ```
/// use tidegate::testing::{Backend, Reply, paused};
/// use tidegate::{Batcher, Outcome};
///
/// paused(async {
///     let backend = Backend::new([Reply::fails(Outcome::Rejected)]).otherwise(Reply::ok());
///     let batcher = Batcher::builder().build(backend.clone()).unwrap();
///     assert!(batcher.submit(1).await.is_err());
///     assert!(batcher.submit(2).await.is_ok());
///     assert_eq!(backend.items(), [1, 2]);
/// });
/// ```
pub struct Backend<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    since: Instant,
    state: Mutex<State<T>>,
    /// One permit for each batch that may be answered; `None` if all may.
    gate: Option<Semaphore>,
    attempts: watch::Sender<usize>,
}

struct State<T> {
    script: VecDeque<Reply<T>>,
    otherwise: Reply<T>,
    sent: Vec<Sent<T>>,
}

impl<T> Backend<T> {
    /// A backend that gives these replies, one for each batch in the order in which they come, and
    /// then takes every item.
    #[must_use]
    pub fn new(script: impl IntoIterator<Item = Reply<T>>) -> Self {
        Self::with(script, None)
    }

    /// The same, but each batch waits until [`allow`](Self::allow) lets it be answered.
    ///
    /// ```
    /// use tidegate::Batcher;
    /// use tidegate::testing::{Backend, paused};
    ///
    /// paused(async {
    ///     let backend = Backend::gated([]);
    ///     let batcher = Batcher::builder().build(backend.clone()).unwrap();
    ///     batcher.add(1).await.unwrap();
    ///     backend.attempted(1).await;
    ///     assert_eq!(batcher.stats().delivered, 0);
    ///     backend.allow(1);
    ///     assert_eq!(batcher.close().await.delivered, 1);
    /// });
    /// ```
    #[must_use]
    pub fn gated(script: impl IntoIterator<Item = Reply<T>>) -> Self {
        Self::with(script, Some(Semaphore::new(0)))
    }

    #[expect(clippy::disallowed_methods, reason = "what a test sees of the clock")]
    fn with(script: impl IntoIterator<Item = Reply<T>>, gate: Option<Semaphore>) -> Self {
        let script = script.into_iter().collect();
        let state = State { script, otherwise: Reply::ok(), sent: Vec::new() };
        let state = Mutex::new(state);
        let (since, attempts) = (Instant::now(), watch::Sender::new(0));
        Self { inner: Arc::new(Inner { since, state, gate, attempts }) }
    }

    /// The same, with another reply than [`Reply::ok`] after the script.
    #[must_use]
    pub fn otherwise(self, reply: Reply<T>) -> Self {
        self.lock().otherwise = reply;
        self
    }

    /// Lets so many more batches be answered.
    pub fn allow(&self, batches: usize) {
        if let Some(gate) = &self.inner.gate {
            gate.add_permits(batches);
        }
    }

    /// Waits until so many batches have come.
    pub async fn attempted(&self, batches: usize) {
        // The backend is here, so the count cannot end before.
        let _ = self.inner.attempts.subscribe().wait_for(|attempts| *attempts >= batches).await;
    }

    /// The batches so far.
    #[must_use]
    pub fn batches(&self) -> Vec<Sent<T>>
    where
        T: Clone,
    {
        self.lock().sent.clone()
    }

    /// The items of all batches so far, in the order in which they came.
    #[must_use]
    pub fn items(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.lock().sent.iter().flat_map(|sent| sent.items.iter().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Send + Sync + 'static> Handler<T> for Backend<T> {
    type Output = ();

    async fn handle(&self, batch: Batch<T>) -> Answer {
        let reply = {
            let mut state = self.lock();
            let at = self.inner.since.elapsed();
            state.sent.push(Sent { items: batch.to_vec(), at });
            state.script.pop_front().unwrap_or_else(|| state.otherwise.clone())
        };
        self.inner.attempts.send_modify(|attempts| *attempts += 1);
        if let Some(gate) = &self.inner.gate
            && let Ok(allowed) = gate.acquire().await
        {
            allowed.forget();
        }
        if reply.after > Duration::ZERO {
            tokio::time::sleep(reply.after).await;
        }
        reply.answer(&batch)
    }
}

impl<T> Clone for Backend<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for Backend<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("batches", &self.lock().sent.len()).finish_non_exhaustive()
    }
}
