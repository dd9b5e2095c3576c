//! What has happened so far? Samples in, everything that is shown out.
//!
//! Pure: it is told what the server said and when. Both views draw from it, and the summary of the
//! first part is read from it.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;

use super::args::{Controller, DemoArgs};
use super::plan::{Phase, Plan};
use super::slots::slots;
use super::watch::{Decision, Metrics};
use super::words::float;

/// Points that are kept: more than an hour of five a second.
const POINTS: usize = 20_000;
/// Changes of plan that are kept.
const MOVES: usize = 32;
/// Rates are means over the last second.
const RATE: Duration = Duration::from_secs(1);

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Since the load began.
    pub(super) at: Duration,
    pub(super) phase: Phase,
    pub(super) accepted: u64,
    pub(super) delivered: u64,
    pub(super) misses: u64,
    pub(super) batch_size: u64,
}

/// Changes of plan in one direction, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// When the last of them was seen.
    pub(super) at: Duration,
    pub(super) from: u64,
    pub(super) to: u64,
    /// How many.
    pub(super) times: u64,
    /// The reason of the last.
    pub(super) reason: String,
}

/// What became of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Chapter {
    /// Its name.
    pub(super) phase: &'static str,
    /// How long it took.
    pub(super) seconds: f64,
    /// Events acknowledged a second.
    pub(super) accepted_per_second: f64,
    /// Events delivered a second.
    pub(super) delivered_per_second: f64,
    /// The smallest batch size seen.
    pub(super) batch_size_min: u64,
    /// The largest batch size seen.
    pub(super) batch_size_max: u64,
    /// The batch size at its end.
    pub(super) batch_size: u64,
    /// Attempts over the target.
    pub(super) misses: u64,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    /// How long the load is meant to last.
    pub(super) length: Duration,
    /// Events a second that come in, in the mean.
    pub(super) rate: f64,
    /// Who finds the batch size.
    pub(super) controller: Controller,
    /// What batches should stay under, in milliseconds.
    pub(super) target_ms: f64,
    /// Where the same can be watched in a browser.
    pub(super) dashboard: String,
    /// When the neighbour was there, and whether it still is.
    pub(super) neighbour: Option<(Range<Duration>, bool)>,
    /// What the server said last.
    pub(super) now: Metrics,
    points: VecDeque<Point>,
    moves: VecDeque<Move>,
    decisions_seen: u64,
    /// The batch size after the last decision that was seen.
    size: u64,
}

impl Story {
    /// The beginning.
    pub(super) fn new(plan: &Plan, args: &DemoArgs, dashboard: String) -> Self {
        Self {
            dashboard,
            length: plan.length,
            rate: plan.rate,
            controller: args.controller,
            size: u64::from(args.initial_batch),
            target_ms: args.target.as_secs_f64() * 1e3,
            ..Self::default()
        }
    }

    /// The neighbour came.
    pub(super) fn neighbour_came(&mut self, at: Duration) {
        self.neighbour = Some((at..at, true));
    }

    /// The neighbour left.
    pub(super) fn neighbour_left(&mut self, at: Duration) {
        if let Some((span, there)) = &mut self.neighbour {
            span.end = at;
            *there = false;
        }
    }

    /// What the server said `at` a moment.
    pub(super) fn note(&mut self, at: Duration, phase: Phase, metrics: Metrics) {
        let lane = metrics.lane();
        if let Some((span, true)) = &mut self.neighbour {
            span.end = at;
        }
        if self.points.len() >= POINTS {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            at,
            phase,
            accepted: metrics.ingest.accepted,
            delivered: lane.delivered,
            misses: lane.misses,
            batch_size: lane.plan.batch_size,
        });
        self.decide(at, lane.decisions_total, &lane.decisions);
        self.now = metrics;
    }

    /// Takes in what was decided since the last look. More may have been than the server shows:
    /// those count with the first that it does.
    fn decide(&mut self, at: Duration, total: u64, shown: &[Decision]) {
        let fresh = total.saturating_sub(self.decisions_seen);
        self.decisions_seen = total;
        let count = usize::try_from(fresh).unwrap_or(usize::MAX).min(shown.len());
        let mut unseen = fresh - count as u64;
        for decision in shown.iter().skip(shown.len() - count) {
            let (from, to) = (decision.from.batch_size, decision.to.batch_size);
            let times = 1 + std::mem::take(&mut unseen);
            let from = if times > 1 { self.size } else { from };
            self.size = to;
            let reason = decision.reason.clone();
            match self.moves.back_mut() {
                Some(last) if (last.to > last.from) == (to > from) => {
                    *last = Move { at, from: last.from, to, times: last.times + times, reason };
                }
                _ => {
                    if self.moves.len() >= MOVES {
                        self.moves.pop_front();
                    }
                    self.moves.push_back(Move { at, from, to, times, reason });
                }
            }
        }
    }

    /// Since the load began.
    pub(super) fn elapsed(&self) -> Duration {
        self.points.back().map_or(Duration::ZERO, |point| point.at)
    }

    /// What is happening.
    pub(super) fn phase(&self) -> Phase {
        self.points.back().map_or(Phase::Before, |point| point.phase)
    }

    /// What the charts show: the whole load, and longer if it takes longer.
    pub(super) fn span(&self) -> Duration {
        self.length.max(self.elapsed())
    }

    /// Events accepted and delivered a second, over the last second.
    pub(super) fn rates(&self) -> (f64, f64) {
        let Some(last) = self.points.back() else { return (0.0, 0.0) };
        let from = last.at.saturating_sub(RATE);
        let first = self.points.iter().rev().take_while(|point| point.at >= from).last();
        first.map_or((0.0, 0.0), |first| rates(first, last))
    }

    /// The last moves, the newest first.
    pub(super) fn moves(&self) -> impl Iterator<Item = &Move> {
        self.moves.iter().rev()
    }

    /// The batch size over time, in `columns` equal slots of [`span`](Self::span).
    pub(super) fn batch_sizes(&self, columns: usize) -> Vec<Option<f64>> {
        let values = self.points.iter().map(|point| (point.at, float(point.batch_size)));
        slots(values, self.span(), columns)
    }

    /// Events delivered a second over time, in slots as above.
    pub(super) fn deliveries(&self, columns: usize) -> Vec<Option<f64>> {
        let pairs = self.points.iter().zip(self.points.iter().skip(1));
        let values = pairs.map(|(from, to)| (to.at, rates(from, to).1));
        slots(values, self.span(), columns)
    }

    /// What became of a phase; nothing if it was too short to be seen twice.
    pub(super) fn chapter(&self, phase: Phase) -> Option<Chapter> {
        // From the last point before the phase, so that chapters add up to the whole.
        let begin = self.points.iter().position(|point| point.phase == phase)?;
        let points = || self.points.iter().filter(|point| point.phase == phase);
        let first = self.points.get(begin.saturating_sub(1))?;
        let last = points().next_back().filter(|last| last.at > first.at)?;
        let (accepted_per_second, delivered_per_second) = rates(first, last);
        Some(Chapter {
            phase: phase.label(),
            seconds: (last.at - first.at).as_secs_f64(),
            accepted_per_second,
            delivered_per_second,
            batch_size_min: points().map(|point| point.batch_size).min().unwrap_or(0),
            batch_size_max: points().map(|point| point.batch_size).max().unwrap_or(0),
            batch_size: last.batch_size,
            misses: last.misses.saturating_sub(first.misses),
        })
    }
}

/// Events accepted and delivered a second between two points.
fn rates(from: &Point, to: &Point) -> (f64, f64) {
    let seconds = to.at.saturating_sub(from.at).as_secs_f64();
    let rate = |from: u64, to: u64| match seconds {
        seconds if seconds > 0.0 => float(to.saturating_sub(from)) / seconds,
        _ => 0.0,
    };
    (rate(from.accepted, to.accepted), rate(from.delivered, to.delivered))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::plan::tests::args;
    use super::super::watch::{Figures, Ingest, Lane, Percentiles};
    use super::*;

    fn figures(batch_size: u64) -> Figures {
        Figures { batch_size, concurrency: 1.0, linger_ms: 0.0 }
    }

    fn decision(from: u64, to: u64) -> Decision {
        let reason = format!("{from} took 20 ms of 50 ms allowed");
        Decision { reason, from: figures(from), to: figures(to) }
    }

    pub(crate) fn metrics(delivered: u64, size: u64, total: u64, shown: Vec<Decision>) -> Metrics {
        let lane = Lane {
            plan: figures(size),
            backlog: 1_200,
            delivered,
            attempts: delivered / 100,
            misses: delivered / 10_000,
            attempt_latency_ms: Some(Percentiles { p50: 4.2, p99: 61.0 }),
            delivery_latency_ms: Some(Percentiles { p50: 9.0, p99: 1_310.0 }),
            decisions_total: total,
            decisions: shown,
        };
        Metrics { ingest: Ingest { accepted: delivered + 1_200 }, lanes: vec![lane] }
    }

    /// Ten seconds of a load of 25, the neighbour there since the eighth.
    pub(crate) fn sample() -> Story {
        let args = args("");
        let mut story =
            Story::new(&Plan::new(&args).unwrap(), &args, "http://127.0.0.1:8080/".into());
        let mut size = 100;
        for tick in 0..=50u64 {
            let at = Duration::from_millis(tick * 200);
            let next = if tick < 40 { size + 10 } else { size * 9 / 10 };
            if tick == 40 {
                story.neighbour_came(at);
            }
            let phase = if tick < 40 { Phase::Before } else { Phase::Neighbour };
            let shown = vec![decision(size, next)];
            story.note(at, phase, metrics(tick * 20_000, next, tick + 1, shown));
            size = next;
        }
        story
    }

    #[test]
    fn moves_in_one_direction_are_told_as_one() {
        let story = sample();
        let moves: Vec<_> = story.moves().map(|one| (one.from, one.to, one.times)).collect();
        assert_eq!(moves, [(500, story.now.lane().plan.batch_size, 11), (100, 500, 40)]);
    }

    #[test]
    fn decisions_that_the_server_no_longer_shows_are_counted() {
        let mut story = Story { size: 100, ..Story::default() };
        story.note(Duration::ZERO, Phase::Before, metrics(0, 130, 30, vec![decision(110, 120)]));
        let first = story.moves().next().unwrap();
        assert_eq!((first.times, first.from, first.to), (30, 100, 120));
        story.note(Duration::ZERO, Phase::Before, metrics(0, 130, 30, vec![decision(110, 120)]));
        assert_eq!(story.moves().next().unwrap().times, 30, "told twice");
    }

    #[test]
    fn rates_and_chapters_come_from_the_counts() {
        let story = sample();
        let (accepted, delivered) = story.rates();
        assert!((delivered - 100_000.0).abs() < 1.0 && (accepted - 100_000.0).abs() < 1.0);
        let before = story.chapter(Phase::Before).unwrap();
        assert_eq!((before.batch_size_min, before.batch_size), (110, 500));
        let neighbour = story.chapter(Phase::Neighbour).unwrap();
        assert!((neighbour.seconds - 2.2).abs() < 1e-9 && neighbour.batch_size < 200);
        assert_eq!(story.chapter(Phase::After), None);
    }

    #[test]
    fn the_future_is_empty_in_a_chart() {
        let sizes = sample().batch_sizes(25);
        assert!(sizes.iter().take(10).all(Option::is_some));
        assert!(sizes.iter().skip(11).all(Option::is_none));
    }
}
