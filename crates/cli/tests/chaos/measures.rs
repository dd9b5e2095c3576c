//! What did it cost those around it? Availability, errors and recovery, from what was seen outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clients::Answers;
use crate::faults::{Log, agent, metrics};
use crate::schedule::Action;
use crate::supervisor::Life;

/// What we aim at: a recovery that took longer is looked at.
const AIM: Duration = Duration::from_secs(5);

/// When the deliveries to a sink were seen to have moved.
#[derive(Debug, Default)]
pub struct Seen {
    postgres: Vec<Instant>,
    api: Vec<Instant>,
    memory_bytes_max: f64,
}

pub struct Watch {
    stopping: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Seen>,
}

impl Watch {
    /// Looks at the server's figures ten times a second.
    pub fn start(address: SocketAddr) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || {
            let (url, agent) = (format!("http://{address}/api/metrics"), agent());
            let (mut seen, mut before) = (Seen::default(), [0, 0]);
            while !stop.load(Ordering::SeqCst) {
                if let Some(metrics) = metrics(&agent, &url) {
                    let now = ["pg", "api"].map(|sink| delivered(&metrics, sink));
                    let moved = |at: usize| now[at] != before[at] && now[at] > 0;
                    if moved(0) {
                        seen.postgres.push(Instant::now());
                    }
                    if moved(1) {
                        seen.api.push(Instant::now());
                    }
                    before = now;
                    let memory = metrics["resources"]["process_memory_bytes"].as_f64();
                    seen.memory_bytes_max = seen.memory_bytes_max.max(memory.unwrap_or(0.0));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            seen
        });
        Self { stopping, thread }
    }

    pub fn finish(self) -> Seen {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn delivered(metrics: &Value, sink: &str) -> u64 {
    let lanes = metrics["lanes"].as_array().into_iter().flatten();
    lanes.filter(|lane| lane["sink"] == sink).filter_map(|lane| lane["delivered"].as_u64()).sum()
}

/// Times in which the disk was full: refusals are commanded.
fn commanded(log: &Log) -> Vec<(Instant, Instant)> {
    let (mut spans, mut since) = (Vec::new(), None);
    for (at, action) in &log.0 {
        match action {
            Action::DiskFull(true) => since = since.or(Some(*at)),
            Action::DiskFull(false) => spans.extend(since.take().map(|from| (from, *at))),
            _ => {}
        }
    }
    spans
}

/// Whole seconds of up-time without a commanded refusal, and in how many of them a request was
/// acknowledged.
fn availability(lives: &[Life], log: &Log, acknowledged: &[Instant]) -> (u64, u64) {
    let (commanded, second) = (commanded(log), Duration::from_secs(1));
    let last = acknowledged.last().copied();
    let (mut seconds, mut worked) = (0, 0);
    for life in lives {
        let (Some(mut at), Some(ended)) = (life.up, life.ended) else { continue };
        let ended = last.map_or(ended, |last| ended.min(last));
        while at + second <= ended {
            let until = at + second;
            if let Some((_, end)) = commanded.iter().find(|(from, end)| *from < until && at < *end)
            {
                at = *end;
                continue;
            }
            seconds += 1;
            worked += u64::from(acknowledged.iter().any(|ack| (at..until).contains(ack)));
            at = until;
        }
    }
    (seconds, worked)
}

/// Seconds from each of these to the first of those behind it.
fn waits(from: impl Iterator<Item = Instant>, to: &[Instant]) -> Vec<f64> {
    let next = |at: Instant| to.iter().find(|to| **to > at).map(|to| (*to - at).as_secs_f64());
    let mut waits: Vec<f64> = from.filter_map(next).collect();
    waits.sort_by(f64::total_cmp);
    waits
}

/// How long PostgreSQL took to be delivered to again, once nothing stood in the way any more: not
/// the server's own death, no further outage, no full disk. Of each outage, from the last of these
/// to the first delivery. Those over the bound come with what had been done meanwhile.
fn undisturbed(
    lives: &[Life],
    log: &Log,
    back: &[Instant],
    delivered: &[Instant],
) -> (Vec<f64>, Vec<Value>) {
    let ups = lives.iter().filter_map(|life| life.up);
    let ends = log.0.iter().filter(|(_, action)| {
        matches!(
            action,
            Action::DiskFull(false) | Action::ConnectionsCut | Action::PostgresRefuses(false)
        )
    });
    let clear: Vec<_> = ups.chain(back.iter().copied()).chain(ends.map(|(at, _)| *at)).collect();
    let (mut waits, mut slow) = (Vec::new(), Vec::new());
    for from in back {
        let Some(until) = delivered.iter().find(|at| *at > from) else { continue };
        let last = clear.iter().filter(|at| *at < until).max().map_or(*from, |at| *at);
        waits.push((*until - last).as_secs_f64());
        let whole = *until - *from;
        if whole > AIM {
            let meanwhile = log.0.iter().filter(|(at, _)| from <= at && at < until);
            let after = |at: &Instant| (*at - *from).as_secs_f64().round();
            let said: Vec<_> = meanwhile
                .map(|(at, action)| format!("{} s: {}", after(at), action.name()))
                .collect();
            slow.push(json!({ "seconds": whole.as_secs_f64().round(), "meanwhile": said }));
        }
    }
    waits.sort_by(f64::total_cmp);
    (waits, slow)
}

/// The same from the last of these, or of what else was in the way until `clear`, before the first
/// of those behind it.
fn waits_undisturbed(from: &[Instant], clear: &[Instant], to: &[Instant]) -> Vec<f64> {
    let wait = |at: &Instant| {
        let until = to.iter().find(|to| *to > at)?;
        let last = from.iter().chain(clear).filter(|other| *other < until).max()?;
        Some((*until - *last).as_secs_f64())
    };
    let mut waits: Vec<f64> = from.iter().filter_map(wait).collect();
    waits.sort_by(f64::total_cmp);
    waits
}

fn summary(waits: &[f64]) -> Value {
    let at = |share: f64| waits.get(((waits.len() as f64 - 1.0) * share).round() as usize);
    let round = |value: Option<&f64>| value.map(|value| (value * 1000.0).round() / 1000.0);
    json!({ "n": waits.len(), "p50": round(at(0.5)), "max": round(waits.last()) })
}

pub fn figures(
    lives: &[Life],
    log: &Log,
    postgres_back: &[Instant],
    answers: &Answers,
    seen: &Seen,
) -> Value {
    let (seconds, worked) = availability(lives, log, &answers.acknowledged);
    let killed: Vec<_> =
        lives.iter().filter(|life| life.killed).filter_map(|life| life.ended).collect();
    let when = |wanted: fn(&Action) -> bool| {
        log.0.iter().filter(move |(_, action)| wanted(action)).map(|(at, _)| *at)
    };
    let disk: Vec<_> = when(|action| matches!(action, Action::DiskFull(false))).collect();
    let (calm, slow) = undisturbed(lives, log, postgres_back, &seen.postgres);
    // The last one was asked to end.
    let others = lives.iter().rev().skip(1).filter(|life| !life.killed);
    let mut last_words: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for life in others {
        *last_words.entry(&life.last_words).or_default() += 1;
    }
    json!({
        "availability": { "seconds": seconds, "worked": worked,
            "share": worked as f64 / seconds.max(1) as f64 },
        "clients": { "requests": answers.requests, "tries": answers.tries,
            "broken": answers.broken, "refused": answers.refused, "replayed": answers.replayed,
            "errors": answers.errors,
            "error_rate": answers.errors as f64 / answers.requests.max(1) as f64 },
        "recovery_seconds": {
            "kill_to_first_ack": summary(&waits(killed.iter().copied(), &answers.acknowledged)),
            "last_kill_and_room_to_first_ack":
                summary(&waits_undisturbed(&killed, &disk, &answers.acknowledged)),
            "postgres_back_to_first_delivery": summary(&waits(postgres_back.iter().copied(), &seen.postgres)),
            "postgres_and_server_up_to_first_delivery": summary(&calm),
            "postgres_slow": slow,
            "disk_has_room_to_first_ack": summary(&waits(disk.into_iter(), &answers.acknowledged)),
        },
        "ended_by_themselves": last_words,
        "memory_mib_max": (seen.memory_bytes_max / f64::from(1 << 20)).round(),
    })
}
