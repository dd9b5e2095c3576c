//! Where do a lane's events wait? As slices of journal frames, bounded in items and bytes.
//!
//! The queue holds no event of its own: a piece is a cheap view of rows that the journal keeps in
//! memory anyway, and a batch is cut off the front as views again. Pure; the lane decides when.
//!
//! Two kinds of positions have no rows here. Those that the sink is not to get stand between the
//! others, and the batch before them answers for them. And a batch that was attempted before, and
//! of which nobody knows whether it was taken, is *fixed*: it is cut again exactly as it was,
//! whatever the plan says now, and not before all of it has arrived.

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
    /// The position after the last that it answers for: its own last row, or later ones that the
    /// sink is not to get.
    end: Position,
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
    /// Batches to be cut again, in order.
    fixed: VecDeque<Range<Position>>,
    /// Everything below has arrived.
    reached: Position,
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
        let end = first + u64::from(rows.len());
        self.reached = self.reached.max(end);
        self.pieces.push_back(Piece { first, rows, at, end, after_hole });
    }

    /// What is pushed next comes after positions that were delivered earlier.
    pub(crate) const fn push_hole(&mut self) {
        self.hole = true;
    }

    /// These positions follow, and the sink is not to get them. Returns those that no batch will
    /// cover: they are done.
    pub(crate) fn pass(&mut self, range: Range<Position>) -> Vec<Range<Position>> {
        let mut done = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let next = self.fixed.iter().find(|fixed| fixed.end > at);
            if let Some(fixed) = next.filter(|fixed| fixed.start <= at) {
                at = fixed.end;
                continue;
            }
            let end = next.map_or(range.end, |fixed| fixed.start.min(range.end));
            done.extend(self.pass_free(at..end));
            at = end;
        }
        self.reached = self.reached.max(range.end);
        done
    }

    /// Passes positions that no fixed batch has.
    fn pass_free(&mut self, range: Range<Position>) -> Option<Range<Position>> {
        let last = self.pieces.back().map_or(0, |piece| piece.end.saturating_sub(1));
        // The batch before must reach here without touching a fixed one.
        let between = |fixed: &Range<Position>| fixed.start < range.start && last < fixed.end;
        let covers = !self.hole && !self.fixed.iter().any(between);
        match self.pieces.back_mut().filter(|_| covers) {
            Some(piece) => {
                piece.end = range.end;
                None
            }
            None => Some(range),
        }
    }

    /// These batches, in order, are to be cut again exactly so. Before anything is pushed.
    pub(crate) fn fix(&mut self, batches: Vec<Range<Position>>) {
        self.fixed = batches.into();
    }

    /// Everything below `position` has been pushed or passed. Returns fixed batches without a row
    /// before the front, which are done: nothing of them is to be sent any more.
    pub(crate) fn reach(&mut self, position: Position) -> Vec<Range<Position>> {
        self.reached = self.reached.max(position);
        let mut done = Vec::new();
        while let Some(fixed) = self.fixed.front().filter(|fixed| fixed.end <= self.reached) {
            let waits = self.pieces.front().is_some_and(|piece| piece.first < fixed.end);
            if waits {
                break;
            }
            done.extend(self.fixed.pop_front());
        }
        done
    }

    /// The position up to which the front must arrive before it can be cut.
    pub(crate) fn awaits(&self) -> Option<Position> {
        let first = self.pieces.front()?.first;
        let fixed = self.fixed_at(first)?;
        Some(fixed.end).filter(|end| *end > self.reached)
    }

    /// Whether the next batch was attempted before.
    pub(crate) fn repeats(&self) -> bool {
        self.pieces.front().is_some_and(|piece| self.fixed_at(piece.first).is_some())
    }

    fn fixed_at(&self, position: Position) -> Option<&Range<Position>> {
        self.fixed.iter().find(|fixed| fixed.end > position).filter(|next| next.contains(&position))
    }

    /// What the engine sees: nothing, while the front is not complete.
    pub(crate) fn seen(&self) -> Queue {
        if self.awaits().is_some() { Queue::default() } else { self.held() }
    }

    /// When the event at the front was accepted, in nanoseconds since 1970-01-01 UTC.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.pieces.front()?.rows.iter().next().map(|event| event.observed)
    }

    /// What is held.
    pub(crate) fn held(&self) -> Queue {
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
    /// early at a hole, and where a fixed batch begins. `None` if nothing waits.
    pub(crate) fn cut(&mut self, lane: &Arc<str>, cut: Cut) -> Option<Batch> {
        let start = self.pieces.front()?.first;
        // Those before it have no rows: `reach` tells of them.
        let next = self.fixed.iter().find(|fixed| fixed.end > start).cloned();
        let again = next.clone().filter(|fixed| fixed.start <= start);
        let (cut, bound) = match (&again, &next) {
            (Some(fixed), _) => {
                (Cut { items_max: u32::MAX, bytes_max: u64::MAX, ..cut }, fixed.end)
            }
            (None, next) => (cut, next.as_ref().map_or(Position::MAX, |fixed| fixed.start)),
        };
        let mut slices: Vec<Slice> = Vec::new();
        let (mut items, mut bytes, mut end) = (0u32, 0u64, start);
        while let Some(piece) = self.pieces.front_mut().filter(|piece| piece.first < bound) {
            if piece.after_hole && !slices.is_empty() && again.is_none() {
                break;
            }
            let room = usize::try_from(cut.bytes_max.saturating_sub(bytes)).unwrap_or(usize::MAX);
            let before_bound = u32::try_from(bound - piece.first).unwrap_or(u32::MAX);
            let most = (cut.items_max.max(1) - items).min(before_bound);
            let mut rows = piece.rows.split_within(most, room);
            if rows.is_empty() && slices.is_empty() {
                // The first event alone is over the cap: it goes alone.
                rows = piece.rows.split_to(1);
            }
            if rows.is_empty() {
                break;
            }
            let first = piece.first;
            piece.first += u64::from(rows.len());
            end = piece.first;
            let piece_is_done = piece.rows.is_empty();
            if piece_is_done {
                end = piece.end.min(bound);
            }
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
        let range = again.unwrap_or(start..end);
        self.fixed.retain(|fixed| *fixed != range);
        (!slices.is_empty()).then(|| Batch { lane: Arc::clone(lane), range, slices })
    }
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

    /// What arrives at a queue: a run of rows, or of positions that the sink is not to get.
    #[derive(Debug, Clone)]
    enum Run {
        Rows(Vec<usize>),
        Passed(u64),
    }

    fn runs() -> impl Strategy<Value = Vec<Run>> {
        let run = prop_oneof![
            3 => proptest::collection::vec(0..60usize, 1..8).prop_map(Run::Rows),
            2 => (1..9u64).prop_map(Run::Passed),
        ];
        proptest::collection::vec(run, 1..14)
    }

    proptest! {
        /// Invariant: a batch in doubt is cut again with exactly its range and every row in it, no
        /// other batch touches it, and in the end every position is in one batch or done, once.
        #[test]
        fn batches_in_doubt_are_cut_as_they_were(
            runs in runs(), marks in proptest::collection::btree_set(0..90u64, 0..8),
            items_max in 1..10u32, eager in any::<bool>(),
        ) {
            let lane: Arc<str> = "default".into();
            let marks: Vec<_> = marks.into_iter().collect();
            let length = |run: &Run| match run {
                Run::Rows(lengths) => lengths.len() as u64,
                Run::Passed(count) => *count,
            };
            let total: u64 = runs.iter().map(length).sum();
            let fixed: Vec<_> = marks.chunks_exact(2).map(|pair| pair[0]..pair[1].min(total))
                .filter(|range| !range.is_empty()).collect();
            let mut queue = PositionQueue::default();
            queue.fix(fixed.clone());
            let (mut covered, mut rows, mut kept) = (Vec::new(), Vec::new(), Vec::new());
            let mut next = 0;
            let cut_all = |queue: &mut PositionQueue, covered: &mut Vec<_>, rows: &mut Vec<u64>| {
                while queue.seen().items > 0 {
                    let batch = queue.cut(&lane, cut(items_max, u64::MAX)).unwrap();
                    let again = fixed.contains(&batch.range);
                    assert!(again || batch.items() <= u64::from(items_max));
                    let touches = |range: &Range<u64>| {
                        range.start < batch.range.end && batch.range.start < range.end
                    };
                    assert!(again || !fixed.iter().any(touches), "{:?} of {fixed:?}", batch.range);
                    for slice in &batch.slices {
                        rows.extend((0..u64::from(slice.rows.len())).map(|at| slice.first + at));
                    }
                    covered.push(batch.range);
                }
            };
            for run in &runs {
                let end = next + length(run);
                match run {
                    Run::Rows(lengths) => {
                        queue.push(next, rows_of(lengths), Moment::ZERO);
                        kept.extend(next..end);
                    }
                    Run::Passed(_) => covered.extend(queue.pass(next..end)),
                }
                next = end;
                covered.extend(queue.reach(next));
                if eager {
                    cut_all(&mut queue, &mut covered, &mut rows);
                }
            }
            cut_all(&mut queue, &mut covered, &mut rows);
            covered.extend(queue.reach(0));
            prop_assert_eq!(rows, kept);
            prop_assert_eq!(queue.held(), Queue::default());
            covered.sort_by_key(|range| range.start);
            let mut at = 0;
            for range in covered {
                prop_assert_eq!(range.start, at);
                at = range.end;
            }
            prop_assert_eq!(at, total);
        }
    }
}
