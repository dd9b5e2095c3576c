//! How fast is the SQLite sink against a loop written by hand?
//!
//! ```text
//! cargo run --release -p tidegate-sinks --example sqlite_rate -- [ROWS] [ROUNDS] [DIRECTORY]
//! ```
//!
//! Both write the same events of about 266 encoded bytes, 5,000 a transaction, into the same
//! table, with WAL and `synchronous = FULL`. The loop prepares one insert and binds fields it has
//! at hand; the sink gets encoded rows, keeps its record of ranges and checks its fence. They take
//! turns, so that what else the machine does meets both; the ratio is of the medians.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use tidegate::Outcome;
use tidegate_event::{Body, Event, JournalId, Rows, rows};
use tidegate_sinks::sqlite::{Settings, SqliteSink};
use tidegate_sinks::{Batch, Origin, Sink, Slice};

const BATCH: u32 = 5_000;
const ATTRIBUTES: &str = r#"{"user":"u-123456","method":"GET","status":200,"duration_ms":12.5,"region":"eu-west-1","host":"web-17"}"#;
const BODY: &str = "GET /api/v1/orders/1234567 answered 200 in 12 ms for customer 99887766";
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;
const START: i64 = 1_763_600_000_000_000_000;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let directory = match arguments.next() {
        Some(path) => tempfile::tempdir_in(path)?,
        None => tempfile::tempdir()?,
    };
    let (mut by_hand, mut by_sink) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let path = directory.path().join(format!("{round}.db"));
        by_hand.push(loop_by_hand(&path, rows).await?);
        remove(&path)?;
        by_sink.push(sink(&path, rows).await?);
        remove(&path)?;
        say(&format!(
            "round {round}: loop {:.0}, sink {:.0} rows/s",
            last(&by_hand),
            last(&by_sink)
        ));
    }
    let (by_hand, by_sink) = (median(by_hand), median(by_sink));
    say(&format!("loop {by_hand:.0}, sink {by_sink:.0} rows/s, ratio {:.2}", by_sink / by_hand));
    Ok(())
}

/// Rows a second of the sink.
async fn sink(path: &Path, rows: u64) -> Result<f64, Failure> {
    let sink = SqliteSink::start(Settings::new(path, "sqlite"))?;
    sink.open(Origin { journal: JournalId::from_u128(1), epoch: 1, opening: 1 }).await?;
    let encoded = encoded()?;
    let started = now();
    let mut first = 0;
    while first < rows {
        let range = first..first + u64::from(BATCH);
        let slices = vec![Slice { first, rows: encoded.clone() }];
        let delivery = sink.deliver(Batch { lane: "default".into(), range, slices }).await;
        if delivery.outcome != Outcome::Ok {
            return Err(format!("{delivery:?}").into());
        }
        first += u64::from(BATCH);
    }
    let rate = first as f64 / started.elapsed().as_secs_f64();
    sink.close().await;
    Ok(rate)
}

/// Rows a second of a loop that knows nothing but the table.
async fn loop_by_hand(path: &Path, rows: u64) -> Result<f64, Failure> {
    // The sink makes the table, so that it is the same.
    SqliteSink::start(Settings::new(path, "sqlite"))?.close().await;
    let mut db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096; PRAGMA cache_size = -16384",
    )?;
    let (trace, span) = (format!("{TRACE:032x}"), format!("{SPAN:016x}"));
    let total = i64::try_from(rows)?;
    let started = now();
    let mut position = 0_i64;
    while position < total {
        let transaction = db.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO events (journal, position, timestamp, observed, severity_number,
                     severity_text, service, class, body, attributes, trace_id, span_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for offset in 0..i64::from(BATCH) {
                let at = START + offset;
                insert.execute(params![
                    1, position, at, at, 9, "INFO", "checkout", "write", BODY, ATTRIBUTES, trace,
                    span
                ])?;
                position += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(position as f64 / started.elapsed().as_secs_f64())
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

fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(format!("{}{suffix}", path.display())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
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
