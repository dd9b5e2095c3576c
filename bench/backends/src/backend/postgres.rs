//! PostgreSQL, by binary COPY over a pool of connections that are open beforehand.
//!
//! The server is started privately, with the settings that PostgreSQL comes with: it syncs every
//! commit. An attempt is one COPY, which is a transaction: two round trips. Its rows are encoded in
//! the attempt's own task, while earlier ones are already on their way: a prebuilt row is copied
//! and its position is filled in, so that the client takes little of the two cores it shares with
//! the server.
//!
//! A network may be put in between: a proxy that delays every byte by half the round trip each way.
//! It runs in this process, so its processor time counts as the client's.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use futures_util::SinkExt as _;
use tidegate::Outcome;
use tidegate_testbed::postgres::{Postgres as Server, Settings};
use tidegate_testbed::proxy::Proxy;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Backend, Disturb, Disturbance, FirstTrouble, Later, Site};
use crate::child::Child;
use crate::cpu;
use crate::rows::{Row, rows};

/// The database that is there from the beginning.
const DATABASE: &str = "postgres";
/// Where the product's own tables are.
const SCHEMA: &str = "product";
/// Bytes that are encoded before they are sent.
const CHUNK: usize = 64 << 10;

/// A server of our own.
pub(crate) struct Postgres {
    /// The URL that runs connect to.
    url: String,
    /// The URL of the server itself, with no network in between.
    direct: String,
    round_trip: Duration,
    version: String,
    admin: Client,
    postmaster: Option<u32>,
    rows: Arc<CopyRows>,
    /// Both end with this. The lock is never taken: it makes them shareable between threads.
    _running: Mutex<(Server, Option<Proxy>)>,
}

impl Postgres {
    /// Starts a server; `round_trip` is put between it and the client, and `indexed` gives the
    /// table the unique index that exactly-once delivery would have.
    pub(crate) async fn start(round_trip: Duration, indexed: bool) -> anyhow::Result<Self> {
        let starting = tokio::task::spawn_blocking(|| Server::start(Settings::default()));
        let server = starting.await?.context("PostgreSQL does not start")?;
        let direct = server.url(DATABASE);
        let (mut url, mut proxy) = (direct.clone(), None);
        if !round_trip.is_zero() {
            let between = Proxy::start(server.address()).context("the proxy does not start")?;
            between.delay(round_trip / 2);
            url = direct.replace(&server.address().to_string(), &between.address().to_string());
            proxy = Some(between);
        }
        let admin = connect(&direct).await?;
        let version = admin.query_one("SHOW server_version", &[]).await?.try_get(0)?;
        for table in ["events", NEIGHBOURS] {
            let key = if indexed { ", PRIMARY KEY (journal, position)" } else { "" };
            admin.batch_execute(&format!("CREATE TABLE {table} ({COLUMNS}{key})")).await?;
        }
        Ok(Self {
            url,
            direct,
            round_trip,
            version,
            admin,
            postmaster: postmaster(&server.socket_directory().join("data/postmaster.pid")),
            rows: Arc::new(CopyRows::new(&rows())),
            _running: Mutex::new((server, proxy)),
        })
    }
}

impl Site for Postgres {
    fn describe(&self) -> String {
        let away = if self.round_trip.is_zero() {
            String::new()
        } else {
            format!(", {:?} of round trip away", self.round_trip)
        };
        format!("PostgreSQL {}, binary COPY{away}", self.version)
    }

    fn fresh(&self, connections: u32) -> Later<'_, anyhow::Result<Arc<dyn Backend>>> {
        Box::pin(async move {
            // Every run begins with an empty table and no dirty pages of the one before.
            let clean = format!("TRUNCATE events, {NEIGHBOURS}; CHECKPOINT");
            self.admin.batch_execute(&clean).await?;
            let pool = Pool::open(self.url.clone(), Arc::clone(&self.rows), connections).await?;
            Ok(Arc::new(pool) as Arc<dyn Backend>)
        })
    }

    fn sink(&self) -> Later<'_, anyhow::Result<String>> {
        Box::pin(async move {
            let clean = format!(
                "DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; \
                 TRUNCATE events, {NEIGHBOURS}"
            );
            self.admin.batch_execute(&clean).await?;
            self.admin.batch_execute("CHECKPOINT").await?;
            Ok(format!("type: postgres\nurl: '{}'\nschema: {SCHEMA}\n", self.url))
        })
    }

    fn taken(&self) -> Later<'_, anyhow::Result<u64>> {
        Box::pin(async move {
            let count = format!("SELECT count(*) FROM {SCHEMA}.events");
            let count: i64 = self.admin.query_one(&count, &[]).await?.try_get(0)?;
            Ok(u64::try_from(count)?)
        })
    }

    fn disturb(&self, kind: Disturb) -> Later<'_, anyhow::Result<Disturbance>> {
        Box::pin(async move {
            if kind != Disturb::Neighbour {
                return Ok(Disturbance::Work(tokio::spawn(work(self.direct.clone(), kind))));
            }
            // The neighbour sits beside the server: no network in between.
            let arguments = ["neighbour".as_ref(), "postgres".as_ref(), self.direct.as_ref()];
            Ok(Disturbance::Neighbour(Child::start(&arguments).await?.0))
        })
    }

    fn cpu(&self) -> Duration {
        self.postmaster.map(cpu::of_family).unwrap_or_default()
    }
}

/// What an administrator does to the table that is written to.
async fn work(url: String, kind: Disturb) -> anyhow::Result<()> {
    let client = connect(&url).await?;
    let of_product = format!("SELECT to_regclass('{SCHEMA}.events') IS NOT NULL");
    let of_product: bool = client.query_one(&of_product, &[]).await?.try_get(0)?;
    let table = if of_product { format!("{SCHEMA}.events") } else { "events".to_owned() };
    let statements = match kind {
        Disturb::Indexes => [
            format!("CREATE INDEX CONCURRENTLY ON {table} (service, timestamp)"),
            format!("CREATE INDEX CONCURRENTLY ON {table} (severity_number, timestamp)"),
        ],
        Disturb::Neighbour | Disturb::Maintenance => {
            [format!("VACUUM (ANALYZE) {table}"), "CHECKPOINT".to_owned()]
        }
    };
    for statement in &statements {
        client.batch_execute(statement).await.with_context(|| statement.clone())?;
    }
    Ok(())
}

/// The number of the server's first process, which its directory names.
fn postmaster(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("no connection to PostgreSQL")?;
    // It ends with the client; what goes wrong on it is told to whoever uses the client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// A connection and its COPY.
struct Link {
    client: Client,
    copy: Statement,
}

impl Link {
    async fn open(url: &str, table: &str) -> anyhow::Result<Self> {
        let client = connect(url).await?;
        let copy = client.prepare(&format!("COPY {table} FROM STDIN BINARY")).await?;
        Ok(Self { client, copy })
    }

    /// Copies rows from position `first` on, as one transaction.
    async fn copy(
        &self,
        rows: &CopyRows,
        first: i64,
        items: u32,
    ) -> Result<(), tokio_postgres::Error> {
        let sink = self.client.copy_in::<_, Bytes>(&self.copy).await?;
        tokio::pin!(sink);
        let mut chunk = BytesMut::with_capacity(CHUNK + 1024);
        chunk.extend_from_slice(HEAD);
        for position in first..first + i64::from(items) {
            rows.put(position, &mut chunk);
            if chunk.len() >= CHUNK {
                let full = std::mem::replace(&mut chunk, BytesMut::with_capacity(CHUNK + 1024));
                sink.send(full.freeze()).await?;
            }
        }
        chunk.extend_from_slice(TAIL);
        sink.send(chunk.freeze()).await?;
        sink.finish().await.map(drop)
    }
}

struct Pool {
    url: String,
    rows: Arc<CopyRows>,
    next: AtomicI64,
    idle: Mutex<Vec<Link>>,
    trouble: FirstTrouble,
}

impl Pool {
    async fn open(url: String, rows: Arc<CopyRows>, connections: u32) -> anyhow::Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..connections {
            idle.push(Link::open(&url, "events").await?);
        }
        let (idle, trouble) = (Mutex::new(idle), FirstTrouble::default());
        Ok(Self { url, rows, next: AtomicI64::new(0), idle, trouble })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Pool {
    fn attempt(self: Arc<Self>, items: u32) -> Later<'static, Outcome> {
        Box::pin(async move {
            let idle = self.idle().pop();
            let link = match idle {
                Some(link) => link,
                // One that was lost is replaced, inside the attempt: that is what it costs.
                None => match Link::open(&self.url, "events").await {
                    Ok(link) => link,
                    Err(error) => {
                        self.trouble.note(format!("{error:#}"));
                        return Outcome::Unreachable;
                    }
                },
            };
            let first = self.next.fetch_add(i64::from(items), Ordering::Relaxed);
            match link.copy(&self.rows, first, items).await {
                Ok(()) => {
                    self.idle().push(link);
                    Outcome::Ok
                }
                // After a failed COPY a connection may be out of step: it is not used again.
                Err(error) => {
                    self.trouble.note(&error);
                    let gone = link.client.is_closed();
                    if gone { Outcome::Unreachable } else { Outcome::Overloaded }
                }
            }
        })
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.get()
    }
}

const COLUMNS: &str = "journal bigint NOT NULL, position bigint NOT NULL, timestamp bigint, \
                       observed bigint NOT NULL, severity_number bigint, severity_text text, \
                       service text, class text, body text, attributes text, trace_id text, \
                       span_id text";
/// Signature, flags and the length of an extension that is not there.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TAIL: &[u8] = &(-1_i16).to_be_bytes();
/// Where in an encoded row its position stands: behind the number of fields and the first of them.
const POSITION_AT: usize = 2 + 12 + 4;

/// Rows as COPY wants them, but for their positions.
struct CopyRows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl CopyRows {
    fn new(rows: &[Row]) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for row in rows {
            put_row(&mut bytes, row);
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    fn put(&self, position: i64, out: &mut BytesMut) {
        let different = self.ends.len() - 1;
        let place = usize::try_from(position).unwrap_or(0) % different;
        let Some([from, to]) = self.ends.get(place..place + 2) else { return };
        let at = out.len() + POSITION_AT;
        out.extend_from_slice(self.bytes.get(*from..*to).unwrap_or_default());
        if let Some(slot) = out.get_mut(at..at + 8) {
            slot.copy_from_slice(&position.to_be_bytes());
        }
    }
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(&12_i16.to_be_bytes());
    let number = |out: &mut Vec<u8>, value: i64| {
        out.extend_from_slice(&8_i32.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    };
    let text = |out: &mut Vec<u8>, value: Option<&str>| {
        let Some(value) = value else { return out.extend_from_slice(&(-1_i32).to_be_bytes()) };
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    };
    number(out, 1);
    number(out, 0);
    number(out, row.timestamp);
    number(out, row.timestamp);
    number(out, row.severity_number);
    text(out, Some(row.severity_text));
    text(out, Some(row.service));
    text(out, None);
    text(out, Some(&row.body));
    text(out, Some(&row.attributes));
    text(out, row.trace_id.as_deref());
    text(out, None);
}

/// The table that a neighbour writes to.
const NEIGHBOURS: &str = "neighbours";
/// Rows of a neighbour's COPY.
const NEIGHBOURS_ROWS: u32 = 5_000;

/// In a neighbour: copies rows into a table of its own until `over` says so.
pub(crate) async fn keep_writing(url: &str, over: impl Fn() -> bool) -> anyhow::Result<()> {
    let link = Link::open(url, NEIGHBOURS).await?;
    let rows = CopyRows::new(&rows());
    crate::child::ready("writing")?;
    let mut next = 0;
    while !over() {
        link.copy(&rows, next, NEIGHBOURS_ROWS).await?;
        next += i64::from(NEIGHBOURS_ROWS);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_row_arrives_as_it_is_also_through_a_network() {
        let site = Postgres::start(Duration::from_millis(2), true).await.unwrap();
        let backend = site.fresh(2).await.unwrap();
        // More than there are different rows, more than a chunk, and more than connections.
        let mut flying = tokio::task::JoinSet::new();
        for items in [1, 500, 5_000] {
            flying.spawn(Arc::clone(&backend).attempt(items));
        }
        while let Some(outcome) = flying.join_next().await {
            assert_eq!(outcome.unwrap(), Outcome::Ok);
        }
        assert_eq!(backend.trouble(), None);
        let found = site
            .admin
            .query_one("SELECT count(*), min(position), max(position), min(body) FROM events", &[])
            .await
            .unwrap();
        let found: (i64, i64, i64, String) =
            (found.get(0), found.get(1), found.get(2), found.get(3));
        let least = rows().iter().map(|row| row.body.clone()).min().unwrap();
        assert_eq!(found, (5_501, 0, 5_500, least));
        assert!(site.cpu() > Duration::ZERO);
    }
}
