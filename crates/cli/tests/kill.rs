//! Under load the server is killed with -9 at random moments and started again. The checker knows
//! only what clients were told and what the database holds. Clients with an `Idempotency-Key` send
//! the same request until they have an answer: then the database must have each event once, however
//! many answers were lost.
//!
//! Bounded by `TIDEGATE_KILL_EVENTS` (default 40,000), `TIDEGATE_KILLS` (default 10) and drawn from
//! `TIDEGATE_KILL_SEED` (default 1). Its last line is a JSON object with the counts.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod common;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex};

use common::{Server, agent, database, query};

const CLIENTS: u64 = 4;
const EVENTS_A_REQUEST: i64 = 100;

/// An event as its sender knows it: its id and which try of sending it this was.
type Attempt = (i64, i64);

/// What clients and the killer share.
struct World {
    address: SocketAddr,
    events: i64,
    /// Whether requests have a key, and are repeated unchanged.
    keyed: bool,
    /// The next id to send.
    next: AtomicI64,
    acknowledged: AtomicI64,
    /// How many times the server has been started.
    starts: Mutex<u64>,
    started: Condvar,
    /// Told when the number of acknowledged events has grown.
    progress: Condvar,
    progress_lock: Mutex<()>,
}

impl World {
    /// Waits until the server has been started more often than `seen` times; returns how often.
    fn wait_for_start(&self, seen: u64) -> u64 {
        let starts = self.starts.lock().unwrap();
        let waited = self.started.wait_timeout_while(starts, common::PATIENCE, |now| *now <= seen);
        let (starts, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "the server was not started again");
        *starts
    }

    fn server_started(&self) {
        *self.starts.lock().unwrap() += 1;
        self.started.notify_all();
    }

    fn wait_for_acknowledged(&self, count: i64) {
        let lock = self.progress_lock.lock().unwrap();
        let waiting = |(): &mut ()| self.acknowledged.load(Ordering::SeqCst) < count;
        let (_lock, timeout) =
            self.progress.wait_timeout_while(lock, common::PATIENCE * 10, waiting).unwrap();
        assert!(!timeout.timed_out(), "no progress");
    }

    fn acknowledge(&self, count: i64) {
        let _lock = self.progress_lock.lock().unwrap();
        self.acknowledged.fetch_add(count, Ordering::SeqCst);
        self.progress.notify_all();
    }
}

/// What one client was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Attempt>,
    /// Tries whose answer was lost: they may have been stored.
    in_doubt: Vec<Attempt>,
    /// Answers that said: it was stored before.
    replayed: i64,
}

fn body(ids: std::ops::Range<i64>, attempt: i64) -> String {
    let mut body = String::new();
    for id in ids {
        writeln!(body, r#"{{"msg":"event {id}","level":"info","id":{id},"try":{attempt}}}"#)
            .unwrap();
    }
    body
}

/// Sends until all ids are acknowledged, trying again whenever no answer came.
fn client(world: &World) -> Told {
    let (mut told, mut agent, mut seen) = (Told::default(), agent(), world.wait_for_start(0));
    let url = format!("http://{}/v1/events", world.address);
    loop {
        let first = world.next.fetch_add(EVENTS_A_REQUEST, Ordering::SeqCst);
        if first >= world.events {
            return told;
        }
        let ids = first..(first + EVENTS_A_REQUEST).min(world.events);
        for attempt in 1.. {
            let mut request = agent.post(&url).header("content-type", "application/x-ndjson");
            let attempt = if world.keyed { 1 } else { attempt };
            if world.keyed {
                request = request.header("idempotency-key", format!("kill-{first}"));
            }
            let attempts = ids.clone().map(|id| (id, attempt));
            match request.send(body(ids.clone(), attempt)) {
                Ok(answer) if answer.status() == 200 => {
                    told.replayed +=
                        i64::from(answer.headers().contains_key("idempotency-replayed"));
                    told.acknowledged.extend(attempts);
                    world.acknowledge(ids.end - ids.start);
                    break;
                }
                // It said no: nothing of it may be stored.
                Ok(answer) => assert_eq!(answer.status(), 503, "an answer nobody expected"),
                Err(_) => {
                    told.in_doubt.extend(attempts);
                    seen = world.wait_for_start(seen).max(seen);
                    agent = common::agent();
                }
            }
        }
    }
}

fn setting(name: &str, default: i64) -> i64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A free port: the server keeps it across its lives.
fn free_port() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_stored_twice() {
    let extra = kill_under_load(false);
    assert!(extra >= 0);
}

#[test]
fn with_keys_a_lost_answer_leaves_nothing_twice() {
    assert_eq!(kill_under_load(true), 0, "events were stored once more for a lost answer");
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

/// Returns how many events are stored beyond those acknowledged.
fn kill_under_load(keyed: bool) -> i64 {
    let events = setting("TIDEGATE_KILL_EVENTS", 40_000);
    let kills = setting("TIDEGATE_KILLS", 10);
    let mut random = fastrand::Rng::with_seed(setting("TIDEGATE_KILL_SEED", 1).unsigned_abs());
    let dir = tempfile::tempdir().unwrap();
    let address = free_port();
    let world = World {
        address,
        events,
        keyed,
        next: AtomicI64::new(0),
        acknowledged: AtomicI64::new(0),
        starts: Mutex::new(0),
        started: Condvar::new(),
        progress: Condvar::new(),
        progress_lock: Mutex::new(()),
    };
    let listen = address.to_string();
    let start = || Server::start_with(dir.path(), &["--listen", &listen]);

    let told: Vec<Told> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| client(&world))).collect();
        let mut server = start();
        world.server_started();
        for kill in 0..kills {
            // Somewhere in the kill's own share of the run, so that each hits a busy server.
            let share = events / (kills + 1);
            world.wait_for_acknowledged(kill * share + random.i64(share / 4..share));
            server.kill();
            server = start();
            world.server_started();
        }
        world.wait_for_acknowledged(events);
        let told = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let (status, log) = server.stop();
        assert!(status.success(), "{log:#?}");
        told
    });
    check(dir.path(), events, kills, &told)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

/// Holds what the database has against what clients were told.
fn check(dir: &Path, events: i64, kills: i64, told: &[Told]) -> i64 {
    let acknowledged: HashSet<Attempt> =
        told.iter().flat_map(|told| told.acknowledged.iter().copied()).collect();
    let in_doubt: HashSet<Attempt> =
        told.iter().flat_map(|told| told.in_doubt.iter().copied()).collect();
    assert_eq!(count(acknowledged.len()), events);

    let database = database(dir);
    let sql = "SELECT attributes ->> 'id', attributes ->> 'try' FROM events";
    let mut rows = database.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let (mut stored, mut total, mut twice, mut uncalled) = (HashSet::new(), 0i64, 0i64, 0i64);
    for attempt in rows {
        let attempt: Attempt = attempt.unwrap();
        total += 1;
        twice += i64::from(!stored.insert(attempt));
        uncalled += i64::from(!acknowledged.contains(&attempt) && !in_doubt.contains(&attempt));
    }
    let lost = acknowledged.difference(&stored).count();
    let extra = total - count(acknowledged.intersection(&stored).count());
    let replayed: i64 = told.iter().map(|told| told.replayed).sum();
    println!(
        r#"{{"events":{events},"kills":{kills},"acknowledged":{},"in_doubt":{},"stored":{total},"replayed":{replayed},"from_lost_answers":{extra},"lost":{lost},"twice":{twice},"uncalled_for":{uncalled}}}"#,
        acknowledged.len(),
        in_doubt.len(),
    );
    assert_eq!((lost, twice, uncalled), (0, 0, 0));
    extra
}
