//! When is what was written written back? Once there is enough of it, whatever the hour.

use std::time::Duration;

use tidegate::Moment;

use crate::rng::{Rng, Stream};
use crate::scenario::weather::{Between, WriteBack};

/// What was written since it was last written back.
#[derive(Debug)]
pub(super) struct Volume {
    spec: WriteBack,
    chance: Rng,
    /// Items until the next time.
    left: f64,
    ends: Option<Moment>,
}

impl Volume {
    pub(super) fn new(spec: WriteBack, seed: u64) -> Self {
        let mut chance = Rng::new(seed, Stream::WriteBack);
        let left = draw(&mut chance, spec.every_items);
        Self { spec, chance, left, ends: None }
    }

    /// A batch is written; whether writing back begins with it.
    pub(super) fn written(&mut self, now: Moment, items: u32) -> bool {
        self.left -= f64::from(items);
        if self.left > 0.0 || self.ends.is_some() {
            return false;
        }
        self.left += draw(&mut self.chance, self.spec.every_items);
        let lasts = draw(&mut self.chance, self.spec.for_s);
        self.ends = Some(now + Duration::from_secs_f64(lasts));
        true
    }

    /// When it is over, if it is going on.
    pub(super) const fn ends(&self) -> Option<Moment> {
        self.ends
    }

    /// Whether it is over now.
    pub(super) fn is_over(&mut self, now: Moment) -> bool {
        self.ends.take_if(|ends| *ends <= now).is_some()
    }

    /// What it leaves of the capacity.
    pub(super) const fn capacity(&self) -> f64 {
        if self.ends.is_some() { self.spec.capacity } else { 1.0 }
    }
}

fn draw(chance: &mut Rng, between: Between) -> f64 {
    chance.between(between.from, between.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_by_volume_and_lasts_as_long_as_it_says() {
        let every_items = Between { from: 100.0, to: 100.0 };
        let for_s = Between { from: 0.04, to: 0.04 };
        let mut volume = Volume::new(WriteBack { every_items, for_s, capacity: 0.25 }, 1);
        let at = |ms| Moment::ZERO + Duration::from_millis(ms);
        assert!(!volume.written(at(0), 60));
        assert!(volume.written(at(1), 60));
        assert!((volume.capacity() - 0.25).abs() < 1e-9);
        assert_eq!(volume.ends(), Some(at(41)));
        // While it goes on it does not begin again, but what is written counts.
        assert!(!volume.written(at(2), 90));
        assert!(!volume.is_over(at(40)) && volume.is_over(at(41)));
        assert!((volume.capacity() - 1.0).abs() < 1e-9);
        assert!(volume.written(at(42), 1));
    }
}
