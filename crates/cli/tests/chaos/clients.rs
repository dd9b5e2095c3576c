//! Clients that keep at it: each request has a key and is sent until it is acknowledged, at a
//! steady pace. What they were told is written down, a line for each acknowledged request.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CLIENTS: u64 = 6;
const EVENTS_A_REQUEST: u64 = 25;
/// Each client begins a request at most this often.
const EVERY: Duration = Duration::from_millis(50);
/// One event in so many is one that PostgreSQL and the API refuse.
pub const POISON_EVERY: u64 = 997;
/// How long one try may take, and how long a client keeps trying before it counts as an error.
const TRY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest wait before the next try, whatever the answer asks for.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// What clients saw.
#[derive(Debug, Default)]
pub struct Answers {
    /// When each request was acknowledged.
    pub acknowledged: Vec<Instant>,
    pub requests: u64,
    pub tries: u64,
    /// Tries that ended without an answer.
    pub broken: u64,
    /// Tries that were refused, by status.
    pub refused: std::collections::BTreeMap<u16, u64>,
    /// Requests that were answered from their key.
    pub replayed: u64,
    /// Requests that were not acknowledged within the patience of their client.
    pub errors: u64,
}

struct Shared {
    url: String,
    seed: u64,
    next: AtomicU64,
    stopping: AtomicBool,
    told: Mutex<std::fs::File>,
    answers: Mutex<Answers>,
}

pub struct Clients {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Clients {
    pub fn start(address: SocketAddr, told: &Path, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            url: format!("http://{address}/v1/events"),
            seed,
            next: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            told: Mutex::new(std::fs::File::create(told).unwrap()),
            answers: Mutex::default(),
        });
        let thread = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.client())
        };
        let threads = (0..CLIENTS).map(thread).collect();
        Self { shared, threads }
    }

    /// Lets each finish its request, and returns what they saw.
    pub fn finish(self) -> Answers {
        self.shared.stopping.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.shared.answers.lock().unwrap())
    }
}

impl Shared {
    fn client(&self) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TRY))
            .build()
            .new_agent();
        let mut due = Instant::now();
        while !self.stopping.load(Ordering::SeqCst) {
            let first = self.next.fetch_add(EVENTS_A_REQUEST, Ordering::SeqCst);
            self.send(&agent, first..first + EVENTS_A_REQUEST);
            due = (due + EVERY).max(Instant::now() - EVERY);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn send(&self, agent: &ureq::Agent, ids: std::ops::Range<u64>) {
        let body = body(ids.clone());
        let key = format!("{}-{}", self.seed, ids.start);
        let began = Instant::now();
        let mut patient = true;
        self.count(|answers| answers.requests += 1);
        loop {
            let request = agent
                .post(&self.url)
                .header("content-type", "application/x-ndjson")
                .header("idempotency-key", &key);
            let answer = request.send(&body);
            self.count(|answers| answers.tries += 1);
            match answer {
                Ok(answer) if answer.status() == 200 => {
                    let replayed = answer.headers().contains_key("idempotency-replayed");
                    writeln!(self.told.lock().unwrap(), "{} {}", ids.start, ids.end).unwrap();
                    self.count(|answers| {
                        answers.replayed += u64::from(replayed);
                        answers.acknowledged.push(Instant::now());
                    });
                    return;
                }
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    assert!([429, 503].contains(&status), "{status}: an answer nobody expected");
                    assert!(
                        answer.headers().contains_key("retry-after"),
                        "{status} without a time"
                    );
                    self.count(|answers| *answers.refused.entry(status).or_default() += 1);
                }
                Err(_) => self.count(|answers| answers.broken += 1),
            }
            if patient && began.elapsed() > PATIENCE {
                patient = false;
                self.count(|answers| answers.errors += 1);
            }
            std::thread::sleep(WAIT_MAX);
        }
    }

    fn count(&self, with: impl FnOnce(&mut Answers)) {
        with(&mut self.answers.lock().unwrap());
    }
}

fn body(ids: std::ops::Range<u64>) -> String {
    let mut body = String::new();
    for id in ids {
        let kind = if id % POISON_EVERY == POISON_EVERY - 1 { "poison" } else { "event" };
        writeln!(body, r#"{{"msg":"{kind} {id}","level":"info","id":{id},"kind":"{kind}"}}"#)
            .unwrap();
    }
    body
}
