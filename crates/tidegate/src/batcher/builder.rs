//! How is a batcher set up? With defaults that suit a database, each of which can be changed.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::driver::Driver;
use super::flow::Flow;
use super::given_up::{GivenUp, Hook, Keep};
use super::keyed::Common;
use super::observe::Observer;
use super::queue::Shared;
use super::recovery::{Parts, Recovery, Retries};
use super::seat::{Seat, Task};
use super::{Batcher, Handler};
use crate::breaker::{self, Breaker};
use crate::error::{SettingError, within};
use crate::guard::{self, Guards};
use crate::{Bounds, ControllerSettings, Engine, Epoch, Plan};

/// Settings of a [`Batcher`].
///
/// Nothing is clamped: [`build`](Self::build) refuses what is out of range. `T` is the type of the
/// items, which is usually inferred from the handler.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # let _context = runtime.enter();
/// use tidegate::Batcher;
///
/// let error = Batcher::builder()
///     .batch_size(500..=100)
///     .build(|_: Vec<u64>| async {})
///     .unwrap_err();
/// assert_eq!(error.to_string(), "batch_size.max is 100, but must be between 500 and 1000000");
/// ```
#[derive(Debug)]
pub struct Builder<T> {
    bounds: Bounds,
    first: Plan,
    controller: ControllerSettings,
    queue_items: usize,
    queue_bytes: usize,
    decisions_kept: usize,
    name: Arc<str>,
    hook: Option<Hook<T>>,
    keep: Option<Keep<T>>,
    retries: Option<Retries>,
    breaker: Option<breaker::Settings>,
    bisects: bool,
    guards: guard::Limits,
    jitter: Option<u64>,
}

/// Whatever the items are: they are not in here.
impl<T> Clone for Builder<T> {
    fn clone(&self) -> Self {
        Self {
            bounds: self.bounds,
            first: self.first,
            controller: self.controller.clone(),
            queue_items: self.queue_items,
            queue_bytes: self.queue_bytes,
            decisions_kept: self.decisions_kept,
            name: Arc::clone(&self.name),
            hook: self.hook.clone(),
            keep: self.keep,
            retries: self.retries,
            breaker: self.breaker,
            bisects: self.bisects,
            guards: self.guards,
            jitter: self.jitter,
        }
    }
}

impl<T> Default for Builder<T> {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            first: Plan {
                batch_size: 100,
                concurrency: 4.0,
                pace: None,
                linger: Duration::ZERO,
                epoch: Epoch::default(),
            },
            controller: ControllerSettings::default(),
            queue_items: 100_000,
            queue_bytes: 64 << 20,
            decisions_kept: 256,
            name: "batcher".into(),
            hook: None,
            keep: None,
            retries: None,
            breaker: None,
            bisects: false,
            guards: guard::Limits::default(),
            jitter: None,
        }
    }
}

impl<T: Send + 'static> Builder<T> {
    /// Fewest and most items in a full batch. Default 1 to 10,000.
    #[must_use]
    pub const fn batch_size(mut self, bounds: RangeInclusive<u32>) -> Self {
        self.bounds.batch_size_min = *bounds.start();
        self.bounds.batch_size_max = *bounds.end();
        self
    }

    /// Items in a full batch to begin with. Default 100.
    #[must_use]
    pub const fn batch_size_initial(mut self, items: u32) -> Self {
        self.first.batch_size = items;
        self
    }

    /// Most serialized bytes in a batch, by the bytes given with each item: a hard cap, 1 B to
    /// 1 GiB. Default 8 MiB.
    #[must_use]
    pub const fn batch_bytes_max(mut self, bytes: u64) -> Self {
        self.bounds.batch_bytes_max = bytes;
        self
    }

    /// Attempts in flight, .01 to 1,024; below 1 it means pauses between attempts. Default 4.
    #[must_use]
    pub const fn concurrency(mut self, attempts: f64) -> Self {
        self.first.concurrency = attempts;
        self.bounds.concurrency_max = attempts.max(self.bounds.concurrency_max);
        self
    }

    /// Attempts a second at most. Default no limit.
    #[must_use]
    pub const fn pace(mut self, attempts_per_second: f64) -> Self {
        self.first.pace = Some(attempts_per_second);
        self
    }

    /// How long the oldest item may wait for company while an attempt could leave, up to 1 h.
    /// Default 0: nobody waits for a timer, batches fill while earlier ones are on their way.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.first.linger = linger;
        self.bounds.linger_max = self.bounds.linger_max.max(linger);
        self
    }

    /// Who finds the plan. Default [`ControllerSettings::Joint`] with a target of 100 ms.
    #[must_use]
    pub fn controller(mut self, controller: ControllerSettings) -> Self {
        self.controller = controller;
        self
    }

    /// What no plan may do, whatever the controller thinks: see [`guard`]. Default: refusals by a rate
    /// limit set a pace, and nothing else is looked at. Memory and processor are known to the
    /// guards by [`Batcher::host_was_read`] only.
    ///
    /// ```
    /// use tidegate::Batcher;
    /// use tidegate::guard::Limits;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tidegate::SettingError> {
    /// let limits = Limits { cpu: Some(0.9), in_flight_items: Some(20_000), ..Limits::default() };
    /// let batcher = Batcher::builder().guards(limits).build(|_: Vec<u64>| async {})?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn guards(mut self, limits: guard::Limits) -> Self {
        self.guards = limits;
        self
    }

    /// Items that may wait or be in flight, 1 to 10⁹; beyond them `add` waits. Default 100,000.
    #[must_use]
    pub const fn queue_items(mut self, items: usize) -> Self {
        self.queue_items = items;
        self
    }

    /// Bytes that may wait or be in flight, at least those of one batch, up to 64 GiB; beyond them
    /// `add` waits. Default 64 MiB.
    #[must_use]
    pub const fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// How many decisions [`Stats`](super::Stats) shows, up to 100,000. Default 256.
    #[must_use]
    pub const fn decisions_kept(mut self, decisions: usize) -> Self {
        self.decisions_kept = decisions;
        self
    }

    /// What the batcher is called in metrics and traces. Default `batcher`.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Tries a batch again that the backend did not take because of its state: throttled,
    /// overloaded, timed out or unreachable. Default no retries.
    ///
    /// Costs a clone of every batch, since the handler consumes the batch itself: make items cheap
    /// to clone (an `Arc`). A batch whose answer was lost may be delivered twice, so what it does
    /// should be the same when it is done twice.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use tidegate::Batcher;
    /// use tidegate::batcher::Retries;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let attempts = AtomicU32::new(0);
    /// let batcher = Batcher::builder().retries(Retries::default()).build(move |_: Vec<u64>| {
    ///     let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
    ///     async move { if first { Err("busy") } else { Ok(()) } }
    /// })?;
    /// assert_eq!(batcher.submit(7).await, Ok(()));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self
    where
        T: Clone,
    {
        self.keep = Some(<[T]>::to_vec);
        self.retries = Some(retries);
        self
    }

    /// The seed of the jitter of retries, for a test that shall be the same each time. Default: one
    /// at random.
    #[must_use]
    pub const fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter = Some(seed);
        self
    }

    /// Stops sending while the backend is away, and looks with a few small batches whether it is
    /// back. Default no breaker.
    ///
    /// ```
    /// use tidegate::{Batcher, breaker};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # let _context = runtime.enter();
    /// let settings = breaker::Settings { failures: 3, ..breaker::Settings::default() };
    /// let batcher = Batcher::builder().breaker(settings).build(|_: Vec<u64>| async {})?;
    /// # drop(batcher);
    /// # Ok::<(), tidegate::SettingError>(())
    /// ```
    #[must_use]
    pub const fn breaker(mut self, settings: breaker::Settings) -> Self {
        self.breaker = Some(settings);
        self
    }

    /// Cuts a batch whose data was refused ([`Outcome::Rejected`](crate::Outcome::Rejected) or
    /// [`TooLarge`](crate::Outcome::TooLarge)) in halves, until the item at fault stands alone: it
    /// is given up, and all others are delivered. For backends that take a batch whole or not at
    /// all. Default no bisection: the whole batch is given up.
    ///
    /// Costs a clone of every batch, as [`retries`](Self::retries) do.
    ///
    /// ```
    /// use tidegate::batcher::Answer;
    /// use tidegate::{Batcher, Outcome};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().bisection().build(|batch: Vec<u64>| async move {
    ///     if batch.contains(&13) { Answer::failed(Outcome::Rejected, "13") } else { Answer::ok() }
    /// })?;
    /// for item in 0..20 {
    ///     batcher.add(item).await?;
    /// }
    /// let stats = batcher.close().await;
    /// assert_eq!((stats.delivered, stats.failed), (19, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn bisection(mut self) -> Self
    where
        T: Clone,
    {
        self.keep = Some(<[T]>::to_vec);
        self.bisects = true;
        self
    }

    /// Tells `hook` of every item that is given up, with the item and the reason: those whose
    /// handler failed, panicked or did not answer for them, and those that were lost with the
    /// runtime. So nothing that was added disappears silently. Default no hook.
    ///
    /// Costs a clone of every batch, since the handler consumes the batch itself: make items cheap
    /// to clone (an `Arc`), or give failed items up in the handler. The hook is called on the
    /// batcher's own task, and for submitted items before their submitters are woken; it must be
    /// quick. A panic in it is caught.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidegate::Batcher;
    /// use tidegate::batcher::GivenUp;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let letters = Arc::new(Mutex::new(Vec::new()));
    /// let dead = Arc::clone(&letters);
    /// let batcher = Batcher::builder()
    ///     .on_given_up(move |items: Vec<GivenUp<u64>>| dead.lock().unwrap().extend(items))
    ///     .build(|_: Vec<u64>| async { Err::<(), _>("the disk is full") })?;
    /// batcher.add(7).await?;
    /// batcher.close().await;
    /// let letters = letters.lock().unwrap();
    /// assert_eq!((letters[0].item, letters[0].why.to_string().as_str()), (7, "the disk is full"));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn on_given_up(mut self, hook: impl Fn(Vec<GivenUp<T>>) + Send + Sync + 'static) -> Self
    where
        T: Clone,
    {
        self.keep = Some(<[T]>::to_vec);
        self.hook = Some(Hook::new(hook));
        self
    }

    /// Starts a batcher that hands its batches to `handler`. It runs on the current runtime.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first setting that is out of its range.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn build<H: Handler<T>>(self, handler: H) -> Result<Batcher<T, H::Output>, SettingError> {
        self.start(handler, None)
    }

    /// Refuses what is out of range.
    pub(super) fn check(&self) -> Result<(), SettingError> {
        self.controller.build(self.first, &self.bounds)?;
        self.guards.check()?;
        within("queue_items", self.queue_items, 1..=1_000_000_000)?;
        let batch = usize::try_from(self.bounds.batch_bytes_max).unwrap_or(usize::MAX);
        within("queue_bytes", self.queue_bytes, batch..=64 << 30)?;
        within("decisions_kept", self.decisions_kept, 0..=100_000)?;
        self.breaker.map_or(Ok(()), |settings| settings.check())
    }

    /// Starts a batcher that shares `common` with others.
    pub(super) fn start<H: Handler<T>>(
        self,
        handler: H,
        common: Option<Arc<Common>>,
    ) -> Result<Batcher<T, H::Output>, SettingError> {
        self.check()?;
        let controller = self.controller.build(self.first, &self.bounds)?;
        let clock = Clock::start();
        let engine = Engine::new(clock.now(), controller, self.bounds, self.decisions_kept)
            .with_guards(Guards::new(self.guards)?);
        let room = (self.queue_items, self.queue_bytes);
        let breaker = self.breaker.map(Breaker::new).transpose()?;
        let parts = Parts { retries: self.retries, breaker, bisects: self.bisects };
        let seed = self.jitter.unwrap_or_else(random);
        let recovery =
            (!parts.is_none()).then(|| Box::new(Recovery::<T, H::Output>::new(parts, seed)));
        let shared =
            Arc::new(Shared::new(clock, engine, room, self.hook, self.keep, common.clone()));
        let flow = Flow::new(recovery, Observer::new(&self.name));
        let handler = Arc::new(handler);
        let call = move |batch| {
            let (handler, common) = (Arc::clone(&handler), common.clone());
            async move {
                let Some(common) = common else { return (handler.handle(batch).await, None) };
                let turn = common.turn().await;
                let departed = clock.now();
                let answer = handler.handle(batch).await;
                drop(turn);
                (answer, Some(departed))
            }
        };
        let seat = Arc::new(Seat::new(Driver::new(Arc::clone(&shared), flow, call)));
        let _ = shared.seat.set(Arc::clone(&seat) as _);
        tokio::spawn(Task::new(seat));
        Ok(Batcher { shared })
    }
}

/// A seed for jitter, which only has to differ from process to process.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};

    RandomState::new().hash_one(0)
}
