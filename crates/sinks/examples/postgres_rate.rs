//! How fast is the PostgreSQL sink against binary COPY written by hand?
//!
//! ```text
//! cargo run --release -p tidegate-sinks --example postgres_rate -- [ROWS] [ROUNDS] [CONNECTIONS] \
//!     [plain]
//! ```
//!
//! Both write the same events of about 266 encoded bytes into the same table, 5,000 a transaction,
//! over as many connections to a PostgreSQL of their own that syncs every commit. The loop encodes
//! fields it has at hand into one buffer a batch; the sink gets encoded rows, keeps its record of
//! ranges and checks its fence. They take turns, so that what else the machine does meets both;
//! the ratio is of the medians.
//!
//! With `plain` the loop alone is measured, into a table of text columns without an index: what the
//! database can take at most, and so what the types, the `jsonb` and the key of the table cost.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use tidegate::Outcome;
use tidegate_event::{Body, Event, JournalId, Rows, rows};
use tidegate_sinks::postgres::{PostgresSink, Server, Settings};
use tidegate_sinks::{Batch, Origin, Sink, Slice};
use tidegate_testbed::postgres::{self, PASSWORD, Postgres, USER};
use tokio::task::JoinSet;
use tokio_postgres::{Client, CopyInSink, NoTls};

const BATCH: u32 = 5_000;
const ATTRIBUTES: &str = r#"{"user":"u-123456","method":"GET","status":200,"duration_ms":12.5,"region":"eu-west-1","host":"web-17"}"#;
const BODY: &str = "GET /api/v1/orders/1234567 answered 200 in 12 ms for customer 99887766";
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;
/// Of the table that is plain.
const TEXT_COLUMNS: i16 = 6;
const START: i64 = 1_763_600_000_000_000_000;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let connections: u32 = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let settings = postgres::Settings::default()
        .with("shared_buffers", "512MB")
        .with("max_wal_size", "8GB")
        .with("checkpoint_timeout", "30min");
    let server = Postgres::start(settings)?;
    if arguments.next().as_deref() == Some("plain") {
        return plain(&server, rows, rounds, connections).await;
    }
    let (mut by_hand, mut by_sink) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for turn in 0..2 {
            let schema = format!("round_{round}_{turn}");
            // Who goes first changes: the second finds a disk that is still writing.
            if (round + turn) % 2 == 0 {
                by_hand.push(loop_by_hand(&server, &schema, rows, connections).await?);
            } else {
                by_sink.push(sink(&server, &schema, rows, connections).await?);
            }
            let count =
                server.psql("postgres", &format!("SELECT count(*) FROM {schema}.events"))?;
            if count.parse() != Ok(rows.next_multiple_of(u64::from(BATCH))) {
                return Err(format!("{count} rows are stored").into());
            }
            server.psql("postgres", &format!("DROP SCHEMA {schema} CASCADE"))?;
            server.psql("postgres", "CHECKPOINT")?;
        }
        let (loop_rate, sink_rate) = (last(&by_hand), last(&by_sink));
        say(&format!("round {round}: loop {loop_rate:.0}, sink {sink_rate:.0} rows/s"));
    }
    let (by_hand, by_sink) = (median(by_hand), median(by_sink));
    let ratio = by_sink / by_hand;
    say(&format!(
        "{connections} connections: loop {by_hand:.0}, sink {by_sink:.0} rows/s, ratio {ratio:.2}"
    ));
    Ok(())
}

/// Tells the rows a second of a loop into text columns.
async fn plain(
    server: &Postgres,
    rows: u64,
    rounds: usize,
    connections: u32,
) -> Result<(), Failure> {
    for round in 0..rounds {
        let columns =
            (1..=TEXT_COLUMNS).map(|number| format!("c{number} text")).collect::<Vec<_>>();
        let table = format!("CREATE TABLE plain ({})", columns.join(", "));
        server.psql("postgres", &table)?;
        let rate = copied(server, "plain", plain_row, rows, connections).await?;
        server.psql("postgres", "DROP TABLE plain")?;
        server.psql("postgres", "CHECKPOINT")?;
        say(&format!("round {round}: loop {rate:.0} rows/s"));
    }
    Ok(())
}

async fn opened(
    server: &Postgres,
    schema: &str,
    connections: u32,
) -> Result<PostgresSink, Failure> {
    let address = server.address();
    let to = Server::new("127.0.0.1", address.port(), USER, "postgres").with_password(PASSWORD);
    let schema = schema.to_owned();
    let settings = Settings { schema, connections, ..Settings::new(to, "postgres") };
    let sink = PostgresSink::start(settings)?;
    sink.open(Origin { journal: JournalId::from_u128(1), epoch: 1, opening: 1 }).await?;
    Ok(sink)
}

/// Rows a second of the sink.
async fn sink(
    server: &Postgres,
    schema: &str,
    rows: u64,
    connections: u32,
) -> Result<f64, Failure> {
    let sink = Arc::new(opened(server, schema, connections).await?);
    let encoded = encoded()?;
    let next = Arc::new(AtomicU64::new(0));
    let started = now();
    let mut attempts = JoinSet::new();
    for _ in 0..connections {
        let (sink, encoded, next) = (Arc::clone(&sink), encoded.clone(), Arc::clone(&next));
        attempts.spawn(async move {
            loop {
                let first = next.fetch_add(u64::from(BATCH), Ordering::Relaxed);
                if first >= rows {
                    return Ok::<(), Failure>(());
                }
                let range = first..first + u64::from(BATCH);
                let slices = vec![Slice { first, rows: encoded.clone() }];
                let delivery = sink.deliver(Batch { lane: "default".into(), range, slices }).await;
                if delivery.outcome != Outcome::Ok {
                    return Err(format!("{delivery:?}").into());
                }
            }
        });
    }
    while let Some(ended) = attempts.join_next().await {
        ended??;
    }
    let rate = rows as f64 / started.elapsed().as_secs_f64();
    sink.close().await;
    Ok(rate)
}

/// Rows a second of a loop that knows nothing but the table.
async fn loop_by_hand(
    server: &Postgres,
    schema: &str,
    rows: u64,
    connections: u32,
) -> Result<f64, Failure> {
    // The sink makes the table, so that it is the same.
    opened(server, schema, 1).await?.close().await;
    copied(server, &format!("{schema}.events"), row, rows, connections).await
}

/// Writes one row at a position and a time.
type Encode = fn(i64, i64, &mut Vec<u8>);

async fn copied(
    server: &Postgres,
    table: &str,
    encode: Encode,
    rows: u64,
    connections: u32,
) -> Result<f64, Failure> {
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = Vec::new();
    for _ in 0..connections {
        let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
        tokio::spawn(connection);
        clients.push(client);
    }
    let started = now();
    let mut loops = JoinSet::new();
    for client in clients {
        let copy = format!("COPY {table} FROM STDIN (FORMAT binary)");
        let next = Arc::clone(&next);
        loops.spawn(async move { copy_loop(&client, &copy, encode, &next, rows).await });
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    Ok(rows as f64 / started.elapsed().as_secs_f64())
}

async fn copy_loop(
    client: &Client,
    copy: &str,
    encode: Encode,
    next: &AtomicU64,
    rows: u64,
) -> Result<(), Failure> {
    use std::future::poll_fn;
    let copy = client.prepare(copy).await?;
    loop {
        let first = next.fetch_add(u64::from(BATCH), Ordering::Relaxed);
        if first >= rows {
            return Ok(());
        }
        // A COPY outside of a transaction is one: it commits with its end.
        let mut buffer = Vec::with_capacity(2 << 20);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for offset in 0..i64::from(BATCH) {
            encode(i64::try_from(first)? + offset, START + offset, &mut buffer);
        }
        buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        let sink: CopyInSink<Bytes> = client.copy_in(&copy).await?;
        let mut sink = pin!(sink);
        let buffer = Bytes::from(buffer);
        for start in (0..buffer.len()).step_by(128 << 10) {
            use futures_sink::Sink as _;
            poll_fn(|context| sink.as_mut().poll_ready(context)).await?;
            sink.as_mut().start_send(buffer.slice(start..buffer.len().min(start + (128 << 10))))?;
        }
        sink.finish().await?;
    }
}

fn row(position: i64, at: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&13_i16.to_be_bytes());
    field(&1_i32.to_be_bytes(), out);
    field(&position.to_be_bytes(), out);
    field(&(at / 1_000 - 946_684_800_000_000).to_be_bytes(), out);
    field(&at.to_be_bytes(), out);
    field(&at.to_be_bytes(), out);
    field(&9_i16.to_be_bytes(), out);
    for text in ["INFO", "checkout", "write", BODY] {
        field(text.as_bytes(), out);
    }
    out.extend_from_slice(&u32::try_from(ATTRIBUTES.len() + 1).unwrap_or(0).to_be_bytes());
    out.push(1);
    out.extend_from_slice(ATTRIBUTES.as_bytes());
    field(&TRACE.to_be_bytes(), out);
    field(&SPAN.to_be_bytes(), out);
}

/// The fields that are text anyway, the attributes among them, and nothing else: the lower bound.
fn plain_row(_position: i64, at: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&TEXT_COLUMNS.to_be_bytes());
    for text in ["INFO", "checkout", "write", BODY, ATTRIBUTES] {
        field(text.as_bytes(), out);
    }
    field(format!("{at}").as_bytes(), out);
}

fn field(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(value);
}

/// A batch of events as rows.
fn encoded() -> Result<Rows, Failure> {
    let mut bytes = Vec::new();
    for offset in 0..i64::from(BATCH) {
        let event = Event {
            timestamp: Some(START + offset),
            observed: START + offset,
            severity_number: 9,
            severity_text: "INFO",
            service: "checkout",
            class: "write",
            body: Body::Text(BODY),
            attributes: ATTRIBUTES,
            trace_id: Some(TRACE.to_be_bytes()),
            span_id: Some(SPAN.to_be_bytes()),
        };
        rows::encode(&event, &mut bytes)?;
    }
    Ok(Rows::new(bytes.into(), BATCH))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

fn last(rates: &[f64]) -> f64 {
    rates.last().copied().unwrap_or(f64::NAN)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn say(line: &str) {
    println!("{line}");
}
