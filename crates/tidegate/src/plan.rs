//! What is in force, within which bounds, and why did it change?

use std::borrow::Cow;
use std::time::Duration;

use crate::Moment;

/// Which plan an attempt belongs to. A controller raises it when samples of the old plan must not
/// be mistaken for samples of the new one (another arm of a search).
///
/// ```
/// use tidegate::Epoch;
///
/// assert_eq!(Epoch(1).next(), Epoch(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// How much goes to the backend at once, and when.
///
/// ```
/// use std::time::Duration;
/// use tidegate::{Epoch, Plan};
///
/// let plan = Plan {
///     batch_size: 100,
///     concurrency: 2.5,
///     pace: None,
///     linger: Duration::from_millis(5),
///     epoch: Epoch(0),
/// };
/// assert!(plan.same_terms(&Plan { epoch: Epoch(1), ..plan }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Plan {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight. Real-valued: 2.5 keeps two slots busy and a third half of the time;
    /// below 1 it means pauses between attempts (0.5: as long a pause as the attempt took).
    pub concurrency: f64,
    /// Attempts a second at most; `None` is no limit.
    pub pace: Option<f64>,
    /// How long the oldest item may wait for company while a slot is free.
    pub linger: Duration,
    /// Which samples belong to this plan.
    pub epoch: Epoch,
}

impl Plan {
    /// Whether both ask for the same, whatever their epochs.
    #[must_use]
    pub fn same_terms(&self, other: &Self) -> bool {
        Self { epoch: Epoch(0), ..*self } == Self { epoch: Epoch(0), ..*other }
    }
}

/// A plan that a controller asks for, and why.
///
/// ```
/// use tidegate::{Change, Epoch, Plan};
/// # use std::time::Duration;
/// # let plan = Plan { batch_size: 100, concurrency: 1.0, pace: None, linger: Duration::ZERO,
/// #     epoch: Epoch(0) };
///
/// let change = Change {
///     plan: Plan { batch_size: 200, ..plan },
///     reason: "latency 12 ms is far below its target".into(),
/// };
/// assert_eq!(change.plan.batch_size, 200);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The plan it wants.
    pub plan: Plan,
    /// A sentence a person understands: what was seen, and what follows from it.
    pub reason: Cow<'static, str>,
}

/// A change of plan that took effect.
///
/// ```
/// use tidegate::Decision;
///
/// fn log(decision: &Decision) -> String {
///     format!("{}: size {} because {}", decision.by, decision.to.batch_size, decision.reason)
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Decision {
    /// When.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub at: Moment,
    /// Who: the name of a controller or of a guard.
    pub by: &'static str,
    /// Why, as a sentence.
    pub reason: Cow<'static, str>,
    /// The plan before.
    pub from: Plan,
    /// The plan from then on.
    pub to: Plan,
}
