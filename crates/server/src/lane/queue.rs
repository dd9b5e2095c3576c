//! Where do a lane's events wait? As slices of journal frames, bounded in items and bytes.
//!
//! The queue holds no event of its own: a piece is a cheap view of rows that the journal keeps in
//! memory anyway, and a batch is cut off the front as views again. Pure; the lane decides when.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tidegate::Moment;
use tidegate::engine::{Cut, Queue};
use tidegate_event::{Position, Rows};
use tidegate_sinks::{Batch, Slice};

/// Rows with consecutive positions that arrived together.
#[derive(Debug)]
struct Piece {
    first: Position,
    rows: Rows,
    at: Moment,
    /// Whether some positions before this piece were delivered earlier (before a restart, out of
    /// order). A batch must not cover those again, so none begins before the hole and ends after.
    after_hole: bool,
}

/// The events that wait for a batch, in the order of their positions.
#[derive(Debug, Default)]
pub(crate) struct PositionQueue {
    pieces: VecDeque<Piece>,
    items: u64,
    bytes: u64,
    hole: bool,
}

impl PositionQueue {
    /// Adds rows at the end.
    pub(crate) fn push(&mut self, first: Position, rows: Rows, at: Moment) {
        if rows.is_empty() {
            return;
        }
        self.items += u64::from(rows.len());
        self.bytes += rows.bytes().len() as u64;
        let after_hole = std::mem::take(&mut self.hole);
        self.pieces.push_back(Piece { first, rows, at, after_hole });
    }

    /// What is pushed next comes after positions that were delivered earlier.
    pub(crate) const fn push_hole(&mut self) {
        self.hole = true;
    }

    /// What the engine sees.
    pub(crate) fn seen(&self) -> Queue {
        Queue {
            items: self.items,
            bytes: self.bytes,
            oldest: self.pieces.front().map(|piece| piece.at),
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Cuts a batch off the front: at least one event, and no more than the cut allows. It ends
    /// early at a hole. `None` if nothing waits.
    pub(crate) fn cut(&mut self, lane: &Arc<str>, cut: Cut) -> Option<Batch> {
        let mut slices: Vec<Slice> = Vec::new();
        let (mut items, mut bytes) = (0u32, 0u64);
        while let Some(piece) = self.pieces.front_mut() {
            if piece.after_hole && !slices.is_empty() {
                break;
            }
            let room = usize::try_from(cut.bytes_max.saturating_sub(bytes)).unwrap_or(usize::MAX);
            let mut rows = piece.rows.split_within(cut.items_max.max(1) - items, room);
            if rows.is_empty() && slices.is_empty() {
                // The first event alone is over the cap: it goes alone.
                rows = piece.rows.split_to(1);
            }
            if rows.is_empty() {
                break;
            }
            let first = piece.first;
            piece.first += u64::from(rows.len());
            let piece_is_done = piece.rows.is_empty();
            items += rows.len();
            bytes += rows.bytes().len() as u64;
            slices.push(Slice { first, rows });
            if piece_is_done {
                self.pieces.pop_front();
            } else {
                break;
            }
        }
        self.items -= u64::from(items);
        self.bytes -= bytes;
        let range = covered(&slices)?;
        Some(Batch { lane: Arc::clone(lane), range, slices })
    }
}

fn covered(slices: &[Slice]) -> Option<Range<Position>> {
    let last = slices.last()?;
    Some(slices.first()?.first..last.first + u64::from(last.rows.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate::FlushReason;
    use tidegate_event::{Body, Event, rows};

    use super::*;

    fn rows_of(lengths: &[usize]) -> Rows {
        let mut bytes = Vec::new();
        for length in lengths {
            let text = "x".repeat(*length);
            rows::encode(&Event { body: Body::Text(&text), ..Event::default() }, &mut bytes)
                .unwrap();
        }
        Rows::new(bytes.into(), u32::try_from(lengths.len()).unwrap())
    }

    fn cut(items_max: u32, bytes_max: u64) -> Cut {
        Cut { items_max, bytes_max, reason: FlushReason::Size }
    }

    proptest! {
        /// Invariant: batches hold every event once, in order, within the caps, each range covers
        /// exactly its slices' span, and none spans a hole.
        #[test]
        fn batches_hold_every_event_once_in_order(
            pieces in proptest::collection::vec(
                (proptest::collection::vec(0..200usize, 1..8), 0..4u64, any::<bool>()), 0..12),
            items_max in 1..10u32, bytes_max in 1..1500u64,
        ) {
            let lane: Arc<str> = "default".into();
            let (mut queue, mut next, mut pushed, mut holes) =
                (PositionQueue::default(), 0, Vec::new(), Vec::new());
            for (lengths, gap, hole) in &pieces {
                next += gap;
                if *hole {
                    queue.push_hole();
                    holes.push(next);
                }
                queue.push(next, rows_of(lengths), Moment::ZERO);
                pushed.extend((0..lengths.len() as u64).map(|at| next + at));
                next += lengths.len() as u64;
            }
            let mut seen = Vec::new();
            while let Some(batch) = queue.cut(&lane, cut(items_max, bytes_max)) {
                prop_assert!((1..=u64::from(items_max)).contains(&batch.items()));
                prop_assert!(batch.bytes() <= bytes_max || batch.items() == 1);
                prop_assert!(!holes.iter().any(|at| batch.range.start < *at && *at < batch.range.end));
                for slice in &batch.slices {
                    prop_assert!(slice.first >= batch.range.start);
                    prop_assert_eq!(slice.rows.iter().count(), slice.rows.len() as usize);
                    seen.extend((0..u64::from(slice.rows.len())).map(|at| slice.first + at));
                }
                prop_assert_eq!(batch.range.end, seen.last().unwrap() + 1);
            }
            prop_assert_eq!(seen, pushed);
            prop_assert_eq!(queue.seen(), Queue::default());
        }
    }
}
