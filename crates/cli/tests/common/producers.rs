//! Producers that know what they were told: several at once, trying again whenever no answer came.
//!
//! Each event carries its id and which try of sending it this was, so that an event that was stored
//! although its producer never heard of it is told apart from one that was stored twice. Producers
//! with an `Idempotency-Key` send the same request until they have an answer: theirs is one try.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex};

use super::{PATIENCE, agent};

const CLIENTS: u64 = 4;
const EVENTS_A_REQUEST: i64 = 100;

/// An event as its sender knows it: its id and which try of sending it this was.
pub type Attempt = (i64, i64);

/// What clients and the one who breaks things share.
pub struct Producers {
    pub address: SocketAddr,
    events: i64,
    /// Whether requests have a key, and are repeated unchanged.
    keyed: bool,
    /// The next id to send.
    next: AtomicI64,
    acknowledged: AtomicI64,
    /// How many times the server has been started.
    starts: Mutex<u64>,
    started: Condvar,
    /// Told when the number of acknowledged events has grown, or more may be sent.
    progress: Condvar,
    /// Ids below this one may be sent.
    allowed: Mutex<i64>,
}

impl Producers {
    /// Those of so many events, to a server on a free port that it keeps across its lives.
    pub fn new(events: i64) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        Self {
            address,
            events,
            keyed: false,
            next: AtomicI64::new(0),
            acknowledged: AtomicI64::new(0),
            starts: Mutex::new(0),
            started: Condvar::new(),
            progress: Condvar::new(),
            allowed: Mutex::new(events),
        }
    }

    /// The same with a key for each request.
    pub fn keyed(self) -> Self {
        Self { keyed: true, ..self }
    }

    /// Sends no event with an id from here on, until more is allowed.
    pub fn allow(&self, below: i64) {
        *self.allowed.lock().unwrap() = below;
        self.progress.notify_all();
    }

    /// Runs the producers beside `breaking`, which is to return when all is acknowledged; returns
    /// what each was told.
    pub fn run(&self, breaking: impl FnOnce(&Self)) -> Vec<Told> {
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| self.client())).collect();
            breaking(self);
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        })
    }

    /// Waits until the server has been started more often than `seen` times; returns how often.
    fn wait_for_start(&self, seen: u64) -> u64 {
        let starts = self.starts.lock().unwrap();
        let waited = self.started.wait_timeout_while(starts, PATIENCE, |now| *now <= seen);
        let (starts, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "the server was not started again");
        *starts
    }

    /// The server takes events, again.
    pub fn server_started(&self) {
        *self.starts.lock().unwrap() += 1;
        self.started.notify_all();
    }

    /// Waits until so many events are acknowledged.
    pub fn wait_for_acknowledged(&self, count: i64) {
        let lock = self.allowed.lock().unwrap();
        let waiting = |_: &mut i64| self.acknowledged.load(Ordering::SeqCst) < count;
        let (_lock, timeout) =
            self.progress.wait_timeout_while(lock, PATIENCE * 10, waiting).unwrap();
        assert!(!timeout.timed_out(), "no progress");
    }

    fn acknowledge(&self, count: i64) {
        let _lock = self.allowed.lock().unwrap();
        self.acknowledged.fetch_add(count, Ordering::SeqCst);
        self.progress.notify_all();
    }

    /// Sends until all ids are acknowledged, trying again whenever no answer came.
    fn client(&self) -> Told {
        let (mut told, mut agent, mut seen) = (Told::default(), agent(), self.wait_for_start(0));
        let url = format!("http://{}/v1/events", self.address);
        loop {
            let first = self.next.fetch_add(EVENTS_A_REQUEST, Ordering::SeqCst);
            if first >= self.events {
                return told;
            }
            let allowed = self.allowed.lock().unwrap();
            let held = |allowed: &mut i64| *allowed <= first;
            drop(self.progress.wait_timeout_while(allowed, PATIENCE * 10, held).unwrap());
            let ids = first..(first + EVENTS_A_REQUEST).min(self.events);
            for attempt in 1.. {
                let mut request = agent.post(&url).header("content-type", "application/x-ndjson");
                let attempt = if self.keyed { 1 } else { attempt };
                if self.keyed {
                    request = request.header("idempotency-key", format!("request-{first}"));
                }
                let attempts = ids.clone().map(|id| (id, attempt));
                match request.send(body(ids.clone(), attempt)) {
                    Ok(answer) if answer.status() == 200 => {
                        let replayed = answer.headers().contains_key("idempotency-replayed");
                        told.replayed += usize::from(replayed);
                        told.acknowledged.extend(attempts);
                        self.acknowledge(ids.end - ids.start);
                        break;
                    }
                    // It said no: nothing of it may be stored.
                    Ok(answer) => assert_eq!(answer.status(), 503, "an answer nobody expected"),
                    Err(_) => {
                        told.in_doubt.extend(attempts);
                        seen = self.wait_for_start(seen).max(seen);
                        agent = super::agent();
                    }
                }
            }
        }
    }

    /// Holds what is stored against what the producers were told.
    pub fn check(&self, told: &[Told], stored: impl IntoIterator<Item = Attempt>) -> Verdict {
        let acknowledged: HashSet<Attempt> =
            told.iter().flat_map(|told| told.acknowledged.iter().copied()).collect();
        let in_doubt: HashSet<Attempt> =
            told.iter().flat_map(|told| told.in_doubt.iter().copied()).collect();
        assert_eq!(count(acknowledged.len()), self.events);
        let mut verdict = Verdict {
            acknowledged: acknowledged.len(),
            in_doubt: in_doubt.len(),
            replayed: told.iter().map(|told| told.replayed).sum(),
            ..Verdict::default()
        };
        let mut seen = HashSet::new();
        for attempt in stored {
            verdict.stored += 1;
            verdict.twice += usize::from(!seen.insert(attempt));
            let known = acknowledged.contains(&attempt) || in_doubt.contains(&attempt);
            verdict.uncalled_for += usize::from(!known);
        }
        verdict.lost = acknowledged.difference(&seen).count();
        verdict.from_lost_answers = verdict.stored - acknowledged.intersection(&seen).count();
        verdict
    }
}

/// What one client was told.
#[derive(Default)]
pub struct Told {
    acknowledged: Vec<Attempt>,
    /// Tries whose answer was lost: they may have been stored.
    in_doubt: Vec<Attempt>,
    /// Answers that said: it was stored before.
    replayed: usize,
}

/// What came of it, in events.
#[derive(Debug, Default, serde::Serialize)]
pub struct Verdict {
    pub acknowledged: usize,
    pub in_doubt: usize,
    pub stored: usize,
    /// Requests that were answered from their key.
    pub replayed: usize,
    pub from_lost_answers: usize,
    pub lost: usize,
    pub twice: usize,
    pub uncalled_for: usize,
}

impl Verdict {
    /// Nothing lost, nothing twice, nothing that nobody sent.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.twice, self.uncalled_for) == (0, 0, 0)
    }
}

/// The lines of a request.
pub fn body(ids: std::ops::Range<i64>, attempt: i64) -> String {
    let mut body = String::new();
    for id in ids {
        writeln!(body, r#"{{"msg":"event {id}","level":"info","id":{id},"try":{attempt}}}"#)
            .unwrap();
    }
    body
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

/// A number that an environment variable may change.
pub fn setting(name: &str, default: i64) -> i64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
