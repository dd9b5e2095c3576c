//! Bulk insert into SQLite: one transaction a batch, written by the one writer that SQLite has.
//!
//! `cargo run -p tidegate-examples --example sqlite`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tidegate::Batcher;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A measured value.
struct Reading {
    sensor: u32,
    value: f64,
}

fn insert(database: &Mutex<Connection>, readings: &[Reading]) -> rusqlite::Result<()> {
    let mut database = database.lock().unwrap();
    let transaction = database.transaction()?;
    {
        let mut statement =
            transaction.prepare_cached("INSERT INTO reading (sensor, value) VALUES (?1, ?2)")?;
        for reading in readings {
            statement.execute((reading.sensor, reading.value))?;
        }
    }
    transaction.commit()
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let database = Connection::open(directory.path().join("readings.db"))?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.execute("CREATE TABLE reading (sensor INTEGER, value REAL)", ())?;
    let database = Arc::new(Mutex::new(database));

    let writer = Arc::clone(&database);
    let batcher = Batcher::builder()
        .concurrency(1.0) // SQLite has one writer
        .build(move |readings: Vec<Reading>| {
            let writer = Arc::clone(&writer);
            async move {
                // A transaction blocks its thread, which must not be one of the runtime's.
                tokio::task::spawn_blocking(move || insert(&writer, &readings))
                    .await?
                    .map_err(Error::from)
            }
        })?;
    for n in 0..20_000_u32 {
        batcher.add(Reading { sensor: n % 7, value: f64::from(n) }).await?;
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (20_000, 0));

    let rows: i64 =
        database.lock().unwrap().query_row("SELECT count(*) FROM reading", (), |row| row.get(0))?;
    assert_eq!(rows, 20_000);
    println!("{rows} rows in {} transactions", stats.counters.attempts);
    Ok(())
}
