//! Under load the server is killed with -9 at random moments and started again. The checker knows
//! only what clients were told and what the database holds. With an `Idempotency-Key` the database
//! must have each event once, however many answers were lost.
//!
//! Bounded by `TIDEGATE_KILL_EVENTS` (default 40,000), `TIDEGATE_KILLS` (default 10) and drawn from
//! `TIDEGATE_KILL_SEED` (default 1). Its last line is a JSON object with the counts.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod common;

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use common::producers::{Attempt, Producers, Verdict, body, setting};
use common::{Server, database, query};

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    kill_under_load(|producers| producers);
}

#[test]
fn with_keys_a_lost_answer_leaves_nothing_twice() {
    let verdict = kill_under_load(Producers::keyed);
    assert_eq!(verdict.from_lost_answers, 0, "events were stored once more for a lost answer");
}

fn kill_under_load(kind: impl FnOnce(Producers) -> Producers) -> Verdict {
    let events = setting("TIDEGATE_KILL_EVENTS", 40_000);
    let kills = setting("TIDEGATE_KILLS", 10);
    let mut random = fastrand::Rng::with_seed(setting("TIDEGATE_KILL_SEED", 1).unsigned_abs());
    let dir = tempfile::tempdir().unwrap();
    let producers = kind(Producers::new(events));
    let listen = producers.address.to_string();
    let start = || Server::start_with(dir.path(), &["--listen", &listen]);

    let told = producers.run(|producers| {
        let mut server = start();
        producers.server_started();
        for kill in 0..kills {
            // Somewhere in the kill's own share of the run, so that each hits a busy server.
            let share = events / (kills + 1);
            producers.wait_for_acknowledged(kill * share + random.i64(share / 4..share));
            server.kill();
            server = start();
            producers.server_started();
        }
        producers.wait_for_acknowledged(events);
        let (status, log) = server.stop();
        assert!(status.success(), "{log:#?}");
    });
    let verdict = producers.check(&told, stored(dir.path()));
    println!("{}", serde_json::json!({ "events": events, "kills": kills, "verdict": verdict }));
    assert!(verdict.is_clean(), "{verdict:?}");
    verdict
}

fn stored(dir: &Path) -> Vec<Attempt> {
    let database = database(dir);
    let sql = "SELECT attributes ->> 'id', attributes ->> 'try' FROM events";
    let mut rows = database.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A raw request, whose answer nobody reads.
fn send(address: SocketAddr, key: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nIdempotency-Key: {key}\r\nContent-Type: \
         application/x-ndjson\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

#[test]
fn a_request_whose_answer_died_with_the_server_is_answered_from_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (key, body) = ("answer-lost", body(0..100, 1));
    let mut server = Server::start(dir.path());
    let unread = send(server.address(), key, &body);
    let headers = [("idempotency-key", key), ("content-type", "application/x-ndjson")];
    server.wait_for_metrics(|metrics| metrics["ingest"]["accepted"] == 100);
    for _ in 0..3 {
        server.kill();
        server = Server::start(dir.path());
        let answer = server.post_to("/v1/events", &headers, &body);
        assert_eq!((answer.status, answer.json()), (200, serde_json::json!({"accepted": 100})));
    }
    let other = server.post_to("/v1/events", &headers, "{\"msg\":\"another\"}");
    assert_eq!(other.status, 422, "{}", other.body);
    assert!(other.message().contains("choose a new key"), "{}", other.body);
    let long = "k".repeat(256);
    let bad = server.post_to("/v1/events", &[("idempotency-key", &long)], "{\"msg\":\"x\"}");
    assert_eq!(bad.status, 400, "{}", bad.body);
    let ingest = server.get("/api/metrics").json()["ingest"].clone();
    assert_eq!((ingest["repeated"].as_u64(), ingest["accepted"].as_u64()), (Some(1), Some(0)));
    assert!(server.stop().0.success());
    drop(unread);
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 100);
}

/// The wall clock jumps by a day, there and back: a key is remembered for its window of real time.
/// Needs libfaketime, by which a process can be given another clock.
#[test]
fn a_clock_that_is_set_forgets_no_key() {
    let library = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    assert!(library.exists(), "{} is missing: `make needs-tests` installs it", library.display());
    let dir = tempfile::tempdir().unwrap();
    let clock = dir.path().join("clock");
    std::fs::write(&clock, "+0\n").unwrap();
    let mut command = common::tidegate();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path().join("data"));
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let server = Server::run(command);
    let send = |key: &str| {
        let headers = [("idempotency-key", key), ("content-type", "application/x-ndjson")];
        assert_eq!(server.post_to("/v1/events", &headers, "{\"msg\":\"x\"}").status, 200);
    };
    send("before");
    for (at, offset) in ["+86400\n", "-86400\n", "+0\n"].iter().enumerate() {
        std::fs::write(&clock, offset).unwrap();
        // Another key is what makes old ones be forgotten.
        send(&format!("after-{at}"));
        send("before");
    }
    let ingest = server.get("/api/metrics").json()["ingest"].clone();
    assert_eq!((ingest["accepted"].as_u64(), ingest["repeated"].as_u64()), (Some(4), Some(3)));
    let sql = "SELECT count(DISTINCT observed / 80000000000000) FROM events";
    assert!(server.stop().0.success());
    let days: i64 = query(&dir.path().join("data"), sql);
    assert!(days >= 3, "the clock was not set: {days}");
}
