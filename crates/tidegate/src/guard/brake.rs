//! Something is over its limit: how much less, and for how long? Half at once, back by and by.
//!
//! A brake is a factor on the batch size. Over the limit it halves, at most once in a while, so
//! that what it did can show; well under the limit it recovers by a quarter each time, up to one.
//! Between the two it rests: that is the hysteresis.

use std::time::Duration;

use crate::Moment;

/// A factor on the batch size.
#[derive(Debug, Clone)]
pub struct Brake {
    factor: f64,
    moved_at: Option<Moment>,
}

/// The least factor: something always goes on.
const LEAST: f64 = 1.0 / 64.0;
/// Time between two moves.
const WAIT: Duration = Duration::from_secs(1);
/// Under this share of the limit it recovers.
const WELL_UNDER: f64 = 0.93;

impl Default for Brake {
    fn default() -> Self {
        Self { factor: 1.0, moved_at: None }
    }
}

impl Brake {
    /// The factor on the batch size, above 0 and at most 1.
    #[must_use]
    pub const fn factor(&self) -> f64 {
        self.factor
    }

    /// Hears of `value`, which is to stay under `limit`; whether the factor moved.
    pub fn hear(&mut self, now: Moment, value: f64, limit: f64) -> bool {
        if !value.is_finite() || self.moved_at.is_some_and(|at| now < at + WAIT) {
            return false;
        }
        let to = if value > limit {
            (self.factor * 0.5).max(LEAST)
        } else if value < WELL_UNDER * limit {
            (self.factor * 1.25).min(1.0)
        } else {
            self.factor
        };
        let moved = to != self.factor;
        if moved {
            (self.factor, self.moved_at) = (to, Some(now));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: the factor stays above 0 and at most 1, whatever it hears and when.
        #[test]
        fn a_brake_never_stops_everything(
            heard in proptest::collection::vec((0..100_000u64, any::<f64>(), any::<f64>()), 0..100),
        ) {
            let mut brake = Brake::default();
            for (ms, value, limit) in heard {
                brake.hear(Moment::ZERO + Duration::from_millis(ms), value, limit);
                prop_assert!(brake.factor() > 0.0 && brake.factor() <= 1.0);
            }
        }
    }

    #[test]
    fn half_at_once_and_back_by_and_by() {
        let mut brake = Brake::default();
        let at = |s| Moment::ZERO + Duration::from_secs(s);
        assert!(brake.hear(at(0), 0.95, 0.9));
        assert!(!brake.hear(at(0), 0.99, 0.9), "what it did has not shown yet");
        assert!(brake.hear(at(1), 0.95, 0.9));
        assert!(!brake.hear(at(2), 0.88, 0.9), "near the limit it rests");
        assert_eq!(brake.factor(), 0.25);
        for s in 3..10 {
            brake.hear(at(s), 0.5, 0.9);
        }
        assert_eq!(brake.factor(), 1.0);
    }
}
