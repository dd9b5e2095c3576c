//! How do batches share a backend? Equally, and exactly: processor sharing in virtual work.
//!
//! All batches in service progress at one common speed, so one number, the work that each has been
//! given since the beginning, stands for all of them: a batch that comes in when that number is `v`
//! and needs `w` is done when it reaches `v + w`. A heap by that sum makes each event logarithmic,
//! and nothing is stepped or approximated between events.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use tidegate::Moment;

/// Batches in service.
#[derive(Debug)]
pub struct Sharing {
    cores: f64,
    contention: f64,
    /// Capacity left: 1 is all of it.
    speed: f64,
    /// Others' batches in service.
    others: f64,
    /// Seconds of service that a batch here from the beginning would have had.
    given: f64,
    at: Moment,
    jobs: BinaryHeap<Reverse<Ends>>,
    /// Batch-seconds in service so far.
    busy: f64,
}

#[derive(Debug)]
struct Ends {
    at: f64,
    job: usize,
}

impl Sharing {
    /// Nobody in service.
    #[must_use]
    pub const fn new(cores: f64, contention: f64) -> Self {
        Self {
            cores,
            contention,
            speed: 1.0,
            others: 0.0,
            given: 0.0,
            at: Moment::ZERO,
            jobs: BinaryHeap::new(),
            busy: 0.0,
        }
    }

    /// How much slower each of `n` batches is than one alone: φ(n).
    #[must_use]
    pub fn slowdown(&self, n: f64) -> f64 {
        if n <= self.cores {
            return 1.0;
        }
        (n / self.cores).powf(1.0 + (self.contention * n).min(0.5))
    }

    /// Our batches in service.
    #[must_use]
    pub fn in_service(&self) -> usize {
        self.jobs.len()
    }

    /// All batches in service, others' included.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 batches")]
    pub fn load(&self) -> f64 {
        self.jobs.len() as f64 + self.others
    }

    /// Capacity left: 1 is all of it.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed
    }

    /// Batch-seconds of ours in service so far.
    #[must_use]
    pub const fn busy(&self) -> f64 {
        self.busy
    }

    fn rate(&self) -> f64 {
        self.speed / self.slowdown(self.load())
    }

    /// Serves until `now`.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 batches")]
    pub fn advance(&mut self, now: Moment) {
        let seconds = now.since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        if !self.jobs.is_empty() {
            self.given += seconds * self.rate();
            self.busy += seconds * self.jobs.len() as f64;
        }
    }

    /// From `now` on, this capacity and these others.
    pub fn set(&mut self, now: Moment, speed: f64, others: f64) {
        self.advance(now);
        (self.speed, self.others) = (speed, others);
    }

    /// A batch comes in that needs `seconds` of service.
    pub fn enter(&mut self, now: Moment, job: usize, seconds: f64) {
        self.advance(now);
        self.jobs.push(Reverse(Ends { at: self.given + seconds, job }));
    }

    /// When the next batch is done if nothing changes before.
    #[must_use]
    pub fn next_end(&self) -> Option<Moment> {
        let Reverse(first) = self.jobs.peek()?;
        let seconds = (first.at - self.given).max(0.0) / self.rate();
        Some(self.at + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The batch that is done now leaves.
    pub fn leave(&mut self, now: Moment) -> Option<usize> {
        self.advance(now);
        let Reverse(first) = self.jobs.pop()?;
        // Moments are whole nanoseconds: no batch has less than it needed.
        self.given = self.given.max(first.at);
        Some(first.job)
    }
}

impl PartialEq for Ends {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ends {}

impl PartialOrd for Ends {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ends {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.job.cmp(&other.job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    fn at(ms: f64) -> Moment {
        Moment::ZERO + Duration::from_secs_f64(ms / 1e3)
    }

    /// When each of the batches is done, which come in at these milliseconds and need these.
    fn ends(sharing: &mut Sharing, batches: &[(f64, f64)]) -> Vec<f64> {
        let mut done = vec![0.0; batches.len()];
        let mut coming = batches.iter().enumerate().peekable();
        loop {
            let arrival = coming.peek().map(|(_, (ms, _))| at(*ms));
            match (arrival, sharing.next_end()) {
                (Some(next), end) if end.is_none_or(|end| next < end) => {
                    let (job, (_, needs)) = coming.next().unwrap();
                    sharing.enter(next, job, needs / 1e3);
                }
                (_, Some(end)) => {
                    let job = sharing.leave(end).unwrap();
                    done[job] = end.as_secs_f64() * 1e3;
                }
                (_, None) => return done,
            }
        }
    }

    #[test]
    fn two_batches_on_one_core_take_turns_exactly() {
        // Alone 4 ms (4 done), together 12 ms at half speed (first done at 16), then alone.
        let done = ends(&mut Sharing::new(1.0, 0.0), &[(0.0, 10.0), (4.0, 10.0)]);
        assert!((done[0] - 16.0).abs() < 1e-3 && (done[1] - 20.0).abs() < 1e-3, "{done:?}");
        let free = ends(&mut Sharing::new(2.0, 0.3), &[(0.0, 10.0), (4.0, 10.0)]);
        assert!((free[0] - 10.0).abs() < 1e-3 && (free[1] - 14.0).abs() < 1e-3, "{free:?}");
    }

    #[test]
    fn contention_neighbours_and_lost_capacity_slow_all() {
        let contended = ends(&mut Sharing::new(1.0, 0.1), &[(0.0, 10.0), (0.0, 10.0)]);
        assert!((contended[1] - 10.0 * 2.0_f64.powf(1.2)).abs() < 1e-3, "{contended:?}");
        let mut shared = Sharing::new(1.0, 0.0);
        shared.set(Moment::ZERO, 0.5, 1.0);
        let slowed = ends(&mut shared, &[(0.0, 10.0)]);
        assert!((slowed[0] - 40.0).abs() < 1e-3, "{slowed:?}");
    }

    /// M/M/1 under processor sharing: the mean time in service is S / (1 − ρ).
    #[test]
    fn the_mean_sojourn_is_that_of_queueing_theory() {
        let (mut rng, mut clock) = (Rng::new(5, Stream::Service), 0.0);
        let batches: Vec<_> = (0..200_000)
            .map(|_| {
                clock += rng.exponential(10.0);
                (clock, rng.exponential(6.0))
            })
            .collect();
        let mut sharing = Sharing::new(1.0, 0.0);
        let done = ends(&mut sharing, &batches);
        let total: f64 = done.iter().zip(&batches).map(|(end, (came, _))| end - came).sum();
        let mean = total / 200_000.0;
        assert!((mean / (6.0 / 0.4) - 1.0).abs() < 0.04, "{mean}");
        // Little's law: batch-seconds in service are the sum of the sojourns.
        assert!((sharing.busy() * 1e3 / total - 1.0).abs() < 1e-6);
    }
}
