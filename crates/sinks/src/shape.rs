//! Is a batch what the contract says it is, and what do ranges of positions cover together?
//!
//! Shared by the sinks that keep a record of ranges. Stores count in signed 64-bit integers, so
//! positions do here.

use std::ops::Range;

use crate::contract::{Batch, Slice};

/// The range of the batch as a store keeps it, once it is certain that the slices lie inside it,
/// in order; else why not.
pub(crate) fn checked_range(batch: &Batch) -> Result<Range<i64>, String> {
    let end = stored(batch.range.end)?;
    let start = stored(batch.range.start)?;
    let mut reached = start;
    for slice in &batch.slices {
        let first = stored(slice.first)?;
        let slice_end = slice_end(slice)?;
        if first < reached || slice_end > end {
            return Err(format!(
                "the rows of positions {first}..{slice_end} are out of order or outside of the \
                 batch, {start}..{end}"
            ));
        }
        reached = slice_end;
    }
    Ok(start..end)
}

/// The position after the slice's last row.
pub(crate) fn slice_end(slice: &Slice) -> Result<i64, String> {
    let end = slice.first.checked_add(u64::from(slice.rows.len()));
    end.and_then(|end| i64::try_from(end).ok()).ok_or_else(|| beyond(slice.first))
}

/// What is wrong when the rows of a slice end before their number is reached.
pub(crate) fn broken(next: i64, end: i64) -> String {
    format!("the row of position {next} cannot be decoded: {end} was to be the end")
}

fn stored(position: u64) -> Result<i64, String> {
    i64::try_from(position).map_err(|_| beyond(position))
}

fn beyond(position: u64) -> String {
    format!("position {position} is too near to 2^63, the end of the store's integers")
}

/// Whether the sorted, disjoint `parts` leave no position of `whole` out.
pub(crate) fn covers(parts: &[Range<i64>], whole: &Range<i64>) -> bool {
    let mut reached = whole.start;
    for part in parts {
        if part.start > reached {
            return false;
        }
        reached = reached.max(part.end);
    }
    reached >= whole.end
}

/// Sorted ranges, merged where they touch.
pub(crate) fn merge<T: Ord>(sorted: impl IntoIterator<Item = Range<T>>) -> Vec<Range<T>> {
    let mut merged: Vec<Range<T>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => {
                if last.end < range.end {
                    last.end = range.end;
                }
            }
            _ => merged.push(range),
        }
    }
    merged
}
