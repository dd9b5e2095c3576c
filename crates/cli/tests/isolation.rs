//! One sink's trouble is its own: several sinks of the real binary, one of them dead.
//!
//! The dead one is an SQLite database that somebody else holds locked. `TIDEGATE_ISOLATION_SECONDS`
//! makes `a_dead_sink_leaves_the_others_their_pace` the long form, with so many seconds of death;
//! it prints its figures as one line of JSON. Nothing here asserts on wall time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "the long form measures")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Server, agent};
use serde_json::{Value, json};

/// Small segments, so that a share is soon full.
const SMALL: &str = "
http: { body_bytes_max: 64 KiB, decompressed_bytes_max: 64 KiB, event_bytes_max: 16 KiB }
journal: { segment_bytes: 64 KiB, max_bytes: 4 MiB, tail_bytes: 64 KiB }
";

struct Site {
    dir: tempfile::TempDir,
    server: Server,
}

impl Site {
    /// A server with a sink `good` and a sink `dead`, which has these settings besides.
    fn start(dead: &str, rest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let text = format!(
            "sinks:\n  good: {{ path: '{}' }}\n  dead: {{ path: '{}', busy_timeout: 50 ms, {dead} }}\n{rest}",
            path("good.db"),
            path("dead.db"),
        );
        let config = dir.path().join("tidegate.yaml");
        std::fs::write(&config, text).unwrap();
        let config = config.display().to_string();
        let server = Server::start_with(
            &dir.path().join("data"),
            &["--listen", "127.0.0.1:0", "-c", &config],
        );
        Self { dir, server }
    }

    fn file(&self, sink: &str) -> PathBuf {
        self.dir.path().join(format!("{sink}.db"))
    }

    fn rows(&self, sink: &str) -> u64 {
        count(&self.file(sink), "SELECT count(*) FROM events")
    }

    /// Kills the sink `dead`: nobody else gets into the database until the lock is dropped.
    fn lock(&self) -> Lock {
        let db = rusqlite::Connection::open(self.file("dead")).unwrap();
        db.busy_timeout(Duration::from_secs(10)).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        Lock(db)
    }

    /// Sends a request of so many events, each with some weight.
    fn send(&self, events: u64) -> common::Answer {
        let line = json!({ "message": "x".repeat(300), "level": "info" }).to_string() + "\n";
        let count = usize::try_from(events).unwrap();
        self.server.post("application/x-ndjson", line.repeat(count))
    }
}

struct Lock(rusqlite::Connection);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}

fn count(file: &Path, sql: &str) -> u64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(file, flags).unwrap();
    let count: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    count.try_into().unwrap()
}

fn lane<'m>(metrics: &'m Value, sink: &str) -> &'m Value {
    let lanes = metrics["lanes"].as_array().unwrap();
    lanes.iter().find(|lane| lane["sink"] == sink).unwrap()
}

fn delivered(metrics: &Value, sink: &str) -> u64 {
    lane(metrics, sink)["delivered"].as_u64().unwrap()
}

#[test]
fn a_healthy_sink_gets_everything_while_another_is_dead_and_that_one_catches_up() {
    let site = Site::start("", "");
    let lock = site.lock();
    for _ in 0..50 {
        assert_eq!(site.send(100).status, 200);
    }
    let metrics = site.server.wait_for_metrics(|metrics| {
        delivered(metrics, "good") == 5000 && lane(metrics, "dead")["state"] == "retrying"
    });
    assert_eq!(delivered(&metrics, "dead"), 0);
    assert_eq!(site.rows("good"), 5000);
    drop(lock);
    site.server.wait_for_metrics(|metrics| delivered(metrics, "dead") == 5000);
    assert_eq!(site.rows("dead"), 5000);
}

#[test]
fn a_sink_that_fills_its_share_is_detached_and_gets_what_comes_later() {
    let site = Site::start("journal_share_max: 256 KiB, on_full: detach", SMALL);
    let lock = site.lock();
    let mut accepted = 0;
    // Three times the whole journal: without letting go it could not all be taken.
    while accepted < 40_000 {
        if site.send(100).status == 200 {
            accepted += 100;
        }
    }
    let metrics = site.server.wait_for_metrics(|metrics| {
        delivered(metrics, "good") == accepted && lane(metrics, "dead")["state"] == "detached"
    });
    assert!(lane(&metrics, "dead")["missed"].as_u64().unwrap() > 0, "{metrics:#}");
    drop(lock);
    site.server.wait_for_metrics(|metrics| lane(metrics, "dead")["state"] == "running");
    assert_eq!(site.send(7).status, 200);
    accepted += 7;
    // Exactly: what it has not got is counted.
    let metrics = site.server.wait_for_metrics(|metrics| {
        let dead = lane(metrics, "dead");
        delivered(metrics, "dead") + dead["missed"].as_u64().unwrap() == accepted
            && delivered(metrics, "good") == accepted
    });
    let missed = lane(&metrics, "dead")["missed"].as_u64().unwrap();
    assert_eq!(site.rows("dead") + missed, accepted);
    assert_eq!(site.rows("good"), accepted);
}

#[test]
fn a_sink_that_fills_its_share_holds_back_producers_if_that_is_its_policy() {
    let site = Site::start("journal_share_max: 256 KiB", SMALL);
    let lock = site.lock();
    let mut accepted = 0;
    // The shares are looked at now and then: before that the whole journal may be full.
    let refused = loop {
        let answer = site.send(100);
        match answer.status {
            200 => accepted += 100,
            503 if answer.json()["error"]["code"] == "journal_full" => {}
            _ => break answer,
        }
    };
    assert_eq!((refused.status, refused.retry_after.as_deref()), (503, Some("1")));
    assert_eq!(refused.json()["error"]["code"], "sink_full");
    assert!(refused.message().contains("sink `dead` has filled its share"), "{}", refused.body);
    drop(lock);
    site.server.wait_for_metrics(|metrics| delivered(metrics, "dead") == accepted);
    while site.send(1).status != 200 {}
    accepted += 1;
    site.server.wait_for_metrics(|metrics| {
        ["good", "dead"].iter().all(|sink| delivered(metrics, sink) == accepted)
    });
    assert_eq!((site.rows("dead"), site.rows("good")), (accepted, accepted));
}

#[test]
fn each_sink_gets_what_is_for_it_in_its_form() {
    let site = Site::start(
        "when: { all: [{ field: severity, at_least: error }] }, \
         transform: [{ drop: attributes.password }, { redact: attributes.user }]",
        "",
    );
    let lines = [
        json!({ "message": "a", "level": "error", "user": "ann", "password": "p", "n": 1 }),
        json!({ "message": "b", "level": "info", "user": "bob" }),
        json!({ "message": "c", "level": "fatal" }),
        json!({ "message": "d" }),
    ];
    let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(site.server.post("application/x-ndjson", body).status, 200);
    let metrics = site.server.wait_for_metrics(|metrics| {
        delivered(metrics, "good") == 4 && lane(metrics, "dead")["backlog"] == 0
    });
    assert_eq!((delivered(&metrics, "dead"), &lane(&metrics, "dead")["filtered"]), (2, &json!(2)));
    let text = site.server.get("/metrics").body;
    let line = "tidegate_events_filtered_total{sink=\"dead\",lane=\"default\"} 2";
    assert!(text.contains(line), "{text}");
    let kept = "SELECT count(*) FROM events WHERE body IN ('a', 'c')";
    assert_eq!((count(&site.file("dead"), kept), site.rows("dead"), site.rows("good")), (2, 2, 4));
    let form = r#"SELECT count(*) FROM events WHERE attributes = '{"n":1,"user":"[redacted]"}'"#;
    assert_eq!(count(&site.file("dead"), form), 1);
    let whole = "SELECT count(*) FROM events WHERE attributes LIKE '%\"password\":\"p\"%'";
    assert_eq!((count(&site.file("good"), whole), count(&site.file("dead"), whole)), (1, 0));
}

/// A steady load of its own threads, until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// About so many events a second, 100 a request.
    fn start(url: &str, per_second: u64) -> Self {
        const THREADS: u64 = 4;
        let (stop, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let every = Duration::from_secs_f64(100.0 * THREADS as f64 / per_second as f64);
        let line = json!({ "message": "x".repeat(200), "level": "info" }).to_string() + "\n";
        let body = line.repeat(100);
        let thread = |_| {
            let (stop, accepted) = (Arc::clone(&stop), Arc::clone(&accepted));
            let (url, body) = (url.to_owned(), body.clone());
            std::thread::spawn(move || {
                let agent = agent();
                let mut due = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let request = agent.post(&url).header("content-type", "application/x-ndjson");
                    if request.send(body.as_bytes()).is_ok_and(|answer| answer.status() == 200) {
                        accepted.fetch_add(100, Ordering::Relaxed);
                    }
                    due += every;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            })
        };
        let threads = (0..THREADS).map(thread).collect();
        Self { stop, accepted, threads }
    }

    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.accepted.load(Ordering::Relaxed)
    }
}

/// What one phase showed of the healthy lane.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    rate: f64,
    /// The median of what was read each second.
    p99_ms: f64,
    memory_mib_max: f64,
}

/// Seconds since `began` until the lane of a sink delivers at least so many events a second.
fn until_rate(site: &Site, sink: &str, per_second: f64, began: Instant) -> f64 {
    let look = || (Instant::now(), delivered(&site.server.get("/api/metrics").json(), sink));
    let (mut at, mut before) = look();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let (now, after) = look();
        let rate = (after - before) as f64 / now.duration_since(at).as_secs_f64();
        if rate >= per_second {
            return now.duration_since(began).as_secs_f64();
        }
        (at, before) = (now, after);
    }
}

/// Looks at the server each second until `done`, at least `least`.
fn watch(site: &Site, least: Duration, done: impl Fn(&Value) -> bool) -> (Seen, Value, f64) {
    let (began, mut latencies, mut memory) = (Instant::now(), Vec::new(), 0.0_f64);
    let first = site.server.get("/api/metrics").json();
    loop {
        std::thread::sleep(Duration::from_millis(500).min(least));
        let metrics = site.server.get("/api/metrics").json();
        let p99 = &lane(&metrics, "good")["delivery_latency_ms"]["p99"];
        latencies.push(p99.as_f64().unwrap_or(0.0));
        memory = memory.max(metrics["resources"]["process_memory_bytes"].as_f64().unwrap());
        let seconds = began.elapsed().as_secs_f64();
        if began.elapsed() >= least && done(&metrics) {
            latencies.sort_by(f64::total_cmp);
            let moved = delivered(&metrics, "good") - delivered(&first, "good");
            let seen = Seen {
                rate: moved as f64 / seconds,
                p99_ms: latencies[latencies.len() / 2],
                memory_mib_max: memory / f64::from(1 << 20),
            };
            return (seen, metrics, seconds);
        }
    }
}

#[test]
fn a_dead_sink_leaves_the_others_their_pace() {
    let long = std::env::var("TIDEGATE_ISOLATION_SECONDS").ok().map(|text| text.parse().unwrap());
    let dead_for = Duration::from_secs_f64(long.unwrap_or(1.5));
    let around = if long.is_some() { Duration::from_secs(30) } else { Duration::from_millis(700) };
    let per_second = if long.is_some() { 20_000 } else { 4_000 };
    let site = Site::start("", "");
    let load = Load::start(&site.server.url("/v1/events"), per_second);
    let always = |_: &Value| true;
    // The first batches find their size.
    watch(&site, around / 3, always);
    let (before, _, _) = watch(&site, around, always);
    let lock = site.lock();
    let (during, metrics, _) = watch(&site, dead_for, always);
    let waiting = lane(&metrics, "dead")["backlog"].as_u64().unwrap();
    let at_return = delivered(&metrics, "dead");
    drop(lock);
    let returned = Instant::now();
    site.server.wait_for_metrics(|metrics| delivered(metrics, "dead") > at_return);
    let to_first = returned.elapsed();
    let to_full = until_rate(&site, "dead", before.rate, returned);
    let quick = Duration::from_millis(1);
    let caught_up = |metrics: &Value| lane(metrics, "dead")["backlog"].as_u64().unwrap() < 5_000;
    let (draining, metrics, _) = watch(&site, quick, caught_up);
    let seconds = returned.elapsed().as_secs_f64();
    let drained = delivered(&metrics, "dead") - at_return;
    let (after, _, _) = watch(&site, around, always);
    let accepted = load.end();
    site.server.wait_for_metrics(|metrics| {
        ["good", "dead"].iter().all(|sink| delivered(metrics, sink) == accepted)
    });
    assert_eq!((site.rows("good"), site.rows("dead")), (accepted, accepted));
    println!(
        "{}",
        json!({
            "seconds_dead": dead_for.as_secs_f64(),
            "rate_before": before.rate,
            "rate_during_ratio": during.rate / before.rate,
            "rate_draining_ratio": draining.rate / before.rate,
            "rate_after_ratio": after.rate / before.rate,
            "p99_ms_before": before.p99_ms,
            "p99_during_ratio": during.p99_ms / before.p99_ms,
            "p99_draining_ratio": draining.p99_ms / before.p99_ms,
            "p99_after_ratio": after.p99_ms / before.p99_ms,
            "memory_mib_before": before.memory_mib_max,
            "memory_mib_during": during.memory_mib_max,
            "memory_mib_draining": draining.memory_mib_max,
            "backlog_at_return": waiting,
            "seconds_to_first_delivery": to_first.as_secs_f64(),
            "seconds_to_full_rate": to_full,
            "drain_seconds": seconds,
            "drain_per_second": drained as f64 / seconds,
        })
    );
}
