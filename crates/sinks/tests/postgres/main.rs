//! The PostgreSQL sink against a real server: the contract's suite, and what only PostgreSQL can do
//! wrong.
//!
//! Most tests share one server and have a schema each; those that stop or kill it have their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::single_range_in_vec_init,
    reason = "all of this is test code, also what is outside of test functions, and a list of one \
              range is what is meant"
)]

#[path = "../contract/mod.rs"]
mod contract;

mod chaos;
mod concurrency;
mod cuts;
mod encryption;
mod mapped;
mod schema;
mod start;
mod values;

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contract::{Stored, Subject};
use tidegate_sinks::BoxFuture;
use tidegate_sinks::postgres::{PostgresSink, Server, Settings};
use tidegate_testbed::postgres::{self, PASSWORD, Postgres, USER};
use tokio_postgres::{Client, NoTls};

contract::suite!(subject);

/// The server that most tests share. It ends with this process.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| {
    let settings = postgres::Settings::default().with("max_connections", "200");
    Postgres::start(settings).expect("PostgreSQL starts")
});

/// A place of its own for one test: a schema that nobody else uses.
#[derive(Debug, Clone)]
struct Place {
    address: SocketAddr,
    schema: String,
}

impl Place {
    /// On the shared server.
    fn new() -> Self {
        Self::on(SERVER.address())
    }

    /// On the server at this address.
    fn on(address: SocketAddr) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { address, schema: format!("test {number}") }
    }

    /// Settings of a sink there, in the words of this place's address.
    fn settings(&self) -> Settings {
        self.settings_at(self.address)
    }

    /// Settings of a sink that reaches the server at another address: that of a proxy.
    fn settings_at(&self, address: SocketAddr) -> Settings {
        let server = Server::new("127.0.0.1", address.port(), USER, "postgres");
        Settings {
            schema: self.schema.clone(),
            feedback: false,
            lock_timeout: Duration::from_secs(10),
            ..Settings::new(server.with_password(PASSWORD), "postgres")
        }
    }

    fn sink(&self) -> PostgresSink {
        PostgresSink::start(self.settings()).unwrap()
    }

    /// A connection of the test's own, with the schema in its path.
    async fn client(&self) -> Client {
        let client = client(self.address).await;
        let path = format!(r#"SET search_path = "{}", public"#, self.schema);
        client.batch_execute(&path).await.unwrap();
        client
    }

    /// One number.
    async fn number(&self, sql: &str) -> i64 {
        self.client().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// What the table `events` holds.
    async fn stored(&self) -> Vec<Stored> {
        let client = self.client().await;
        let table = "SELECT to_regclass('events') IS NOT NULL";
        if !client.query_one(table, &[]).await.unwrap().get::<_, bool>(0) {
            return Vec::new();
        }
        let rows = client
            .query(
                "SELECT j.id, e.position, e.timestamp, e.observed, e.severity_number,
                        coalesce(e.severity_text, ''), coalesce(e.service, ''),
                        coalesce(e.class, ''), coalesce(e.body, ''),
                        coalesce(e.attributes::text, ''), coalesce(encode(e.trace_id, 'hex'), ''),
                        coalesce(encode(e.span_id, 'hex'), '')
                 FROM events e JOIN tidegate_journals j USING (journal) ORDER BY j.id, e.position",
                &[],
            )
            .await
            .unwrap();
        let stored = rows.iter().map(|row| Stored {
            journal: row.get(0),
            position: u64::try_from(row.get::<_, i64>(1)).unwrap(),
            timestamp: row.get(2),
            observed: row.get(3),
            severity_number: u8::try_from(row.get::<_, Option<i16>>(4).unwrap_or(0)).unwrap(),
            severity_text: row.get(5),
            service: row.get(6),
            class: row.get(7),
            body: row.get(8),
            attributes: row.get(9),
            trace_id: row.get(10),
            span_id: row.get(11),
        });
        stored.collect()
    }
}

async fn client(address: SocketAddr) -> Client {
    let url = format!("postgresql://{USER}:{PASSWORD}@{address}/postgres");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A subject in a schema of its own.
fn subject() -> Subject {
    let place = Place::new();
    let settings = place.settings();
    subject_with(place, settings)
}

/// A subject with these settings.
fn subject_with(place: Place, settings: Settings) -> Subject {
    let kept = place.clone();
    Subject {
        start: Box::new(move || Box::new(PostgresSink::start(settings.clone()).unwrap())),
        stored: Box::new(move || {
            let place = place.clone();
            let stored: BoxFuture<'static, _> = Box::pin(async move { place.stored().await });
            stored
        }),
        keep: Box::new(kept),
    }
}

/// The place of a subject.
fn place_of(subject: &Subject) -> &Place {
    subject.keep.downcast_ref::<Place>().unwrap()
}
