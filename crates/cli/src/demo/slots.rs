//! Which column of a chart does a moment belong to, and what stands there?

use std::time::Duration;

use super::words::{self, float};

/// The mean of the values in each of `columns` equal slots of time from 0 to `span`. A slot that
/// lies between others and got none has the value before it.
pub(super) fn slots(
    values: impl Iterator<Item = (Duration, f64)>,
    span: Duration,
    columns: usize,
) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0u64); columns];
    let last = columns.saturating_sub(1);
    let mut end = 0;
    for (at, value) in values {
        let slot = column(at, span, columns).min(last);
        if let Some((sum, count)) = sums.get_mut(slot) {
            *sum += value;
            *count += 1;
            end = end.max(slot + 1);
        }
    }
    let mut before = None;
    let mean = |(at, (sum, count)): (usize, (f64, u64))| {
        if at >= end {
            return None;
        }
        if count > 0 {
            before = Some(sum / float(count));
        }
        before
    };
    sums.into_iter().enumerate().map(mean).collect()
}

/// The slot that a moment falls into, `columns` for the end of the span.
pub(super) fn column(at: Duration, span: Duration, columns: usize) -> usize {
    let share = at.as_secs_f64() / span.as_secs_f64().max(f64::MIN_POSITIVE);
    let slot = words::whole((share * float(columns as u64)).floor());
    usize::try_from(slot).unwrap_or(columns).min(columns)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_of_the_span_is_behind_the_last_column() {
        let column = |ms| column(Duration::from_millis(ms), Duration::from_secs(10), 20);
        assert_eq!([0, 499, 500, 9_999, 10_000, 99_000].map(column), [0, 0, 1, 19, 20, 20]);
    }

    proptest! {
        /// Invariant: a chart has as many columns as asked for, no gap before its end, and no
        /// value outside those it was made of.
        #[test]
        fn slots_have_no_gaps(
            values in prop::collection::vec((0..30_000u64, 0.0..1e6), 0..60),
            columns in 0usize..200,
        ) {
            let points = || values.iter().map(|(ms, value)| (Duration::from_millis(*ms), *value));
            let slots = slots(points(), Duration::from_secs(25), columns);
            prop_assert_eq!(slots.len(), columns);
            let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(least, most), (_, v)| (least.min(*v), most.max(*v)));
            for value in slots.iter().flatten() {
                prop_assert!(*value >= least - 1e-6 && *value <= most + 1e-6);
            }
            let begun = slots.iter().skip_while(|slot| slot.is_none());
            let mut after = begun.skip_while(|slot| slot.is_some());
            prop_assert!(after.all(Option::is_none));
        }
    }
}
