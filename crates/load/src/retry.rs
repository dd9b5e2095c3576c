//! Is a request that failed sent again, and when?
//!
//! Again, unless the server gave a definite no: as long as its own bound in time allows, after
//! `Retry-After` if the server said one, else after a pause that doubles from 20 ms up to
//! half a second, with jitter so that connections do not knock all at once. The pause stays short
//! because a server that restarts should be found soon. Time and chance are arguments.

use std::time::Duration;

/// First pause, before jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long one request is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// From its first sending to the start of its last.
    pub(crate) retry_for: Duration,
    /// How often at most it is put on the wire.
    pub(crate) max_tries: u32,
}

/// What one request has been through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past {
    /// How often it was put on the wire, the last time included.
    pub(crate) tries: u32,
    /// Failures in a row, unreachable servers included.
    pub(crate) failures: u32,
    /// Since it was first sent, or first should have been.
    pub(crate) elapsed: Duration,
}

impl RetryPolicy {
    /// The pause before the next try; `None` to give up. `chance` lies in `0.0..1.0`.
    pub(crate) fn pause(
        &self,
        past: Past,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        if past.tries >= self.max_tries {
            return None;
        }
        let doublings = past.failures.saturating_sub(1).min(16);
        let full = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        let jittered = full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        // `Retry-After: 0` must not become a busy loop.
        let pause =
            retry_after.map_or(jittered, |said| said.saturating_add(jittered.min(FIRST_PAUSE)));
        let fits = past.elapsed.checked_add(pause).is_some_and(|then| then <= self.retry_for);
        fits.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { retry_for: Duration::from_secs(30), max_tries: 999 };

    #[test]
    fn the_server_s_wish_is_kept_and_its_bound_too() {
        let past = Past { tries: 1, failures: 1, elapsed: Duration::ZERO };
        let pause = POLICY.pause(past, Some(Duration::from_secs(3)), 0.9).unwrap();
        assert!(pause >= Duration::from_secs(3) && pause < Duration::from_millis(3_100));
        assert_eq!(POLICY.pause(past, Some(Duration::from_secs(31)), 0.0), None);
        assert_eq!(POLICY.pause(Past { tries: 999, ..past }, None, 0.0), None);
        assert!(POLICY.pause(past, Some(Duration::ZERO), 0.0).unwrap() > Duration::ZERO);
    }

    proptest! {
        /// Invariant: no pause reaches past the bound, and none is zero or over the longest.
        #[test]
        fn pauses_stay_in_bounds(
            tries in 0_u32..2000, failures in 1_u32..2000, elapsed_ms in 0_u64..60_000,
            chance in 0.0_f64..1.0,
        ) {
            let elapsed = Duration::from_millis(elapsed_ms);
            match POLICY.pause(Past { tries, failures, elapsed }, None, chance) {
                Some(pause) => {
                    prop_assert!(tries < 999 && elapsed + pause <= POLICY.retry_for);
                    prop_assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE);
                }
                None => prop_assert!(tries >= 999 || elapsed_ms >= 29_000),
            }
        }
    }
}
