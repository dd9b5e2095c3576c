//! A sink that takes 20,000 events a second is offered ten times as many: it gets its 20,000, and
//! whoever cannot be served hears so at once.
//!
//! `TIDEGATE_OVERLOAD_SECONDS` is how long (default 2: nothing but correctness is asserted in any
//! case), `TIDEGATE_OVERLOAD_RATE` how much is offered (default 40,000 a second; the long form is
//! 200,000 for 60 s). Its last line is a JSON object with the figures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures")]

mod common;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::Server;
use common::producers::setting;
use serde_json::json;
use tidegate_testbed::http::{Behaviour, HttpBackend, Service};

const CAP: u64 = 20_000;
const CLIENTS: u32 = 16;
const EVENTS_A_REQUEST: u32 = 100;

/// What one client saw: milliseconds from sending to the answer.
#[derive(Debug, Default)]
struct Seen {
    accepted: Vec<f64>,
    refused: Vec<f64>,
    others: Vec<String>,
}

/// One keep-alive connection, its requests due at a steady pace whatever the answers are.
fn client(address: SocketAddr, every: Duration, until: Instant) -> Seen {
    let mut body = String::new();
    for n in 0..EVENTS_A_REQUEST {
        writeln!(body, "{{\"msg\":\"the tide is high at pier {n}\",\"level\":\"info\",\"n\":{n}}}")
            .unwrap();
    }
    let length = body.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let (mut seen, mut due) = (Seen::default(), Instant::now());
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let (status, waits) = answer(&mut answers);
        let took = sent.elapsed().as_secs_f64() * 1000.0;
        match (status.as_str(), waits) {
            ("200", _) => seen.accepted.push(took),
            ("503", true) => seen.refused.push(took),
            _ => seen.others.push(status),
        }
        due += every;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    seen
}

/// The status of the next answer, and whether it says when to come back.
fn answer(stream: &mut BufReader<TcpStream>) -> (String, bool) {
    let (mut status, mut length, mut waits) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.get(..3).unwrap().to_owned();
        }
        if let Some(rest) = line.strip_prefix("content-length: ") {
            length = rest.parse().unwrap();
        }
        waits |= line.starts_with("retry-after: ");
        if line.is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).unwrap();
    (status, waits)
}

fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 - 1.0) * share).round() as usize).copied()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one run, its figures one after the other")]
fn a_capped_sink_gets_its_cap_and_the_rest_is_told() {
    let seconds = setting("TIDEGATE_OVERLOAD_SECONDS", 2).unsigned_abs();
    let offered = setting("TIDEGATE_OVERLOAD_RATE", 40_000).unsigned_abs();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let backend = {
        let _inside = runtime.enter();
        let per_item = Duration::from_nanos(1_000_000_000 / CAP);
        let service = Service { workers: 1, base: Duration::ZERO, per_item };
        HttpBackend::start(Behaviour {
            only_counts: true,
            service: Some(service),
            ..Behaviour::default()
        })
        .unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    let text = format!(
        "http: {{ body_bytes_max: 64 KiB, decompressed_bytes_max: 256 KiB, event_bytes_max: 16 KiB, in_flight_bytes_max: 32 MiB }}
journal: {{ segment_bytes: 1 MiB, max_bytes: 32 MiB, tail_bytes: 8 MiB }}
sinks:
  capped: {{ type: http, url: '{}' }}
",
        backend.url("/events")
    );
    std::fs::write(&config, text).unwrap();
    let args = ["--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()];
    let server = Server::start_with(&dir.path().join("data"), &args);
    let every = Duration::from_secs_f64(f64::from(CLIENTS * EVENTS_A_REQUEST) / offered as f64);
    let (address, began) = (server.address(), Instant::now());
    let until = began + Duration::from_secs(seconds);
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| std::thread::spawn(move || client(address, every, until))).collect();
    // The journal fills first; from then on it is the sink's pace that decides.
    let warm = Duration::from_secs(seconds) / 4;
    std::thread::sleep(warm);
    let delivered_warm = backend.ledger().item_count;
    let counted = Instant::now();
    let mut memory: u64 = 0;
    while Instant::now() < until {
        let metrics = server.get("/api/metrics").json();
        memory = memory.max(metrics["resources"]["process_memory_bytes"].as_u64().unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
    let goodput =
        (backend.ledger().item_count - delivered_warm) as f64 / counted.elapsed().as_secs_f64();
    let mut all = Seen::default();
    for client in clients {
        let seen = client.join().unwrap();
        all.accepted.extend(seen.accepted);
        all.refused.extend(seen.refused);
        all.others.extend(seen.others);
    }
    let took = began.elapsed().as_secs_f64();
    all.accepted.sort_by(f64::total_cmp);
    all.refused.sort_by(f64::total_cmp);
    let accepted = all.accepted.len() as u64 * u64::from(EVENTS_A_REQUEST);
    let requests = all.accepted.len() + all.refused.len();
    println!(
        "{}",
        json!({
            "seconds": took, "cap_per_second": CAP,
            "offered_per_second": (requests as f64 * f64::from(EVENTS_A_REQUEST) / took).round(),
            "goodput_per_second": goodput.round(), "goodput_of_cap": goodput / CAP as f64,
            "accepted_requests": all.accepted.len(), "refused_requests": all.refused.len(),
            "accepted_ms": { "p50": quantile(&all.accepted, 0.5), "p99": quantile(&all.accepted, 0.99) },
            "refused_ms": { "p50": quantile(&all.refused, 0.5), "p99": quantile(&all.refused, 0.99) },
            "memory_mib_max": memory >> 20,
        })
    );
    assert!(all.others.is_empty(), "{:?}", all.others);
    assert!(memory < 256 << 20, "{memory} bytes, and the bounds add up to 80 MiB");
    // All that was accepted arrives, and since no answer was lost, once.
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert_eq!(backend.ledger().item_count, accepted);
    assert!(server.stop().0.success());
}
