//! How long does a batch wait before it is tried again? A random time below a bound that doubles.
//!
//! *Full jitter*: the wait is drawn evenly from zero to the bound. Of the usual kinds it spreads
//! retries widest, so that many who were refused together do not come back together (M. Brooker,
//! "Exponential Backoff And Jitter", 2015). A backend that says how long to wait is obeyed: the
//! wait is never shorter than that.

use std::time::Duration;

use crate::SettingError;
use crate::error::within;

/// Waits below a bound that doubles with each failure.
///
/// ```
/// use std::time::Duration;
/// use tidegate::retry::Backoff;
///
/// let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5))?;
/// assert_eq!(backoff.bound(1), Duration::from_millis(50));
/// assert_eq!(backoff.bound(3), Duration::from_millis(200));
/// assert_eq!(backoff.wait(3, None, 0.5), Duration::from_millis(100));
/// assert_eq!(backoff.wait(3, Some(Duration::from_secs(9)), 0.5), Duration::from_secs(9));
/// # Ok::<(), tidegate::SettingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(50), max: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The bound after one failure, 1 ms to 1 h, and the one it is never doubled beyond, up to 1 h.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for a bound out of its range.
    pub fn new(first: Duration, max: Duration) -> Result<Self, SettingError> {
        const HOUR: f64 = 3_600_000.0;
        let (first_ms, max_ms) = (first.as_secs_f64() * 1e3, max.as_secs_f64() * 1e3);
        within("retry.first_ms", first_ms, 1.0..=HOUR)?;
        within("retry.max_ms", max_ms, first_ms..=HOUR)?;
        Ok(Self { first, max })
    }

    /// The longest wait after so many failures in a row.
    #[must_use]
    pub fn bound(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }

    /// The wait after so many failures in a row: `random` (0 to 1) of the bound, and at least what
    /// the backend `asked` for.
    #[must_use]
    pub fn wait(&self, failures: u32, asked: Option<Duration>, random: f64) -> Duration {
        let share = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
        self.bound(failures).mul_f64(share).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_most() {
        let backoff = Backoff::default();
        let bounds: Vec<_> = (1..10).map(|failures| backoff.bound(failures).as_millis()).collect();
        assert_eq!(bounds, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.bound(u32::MAX).as_millis(), 5000);
    }

    #[test]
    fn a_bound_out_of_range_is_refused_by_name() {
        let second = Duration::from_secs(1);
        let error = Backoff::new(Duration::ZERO, second).unwrap_err();
        assert_eq!(error.to_string(), "retry.first_ms is 0, but must be between 1 and 3600000");
        let error = Backoff::new(second, second / 2).unwrap_err();
        assert_eq!(error.to_string(), "retry.max_ms is 500, but must be between 1000 and 3600000");
    }

    proptest! {
        /// Invariant: a wait is within its bound or exactly what was asked for, whatever the random
        /// number is.
        #[test]
        fn a_wait_is_within_its_bound(
            failures: u32, random: f64, asked in proptest::option::of(0..100_000u64),
        ) {
            let backoff = Backoff::default();
            let asked = asked.map(Duration::from_millis);
            let wait = backoff.wait(failures, asked, random);
            prop_assert!(wait <= backoff.bound(failures).max(asked.unwrap_or_default()));
            prop_assert!(wait >= asked.unwrap_or_default());
        }
    }
}
