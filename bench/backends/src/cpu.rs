//! How much processor time was used? The kernel keeps the accounts; they are read from `/proc`.
//! Where there is no such thing, nothing was used, and the tables say 0.

use std::fs::read_to_string;
use std::path::Path;
use std::time::Duration;

/// Of this process, its ended children not included.
pub(crate) fn of_this_process() -> Duration {
    of_process(std::process::id())
}

/// Of one process and all of its threads.
pub(crate) fn of_process(pid: u32) -> Duration {
    let Some(fields) = stat(pid) else { return Duration::ZERO };
    ticks(&fields, &[USER, SYSTEM])
}

/// Of one process, its children that live and those that have ended.
pub(crate) fn of_family(pid: u32) -> Duration {
    let Some(own) = stat(pid) else { return Duration::ZERO };
    let mut total = ticks(&own, &[USER, SYSTEM, USER_OF_ENDED, SYSTEM_OF_ENDED]);
    let Ok(all) = std::fs::read_dir("/proc") else { return total };
    for other in all.flatten() {
        let Some(other) = other.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Some(fields) = stat(other) else { continue };
        if fields.get(PARENT).and_then(|parent| parent.parse().ok()) == Some(pid) {
            total += ticks(&fields, &[USER, SYSTEM]);
        }
    }
    total
}

/// The number by which the kernel knows this thread.
pub(crate) fn this_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// Of one thread of this process, in nanoseconds rather than ticks.
pub(crate) fn of_thread(thread: i32) -> Duration {
    schedule(Path::new(&format!("/proc/self/task/{thread}/schedstat")))
}

/// Of the threads of that name in another process.
pub(crate) fn of_threads(pid: u32, name: &str) -> Duration {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let named = threads.flatten().map(|thread| thread.path()).filter(|thread| {
        read_to_string(thread.join("comm")).is_ok_and(|found| found.trim_end() == name)
    });
    named.map(|thread| schedule(&thread.join("schedstat"))).sum()
}

fn schedule(file: &Path) -> Duration {
    let text = read_to_string(file).unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

// Places behind the command's name, which may hold anything but ends with the last parenthesis.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
const USER_OF_ENDED: usize = 13;
const SYSTEM_OF_ENDED: usize = 14;
/// Ticks a second that `/proc` counts in, on every Linux.
const TICKS_PER_SECOND: u64 = 100;

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn ticks(fields: &[String], places: &[usize]) -> Duration {
    let numbers = places.iter().filter_map(|place| fields.get(*place)?.parse::<u64>().ok());
    Duration::from_millis(numbers.sum::<u64>() * 1_000 / TICKS_PER_SECOND)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen_in_the_accounts() {
        let thread = this_thread();
        let (before, before_all) = (of_thread(thread), of_this_process());
        let mut sum = 0_u64;
        while of_thread(thread) < before + Duration::from_millis(30) {
            sum = (0..10_000_u64).fold(sum, |sum, n| sum.wrapping_mul(31) ^ n);
        }
        assert!(sum != 1);
        assert!(of_this_process() > before_all, "{before_all:?}");
        assert!(of_family(std::process::id()) >= of_this_process() - Duration::from_millis(20));
    }
}
