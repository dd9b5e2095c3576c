//! What time is it? Asked here alone.
//!
//! Everything that decides takes time as an argument; the shell around it reads these two clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The clock that never goes back: for latencies, schedules and bounds.
#[expect(clippy::disallowed_methods, reason = "the one place where the shell reads this clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time since 1970-01-01 UTC, for the timestamps inside events. A clock set before
/// 1970 reads as 1970.
#[expect(clippy::disallowed_methods, reason = "the one place where the shell reads this clock")]
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// CPU time that this process has spent so far, in user and system mode together.
pub(crate) fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(spent.tv_nsec).unwrap_or(0))
}
