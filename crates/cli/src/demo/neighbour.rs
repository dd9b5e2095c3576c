//! Who else wants the database? A writer of another program, for a while.
//!
//! It writes rows to a table of its own in transactions, and computes a little in the middle of
//! each, as programs do: so it holds the one write lock that a SQLite database has for
//! [`HOLD`], lets go for [`PAUSE`], and comes again. To get the lock it asks again and again,
//! without the patience that the server has; each time it finds it taken counts as waiting.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use serde::Serialize;

use super::clock::Watch;
use super::error::DemoError;

/// How long it holds the write lock each time.
pub(super) const HOLD: Duration = Duration::from_millis(30);
/// How long it leaves the database alone between two transactions.
pub(super) const PAUSE: Duration = Duration::from_millis(15);
/// How long it waits before it asks for a taken lock again.
const ASK: Duration = Duration::from_micros(250);
/// Rows of a transaction.
const ROWS: u32 = 200;

/// What it did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Done {
    /// Transactions.
    pub(super) commits: u64,
    /// The longest that it waited for the lock, in milliseconds.
    pub(super) wait_ms_max: f64,
}

/// A neighbour that is not there yet.
pub(super) struct Neighbour {
    connection: Connection,
}

/// A neighbour at work; it stops when this is dropped.
pub(super) struct Working {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<rusqlite::Result<Done>>>,
}

impl Neighbour {
    /// Opens the database and makes the table, while nobody else is at work.
    pub(super) fn prepare(database: &Path) -> Result<Self, DemoError> {
        let connection = Connection::open(database)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             CREATE TABLE neighbour (id INTEGER PRIMARY KEY, note TEXT NOT NULL)",
        )?;
        connection.busy_timeout(Duration::ZERO)?;
        Ok(Self { connection })
    }

    /// Begins to write.
    pub(super) fn begin(self) -> Result<Working, DemoError> {
        let (stop, stopped) = sync_channel(1);
        let mut connection = self.connection;
        let thread = std::thread::Builder::new()
            .name("neighbour".to_owned())
            .spawn(move || work(&mut connection, &stopped))
            .map_err(DemoError::Spawn)?;
        Ok(Working { stop: Some(stop), thread: Some(thread) })
    }
}

impl Working {
    /// Stops it, and says what it did.
    pub(super) fn end(mut self) -> Result<Done, DemoError> {
        self.stop = None;
        let Some(thread) = self.thread.take() else { return Ok(Done::default()) };
        Ok(thread.join().map_err(|_| DemoError::Fault("the neighbour"))??)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Whoever drops it does not want to know how it went.
            let _ = thread.join();
        }
    }
}

/// Writes until it is stopped.
fn work(connection: &mut Connection, stopped: &Receiver<()>) -> rusqlite::Result<Done> {
    let mut done = Done::default();
    let going_on = |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    'transactions: loop {
        let asked = Watch::start();
        let transaction = loop {
            match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    done.wait_ms_max = done.wait_ms_max.max(asked.elapsed().as_secs_f64() * 1e3);
                    if !going_on(ASK) {
                        break 'transactions;
                    }
                }
                other => break other?,
            }
        };
        let begun = Watch::start();
        {
            let mut insert = transaction.prepare("INSERT INTO neighbour (note) VALUES (?1)")?;
            for row in 0..ROWS {
                insert.execute([format!("row {row} of transaction {}", done.commits)])?;
            }
        }
        let stay = going_on(HOLD.saturating_sub(begun.elapsed()));
        transaction.commit()?;
        done.commits += 1;
        if !stay || !going_on(PAUSE) {
            break;
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database in the mode of the server's.
    fn database(dir: &tempfile::TempDir) -> std::path::PathBuf {
        let path = dir.path().join("events.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        path
    }

    #[test]
    fn it_writes_until_it_is_told_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let database = database(&dir);
        let working = Neighbour::prepare(&database).unwrap().begin().unwrap();
        let reader = Connection::open(&database).unwrap();
        let count = "SELECT count(*) FROM neighbour";
        let rows = || reader.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
        while rows() == 0 {
            assert!(!working.thread.as_ref().unwrap().is_finished(), "it gave up");
            std::thread::yield_now();
        }
        let done = working.end().unwrap();
        assert!(done.commits > 0);
        assert_eq!(rows(), i64::try_from(done.commits).unwrap() * i64::from(ROWS));
    }

    #[test]
    fn it_can_be_stopped_while_it_waits_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let database = database(&dir);
        let neighbour = Neighbour::prepare(&database).unwrap();
        let holder = Connection::open(&database).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(neighbour.begin().unwrap().end().unwrap().commits, 0);
    }
}
