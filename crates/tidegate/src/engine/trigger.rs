//! When does a batch leave? At the first of a few reasons, looked at in a fixed order.

use std::fmt;

use crate::{Moment, Plan};

/// Why a batch left.
///
/// A new reason is a variant here, its place in [`FlushReason::ALL`], and its line in `trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum FlushReason {
    /// It reached the batch size of the plan.
    Size,
    /// It reached the cap in serialized bytes.
    Bytes,
    /// Its oldest item had waited for the linger of the plan.
    Linger,
    /// Somebody asked for it.
    Manual,
    /// The lane is closing.
    Drain,
    /// It holds an item that must not wait.
    Priority,
}

impl FlushReason {
    /// All reasons, in the order of their indices.
    pub const ALL: [Self; 6] =
        [Self::Size, Self::Bytes, Self::Linger, Self::Manual, Self::Drain, Self::Priority];

    /// The place of this reason in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason as a label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Bytes => "bytes",
            Self::Linger => "linger",
            Self::Manual => "manual",
            Self::Drain => "drain",
            Self::Priority => "priority",
        }
    }
}

impl fmt::Display for FlushReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// What waits, as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Items that wait.
    pub items: u64,
    /// Their serialized bytes.
    pub bytes: u64,
    /// When the oldest of them arrived.
    pub oldest: Option<Moment>,
}

/// What hurries the items at the head of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hurry {
    /// Leading items that somebody asked to flush.
    pub(super) manual: u64,
    /// Leading items up to the last one that must not wait.
    pub(super) priority: u64,
    /// Whether the lane is closing.
    pub(super) draining: bool,
}

impl Hurry {
    /// These many items left.
    pub(super) fn left(&mut self, items: u64) {
        self.manual = self.manual.saturating_sub(items);
        self.priority = self.priority.saturating_sub(items);
    }
}

/// Whether a batch is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Now, for this reason.
    Now(FlushReason),
    /// At this moment, if nothing happens before.
    At(Moment),
    /// Not before something happens.
    Never,
}

/// The first reason for a batch to leave. Reasons that a full batch has come first, so that a
/// batch is called full whenever it is.
pub(super) fn trigger(
    now: Moment,
    queue: &Queue,
    plan: &Plan,
    bytes_max: u64,
    hurry: Hurry,
) -> Due {
    if queue.items == 0 {
        return Due::Never;
    }
    let reason = if queue.items >= u64::from(plan.batch_size) {
        FlushReason::Size
    } else if queue.bytes >= bytes_max {
        FlushReason::Bytes
    } else if hurry.priority > 0 {
        FlushReason::Priority
    } else if hurry.manual > 0 {
        FlushReason::Manual
    } else if hurry.draining {
        FlushReason::Drain
    } else {
        // A queue whose oldest arrival nobody noted has waited long enough.
        match queue.oldest.map(|oldest| oldest + plan.linger) {
            Some(due) if due > now => return Due::At(due),
            _ => FlushReason::Linger,
        }
    };
    Due::Now(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;
    use std::time::Duration;

    const PLAN: Plan = Plan {
        batch_size: 10,
        concurrency: 1.0,
        pace: None,
        linger: Duration::from_millis(5),
        epoch: Epoch(0),
    };

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    fn due(now: Moment, items: u64, bytes: u64, hurry: Hurry) -> Due {
        let queue = Queue { items, bytes, oldest: (items > 0).then_some(at(1)) };
        trigger(now, &queue, &PLAN, 1000, hurry)
    }

    #[test]
    fn each_reason_has_its_turn() {
        let none = Hurry::default();
        let all = Hurry { manual: 1, priority: 1, draining: true };
        assert_eq!(due(at(1), 0, 0, all), Due::Never);
        assert_eq!(due(at(1), 3, 30, none), Due::At(at(6)));
        assert_eq!(due(at(6), 3, 30, none), Due::Now(FlushReason::Linger));
        assert_eq!(due(at(1), 10, 100, all), Due::Now(FlushReason::Size));
        assert_eq!(due(at(1), 3, 1000, all), Due::Now(FlushReason::Bytes));
        assert_eq!(due(at(1), 3, 30, all), Due::Now(FlushReason::Priority));
        assert_eq!(due(at(1), 3, 30, Hurry { priority: 0, ..all }), Due::Now(FlushReason::Manual));
        assert_eq!(
            due(at(1), 3, 30, Hurry { draining: true, ..none }),
            Due::Now(FlushReason::Drain)
        );
    }

    #[test]
    fn hurry_ends_with_the_items_it_was_for() {
        let mut hurry = Hurry { manual: 12, priority: 3, draining: false };
        hurry.left(10);
        assert_eq!(hurry, Hurry { manual: 2, priority: 0, draining: false });
    }

    #[test]
    fn every_reason_knows_its_place() {
        for (index, reason) in FlushReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }
}
