//! SQLite, as a careful engineer would write to it: WAL, `synchronous = FULL`, one transaction a
//! batch, ten rows a prepared statement, the columns and the unique index of the library's own
//! sink.
//!
//! SQLite has one writer at a time. A concurrency of *c* is *c* connections, each with its thread,
//! that queue on SQLite's own lock with its own busy handler, as *c* workers of a program would:
//! with 1,000 × 4, four transactions of 1,000 rows are under way, and three of them wait. The
//! waiting is inside the attempt's latency. A connection that does not get the lock within
//! [`BUSY_TIMEOUT`] reports that as a timeout.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::{CachedStatement, Connection, ErrorCode, TransactionBehavior};
use tidegate::Outcome;
use tokio::sync::oneshot;

use super::{Backend, Disturb, Disturbance, FirstTrouble, Later, Site};
use crate::child::Child;
use crate::cpu;
use crate::rows::{Row, rows};

/// How long a connection waits for the lock.
const BUSY_TIMEOUT: Duration = Duration::from_millis(2_900);
/// Rows a statement: more gains nothing.
const GROUP: usize = 10;
const COLUMNS: usize = 12;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    journal INTEGER NOT NULL, position INTEGER NOT NULL, timestamp INTEGER,
    observed INTEGER NOT NULL, severity_number INTEGER, severity_text TEXT, service TEXT,
    class TEXT, body TEXT, attributes TEXT, trace_id TEXT, span_id TEXT,
    PRIMARY KEY (journal, position))";
const INSERT: &str = "INSERT INTO events (journal, position, timestamp, observed, severity_number, \
                      severity_text, service, class, body, attributes, trace_id, span_id) VALUES ";
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A directory for database files, one a run.
pub(crate) struct Sqlite {
    directory: tempfile::TempDir,
    rows: Arc<[Row]>,
    open: Mutex<Option<Arc<Database>>>,
    /// Processor time of writers that are gone.
    spent: Mutex<Duration>,
}

impl Sqlite {
    /// In a directory of its own inside `within`, which is removed with it.
    pub(crate) fn start(within: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("backends-sqlite-");
        let directory = match within {
            Some(within) => builder.tempdir_in(within),
            None => builder.tempdir(),
        };
        Ok(Self {
            directory: directory.context("no directory for database files")?,
            rows: rows(),
            open: Mutex::new(None),
            spent: Mutex::new(Duration::ZERO),
        })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("events.db")
    }

    /// Ends the writers of the last run, and removes its file.
    fn clear(&self) -> anyhow::Result<()> {
        if let Some(last) = lock(&self.open).take() {
            *lock(&self.spent) += last.cpu();
            last.close();
        }
        for file in std::fs::read_dir(self.directory.path())? {
            std::fs::remove_file(file?.path())?;
        }
        Ok(())
    }
}

impl Site for Sqlite {
    fn describe(&self) -> String {
        format!("SQLite {}, WAL, synchronous FULL", rusqlite::version())
    }

    fn fresh(&self, connections: u32) -> Later<'_, anyhow::Result<Arc<dyn Backend>>> {
        Box::pin(async move {
            self.clear()?;
            let database = Arc::new(Database::open(&self.path(), &self.rows, connections)?);
            *lock(&self.open) = Some(Arc::clone(&database));
            Ok(database as Arc<dyn Backend>)
        })
    }

    fn sink(&self) -> Later<'_, anyhow::Result<String>> {
        Box::pin(async move {
            self.clear()?;
            Ok(format!("type: sqlite\npath: '{}'\n", self.path().display()))
        })
    }

    fn taken(&self) -> Later<'_, anyhow::Result<u64>> {
        Box::pin(async move {
            // A neighbour's positions begin far beyond ours.
            let count = "SELECT count(*) FROM events WHERE position < 1 << 40";
            let count: i64 = connect(&self.path())?.query_row(count, [], |row| row.get(0))?;
            Ok(u64::try_from(count)?)
        })
    }

    fn disturb(&self, kind: Disturb) -> Later<'_, anyhow::Result<Disturbance>> {
        Box::pin(async move {
            let path = self.path();
            let statements: &[&str] = match kind {
                Disturb::Neighbour => &[],
                Disturb::Indexes => &[
                    "CREATE INDEX events_by_service ON events (service, timestamp)",
                    "CREATE INDEX events_by_severity ON events (severity_number, timestamp)",
                ],
                Disturb::Maintenance => &["PRAGMA wal_checkpoint(TRUNCATE)"],
            };
            if !statements.is_empty() {
                let work = tokio::task::spawn_blocking(move || execute(&path, statements));
                return Ok(Disturbance::Work(work));
            }
            let arguments = ["neighbour".as_ref(), "sqlite".as_ref(), path.as_os_str()];
            Ok(Disturbance::Neighbour(Child::start(&arguments).await?.0))
        })
    }

    fn cpu(&self) -> Duration {
        let now = lock(&self.open).as_ref().map(|open| open.cpu());
        *lock(&self.spent) + now.unwrap_or_default()
    }

    fn cpu_here(&self) -> Duration {
        self.cpu()
    }
}

/// A database file and its connections.
struct Database {
    idle: Mutex<Vec<Writer>>,
    /// The threads of all connections, as the kernel calls them.
    threads: Vec<i32>,
    joined: Mutex<Vec<std::thread::JoinHandle<()>>>,
    trouble: Arc<FirstTrouble>,
}

/// A connection's thread, waiting for work.
struct Writer(SyncSender<Job>);

struct Job {
    items: u32,
    answer: oneshot::Sender<Outcome>,
}

impl Database {
    fn open(path: &Path, rows: &Arc<[Row]>, connections: u32) -> anyhow::Result<Self> {
        let next = Arc::new(AtomicI64::new(0));
        let trouble = Arc::new(FirstTrouble::default());
        let (mut idle, mut threads, mut joined) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..connections {
            let connection = connect(path)?;
            let (jobs, taken) = sync_channel(1);
            let (tell, hear) = sync_channel(1);
            let work = Work {
                connection,
                rows: Arc::clone(rows),
                next: Arc::clone(&next),
                trouble: Arc::clone(&trouble),
            };
            joined.push(std::thread::Builder::new().name("writer".into()).spawn(move || {
                // The receiver waits below for as long as it takes.
                let _ = tell.send(cpu::this_thread());
                work.run(&taken);
            })?);
            threads.push(hear.recv().context("a writer ended at once")?);
            idle.push(Writer(jobs));
        }
        let (idle, joined) = (Mutex::new(idle), Mutex::new(joined));
        Ok(Self { idle, threads, joined, trouble })
    }

    fn cpu(&self) -> Duration {
        self.threads.iter().map(|thread| cpu::of_thread(*thread)).sum()
    }

    fn close(&self) {
        lock(&self.idle).clear();
        for thread in lock(&self.joined).drain(..) {
            // A writer that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

impl Backend for Database {
    fn attempt(self: Arc<Self>, items: u32) -> Later<'static, Outcome> {
        Box::pin(async move {
            let Some(writer) = lock(&self.idle).pop() else {
                self.trouble.note("more attempts than connections");
                return Outcome::Overloaded;
            };
            let (answer, answered) = oneshot::channel();
            if writer.0.send(Job { items, answer }).is_err() {
                self.trouble.note("a connection's thread is gone");
                return Outcome::Unreachable;
            }
            let outcome = answered.await.unwrap_or(Outcome::Unreachable);
            lock(&self.idle).push(writer);
            outcome
        })
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.get()
    }
}

/// Opens a connection, and the table with it.
pub(crate) fn connect(path: &Path) -> anyhow::Result<Connection> {
    let connection =
        Connection::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // As the sink sets it: pages that hold rows of a few hundred bytes, a log of 16 MiB before it
    // is written back, a cache that a transaction fits in.
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 2048; PRAGMA journal_size_limit = 33554432;
         PRAGMA cache_size = -16384; PRAGMA mmap_size = 0;",
    )?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

/// Executes statements beside the writers, each as often as it takes to get the lock.
fn execute(path: &Path, statements: &[&str]) -> anyhow::Result<()> {
    let connection = connect(path)?;
    for statement in statements {
        let mut tries = 0;
        while let Err(error) = connection.execute_batch(statement) {
            tries += 1;
            let busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            anyhow::ensure!(busy && tries < 20, "{statement}: {error}");
        }
    }
    Ok(())
}

/// What a connection's thread has.
struct Work {
    connection: Connection,
    rows: Arc<[Row]>,
    next: Arc<AtomicI64>,
    trouble: Arc<FirstTrouble>,
}

impl Work {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let first = self.next.fetch_add(i64::from(job.items), Ordering::Relaxed);
            let outcome = match insert(&mut self.connection, &self.rows, first, job.items) {
                Ok(()) => Outcome::Ok,
                Err(error) => {
                    self.trouble.note(&error);
                    match error.sqlite_error_code() {
                        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                            Outcome::TimedOut
                        }
                        _ => Outcome::Overloaded,
                    }
                }
            };
            // Whoever asked may have given up meanwhile.
            let _ = job.answer.send(outcome);
        }
    }
}

/// Inserts rows from position `first` on, in one transaction.
pub(crate) fn insert(
    connection: &mut Connection,
    rows: &[Row],
    first: i64,
    items: u32,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut group =
            transaction.prepare_cached(&format!("{INSERT}{}", [ROW; GROUP].join(", ")))?;
        let mut single = transaction.prepare_cached(&format!("{INSERT}{ROW}"))?;
        let mut waiting = 0;
        let end = first + i64::from(items);
        let grouped = end - i64::from(items) % 10;
        let mut cycle = rows.iter().cycle().skip(usize::try_from(first).unwrap_or(0) % rows.len());
        for position in first..end {
            let Some(row) = cycle.next() else { break };
            if position >= grouped {
                bind(&mut single, 1, position, row)?;
                single.raw_execute()?;
                continue;
            }
            bind(&mut group, 1 + waiting * COLUMNS, position, row)?;
            waiting += 1;
            if waiting == GROUP {
                group.raw_execute()?;
                waiting = 0;
            }
        }
    }
    transaction.commit()
}

fn bind(
    statement: &mut CachedStatement<'_>,
    first: usize,
    position: i64,
    row: &Row,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(first, 1_i64)?;
    statement.raw_bind_parameter(first + 1, position)?;
    statement.raw_bind_parameter(first + 2, row.timestamp)?;
    statement.raw_bind_parameter(first + 3, row.timestamp)?;
    statement.raw_bind_parameter(first + 4, row.severity_number)?;
    statement.raw_bind_parameter(first + 5, row.severity_text)?;
    statement.raw_bind_parameter(first + 6, row.service)?;
    statement.raw_bind_parameter(first + 7, rusqlite::types::Null)?;
    statement.raw_bind_parameter(first + 8, row.body.as_str())?;
    statement.raw_bind_parameter(first + 9, row.attributes.as_str())?;
    statement.raw_bind_parameter(first + 10, row.trace_id.as_deref())?;
    statement.raw_bind_parameter(first + 11, rusqlite::types::Null)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_row_is_there_and_the_connections_queue_on_the_lock() {
        let site = Sqlite::start(None).unwrap();
        let backend = site.fresh(4).await.unwrap();
        let mut flying = tokio::task::JoinSet::new();
        for items in [1, 9, 10, 25] {
            flying.spawn(Arc::clone(&backend).attempt(items));
        }
        while let Some(outcome) = flying.join_next().await {
            assert_eq!(outcome.unwrap(), Outcome::Ok);
        }
        assert_eq!(backend.trouble(), None);
        let look = Connection::open(site.path()).unwrap();
        let found: (i64, i64, i64) = look
            .query_row("SELECT count(*), min(position), max(position) FROM events", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(found, (45, 0, 44));
    }

    #[tokio::test]
    async fn a_fresh_table_is_empty() {
        let site = Sqlite::start(None).unwrap();
        for _ in 0..2 {
            let backend = site.fresh(1).await.unwrap();
            assert_eq!(Arc::clone(&backend).attempt(100).await, Outcome::Ok);
            let look = Connection::open(site.path()).unwrap();
            let found: i64 =
                look.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
            assert_eq!(found, 100);
        }
        assert!(site.cpu() > Duration::ZERO);
    }
}
