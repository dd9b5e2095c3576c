//! What has a lane learnt, and what is that worth?
//!
//! A gain is told only where it was seen: attempts of the first plan's size on one side, attempts of
//! the size in force on the other, each as many as it takes to tell them apart from chance. Attempts
//! that follow each other are alike, so not they but blocks of eight are taken for observations.

use super::contract::{Curve, CurveBin, Gain, Plan};
use super::facts::Facts;
use super::translate::{learnt, plan, point, rounded};
use crate::lane::shared::Shared as Lane;
use crate::lane::tap::{Bin, place};

/// Fewer blocks on one side tell nothing.
const BLOCKS_MIN: u32 = 6;
/// Student's t for 95 % and the fewest blocks: more blocks would allow less.
const T: f64 = 2.57;

/// How attempt latency follows the batch size in the lane with this place, with at most `most` points.
pub(crate) fn curve(lane: &Lane, place: usize, most: usize, hub: &super::Hub) -> Curve {
    let (points, bins) = {
        let tap = lane.tap();
        (tap.kept(), tap.bins())
    };
    let points = points.get(points.len().saturating_sub(most)..).unwrap_or_default();
    let engine = lane.engine();
    let (told, now) = (engine.learnt(), plan(engine.plan()));
    drop(engine);
    Curve {
        lane: lane.key().to_string(),
        target_ms: lane.target.as_secs_f64() * 1e3,
        plan: now,
        sampled_from: points.iter().map(|point| u64::from(point.stands_for)).sum(),
        points: points.iter().map(|one| point(lane.clock, one)).collect(),
        bins: bins.iter().map(bin).collect(),
        learnt: learnt(told),
        gain: first(&hub.facts, place).map_or_else(unknown, |first| gain(&first, &now, &bins)),
    }
}

fn first(facts: &Facts, place: usize) -> Option<Plan> {
    facts.lanes.get(place).map(|lane| lane.first_plan)
}

fn unknown() -> Gain {
    Gain::Unknown { why: "the first plan is not known".to_owned() }
}

#[expect(clippy::cast_precision_loss, reason = "counts for people")]
fn bin(bin: &Bin) -> CurveBin {
    CurveBin {
        items_min: bin.items_min,
        items_max: bin.items_max,
        attempts: bin.attempts,
        items_mean: rounded(bin.items as f64 / bin.attempts.max(1) as f64),
        p50_ms: rounded(bin.quantile(0.5) * 1e3),
        p95_ms: rounded(bin.quantile(0.95) * 1e3),
        items_per_second: rounded(bin.items as f64 / bin.seconds.max(1e-9)),
    }
}

/// What the plan in force brings over the first one.
fn gain(first: &Plan, now: &Plan, bins: &[Bin]) -> Gain {
    let unknown = |why: String| Gain::Unknown { why };
    if first.batch_size == now.batch_size
        && first.concurrency.to_bits() == now.concurrency.to_bits()
    {
        return unknown("the plan is the one it began with".to_owned());
    }
    if (first.concurrency - now.concurrency).abs() > 0.01 {
        return unknown(
            "the number of attempts in flight has changed too, and what that brings shows only where \
             both plans run side by side"
                .to_owned(),
        );
    }
    if place(first.batch_size) == place(now.batch_size) {
        return unknown("the size is about the one it began with".to_owned());
    }
    let of = |size: u32| {
        bins.iter().find(|bin| place(bin.items_max) == place(size)).map(|bin| bin.rates)
    };
    let enough = |size: u32| of(size).filter(|rates| rates.blocks >= BLOCKS_MIN);
    let (Some(before), Some(after)) = (enough(first.batch_size), enough(now.batch_size)) else {
        let attempts = u64::from(BLOCKS_MIN) * 8;
        let seen = |size: u32| of(size).map_or(0, |rates| rates.attempts());
        return unknown(format!(
            "not known yet: of the last minutes it takes {attempts} full batches of about {} events, as it \
             began, and as many of {}, as now; there were {} and {}",
            first.batch_size,
            now.batch_size,
            seen(first.batch_size),
            seen(now.batch_size),
        ));
    };
    let (Some((before_mean, before_var)), Some((after_mean, after_var))) =
        (before.mean(), after.mean())
    else {
        return unknown("too few attempts".to_owned());
    };
    let (ln, error) = (after_mean - before_mean, T * (before_var + after_var).sqrt());
    Gain::Estimated {
        ratio: rounded(ln.exp()),
        low: rounded((ln - error).exp()),
        high: rounded((ln + error).exp()),
        first_batch_size: first.batch_size,
        first_attempts: before.attempts(),
        now_attempts: after.attempts(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::tap::Tap;
    use std::time::Duration;
    use tidegate::{Epoch, Moment, Outcome, Sample, Sent};

    fn tap(sizes: &[(u32, u64, u32)]) -> Tap {
        let mut tap = Tap::default();
        for (items, latency_ms, count) in sizes {
            for n in 0..*count {
                // A backend that is not always as quick: every attempt differs by up to a tenth.
                let latency = Duration::from_micros(latency_ms * (1000 + u64::from(n * 37 % 100)));
                let sent = Sent {
                    at: Moment::ZERO,
                    epoch: Epoch::default(),
                    target: *items,
                    items: *items,
                    bytes: 0,
                    in_flight: 1,
                    full: true,
                };
                let sample = Sample {
                    sent,
                    at: Moment::ZERO + latency,
                    latency,
                    delivered_meanwhile: 0,
                    outcome: Outcome::Ok,
                    queue_items: 0,
                    feedback: None,
                };
                tap.note(&sample, None);
            }
        }
        tap
    }

    fn plan(batch_size: u32, concurrency: f64) -> Plan {
        Plan { batch_size, concurrency, pace: None, linger_ms: 0.0 }
    }

    #[test]
    fn a_gain_that_was_seen_is_told_with_its_interval() {
        // 100 in 10 ms, then 1,000 in 50 ms: twice as much.
        let bins = tap(&[(100, 10, 80), (1000, 50, 200)]).bins();
        let told = gain(&plan(100, 1.0), &plan(1000, 1.0), &bins);
        let Gain::Estimated { ratio, low, high, first_attempts, now_attempts, .. } = told else {
            panic!("{told:?}")
        };
        assert!((1.95..2.05).contains(&ratio) && low < ratio && ratio < high && low > 1.8);
        assert_eq!((first_attempts, now_attempts), (80, 200));
    }

    #[test]
    fn what_was_not_seen_is_not_known() {
        let bins = tap(&[(100, 10, 40), (1000, 50, 200)]).bins();
        let why = |first, now| match gain(&first, &now, &bins) {
            Gain::Unknown { why } => why,
            told => panic!("{told:?}"),
        };
        assert!(why(plan(100, 1.0), plan(1000, 1.0)).contains("there were 40 and 200"));
        assert!(why(plan(1000, 1.0), plan(1000, 1.0)).contains("it began with"));
        assert!(why(plan(100, 1.0), plan(1000, 2.0)).contains("in flight"));
        assert!(why(plan(1000, 1.0), plan(1001, 1.0)).contains("about the one"));
        assert!(why(plan(7, 1.0), plan(1000, 1.0)).contains("there were 0 and 200"));
    }
}
