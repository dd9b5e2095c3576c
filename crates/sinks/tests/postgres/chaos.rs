//! Is everything stored once, whatever breaks when? Faults at random under load, against a server
//! of its own.
//!
//! `TIDEGATE_PG_FAULTS` says how many (10 in the usual run), `TIDEGATE_PG_SEED` where the random
//! numbers begin; a failure names both.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tidegate::Outcome;
use tidegate_sinks::postgres::PostgresSink;
use tidegate_sinks::{DeliveryFailure, Sink};
use tidegate_testbed::postgres::{self, Postgres};
use tidegate_testbed::proxy::{Cut, Proxy};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Place;
use super::contract::{batch, origin};

const IN_FLIGHT: usize = 3;

/// Small, seeded, good enough to choose with (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// What a lane does with a sink, as small as can be: batches in order, several in flight, those in
/// doubt again, and the sink's record read after trouble.
async fn drive(
    sink: Arc<PostgresSink>,
    stop: Arc<AtomicBool>,
    delivered: watch::Sender<u64>,
    seed: u64,
) -> u64 {
    let mut random = Random(seed);
    let mut flying: JoinSet<(Range<u64>, tidegate_sinks::Delivery)> = JoinSet::new();
    let mut again: VecDeque<Range<u64>> = VecDeque::new();
    let mut next = 0;
    let mut in_doubt = false;
    loop {
        if in_doubt && flying.is_empty() {
            // Reads what is delivered, and cuts anew what is not.
            let Ok(known) = sink.delivered("default", 0).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let mut reached = 0;
            again.clear();
            for range in known.into_iter().chain([next..next]) {
                if reached < range.start {
                    let middle = reached + random.below(range.start - reached + 1);
                    let parts = [reached..middle, middle..range.start];
                    again.extend(parts.into_iter().filter(|part| !part.is_empty()));
                }
                reached = range.end;
            }
            in_doubt = false;
        }
        while !in_doubt && flying.len() < IN_FLIGHT {
            let range = match again.pop_front() {
                Some(range) => range,
                None if stop.load(Ordering::Relaxed) => break,
                None => {
                    let range = next..next + 1 + random.below(2_000);
                    next = range.end;
                    range
                }
            };
            let sink = Arc::clone(&sink);
            flying.spawn(async move {
                let delivery = sink.deliver(batch(range.clone())).await;
                (range, delivery)
            });
        }
        let Some(landed) = flying.join_next().await else {
            if in_doubt {
                continue;
            }
            return next;
        };
        let (range, delivery) = landed.unwrap();
        match (delivery.outcome, delivery.failure) {
            (Outcome::Ok, _) => {
                delivered.send_modify(|count| *count += 1);
            }
            (outcome, Some(DeliveryFailure::Retry(_) | DeliveryFailure::Recut(_))) => {
                assert!(outcome.is_retryable(), "{outcome:?}");
                // Half of the time it comes again as it was, else the record is asked.
                if random.below(2) == 0 && !in_doubt {
                    again.push_front(range);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                } else {
                    in_doubt = true;
                }
            }
            other => panic!("positions {range:?}: {other:?}"),
        }
    }
}

/// What the server answers, once it does: after a crash it recovers first.
async fn ask(server: &Postgres, sql: &str) -> String {
    let mut refused = String::new();
    for _ in 0..500 {
        match server.psql("postgres", sql) {
            Ok(answer) => return answer,
            Err(error) => refused = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_random_lose_nothing_and_store_nothing_twice() {
    let faults = number("TIDEGATE_PG_FAULTS", 10);
    let seed = number("TIDEGATE_PG_SEED", 0x71de);
    let mut server = Postgres::start(postgres::Settings::default()).unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let place = Place::on(server.address());
    let sink = Arc::new(PostgresSink::start(place.settings_at(proxy.address())).unwrap());
    sink.open(origin(1)).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let count = watch::Sender::new(0_u64);
    let mut progress = count.subscribe();
    let driver = tokio::spawn(drive(Arc::clone(&sink), Arc::clone(&stop), count, seed));
    let mut random = Random(seed ^ 0xffff);
    let kinds = AtomicU64::new(0);
    for fault in 0..faults {
        // Some batches go through between two faults.
        let target = *progress.borrow() + 1 + random.below(4);
        let reached = progress.wait_for(|count| *count >= target);
        let reached = tokio::time::timeout(Duration::from_secs(120), reached).await;
        assert!(reached.is_ok(), "no progress before fault {fault}, seed {seed}");
        // Each kind at least once in ten.
        let kind = if fault < 8 { fault } else { random.below(8) };
        kinds.fetch_or(1 << kind, Ordering::Relaxed);
        match kind {
            0 => proxy.arm(Cut::AfterCommit),
            1 => proxy.arm(Cut::InCopy(random.below(300_000))),
            2 => proxy.arm(Cut::BeforeCommit),
            3 => proxy.cut_all(),
            4 => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE application_name = 'tidegate' LIMIT 1";
                ask(&server, sql).await;
            }
            5 => {
                let sql = "SELECT pid FROM pg_stat_activity
                           WHERE application_name = 'tidegate' LIMIT 1";
                if let Ok(backend) = ask(&server, sql).await.parse() {
                    // It may have ended by itself.
                    let _ = server.crash_backend(backend);
                }
            }
            6 => server.restart().unwrap(),
            _ => {
                server.kill().unwrap();
                server.restart().unwrap();
            }
        }
    }
    proxy.disarm();
    stop.store(true, Ordering::Relaxed);
    let sent = tokio::time::timeout(Duration::from_secs(120), driver).await.unwrap().unwrap();

    let place = Place { address: server.address(), ..place };
    let rows = place.number("SELECT count(*) FROM events").await;
    let distinct = place.number("SELECT count(DISTINCT position) FROM events").await;
    let last = place.number("SELECT max(position) FROM events").await;
    let committed = sink.delivered("default", 0).await.unwrap();
    let sent_rows = i64::try_from(sent).unwrap();
    println!(
        "{faults} faults, seed {seed}, {sent} events sent, {rows} stored, {distinct} of them \
         distinct, {} cuts by the proxy, kinds {:#b}",
        proxy.cuts(),
        kinds.into_inner()
    );
    assert_eq!((rows, distinct, last), (sent_rows, sent_rows, sent_rows - 1), "seed {seed}");
    assert_eq!(committed, [0..sent], "seed {seed}");
}
