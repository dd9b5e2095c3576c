//! Which tables does the sink keep, and when is a database not ours to write to?
//!
//! # The tables, for people with the `sqlite3` shell
//!
//! `events`, one row an event, keyed by (`journal`, `position`):
//!
//! | column | type | what |
//! |---|---|---|
//! | `journal` | INTEGER | which journal accepted it: `tidegate_journals.journal` |
//! | `position` | INTEGER | its place in that journal; the pair names the event for ever |
//! | `timestamp` | INTEGER | when it happened, ns since 1970 UTC; NULL if the producer did not say |
//! | `observed` | INTEGER | when tidegate received it, ns since 1970 UTC |
//! | `severity_number` | INTEGER | OpenTelemetry severity, 1 to 24; NULL if unknown |
//! | `severity_text` | TEXT | the severity as written; NULL if none |
//! | `service`, `class` | TEXT | NULL if none |
//! | `body` | TEXT | the message; JSON text if it was not a string; NULL if none or empty |
//! | `attributes` | TEXT | a JSON object: `attributes ->> 'user'` (`'$."a.b"'` if the name has a dot) |
//! | `trace_id`, `span_id` | TEXT | lower-case hexadecimal, as tracing tools show them; NULL if none |
//!
//! `tidegate_events`, a view: the same columns, and before them `time`: `timestamp`, else `observed`,
//! as ISO 8601 UTC with nanoseconds.
//!
//! `tidegate_journals`: the journals that deliver here; `id` is the journal's id in hexadecimal,
//! `epoch` and `opening` say which opening of it may write (the fence).
//!
//! `tidegate_ranges`: which positions each lane has committed, from `first` up to but without
//! `end`. This is the sink's own record, and the truth. Do not edit it: what is not in it comes
//! again, what is in it never does.
//!
//! # Why so
//!
//! A rowid table with a unique index, not `WITHOUT ROWID`: measured with 5,000 rows of ~266 B a
//! transaction, both take the same time for single-row inserts, but only the rowid table gains from
//! inserts of ten rows (a quarter to a half); it is 7 % smaller, and its rows are counted from the
//! narrow index instead of being read.
//!
//! `time` is in a view, not a generated column: SQLite computes a virtual column for every row that
//! is inserted, although it stores nothing of it, and that alone halved the rate.
//!
//! `events.journal` has no foreign key: it would be looked up for every row, and the rows' own
//! transaction checks the journal already.
//!
//! The file is marked with an application id and a schema version (`PRAGMA user_version`), so
//! that a newer layout is never written by an older program.

use rusqlite::{Connection, OptionalExtension, params};

use super::insert;

/// "tide" in ASCII.
const APPLICATION_ID: i64 = 0x7469_6465;
/// The layout described above.
const VERSION: i64 = 1;

const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS events (
    journal         INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    timestamp       INTEGER,
    observed        INTEGER NOT NULL,
    severity_number INTEGER,
    severity_text   TEXT,
    service         TEXT,
    class           TEXT,
    body            TEXT,
    attributes      TEXT,
    trace_id        TEXT,
    span_id         TEXT,
    PRIMARY KEY (journal, position)
);
-- Seconds and fraction are taken with a floored remainder: before 1970 too, it counts forward.
CREATE VIEW IF NOT EXISTS tidegate_events AS
SELECT strftime('%Y-%m-%dT%H:%M:%S', (at - fraction) / 1000000000, 'unixepoch')
           || printf('.%09dZ', fraction) AS time,
       journal, position, timestamp, observed, severity_number, severity_text, service, class, body,
       attributes, trace_id, span_id
FROM (SELECT *, (at % 1000000000 + 1000000000) % 1000000000 AS fraction
      FROM (SELECT *, coalesce(timestamp, observed) AS at FROM events));
CREATE TABLE IF NOT EXISTS tidegate_journals (
    journal INTEGER PRIMARY KEY,
    id      TEXT    NOT NULL UNIQUE,
    epoch   INTEGER NOT NULL,
    opening TEXT    NOT NULL
);
CREATE TABLE IF NOT EXISTS tidegate_ranges (
    sink    TEXT    NOT NULL,
    lane    TEXT    NOT NULL,
    journal INTEGER NOT NULL,
    first   INTEGER NOT NULL CHECK (first >= 0),
    "end"   INTEGER NOT NULL CHECK ("end" > first),
    PRIMARY KEY (sink, journal, lane, first)
) WITHOUT ROWID;
-- Stored ranges are disjoint, so the last one that starts before the new one's end decides.
CREATE TRIGGER IF NOT EXISTS tidegate_ranges_disjoint BEFORE INSERT ON tidegate_ranges
WHEN NEW.first < (
    SELECT "end" FROM tidegate_ranges
    WHERE sink = NEW.sink AND journal = NEW.journal AND lane = NEW.lane AND first < NEW."end"
    ORDER BY first DESC LIMIT 1)
BEGIN SELECT raise(ABORT, 'tidegate: this range overlaps one that is committed'); END;
"#;

/// Why the sink does not touch a database.
#[derive(Debug)]
pub(super) enum Refusal {
    /// SQLite itself said no.
    Sqlite(rusqlite::Error),
    /// The database is not ours, or not this version's: why, and what to do.
    Foreign(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Whether the database holds nothing at all: then the page size may still be chosen.
pub(super) fn is_blank(db: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0)
}

/// Creates what is missing, in one transaction, after making sure that the database is ours or
/// free: looking and creating cannot be separated by another process.
pub(super) fn install(db: &mut Connection) -> Result<(), Refusal> {
    if is_installed(db)? {
        return check_columns(db);
    }
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    check_owner(&transaction)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    check_columns(db)
}

/// Whether there is nothing to create: then a start need not wait for the write lock.
fn is_installed(db: &Connection) -> rusqlite::Result<bool> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = db.query_row(
        "SELECT count(*) FROM sqlite_schema
         WHERE name IN ('events', 'tidegate_journals', 'tidegate_ranges', 'tidegate_ranges_disjoint',
                        'tidegate_events')",
        [],
        |row| row.get(0),
    )?;
    Ok(application == APPLICATION_ID && objects == 5)
}

/// Whether the database is ours, of a version we know, or free to use.
pub(super) fn check_owner(db: &Connection) -> Result<(), Refusal> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application == APPLICATION_ID {
        if version > VERSION {
            return Err(Refusal::Foreign(format!(
                "its layout is version {version}, and this tidegate knows versions up to \
                 {VERSION}. Use the newer tidegate that wrote it, or another path"
            )));
        }
        return Ok(());
    }
    if application != 0 || version != 0 {
        return Err(Refusal::Foreign(format!(
            "it belongs to another application (application_id {application}, user_version \
             {version}). Give the sink a path of its own"
        )));
    }
    let taken: Option<String> = db
        .query_row(
            "SELECT type || ' `' || name || '`' FROM sqlite_schema
             WHERE name = 'events' COLLATE NOCASE OR name LIKE 'tidegate\\_%' ESCAPE '\\' LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    taken.map_or(Ok(()), |object| {
        Err(Refusal::Foreign(format!(
            "it has a {object} that tidegate did not create. Rename it, or give the sink a path of \
             its own"
        )))
    })
}

/// Somebody may have altered our table; preparing the statements finds out before any batch does.
fn check_columns(db: &Connection) -> Result<(), Refusal> {
    insert::prepare(db).map_err(|error| {
        Refusal::Foreign(format!(
            "its table `events` was altered ({error}). Restore the documented columns, or rename \
             the table: it is created anew"
        ))
    })
}

/// Which opening of a journal may write, as stored.
pub(super) struct Holder {
    /// The journal's number in this file.
    pub(super) journal: i64,
    /// Its epoch.
    pub(super) epoch: i64,
    /// Its opening, 32 hexadecimal digits.
    pub(super) opening: String,
}

/// Who may write for the journal with this id.
pub(super) fn holder(db: &Connection, id: &str) -> rusqlite::Result<Option<Holder>> {
    db.prepare_cached("SELECT journal, epoch, opening FROM tidegate_journals WHERE id = ?1")?
        .query_row(params![id], |row| {
            Ok(Holder { journal: row.get(0)?, epoch: row.get(1)?, opening: row.get(2)? })
        })
        .optional()
}
