//! How long does a writer wait for a lock that another connection holds, and who counts it?
//!
//! SQLite calls a handler each time it finds the lock taken. Ours backs off, gives up after the
//! busy timeout and counts its calls, because "how often did I find the lock taken" is the one
//! thing SQLite can truthfully say about its load. The waiting time is the sum of the delays
//! asked for: no clock is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

/// Counts the calls of the busy handler.
#[derive(Debug, Clone, Default)]
pub(super) struct LockWaits(Arc<AtomicU64>);

impl LockWaits {
    /// How many there were since the last call of this.
    pub(super) fn take(&self) -> u64 {
        // Relaxed: the handler runs on the thread that calls this; the atomic only makes it Send.
        self.0.swap(0, Ordering::Relaxed)
    }

    /// Makes `connection` wait for locks up to `timeout` and count here.
    pub(super) fn attach(
        &self,
        connection: &mut Connection,
        timeout: Duration,
    ) -> rusqlite::Result<()> {
        let waits = Arc::clone(&self.0);
        connection.busy_handler(Some(move |calls_before: i32| {
            waits.fetch_add(1, Ordering::Relaxed);
            let Some(delay) = backoff(calls_before.unsigned_abs(), timeout) else { return false };
            #[expect(
                clippy::disallowed_methods,
                reason = "SQLite has no event for a released lock, and this thread is the \
                          connection's own: waiting here blocks nobody else"
            )]
            std::thread::sleep(delay);
            true
        }))
    }
}

const DOUBLINGS: u32 = 6;
const DELAY_MAX: Duration = Duration::from_millis(50);

/// How long to wait after `calls` earlier waits for the same lock: 1, 2, 4, … 32 ms, then 50 ms
/// each, cut so that the sum is `timeout` exactly. `None` when the timeout is used up.
fn backoff(calls: u32, timeout: Duration) -> Option<Duration> {
    let doublings = calls.min(DOUBLINGS);
    let spent =
        Duration::from_millis((1 << doublings) - 1) + DELAY_MAX * calls.saturating_sub(DOUBLINGS);
    let delay = if calls < DOUBLINGS { Duration::from_millis(1 << calls) } else { DELAY_MAX };
    timeout.checked_sub(spent).filter(|left| !left.is_zero()).map(|left| delay.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: all waits for one lock together are exactly the timeout, and no single wait
        /// is longer than 50 ms.
        #[test]
        fn the_waits_add_up_to_the_timeout(millis in 0..20_000u64) {
            let timeout = Duration::from_millis(millis);
            let waits: Vec<_> = (0..).map_while(|calls| backoff(calls, timeout)).collect();
            prop_assert_eq!(waits.iter().sum::<Duration>(), timeout);
            prop_assert!(waits.iter().all(|wait| *wait <= DELAY_MAX));
        }
    }

    #[test]
    fn an_absurd_number_of_calls_ends_the_wait() {
        assert_eq!(backoff(u32::MAX, Duration::from_secs(600)), None);
    }
}
