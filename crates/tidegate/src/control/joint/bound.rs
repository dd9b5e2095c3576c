//! How many items does the backend take at most? Halve the gap between what it took and what it
//! refused as too large, until they are within 1 %.

/// What was taken, and what was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct SizeBound {
    taken: f64,
    refused: Option<f64>,
}

impl SizeBound {
    /// A batch of `items` was taken.
    pub(super) fn took(&mut self, items: f64) {
        if items > self.taken {
            self.taken = items;
            if self.refused.is_some_and(|refused| refused <= items) {
                self.refused = None;
            }
        }
    }

    /// A batch of `items` was refused as too large.
    pub(super) fn refuse(&mut self, items: f64) {
        self.refused = Some(self.refused.unwrap_or(items).min(items));
        // A bound that has come down: what was taken once says nothing any more.
        if self.taken >= items {
            self.taken = items / 2.0;
        }
    }

    /// The largest size worth trying; `None` if nothing was refused.
    pub(super) fn most(&self) -> Option<f64> {
        let refused = self.refused?;
        let taken = self.taken.max(1.0).min(refused);
        if refused / taken < 1.01 || refused - taken <= 1.0 {
            return Some(taken);
        }
        Some(if taken * 4.0 < refused { refused / 2.0 } else { (taken * refused).sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: any limit is found to within 1 % or one item, by a few refusals.
        #[test]
        fn a_limit_is_found(limit in 1..100_000u32, first in 1..200_000u32) {
            let mut bound = SizeBound::default();
            let (limit, mut refusals) = (f64::from(limit), 0);
            let mut size = f64::from(first);
            for _ in 0..60 {
                if size > limit {
                    bound.refuse(size);
                    refusals += 1;
                } else {
                    bound.took(size);
                }
                size = bound.most().unwrap_or(size * 2.0).floor().max(1.0);
            }
            prop_assert!(size <= limit && size >= (limit * 0.98 - 1.0).floor(), "{size} of {limit}");
            prop_assert!(refusals <= 28, "{refusals}");
        }
    }
}
