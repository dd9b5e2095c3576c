//! Validation of policies: many requests ask "may this user do that?" at the same time, and are
//! answered by one query; changes of policy are written in batches of their own. Reads and writes
//! are two classes: each with its batch size, its linger and its part of the attempts.
//!
//! `cargo run -p tidegate-examples --example policy_validation`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use tidegate::{Batcher, ControllerSettings};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A user and an action.
type Policy = (u32, &'static str);

const ACTIONS: [&str; 3] = ["read", "write", "delete"];

/// Which of these are allowed, in one query.
fn allowed(database: &Connection, asked: &[Policy]) -> rusqlite::Result<Vec<bool>> {
    let values = vec!["(?,?)"; asked.len()].join(",");
    let sql = format!("SELECT user, action FROM policy WHERE (user, action) IN (VALUES {values})");
    let mut statement = database.prepare(&sql)?;
    let parameters = asked.iter().flat_map(|(user, action)| {
        [rusqlite::types::Value::from(*user), rusqlite::types::Value::from((*action).to_owned())]
    });
    let rows = statement.query_map(rusqlite::params_from_iter(parameters), |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
    })?;
    let found = rows.collect::<rusqlite::Result<HashSet<_>>>()?;
    Ok(asked.iter().map(|(user, action)| found.contains(&(*user, (*action).to_owned()))).collect())
}

fn grant(database: &mut Connection, policies: &[Policy]) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for policy in policies {
        transaction.execute("INSERT OR IGNORE INTO policy VALUES (?1, ?2)", *policy)?;
    }
    transaction.commit()
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("policies.db");
    let database = Connection::open(&path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.execute(
        "CREATE TABLE policy (user INTEGER, action TEXT, PRIMARY KEY (user, action))",
        (),
    )?;
    let (writer, reader) =
        (Arc::new(Mutex::new(database)), Arc::new(Mutex::new(Connection::open(&path)?)));

    // The class `read`: a caller waits for each, so nobody lingers, and batches fill while the one
    // before is on its way.
    let reads = Batcher::builder().name("read").batch_size(1..=1_000).build(
        move |asked: Vec<Policy>| {
            let reader = Arc::clone(&reader);
            async move {
                tokio::task::spawn_blocking(move || allowed(&reader.lock().unwrap(), &asked))
                    .await?
                    .map_err(Error::from)
            }
        },
    )?;
    // The class `write`: transactions cost, so they gather for a moment.
    let writes = Batcher::builder()
        .name("write")
        .concurrency(1.0)
        .linger(Duration::from_millis(5))
        .controller(ControllerSettings::Fixed)
        .build(move |policies: Vec<Policy>| {
            let writer = Arc::clone(&writer);
            async move {
                tokio::task::spawn_blocking(move || grant(&mut writer.lock().unwrap(), &policies))
                    .await?
                    .map_err(Error::from)
            }
        })?;

    let granted = (0..300_u32).map(|user| {
        let writes = writes.clone();
        tokio::spawn(async move { writes.submit((user, ACTIONS[user as usize % 3])).await })
    });
    for granted in granted.collect::<Vec<_>>() {
        granted.await??;
    }
    let checks = (0..3_000_u32).map(|n| {
        let reads = reads.clone();
        tokio::spawn(
            async move { (n, reads.submit((n % 300, ACTIONS[n as usize / 300 % 3])).await) },
        )
    });
    for check in checks.collect::<Vec<_>>() {
        let (n, may) = check.await?;
        assert_eq!(may?, n % 300 % 3 == n / 300 % 3);
    }
    let (read, written) = (reads.close().await, writes.close().await);
    assert_eq!((read.delivered, written.delivered), (3_000, 300));
    println!(
        "3000 checks in {} queries, 300 grants in {} transactions",
        read.counters.attempts, written.counters.attempts
    );
    Ok(())
}
