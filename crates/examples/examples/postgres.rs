//! Bulk insert into PostgreSQL: one statement a batch, and each caller gets the id of its own row.
//! The batch size, and how many statements are in flight, are found while it runs.
//!
//! `cargo run -p tidegate-examples --example postgres` (starts a private server)
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::sync::Arc;

use tidegate::Batcher;
use tidegate::batcher::Retries;
use tidegate_testbed::postgres::{Postgres, Settings};
use tokio_postgres::{Client, NoTls};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Inserts the names in one round trip; the ids are in their order.
async fn insert(client: &Client, names: &[String]) -> Result<Vec<i64>, tokio_postgres::Error> {
    let statement = "INSERT INTO person (name)
        SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS t (name, n) ORDER BY n RETURNING id";
    let rows = client.query(statement, &[&names]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let server = tokio::task::spawn_blocking(|| Postgres::start(Settings::default())).await??;
    let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE person (id bigserial PRIMARY KEY, name text)").await?;
    let client = Arc::new(client);

    let inserter = Arc::clone(&client);
    let batcher =
        Batcher::builder().retries(Retries::default()).build(move |names: Vec<String>| {
            let client = Arc::clone(&inserter);
            async move { insert(&client, &names).await }
        })?;
    let callers = (0..200).map(|caller| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            let mut last = 0;
            for n in 0..50 {
                let id = batcher.submit(format!("caller {caller}, row {n}")).await?;
                assert!(id > last, "a caller's rows are in its order");
                last = id;
            }
            Ok::<_, Error>(last)
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let stats = batcher.close().await;
    let rows: i64 = client.query_one("SELECT count(*) FROM person", &[]).await?.get(0);
    assert_eq!((stats.delivered, rows), (10_000, 10_000));
    println!("{rows} rows in {} statements", stats.counters.attempts);
    drop((batcher, client));
    connection.await??;
    tokio::task::spawn_blocking(move || drop(server)).await?;
    Ok(())
}
