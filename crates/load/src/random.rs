//! Where does chance come from, when a run must be repeatable?
//!
//! From one seed: every stream (a connection's templates, the bursts, a retry's jitter) is split
//! off it by number, so that adding a connection changes no other stream. The generator is
//! SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014): eight
//! bytes of state, good enough for load, and no dependency. Not for secrets.

use std::hash::{BuildHasher, RandomState};

/// The step of SplitMix64: 2⁶⁴ divided by the golden ratio.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of random numbers that its seed decides.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream with the number `stream` of this seed.
    #[must_use]
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut start = Self { state: seed ^ stream.wrapping_mul(GAMMA).rotate_left(17) };
        let state = start.next_u64();
        Self { state }
    }

    /// The next 64 bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias of at most `bound` / 2⁶⁴ is of no
    /// consequence here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A fraction in `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An exponentially distributed span with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.fraction()).ln()
    }

    /// One of `choices`, or `fallback` when there are none.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T], fallback: T) -> T {
        let at = self.below(choices.len() as u64);
        usize::try_from(at).ok().and_then(|at| choices.get(at)).copied().unwrap_or(fallback)
    }
}

/// Sixty-four bits that differ from run to run: the keys that the standard library draws for its
/// hash maps. The edge at which chance enters; everything behind it is told a seed.
#[must_use]
pub(crate) fn ambient() -> u64 {
    RandomState::new().hash_one(GAMMA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_its_streams_and_streams_differ() {
        let take = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.next_u64(), random.next_u64(), random.next_u64()]
        };
        assert_eq!(take(1, 2), take(1, 2));
        assert_ne!(take(1, 2), take(1, 3));
        assert_ne!(take(1, 2), take(2, 2));
    }

    #[test]
    fn draws_stay_in_their_bounds_and_near_their_means() {
        let mut random = Random::new(7, 0);
        let draws = 100_000;
        let mut sum = 0.0;
        for _ in 0..draws {
            assert!(random.below(10) < 10);
            assert!((0.0..1.0).contains(&random.fraction()));
            sum += random.exponential(2.0);
        }
        let mean = sum / f64::from(draws);
        assert!((1.9..2.1).contains(&mean), "{mean}");
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick(&[], 9), 9);
    }
}
