//! Which share of the latest attempts did the backend fail?

/// The last 64 attempts, one bit each.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    failed: u64,
    attempts: u32,
}

impl Recent {
    pub(crate) fn push(&mut self, failed: bool) {
        self.failed = self.failed << 1 | u64::from(failed);
        self.attempts = (self.attempts + 1).min(u64::BITS);
    }

    pub(crate) fn error_rate(&self) -> f64 {
        f64::from(self.failed.count_ones()) / f64::from(self.attempts.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_rate_is_of_the_last_64_attempts() {
        let mut recent = Recent::default();
        assert_eq!(recent.error_rate(), 0.0);
        recent.push(true);
        recent.push(false);
        assert_eq!(recent.error_rate(), 0.5);
        (0..62).for_each(|_| recent.push(false));
        assert_eq!(recent.error_rate(), 1.0 / 64.0);
        recent.push(false);
        assert_eq!(recent.error_rate(), 0.0);
    }
}
