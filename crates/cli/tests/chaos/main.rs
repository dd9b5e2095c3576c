//! Everything breaks at random, under load: what do clients and sinks say of it afterwards?
//!
//! One `tidegate` delivers to SQLite, PostgreSQL and an HTTP API at once while it is killed, and
//! while its backends, its disk and its clock misbehave, as a schedule drawn from a seed says.
//! Clients send each request with an `Idempotency-Key` until it is acknowledged. Then a program of
//! its own (`tidegate-checker`) compares what clients were told with what the sinks hold.
//!
//! `TIDEGATE_CHAOS_KILLS` (default 3) is how often the server is killed, `TIDEGATE_CHAOS_SEED`
//! (default 1) draws the schedule. The last line is one JSON object. Two faults need what not
//! every machine has, and the report says when they were left out: a file system of a few
//! mebibytes that can be filled (a tmpfs, which only root may mount), and a clock that can be
//! stepped (libfaketime).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking, and says what it saw"
)]
#![allow(clippy::disallowed_methods, reason = "chaos happens in real time")]

mod api;
mod clients;
mod disk;
mod faults;
mod measures;
mod schedule;
mod supervisor;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use faults::Site;
use serde_json::{Value, json};

/// How long the end may take: all that waits is delivered once nothing breaks any more.
const SETTLE: Duration = Duration::from_secs(180);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What the checker found.
fn check(site: &Site, told: &Path) -> Value {
    let mut checker = Command::new(env!("CARGO_BIN_EXE_tidegate-checker"));
    checker.arg("--told").arg(told);
    checker.arg("--sqlite").arg(site.sqlite_path());
    checker.arg("--postgres").arg(site.dump_postgres());
    checker.arg("--http").arg(site.dump_api());
    checker.arg("--dead-letters").arg(site.dead_letters_path());
    let output = checker.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

/// Invariant: whatever breaks, each acknowledged event is once in each sink, or a dead letter of it.
#[test]
fn whatever_breaks_nothing_is_lost_and_nothing_comes_twice() {
    let (kills, seed) = (setting("TIDEGATE_CHAOS_KILLS", 3), setting("TIDEGATE_CHAOS_SEED", 1));
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let mut site = Site::start(dir.path(), seed);
    let steps = schedule::draw(kills, seed, site.can());
    let clients = clients::Clients::start(site.address(), &told, seed);
    let measures = measures::Watch::start(site.address());
    site.supervisor.wait_until_up(1);
    let began = Instant::now();
    for step in &steps {
        let due = began + step.at;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        site.act(&step.action);
    }
    site.mend();
    let seconds = began.elapsed().as_secs_f64();
    let answers = clients.finish();
    let settled = site.wait_for_delivery(SETTLE);
    let seen = measures.finish();
    let lives = site.supervisor.stop();
    let mut verdict = check(&site, &told);
    let figures = measures::figures(&lives, &site.log, &site.postgres_back(), &answers, &seen);
    let report = verdict.as_object_mut().unwrap();
    report.insert("seed".into(), json!(seed));
    report.insert("kills".into(), json!(kills));
    report.insert("seconds".into(), json!(seconds.round()));
    report.insert("faults".into(), json!(site.log.counts()));
    report.insert("left_out".into(), json!(site.can().left_out()));
    report.insert("settled".into(), json!(settled));
    report.extend(figures.as_object().unwrap().clone());
    println!("{verdict}");
    assert!(settled, "events wait that nobody delivers: {verdict}");
    for wrong in ["lost", "twice", "unknown", "given_up_for_no_reason", "poison_taken"] {
        assert_eq!(verdict[wrong], 0, "{wrong}: {verdict}");
    }
    assert!(verdict["acknowledged"].as_u64() > Some(0), "{verdict}");
}
