//! APIs as they are out there: one that looks at keys and fails at random, and one with a limit on
//! requests.
//!
//! `TIDEGATE_HTTP_KILLS` (default 4) says how often the server is killed on the way to the first,
//! `TIDEGATE_HTTP_SEED` (default 1) where the random numbers begin, and `TIDEGATE_RATE_EVENTS`
//! (default 1,500) how many events go to the second, ten a request. Figures are JSON objects, a line
//! each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]
#![allow(clippy::disallowed_methods, reason = "a rate is a rate in real time")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::producers::{Attempt, Producers, setting};
use common::{PATIENCE, Server};
use serde_json::{Value, json};
use tidegate_testbed::http::{Behaviour, Deed, HttpBackend, Ledger, Random, Rate, Reply};
use tokio::runtime::Runtime;

const NDJSON: &str = "application/x-ndjson";

/// An API on a runtime of its own.
struct Api {
    backend: HttpBackend,
    runtime: Runtime,
}

impl Api {
    fn start(behaviour: Behaviour) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let backend = {
            let _inside = runtime.enter();
            HttpBackend::start(behaviour).unwrap()
        };
        Self { backend, runtime }
    }

    /// Waits until the ledger is so.
    fn until(&self, condition: impl Fn(&Ledger) -> bool) {
        let reached = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE * 10, self.backend.until(condition)).await
        });
        assert!(reached.is_ok(), "{} items came", self.backend.ledger().items.len());
    }

    /// Starts a server whose only sink is this API, with these settings.
    fn serve(&self, dir: &Path, listen: &str, settings: &str) -> Server {
        let config = dir.join("tidegate.yaml");
        let url = self.backend.url("/events");
        let text = format!("sinks:\n  api:\n    type: http\n    url: {url}\n{settings}");
        std::fs::write(&config, text).unwrap();
        let data = dir.join("data");
        Server::start_with(&data, &["--listen", listen, "--config", config.to_str().unwrap()])
    }
}

/// An event of the producers, as the API got it.
fn attempt(text: &str) -> Attempt {
    let event: Value = serde_json::from_str(text).unwrap();
    let number = |name: &str| event["attributes"][name].as_i64().unwrap();
    (number("id"), number("try"))
}

/// Invariant: an API that honours keys takes each item once, whatever is lost on the way to it and
/// however often the server is killed.
#[test]
fn an_api_that_honours_keys_takes_each_item_once() {
    let kills = setting("TIDEGATE_HTTP_KILLS", 4);
    let seed = setting("TIDEGATE_HTTP_SEED", 1).unsigned_abs();
    let mut random = fastrand::Rng::with_seed(seed);
    let deeds = vec![
        Deed::Drop,
        Deed::TakeAndDrop,
        Deed::TakeAndDrop,
        Deed::TakeAndCut,
        Deed::Hang,
        Deed::status(500),
        Deed::Bar(Reply::status(503)),
        Deed::Refuse(Reply::status(429).header("Retry-After", "0")),
    ];
    let api = Api::start(Behaviour {
        honours_keys: true,
        random: Some(Random { seed, share: 0.35, deeds }),
        ..Behaviour::default()
    });
    // A breaker that is soon open, so that there are probes, and batches of changing sizes.
    let settings = "    timeout: 300 ms
    concurrency: 4
    batch_size: { initial: 20, max: 300 }
    breaker: { failures: 2, open: 20 ms, open_max: 40 ms, probes: 2 }
    retry: { first: 5 ms, max: 40 ms, budget: 1, budget_per_second: 200 }
";
    let dir = tempfile::tempdir().unwrap();
    let share = 3_000;
    let events = share * (kills + 1);
    let producers = Producers::new(events);
    let listen = producers.address.to_string();
    let told = producers.run(|producers| {
        producers.allow(2 * share);
        let mut server = api.serve(dir.path(), &listen, settings);
        producers.server_started();
        for kill in 0..kills {
            let least = usize::try_from(kill * share + random.i64(share / 4..share)).unwrap();
            api.until(|ledger| ledger.items.len() >= least);
            // The next ones are being sent meanwhile.
            producers.allow((kill + 3) * share);
            server.kill();
            server = api.serve(dir.path(), &listen, settings);
            producers.server_started();
        }
        producers.wait_for_acknowledged(events);
        server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
        let (status, log) = server.stop();
        assert!(status.success(), "{log:#?}");
    });
    let ledger = api.backend.ledger();
    let verdict = producers.check(&told, ledger.items.values().map(|taken| attempt(&taken.text)));
    let twice = ledger.items.values().filter(|taken| taken.times > 1).count();
    let faults = ledger.requests.iter().filter(|request| request.status != 200).count();
    let figures = json!({
        "events": events, "kills": kills, "seed": seed, "requests": ledger.request_count,
        "requests_not_answered_200": faults, "items_taken_twice": twice, "verdict": verdict,
    });
    println!("{figures}");
    assert!(verdict.is_clean() && twice == 0, "{figures}");
}

/// Once an answer was lost, no later refusal may lead to another cut: the API has the first one.
#[test]
fn a_probe_repeats_unchanged_what_may_have_been_taken() {
    let api = Api::start(Behaviour { honours_keys: true, ..Behaviour::default() });
    api.backend.script([Deed::TakeAndDrop]);
    api.backend.script((0..6).map(|_| Deed::Bar(Reply::status(503))));
    let settings = "    concurrency: 1
    batch_size: { initial: 100, max: 100 }
    breaker: { failures: 2, open: 20 ms, open_max: 40 ms, probes: 2 }
    retry: { first: 5 ms, max: 20 ms, budget: 1, budget_per_second: 200 }
";
    let dir = tempfile::tempdir().unwrap();
    let server = api.serve(dir.path(), "127.0.0.1:0", settings);
    let body: String = (0..100).map(|n| format!("{{\"msg\":\"event {n}\"}}\n")).collect();
    assert_eq!(server.post(NDJSON, body).status, 200);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    let ledger = api.backend.ledger();
    assert_eq!(ledger.items.len(), 100);
    assert!(ledger.items.values().all(|taken| taken.times == 1));
}

/// Items that the API takes in a request.
const A_REQUEST: u32 = 10;
const PER_SECOND: f64 = 40.0;
const BURST: f64 = 10.0;

/// Sends events to an API with a limit, and says how well that went.
fn limited(name: &str, settings: &str) {
    let events = usize::try_from(setting("TIDEGATE_RATE_EVENTS", 1_500)).unwrap();
    let rate = Rate { per_second: PER_SECOND, burst: BURST, says_when: true };
    let api = Api::start(Behaviour { rate: Some(rate), ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let settings =
        format!("    batch_size: {{ initial: {A_REQUEST}, max: {A_REQUEST} }}\n{settings}");
    let server = api.serve(dir.path(), "127.0.0.1:0", &settings);
    let body: String = (0..events).map(|n| format!("{{\"msg\":\"event {n}\"}}\n")).collect();
    assert_eq!(server.post(NDJSON, body).status, 200);
    api.until(|ledger| ledger.request_count > 0);
    let began = Instant::now();
    api.until(|ledger| ledger.items.len() == events);
    let took = began.elapsed();
    let (status, log) = server.stop();
    assert!(status.success(), "{log:#?}");
    let ledger = api.backend.ledger();
    assert!(ledger.items.values().all(|taken| taken.times == 1));
    let refused = ledger.requests.iter().filter(|request| request.status == 429).count();
    println!("{}", figures(name, events, refused, ledger.requests.len(), took));
}

fn figures(name: &str, events: usize, refused: usize, requests: usize, took: Duration) -> Value {
    let possible = (BURST + PER_SECOND * took.as_secs_f64()) * f64::from(A_REQUEST);
    #[expect(clippy::cast_precision_loss, reason = "these counts are far below 2^52")]
    let [events, all, limited] = [events, requests, refused].map(|count| count as f64);
    let rounded = |share: f64| (share * 1000.0).round() / 1000.0;
    json!({
        "run": name, "seconds": rounded(took.as_secs_f64()), "requests": requests,
        "refused": refused, "success_ratio": rounded(1.0 - limited / all),
        "share_of_possible_goodput": rounded(events / possible),
    })
}

#[test]
fn nothing_is_lost_at_a_limit_that_is_declared() {
    limited("pace: 40", "    pace: 40\n");
}

#[test]
fn nothing_is_lost_at_a_limit_that_nobody_declared() {
    limited("pace: null", "    pace: null\n");
}

#[test]
fn nothing_is_lost_at_a_limit_that_a_joint_controller_finds() {
    limited("pace: null, controller: joint", "    pace: null\n    controller: joint\n");
}
