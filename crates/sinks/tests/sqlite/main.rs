//! The SQLite sink against real files: the contract's suite, and what only SQLite can do wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::single_range_in_vec_init,
    reason = "all of this is test code, also what is outside of test functions, and a list of one \
              range is what is meant"
)]

#[path = "../contract/mod.rs"]
mod contract;

mod crash;
mod disk;
mod locks;
mod retention;
mod schema;
mod start;

use std::path::{Path, PathBuf};

use contract::{Stored, Subject};
use rusqlite::Connection;
use tidegate_sinks::sqlite::{Settings, SqliteSink};

contract::suite!(subject);

/// A subject on a file of its own.
fn subject() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.db");
    subject_with(Settings::new(path, "sqlite"), Box::new(directory))
}

/// A subject with these settings.
fn subject_with(settings: Settings, keep: Box<dyn std::any::Any>) -> Subject {
    let path = settings.path.clone();
    Subject {
        start: Box::new(move || Box::new(SqliteSink::start(settings.clone()).unwrap())),
        stored: Box::new(move || {
            let stored = stored(&path);
            Box::pin(async { stored })
        }),
        keep,
    }
}

/// A file in a new temporary directory, and the directory.
fn place() -> (PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (directory.path().join("events.db"), directory)
}

/// The path of a subject's file.
fn path_of(subject: &Subject) -> PathBuf {
    subject.keep.downcast_ref::<tempfile::TempDir>().unwrap().path().join("events.db")
}

/// What the table `events` holds.
fn stored(path: &Path) -> Vec<Stored> {
    let db = Connection::open(path).unwrap();
    let mut statement = db
        .prepare(
            "SELECT id, position, timestamp, observed, coalesce(severity_number, 0),
                    coalesce(severity_text, ''), coalesce(service, ''), coalesce(class, ''),
                    coalesce(body, ''), coalesce(attributes, ''), coalesce(trace_id, ''),
                    coalesce(span_id, '')
             FROM events JOIN tidegate_journals USING (journal) ORDER BY id, position",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            journal: row.get(0)?,
            position: u64::try_from(row.get::<_, i64>(1)?).unwrap(),
            timestamp: row.get(2)?,
            observed: row.get(3)?,
            severity_number: row.get(4)?,
            severity_text: row.get(5)?,
            service: row.get(6)?,
            class: row.get(7)?,
            body: row.get(8)?,
            attributes: row.get(9)?,
            trace_id: row.get(10)?,
            span_id: row.get(11)?,
        })
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// One number from the file.
fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
