//! Can the backend meet the target at all? If what a batch takes whatever its size is more than the
//! target, a smaller one only delivers less.
//!
//! While the target is missed, a size and one of a quarter of it give a line: a fixed part and a
//! part for each item. Where the fixed part alone is over the target, the size goes back to where
//! both parts are alike, and that is said. A batch that meets the target again ends it.

/// How far the size may fall.
#[derive(Debug, Clone, Default)]
pub(super) struct Floor {
    /// A size and its latency in seconds while the target was missed.
    reference: Option<(f64, f64)>,
    /// Sums over batches at most a quarter as large.
    size: f64,
    latency: f64,
    count: f64,
    /// Logarithm of the floor.
    floor: Option<f64>,
}

/// A quarter.
const SMALLER: f64 = 0.25;
/// So many batches tell.
const ENOUGH: f64 = 8.0;

impl Floor {
    /// The logarithm of the size under which a smaller one does not help.
    pub(super) const fn get(&self) -> Option<f64> {
        self.floor
    }

    /// A batch of `size` items took so many seconds. Returns the floor, as a logarithm, when it is
    /// found.
    pub(super) fn hear(&mut self, size: f64, seconds: f64, target_s: f64) -> Option<f64> {
        if seconds <= target_s {
            if self.reference.is_some() {
                *self = Self::default();
            }
            return None;
        }
        let Some((large, took)) = self.reference else {
            self.reference = Some((size, seconds));
            return None;
        };
        if self.floor.is_some() || size > large * SMALLER {
            return None;
        }
        self.size += size;
        self.latency += seconds;
        self.count += 1.0;
        if self.count < ENOUGH {
            return None;
        }
        let (small, brief) = (self.size / self.count, self.latency / self.count);
        let each = ((took - brief) / (large - small)).max(1e-12);
        let fixed = brief - each * small;
        if fixed > target_s {
            self.floor = Some((fixed / each).clamp(small.max(1.0), large).ln());
            return self.floor;
        }
        *self = Self { reference: Some((small, brief)), ..Self::default() };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: where the fixed part is within the target there is no floor, whatever the size
        /// does.
        #[test]
        fn no_floor_where_the_target_can_be_met(
            sizes in proptest::collection::vec(1.0..10_000.0f64, 1..400),
        ) {
            let mut floor = Floor::default();
            for size in sizes {
                prop_assert_eq!(floor.hear(size, 0.002 + 20e-6 * size, 0.003), None);
            }
        }
    }

    #[test]
    fn a_fixed_part_over_the_target_is_a_floor_until_the_target_is_met() {
        let mut floor = Floor::default();
        let mut size = 1000.0;
        let found = (0..100).find_map(|_| {
            size = f64::max(size * 0.8, 1.0);
            floor.hear(size, 0.002 + 20e-6 * size, 0.001)
        });
        assert!((found.unwrap().exp() - 100.0).abs() < 1.0, "{found:?}");
        floor.hear(100.0, 0.0005, 0.001);
        assert_eq!(floor.get(), None);
    }
}
