//! How many requests may come? As many as there are tokens in the bucket.

use std::time::Duration;

use tidegate::Moment;

use crate::scenario::backend::RateLimit;

/// A bucket of tokens.
#[derive(Debug)]
pub struct Bucket {
    limit: RateLimit,
    tokens: f64,
    at: Moment,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(limit: RateLimit) -> Self {
        Self { limit, tokens: limit.burst, at: Moment::ZERO }
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// The time that the refusal asks to wait, if there is no token.
    pub fn take(&mut self, now: Moment) -> Result<(), Option<Duration>> {
        let came = now.since(self.at).as_secs_f64() * self.limit.requests_per_s;
        self.tokens = (self.tokens + came).min(self.limit.burst);
        self.at = self.at.max(now);
        // A token that is all there but for rounding counts.
        if self.tokens >= 1.0 - 1e-9 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(self.limit.retry_after_s.and_then(|s| Duration::try_from_secs_f64(s).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_and_then_the_rate_and_not_one_more() {
        let limit = RateLimit { requests_per_s: 40.0, burst: 10.0, retry_after_s: Some(1.0) };
        let mut bucket = Bucket::new(limit);
        let takes = (0..10_001_u64).filter(|ms| {
            let taken = bucket.take(Moment::ZERO + Duration::from_millis(*ms));
            taken.map_err(|wait| assert_eq!(wait, Some(Duration::from_secs(1)))).is_ok()
        });
        // Ten at once, then forty a second for ten seconds, all of them on time.
        assert_eq!(takes.count(), 10 + 400);
    }
}
