//! Items that a real database refuses: they die alone, and arrive once they are mended, without a
//! restart and across kills.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use common::{Server, agent, database_path, query, tidegate};
use serde_json::Value;

const NDJSON: &str = "application/x-ndjson";
const POISON: [u64; 7] = [0, 1, 1999, 2500, 7321, 7322, 9999];

/// From now on the database refuses every event whose body begins with `poison`.
fn refuse_poison(dir: &Path) {
    let database = rusqlite::Connection::open(database_path(dir)).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.body LIKE 'poison%'
             BEGIN SELECT raise(ABORT, 'poison is not taken'); END",
        )
        .unwrap();
}

fn body(ids: std::ops::Range<u64>) -> String {
    let mut body = String::new();
    for id in ids {
        let text = if POISON.contains(&id) { "poison" } else { "good" };
        writeln!(body, r#"{{"msg":"{text} {id}","id":{id}}}"#).unwrap();
    }
    body
}

/// `tidegate dlq` on this server.
fn dlq(server: &Server, args: &[&str]) -> Output {
    tidegate().args(["dlq", "--server", &server.url("")]).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn settings(dir: &Path) -> String {
    let file = dir.join("tidegate.yaml");
    let text = "http: { listen: '127.0.0.1:0' }\nsinks: { sqlite: { type: sqlite, \
                batch_size: { initial: 1000 }, controller: fixed } }\n";
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn delivered_all(metrics: &Value) -> bool {
    metrics["lanes"][0]["backlog"] == 0
}

fn letters(server: &Server) -> Value {
    server.get("/api/dead-letters?limit=1000").json()
}

#[test]
fn seven_of_ten_thousand_die_alone_and_arrive_once_mended() {
    let dir = tempfile::tempdir().unwrap();
    let config = settings(dir.path());
    let server = Server::start_with(dir.path(), &["--config", &config]);
    refuse_poison(dir.path());
    for from in (0..10_000).step_by(1000) {
        assert_eq!(server.post(NDJSON, body(from..from + 1000)).status, 200);
    }
    let metrics = server.wait_for_metrics(delivered_all);
    assert_eq!(metrics["dead_letters"]["items"], 7, "{metrics:#}");
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 9993);
    // Batches of a thousand or less, five of which hold poison: 1 + 2·k·⌈log₂ n⌉ each.
    let attempts = metrics["lanes"][0]["attempts"].as_u64().unwrap();
    let fresh = attempts - metrics["lanes"][0]["retries"].as_u64().unwrap();
    assert!(attempts <= fresh + 2 * 7 * 10, "{attempts} attempts, {fresh} of them fresh");
    assert_eq!(metrics["sinks"][0]["breaker"]["state"], "closed");
    let scrape = server.get("/metrics").body;
    assert!(
        scrape.contains("tidegate_dead_letters{sink=\"sqlite\",kind=\"refused\"} 7"),
        "{scrape}"
    );

    let listed = dlq(&server, &["list"]);
    assert!(text(&listed).contains("7 dead letters"), "{}", text(&listed));
    assert!(text(&listed).contains("poison is not taken"), "{}", text(&listed));
    // Unchanged they are refused again.
    let again = dlq(&server, &["retry", "--sink", "sqlite"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains("0 delivered, 7 refused again"), "{}", text(&again));

    for letter in letters(&server)["letters"].as_array().unwrap() {
        let id = letter["id"].to_string();
        let shown = dlq(&server, &["show", &id, "--event"]);
        let mended = text(&shown).replace("poison", "mended");
        let file = dir.path().join("mended.json");
        std::fs::write(&file, mended).unwrap();
        let mend = dlq(&server, &["mend", &id, &file.display().to_string()]);
        assert!(mend.status.success(), "{}", text(&mend));
    }
    let retried = dlq(&server, &["retry"]);
    assert!(text(&retried).contains("7 delivered, 0 refused"), "{}", text(&retried));
    assert!(retried.status.success());
    assert_eq!(letters(&server)["total"], 0);
    let sql = "SELECT count(DISTINCT attributes ->> 'id') FROM events";
    assert_eq!(query::<i64>(dir.path(), sql), 10_000);
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 10_000);
    let mended = "SELECT count(*) FROM events WHERE body LIKE 'mended %'";
    assert_eq!(query::<i64>(dir.path(), mended), 7);
    assert!(server.stop().0.success());
}

#[test]
fn what_cannot_be_done_with_letters_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let config = settings(dir.path());
    let server = Server::start_with(dir.path(), &["--config", &config]);
    refuse_poison(dir.path());
    assert_eq!(server.post(NDJSON, body(0..10)).status, 200);
    let metrics = server.wait_for_metrics(delivered_all);
    assert_eq!(metrics["dead_letters"]["by_sink"]["sqlite"]["refused"], 2);

    let export = dlq(&server, &["export"]);
    let exported = String::from_utf8(export.stdout).unwrap();
    let lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["event"]["body"]), (2, &"poison 0".into()));

    let id = lines[0]["id"].as_i64().unwrap();
    let put = |id: i64, body: &str| {
        let answer =
            agent().put(server.url(&format!("/api/dead-letters/{id}"))).send(body).unwrap();
        answer.status().as_u16()
    };
    assert_eq!(put(id, "{"), 400);
    assert_eq!(put(id, "[{\"a\":1},{\"a\":2}]"), 400);
    assert_eq!(put(id + 100, "{\"a\":1}"), 404);
    assert_eq!(put(id, "{\"msg\":\"mended\"}"), 200);
    assert_eq!(server.get("/api/dead-letters/77").status, 404);
    assert_eq!(server.get("/api/dead-letters?sinks=x").status, 400);

    let unconfirmed = dlq(&server, &["purge", "--reason", "poison"]);
    assert_eq!(unconfirmed.status.code(), Some(1));
    assert!(text(&unconfirmed).contains("(2 letters match)"), "{}", text(&unconfirmed));
    assert_eq!(letters(&server)["total"], 2);
    let purged = dlq(&server, &["purge", "--position", "1", "--confirm"]);
    assert_eq!(text(&purged), "1 removed\n");
    assert_eq!(letters(&server)["total"], 1);
    let gone = dlq(&server, &["show", "77"]);
    assert!(text(&gone).contains("there is no dead letter 77"), "{}", text(&gone));
    assert!(server.stop().0.success());
    let alone =
        tidegate().args(["dlq", "--server", "http://127.0.0.1:9", "list"]).output().unwrap();
    assert!(text(&alone).contains("is the server running there?"), "{}", text(&alone));
}

#[test]
fn a_limit_out_of_bounds_is_refused_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let config = settings(dir.path());
    let server = Server::start_with(dir.path(), &["--config", &config]);
    for (path, max) in [("", 1000), ("/export", 1000)] {
        for limit in [0, max + 1] {
            let answer = server.get(&format!("/api/dead-letters{path}?limit={limit}"));
            let said = answer.json()["error"]["message"].as_str().unwrap().to_owned();
            assert_eq!(answer.status, 400);
            assert_eq!(said, format!("limit is {limit}, but must be between 1 and {max}"));
        }
        assert_eq!(server.get(&format!("/api/dead-letters{path}?limit={max}")).status, 200);
    }
}

/// Events die while another program holds the database's lock; once it lets go, they arrive without
/// anybody asking, by this part of the settings alone.
fn arrive_by_themselves(reprocess: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.yaml");
    let text = format!(
        "http: {{ listen: '127.0.0.1:0' }}\nsinks: {{ sqlite: {{ type: sqlite, busy_timeout: 0 s, \
         retry: {{ attempts: 2, first: 1 ms, max: 50 ms }} }} }}\n\
         dead_letters: {{ reprocess: {{ {reprocess}, per_second: 10000, attempts: 1000 }} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let server = Server::start_with(dir.path(), &["--config", &file.display().to_string()]);
    let lock = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(server.post(NDJSON, body(10..310)).status, 200);
    server.wait_for_metrics(|now| now["dead_letters"]["by_sink"]["sqlite"]["attempts"] == 300);
    server.wait_for_metrics(|now| now["sinks"][0]["breaker"]["state"] != "closed");
    lock.execute_batch("ROLLBACK").unwrap();
    let metrics = server.wait_for_metrics(|now| now["dead_letters"]["items"] == 0);
    assert_eq!(metrics["lanes"][0]["backlog"], 0);
    let sql = "SELECT count(DISTINCT attributes ->> 'id') FROM events";
    assert_eq!(query::<i64>(dir.path(), sql), 300);
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 300);
    assert!(server.stop().0.success());
}

#[test]
fn what_died_of_an_outage_arrives_by_itself_once_it_is_over() {
    arrive_by_themselves("every: null");
}

#[test]
fn what_died_of_an_outage_arrives_by_itself_in_time() {
    arrive_by_themselves("after_outage: false, every: 200 ms");
}

#[test]
fn a_token_guards_the_letters_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.yaml");
    std::fs::write(&file, "http: { listen: '127.0.0.1:0', token: 0123456789abcdef }\n").unwrap();
    let server = Server::start_with(dir.path(), &["--config", &file.display().to_string()]);
    assert_eq!(server.get("/api/dead-letters").status, 401);
    let refused = dlq(&server, &["list"]);
    assert!(text(&refused).contains("asks for its token"), "{}", text(&refused));
    let listed = dlq(&server, &["list", "--token", "0123456789abcdef"]);
    assert!(listed.status.success(), "{}", text(&listed));
}

#[test]
fn killed_in_the_midst_of_giving_up_nothing_is_lost_and_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let config = settings(dir.path());
    let server = Server::start_with(dir.path(), &["--config", &config]);
    refuse_poison(dir.path());
    let all = |kind: &str| format!("SELECT count(*) FROM events WHERE body LIKE '{kind} %'");
    // Every second event is poison, so that a kill at any moment meets some that are being given up.
    let body = |round: u64| {
        (0..200).fold(String::new(), |mut body, at| {
            let text = if at % 2 == 0 { "poison" } else { "good" };
            writeln!(body, r#"{{"msg":"{text} {}"}}"#, round * 200 + at).unwrap();
            body
        })
    };
    let mut server = Some(server);
    for round in 0..5 {
        let running = server.take().unwrap();
        assert_eq!(running.post(NDJSON, body(round)).status, 200);
        // Some letters of this round are kept, most likely not all.
        let least = round * 100 + 1 + round * 17;
        running.wait_for_metrics(|now| now["dead_letters"]["items"].as_u64() >= Some(least));
        running.kill();
        server = Some(Server::start_with(dir.path(), &["--config", &config]));
    }
    let server = server.unwrap();
    let metrics = server.wait_for_metrics(delivered_all);
    assert_eq!(metrics["dead_letters"]["items"], 500);
    assert_eq!(query::<i64>(dir.path(), &all("good")), 500);
    assert_eq!(query::<i64>(dir.path(), &all("poison")), 0);
    let database = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    database.execute_batch("DROP TRIGGER poison").unwrap();
    let retried = dlq(&server, &["retry"]);
    assert!(text(&retried).contains("500 delivered, 0 refused"), "{}", text(&retried));
    assert_eq!(query::<i64>(dir.path(), &all("poison")), 500);
    assert!(server.stop().0.success());
}
