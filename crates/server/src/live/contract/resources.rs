//! How loaded are the host and the process?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The host and the process, looked at once a second. What the system does not tell is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Share of the host's processors in use.
    pub host_cpu: Usage,
    /// Share of the host's memory in use.
    pub host_memory: Usage,
    /// Share of the memory that this process holds, of the host's.
    pub process_memory: Usage,
    /// Share of the disk with the data directory in use.
    pub disk: Usage,
    /// Share of the journal's bound in use.
    pub journal: Usage,
    /// The host's processors.
    pub host_cores: u32,
    /// The host's memory in use.
    pub host_memory_used_bytes: u64,
    /// The host's memory.
    pub host_memory_bytes: u64,
    /// Processors that this process keeps busy: 1 is one whole core.
    pub process_cpu_cores: f64,
    /// Memory that this process holds.
    pub process_memory_bytes: u64,
    /// The disk with the data directory; null if it cannot be told which that is.
    pub disk_use: Option<DiskUse>,
    /// What goes over the host's network, all interfaces but loopback together.
    pub network: NetworkUse,
}

/// A share in use, with what to think of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// The share, 0 to 1.
    pub share: f64,
    /// Change of the share in a minute, by the trend of the last minute: .1 is ten points more.
    pub trend_per_minute: f64,
    /// From this share on it is worth a look.
    pub warn_from: f64,
    /// From this share on something is about to give.
    pub critical_from: f64,
    /// Which of these it is now.
    pub level: Level,
}

/// What to think of a share in use.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    #[default]
    Ok,
    /// Worth a look.
    Warn,
    /// Something is about to give.
    Critical,
}

/// The disk with the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DiskUse {
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that are free for this process.
    pub free_bytes: u64,
    /// Bytes that this process reads a second.
    pub read_bytes_per_second: f64,
    /// Bytes that this process writes a second.
    pub written_bytes_per_second: f64,
}

/// What goes over the network.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct NetworkUse {
    /// Bytes received a second.
    pub received_bytes_per_second: f64,
    /// Bytes sent a second.
    pub sent_bytes_per_second: f64,
}
