//! What waits? Counts by arrival, never items.
//!
//! A saturated lane makes up what it lacks when a batch is cut, so it is never empty and never
//! grows. What failed goes back to the head: its age goes on.

use std::collections::VecDeque;

use tidegate::Moment;
use tidegate::engine::{Cut, Queue};

/// Items that arrived together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// When.
    pub arrived: Moment,
    /// How many.
    pub items: u64,
}

/// The queue of a simulated lane.
#[derive(Debug)]
pub struct Lane {
    chunks: VecDeque<Chunk>,
    items: u64,
    item_bytes: u64,
    saturated: bool,
    offered: u64,
}

/// What a saturated lane shows: more than any batch.
const PLENTY: u64 = 1 << 32;

impl Lane {
    /// An empty queue of items of that size; or one that is never empty.
    #[must_use]
    pub const fn new(item_bytes: u32, saturated: bool) -> Self {
        let item_bytes = item_bytes as u64;
        Self { chunks: VecDeque::new(), items: 0, item_bytes, saturated, offered: 0 }
    }

    /// Items that wait; of a saturated lane only those that were sent before.
    #[must_use]
    pub const fn waiting(&self) -> u64 {
        self.items
    }

    /// Items that ever arrived.
    #[must_use]
    pub const fn offered(&self) -> u64 {
        self.offered
    }

    /// What the engine sees.
    #[must_use]
    pub fn seen(&self, now: Moment) -> Queue {
        if self.saturated {
            let items = self.items + PLENTY;
            return Queue { items, bytes: items * self.item_bytes, oldest: Some(now) };
        }
        let oldest = self.chunks.front().map(|chunk| chunk.arrived);
        Queue { items: self.items, bytes: self.items * self.item_bytes, oldest }
    }

    /// Items arrive.
    pub fn arrive(&mut self, now: Moment, items: u64) {
        self.offered += items;
        self.items += items;
        self.chunks.push_back(Chunk { arrived: now, items });
    }

    /// Cuts a batch off the head into `batch`; returns its items.
    pub fn cut(&mut self, now: Moment, cut: Cut, batch: &mut Vec<Chunk>) -> u32 {
        let fit = (cut.bytes_max / self.item_bytes).max(1);
        let wanted = u64::from(cut.items_max).min(fit);
        if self.saturated && self.items < wanted {
            self.arrive(now, wanted - self.items);
        }
        let mut left = wanted;
        while left > 0
            && let Some(head) = self.chunks.front_mut()
        {
            let items = head.items.min(left);
            batch.push(Chunk { items, ..*head });
            head.items -= items;
            left -= items;
            if head.items == 0 {
                self.chunks.pop_front();
            }
        }
        self.items -= wanted - left;
        u32::try_from(wanted - left).unwrap_or(u32::MAX)
    }

    /// Takes back a batch that failed.
    pub fn take_back(&mut self, batch: &[Chunk]) {
        for chunk in batch.iter().rev() {
            self.items += chunk.items;
            self.chunks.push_front(*chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate::FlushReason;

    const CUT: Cut = Cut { items_max: 5, bytes_max: 1000, reason: FlushReason::Size };

    #[test]
    fn a_batch_is_cut_in_order_and_comes_back_in_order() {
        let mut lane = Lane::new(10, false);
        lane.arrive(Moment::from_nanos(1), 3);
        lane.arrive(Moment::from_nanos(2), 4);
        let mut batch = Vec::new();
        assert_eq!(lane.cut(Moment::from_nanos(9), CUT, &mut batch), 5);
        assert_eq!(batch.iter().map(|chunk| chunk.items).collect::<Vec<_>>(), [3, 2]);
        lane.take_back(&batch);
        assert_eq!((lane.waiting(), lane.offered()), (7, 7));
        assert_eq!(lane.seen(Moment::ZERO).oldest, Some(Moment::from_nanos(1)));
    }

    #[test]
    fn a_saturated_lane_always_fills_a_batch() {
        let (mut lane, mut batch) = (Lane::new(10, true), Vec::new());
        assert_eq!(lane.cut(Moment::ZERO, CUT, &mut batch), 5);
        lane.take_back(&batch);
        batch.clear();
        assert_eq!(lane.cut(Moment::ZERO, Cut { items_max: 8, ..CUT }, &mut batch), 8);
        assert_eq!((lane.waiting(), lane.offered()), (0, 8));
        assert_eq!(
            lane.cut(Moment::ZERO, Cut { items_max: 9, bytes_max: 40, ..CUT }, &mut batch),
            4
        );
    }
}
