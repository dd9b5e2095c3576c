//! Which rows are deleted again, and how without getting in anybody's way?
//!
//! A sweep deletes at most a given number of rows, always the lowest positions of the oldest
//! journal, in one small transaction between two batches. It never touches the record of ranges:
//! what was delivered stays delivered.
//!
//! Counting all rows would mean reading the table, so the rows of a journal are taken as the span
//! from its lowest to its highest position: two look-ups, and never less than there are. Age is
//! read off `observed` at the head of the journal, which grows with the position; where a clock
//! was set back, rows wait until those before them are old enough.
//!
//! How much is swept is decided by [`Pace`]: while batches come in, at least as much as they bring.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::settings::Retention;

/// Rows a sweep, at least.
const CHUNK_MIN: u64 = 1_000;
/// Rows a sweep, at most: about as long as the transaction of a large batch.
const CHUNK_MAX: u64 = 10_000;
/// New rows after which a sweep goes between two batches.
const DUE: u64 = 4_000;
/// How often an idle sink looks whether rows have become too old.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When to sweep, and how much.
#[derive(Debug, Default)]
pub(super) struct Pace {
    inserted: u64,
    more: bool,
}

impl Pace {
    /// A batch of this many rows was stored.
    pub(super) fn inserted(&mut self, rows: u64) {
        self.inserted = self.inserted.saturating_add(rows);
    }

    /// Whether to sweep although the next batch may be waiting.
    pub(super) fn is_due(&self) -> bool {
        self.inserted >= DUE
    }

    /// How long an idle sink waits before it sweeps.
    pub(super) fn wait(&self) -> Duration {
        if self.more { Duration::ZERO } else { LOOK_EVERY }
    }

    /// How many rows the next sweep may delete: twice what came in since the last one, so that a
    /// backlog shrinks even under load.
    pub(super) fn limit(&self) -> u64 {
        self.inserted.saturating_mul(2).clamp(CHUNK_MIN, CHUNK_MAX)
    }

    /// A sweep that was allowed `limit` rows deleted this many. A sweep that found little to do is
    /// not repeated at once: a transaction for every few rows would cost more than they do.
    pub(super) fn swept(&mut self, limit: u64, deleted: u64) {
        *self = Self { inserted: 0, more: deleted >= limit / 2 };
    }
}

/// Deletes up to `limit` rows that `retention` does not keep; `now` is ns since 1970 UTC. Answers
/// how many.
pub(super) fn sweep(
    db: &mut Connection,
    retention: Retention,
    now: i64,
    limit: u64,
) -> rusqlite::Result<u64> {
    let limit = limit.cast_signed();
    let spans = spans(db)?;
    let Some(oldest) = spans.first() else { return Ok(0) };
    let by_count = retention.max_rows.map(|keep| cut_by_count(&spans, keep.cast_signed(), limit));
    let by_age = match retention.max_age {
        None => None,
        Some(age) => {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            cut_by_age(db, oldest.journal, now.saturating_sub(age), limit)?
        }
    };
    let cut = by_count.max(by_age).unwrap_or(oldest.first);
    if cut <= oldest.first {
        return Ok(0);
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let deleted = transaction
        .prepare_cached("DELETE FROM events WHERE journal = ?1 AND position < ?2")?
        .execute(params![oldest.journal, cut])?;
    transaction.commit()?;
    Ok(deleted as u64)
}

/// The rows of one journal: its lowest and its highest position.
#[derive(Debug, Clone, Copy)]
struct Span {
    journal: i64,
    first: i64,
    last: i64,
}

impl Span {
    fn rows(self) -> i64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// Of every journal that has rows, oldest first.
fn spans(db: &Connection) -> rusqlite::Result<Vec<Span>> {
    db.prepare_cached(
        "SELECT journal, first, last FROM (
             SELECT journal,
                    (SELECT min(position) FROM events WHERE events.journal = known.journal) AS first,
                    (SELECT max(position) FROM events WHERE events.journal = known.journal) AS last
             FROM tidegate_journals AS known)
         WHERE first IS NOT NULL ORDER BY journal",
    )?
    .query_map([], |row| Ok(Span { journal: row.get(0)?, first: row.get(1)?, last: row.get(2)? }))?
    .collect()
}

/// The first position of the oldest journal to keep, by count.
fn cut_by_count(spans: &[Span], keep: i64, limit: i64) -> i64 {
    let rows = spans.iter().fold(0_i64, |sum, span| sum.saturating_add(span.rows()));
    let Some(oldest) = spans.first() else { return 0 };
    let excess = rows.saturating_sub(keep).clamp(0, limit).min(oldest.rows());
    oldest.first.saturating_add(excess)
}

/// The first position of the journal to keep, by age: the first one that is young enough, or the
/// one after the last that was looked at.
fn cut_by_age(
    db: &Connection,
    journal: i64,
    oldest_kept: i64,
    limit: i64,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT max(position) + 1 FROM (
             SELECT position, max(observed) OVER (ORDER BY position) AS newest
             FROM (SELECT position, observed FROM events WHERE journal = ?1
                   ORDER BY position LIMIT ?2))
         WHERE newest < ?3",
    )?;
    let cut = statement.query_row(params![journal, limit, oldest_kept], |row| row.get(0));
    cut.optional().map(Option::flatten)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn database(rows: &[(i64, i64, i64)]) -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        schema::install(&mut db).unwrap();
        for (journal, position, observed) in rows {
            let id = format!("{journal:032x}");
            db.execute(
                "INSERT OR IGNORE INTO tidegate_journals VALUES (?1, ?2, 1, '')",
                params![journal, id],
            )
            .unwrap();
            db.execute(
                "INSERT INTO events (journal, position, observed) VALUES (?1, ?2, ?3)",
                params![journal, position, observed],
            )
            .unwrap();
        }
        db
    }

    fn kept(db: &Connection) -> Vec<(i64, i64)> {
        let mut statement =
            db.prepare("SELECT journal, position FROM events ORDER BY 1, 2").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    const SECOND: i64 = 1_000_000_000;

    fn by_count(rows: u64) -> Retention {
        Retention { max_age: None, max_rows: Some(rows) }
    }

    fn by_age(seconds: u64) -> Retention {
        Retention { max_age: Some(Duration::from_secs(seconds)), max_rows: None }
    }

    #[test]
    fn the_newest_rows_stay_across_journals_and_a_sweep_is_bounded() {
        let mut db = database(&[(1, 7, 0), (1, 8, 0), (1, 9, 0), (2, 0, 0), (2, 1, 0)]);
        assert_eq!(sweep(&mut db, by_count(3), 0, 1), Ok(1));
        assert_eq!(sweep(&mut db, by_count(3), 0, 10), Ok(1));
        assert_eq!(kept(&db), [(1, 9), (2, 0), (2, 1)]);
        assert_eq!(sweep(&mut db, by_count(3), 0, 10), Ok(0));
        // The oldest journal is emptied first, then it is the next one's turn.
        assert_eq!(sweep(&mut db, by_count(1), 0, 10), Ok(1));
        assert_eq!(sweep(&mut db, by_count(1), 0, 10), Ok(1));
        assert_eq!(kept(&db), [(2, 1)]);
    }

    #[test]
    fn what_is_too_old_goes_up_to_the_first_row_that_is_not() {
        let rows = [(1, 0, 0), (1, 1, SECOND), (1, 2, 9 * SECOND), (1, 3, 2 * SECOND)];
        let mut db = database(&rows);
        assert_eq!(sweep(&mut db, by_age(5), 10 * SECOND, 1), Ok(1));
        assert_eq!(sweep(&mut db, by_age(5), 10 * SECOND, 10), Ok(1));
        // Position 3 is old, but behind a younger one: the clock had been set back.
        assert_eq!(kept(&db), [(1, 2), (1, 3)]);
        assert_eq!(sweep(&mut db, by_age(5), 10 * SECOND, 10), Ok(0));
        assert_eq!(sweep(&mut db, by_age(5), 100 * SECOND, 10), Ok(2));
        assert_eq!(sweep(&mut db, by_age(5), 100 * SECOND, 10), Ok(0));
    }

    #[test]
    fn with_both_the_stricter_decides() {
        let mut db = database(&[(1, 0, 0), (1, 1, 0), (1, 2, 9 * SECOND)]);
        let both = Retention { max_rows: Some(2), ..by_age(5) };
        assert_eq!(sweep(&mut db, both, 10 * SECOND, 10), Ok(2));
    }

    #[test]
    fn under_load_more_is_swept_than_comes_in_and_an_idle_sink_rests() {
        let mut pace = Pace::default();
        assert_eq!(pace.wait(), LOOK_EVERY);
        pace.inserted(3_999);
        assert!(!pace.is_due());
        pace.inserted(1);
        assert!(pace.is_due());
        assert_eq!(pace.limit(), 8_000);
        pace.swept(8_000, 8_000);
        assert_eq!((pace.wait(), pace.is_due(), pace.limit()), (Duration::ZERO, false, CHUNK_MIN));
        pace.swept(1_000, 3);
        assert_eq!(pace.wait(), LOOK_EVERY);
        pace.inserted(u64::MAX);
        assert_eq!(pace.limit(), CHUNK_MAX);
    }
}
