//! Does anything grow that should not? A server at 70 % of what its slower sink takes, for as long
//! as one likes, looked at from outside: memory, open files, latency.
//!
//! The capacity is a given: an API that takes 20,000 events a second. SQLite gets the one event in
//! ten that is an error. Half of the producers send an `Idempotency-Key` with each request; the
//! bound of remembered keys is reached within the first minutes, as are all others.
//!
//! `TIDEGATE_SOAK_SECONDS` is how long (default 3, which only shows that it runs),
//! `TIDEGATE_SOAK_PLOT` where the plot goes. Its last line is a JSON object with the figures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking, and says what it saw"
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

#[path = "../common/mod.rs"]
mod common;
mod plot;

use std::path::Path;
use std::time::{Duration, Instant};

use common::Server;
use common::paced::{EVENTS_A_REQUEST, Paced, capped_api, quantile};
use common::producers::setting;
use plot::{Panel, Series};
use serde_json::{Value, json};

/// Events a second that the API takes.
const CAPACITY: u64 = 20_000;
const LOAD: f64 = 0.7;
const PRODUCERS: u32 = 8;
/// From this length on the figures are held against the bounds of what counts as flat.
const LONG: Duration = Duration::from_secs(300);

/// One look from outside.
#[derive(Debug, Clone, Copy)]
struct Look {
    second: f64,
    memory_mib: f64,
    files: f64,
    threads: f64,
    ack_p50_ms: f64,
    ack_p99_ms: f64,
    delivery_p50_ms: f64,
    backlog: f64,
}

fn look(server: &Server, clients: &Paced, began: Instant) -> (Look, usize) {
    let heard = clients.take().sorted();
    assert!(heard.others.is_empty(), "{:?}", heard.others);
    let refused = heard.refused.len();
    let metrics = server.get("/api/metrics").json();
    let process = format!("/proc/{}", server.id());
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let field = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    };
    let sum = |of: &dyn Fn(&Value) -> f64| -> f64 {
        metrics["lanes"].as_array().unwrap().iter().map(of).sum()
    };
    let api = metrics["lanes"].as_array().unwrap().iter().find(|lane| lane["sink"] == "api");
    let seen = Look {
        second: began.elapsed().as_secs_f64(),
        memory_mib: field("VmRSS") / 1024.0,
        files: std::fs::read_dir(format!("{process}/fd")).unwrap().count() as f64,
        threads: field("Threads"),
        ack_p50_ms: quantile(&heard.accepted, 0.5).unwrap_or(f64::NAN),
        ack_p99_ms: quantile(&heard.accepted, 0.99).unwrap_or(f64::NAN),
        delivery_p50_ms: api.unwrap()["delivery_latency_ms"]["p50"].as_f64().unwrap_or(f64::NAN),
        backlog: sum(&|lane| lane["backlog"].as_f64().unwrap()),
    };
    (seen, refused)
}

/// How something was in the second quarter and in the last one: by then what fills up is full, so
/// that what still grows, grows for ever.
fn quarters(looks: &[Look], of: fn(&Look) -> f64) -> (f64, f64) {
    let median = |part: &[Look]| {
        let mut values: Vec<f64> = part.iter().map(of).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        quantile(&values, 0.5).unwrap_or(f64::NAN)
    };
    let quarter = looks.len() / 4;
    (median(&looks[quarter..2 * quarter]), median(&looks[3 * quarter..]))
}

fn draw(looks: &[Look], file: &Path) {
    let points = |of: fn(&Look) -> f64| looks.iter().map(|look| (look.second, of(look))).collect();
    let series = |name, of| Series { name, points: points(of) };
    let panels = [
        Panel { title: "memory, MiB", series: vec![series("resident", |look| look.memory_mib)] },
        Panel { title: "open files", series: vec![series("descriptors", |look| look.files)] },
        Panel {
            title: "acknowledged after, ms",
            series: vec![
                series("p99", |look| look.ack_p99_ms),
                series("p50", |look| look.ack_p50_ms),
            ],
        },
        Panel {
            title: "delivered after, ms",
            series: vec![series("p50", |look| look.delivery_p50_ms)],
        },
    ];
    let seconds = looks.last().map_or(0.0, |look| look.second);
    let title = format!(
        "{:.0} minutes at {:.0} events a second, {:.0} % of what the API takes",
        seconds / 60.0,
        LOAD * CAPACITY as f64,
        LOAD * 100.0
    );
    std::fs::write(file, plot::svg(&title, seconds, &panels)).unwrap();
}

fn settings(api: &str) -> String {
    format!(
        "http:
  body_bytes_max: 64 KiB
  decompressed_bytes_max: 256 KiB
  event_bytes_max: 16 KiB
  idempotency: {{ max_keys: 10000 }}
journal: {{ segment_bytes: 4 MiB, max_bytes: 64 MiB, tail_bytes: 8 MiB }}
sinks:
  api: {{ type: http, url: '{api}' }}
  lite: {{ type: sqlite, when: {{ all: [{{ field: severity, at_least: error }}] }} }}
"
    )
}

#[test]
fn at_seventy_percent_nothing_grows() {
    let length = Duration::from_secs(setting("TIDEGATE_SOAK_SECONDS", 3).unsigned_abs());
    let (_runtime, backend) = capped_api(CAPACITY);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, settings(&backend.url("/events"))).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()];
    let server = Server::start_with(&dir.path().join("data"), &args);
    let began = Instant::now();
    let until = began + length;
    let rate = LOAD * CAPACITY as f64;
    let clients = Paced::start(server.address(), PRODUCERS, rate, true, until);
    let every = (length / 20).clamp(Duration::from_millis(200), Duration::from_secs(10));
    let (mut looks, mut refused, mut due) = (Vec::new(), 0, began + every);
    while due < until {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due += every;
        let (seen, no) = look(&server, &clients, began);
        looks.push(seen);
        refused += no;
    }
    let rest = clients.finish();
    assert!(rest.others.is_empty(), "{:?}", rest.others);
    refused += rest.refused.len();
    let metrics = server.wait_for_metrics(|metrics| {
        metrics["lanes"].as_array().unwrap().iter().all(|lane| lane["backlog"] == 0)
    });
    if let Ok(file) = std::env::var("TIDEGATE_SOAK_PLOT") {
        draw(&looks, Path::new(&file));
    }
    let accepted = metrics["ingest"]["accepted"].as_u64().unwrap();
    let pair = |of| {
        let (before, after) = quarters(&looks, of);
        json!({ "second_quarter": before, "last_quarter": after })
    };
    println!(
        "{}",
        json!({
            "seconds": began.elapsed().as_secs(), "accepted": accepted,
            "accepted_per_second": (accepted as f64 / length.as_secs_f64()).round(),
            "refused_requests": refused, "delivered_to_api": backend.ledger().item_count,
            "memory_mib": pair(|look| look.memory_mib), "files": pair(|look| look.files),
            "threads": pair(|look| look.threads), "ack_p50_ms": pair(|look| look.ack_p50_ms),
            "ack_p99_ms": pair(|look| look.ack_p99_ms),
            "delivery_p50_ms": pair(|look| look.delivery_p50_ms),
            "backlog": pair(|look| look.backlog),
        })
    );
    assert_eq!(accepted % u64::from(EVENTS_A_REQUEST), 0);
    assert_eq!(backend.ledger().item_count, accepted, "once each, since no answer was lost");
    if length >= LONG {
        let (before, after) = quarters(&looks, |look| look.memory_mib);
        assert!(after < before * 1.05 + 4.0, "memory grew from {before} to {after} MiB");
        let (before, after) = quarters(&looks, |look| look.files);
        assert!(after < before + 2.0, "open files grew from {before} to {after}");
    }
    assert!(server.stop().0.success());
}
