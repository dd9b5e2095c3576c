//! Cache warming: keys that are missed at the same time are looked up in one query, and each caller
//! gets its own value. A key that many miss is asked for once.
//!
//! `cargo run -p tidegate-examples --example cache_warming`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use rusqlite::Connection;
use tidegate::Batcher;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Cache = Arc<RwLock<HashMap<u32, Arc<str>>>>;

/// Looks keys up in one query.
fn look_up(database: &Connection, keys: &[u32]) -> rusqlite::Result<HashMap<u32, Arc<str>>> {
    let mut distinct = keys.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let marks = vec!["?"; distinct.len()].join(",");
    let sql = format!("SELECT id, name FROM product WHERE id IN ({marks})");
    let mut statement = database.prepare(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(distinct), |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?.into()))
    })?;
    rows.collect()
}

async fn get(cache: &Cache, misses: &Batcher<u32, Arc<str>>, key: u32) -> Result<Arc<str>, Error> {
    if let Some(value) = cache.read().unwrap().get(&key) {
        return Ok(Arc::clone(value));
    }
    Ok(misses.submit(key).await?)
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let database = Connection::open_in_memory()?;
    database.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT)", ())?;
    for id in 0..500 {
        database.execute("INSERT INTO product VALUES (?1, ?2)", (id, format!("product {id}")))?;
    }
    let (database, cache) = (Arc::new(Mutex::new(database)), Cache::default());

    let warm = Arc::clone(&cache);
    let misses = Batcher::builder().batch_size(1..=500).build(move |keys: Vec<u32>| {
        let (database, cache) = (Arc::clone(&database), Arc::clone(&warm));
        async move {
            let found = tokio::task::spawn_blocking(move || {
                look_up(&database.lock().unwrap(), &keys).map(|found| (keys, found))
            });
            let (keys, found) = match found.await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Err(Error::from(error)),
                Err(error) => return Err(error.into()),
            };
            cache.write().unwrap().extend(found.iter().map(|(key, value)| (*key, value.clone())));
            let each = keys.iter().map(|key| found.get(key).cloned().ok_or("no such product"));
            Ok(tidegate::batcher::Answer::per_item(each))
        }
    })?;
    let callers = (0..2_000_u32).map(|n| {
        let (cache, misses) = (Arc::clone(&cache), misses.clone());
        tokio::spawn(async move { (n, get(&cache, &misses, n % 510).await) })
    });
    for caller in callers.collect::<Vec<_>>() {
        let (n, value) = caller.await?;
        match value {
            Ok(value) => assert_eq!(*value, format!("product {}", n % 510)),
            Err(error) => {
                assert_eq!((n % 510 >= 500, error.to_string().as_str()), (true, "no such product"));
            }
        }
    }
    let stats = misses.close().await;
    assert_eq!(cache.read().unwrap().len(), 500);
    println!("{} misses in {} queries", stats.added, stats.counters.attempts);
    Ok(())
}
