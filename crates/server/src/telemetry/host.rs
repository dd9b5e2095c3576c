//! What do the host and the process use? The shell that asks the system.

use std::path::{Path, PathBuf};

use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate, System,
};
use tidegate::Moment;

use super::sampler::Resources;

/// The interface that only this machine speaks on.
const LOOPBACK: &str = "lo";

/// Asks the system. It remembers when it asked last, since the system only counts.
pub(super) struct Host {
    system: System,
    networks: Networks,
    pid: Pid,
    data_dir: PathBuf,
    asked: Moment,
}

impl Host {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            system: System::new(),
            networks: Networks::new_with_refreshed_list(),
            pid: Pid::from_u32(std::process::id()),
            data_dir: data_dir.to_owned(),
            asked: Moment::ZERO,
        }
    }

    /// Asks. May block on a disk that hangs.
    pub(super) fn look(&mut self, now: Moment) -> Resources {
        let system = &mut self.system;
        system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let of_process = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), false, of_process);
        self.networks.refresh(true);
        let seconds = now.since(std::mem::replace(&mut self.asked, now)).as_secs_f64();
        let rate = |bytes: u64| per_second(bytes, seconds);
        let process = self.system.process(self.pid);
        let written = process.map(sysinfo::Process::disk_usage).unwrap_or_default();
        let wires = || self.networks.iter().filter(|(name, _)| *name != LOOPBACK);
        let disk = rustix::fs::statvfs(&self.data_dir).ok();
        let disk = disk.map_or((0, 0, 0), |disk| (disk.f_blocks, disk.f_bavail, disk.f_frsize));
        Resources {
            host_cpu: f64::from(self.system.global_cpu_usage() / 100.0).clamp(0.0, 1.0),
            host_cores: u32::try_from(self.system.cpus().len()).unwrap_or(u32::MAX),
            host_memory_used_bytes: self.system.used_memory(),
            host_memory_bytes: self.system.total_memory(),
            process_cpu_cores: process
                .map_or(0.0, |process| f64::from(process.cpu_usage()) / 100.0),
            process_memory_bytes: process.map_or(0, sysinfo::Process::memory),
            process_read_bytes_per_second: rate(written.read_bytes),
            process_written_bytes_per_second: rate(written.written_bytes),
            network_received_bytes_per_second: rate(wires().map(|(_, net)| net.received()).sum()),
            network_sent_bytes_per_second: rate(wires().map(|(_, net)| net.transmitted()).sum()),
            disk_bytes: disk.0.saturating_mul(disk.2),
            disk_free_bytes: disk.1.saturating_mul(disk.2),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn per_second(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
}
