//! What cannot be counted as it happens? Rates and the host's load: they are looked at once a
//! second.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tidegate::Moment;
use tidegate::guard::Reading;
use tokio::sync::watch;

use super::host::Host;
use super::trend::Trend;
use crate::status::Status;

const INTERVAL: Duration = Duration::from_secs(1);

/// Rates are means over this many seconds.
const RATE_SECONDS: usize = 5;

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Sampled {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default, Clone)]
struct Seen {
    resources: Resources,
    trends: Trends,
    /// Totals at each second, the oldest first.
    totals: VecDeque<Totals>,
}

#[derive(Debug, Default, Clone)]
struct Totals {
    at: Moment,
    accepted: u64,
    /// For each lane: items delivered and attempts.
    lanes: Vec<(u64, u64)>,
}

/// The host and the process.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Resources {
    /// Share of the host's processors in use, 0 to 1.
    pub host_cpu: f64,
    /// The host's processors.
    pub host_cores: u32,
    /// The host's memory in use, in bytes.
    pub host_memory_used_bytes: u64,
    /// The host's memory, in bytes.
    pub host_memory_bytes: u64,
    /// Processors that this process keeps busy: 1 is one whole core.
    pub process_cpu_cores: f64,
    /// Memory that this process holds, in bytes.
    pub process_memory_bytes: u64,
    /// Bytes that this process reads from disks, a second.
    pub process_read_bytes_per_second: f64,
    /// Bytes that this process writes to disks, a second.
    pub process_written_bytes_per_second: f64,
    /// Bytes that the host receives over its network, a second, loopback left out.
    pub network_received_bytes_per_second: f64,
    /// Bytes that the host sends over its network, a second, loopback left out.
    pub network_sent_bytes_per_second: f64,
    /// The disk with the data directory, in bytes; 0 if it cannot be told.
    pub disk_bytes: u64,
    /// Bytes of it that this process could use.
    pub disk_free_bytes: u64,
}

/// Change in a minute of the shares in use.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Trends {
    pub(crate) host_cpu: f64,
    pub(crate) host_memory: f64,
    pub(crate) process_memory: f64,
    pub(crate) disk: f64,
    pub(crate) journal: f64,
}

/// Means over the last few seconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rates {
    pub(crate) accepted: f64,
    /// For each lane: items delivered and attempts, a second.
    pub(crate) lanes: Vec<(f64, f64)>,
}

impl Sampled {
    pub(crate) fn resources(&self) -> Resources {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).resources
    }

    pub(crate) fn trends(&self) -> Trends {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).trends
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    pub(crate) fn rates(&self) -> Rates {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (seen.totals.front(), seen.totals.back()) else {
            return Rates::default();
        };
        let seconds = last.at.since(first.at).as_secs_f64();
        let rate = |from: u64, to: u64| match seconds {
            seconds if seconds > 0.0 => to.saturating_sub(from) as f64 / seconds,
            _ => 0.0,
        };
        let lanes = first.lanes.iter().zip(&last.lanes);
        Rates {
            accepted: rate(first.accepted, last.accepted),
            lanes: lanes.map(|(from, to)| (rate(from.0, to.0), rate(from.1, to.1))).collect(),
        }
    }

    fn note(&self, resources: Resources, trends: Trends, totals: Totals) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.resources, seen.trends) = (resources, trends);
        seen.totals.push_back(totals);
        if seen.totals.len() > RATE_SECONDS + 1 {
            seen.totals.pop_front();
        }
    }
}

/// Looks once a second, and tells the lanes the host's load, until the task is aborted.
pub(crate) async fn sample(status: Arc<Status>, host: watch::Sender<Reading>, data_dir: PathBuf) {
    let mut asked = Host::new(&data_dir);
    let mut lines = Lines::default();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = status.clock.now();
        // A disk that hangs must not hold up a thread that answers requests.
        let looked = tokio::task::spawn_blocking(move || {
            let resources = asked.look(now);
            (asked, resources)
        });
        let Ok((back, resources)) = looked.await else { return };
        asked = back;
        let journal = status.journal.stats();
        let trends = lines.note(now, &resources, ratio(journal.bytes, journal.bytes_max));
        status.sampled.note(resources, trends, totals(&status));
        host.send_replace(reading(&resources));
    }
}

/// What guards look at; what is not known is left out.
fn reading(seen: &Resources) -> Reading {
    let known = |bytes: u64| (bytes > 0).then_some(bytes);
    let memory = ratio(seen.host_memory_used_bytes, seen.host_memory_bytes);
    Reading {
        process_memory: known(seen.process_memory_bytes),
        system_memory: known(seen.host_memory_bytes).map(|_| memory),
        cpu: Some(seen.host_cpu),
    }
}

/// The shares in use over time.
#[derive(Default)]
struct Lines([Trend; 5]);

impl Lines {
    fn note(&mut self, now: Moment, seen: &Resources, journal: f64) -> Trends {
        let at = now.as_secs_f64();
        let values = [
            seen.host_cpu,
            ratio(seen.host_memory_used_bytes, seen.host_memory_bytes),
            ratio(seen.process_memory_bytes, seen.host_memory_bytes),
            seen.disk_used(),
            journal,
        ];
        for (line, value) in self.0.iter_mut().zip(values) {
            line.note(at, value);
        }
        let [host_cpu, host_memory, process_memory, disk, journal] =
            self.0.each_ref().map(Trend::per_minute);
        Trends { host_cpu, host_memory, process_memory, disk, journal }
    }
}

impl Resources {
    /// The share of the disk in use.
    pub(crate) fn disk_used(&self) -> f64 {
        ratio(self.disk_bytes.saturating_sub(self.disk_free_bytes), self.disk_bytes)
    }
}

/// A share, 0 where there is no whole.
#[expect(clippy::cast_precision_loss, reason = "shares for people")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn totals(status: &Status) -> Totals {
    let lanes = status.lanes.iter().map(|lane| {
        let counters = *lane.engine().counters();
        (counters.items_delivered, counters.attempts)
    });
    Totals {
        at: status.clock.now(),
        accepted: status.door.counts.accepted.load(Ordering::Relaxed),
        lanes: lanes.collect(),
    }
}
