//! What is in `control.db`? Dead letters, and how many there are of each sink and kind.
//!
//! The totals are kept by triggers in the same transactions as the letters, so that neither the
//! bound nor a metric ever counts them one by one. Commits are durable (`synchronous = FULL`): a
//! letter must be on the disk before its position is committed in the sink.

use std::path::Path;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params, params_from_iter};
use tidegate_event::{JournalId, Position};

use super::letter::{fingerprint, shortened};
use super::{Filter, Group, Letter, Limits, Record, StoreError, Total, Why, event};

/// "tidc" in ASCII.
const APPLICATION_ID: i64 = 0x7469_6463;
/// The layout below.
const VERSION: i64 = 1;
/// Groups that are listed.
const GROUPS_MAX: u32 = 100;

const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS dead_letters (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    journal  TEXT    NOT NULL,
    position INTEGER NOT NULL,
    sink     TEXT    NOT NULL,
    lane     TEXT    NOT NULL,
    class    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    "group"  TEXT    NOT NULL, -- the reason without what differs from item to item
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL, -- ns since 1970 UTC
    last_at  INTEGER NOT NULL,
    mended   INTEGER NOT NULL DEFAULT 0,
    event    TEXT    NOT NULL, -- one JSON object, as POST /v1/events takes it
    row      BLOB    NOT NULL, -- the same as a row of the journal
    bytes    INTEGER NOT NULL,
    UNIQUE (journal, position, sink)
);
CREATE INDEX IF NOT EXISTS dead_letters_groups ON dead_letters (sink, kind, "group");
CREATE TABLE IF NOT EXISTS dead_letter_totals (
    sink TEXT NOT NULL, kind TEXT NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (sink, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letter_sends (
    id        INTEGER PRIMARY KEY, -- of the letter
    under_way INTEGER NOT NULL,    -- it was sent, and whether it was delivered is not known
    automatic INTEGER NOT NULL     -- times it was sent without anybody asking
);
CREATE TRIGGER IF NOT EXISTS dead_letters_in AFTER INSERT ON dead_letters BEGIN
    INSERT INTO dead_letter_totals VALUES (NEW.sink, NEW.kind, 1, NEW.bytes)
    ON CONFLICT (sink, kind) DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER IF NOT EXISTS dead_letters_out AFTER DELETE ON dead_letters BEGIN
    UPDATE dead_letter_totals SET items = items - 1, bytes = bytes - OLD.bytes
    WHERE sink = OLD.sink AND kind = OLD.kind;
    DELETE FROM dead_letter_sends WHERE id = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS dead_letters_moved AFTER UPDATE OF kind, bytes ON dead_letters BEGIN
    UPDATE dead_letter_totals SET items = items - 1, bytes = bytes - OLD.bytes
    WHERE sink = OLD.sink AND kind = OLD.kind;
    INSERT INTO dead_letter_totals VALUES (NEW.sink, NEW.kind, 1, NEW.bytes)
    ON CONFLICT (sink, kind) DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;
"#;

/// A letter that comes again keeps its event: the name is the same, so the item is, unless somebody
/// has mended it.
const KEEP: &str = r#"
INSERT INTO dead_letters (journal, position, sink, lane, class, kind, outcome, reason, "group",
                          attempts, first_at, last_at, event, row, bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (journal, position, sink) DO UPDATE SET
    lane = excluded.lane, kind = excluded.kind, outcome = excluded.outcome,
    reason = excluded.reason, "group" = excluded."group",
    attempts = attempts + excluded.attempts, last_at = excluded.last_at"#;

const COLUMNS: &str = "id, journal, position, sink, lane, class, kind, outcome, reason, attempts, \
                       first_at, last_at, mended, event, row";

/// The file.
pub(super) struct Store {
    db: Connection,
    limits: Limits,
}

impl Store {
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let named =
            |error: rusqlite::Error| StoreError::File(format!("{}: {error}", path.display()));
        let mut db = Connection::open(path).map_err(named)?;
        db.busy_timeout(std::time::Duration::from_secs(5)).map_err(named)?;
        db.pragma_update(None, "journal_mode", "WAL").map_err(named)?;
        db.pragma_update(None, "synchronous", "FULL").map_err(named)?;
        install(&mut db, path)?;
        Ok(Self { db, limits })
    }

    pub(super) fn keep(&mut self, letters: &[Letter]) -> Result<(), StoreError> {
        let limits = self.limits;
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = total(&transaction)?;
        for letter in letters {
            insert(&transaction, letter)?;
        }
        let after = total(&transaction)?;
        if after.0 > limits.items_max.max(before.0) || after.1 > limits.bytes_max.max(before.1) {
            let (items, bytes) = before;
            let Limits { items_max, bytes_max } = limits;
            return Err(StoreError::Full { items, items_max, bytes, bytes_max });
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn positions(
        &self,
        journal: JournalId,
        sink: &str,
        lane: &str,
        above: Position,
    ) -> Result<Vec<Position>, StoreError> {
        let mut found = self.db.prepare_cached(
            "SELECT position FROM dead_letters
             WHERE journal = ?1 AND position >= ?2 AND sink = ?3 AND lane = ?4 ORDER BY position",
        )?;
        let from = i64::try_from(above).unwrap_or(i64::MAX);
        let found = found.query_map(params![journal.to_string(), from, sink, lane], |row| {
            row.get::<_, i64>(0)
        })?;
        let found: Result<Vec<i64>, _> = found.collect();
        Ok(found?.into_iter().map(i64::cast_unsigned).collect())
    }

    pub(super) fn page(
        &self,
        filter: &Filter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (condition, mut values) = condition(filter);
        values.push(after.into());
        values.push(i64::from(limit).into());
        let sql = format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE {condition} AND id > ? ORDER BY id LIMIT ?"
        );
        let mut found = self.db.prepare_cached(&sql)?;
        let found = found.query_map(params_from_iter(values), record)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    pub(super) fn groups(&self, filter: &Filter) -> Result<Vec<Group>, StoreError> {
        let (condition, mut values) = condition(filter);
        values.push(i64::from(GROUPS_MAX).into());
        let sql = format!(
            r#"SELECT sink, kind, "group", count(*), min(first_at), max(last_at), min(id)
               FROM dead_letters WHERE {condition} GROUP BY sink, kind, "group"
               ORDER BY 4 DESC, 7 LIMIT ?"#
        );
        let mut found = self.db.prepare_cached(&sql)?;
        let found = found.query_map(params_from_iter(values), |row| {
            Ok(Group {
                sink: row.get(0)?,
                kind: row.get(1)?,
                group: row.get(2)?,
                count: row.get::<_, i64>(3)?.cast_unsigned(),
                first_at: row.get(4)?,
                last_at: row.get(5)?,
                example: row.get(6)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    pub(super) fn get(&self, id: i64) -> Result<Option<Record>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM dead_letters WHERE id = ?1");
        Ok(self.db.prepare_cached(&sql)?.query_row([id], record).optional()?)
    }

    /// The bytes change with the event, so the bound may be passed by the size of one event.
    pub(super) fn mend(&mut self, id: i64, event: &str, row: &Bytes) -> Result<bool, StoreError> {
        let class = event::with(row, |event| event.class.to_owned()).unwrap_or_default();
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let under_way: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM dead_letter_sends WHERE id = ?1 AND under_way = 1)",
            [id],
            |row| row.get(0),
        )?;
        if under_way {
            return Err(StoreError::UnderWay(id));
        }
        transaction.execute("DELETE FROM dead_letter_sends WHERE id = ?1", [id])?;
        let changed = transaction.execute(
            "UPDATE dead_letters SET event = ?2, row = ?3, class = ?4, mended = mended + 1,
                 bytes = length(CAST(?2 AS BLOB)) + length(?3) + length(CAST(reason AS BLOB))
             WHERE id = ?1",
            params![id, event, &row[..], class],
        )?;
        transaction.commit()?;
        Ok(changed > 0)
    }

    pub(super) fn put_back(&mut self, ids: &[i64], why: &Why) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in ids {
            let reason = shortened(&why.reason);
            transaction
                .prepare_cached(
                    r#"UPDATE dead_letters SET kind = ?2, outcome = ?3, reason = ?4, "group" = ?5,
                           last_at = ?6, attempts = attempts + 1 WHERE id = ?1"#,
                )?
                .execute(params![
                    id,
                    why.kind.label(),
                    why.outcome.label(),
                    reason,
                    fingerprint(reason),
                    why.at
                ])?;
        }
        not_under_way(&transaction, ids)?;
        Ok(transaction.commit()?)
    }

    /// Notes that letters are about to be sent, and returns them as they are now: from here on
    /// until the end is known none of them can be replaced.
    pub(super) fn begin(
        &mut self,
        ids: &[i64],
        is_automatic: bool,
    ) -> Result<Vec<Record>, StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = format!("SELECT {COLUMNS} FROM dead_letters WHERE id = ?1");
        let mut letters = Vec::with_capacity(ids.len());
        for id in ids {
            let letter = transaction.prepare_cached(&sql)?.query_row([id], record).optional()?;
            let Some(letter) = letter else { continue };
            letters.push(letter);
            let mut mark = transaction.prepare_cached(
                "INSERT INTO dead_letter_sends VALUES (?1, 1, ?2)
                 ON CONFLICT (id) DO UPDATE SET
                     under_way = 1, automatic = automatic + excluded.automatic",
            )?;
            mark.execute(params![id, is_automatic])?;
        }
        transaction.commit()?;
        Ok(letters)
    }

    /// Notes that letters that were sent are certainly not there.
    pub(super) fn not_there(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        not_under_way(&transaction, ids)?;
        Ok(transaction.commit()?)
    }

    /// Takes back that letters have been sent once more without anybody asking.
    pub(super) fn spare(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in ids {
            transaction
                .prepare_cached(
                    "UPDATE dead_letter_sends SET automatic = max(automatic - 1, 0) WHERE id = ?1",
                )?
                .execute([id])?;
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn remove(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in ids {
            transaction.prepare_cached("DELETE FROM dead_letters WHERE id = ?1")?.execute([id])?;
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn purge(&mut self, filter: &Filter) -> Result<u64, StoreError> {
        let (condition, values) = condition(filter);
        let sql = format!("DELETE FROM dead_letters WHERE {condition}");
        let purged = self.db.execute(&sql, params_from_iter(values))?;
        Ok(purged as u64)
    }

    pub(super) fn totals(&self) -> Result<Vec<Total>, StoreError> {
        let mut found = self.db.prepare_cached(
            "SELECT sink, kind, items, bytes FROM dead_letter_totals WHERE items > 0
             ORDER BY sink, kind",
        )?;
        let found = found.query_map([], |row| {
            Ok(Total {
                sink: row.get(0)?,
                kind: row.get(1)?,
                items: row.get::<_, i64>(2)?.cast_unsigned(),
                bytes: row.get::<_, i64>(3)?.cast_unsigned(),
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// Creates what is missing, after making sure that the file is ours.
fn install(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i64 =
        transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let objects: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = application == APPLICATION_ID && version <= VERSION;
    if !ours && objects > 0 {
        let path = path.display();
        return Err(StoreError::File(format!(
            "{path}: it was written by a newer tidegate or by something else (application_id \
             {application}, user_version {version}). Move it away, or choose another data directory"
        )));
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

fn not_under_way(db: &Connection, ids: &[i64]) -> rusqlite::Result<()> {
    let sql = "UPDATE dead_letter_sends SET under_way = 0 WHERE id = ?1";
    let mut unmark = db.prepare_cached(sql)?;
    ids.iter().try_for_each(|id| unmark.execute([id]).map(drop))
}

fn total(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    let sql = "SELECT coalesce(sum(items), 0), coalesce(sum(bytes), 0) FROM dead_letter_totals";
    db.prepare_cached(sql)?.query_row([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })
}

fn insert(db: &Connection, letter: &Letter) -> Result<(), StoreError> {
    let Letter { journal, position, sink, lane, why, attempts, first_at, row } = letter;
    let seen = event::with(row, |event| (event.class.to_owned(), event::line(event)));
    // A row that does not hold is kept as it is, for whoever can make something of it.
    let (class, event) = seen.unwrap_or_else(|| (String::new(), "null".to_owned()));
    let reason = shortened(&why.reason);
    let bytes = (event.len() + row.len() + reason.len()) as u64;
    db.prepare_cached(KEEP)?.execute(params![
        journal.to_string(),
        position.cast_signed(),
        &**sink,
        &**lane,
        class,
        why.kind.label(),
        why.outcome.label(),
        reason,
        fingerprint(reason),
        attempts,
        first_at,
        why.at,
        event,
        &row[..],
        bytes.cast_signed(),
    ])?;
    Ok(())
}

/// The filter in SQL, and the values of its parameters. What a person gave is never in the text.
fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let Filter { id, sink, lane, class, kind, reason, group, position, kinds, automatic_below } =
        filter;
    let kind = kind.map(|kind| kind.label().to_owned());
    let texts = [("sink", sink), ("lane", lane), ("class", class), ("kind", &kind)];
    let mut parts = vec!["1".to_owned()];
    let mut values = Vec::new();
    for (column, text) in texts.into_iter().chain([("\"group\"", group)]) {
        if let Some(text) = text {
            parts.push(format!("{column} = ?"));
            values.push(text.clone().into());
        }
    }
    if let Some(reason) = reason {
        parts.push("instr(reason, ?) > 0".to_owned());
        values.push(reason.clone().into());
    }
    let position = position.map(|at| i64::try_from(at).unwrap_or(-1));
    for (column, number) in [("position", position), ("id", *id)] {
        if let Some(number) = number {
            parts.push(format!("{column} = ?"));
            values.push(number.into());
        }
    }
    if let Some(kinds) = kinds {
        parts.push(format!("kind IN ({})", vec!["?"; kinds.len()].join(", ")));
        values.extend(kinds.iter().map(|kind| kind.label().to_owned().into()));
    }
    if let Some(below) = automatic_below {
        parts.push(
            "coalesce((SELECT automatic FROM dead_letter_sends AS sent
                       WHERE sent.id = dead_letters.id), 0) < ?"
                .to_owned(),
        );
        values.push(i64::from(*below).into());
    }
    (parts.join(" AND "), values)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: row.get(0)?,
        journal: row.get(1)?,
        position: row.get::<_, i64>(2)?.cast_unsigned(),
        sink: row.get(3)?,
        lane: row.get(4)?,
        class: row.get(5)?,
        kind: row.get(6)?,
        outcome: row.get(7)?,
        reason: row.get(8)?,
        attempts: row.get(9)?,
        first_at: row.get(10)?,
        last_at: row.get(11)?,
        mended: row.get(12)?,
        event: row.get(13)?,
        row: row.get(14)?,
    })
}
