//! How was it in the last hour? Rows of figures, at a resolution that falls with their age.
//!
//! | tier | resolution | reaches back |
//! |---|---|---|
//! | fine | 250 ms | 2 min |
//! | middle | 1 s | 12 min |
//! | coarse | 10 s | 1 h |
//!
//! Every tick goes into all three. That is at most 1,560 rows, of 4 bytes for each figure: 150 kB a
//! lane, which is all that watching costs however long the server runs.

use std::collections::VecDeque;

use super::series::Fold;

/// Length of an interval in milliseconds, and how many are kept.
pub(super) const TIERS: [(i64, usize); 3] = [(10_000, 360), (1_000, 720), (250, 480)];

/// A row of figures; what is not there is not a number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// When its interval ended, in milliseconds since 1970-01-01 UTC.
    pub(super) at: i64,
    pub(super) values: Box<[f32]>,
}

/// The last hour.
#[derive(Debug)]
pub(super) struct Past {
    folds: Vec<Fold>,
    tiers: [Tier; 3],
}

#[derive(Debug)]
struct Tier {
    interval: i64,
    kept_max: usize,
    kept: VecDeque<Row>,
    open: Option<Open>,
}

/// An interval that is not over.
#[derive(Debug)]
struct Open {
    number: i64,
    at: i64,
    values: Vec<f32>,
    counts: Vec<u16>,
}

impl Past {
    pub(super) fn new(folds: Vec<Fold>) -> Self {
        let tier =
            |(interval, kept_max)| Tier { interval, kept_max, kept: VecDeque::new(), open: None };
        Self { folds, tiers: TIERS.map(tier) }
    }

    /// Adds the row of a tick. Time that stands still or goes back belongs to the interval before.
    pub(super) fn push(&mut self, at: i64, values: &[f32]) {
        for tier in &mut self.tiers {
            tier.push(at, values, &self.folds);
        }
    }

    /// All rows, the oldest first, and the interval of the finest tier that is not over. Where two
    /// tiers meet, the coarse interval that reaches into the finer one is whole, and the fine rows
    /// that it covers are left out: no hole, and nothing twice.
    pub(super) fn rows(&self) -> Vec<Row> {
        let begins = |tier: &Tier| tier.kept.front().map(|row| row.at - tier.interval);
        let mut rows: Vec<Row> = Vec::new();
        for (place, tier) in self.tiers.iter().enumerate() {
            let finer = self.tiers.iter().skip(place + 1).filter_map(begins).min();
            for row in &tier.kept {
                let is_older = finer.is_none_or(|finer| row.at - tier.interval < finer);
                if is_older && rows.last().is_none_or(|last| last.at < row.at) {
                    rows.push(row.clone());
                }
            }
        }
        let open = self.tiers.last().and_then(|tier| tier.open.as_ref());
        rows.extend(open.map(|open| open.closed(&self.folds)));
        rows
    }
}

impl Tier {
    fn push(&mut self, at: i64, values: &[f32], folds: &[Fold]) {
        let number = at.div_euclid(self.interval);
        if let Some(open) = &mut self.open
            && number <= open.number
        {
            return open.add(at, values, folds);
        }
        if let Some(open) = self.open.take() {
            if self.kept.len() == self.kept_max {
                self.kept.pop_front();
            }
            self.kept.push_back(open.closed(folds));
        }
        let counts = values.iter().map(|value| u16::from(!value.is_nan())).collect();
        self.open = Some(Open { number, at, values: values.to_vec(), counts });
    }
}

impl Open {
    fn add(&mut self, at: i64, values: &[f32], folds: &[Fold]) {
        self.at = self.at.max(at);
        let kept = self.values.iter_mut().zip(&mut self.counts);
        for (((kept, count), value), fold) in kept.zip(values).zip(folds) {
            if value.is_nan() {
                continue;
            }
            *kept = match fold {
                Fold::Mean if *count > 0 => *kept + value,
                // `max` of a number and none is the number.
                Fold::Worst => kept.max(*value),
                Fold::Mean | Fold::Last => *value,
            };
            *count = count.saturating_add(1);
        }
    }

    fn closed(&self, folds: &[Fold]) -> Row {
        let kept = self.values.iter().zip(&self.counts).zip(folds);
        let value = |((value, count), fold): ((&f32, &u16), &Fold)| match fold {
            Fold::Mean => value / f32::from(*count).max(1.0),
            Fold::Last | Fold::Worst => *value,
        };
        Row { at: self.at, values: kept.map(value).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: rows rise in time, there are never more than the tiers hold, an hour is covered
        /// without a hole longer than an interval of the tier there, and the worst value of all ticks
        /// that are covered is among them.
        #[test]
        fn an_hour_is_covered(
            ticks in 1..20_000usize,
            start in 0..100_000i64,
            spike in 0..20_000usize,
        ) {
            let mut past = Past::new(vec![Fold::Worst, Fold::Mean]);
            let at = |n: usize| start + 250 * i64::try_from(n).unwrap();
            for n in 0..ticks {
                let worst = if n == spike { 7.0 } else { 1.0 };
                past.push(at(n), &[worst, 3.0]);
            }
            let rows = past.rows();
            prop_assert!(rows.len() <= 360 + 720 + 480 + 1);
            prop_assert!(rows.windows(2).all(|two| two[0].at < two[1].at));
            let newest = at(ticks - 1);
            prop_assert_eq!(rows.last().unwrap().at, newest);
            let reach = newest - rows[0].at;
            prop_assert!(reach >= (newest - start).min(3_590_000) - 10_000, "{}", reach);
            for two in rows.windows(2) {
                let most = match newest - two[1].at {
                    0..=118_000 => 250,
                    118_001..=708_000 => 1_000,
                    _ => 10_000,
                };
                prop_assert!(two[1].at - two[0].at <= 2 * most, "{:?}", two);
            }
            prop_assert!(rows.iter().all(|row| row.values[1] == 3.0));
            let covered = spike < ticks && at(spike) > rows[0].at;
            prop_assert!(!covered || rows.iter().any(|row| row.values[0] == 7.0));
        }
    }

    #[test]
    fn a_rate_is_a_mean_a_plan_is_the_last_and_nothing_is_nothing() {
        let mut past = Past::new(vec![Fold::Mean, Fold::Last, Fold::Worst, Fold::Mean]);
        for (at, value) in [(0, 1.0), (300, 2.0), (600, f32::NAN), (900, 6.0)] {
            past.push(at, &[value, value, -value, f32::NAN]);
        }
        past.push(1000, &[0.0; 4]);
        let second = past.tiers[1].kept.back().unwrap();
        assert_eq!(second.at, 900);
        assert_eq!(second.values[..3], [3.0, 6.0, -1.0]);
        assert!(second.values[3].is_nan());
    }
}
