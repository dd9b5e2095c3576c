//! What becomes of an item that is given up? It is kept, with why, until somebody decides.
//!
//! A dead letter is one item of one sink: its name (journal and position), what the backend said,
//! how often and when it was tried, and the event itself, readable and as its row. Letters live in a
//! database file of their own, `control.db` in the data directory, apart from the events.
//!
//! * A letter is durable *before* its position is committed in the sink, so an item is never in
//!   neither place. It is upserted by its name, so that doing both again after a crash is harmless.
//! * The number and the bytes of all letters are bounded. At the bound the lane that has one more
//!   stops and says so: nothing is dropped in silence.
//! * A letter goes back to its sink under its own name, through a lane of its own: see `replay`.
//!
//! | question | part |
//! |---|---|
//! | What is in a letter, and how are letters grouped? | `letter` |
//! | How is an event written so that a person can mend it? | `event` |
//! | What is in the file? | `store` |
//! | Who touches the file? | `thread` |
//! | How does a letter get delivered after all? | `replay` |
//! | When is that done without anybody asking? | `reprocess` |

pub(crate) mod event;
pub use event::line as event_line;
pub(crate) mod letter;
pub(crate) mod replay;
pub(crate) mod reprocess;
mod store;
#[cfg(test)]
mod tests;
mod thread;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tidegate_event::{JournalId, Position};
use tokio::sync::watch;

pub(crate) use letter::{Filter, Group, Letter, Record, Why};
use store::Store;
use thread::Thread;

/// How many letters there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Letters.
    pub(crate) items_max: u64,
    /// Their bytes: rows, events and reasons.
    pub(crate) bytes_max: u64,
}

/// What there is of one sink and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) sink: String,
    pub(crate) kind: String,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// The letters cannot be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// One more would be too many.
    #[error(
        "dead letters are full: {items} of {items_max} items, {bytes} of {bytes_max} bytes. Retry \
         or purge some (`tidegate dlq`), or raise `dead_letters`"
    )]
    Full {
        /// Letters there are.
        items: u64,
        /// Letters there may be.
        items_max: u64,
        /// Bytes there are.
        bytes: u64,
        /// Bytes there may be.
        bytes_max: u64,
    },
    /// A letter was sent, and whether it was delivered is not known.
    #[error(
        "letter {0} was sent and may have been delivered as it is, so it cannot be replaced: retry \
         it (`tidegate dlq retry {0}`), which finds out, then mend it if it is still there"
    )]
    UnderWay(i64),
    /// The file does not do what it should.
    #[error("dead letters cannot be used: {0}")]
    File(String),
    /// The server is stopping.
    #[error("dead letters are closed: the server is stopping")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::File(error.to_string())
    }
}

/// All dead letters of a server. Clones are the same letters.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetters {
    thread: Arc<Thread>,
    totals: Arc<Mutex<Vec<Total>>>,
    /// Told when room was made.
    room: watch::Sender<u64>,
    pub(crate) limits: Limits,
}

impl DeadLetters {
    /// Opens `control.db` in `dir`, or creates it. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::File`] when the file cannot be used, with why.
    pub(crate) fn open(dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        Self::begin(Store::open(&dir.join("control.db"), limits)?, limits)
    }

    /// Letters that are gone with the process.
    #[cfg(test)]
    pub(crate) fn in_memory(limits: Limits) -> Self {
        Self::begin(Store::open(Path::new(":memory:"), limits).unwrap(), limits).unwrap()
    }

    fn begin(store: Store, limits: Limits) -> Result<Self, StoreError> {
        let totals = Arc::new(Mutex::new(store.totals()?));
        let spawned = Thread::spawn(store);
        let thread = spawned.map_err(|error| StoreError::File(error.to_string()))?;
        Ok(Self { thread: Arc::new(thread), totals, room: watch::Sender::new(0), limits })
    }

    /// Does something with the store, and takes note of the totals when it has changed them.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let totals = Arc::clone(&self.totals);
        let changed = self.thread.ask(move |store| {
            let done = work(store)?;
            *totals.lock().unwrap_or_else(PoisonError::into_inner) = store.totals()?;
            Ok(done)
        });
        changed.await
    }

    /// Keeps letters; they are durable when this returns. All of them or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] when one more would be too many.
    pub(crate) async fn keep(&self, letters: Vec<Letter>) -> Result<(), StoreError> {
        self.change(move |store| store.keep(&letters)).await
    }

    /// The positions of a sink's letters from `above` on.
    pub(crate) async fn positions(
        &self,
        journal: JournalId,
        sink: Arc<str>,
        lane: Arc<str>,
        above: Position,
    ) -> Result<Vec<Position>, StoreError> {
        self.thread.ask(move |store| store.positions(journal, &sink, &lane, above)).await
    }

    /// The letters that the filter lets through, from the one after `after` on, at most `limit`.
    pub(crate) async fn page(
        &self,
        filter: Filter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.thread.ask(move |store| store.page(&filter, after, limit)).await
    }

    /// The letters that the filter lets through, by what was said of them: the largest groups.
    pub(crate) async fn groups(&self, filter: Filter) -> Result<Vec<Group>, StoreError> {
        self.thread.ask(move |store| store.groups(&filter)).await
    }

    /// One letter.
    pub(crate) async fn get(&self, id: i64) -> Result<Option<Record>, StoreError> {
        self.thread.ask(move |store| store.get(id)).await
    }

    /// Notes that letters are about to be sent, and returns them as they are now.
    async fn sending(&self, ids: Vec<i64>, is_automatic: bool) -> Result<Vec<Record>, StoreError> {
        self.thread.ask(move |store| store.begin(&ids, is_automatic)).await
    }

    /// Notes that letters that were sent are certainly not there.
    async fn not_there(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.thread.ask(move |store| store.not_there(&ids)).await
    }

    /// Takes back that letters have been sent once more without anybody asking.
    async fn spare(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.thread.ask(move |store| store.spare(&ids)).await
    }

    /// Replaces the event of a letter. False if there is no such letter.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnderWay`] when the letter may have been delivered as it is.
    pub(crate) async fn mend(
        &self,
        id: i64,
        event: String,
        row: Bytes,
    ) -> Result<bool, StoreError> {
        self.change(move |store| store.mend(id, &event, &row)).await
    }

    /// Notes that letters were refused again, and why.
    pub(crate) async fn put_back(&self, ids: Vec<i64>, why: Why) -> Result<(), StoreError> {
        self.change(move |store| store.put_back(&ids, &why)).await
    }

    /// Removes letters that were delivered.
    pub(crate) async fn remove(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.change(move |store| store.remove(&ids)).await?;
        self.room.send_modify(|times| *times += 1);
        Ok(())
    }

    /// Removes what the filter lets through, for good; returns how many.
    pub(crate) async fn purge(&self, filter: Filter) -> Result<u64, StoreError> {
        let purged = self.change(move |store| store.purge(&filter)).await?;
        self.room.send_modify(|times| *times += 1);
        Ok(purged)
    }

    /// What there is, by sink and kind.
    pub(crate) fn totals(&self) -> Vec<Total> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Letters, and their bytes.
    pub(crate) fn total(&self) -> (u64, u64) {
        self.totals().iter().fold((0, 0), |sum, one| (sum.0 + one.items, sum.1 + one.bytes))
    }

    /// Changes when room was made.
    pub(crate) fn room(&self) -> watch::Receiver<u64> {
        self.room.subscribe()
    }

    /// Finishes what was asked for and lets go of the file.
    pub(crate) async fn close(&self) {
        self.thread.close().await;
    }
}
