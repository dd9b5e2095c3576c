//! A sink that takes 20,000 events a second is offered ten times as many: it gets its 20,000, and
//! whoever cannot be served hears so at once.
//!
//! `TIDEGATE_OVERLOAD_SECONDS` is how long (default 2: nothing but correctness is asserted in any
//! case), `TIDEGATE_OVERLOAD_RATE` how much is offered (default 40,000 a second; the long form is
//! 200,000 for 60 s). Its last line is a JSON object with the figures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures")]

mod common;

use std::time::{Duration, Instant};

use common::Server;
use common::paced::{EVENTS_A_REQUEST, Paced, capped_api, quantile};
use common::producers::setting;
use serde_json::json;

const CAP: u64 = 20_000;
const CLIENTS: u32 = 16;

#[test]
fn a_capped_sink_gets_its_cap_and_the_rest_is_told() {
    let seconds = setting("TIDEGATE_OVERLOAD_SECONDS", 2).unsigned_abs();
    let offered = setting("TIDEGATE_OVERLOAD_RATE", 40_000).unsigned_abs();
    let (_runtime, backend) = capped_api(CAP);
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
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let clients = Paced::start(server.address(), CLIENTS, offered as f64, false, until);
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
    let delivered = backend.ledger().item_count - delivered_warm;
    let goodput = delivered as f64 / counted.elapsed().as_secs_f64();
    let plan = server.get("/api/metrics").json()["lanes"][0]["plan"].clone();
    let all = clients.finish().sorted();
    let took = began.elapsed().as_secs_f64();
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
            "memory_mib_max": memory >> 20, "plan": plan,
        })
    );
    assert!(all.others.is_empty(), "{:?}", all.others);
    assert!(memory < 256 << 20, "{memory} bytes, and the bounds add up to 80 MiB");
    // All that was accepted arrives, and since no answer was lost, once.
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert_eq!(backend.ledger().item_count, accepted);
    assert!(server.stop().0.success());
}
