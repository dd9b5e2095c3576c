//! Producers that keep their pace whatever the answers are: each on one connection, its requests
//! due at a steady rate, and what it heard noted with how long that took.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const EVENTS_A_REQUEST: u32 = 100;

/// What was heard since it was last asked for: milliseconds from sending to the answer.
#[derive(Debug, Default)]
pub struct Heard {
    pub accepted: Vec<f64>,
    pub refused: Vec<f64>,
    /// Answers that nobody expected.
    pub others: Vec<String>,
}

impl Heard {
    /// Those who were accepted, and those who were refused, the quickest first.
    pub fn sorted(mut self) -> Self {
        self.accepted.sort_by(f64::total_cmp);
        self.refused.sort_by(f64::total_cmp);
        self
    }
}

/// Some producers with one pace.
pub struct Paced {
    heard: Arc<Mutex<Heard>>,
    threads: Vec<JoinHandle<()>>,
}

impl Paced {
    /// So many of them send so many events a second together, until then. Every other one with an
    /// `Idempotency-Key` for each request, if that is wanted.
    pub fn start(
        address: SocketAddr,
        producers: u32,
        per_second: f64,
        keyed: bool,
        until: Instant,
    ) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let every = Duration::from_secs_f64(f64::from(producers * EVENTS_A_REQUEST) / per_second);
        let thread = |n: u32| {
            let heard = Arc::clone(&heard);
            let key = (keyed && n % 2 == 1).then_some(n);
            // Not all at the same moment.
            let first = Instant::now() + every * n / producers;
            std::thread::spawn(move || produce(address, key, first, every, until, &heard))
        };
        let threads = (0..producers).map(thread).collect();
        Self { heard, threads }
    }

    /// What was heard since the last time.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    /// Waits until they have ended, and returns the rest.
    pub fn finish(self) -> Heard {
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn produce(
    address: SocketAddr,
    key: Option<u32>,
    first: Instant,
    every: Duration,
    until: Instant,
    heard: &Mutex<Heard>,
) {
    let mut body = String::new();
    for n in 0..EVENTS_A_REQUEST {
        // One in ten is worth more than the others.
        let level = if n % 10 == 0 { "error" } else { "info" };
        let text = "the tide is high at pier";
        writeln!(body, "{{\"msg\":\"{text} {n}\",\"level\":\"{level}\",\"n\":{n}}}").unwrap();
    }
    let length = body.len();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut due = first;
    for count in 0_u64.. {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        due += every;
        if Instant::now() >= until {
            return;
        }
        let header =
            key.map_or_else(String::new, |key| format!("idempotency-key: {key}-{count}\r\n"));
        let request = format!(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n{header}\
             content-length: {length}\r\n\r\n{body}"
        );
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let (status, waits) = answer(&mut answers);
        let took = sent.elapsed().as_secs_f64() * 1000.0;
        let mut heard = heard.lock().unwrap();
        match (status.as_str(), waits) {
            ("200", _) => heard.accepted.push(took),
            ("503", true) => heard.refused.push(took),
            _ => heard.others.push(status),
        }
    }
}

/// The status of the next answer, and whether it says when to come back.
fn answer(stream: &mut BufReader<TcpStream>) -> (String, bool) {
    let (mut status, mut length, mut waits) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.get(..3).unwrap().to_owned();
        }
        if let Some(rest) = line.strip_prefix("content-length: ") {
            length = rest.parse().unwrap();
        }
        waits |= line.starts_with("retry-after: ");
        if line.is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).unwrap();
    (status, waits)
}

/// A quantile of what is sorted.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 - 1.0) * share).round() as usize).copied()
}

/// An API that counts what it takes, so many items a second, on a runtime of its own.
pub fn capped_api(
    per_second: u64,
) -> (tokio::runtime::Runtime, tidegate_testbed::http::HttpBackend) {
    use tidegate_testbed::http::{Behaviour, HttpBackend, Service};
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let backend = {
        let _inside = runtime.enter();
        let per_item = Duration::from_nanos(1_000_000_000 / per_second);
        let service = Service { workers: 1, base: Duration::ZERO, per_item };
        let counts =
            Behaviour { only_counts: true, service: Some(service), ..Behaviour::default() };
        HttpBackend::start(counts).unwrap()
    };
    (runtime, backend)
}
