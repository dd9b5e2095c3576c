//! How do events reach a SQLite database exactly once?
//!
//! Every batch is one transaction: the fence, the range, the rows, the commit. The range goes into
//! the sink's own record under a constraint against overlap, so a batch that comes again stores
//! nothing, and one that was cut differently is refused. The tables are documented in [`schema`].
//!
//! | question | module |
//! |---|---|
//! | What can be set, and within which bounds? | [`settings`] |
//! | Which tables does the sink keep, and when is a database not ours? | [`schema`] |
//! | How is the database opened, so that a commit is durable? | `connection` |
//! | Who touches the connection? | `writer` |
//! | What happens to the file when the sink is asked for something? | `store` |
//! | May this opening of the journal write here? | `fence` |
//! | Which positions has a lane committed? | `ranges` |
//! | How do rows get into the table? | `insert` |
//! | Which rows are deleted again? | `retention` |
//! | How long does a writer wait for a lock, and who counts it? | `busy` |
//! | What does a failure mean for whoever sent the batch? | `trouble` |

mod busy;
mod connection;
mod fence;
mod insert;
mod ranges;
mod retention;
pub mod schema;
pub mod settings;
mod store;
mod trouble;
mod writer;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate::Outcome;
use tidegate_event::Position;

pub use settings::{Retention, Settings};

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};
use store::Store;
use writer::{Command, Writer};

/// A sink that writes into one SQLite database file.
///
/// It answers every delivery with how often it found the write lock taken, and which share of its
/// last 64 attempts the database failed. Dropping it without [`close`](Sink::close) finishes what
/// is queued in the background.
///
/// ```
/// use tidegate_sinks::Sink;
/// use tidegate_sinks::sqlite::{Settings, SqliteSink};
///
/// let directory = tempfile::tempdir()?;
/// let sink = SqliteSink::start(Settings::new(directory.path().join("events.db"), "sqlite"))?;
/// assert_eq!(sink.kind(), "sqlite");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteSink {
    writer: Writer,
    path: PathBuf,
}

impl SqliteSink {
    /// Opens the database, creates what is missing and starts the writer thread.
    ///
    /// It blocks while the file is opened, for a lock up to `busy_timeout`: call it where that
    /// does not matter.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] with the path and what to do, when a setting is out of its bounds,
    /// the file or its directory cannot be created or written, the file is no database or damaged,
    /// its file system refuses write-ahead logging, it was written by a newer version, or it
    /// belongs to something else.
    pub fn start(settings: Settings) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let retention = settings.retention;
        settings.validate().map_err(|error| trouble::backend(&path, error.to_string()))?;
        let store = Store::start(settings)?;
        let writer = Writer::spawn(store, retention)
            .map_err(|error| trouble::backend(&path, format!("no thread for it: {error}")))?;
        Ok(Self { writer, path })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn closed(&self) -> DeliveryFailure {
        DeliveryFailure::Retry(format!("the sink of database {} is closed", self.path.display()))
    }
}

impl fmt::Debug for SqliteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Sink for SqliteSink {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: Some(1), guarantee: Guarantee::ExactlyOnce }
    }

    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async move {
            let opened = self.writer.ask(|answer| Command::Open(origin, answer)).await;
            opened.unwrap_or_else(|_| Err(trouble::backend(&self.path, self.closed().to_string())))
        })
    }

    fn delivered<'a>(
        &'a self,
        lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async move {
            let lane = Arc::from(lane);
            let ranges = self.writer.ask(|answer| Command::Delivered(lane, above, answer)).await;
            ranges.unwrap_or_else(|_| Err(self.closed()))
        })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        Box::pin(async move {
            let delivery = self.writer.ask(|answer| Command::Deliver(batch, answer)).await;
            delivery.unwrap_or_else(|_| Delivery {
                outcome: Outcome::Unreachable,
                failure: Some(self.closed()),
                feedback: None,
                retry_after: None,
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A writer that is gone has closed already.
            let _ = self.writer.ask(Command::Close).await;
        })
    }
}
