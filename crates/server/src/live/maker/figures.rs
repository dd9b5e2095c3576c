//! What does a tick say of the door, the journal and the host?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_journal::Stats;

use super::counts::Rates;
use crate::http::Door;
use crate::live::contract::{
    DiskUse, Ingest, Journal, Level, NetworkUse, Percentiles, Resources, Usage,
};
use crate::live::translate::rounded;
use crate::telemetry::sampler::{Sampled, ratio};

pub(super) fn ingest(door: &Door, rates: &Rates) -> Ingest {
    let counts = &door.counts;
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Ingest {
        requests: load(&counts.requests),
        accepted: load(&counts.accepted),
        rejected: load(&counts.rejected),
        refused_client: load(&counts.refused_client),
        refused_server: load(&counts.refused_server),
        repeated: load(&counts.repeated),
        body_bytes: load(&counts.bytes),
        body_bytes_free: door.free_bytes() as u64,
        body_bytes_per_second: rounded(rates.body_bytes),
        requests_per_second: rounded(rates.requests),
    }
}

pub(super) fn journal(stats: &Stats, rates: &Rates) -> Journal {
    let ms = |took: Duration| rounded(took.as_secs_f64() * 1e3);
    let any = stats.syncs.count() > 0;
    let at = |share| ms(stats.syncs.quantile(share));
    Journal {
        first: stats.first,
        durable: stats.durable,
        segments: stats.segments as u64,
        bytes: stats.bytes,
        bytes_max: stats.bytes_max,
        tail_bytes: stats.tail_bytes as u64,
        tail_bytes_max: stats.tail_bytes_max as u64,
        commits: stats.commits,
        commits_per_second: rounded(rates.commits),
        sync_last_ms: any.then(|| ms(stats.syncs.last())),
        sync_mean_ms: rates.sync.map(|seconds| rounded(seconds * 1e3)),
        sync_ms: any.then(|| Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: ms(stats.syncs.max()),
        }),
        disk_reads: stats.disk_reads,
        keys: stats.keys as u64,
        unreadable: stats.missing.len() as u64,
        trouble: stats.trouble.as_deref().map(str::to_owned),
        failed: stats.failed.as_deref().map(str::to_owned),
    }
}

/// From which share on each is worth a look, and from which something is about to give.
const HOST_CPU: (f64, f64) = (0.8, 0.95);
const HOST_MEMORY: (f64, f64) = (0.85, 0.95);
const PROCESS_MEMORY: (f64, f64) = (0.5, 0.75);
const DISK: (f64, f64) = (0.85, 0.95);
const JOURNAL: (f64, f64) = (0.7, 0.9);

pub(super) fn resources(sampled: &Sampled, journal: &Stats) -> Resources {
    let (seen, trends) = (sampled.resources(), sampled.trends());
    let memory = |bytes| ratio(bytes, seen.host_memory_bytes);
    Resources {
        host_cpu: usage(seen.host_cpu, trends.host_cpu, HOST_CPU),
        host_memory: usage(memory(seen.host_memory_used_bytes), trends.host_memory, HOST_MEMORY),
        process_memory: usage(
            memory(seen.process_memory_bytes),
            trends.process_memory,
            PROCESS_MEMORY,
        ),
        disk: usage(seen.disk_used(), trends.disk, DISK),
        journal: usage(ratio(journal.bytes, journal.bytes_max), trends.journal, JOURNAL),
        host_cores: seen.host_cores,
        host_memory_used_bytes: seen.host_memory_used_bytes,
        host_memory_bytes: seen.host_memory_bytes,
        process_cpu_cores: rounded(seen.process_cpu_cores),
        process_memory_bytes: seen.process_memory_bytes,
        disk_use: (seen.disk_bytes > 0).then(|| DiskUse {
            bytes: seen.disk_bytes,
            free_bytes: seen.disk_free_bytes,
            read_bytes_per_second: rounded(seen.process_read_bytes_per_second),
            written_bytes_per_second: rounded(seen.process_written_bytes_per_second),
        }),
        network: NetworkUse {
            received_bytes_per_second: rounded(seen.network_received_bytes_per_second),
            sent_bytes_per_second: rounded(seen.network_sent_bytes_per_second),
        },
    }
}

fn usage(share: f64, trend_per_minute: f64, (warn_from, critical_from): (f64, f64)) -> Usage {
    let level = match share {
        share if share >= critical_from => Level::Critical,
        share if share >= warn_from => Level::Warn,
        _ => Level::Ok,
    };
    let (share, trend_per_minute) = (rounded(share), rounded(trend_per_minute));
    Usage { share, trend_per_minute, warn_from, critical_from, level }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_a_level_by_its_thresholds() {
        let level = |share| usage(share, 0.0, DISK).level;
        assert_eq!(
            [0.0, 0.849, 0.85, 0.95].map(level),
            [Level::Ok, Level::Ok, Level::Warn, Level::Critical]
        );
    }
}
