//! May the sink bear one more retry now? Only as a share of what it is sent for the first time.
//!
//! Backoff bounds how often *one* batch comes back; when many fail at once their retries still add
//! up to more than the load that broke the backend. So retries are paid from a bucket: each first
//! attempt puts in a part of a token, each retry takes one out, and a small steady income keeps an
//! idle lane going. It is what gRPC calls retry throttling and tower a retry budget, with one
//! difference: nothing is dropped here. A retry that cannot be paid waits until it can.
//!
//! The parts of a batch that is searched for a poison item are not paid for: they are not the same
//! batch again, and their number is bounded by [`bisect`](crate::bisect).

use std::time::Duration;

use crate::error::within;
use crate::{Moment, SettingError};

/// A bucket of tokens, one for each retry.
///
/// ```
/// use std::time::Duration;
/// use tidegate::Moment;
/// use tidegate::retry::Budget;
///
/// // One retry for five first attempts, ten a second in any case, ten at once.
/// let mut budget = Budget::new(0.2, 10.0, 10.0)?;
/// let now = Moment::ZERO;
/// for _ in 0..10 {
///     assert_eq!(budget.withdraw(now), Ok(()));
/// }
/// assert_eq!(budget.withdraw(now), Err(now + Duration::from_millis(100)));
/// (0..5).for_each(|_| budget.deposit(now));
/// assert_eq!(budget.withdraw(now), Ok(()));
/// # Ok::<(), tidegate::SettingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    ratio: f64,
    per_second: f64,
    most: f64,
    tokens: f64,
    at: Moment,
}

impl Default for Budget {
    fn default() -> Self {
        Self { ratio: 0.2, per_second: 10.0, most: 10.0, tokens: 10.0, at: Moment::ZERO }
    }
}

impl Budget {
    /// Retries for each first attempt (0 to 10), retries a second in any case (0.01 to 10⁶), and
    /// how many may be saved up (1 to 10⁶). It begins full.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for a number out of its range.
    pub fn new(ratio: f64, per_second: f64, most: f64) -> Result<Self, SettingError> {
        within("retry.budget", ratio, 0.0..=10.0)?;
        within("retry.budget_per_second", per_second, 0.01..=1e6)?;
        within("retry.budget_burst", most, 1.0..=1e6)?;
        Ok(Self { ratio, per_second, most, tokens: most, at: Moment::ZERO })
    }

    /// A batch was sent for the first time.
    pub fn deposit(&mut self, now: Moment) {
        self.earn(now);
        self.tokens = (self.tokens + self.ratio).min(self.most);
    }

    /// Pays for a retry.
    ///
    /// # Errors
    ///
    /// The moment at which there is a token again at the latest; nothing was taken.
    pub fn withdraw(&mut self, now: Moment) -> Result<(), Moment> {
        self.earn(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - self.tokens) / self.per_second;
        // Rounded up to a microsecond, so that whoever waits for it finds the token there.
        let micros = (missing * 1e6).ceil().max(1.0);
        Err(now + Duration::from_secs_f64(micros / 1e6))
    }

    /// Tokens left: retries that could leave at once.
    #[must_use]
    pub fn left(&self, now: Moment) -> f64 {
        let mut seen = *self;
        seen.earn(now);
        seen.tokens
    }

    fn earn(&mut self, now: Moment) {
        let income = now.since(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + income).min(self.most);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: in any stretch of time no more retries are paid than the burst, the income of
        /// that time and the share of the first attempts allow; and who waits as told is paid then.
        #[test]
        fn retries_stay_within_the_budget(
            ratio in 0.0..2.0f64, per_second in 0.1..100.0f64, most in 1.0..20.0f64,
            steps in proptest::collection::vec((0..500u64, 0..3u32, any::<bool>()), 1..200),
        ) {
            let mut budget = Budget::new(ratio, per_second, most).unwrap();
            let (mut now, mut first, mut retries) = (Moment::ZERO, 0u32, 0u32);
            for (ms, attempts, waits) in steps {
                now += Duration::from_millis(ms);
                for _ in 0..attempts {
                    budget.deposit(now);
                    first += 1;
                }
                match budget.withdraw(now) {
                    Ok(()) => retries += 1,
                    Err(at) => {
                        prop_assert!(at > now);
                        if waits {
                            now = at;
                            prop_assert_eq!(budget.withdraw(now), Ok(()));
                            retries += 1;
                        }
                    }
                }
                let earned = now.as_secs_f64() * per_second + f64::from(first) * ratio;
                prop_assert!(f64::from(retries) <= most + earned + 1e-6);
                prop_assert!((0.0..=most).contains(&budget.left(now)));
            }
        }
    }

    #[test]
    fn a_budget_without_income_is_refused() {
        let error = Budget::new(0.1, 0.0, 10.0).unwrap_err();
        assert!(error.to_string().starts_with("retry.budget_per_second is 0"), "{error}");
    }
}
