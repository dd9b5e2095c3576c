//! What were the last attempts like? A few as they were, and all of them by batch size.
//!
//! Whoever watches wants to see single attempts, and a lane makes up to thousands of them a second:
//! of those between two looks an even sample is kept, by leaving out every second one whenever there
//! are too many. What all of them add up to is counted by size, in bins of a fifth of an octave.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate::{FlushReason, Moment, Outcome, Sample};

/// Attempts that are kept between two looks.
const FRESH_MAX: usize = 4;
/// Attempts that are kept in all.
const KEPT_MAX: usize = 1024;
/// Of how many of the last batches it is told why they left.
const FLUSHES: usize = 8;
/// How long a generation of bins is; there are two.
const GENERATION: Duration = Duration::from_secs(300);
/// Bins of an octave of batch size.
const BINS_OF_OCTAVE: f64 = 5.0;
/// Attempts in a row whose mean counts as one observation, so that what lasts a few attempts does
/// not look like many of them.
const BLOCK: u32 = 8;

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) at: Moment,
    pub(crate) items: u32,
    pub(crate) bytes: u64,
    pub(crate) latency: Duration,
    pub(crate) in_flight: u32,
    pub(crate) full: bool,
    pub(crate) reason: Option<FlushReason>,
    pub(crate) outcome: Outcome,
    /// How many attempts it was taken from.
    pub(crate) stands_for: u32,
}

/// The attempts of one lane.
#[derive(Debug)]
pub(crate) struct Tap {
    fresh: Vec<Point>,
    /// Attempts since the last look, and one in how many of them is kept.
    seen: u32,
    stride: u32,
    kept: VecDeque<Point>,
    flushed: VecDeque<Option<FlushReason>>,
    bins: [Bins; 2],
    turns_at: Moment,
}

impl Default for Tap {
    fn default() -> Self {
        Self {
            fresh: Vec::with_capacity(FRESH_MAX),
            seen: 0,
            stride: 1,
            kept: VecDeque::new(),
            flushed: VecDeque::with_capacity(FLUSHES),
            bins: Default::default(),
            turns_at: Moment::ZERO + GENERATION,
        }
    }
}

impl Tap {
    /// An attempt was answered. Without a reason its batch had been sent before.
    pub(crate) fn note(&mut self, sample: &Sample, reason: Option<FlushReason>) {
        let sent = &sample.sent;
        if self.flushed.len() == FLUSHES {
            self.flushed.pop_front();
        }
        self.flushed.push_back(reason);
        if self.seen.is_multiple_of(self.stride) {
            if self.fresh.len() == FRESH_MAX {
                let mut keep = false;
                self.fresh.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.stride = self.stride.saturating_mul(2);
            }
            if self.seen.is_multiple_of(self.stride) {
                self.fresh.push(Point {
                    at: sample.at,
                    items: sent.items,
                    bytes: sent.bytes,
                    latency: sample.latency,
                    in_flight: sent.in_flight,
                    full: sent.full,
                    reason,
                    outcome: sample.outcome,
                    stands_for: 1,
                });
            }
        }
        self.seen = self.seen.saturating_add(1);
        if sample.outcome == Outcome::Ok && sent.items > 0 {
            self.turn(sample.at);
            self.bins[0].note(sent.items, sample.latency, sent.full);
        }
    }

    fn turn(&mut self, now: Moment) {
        if now < self.turns_at {
            return;
        }
        self.turns_at = now + GENERATION;
        self.bins.swap(0, 1);
        self.bins[0] = Bins::default();
    }

    /// The attempts since the last look.
    pub(crate) fn look(&mut self) -> Vec<Point> {
        let mut fresh = std::mem::take(&mut self.fresh);
        let each = self.seen / u32::try_from(fresh.len().max(1)).unwrap_or(1);
        fresh.iter_mut().for_each(|point| point.stands_for = each.max(1));
        (self.seen, self.stride) = (0, 1);
        for point in &fresh {
            if self.kept.len() == KEPT_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back(*point);
        }
        fresh
    }

    /// The attempts of earlier looks, the oldest first.
    pub(crate) fn kept(&self) -> Vec<Point> {
        self.kept.iter().copied().collect()
    }

    /// Why the last batches left, the newest last.
    pub(crate) fn flushed(&self) -> impl Iterator<Item = Option<FlushReason>> {
        self.flushed.iter().copied()
    }

    /// What attempts of about the same size add up to, over the last 5 to 10 minutes.
    pub(crate) fn bins(&self) -> Vec<Bin> {
        let [now, before] = &self.bins;
        let mut all = before.0.clone();
        for (place, bin) in now.0.iter().enumerate() {
            match all.get_mut(place) {
                Some(other) => other.add(bin),
                None => all.push(bin.clone()),
            }
        }
        all.retain(|bin| bin.attempts > 0);
        all
    }
}

#[derive(Debug, Default)]
struct Bins(Vec<Bin>);

impl Bins {
    fn note(&mut self, items: u32, latency: Duration, full: bool) {
        let place = place(items);
        if self.0.len() <= place {
            self.0.resize_with(place + 1, Bin::default);
        }
        if let Some(bin) = self.0.get_mut(place) {
            bin.note(items, latency, full);
        }
    }
}

/// Which bin a size belongs to.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 160")]
pub(crate) fn place(items: u32) -> usize {
    (f64::from(items.max(1)).log2() * BINS_OF_OCTAVE) as usize
}

/// Latencies are told apart by this factor.
const STEP: f64 = 1.15;
/// The least latency that is told apart, in seconds.
const LEAST: f64 = 20e-6;
/// So that the largest is over ten minutes.
const STEPS: usize = 128;

/// Attempts of about the same size that were delivered whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Bin {
    pub(crate) attempts: u64,
    pub(crate) items_min: u32,
    pub(crate) items_max: u32,
    pub(crate) items: u64,
    pub(crate) seconds: f64,
    latencies: Vec<u32>,
    pub(crate) rates: Rates,
}

impl Bin {
    fn note(&mut self, items: u32, latency: Duration, full: bool) {
        let seconds = latency.as_secs_f64();
        self.items_min = if self.attempts == 0 { items } else { self.items_min.min(items) };
        self.items_max = self.items_max.max(items);
        self.attempts += 1;
        self.items += u64::from(items);
        self.seconds += seconds;
        if self.latencies.is_empty() {
            self.latencies = vec![0; STEPS];
        }
        if let Some(count) = self.latencies.get_mut(step(seconds)) {
            *count = count.saturating_add(1);
        }
        if full {
            self.rates.note((f64::from(items) / seconds.max(1e-6)).ln());
        }
    }

    fn add(&mut self, other: &Self) {
        if other.attempts == 0 {
            return;
        }
        let least = if self.attempts == 0 { other.items_min } else { self.items_min };
        self.items_min = least.min(other.items_min);
        self.items_max = self.items_max.max(other.items_max);
        self.attempts += other.attempts;
        self.items += other.items;
        self.seconds += other.seconds;
        self.latencies.resize(STEPS, 0);
        for (count, more) in self.latencies.iter_mut().zip(&other.latencies) {
            *count = count.saturating_add(*more);
        }
        self.rates.add(&other.rates);
    }

    /// The latency, in seconds, that this share of the attempts does not exceed: right within 7 %.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "counts; 0 to 128")]
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut left = share * self.attempts as f64;
        for (step, count) in self.latencies.iter().enumerate() {
            left -= f64::from(*count);
            if left <= 0.0 {
                return LEAST * STEP.powi(step as i32) * STEP.sqrt();
            }
        }
        self.seconds / self.attempts.max(1) as f64
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 127")]
fn step(seconds: f64) -> usize {
    let steps = (seconds.max(LEAST) / LEAST).ln() / STEP.ln();
    (steps as usize).min(STEPS - 1)
}

/// Logarithms of items a second, in blocks of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Rates {
    in_block: u32,
    of_block: f64,
    pub(crate) blocks: u32,
    sum: f64,
    squares: f64,
}

impl Rates {
    fn note(&mut self, ln_rate: f64) {
        self.in_block += 1;
        self.of_block += ln_rate;
        if self.in_block == BLOCK {
            let mean = self.of_block / f64::from(BLOCK);
            self.blocks += 1;
            self.sum += mean;
            self.squares += mean * mean;
            (self.in_block, self.of_block) = (0, 0.0);
        }
    }

    fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Attempts in whole blocks.
    pub(crate) fn attempts(&self) -> u64 {
        u64::from(self.blocks) * u64::from(BLOCK)
    }

    /// The mean of the blocks, and the variance of that mean.
    pub(crate) fn mean(&self) -> Option<(f64, f64)> {
        let n = f64::from(self.blocks);
        if self.blocks < 2 {
            return None;
        }
        let mean = self.sum / n;
        let variance = ((self.squares - n * mean * mean) / (n - 1.0)).max(0.0);
        Some((mean, variance / n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate::{Epoch, Sent};

    fn sample(at_ms: u64, items: u32, latency_ms: u64) -> Sample {
        let (at, latency) =
            (Moment::ZERO + Duration::from_millis(at_ms), Duration::from_millis(latency_ms));
        let sent = Sent {
            at,
            epoch: Epoch::default(),
            target: items,
            items,
            bytes: 10,
            in_flight: 1,
            full: true,
        };
        Sample {
            sent,
            at: at + latency,
            latency,
            delivered_meanwhile: 0,
            outcome: Outcome::Ok,
            queue_items: 0,
            feedback: None,
        }
    }

    proptest! {
        /// Invariant: a look gives at most four attempts, evenly far apart, the first among them, and
        /// everything if there were no more.
        #[test]
        fn a_look_is_an_even_sample(counts in proptest::collection::vec(0..3_000u32, 1..6)) {
            let mut tap = Tap::default();
            for count in counts {
                for n in 0..count {
                    tap.note(&sample(u64::from(n), n + 1, 1), None);
                }
                let items: Vec<u32> = tap.look().iter().map(|point| point.items).collect();
                prop_assert!(items.len() <= FRESH_MAX);
                prop_assert!(items.len() >= FRESH_MAX.min(count as usize) / 2);
                prop_assert_eq!(items.first().copied(), (count > 0).then_some(1));
                let steps: Vec<u32> = items.windows(2).map(|two| two[1] - two[0]).collect();
                prop_assert!(steps.windows(2).all(|two| two[0] == two[1]), "{:?}", items);
                if count as usize <= FRESH_MAX {
                    prop_assert_eq!(items.len(), count as usize);
                }
            }
            prop_assert!(tap.kept().len() <= KEPT_MAX);
        }
    }

    #[test]
    fn attempts_of_a_size_add_up_and_are_forgotten() {
        let mut tap = Tap::default();
        for n in 0..100 {
            tap.note(&sample(n, 1000, 50), None);
            tap.note(&sample(n, 10, 2), None);
        }
        let bins = tap.bins();
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[1].attempts, bins[1].items_min, bins[1].items_max), (100, 1000, 1000));
        assert!((0.046..0.054).contains(&bins[1].quantile(0.5)), "{}", bins[1].quantile(0.5));
        let (mean, variance) = bins[1].rates.mean().unwrap();
        assert!((mean.exp() - 20_000.0).abs() < 1.0 && variance < 1e-9);
        assert_eq!(bins[1].rates.attempts(), 96);
        tap.note(&sample(300_000, 10, 2), None);
        assert_eq!(tap.bins().len(), 2, "the generation before still counts");
        tap.note(&sample(600_001, 10, 2), None);
        assert_eq!(tap.bins().len(), 1);
    }
}
