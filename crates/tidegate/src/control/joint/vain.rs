//! Does a smaller batch take less? Where it does not, falling is in vain.
//!
//! Latencies that differ much ask for a wide margin, and what is then allowed may be less than what
//! a batch takes whatever its size is. The size would fall to one item, each step as reasonable as
//! the one before, and next to nothing would be delivered; a batch that is late now and then is
//! better. So while the size falls, the batches at the beginning of the fall are held against those
//! of half their size or less. If these took hardly less, the size goes back to where the fixed part
//! of a batch and its items cost alike, and stays there for a while.
//!
//! Both groups are of the same fall: a backend that has become slower is slower for both.

use std::time::Duration;

use crate::Moment;

/// What the fall has shown so far.
#[derive(Debug, Clone)]
pub(super) struct Vain {
    large: Group,
    small: Group,
    floor: Option<Held>,
    hold: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    ln_size: f64,
    until: Moment,
}

/// Batches of about one size: sums of logarithms.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    count: f64,
    ln_size: f64,
    ln_latency: f64,
}

/// So far below the size must be what batches imply, as a logarithm, to call it a fall.
const FALLING: f64 = -0.1;
/// So many batches begin a fall, and so many smaller ones judge it.
const LARGE: f64 = 10.0;
const SMALL: f64 = 12.0;
/// The share of the way down that latency must come along.
const HELPS: f64 = 0.25;
/// How long it is believed, at first and at most.
const HOLD: Duration = Duration::from_secs(10);
const HOLD_MOST: Duration = Duration::from_secs(60);

impl Default for Vain {
    fn default() -> Self {
        Self { large: Group::default(), small: Group::default(), floor: None, hold: HOLD }
    }
}

impl Group {
    fn push(&mut self, ln_size: f64, ln_latency: f64) {
        self.count += 1.0;
        self.ln_size += ln_size;
        self.ln_latency += ln_latency;
    }

    fn mean(&self) -> (f64, f64) {
        let count = self.count.max(1.0);
        (self.ln_size / count, self.ln_latency / count)
    }
}

impl Vain {
    /// The logarithm of the size under which a smaller one does not help.
    pub(super) fn floor(&self) -> Option<f64> {
        self.floor.map(|held| held.ln_size)
    }

    /// A batch of exp(`ln_size`) items took exp(`ln_latency`) seconds; what batches imply has lately
    /// been exp(`error`) times the size. Returns the floor, as a logarithm, when it is found.
    pub(super) fn hear(
        &mut self,
        now: Moment,
        (ln_size, ln_latency): (f64, f64),
        error: f64,
    ) -> Option<f64> {
        if let Some(held) = self.floor {
            if now < held.until {
                return None;
            }
            self.floor = None;
        }
        if error > FALLING {
            self.begin();
            return None;
        }
        if self.large.count < LARGE {
            self.large.push(ln_size, ln_latency);
            return None;
        }
        let (large, took) = self.large.mean();
        if ln_size > large - std::f64::consts::LN_2 {
            return None;
        }
        self.small.push(ln_size, ln_latency);
        if self.small.count < SMALL {
            return None;
        }
        let (small, brief) = self.small.mean();
        if took - brief > HELPS * (large - small) {
            (self.large, self.small) = (self.small, Group::default());
            return None;
        }
        let ln_size = alike((large.exp(), took.exp()), (small.exp(), brief.exp())).ln();
        self.floor = Some(Held { ln_size, until: now + self.hold });
        self.hold = (self.hold * 2).min(HOLD_MOST);
        self.begin();
        Some(ln_size)
    }

    /// The backend has changed, or is said to have.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn begin(&mut self) {
        (self.large, self.small) = (Group::default(), Group::default());
    }
}

/// The size whose items take as long as the fixed part, on the line through both; between them.
fn alike((large, took): (f64, f64), (small, brief): (f64, f64)) -> f64 {
    let each = ((took - brief) / (large - small).max(1e-9)).max(1e-12);
    ((brief - each * small) / each).clamp(small, large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A size that falls by a fifth a batch, on a backend of a fixed part and 20 µs an item.
    fn fall(fixed: f64, from: f64, to: f64) -> Option<f64> {
        let (mut vain, mut size, mut now) = (Vain::default(), from, Moment::ZERO);
        (0..200).find_map(|batch| {
            now += Duration::from_millis(20);
            size = if batch % 4 == 0 { f64::max(size * 0.8, to) } else { size };
            vain.hear(now, (size.ln(), (fixed + 20e-6 * size).ln()), -0.3)
        })
    }

    #[test]
    fn a_fall_that_does_not_help_ends_where_both_parts_cost_alike() {
        let floor = fall(0.02, 2000.0, 1.0).unwrap().exp();
        assert!((500.0..1500.0).contains(&floor), "{floor}");
    }

    #[test]
    fn a_fall_that_helps_goes_on() {
        assert_eq!(fall(0.001, 20_000.0, 400.0), None);
    }

    #[test]
    fn it_is_believed_for_a_while() {
        let (mut vain, mut now) = (Vain::default(), Moment::ZERO);
        let mut found = None;
        for batch in 0..40 {
            now += Duration::from_millis(10);
            let size: f64 = if batch < 12 { 1000.0 } else { 100.0 };
            found = found.or(vain.hear(now, (size.ln(), 0.03f64.ln()), -0.5));
        }
        assert!(found.is_some() && vain.floor() == found);
        vain.hear(now + HOLD, (0.0, 0.0), 0.0);
        assert_eq!(vain.floor(), None);
    }

    proptest! {
        /// Invariant: a floor is a size that was sent, or between two that were.
        #[test]
        fn a_floor_is_between_what_was_sent(
            batches in proptest::collection::vec((1.0..20_000.0f64, 1e-4..10.0f64), 0..400),
        ) {
            let (mut vain, mut now) = (Vain::default(), Moment::ZERO);
            let least = batches.iter().map(|(size, _)| *size).fold(f64::INFINITY, f64::min);
            let most = batches.iter().map(|(size, _)| *size).fold(0.0, f64::max);
            for (size, seconds) in batches {
                now += Duration::from_millis(10);
                if let Some(floor) = vain.hear(now, (size.ln(), seconds.ln()), -0.5) {
                    prop_assert!((least * 0.999..=most * 1.001).contains(&floor.exp()));
                }
            }
        }
    }
}
