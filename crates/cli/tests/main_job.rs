//! The main job through the real binary: events over HTTP end in the database, exactly once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;

use common::{Server, database, database_path, query, tidegate};
use serde_json::{Value, json};

const NDJSON: &str = "application/x-ndjson";

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("{{\"msg\":\"event {n}\",\"n\":{n}}}\n")).collect()
}

#[test]
fn an_event_is_found_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let event = json!({
        "ts": "2026-11-21T01:02:03.5Z", "level": "WARN", "service": "checkout",
        "msg": "card declined", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331", "user": {"id": 7}, "class": "payments",
    });
    let answer = server.post("application/json", event.to_string());
    assert_eq!((answer.status, answer.json()), (200, json!({"accepted": 1})));
    assert!(server.stop().0.success());

    let sql = "SELECT json_object('time', time, 'number', severity_number, 'text', severity_text,
        'service', service, 'body', body, 'class', class, 'trace', trace_id, 'span', span_id,
        'user', attributes -> '$.user.id', 'position', position) FROM tidegate_events";
    let row: Value = serde_json::from_str(&query::<String>(dir.path(), sql)).unwrap();
    let expected = json!({
        "time": row["time"], "number": 13, "text": "WARN", "service": "checkout",
        "body": "card declined", "class": "payments", "trace": "0af7651916cd43dd8448eb211c80319c",
        "span": "b7ad6b7169203331", "user": 7, "position": 0,
    });
    assert_eq!(row, expected);
    assert!(row["time"].as_str().unwrap().starts_with("2026-11-21T01:02:03.5"), "{row}");
}

#[test]
fn every_way_to_send_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(lines(0..10).as_bytes()).unwrap();
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let ways: [(Headers<'_>, Vec<u8>, i64); 6] = [
        (&[("content-type", NDJSON)], b"{\"a\":1}\r\n\n{\"a\":2}".to_vec(), 2),
        (&[("content-type", "application/json")], b"[{\"a\":1},{\"a\":2},{\"a\":3}]".to_vec(), 3),
        (&[("content-type", "application/json")], b"{\"a\":1}".to_vec(), 1),
        (&[("content-type", "text/plain")], b"one\ntwo\n".to_vec(), 2),
        (&[("content-type", NDJSON), ("content-encoding", "gzip")], zip.finish().unwrap(), 10),
        (&[], b" [{\"a\":1}]".to_vec(), 1),
    ];
    let mut expected = 0;
    for (headers, body, accepted) in ways {
        let answer = server.post_to("/v1/events", headers, body);
        assert_eq!(
            (answer.status, answer.json()["accepted"].as_u64()),
            (200, Some(accepted.unsigned_abs()))
        );
        expected += accepted;
    }
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), expected);
}

#[test]
fn the_figures_tell_what_happened_and_a_stop_delivers_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(server.get("/health").status, 200);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["state"] == "running");
    assert_eq!(server.get("/ready").json()["status"], "ready");
    for request in 0..20 {
        assert_eq!(server.post(NDJSON, lines(request * 500..(request + 1) * 500)).status, 200);
    }
    // What is delivered is counted a moment before its cursor has moved.
    let metrics = server.wait_for_metrics(|metrics| {
        let lane = &metrics["lanes"][0];
        lane["delivered"] == 10_000 && lane["backlog"] == 0
    });
    let lane = &metrics["lanes"][0];
    assert_eq!(
        (&lane["sink"], &lane["lane"], &lane["state"]),
        (&json!("sqlite"), &json!("default"), &json!("running"))
    );
    assert_eq!(metrics["ingest"]["accepted"], 10_000);
    let flushes = lane["flushes"].as_object().unwrap().values().map(|n| n.as_u64().unwrap());
    assert_eq!(flushes.sum::<u64>(), lane["attempts"].as_u64().unwrap());
    assert!(lane["delivery_latency_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(server.get("/api/health").json()["status"], "ok");

    let scrape = server.get("/metrics").body;
    for line in [
        "tidegate_events_accepted_total 10000",
        "tidegate_events_delivered_total{sink=\"sqlite\",lane=\"default\"} 10000",
        "tidegate_attempt_latency_seconds_count{sink=\"sqlite\",lane=\"default\"}",
        "# EOF",
    ] {
        assert!(scrape.contains(line), "{line} is not in\n{scrape}");
    }

    // Not yet delivered, perhaps, when the signal comes.
    assert_eq!(server.post(NDJSON, lines(10_000..11_000)).status, 200);
    let (status, log) = server.stop();
    assert!(status.success(), "{log:#?}");
    assert_eq!(
        query::<i64>(dir.path(), "SELECT count(DISTINCT attributes ->> 'n') FROM events"),
        11_000
    );
}

#[test]
fn a_declared_class_has_a_lane_of_its_own_and_others_share_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, "classes: { read: { batch_size: { max: 50, initial: 50 } } }\n")
        .unwrap();
    let args = ["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Server::start_with(dir.path(), &args);
    for request in 0..10 {
        let of_class = |class: &str| {
            let line = |n| format!("{{\"class\":\"{class}\",\"n\":{n}}}\n");
            (request * 100..(request + 1) * 100).map(line).collect::<String>()
        };
        let body = of_class("read") + &of_class("odd") + &of_class("");
        assert_eq!(server.post(NDJSON, body).status, 200);
    }
    let done = |metrics: &Value| {
        let delivered = |at: usize| metrics["lanes"][at]["delivered"].as_u64().unwrap();
        delivered(0) + delivered(1) == 3_000
    };
    let metrics = server.wait_for_metrics(done);
    let lane = |at: usize| {
        (metrics["lanes"][at]["lane"].clone(), metrics["lanes"][at]["delivered"].clone())
    };
    assert_eq!(lane(0), (json!("default"), json!(2_000)));
    assert_eq!(lane(1), (json!("read"), json!(1_000)));
    assert_eq!(metrics["lanes"][1]["plan"]["batch_size"], 50);
    assert!(server.stop().0.success());
    let sql = "SELECT count(*) FROM (SELECT DISTINCT class, attributes ->> 'n' FROM events)";
    assert_eq!(query::<i64>(dir.path(), sql), 3_000);
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 3_000);
}

#[test]
fn batches_grow_while_the_database_keeps_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    // A writer of its own holds the lock, so that a backlog gathers behind it.
    let neighbour = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    for request in 0..100 {
        assert_eq!(server.post(NDJSON, lines(request * 1000..(request + 1) * 1000)).status, 200);
    }
    neighbour.execute_batch("ROLLBACK").unwrap();
    let metrics = server.wait_for_metrics(|metrics| metrics["lanes"][0]["delivered"] == 100_000);
    let lane = &metrics["lanes"][0];
    assert!(lane["decisions_total"].as_u64().unwrap() > 0, "{lane:#}");
    let decision = &lane["decisions"][0];
    assert_eq!(decision["by"], "joint");
    assert!(decision["reason"].as_str().unwrap().contains("full batch"), "{decision}");
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 100_000);
}

#[test]
fn what_a_stopped_server_had_accepted_is_delivered_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(
        &config,
        "drain_timeout: 1 s\nsinks:\n  sqlite:\n    type: sqlite\n    busy_timeout: 100 ms\n",
    )
    .unwrap();
    let args = ["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Server::start_with(dir.path(), &args);
    let neighbour = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    for request in 0..5 {
        assert_eq!(server.post(NDJSON, lines(request * 100..(request + 1) * 100)).status, 200);
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("stay in the journal")), "{log:#?}");
    neighbour.execute_batch("ROLLBACK").unwrap();

    let server = Server::start_with(dir.path(), &args);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    assert_eq!(
        query::<i64>(dir.path(), "SELECT count(DISTINCT attributes ->> 'n') FROM events"),
        500
    );
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 500);
    drop(database(dir.path()));
}

#[test]
fn a_log_that_nobody_wrote_for_us_is_found_field_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let history = std::process::Command::new("git")
        .args(["log", "-200", "--date=iso-strict", "--format=%ad author=%an commit=%H %s"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("git, and a clone of the repository: its history is the log");
    assert!(history.status.success(), "{history:?}");
    let history = String::from_utf8(history.stdout).unwrap();
    let log = dir.path().join("history.log");
    std::fs::write(&log, &history).unwrap();

    let server = Server::start(&dir.path().join("data"));
    let loaded = tidegate()
        .args(["load", "--format", "json", "--url", &server.url("/v1/events"), "--from"])
        .arg(&log)
        .output()
        .unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    let summary: Value = serde_json::from_slice(&loaded.stdout).unwrap();
    assert_eq!(summary["events_acknowledged"], history.lines().count());
    assert!(summary["latency_ms"]["p99"].as_f64().unwrap() > 0.0);
    assert!(server.stop().0.success());

    let database = database(&dir.path().join("data"));
    let sql = "SELECT body, strftime('%s', time), service, attributes ->> 'commit',
                      attributes ->> 'log.line' FROM tidegate_events ORDER BY attributes ->> 'log.line'";
    let mut rows = database.prepare(sql).unwrap();
    let mut rows = rows.query([]).unwrap();
    for (number, line) in (1..).zip(history.lines()) {
        let row = rows.next().unwrap().unwrap();
        let text = |at: usize| row.get::<_, String>(at).unwrap();
        assert_eq!(text(0), line);
        let date = line.split(' ').next().unwrap();
        let sql = "SELECT strftime('%s', ?1)";
        let seconds: String = database.query_row(sql, [date], |row| row.get(0)).unwrap();
        assert_eq!(text(1), seconds, "{line}");
        assert_eq!(text(2), "history");
        let commit = line.split("commit=").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!((text(3).as_str(), row.get::<_, i64>(4).unwrap()), (commit, number));
    }
    assert!(rows.next().unwrap().is_none());
}
