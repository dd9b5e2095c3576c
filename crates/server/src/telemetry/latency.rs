//! How long do things take? Counted for ever in buckets, and lately as percentiles.
//!
//! Buckets only grow, as Prometheus wants them. Percentiles over all time would hide what is
//! happening now, so they come from the last window and the one before it.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};
use serde::Serialize;
use tidegate::Moment;

/// Upper ends of the buckets, in seconds.
pub(crate) const BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// How long a window of the percentiles of metrics is.
const WINDOW: Duration = Duration::from_secs(10);
/// How long a window of what a watcher sees is: as short as a few attempts allow.
const WATCHED: Duration = Duration::from_millis(2500);

/// The longest time that is told apart, in microseconds: an hour.
const MICROS_MAX: u64 = 3_600_000_000;

/// Latencies of one kind.
#[derive(Debug)]
pub(crate) struct Latencies {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
    lately: Window<u64>,
    watched: Window<u32>,
}

/// What was recorded in this window of time and in the one before it.
#[derive(Debug)]
struct Window<C: Counter> {
    length: Duration,
    ends: Moment,
    current: Option<Histogram<C>>,
    previous: Option<Histogram<C>>,
}

/// Latencies of the last 10 to 20 seconds, in milliseconds. `null` when there were none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: f64,
    /// 95 of 100 took at most this.
    pub p95: f64,
    /// 99 of 100 took at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Latencies since the beginning, as Prometheus wants them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cumulative {
    pub(crate) seconds: f64,
    pub(crate) count: u64,
    /// Counts of the single buckets, not yet added up; what is over the last one is only in `count`.
    pub(crate) buckets: [u64; BUCKETS.len()],
}

impl<C: Counter> Window<C> {
    fn new(length: Duration) -> Self {
        // Bounds that `Histogram` accepts: an error would only mean no percentiles.
        let empty = || Histogram::new_with_bounds(1, MICROS_MAX, 2).ok();
        Self { length, ends: Moment::ZERO + length, current: empty(), previous: empty() }
    }

    fn record(&mut self, now: Moment, took: Duration, times: C) {
        self.turn(now);
        if let Some(current) = &mut self.current {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            // The value is within the bounds the histogram was made with, so this cannot fail.
            let _ = current.record_n(micros.clamp(1, MICROS_MAX), times);
        }
    }

    /// Begins a new window when the current one is over; both are empty after a long silence.
    fn turn(&mut self, now: Moment) {
        if now < self.ends {
            return;
        }
        let silent = now.since(self.ends) >= self.length;
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.iter_mut().for_each(Histogram::reset);
        if silent {
            self.previous.iter_mut().for_each(Histogram::reset);
        }
        self.ends = now + self.length;
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
    fn percentiles(&mut self, now: Moment) -> Option<Percentiles> {
        self.turn(now);
        let (current, previous) = (self.current.as_ref()?, self.previous.as_ref()?);
        if current.is_empty() && previous.is_empty() {
            return None;
        }
        let mut all = previous.clone();
        all.add(current).ok()?;
        let at = |quantile| all.value_at_quantile(quantile) as f64 / 1e3;
        Some(Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: all.max() as f64 / 1e3,
        })
    }
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            buckets: [0; BUCKETS.len()],
            count: 0,
            seconds: 0.0,
            lately: Window::new(WINDOW),
            watched: Window::new(WATCHED),
        }
    }

    /// Notes that `times` things took this long.
    #[expect(clippy::cast_precision_loss, reason = "a sum of seconds for people")]
    pub(crate) fn record(&mut self, now: Moment, took: Duration, times: u64) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            self.buckets[bucket] += times;
        }
        self.count += times;
        self.seconds += seconds * times as f64;
        self.lately.record(now, took, times);
        self.watched.record(now, took, u32::try_from(times).unwrap_or(u32::MAX));
    }

    pub(crate) fn cumulative(&self) -> Cumulative {
        Cumulative { seconds: self.seconds, count: self.count, buckets: self.buckets }
    }

    /// Of the last 10 to 20 seconds.
    pub(crate) fn percentiles(&mut self, now: Moment) -> Option<Percentiles> {
        self.lately.percentiles(now)
    }

    /// Of the last 2.5 to 5 seconds.
    pub(crate) fn watched(&mut self, now: Moment) -> Option<Percentiles> {
        self.watched.percentiles(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_forget_and_buckets_do_not() {
        let mut latencies = Latencies::new();
        let start = Moment::ZERO;
        latencies.record(start, Duration::from_millis(4), 99);
        latencies.record(start, Duration::from_millis(400), 1);
        let now = latencies.percentiles(start).unwrap();
        assert!((3.9..4.1).contains(&now.p50) && (396.0..404.0).contains(&now.max), "{now:?}");

        latencies.record(start + Duration::from_secs(11), Duration::from_millis(1), 1);
        assert!(latencies.percentiles(start + Duration::from_secs(12)).unwrap().max > 300.0);
        assert!(latencies.percentiles(start + Duration::from_secs(22)).unwrap().max < 2.0);
        assert_eq!(latencies.percentiles(start + Duration::from_secs(99)), None);

        latencies.record(start + Duration::from_secs(100), Duration::from_millis(7), 5);
        assert!(latencies.watched(start + Duration::from_secs(102)).is_some());
        assert_eq!(latencies.watched(start + Duration::from_secs(106)), None);
        assert!(latencies.percentiles(start + Duration::from_secs(106)).is_some());

        let all = latencies.cumulative();
        assert_eq!((all.count, all.buckets[3], all.buckets[9], all.buckets[1]), (106, 99, 1, 1));
    }
}
