//! How is a batch cut again, without changing any item's name?
//!
//! A batch covers a range of positions, of which its rows need not be all: others belong to other
//! lanes. The parts of a cut cover the range between them, each its rows and what lies behind them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use tidegate_event::Position;
use tidegate_sinks::{Batch, Slice};

/// Cuts off the first `items` rows. None of the parts is empty unless the batch is too small.
pub(super) fn split(batch: &Batch, items: u64) -> (Batch, Batch) {
    let (mut head, mut tail): (Vec<Slice>, Vec<Slice>) = (Vec::new(), Vec::new());
    let mut left = u32::try_from(items).unwrap_or(u32::MAX);
    for slice in &batch.slices {
        let Slice { first, mut rows } = slice.clone();
        let taken = rows.split_to(left.min(rows.len()));
        left -= taken.len();
        let rest = Slice { first: first + u64::from(taken.len()), rows };
        if !taken.is_empty() {
            head.push(Slice { first, rows: taken });
        }
        if !rest.rows.is_empty() {
            tail.push(rest);
        }
    }
    let at = tail.first().map_or(batch.range.end, |slice| slice.first);
    let part = |range, slices| Batch { lane: Arc::clone(&batch.lane), range, slices };
    (part(batch.range.start..at, head), part(at..batch.range.end, tail))
}

/// Cuts the batch into parts of these sizes.
pub(super) fn into_parts(batch: &Batch, sizes: &[u32]) -> Vec<Batch> {
    let (mut parts, mut rest) = (Vec::new(), batch.clone());
    for size in sizes.iter().take(sizes.len().saturating_sub(1)) {
        let (head, tail) = split(&rest, u64::from(*size));
        parts.push(head);
        rest = tail;
    }
    parts.push(rest);
    parts
}

/// The place of the item with this name among the batch's rows.
pub(super) fn index_of(batch: &Batch, position: Position) -> Option<u32> {
    let mut before = 0;
    for slice in &batch.slices {
        let end = slice.first + u64::from(slice.rows.len());
        if (slice.first..end).contains(&position) {
            return u32::try_from(before + position - slice.first).ok();
        }
        before += end - slice.first;
    }
    None
}

/// How many rows have a position below this one.
pub(super) fn items_below(batch: &Batch, position: Position) -> u64 {
    let below =
        |slice: &Slice| position.saturating_sub(slice.first).min(u64::from(slice.rows.len()));
    batch.slices.iter().map(below).sum()
}

/// The rows alone, each with its name.
pub(super) fn singles(batch: &Batch) -> impl Iterator<Item = Slice> {
    batch.slices.iter().flat_map(|slice| {
        let mut rows = slice.rows.clone();
        (slice.first..slice.first + u64::from(rows.len()))
            .map(move |first| Slice { first, rows: rows.split_to(1) })
    })
}

/// A batch of only those rows, over the range from the first to the last of them; `None` if none of
/// them is in the batch. For sinks that keep no record of ranges.
pub(super) fn only(batch: &Batch, wanted: &BTreeSet<Position>) -> Option<Batch> {
    let slices: Vec<_> = singles(batch).filter(|slice| wanted.contains(&slice.first)).collect();
    let range = slices.first()?.first..slices.last()?.first + 1;
    Some(Batch { lane: Arc::clone(&batch.lane), range, slices })
}

/// The range without these positions.
pub(super) fn without(range: &Range<Position>, gone: &BTreeSet<Position>) -> Vec<Range<Position>> {
    let mut rest = Vec::new();
    let mut from = range.start;
    for at in gone.range(range.clone()) {
        if from < *at {
            rest.push(from..*at);
        }
        from = at + 1;
    }
    if from < range.end {
        rest.push(from..range.end);
    }
    rest
}

/// The same range without rows: to commit that it is dealt with.
pub(super) fn emptied(batch: &Batch) -> Batch {
    let (lane, range) = (Arc::clone(&batch.lane), batch.range.clone());
    Batch { lane, range, slices: Vec::new() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_event::{Body, Event, Rows, rows};

    use super::*;

    /// A batch with slices of these sizes, each after so many positions of other lanes.
    fn batch(slices: &[(u64, u32)], behind: u64) -> Batch {
        let (mut at, mut cut) = (10, Vec::new());
        for (gap, count) in slices {
            at += gap;
            let mut bytes = Vec::new();
            for position in at..at + u64::from(*count) {
                let text = position.to_string();
                let event = Event { body: Body::Text(&text), ..Event::default() };
                rows::encode(&event, &mut bytes).unwrap();
            }
            cut.push(Slice { first: at, rows: Rows::new(bytes.into(), *count) });
            at += u64::from(*count);
        }
        Batch { lane: "default".into(), range: 10..at + behind, slices: cut }
    }

    /// The names, as positions and as the rows say.
    fn names(batch: &Batch) -> Vec<Position> {
        let name = |slice: Slice| {
            let event = slice.rows.iter().next().unwrap();
            assert_eq!(event.body, Body::Text(&slice.first.to_string()));
            slice.first
        };
        singles(batch).map(name).collect()
    }

    proptest! {
        /// Invariant: however a batch is cut, the parts hold every row once under its name, inside
        /// of ranges that together are the batch's.
        #[test]
        fn parts_hold_every_row_under_its_name(
            slices in proptest::collection::vec((0..4u64, 1..9u32), 1..6), behind in 0..3u64,
            cuts in proptest::collection::vec(1..7u32, 1..5), picks: u64,
        ) {
            let whole = batch(&slices, behind);
            let all = names(&whole);
            let mut sizes = Vec::new();
            let mut left = u32::try_from(all.len()).unwrap();
            for size in cuts {
                if size < left {
                    sizes.push(size);
                    left -= size;
                }
            }
            sizes.push(left);
            let parts = into_parts(&whole, &sizes);
            let mut end = whole.range.start;
            for (part, size) in parts.iter().zip(&sizes) {
                prop_assert_eq!(part.range.start, end);
                prop_assert_eq!(part.items(), u64::from(*size));
                prop_assert!(names(part).iter().all(|name| part.range.contains(name)));
                end = part.range.end;
            }
            prop_assert_eq!(end, whole.range.end);
            prop_assert_eq!(parts.iter().flat_map(names).collect::<Vec<_>>(), all.clone());
            for (index, name) in (0..).zip(&all) {
                prop_assert_eq!(index_of(&whole, *name), Some(index));
                prop_assert_eq!(items_below(&whole, *name), u64::from(index));
            }
            let wanted: BTreeSet<_> =
                all.iter().filter(|name| picks >> (**name % 64) & 1 == 1).copied().collect();
            let picked = only(&whole, &wanted).map_or_else(Vec::new, |part| names(&part));
            prop_assert_eq!(picked, wanted.iter().copied().collect::<Vec<_>>());
            let rest: Vec<_> = without(&whole.range, &wanted).into_iter().flatten().collect();
            let expected: Vec<_> =
                whole.range.clone().filter(|name| !wanted.contains(name)).collect();
            prop_assert_eq!(rest, expected);
        }
    }
}
