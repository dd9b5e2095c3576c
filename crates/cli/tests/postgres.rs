//! Events over HTTP end in PostgreSQL: in a table of the sink's own, and in one of the user's.
//!
//! `faults_lose_nothing_and_store_nothing_twice` breaks server and database `TIDEGATE_PG_KILLS`
//! times (default 6), as `TIDEGATE_PG_SEED` (default 1) says. Its last line is a JSON object.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::producers::{Attempt, Producers, setting};
use common::{Server, tidegate};
use serde_json::{Value, json};
use tidegate_testbed::postgres::{Postgres, Settings};

const NDJSON: &str = "application/x-ndjson";

/// The user's table, as the README shows it.
const TABLE: &str = "
CREATE TABLE requests (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL,
    service     text NOT NULL,
    severity    smallint,
    status      int,
    bytes       bigint,
    duration_ms double precision,
    price       numeric(12, 2),
    cached      boolean,
    details     jsonb
);";

/// The sink that writes there, as the README shows it.
const SINK: &str = "
sinks:
  requests:
    type: postgres
    url: ${TIDEGATE_POSTGRES_URL}
    table: requests
    columns:
      id: attributes.request_id
      at: time
      service: service
      severity: severity_number
      status: attributes.http.status
      bytes: attributes.bytes
      duration_ms: attributes.duration_ms
      price: attributes.price
      cached: attributes.cache.hit
      details: attributes
";

/// What makes it an upsert.
const KEY: &str = "    key: [id]
    on_conflict: update
";

fn postgres() -> Postgres {
    Postgres::start(Settings::default()).unwrap()
}

/// `tidegate serve` with this file, on a free port.
fn serve(dir: &Path, postgres: &Postgres, yaml: &str) -> Command {
    serve_at(dir, postgres, yaml, "127.0.0.1:0")
}

fn serve_at(dir: &Path, postgres: &Postgres, yaml: &str, listen: &str) -> Command {
    let config = dir.join("tidegate.yaml");
    std::fs::write(&config, yaml).unwrap();
    let mut command = tidegate();
    command.env("TIDEGATE_POSTGRES_URL", postgres.url("postgres"));
    command.args(["serve", "--listen", listen, "--data-dir"]).arg(dir.join("data"));
    command.arg("--config").arg(config);
    command
}

/// The one row that a query gives, as JSON; times in UTC.
fn row(postgres: &Postgres, query: &str) -> Value {
    let sql = format!("SET timezone = 'UTC'; SELECT to_jsonb(q) FROM ({query}) q");
    serde_json::from_str(&postgres.psql("postgres", &sql).unwrap()).unwrap()
}

fn number(postgres: &Postgres, query: &str) -> i64 {
    postgres.psql("postgres", query).unwrap().parse().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a start with this file says that must fail.
fn refused(dir: &Path, postgres: &Postgres, yaml: &str) -> String {
    let output = serve(dir, postgres, yaml).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    said
}

/// A server that is started again while its database is away takes events for it, and for every
/// other sink. The very first start says what is wrong instead: then it is the settings.
#[test]
fn a_database_that_is_away_keeps_only_the_first_start_waiting() {
    let (mut postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    let yaml =
        "sinks: { postgres: { type: postgres, url: \"${TIDEGATE_POSTGRES_URL}\" }, lite: {} }\n";
    postgres.stop().unwrap();
    let said = refused(dir.path(), &postgres, yaml);
    assert!(said.contains("cannot use database"), "{said}");
    postgres.restart().unwrap();
    let send = |server: &Server, from: u32| {
        let body: String = (from..from + 500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        assert_eq!(server.post(NDJSON, body).status, 200);
    };
    // The refused start has opened the journal once: a new one is the first again.
    let dir = tempfile::tempdir().unwrap();
    let server = Server::run(serve(dir.path(), &postgres, yaml));
    send(&server, 0);
    postgres.stop().unwrap();
    server.kill();
    let server = Server::run(serve(dir.path(), &postgres, yaml));
    send(&server, 500);
    let delivered = |metrics: &Value, sink: &str, count: u64| {
        let lanes = metrics["lanes"].as_array().unwrap();
        lanes.iter().any(|lane| lane["sink"] == sink && lane["backlog"] == count)
    };
    server.wait_for_metrics(|metrics| delivered(metrics, "lite", 0));
    postgres.restart().unwrap();
    server.wait_for_metrics(|metrics| delivered(metrics, "postgres", 0));
    assert!(server.stop().0.success());
    let sql = "SELECT count(*) FROM events";
    let distinct = "SELECT count(DISTINCT attributes ->> 'n') FROM events";
    assert_eq!((number(&postgres, sql), number(&postgres, distinct)), (1000, 1000));
}

#[test]
fn an_event_is_found_field_by_field() {
    let (postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    let yaml = "sinks: { postgres: { type: postgres, url: \"${TIDEGATE_POSTGRES_URL}\" } }\n";
    let server = Server::run(serve(dir.path(), &postgres, yaml));
    let event = json!({
        "ts": "2026-11-21T01:02:03.5Z", "level": "WARN", "service": "checkout",
        "msg": "card declined", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331", "user": {"id": 7}, "class": "payments",
    });
    assert_eq!(server.post("application/json", event.to_string()).status, 200);
    let more: String = (0..2_000).map(|n| format!("{{\"msg\":\"more\",\"n\":{n}}}\n")).collect();
    assert_eq!(server.post(NDJSON, more).status, 200);
    assert!(server.stop().0.success());

    let expected = json!({
        "position": 0, "time": "2026-11-21T01:02:03.5+00:00",
        "timestamp": 1_795_222_923_500_000_000_i64, "severity_number": 13, "severity_text": "WARN",
        "service": "checkout", "class": "payments", "body": "card declined",
        "attributes": {"user": {"id": 7}}, "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
    });
    let mut seen = row(&postgres, "SELECT * FROM tidegate_events WHERE position = 0");
    let observed = seen.as_object_mut().unwrap().remove("observed").unwrap();
    assert!(observed.as_i64().unwrap() > 1_700_000_000_000_000_000, "{observed}");
    assert!(seen.as_object_mut().unwrap().remove("journal").unwrap().is_number());
    assert_eq!(seen, expected);
    // The table holds the same, with the ids as bytes.
    let mut stored = row(&postgres, "SELECT * FROM events WHERE position = 0");
    assert_eq!(stored["trace_id"], "\\x0af7651916cd43dd8448eb211c80319c");
    assert_eq!(stored["span_id"], "\\xb7ad6b7169203331");
    for name in ["trace_id", "span_id"] {
        stored[name] = expected[name].clone();
    }
    for name in ["observed", "journal"] {
        stored.as_object_mut().unwrap().remove(name).unwrap();
    }
    assert_eq!(stored, expected);
    let sql = "SELECT count(DISTINCT attributes ->> 'n') FROM tidegate_events WHERE body = 'more'";
    assert_eq!(number(&postgres, sql), 2_000);
    assert_eq!(number(&postgres, "SELECT count(*) FROM events"), 2_001);
}

/// A request as a producer tells of it; its id ends in `n`.
fn request(n: u32, status: u32) -> String {
    let event = json!({
        "ts": "2026-11-21T01:02:03.25Z", "level": "ERROR", "service": "checkout", "msg": "served",
        "request_id": format!("4bf92f35-77b3-4da6-a3ce-{n:012}"), "http": {"status": status},
        "bytes": 5_000_000_000_i64, "duration_ms": 12.5, "price": 1234.56, "cache.hit": true,
    });
    format!("{event}\n")
}

#[test]
fn a_table_of_the_users_own_takes_events_by_its_types() {
    let (postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    postgres.psql("postgres", TABLE).unwrap();
    // Without a key rows are only added.
    let server = Server::run(serve(dir.path(), &postgres, SINK));
    let body: String = (0..1_500).map(|n| request(n, 503)).collect();
    assert_eq!(server.post(NDJSON, body).status, 200);
    assert!(server.stop().0.success());
    let first = row(&postgres, "SELECT * FROM requests ORDER BY id LIMIT 1");
    let details = json!({
        "request_id": "4bf92f35-77b3-4da6-a3ce-000000000000", "http": {"status": 503},
        "bytes": 5_000_000_000_i64, "duration_ms": 12.5, "price": 1234.56, "cache.hit": true,
    });
    let expected = json!({
        "id": "4bf92f35-77b3-4da6-a3ce-000000000000", "at": "2026-11-21T01:02:03.25+00:00",
        "service": "checkout", "severity": 17, "status": 503, "bytes": 5_000_000_000_i64,
        "duration_ms": 12.5, "price": 1234.56, "cached": true, "details": details,
    });
    assert_eq!(first, expected);
    assert_eq!(number(&postgres, "SELECT count(*) FROM requests"), 1_500);

    // With one, a row whose key is there is replaced: of two of a batch by the last.
    // That is the last to come, since one attempt at a time is in flight.
    let yaml = format!("{SINK}{KEY}    concurrency: 1\n");
    let server = Server::run(serve(dir.path(), &postgres, &yaml));
    let body: String = (1_000..2_000).flat_map(|n| [request(n, 500), request(n, 200)]).collect();
    assert_eq!(server.post(NDJSON, body).status, 200);
    assert!(server.stop().0.success());
    let sql = "SELECT string_agg(status || ' ' || times, ', ' ORDER BY status) FROM
        (SELECT status, count(*) AS times FROM requests GROUP BY status) counted";
    assert_eq!(postgres.psql("postgres", sql).unwrap(), "200 1000, 503 1000");

    // Or kept.
    let yaml = yaml.replace("on_conflict: update", "on_conflict: nothing");
    let server = Server::run(serve(dir.path(), &postgres, &yaml));
    let body: String = (1_500..2_100).map(|n| request(n, 404)).collect();
    assert_eq!(server.post(NDJSON, body).status, 200);
    let (status, log) = server.stop();
    assert!(status.success(), "{log:#?}");
    assert_eq!(postgres.psql("postgres", sql).unwrap(), "200 1000, 404 100, 503 1000");
}

#[test]
fn what_does_not_fit_the_table_ends_the_start_all_at_once() {
    let (postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    let missing = refused(dir.path(), &postgres, SINK);
    assert!(missing.contains("there is no table requests. Create it"), "{missing}");

    postgres.psql("postgres", TABLE).unwrap();
    let yaml = SINK
        .replace("      service: service\n", "      servce: service\n")
        .replace("status: attributes.http.status", "status: body")
        .replace("price: attributes.price", "price: attributes");
    let yaml = format!("{yaml}    key: [at]\n");
    let said = refused(dir.path(), &postgres, &yaml);
    for problem in [
        "the mapping does not fit table \"public\".\"requests\":",
        "column `servce` is not in the table, which has id, at, service,",
        "column `status` is of the type integer, which `body` does not fit: map a field of that",
        "column `price` is of the type numeric(12,2), which `attributes` does not fit: make the",
        "column `service` (text) must not be null, has no default, and nothing is mapped to it",
        "the key (\"at\") has no unique index on exactly these columns: CREATE UNIQUE INDEX ON",
    ] {
        assert!(said.contains(problem), "{problem:?} is not in {said}");
    }

    let stray = SINK.replace("at: time\n", "at: tiem\n");
    let said = refused(dir.path(), &postgres, &stray);
    assert!(said.contains("sinks.requests.columns") && said.contains("is no field"), "{said}");
    assert!(!said.contains("ebb-and-flood"), "the password is told: {said}");
    assert_eq!(number(&postgres, "SELECT count(*) FROM requests"), 0);
}

#[test]
fn a_row_that_a_constraint_refuses_dies_alone_and_arrives_once_mended() {
    let (postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    let table = "CREATE TABLE payments (
        id bigint PRIMARY KEY, amount numeric NOT NULL CHECK (amount >= 0), note text)";
    postgres.psql("postgres", table).unwrap();
    let yaml = "sinks:
  payments:
    type: postgres
    url: ${TIDEGATE_POSTGRES_URL}
    table: payments
    columns: { id: attributes.id, amount: attributes.amount, note: body }
    concurrency: 2
    batch_size: { initial: 500 }
    controller: fixed
";
    let server = Server::run(serve(dir.path(), &postgres, yaml));
    let payment = |id: i64| {
        let amount = if id == 1_234 { -5 } else { id };
        format!("{{\"msg\":\"payment\",\"id\":{id},\"amount\":{amount}}}\n")
    };
    assert_eq!(server.post(NDJSON, (0..3_000).map(payment).collect::<String>()).status, 200);
    let metrics = server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert_eq!(metrics["dead_letters"]["items"], 1, "{metrics:#}");
    assert_eq!(metrics["sinks"][0]["breaker"]["state"], "closed");
    assert_eq!(number(&postgres, "SELECT count(*) FROM payments"), 2_999);
    assert_eq!(number(&postgres, "SELECT count(*) FROM payments WHERE id = 1234"), 0);

    let letter = server.get("/api/dead-letters").json()["letters"][0].clone();
    assert!(letter.to_string().contains("payments_amount_check"), "{letter:#}");
    let dlq = |args: &[&str]| {
        let output =
            tidegate().args(["dlq", "--server", &server.url("")]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    let id = letter["id"].to_string();
    let mended = dlq(&["show", &id, "--event"]).replace("-5", "5");
    let file = dir.path().join("mended.json");
    std::fs::write(&file, mended).unwrap();
    dlq(&["mend", &id, &file.display().to_string()]);
    let retried = dlq(&["retry"]);
    assert!(retried.contains("1 delivered, 0 refused"), "{retried}");
    assert_eq!(server.get("/api/dead-letters").json()["total"], 0);
    assert_eq!(number(&postgres, "SELECT amount FROM payments WHERE id = 1234"), 5);
    assert_eq!(number(&postgres, "SELECT count(*) FROM payments"), 3_000);
    assert!(server.stop().0.success());
}

/// What a fault breaks.
const FAULTS: [&str; 6] = [
    "server killed",
    "database killed",
    "backend killed",
    "database restarted",
    "connections ended",
    "both killed",
];

const OURS: &str = "FROM pg_stat_activity WHERE application_name = 'tidegate'";

/// Waits until so many events are stored, whatever state the database is in; returns the most
/// connections of the sink that were seen meanwhile.
fn wait_for_stored(postgres: &Postgres, least: i64) -> i64 {
    let mut connections = 0;
    for _ in 0..20_000 {
        // After a crash it recovers first.
        let sql =
            format!("SELECT (SELECT count(*) FROM events) || ' ' || (SELECT count(*) {OURS})");
        let Ok(answer) = postgres.psql("postgres", &sql) else { continue };
        let (stored, seen) = answer.split_once(' ').unwrap();
        connections = connections.max(seen.parse().unwrap());
        if stored.parse::<i64>().unwrap() >= least {
            return connections;
        }
    }
    panic!("{least} events are not stored; the database says: {}", postgres.log());
}

/// The server under test, which may be dead for a while.
struct Life<'a> {
    start: &'a dyn Fn(&Postgres) -> Server,
    producers: &'a Producers,
    server: Option<Server>,
}

impl Life<'_> {
    fn begin(&mut self, postgres: &Postgres) {
        self.server = Some((self.start)(postgres));
        self.producers.server_started();
    }

    fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    fn meet(&mut self, fault: &str, postgres: &mut Postgres) {
        match fault {
            "server killed" => {
                self.kill();
                self.begin(postgres);
            }
            "database killed" => {
                postgres.kill().unwrap();
                postgres.restart().unwrap();
            }
            "backend killed" => {
                let backend = postgres.psql("postgres", &format!("SELECT pid {OURS} LIMIT 1"));
                // There may be none just now, or it has ended by itself.
                if let Ok(backend) = backend.unwrap().parse() {
                    let _ = postgres.crash_backend(backend);
                }
            }
            "database restarted" => postgres.restart().unwrap(),
            "connections ended" => {
                postgres
                    .psql("postgres", &format!("SELECT pg_terminate_backend(pid) {OURS}"))
                    .unwrap();
            }
            _ => {
                postgres.kill().unwrap();
                self.kill();
                postgres.restart().unwrap();
                self.begin(postgres);
            }
        }
    }
}

/// Invariant: whatever breaks when, each event that was acknowledged is stored once, and each whose
/// acknowledgement was lost at most once.
#[test]
fn faults_lose_nothing_and_store_nothing_twice() {
    let faults = setting("TIDEGATE_PG_KILLS", 6);
    let seed = setting("TIDEGATE_PG_SEED", 1);
    let mut random = fastrand::Rng::with_seed(seed.unsigned_abs());
    let (mut postgres, dir) = (postgres(), tempfile::tempdir().unwrap());
    let yaml = "sinks:
  postgres:
    type: postgres
    url: ${TIDEGATE_POSTGRES_URL}
    concurrency: 4
    batch_size: { initial: 50, max: 200 }
";
    let share = 3_000;
    let events = share * (faults + 1);
    let producers = Producers::new(events);
    let listen = producers.address.to_string();
    let start = |postgres: &Postgres| Server::run(serve_at(dir.path(), postgres, yaml, &listen));
    let (mut met, mut connections) = (Vec::new(), 0);
    let told = producers.run(|producers| {
        let mut life = Life { start: &start, producers, server: None };
        producers.allow(2 * share);
        life.begin(&postgres);
        for fault in 0..faults {
            // In the midst of its own share of the events, while more are coming in.
            let least = fault * share + random.i64(share / 4..share);
            connections = connections.max(wait_for_stored(&postgres, least));
            let kinds = FAULTS.len();
            let kind = usize::try_from(fault).unwrap();
            let kind = if kind < kinds { kind } else { random.usize(0..kinds) };
            met.push(FAULTS[kind]);
            // The next ones are being sent when it breaks.
            producers.allow((fault + 3) * share);
            life.meet(FAULTS[kind], &mut postgres);
        }
        producers.wait_for_acknowledged(events);
        wait_for_stored(&postgres, events);
        let (status, log) = life.server.take().unwrap().stop();
        assert!(status.success(), "seed {seed}: {log:#?}");
    });
    let rows = postgres.psql(
        "postgres",
        "SELECT (attributes ->> 'id') || ' ' || (attributes ->> 'try') FROM events",
    );
    let attempt = |line: &str| -> Attempt {
        let (id, attempt) = line.split_once(' ').unwrap();
        (id.parse().unwrap(), attempt.parse().unwrap())
    };
    let verdict = producers.check(&told, rows.unwrap().lines().map(attempt));
    let figures = json!({
        "events": events, "faults": met, "seed": seed, "connections": connections,
        "verdict": verdict,
    });
    println!("{figures}");
    assert!(verdict.is_clean(), "{figures}");
    // One asks for the load; there were two more at least.
    assert!(connections >= 3, "{figures}");
}
