//! Which fresh frames are still in memory?
//!
//! Everything durable from `start` on. A reader at or behind nothing else but `start` never
//! touches the disk. Frames leave when every reader has taken them, and the oldest leave when the
//! bound is reached: then the slow reader goes to the disk, and the bound holds whatever the
//! backlog. The same `Bytes` that were appended are handed out; nothing is copied.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_event::Position;

use crate::frame::Frame;

/// The frames in memory, oldest first.
pub(crate) struct Tail {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    bytes_max: usize,
    /// Every durable frame that ends above this is here.
    start: Position,
    /// The position after the last durable item.
    next: Position,
}

/// What a reader at some place gets.
#[derive(Debug)]
pub(crate) enum TailRead {
    /// At least one frame, the first of which holds the place or follows it.
    Frames(Vec<Arc<Frame>>),
    /// It is not in memory any more.
    Behind,
    /// There is nothing yet.
    Empty,
}

impl Tail {
    pub(crate) fn new(next: Position, bytes_max: usize) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, bytes_max, start: next, next }
    }

    /// Adds a durable frame.
    pub(crate) fn push(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.weight();
        self.next = frame.end;
        self.frames.push_back(frame);
    }

    /// Lets go of what every reader has taken: all that ends at or below `taken`, or everything
    /// if there is no reader.
    pub(crate) fn release(&mut self, taken: Option<Position>) {
        let bound = taken.unwrap_or(Position::MAX);
        while self.frames.front().is_some_and(|frame| frame.end <= bound) {
            self.pop();
        }
    }

    /// Lets go of the oldest until the bound holds.
    pub(crate) fn enforce_bound(&mut self) {
        while self.bytes > self.bytes_max && self.pop() {}
    }

    fn pop(&mut self) -> bool {
        let Some(frame) = self.frames.pop_front() else { return false };
        self.bytes -= frame.weight();
        self.start = frame.end;
        true
    }

    /// Frames that end above `from`, until `bytes_max` rows are together (at least one frame).
    pub(crate) fn read(&self, from: Position, bytes_max: usize) -> TailRead {
        if from >= self.next {
            return TailRead::Empty;
        }
        if from < self.start {
            return TailRead::Behind;
        }
        let at = self.frames.partition_point(|frame| frame.end <= from);
        let mut bytes = 0;
        let frames = self.frames.iter().skip(at).take_while(|frame| {
            let first = bytes == 0;
            bytes += frame.weight();
            first || bytes <= bytes_max
        });
        TailRead::Frames(frames.cloned().collect())
    }

    /// Whether a frame of this weight fits beside what is kept.
    pub(crate) fn has_room(&self, weight: usize) -> bool {
        self.bytes + weight <= self.bytes_max
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn start(&self) -> Position {
        self.start
    }

    pub(crate) fn next(&self) -> Position {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::frame::FrameGroup;

    fn frame(first: Position, items: u32, bytes: usize) -> Arc<Frame> {
        let rows = Bytes::from(vec![0; bytes]);
        let groups = vec![FrameGroup { class: "".into(), first, items, rows }];
        Arc::new(Frame { first, end: first + u64::from(items), groups })
    }

    proptest! {
        /// Invariant: memory never holds more than its bound, and a read from any place either
        /// gives the frames that follow it without a hole or says that the place is gone.
        #[test]
        fn it_is_bounded_and_never_skips(
            sizes in prop::collection::vec((1u32..4, 0usize..400), 1..60), max in 300usize..3000,
            from in 0u64..200, read_max in 0usize..2000,
        ) {
            let mut tail = Tail::new(0, max);
            let mut next = 0;
            for (items, bytes) in sizes {
                tail.push(frame(next, items, bytes));
                tail.enforce_bound();
                prop_assert!(tail.bytes() <= max);
                next += u64::from(items);
            }
            match tail.read(from, read_max) {
                TailRead::Empty => prop_assert!(from >= next),
                TailRead::Behind => prop_assert!(from < tail.start()),
                TailRead::Frames(frames) => {
                    prop_assert!(frames[0].first <= from && from < frames[0].end);
                    prop_assert!(frames.windows(2).all(|pair| pair[0].end == pair[1].first));
                }
            }
        }
    }
}
