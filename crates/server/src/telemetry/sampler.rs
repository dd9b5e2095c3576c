//! What cannot be counted as it happens? Rates and the host's load: they are looked at once a
//! second.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System,
};
use tidegate::{Feedback, Moment};
use tokio::sync::watch;

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
    /// The host's memory in use, in bytes.
    pub host_memory_used_bytes: u64,
    /// The host's memory, in bytes.
    pub host_memory_bytes: u64,
    /// Processors that this process keeps busy: 1 is one whole core.
    pub process_cpu_cores: f64,
    /// Memory that this process holds, in bytes.
    pub process_memory_bytes: u64,
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

    fn note(&self, resources: Resources, totals: Totals) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.resources = resources;
        seen.totals.push_back(totals);
        if seen.totals.len() > RATE_SECONDS + 1 {
            seen.totals.pop_front();
        }
    }
}

/// Looks once a second, and tells the lanes the host's load, until the task is aborted.
pub(crate) async fn sample(status: Arc<Status>, host: watch::Sender<Feedback>) {
    let mut system = System::new();
    let pid = Pid::from_u32(std::process::id());
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let resources = look(&mut system, pid);
        status.sampled.note(resources, totals(&status));
        host.send_replace(Feedback { cpu: Some(resources.host_cpu), ..Feedback::default() });
    }
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

fn look(system: &mut System, pid: Pid) -> Resources {
    system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let of_process = ProcessRefreshKind::nothing().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, of_process);
    let process = system.process(pid);
    Resources {
        host_cpu: f64::from(system.global_cpu_usage() / 100.0).clamp(0.0, 1.0),
        host_memory_used_bytes: system.used_memory(),
        host_memory_bytes: system.total_memory(),
        process_cpu_cores: process.map_or(0.0, |process| f64::from(process.cpu_usage()) / 100.0),
        process_memory_bytes: process.map_or(0, sysinfo::Process::memory),
    }
}
