//! What happens to the file when the sink is asked for something?
//!
//! The order inside a batch's transaction is the promise: take the write lock; see that the
//! journal is still ours; claim the range; insert the rows; commit. Whatever fails leaves nothing
//! behind: the transaction rolls back when it is dropped.

use std::ops::Range;

use rusqlite::TransactionBehavior;
use tidegate::{Feedback, Outcome};
use tidegate_event::Position;

use super::busy::LockWaits;
use super::connection::{self, Db};
use super::fence::{self, Taken};
use super::insert;
use super::ranges::{self, Claim, Owner};
use super::retention;
use super::settings::{Retention, Settings};
use super::trouble::{Site, Trouble};
use crate::contract::{Batch, Delivery, DeliveryFailure, OpenError, Origin};
use crate::recent::Recent;
use crate::shape;

/// The database of one sink, and what the sink remembers of it.
pub(super) struct Store {
    settings: Settings,
    waits: LockWaits,
    recent: Recent,
    /// `None` after a failure that a new connection may mend.
    db: Option<Db>,
    /// The journal that was opened, as this file knows it.
    taken: Option<Taken>,
}

impl Store {
    /// Opens the file.
    pub(super) fn start(settings: Settings) -> Result<Self, OpenError> {
        let waits = LockWaits::default();
        let db = connection::open(&settings, &waits)?;
        Ok(Self { settings, waits, recent: Recent::default(), db: Some(db), taken: None })
    }

    /// Takes the journal for this opening.
    pub(super) fn open(&mut self, origin: Origin) -> Result<(), OpenError> {
        let attempt = self.ready().and_then(|db| fence::take(&mut db.connection, origin));
        self.settle(attempt)
            .map(|taken| self.taken = Some(taken))
            .map_err(|trouble| trouble.open_error(self.site()))
    }

    /// The ranges that the lane has committed.
    pub(super) fn delivered(
        &mut self,
        lane: &str,
        above: Position,
    ) -> Result<Vec<Range<Position>>, DeliveryFailure> {
        let attempt = self.look_up(lane, above);
        self.settle(attempt).map_err(|trouble| trouble.answer(self.site()).1)
    }

    fn look_up(&mut self, lane: &str, above: Position) -> Result<Vec<Range<Position>>, Trouble> {
        self.ready()?;
        let (Some(db), Some(taken)) = (&self.db, &self.taken) else {
            return Err(Trouble::NotOpened);
        };
        let owner = Owner { sink: &self.settings.name, journal: taken.journal, lane };
        Ok(ranges::above(&db.connection, owner, above)?)
    }

    /// One attempt.
    pub(super) fn deliver(&mut self, batch: &Batch) -> Delivery {
        let attempt = self.commit(batch);
        let attempt = self.settle(attempt);
        self.recent.push(attempt.as_ref().is_err_and(Trouble::is_of_the_backend));
        let (outcome, failure) = match attempt {
            Ok(()) => (Outcome::Ok, None),
            Err(trouble) => {
                let (outcome, failure) = trouble.answer(self.site());
                (outcome, Some(failure))
            }
        };
        let feedback = Feedback {
            lock_waits: Some(self.waits.take() as f64),
            error_rate: Some(self.recent.error_rate()),
            ..Feedback::default()
        };
        Delivery { outcome, failure, feedback: Some(feedback), retry_after: None }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), Trouble> {
        let range = shape::checked_range(batch).map_err(Trouble::Data)?;
        self.ready()?;
        let (Some(db), Some(taken)) = (&mut self.db, &self.taken) else {
            return Err(Trouble::NotOpened);
        };
        let owner = Owner { sink: &self.settings.name, journal: taken.journal, lane: &batch.lane };
        let transaction =
            db.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        fence::check(&transaction, taken)?;
        if ranges::claim(&transaction, owner, &range)? == Claim::Repeated {
            return Ok(());
        }
        insert::rows(&transaction, taken.journal, batch)?;
        ranges::join(&transaction, owner, &range)?;
        Ok(transaction.commit()?)
    }

    /// Deletes up to `limit` rows that are kept no longer. A failure shows in the next batch too.
    pub(super) fn sweep(&mut self, retention: Retention, now: i64, limit: u64) -> u64 {
        let swept = self
            .ready()
            .and_then(|db| Ok(retention::sweep(&mut db.connection, retention, now, limit)?));
        self.settle(swept).unwrap_or(0)
    }

    /// Lets go of the file; SQLite then moves the write-ahead log into it.
    pub(super) fn close(&mut self) {
        self.db = None;
    }

    /// The connection: the one there is if its file is still in place, else a new one that has
    /// taken the journal again.
    fn ready(&mut self) -> Result<&mut Db, Trouble> {
        let path = self.settings.path.as_path();
        if let Some(moved) = self.db.as_ref().and_then(|db| db.check_place(path).err()) {
            if let Some(db) = self.db.take() {
                db.abandon();
            }
            return Err(moved);
        }
        let db = match self.db.take() {
            Some(db) => db,
            None => {
                let mut db =
                    connection::open(&self.settings, &self.waits).map_err(Trouble::Closed)?;
                if let Some(taken) = self.taken {
                    self.taken = Some(fence::take(&mut db.connection, taken.origin)?);
                }
                db
            }
        };
        Ok(self.db.insert(db))
    }

    /// Drops a connection that is not to be trusted after this.
    fn settle<T>(&mut self, attempt: Result<T, Trouble>) -> Result<T, Trouble> {
        if attempt.as_ref().is_err_and(Trouble::needs_reopening) {
            self.db = None;
        }
        attempt
    }

    fn site(&self) -> Site<'_> {
        Site { path: &self.settings.path, busy_timeout: self.settings.busy_timeout }
    }
}
