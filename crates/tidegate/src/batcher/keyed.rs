//! What if each tenant, or each table, needs batches of its own? A bounded map of batchers that
//! share one capacity.
//!
//! Items of different keys never travel together, and each key finds its own batch size. What the
//! keys share is what there is only once: the attempts that the backend takes at a time, and the
//! memory. A key's own bound ([`queue_items`](super::Builder::queue_items) of the builder) keeps a
//! busy one from taking all of the common room. A key that had nothing to do for a while goes away
//! with its task and its memory; if it comes back it begins anew.
//!
//! An attempt that waits for its turn among the keys has not left yet: the wait is no part of the
//! latency that its controller sees. Turns are given in the order in which batches were ready.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::clock::Clock;
use super::error::{AddError, SubmitError};
use super::sync::{Arc, Mutex, MutexGuard, PoisonError};
use super::{Batcher, Builder, Handler};
use crate::error::within;
use crate::{Moment, SettingError};

/// What the batchers of a [`Keyed`] share.
///
/// ```
/// use tidegate::batcher::Keys;
///
/// let keys = Keys { keys_max: 100, attempts: 4, ..Keys::default() };
/// # drop(keys);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys {
    /// Keys at a time, 1 to 1,000,000. Default 1,000.
    pub keys_max: usize,
    /// After how long without an item a key goes away, 1 ms to 24 h. Default 1 min.
    pub idle: Duration,
    /// Items of all keys that may wait or be in flight, 1 to 10⁹. Default 100,000.
    pub queue_items: usize,
    /// Their bytes, 1 B to 64 GiB. Default 64 MiB.
    pub queue_bytes: usize,
    /// Attempts of all keys in flight, 1 to 1,024. Default 16.
    pub attempts: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            keys_max: 1_000,
            idle: Duration::from_secs(60),
            queue_items: 100_000,
            queue_bytes: 64 << 20,
            attempts: 16,
        }
    }
}

impl Keys {
    fn check(&self) -> Result<(), SettingError> {
        within("keys_max", self.keys_max, 1..=1_000_000)?;
        within("idle_ms", self.idle.as_secs_f64() * 1e3, 1.0..=86_400_000.0)?;
        within("queue_items", self.queue_items, 1..=1_000_000_000)?;
        within("queue_bytes", self.queue_bytes, 1..=64 << 30)?;
        within("attempts", self.attempts, 1..=1024)
    }
}

/// What there is only once.
pub(super) struct Common {
    items: Semaphore,
    bytes: Semaphore,
    attempts: Semaphore,
}

/// Room for one item; given back unless it is used.
struct Room<'a> {
    item: SemaphorePermit<'a>,
    bytes: Option<SemaphorePermit<'a>>,
}

impl Room<'_> {
    fn used(self) {
        self.item.forget();
        if let Some(bytes) = self.bytes {
            bytes.forget();
        }
    }
}

impl Common {
    fn new(keys: &Keys) -> Self {
        Self {
            items: Semaphore::new(keys.queue_items),
            bytes: Semaphore::new(keys.queue_bytes),
            attempts: Semaphore::new(keys.attempts),
        }
    }

    /// Waits until one more attempt may leave.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // An error would mean that it was closed, which it never is.
        self.attempts.acquire().await.ok()
    }

    async fn room(&self, bytes: u64) -> Result<Room<'_>, AddError> {
        let item = self.items.acquire().await.map_err(|_| AddError::Closed)?;
        let bytes = match u32::try_from(bytes).unwrap_or(u32::MAX) {
            0 => None,
            bytes => Some(self.bytes.acquire_many(bytes).await.map_err(|_| AddError::Closed)?),
        };
        Ok(Room { item, bytes })
    }

    /// Items have their outcome.
    pub(super) fn give_back(&self, items: usize, bytes: u64) {
        self.items.add_permits(items);
        self.bytes.add_permits(usize::try_from(bytes).unwrap_or(0));
    }
}

/// A bounded map of batchers, one for each key.
///
/// Clones share it. Made by [`Builder::keyed`].
///
/// ```
/// use std::time::Duration;
/// use tidegate::Batcher;
/// use tidegate::batcher::Keys;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let keys = Keys { idle: Duration::from_secs(10), ..Keys::default() };
/// let tables = Batcher::builder().queue_items(1_000).keyed(keys, |table: &&'static str| {
///     let table = *table;
///     move |rows: Vec<u64>| async move { println!("insert {} rows into {table}", rows.len()) }
/// })?;
/// tables.add("orders", 1).await?;
/// tables.add("customers", 2).await?;
/// assert_eq!(tables.keys(), 2);
/// assert_eq!(tables.close().await.delivered, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct Keyed<K, T: Send + 'static, O: Send + 'static = ()> {
    inner: Arc<Inner<K, T, O>>,
}

struct Inner<K, T: Send + 'static, O: Send + 'static> {
    keys: Keys,
    common: Arc<Common>,
    clock: Clock,
    start: Box<Start<K, T, O>>,
    map: Mutex<Map<K, T, O>>,
}

/// Starts the batcher of a key.
type Start<K, T, O> = dyn Fn(&K) -> Result<Batcher<T, O>, SettingError> + Send + Sync;

struct Map<K, T: Send + 'static, O: Send + 'static> {
    batchers: HashMap<K, Member<T, O>>,
    closed: bool,
    /// Figures of those that went away.
    gone: Totals,
}

struct Member<T: Send + 'static, O: Send + 'static> {
    batcher: Batcher<T, O>,
    used: Moment,
}

/// Figures of all keys together, of those that went away too.
///
/// ```
/// use tidegate::batcher::Totals;
///
/// let Totals { added, delivered, failed } = Totals::default();
/// assert_eq!((added, delivered, failed), (0, 0, 0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Items added so far.
    pub added: u64,
    /// Items the backend took.
    pub delivered: u64,
    /// Items that were given up.
    pub failed: u64,
}

impl Totals {
    fn add<T: Send + 'static, O: Send + 'static>(&mut self, batcher: &Batcher<T, O>) {
        let stats = batcher.stats();
        self.added += stats.added;
        self.delivered += stats.delivered;
        self.failed += stats.failed;
    }
}

impl<T: Send + 'static> Builder<T> {
    /// A map of batchers, one for each key, with the settings of this builder, and with what `make`
    /// makes for the key as its handler. It runs on the current runtime.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first setting that is out of its range.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn keyed<K, H>(
        self,
        keys: Keys,
        make: impl Fn(&K) -> H + Send + Sync + 'static,
    ) -> Result<Keyed<K, T, H::Output>, SettingError>
    where
        K: Eq + Hash + Send + 'static,
        H: Handler<T>,
    {
        keys.check()?;
        self.check()?;
        let common = Arc::new(Common::new(&keys));
        let shared = Arc::clone(&common);
        let start = move |key: &K| self.clone().start(make(key), Some(Arc::clone(&shared)));
        let map = Map { batchers: HashMap::new(), closed: false, gone: Totals::default() };
        let inner = Arc::new(Inner {
            keys,
            common,
            clock: Clock::start(),
            start: Box::new(start),
            map: Mutex::new(map),
        });
        tokio::spawn(sweep(Arc::downgrade(&inner), keys.idle));
        Ok(Keyed { inner })
    }
}

/// Lets idle keys go, for as long as the map is there.
async fn sweep<K, T, O>(map: std::sync::Weak<Inner<K, T, O>>, idle: Duration)
where
    K: Eq + Hash + Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    loop {
        tokio::time::sleep((idle / 2).max(Duration::from_millis(1))).await;
        let Some(inner) = map.upgrade() else { return };
        let gone = inner.let_go(idle);
        // Outside of the map's lock: a last handle closes its batcher.
        drop(gone);
    }
}

impl<K, T, O> Inner<K, T, O>
where
    K: Eq + Hash + Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    fn lock(&self) -> MutexGuard<'_, Map<K, T, O>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the keys out that have had nothing to do for so long.
    fn let_go(&self, idle: Duration) -> Vec<Batcher<T, O>> {
        let now = self.clock.now();
        let mut map = self.lock();
        let idles = |member: &Member<T, O>| {
            now.since(member.used) >= idle && member.batcher.shared.lock().room.items() == 0
        };
        let gone: Vec<_> = map.batchers.extract_if(|_, member| idles(member)).collect();
        let gone = gone.into_iter().map(|(_, member)| member.batcher).collect::<Vec<_>>();
        gone.iter().for_each(|batcher| map.gone.add(batcher));
        gone
    }

    /// The batcher of a key, which is started if it is not there.
    fn get(&self, key: K) -> Result<Batcher<T, O>, AddError> {
        let now = self.clock.now();
        let mut map = self.lock();
        if map.closed {
            return Err(AddError::Closed);
        }
        if let Some(member) = map.batchers.get_mut(&key) {
            member.used = now;
            return Ok(member.batcher.clone());
        }
        if map.batchers.len() >= self.keys.keys_max {
            drop(map);
            // Whoever has nothing to do makes room for one who has.
            drop(self.let_go(Duration::ZERO));
            map = self.lock();
            if map.batchers.len() >= self.keys.keys_max {
                return Err(AddError::TooManyKeys { keys_max: self.keys.keys_max });
            }
        }
        // The settings were checked before.
        let batcher = (self.start)(&key).map_err(|_| AddError::Closed)?;
        map.batchers.insert(key, Member { batcher: batcher.clone(), used: now });
        Ok(batcher)
    }
}

impl<K, T, O> Keyed<K, T, O>
where
    K: Eq + Hash + Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    /// Adds an item that weighs nothing in bytes to the batches of `key`. Waits while the common
    /// queue is full, or that of the key.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, the item was not added.
    ///
    /// # Errors
    ///
    /// [`AddError::TooManyKeys`] if there are as many keys as allowed and none of them is idle,
    /// [`AddError::Closed`] after [`close`](Self::close).
    pub async fn add(&self, key: K, item: T) -> Result<(), AddError> {
        self.add_sized(key, item, 0).await
    }

    /// The same, with an item of `bytes` serialized bytes.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), and [`AddError::TooLarge`] for an item that no batch could hold.
    pub async fn add_sized(&self, key: K, item: T, bytes: u64) -> Result<(), AddError> {
        let room = self.inner.common.room(bytes).await?;
        let batcher = self.inner.get(key)?;
        batcher.add_sized(item, bytes).await?;
        room.used();
        Ok(())
    }

    /// Adds an item to the batches of `key` and waits for its own outcome.
    ///
    /// # Errors
    ///
    /// As [`Batcher::submit`] and [`add`](Self::add).
    pub async fn submit(&self, key: K, item: T) -> Result<O, SubmitError> {
        let room = self.inner.common.room(0).await?;
        let batcher = self.inner.get(key)?;
        let mut submit = std::pin::pin!(batcher.submit(item));
        let mut room = Some(room);
        std::future::poll_fn(|cx| {
            let outcome = submit.as_mut().poll(cx);
            // From the queue on the room is given back by the batcher.
            if submit.is_inside()
                && let Some(room) = room.take()
            {
                room.used();
            }
            outcome
        })
        .await
    }

    /// Keys that have a batcher now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.inner.lock().batchers.len()
    }

    /// The figures so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let map = self.inner.lock();
        let mut totals = map.gone;
        map.batchers.values().for_each(|member| totals.add(&member.batcher));
        totals
    }

    /// Takes no more items, hands over what waits, and returns the final figures when every item
    /// has its outcome.
    pub async fn close(&self) -> Totals {
        let open: Vec<_> = {
            let mut map = self.inner.lock();
            map.closed = true;
            map.batchers.values().map(|member| member.batcher.clone()).collect()
        };
        // All of them drain at the same time.
        open.iter().for_each(|batcher| batcher.shared.close());
        for batcher in &open {
            batcher.close().await;
        }
        self.totals()
    }
}

impl<K, T: Send + 'static, O: Send + 'static> Clone for Keyed<K, T, O> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, T: Send + 'static, O: Send + 'static> fmt::Debug for Keyed<K, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("keys", &self.inner.keys).finish_non_exhaustive()
    }
}
