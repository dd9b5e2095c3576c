//! Where does chance come from? From one seed, in streams of their own.
//!
//! Arrivals, service noise, network, stalls and feedback each draw from their own stream, so that
//! a controller that sends more attempts does not change when items arrive: two controllers under
//! one seed meet the same weather. The generator is `SplitMix64` (Steele, Lea and Flood, 2014): a
//! counter through a mixing function, whole in a few lines, and never different in another release
//! of a dependency. Same seed, same bytes — on one machine; `ln` and `exp` may differ in the last
//! bit between platforms.

/// What a stream is for. Each has its own sequence under every seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// How many items arrive.
    Arrivals = 1,
    /// How long service takes and whether it fails.
    Service,
    /// How long the network takes.
    Network,
    /// When the backend stalls.
    Stalls,
    /// What the backend says of itself.
    Feedback,
    /// What a generated scenario looks like.
    Scenario,
    /// When instances begin.
    Instances,
    /// When checkpoints and silences come.
    Interruptions,
    /// How the capacity wanders.
    Drift,
    /// After how much, and for how long, is written back.
    WriteBack,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
    spare: Option<f64>,
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    /// The stream of that purpose under `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = Self { state: seed, spare: None };
        rng.state = rng.bits() ^ (stream as u64).wrapping_mul(0xA24B_AED4_963E_E407);
        rng.bits();
        rng
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Uniform between 0 and 1, both excluded.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Uniform between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in its logarithm between `low` and `high`, both above 0.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Lognormal with **median** one and spread `sigma`; its mean is exp(σ²/2).
    pub fn lognormal(&mut self, sigma: f64) -> f64 {
        (sigma * self.normal()).exp()
    }

    /// Pareto with that exponent, at least 1 and at most `most`.
    pub fn pareto(&mut self, exponent: f64, most: f64) -> f64 {
        self.uniform().powf(-1.0 / exponent).min(most)
    }

    /// Exponential with that mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }

    /// Poisson with that mean; from 30 on by its normal approximation.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far below 2^64 for any rate that validation lets through"
    )]
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut draw: impl FnMut() -> f64) -> f64 {
        (0..40_000).map(|_| draw()).sum::<f64>() / 40_000.0
    }

    #[test]
    fn each_distribution_has_its_mean() {
        let mut rng = Rng::new(1, Stream::Service);
        assert!((mean(|| rng.uniform()) - 0.5).abs() < 0.01);
        assert!(mean(|| rng.normal()).abs() < 0.02);
        assert!((mean(|| rng.exponential(3.0)) - 3.0).abs() < 0.06);
        assert!((mean(|| rng.lognormal(0.3)) - 0.045_f64.exp()).abs() < 0.01);
        for rate in [0.2, 5.0, 80.0] {
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let found = mean(|| rng.poisson(rate) as f64);
            assert!((found / rate - 1.0).abs() < 0.02, "{rate}: {found}");
        }
        assert!((mean(|| rng.pareto(3.0, 1e9)) - 1.5).abs() < 0.02);
    }

    #[test]
    fn streams_and_seeds_differ_and_repeat() {
        let draw = |seed, stream| Rng::new(seed, stream).bits();
        assert_eq!(draw(7, Stream::Arrivals), draw(7, Stream::Arrivals));
        assert_ne!(draw(7, Stream::Arrivals), draw(7, Stream::Network));
        assert_ne!(draw(7, Stream::Arrivals), draw(8, Stream::Arrivals));
    }
}
