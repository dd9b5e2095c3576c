//! What must every sink promise and answer?
//!
//! A sink gets batches of rows that carry their names (journal and positions) and answers each
//! with what came of it. It keeps its own durable record of the ranges it has committed, in the
//! same transaction as their rows: that record is the truth about what was delivered, and the
//! journal's cursors are only hints. Only the sink knows its backend; nobody above it sees a
//! statement, a status code or a connection.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tidegate::{Feedback, Outcome};
use tidegate_event::{JournalId, Position, Rows};

/// A future that a sink returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where batches go.
pub trait Sink: Send + Sync + 'static {
    /// The kind of sink, as the configuration names it (`sqlite`).
    fn kind(&self) -> &'static str;

    /// What the sink can take and what it promises.
    fn limits(&self) -> Limits;

    /// Whether the backend knows a batch that comes again by its range: then a batch in doubt must
    /// come again unchanged, and whoever sends notes its boundaries before the first attempt. A
    /// sink with a record of its own does not need that, nor one that keeps nothing.
    fn keys_batches(&self) -> bool {
        self.limits().guarantee == Guarantee::AtLeastOnce
    }

    /// Takes the sink into use by one opening of one journal, before any batch.
    ///
    /// The sink stores the epoch. From then on it refuses every older opening of that journal —
    /// also one that is still running, and also one with the same epoch but another `opening`: a
    /// copied data directory must not deliver in parallel. The opening that holds the journal may
    /// open it again. Before the first open the sink takes nothing.
    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>>;

    /// The ranges of positions that `lane` has committed, from `above` on: sorted, disjoint and
    /// merged where they touch. A range that reaches across `above` begins there.
    ///
    /// A lane asks at its start, and after an attempt that ended [`Outcome::Unreachable`] or
    /// [`DeliveryFailure::Recut`]: the backend may not be the one it was (restored, replaced).
    fn delivered<'a>(
        &'a self,
        lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>>;

    /// Sends one batch: one attempt.
    ///
    /// A sink that is [`Guarantee::ExactlyOnce`] answers [`Outcome::Ok`] also for a batch whose
    /// range it had already committed (an attempt whose answer was lost), and stores nothing twice:
    /// also not an item that another lane has stored under the same name, as happens when a class
    /// is declared while some of its items are delivered. Another item under a name that is taken
    /// is refused. A batch is stored whole or not at all; the answer comes only after the commit is
    /// durable. Whoever stops waiting for the answer does not stop the attempt, unless the sink is
    /// [`Guarantee::AtLeastOnce`] and says so.
    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery>;

    /// Finishes what is in flight and lets go of the backend.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Which opening of which journal delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The journal.
    pub journal: JournalId,
    /// Its epoch: one more at each opening.
    pub epoch: u64,
    /// A number drawn at random at this opening, which tells two copies with one epoch apart.
    pub opening: u128,
}

/// How often an item may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Every item is stored once.
    ExactlyOnce,
    /// Every item arrives, some perhaps more than once; each carries its name.
    AtLeastOnce,
}

/// What a sink can take and what it promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts that may be in flight at once; `None` leaves it to the settings.
    pub concurrency_max: Option<u32>,
    /// How often an item may arrive.
    pub guarantee: Guarantee,
}

/// Items of one lane that travel together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The lane they come from.
    pub lane: Arc<str>,
    /// The positions the batch covers. Positions inside it that no slice holds belong to other
    /// lanes.
    pub range: Range<Position>,
    /// The rows, in the order of their positions.
    pub slices: Vec<Slice>,
}

impl Batch {
    /// How many items.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.slices.iter().map(|slice| u64::from(slice.rows.len())).sum()
    }

    /// How many encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.slices.iter().map(|slice| slice.rows.bytes().len() as u64).sum()
    }
}

/// Rows with consecutive positions.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The position of the first row.
    pub first: Position,
    /// The rows.
    pub rows: Rows,
}

/// What came of one attempt.
///
/// The outcome is for controllers, the failure is for the lane. [`DeliveryFailure::Fenced`] and
/// [`DeliveryFailure::Recut`] come with [`Outcome::Unreachable`], so that nobody gives items up on
/// them: only [`Outcome::Rejected`], [`Outcome::TooLarge`] and [`Outcome::Partial`] speak of the data.
#[derive(Debug)]
pub struct Delivery {
    /// What the backend answered.
    pub outcome: Outcome,
    /// Why, unless everything was taken.
    pub failure: Option<DeliveryFailure>,
    /// What the backend said of its load.
    pub feedback: Option<Feedback>,
    /// How long the backend asks to wait before anything is sent again, if it does; with
    /// [`Outcome::Throttled`] or [`Outcome::Overloaded`].
    pub retry_after: Option<Duration>,
}

/// Why an attempt did not deliver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryFailure {
    /// The backend cannot take it now; the same batch may succeed later.
    #[error("{0}")]
    Retry(String),
    /// The backend refused the data, and with it the whole batch: none of it is stored.
    #[error("the data was refused: {why}")]
    Refused {
        /// What the backend said.
        why: String,
        /// The item it spoke of, if it named one: a hint that saves a search, no more.
        at: Option<Position>,
    },
    /// The backend refused the batch for its size: parts of it may fare better.
    #[error("the batch is too large: {0}")]
    TooLarge(String),
    /// The backend answered item by item, and did not take these; every other item of the batch
    /// was taken. Comes with [`Outcome::Partial`], and only from sinks that are
    /// [`Guarantee::AtLeastOnce`]: the others store a batch whole or not at all.
    #[error("{} items were not taken; position {}: {}", .0.len(), first(.0).0, first(.0).1)]
    Items(Vec<ItemFailure>),
    /// Another opening of the journal has taken over; this one must stop delivering.
    #[error(
        "this sink now belongs to another opening of journal {journal} (epoch {theirs}, ours is \
         {ours}): a copy of the data directory is delivering too. Stop one of them; give the copy \
         an empty data directory if both shall run"
    )]
    Fenced {
        /// The journal.
        journal: JournalId,
        /// The epoch that the sink has stored.
        theirs: u64,
        /// The epoch of the opening that was refused.
        ours: u64,
    },
    /// The sink's own record contradicts the batch: part of its range is committed, part is not.
    #[error("positions {0:?} were committed in another cut: the lane must read what is delivered")]
    Recut(Range<Position>),
}

/// Why one item was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFailure {
    /// The item.
    pub position: Position,
    /// Whether it may be taken later, unchanged.
    pub retryable: bool,
    /// What the backend said of it.
    pub why: String,
}

/// The first failure, for a message.
fn first(failures: &[ItemFailure]) -> (Position, &str) {
    failures.first().map_or((0, "none"), |failure| (failure.position, failure.why.as_str()))
}

/// A sink could not be taken into use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The backend cannot be used as it is: what, where, and what to do.
    #[error("{what}: {why}")]
    Backend {
        /// What was tried, with the path or address.
        what: String,
        /// What went wrong, and what to do.
        why: String,
    },
    /// A newer opening of the same journal has used the sink already.
    #[error(
        "journal {journal} was opened at epoch {theirs} by another copy of the data directory, and \
         this one is at epoch {ours}: it was copied or restored from a backup. Delivering both \
         would store events twice. Use the newer directory, or start this one with an empty journal"
    )]
    Copied {
        /// The journal.
        journal: JournalId,
        /// The epoch that the sink has stored.
        theirs: u64,
        /// The epoch of the opening that was refused.
        ours: u64,
    },
}
