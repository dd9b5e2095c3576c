//! Were smaller batches faster? What sizes delivered on the way is known for nothing.
//!
//! Rates by size, an eighth in logarithms apart, are kept for as long as the concurrency stays and for
//! some hundred batches. A smaller size that did clearly better is no proof, because the backend
//! may have been faster then: it is a reason to ask now.

/// Rates by size.
#[derive(Debug, Clone)]
pub(super) struct Hindsight {
    bins: [(Bin, u32); Self::BINS],
    batches: u32,
}

/// Width of a bin, as a logarithm.
const WIDTH: f64 = 0.125;
/// Batches after which a rate is too old.
const OLD: u32 = 300;
/// What a smaller size must have delivered more, as a logarithm, and by how many errors.
const MORE: f64 = 0.1;
const ERRORS: f64 = 3.0;

/// Batches of about one size.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    n: f64,
    items: f64,
    seconds: f64,
    squares: f64,
}

impl Bin {
    fn push(&mut self, items: f64, seconds: f64) {
        self.n += 1.0;
        self.items += items;
        self.seconds += seconds;
        self.squares += seconds * seconds;
    }

    /// The logarithm of the items in time a second of one attempt.
    fn ln_rate(&self) -> f64 {
        (self.items.max(0.01 * self.n).max(1e-3) / self.seconds.max(1e-9)).ln()
    }

    fn variance(&self) -> f64 {
        let n = self.n.max(1.0);
        let mean = (self.seconds / n).max(1e-9);
        let own = (self.squares / n - mean * mean).max(0.0) / (mean * mean);
        1.3 * ((own * n + 0.02 * 6.0) / (n + 6.0) + 1e-4) / n
    }
}

impl Default for Hindsight {
    fn default() -> Self {
        Self { bins: [(Bin::default(), 0); Self::BINS], batches: 0 }
    }
}

impl Hindsight {
    const BINS: usize = 112;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 112")]
    fn place(ln_size: f64) -> usize {
        (ln_size.max(0.0) / WIDTH).min(111.0) as usize
    }

    /// A full batch of that size delivered `items` in time, in `seconds`.
    pub(super) fn push(&mut self, ln_size: f64, items: f64, seconds: f64) {
        self.batches += 1;
        let now = self.batches;
        let Some((arm, last)) = self.bins.get_mut(Self::place(ln_size)) else { return };
        if now - *last > OLD || arm.n >= 64.0 {
            *arm = Bin::default();
        }
        *last = now;
        arm.push(items, seconds);
    }

    /// The logarithm of a smaller size that was clearly faster than this one.
    pub(super) fn better(&self, ln_size: f64) -> Option<f64> {
        let place = Self::place(ln_size);
        let (here, _) = self.bins.get(place)?;
        if here.n < 4.0 {
            return None;
        }
        let smaller = self.bins.get(..place)?.iter().enumerate();
        let recent = smaller.filter(|(_, (arm, last))| arm.n >= 3.0 && self.batches - last <= OLD);
        let gain = |arm: &Bin| {
            let error = (arm.variance() + here.variance()).sqrt();
            arm.ln_rate() - here.ln_rate() - ERRORS * error
        };
        let best = recent.max_by(|(_, one), (_, other)| gain(&one.0).total_cmp(&gain(&other.0)))?;
        #[expect(clippy::cast_precision_loss, reason = "below 112")]
        let middle = (best.0 as f64 + 0.5) * WIDTH;
        (gain(&best.1.0) > MORE).then_some(middle)
    }

    /// The concurrency or the backend is another.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cliff_shows_on_the_way_up() {
        let mut hindsight = Hindsight::default();
        for step in 0..76 {
            let size = 500.0 * 1.1f64.powi(step / 2);
            let spilled = if size > 5000.0 { 8e-9 * size * size } else { 0.0 };
            for _ in 0..3 {
                hindsight.push(size.ln(), size, 0.002 + 20e-6 * size + spilled);
            }
        }
        let better = hindsight.better(17_003f64.ln()).unwrap().exp();
        assert!((2000.0..6500.0).contains(&better), "{better}");
        assert_eq!(hindsight.better(4000f64.ln()), None);
        hindsight.forget();
        assert_eq!(hindsight.better(18_000f64.ln()), None);
    }
}
