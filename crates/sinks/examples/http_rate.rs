//! How fast is the HTTP sink, and how much of that is the encoding?
//!
//! ```text
//! cargo run --release -p tidegate-sinks --example http_rate -- [ROWS] [ROUNDS] [BATCH] [IN_FLIGHT]
//! ```
//!
//! Events of about 266 encoded bytes go as NDJSON to a server on a thread of its own, which only
//! counts lines. A case of its own encodes the same batches and sends nothing. The cases take
//! turns; what is printed last are the medians.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use tidegate::Outcome;
use tidegate_event::{Body, Event, JournalId, Rows, rows};
use tidegate_sinks::http::{Compression, HttpSink, Settings};
use tidegate_sinks::json::{Encoder, Layout};
use tidegate_sinks::{Batch, Origin, Sink, Slice};
use tidegate_testbed::http::{Behaviour, HttpBackend};
use tokio::task::JoinSet;

const ATTRIBUTES: &str = r#"{"user":"u-123456","method":"GET","status":200,"duration_ms":12.5,"region":"eu-west-1","host":"web-17"}"#;
const BODY: &str = "GET /api/v1/orders/1234567 answered 200 in 12 ms for customer 99887766";
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;
const START: i64 = 1_763_600_000_000_000_000;
const JOURNAL: JournalId = JournalId::from_u128(1);

type Failure = Box<dyn Error + Send + Sync>;

/// What is measured.
#[derive(Clone, Copy)]
struct Load {
    rows: u64,
    batch: u32,
    in_flight: usize,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (rows, rounds) = (number(2_000_000)?, number(3)?);
    let (batch, in_flight) = (number(5_000)?.try_into()?, number(4)?.try_into()?);
    let load = Load { rows, batch, in_flight };
    let encoded = encoded(batch)?;
    let cases = ["encode", "plain", "gzip", "zstd"];
    let mut rates = cases.map(|_| Vec::new());
    for _ in 0..rounds {
        rates[0].push(encode(load, &encoded)?);
        for (rates, compression) in
            rates[1..].iter_mut().zip([Compression::None, Compression::Gzip, Compression::Zstd])
        {
            rates.push(send(load, &encoded, compression)?);
        }
    }
    for (case, rates) in cases.into_iter().zip(rates) {
        say(&format!("{case}: {:.0} rows/s", median(rates)));
    }
    Ok(())
}

/// Rows a second of the encoder alone.
fn encode(load: Load, encoded: &Rows) -> Result<f64, Failure> {
    let encoder = Encoder::new(Layout::Ndjson, "_id");
    let mut text = String::new();
    let started = now();
    let mut first = 0;
    while first < load.rows {
        text.clear();
        encoder.encode(JOURNAL, &batch(first, encoded), &mut text)?;
        first += u64::from(load.batch);
    }
    say(&format!("  {} bytes a row", text.len() / load.batch as usize));
    Ok(first as f64 / started.elapsed().as_secs_f64())
}

/// Rows a second of the sink.
fn send(load: Load, encoded: &Rows, compression: Compression) -> Result<f64, Failure> {
    let far = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let behaviour = Behaviour { only_counts: true, ..Behaviour::default() };
    let backend = far.block_on(async { HttpBackend::start(behaviour) })?;
    let near =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let rate = near.block_on(drive(load, encoded, compression, &backend))?;
    let counted = backend.ledger();
    if compression == Compression::None && counted.item_count < load.rows {
        return Err(format!("{} of {} rows arrived", counted.item_count, load.rows).into());
    }
    Ok(rate)
}

async fn drive(
    load: Load,
    encoded: &Rows,
    compression: Compression,
    backend: &HttpBackend,
) -> Result<f64, Failure> {
    let settings = Settings { compression, ..Settings::new(backend.url("/events"), "api") };
    let sink = Arc::new(HttpSink::start(settings)?);
    sink.open(Origin { journal: JOURNAL, epoch: 1, opening: 1 }).await?;
    let started = now();
    let (mut first, mut flying) = (0, JoinSet::new());
    while first < load.rows || !flying.is_empty() {
        if first < load.rows && flying.len() < load.in_flight {
            let (sink, batch) = (Arc::clone(&sink), batch(first, encoded));
            flying.spawn(async move { sink.deliver(batch).await });
            first += u64::from(load.batch);
        } else if let Some(delivery) = flying.join_next().await {
            let delivery = delivery?;
            if delivery.outcome != Outcome::Ok {
                return Err(format!("{delivery:?}").into());
            }
        }
    }
    let rate = first as f64 / started.elapsed().as_secs_f64();
    sink.close().await;
    Ok(rate)
}

fn batch(first: u64, encoded: &Rows) -> Batch {
    let slices = vec![Slice { first, rows: encoded.clone() }];
    Batch { lane: "default".into(), range: first..first + u64::from(encoded.len()), slices }
}

/// A batch of events as rows.
fn encoded(count: u32) -> Result<Rows, Failure> {
    let mut bytes = Vec::new();
    for offset in 0..i64::from(count) {
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
    Ok(Rows::new(bytes.into(), count))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn say(line: &str) {
    println!("{line}");
}
