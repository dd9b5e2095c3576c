//! What does one attempt teach? This is the whole of what a controller is told about it.

use std::time::Duration;

use crate::{Epoch, Feedback, Moment};

/// An attempt that is leaving.
///
/// ```
/// use tidegate::{Epoch, Moment, Sent};
///
/// let sent = Sent {
///     at: Moment::ZERO,
///     epoch: Epoch(0),
///     target: 100,
///     items: 100,
///     bytes: 20_000,
///     in_flight: 1,
///     full: true,
/// };
/// assert_eq!(sent.items, sent.target);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// When it leaves.
    pub at: Moment,
    /// The epoch of the plan under which it was cut: which arm of a search it belongs to.
    pub epoch: Epoch,
    /// The batch size the plan aimed at, in items.
    pub target: u32,
    /// Items in the batch.
    pub items: u32,
    /// Serialized bytes in the batch.
    pub bytes: u64,
    /// Attempts in flight, this one included.
    pub in_flight: u32,
    /// Whether the batch reached the target size or the byte cap. A batch that did not says
    /// nothing about capacity.
    pub full: bool,
}

/// What came of an attempt: a sample.
///
/// ```
/// use tidegate::{Outcome, Sample};
///
/// /// Items a second of one attempt that was delivered.
/// fn rate(sample: &Sample) -> Option<f64> {
///     let items = f64::from(sample.sent.items);
///     (sample.outcome == Outcome::Ok).then(|| items / sample.latency.as_secs_f64())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The attempt as it left.
    pub sent: Sent,
    /// When the answer came.
    pub at: Moment,
    /// Send to answer, of this attempt alone: no queueing, no batching delay, no retry inside.
    pub latency: Duration,
    /// Items that other attempts delivered meanwhile.
    pub delivered_meanwhile: u64,
    /// What the backend answered.
    pub outcome: Outcome,
    /// Items waiting when the answer came.
    pub queue_items: u64,
    /// What the backend said of its load with the answer.
    pub feedback: Option<Feedback>,
}

/// What a backend answered to an attempt.
///
/// ```
/// use tidegate::Outcome;
///
/// assert_eq!(Outcome::Partial { delivered: 3 }.delivered(10), 3);
/// assert!(Outcome::Overloaded.is_retryable() && !Outcome::Rejected.is_retryable());
/// assert_eq!(Outcome::TimedOut.label(), "timed_out");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every item was taken.
    Ok,
    /// Some items were taken, the others were not.
    Partial {
        /// How many were taken.
        delivered: u32,
    },
    /// Refused because of a rate limit (an HTTP 429): about requests a second, not congestion.
    Throttled {
        /// How long the backend asks to wait.
        retry_after: Option<Duration>,
    },
    /// Refused because the batch is too large (an HTTP 413): a bound on size.
    TooLarge,
    /// Refused because the backend has too much to do (an HTTP 503, a lock that stays taken).
    Overloaded,
    /// No answer within the time allowed; the backend may still be working on it.
    TimedOut,
    /// The backend could not be reached.
    Unreachable,
    /// The data was refused; sending it again would not help.
    Rejected,
}

impl Outcome {
    /// Items of a batch of `items` that were taken.
    #[must_use]
    pub fn delivered(self, items: u32) -> u32 {
        match self {
            Self::Ok => items,
            Self::Partial { delivered } => delivered.min(items),
            _ => 0,
        }
    }

    /// The outcome in words that finish the sentence "the attempt ended …".
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Ok => "delivered",
            Self::Partial { .. } => "delivered in part",
            Self::Throttled { .. } => "refused by a rate limit",
            Self::TooLarge => "refused as too large",
            Self::Overloaded => "refused by an overloaded backend",
            Self::TimedOut => "without an answer in time",
            Self::Unreachable => "without reaching the backend",
            Self::Rejected => "with its data refused",
        }
    }

    /// The outcome as a label of metrics: one word of a fixed set.
    #[must_use]
    pub const fn label(self) -> &'static str {
        Self::LABELS[self.index()]
    }

    /// The labels of all outcomes, in the order of their indices.
    pub const LABELS: [&str; 8] = [
        "ok",
        "partial",
        "throttled",
        "too_large",
        "overloaded",
        "timed_out",
        "unreachable",
        "rejected",
    ];

    /// The place of this kind of outcome in [`Self::LABELS`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Partial { .. } => 1,
            Self::Throttled { .. } => 2,
            Self::TooLarge => 3,
            Self::Overloaded => 4,
            Self::TimedOut => 5,
            Self::Unreachable => 6,
            Self::Rejected => 7,
        }
    }

    /// Whether the same batch may succeed later, unchanged.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Throttled { .. } | Self::Overloaded | Self::TimedOut | Self::Unreachable
        )
    }
}
