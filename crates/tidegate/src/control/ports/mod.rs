//! How do others find a plan? Ports of their published rules with their published defaults, to be
//! measured beside our own.
//!
//! Each port follows the rule as its project documents it, for an attempt as the unit of work.
//! What differs is said in its file. [`Arc`], [`Gradient2`] and [`Vegas`] move the number of
//! attempts in flight and keep the batch size they were given; [`Flink`] moves the items in flight
//! and with them both; [`Beam`] moves the batch size. None of them knows a rate limit.

mod arc;
mod beam;
mod flink;
mod gradient2;
mod regression;
mod vegas;

pub use arc::{Arc, ArcSettings};
pub use beam::{Beam, BeamSettings};
pub use flink::{Flink, FlinkSettings};
pub use gradient2::{Gradient2, Gradient2Settings};
pub use vegas::{Vegas, VegasSettings};

use crate::{Bounds, Outcome};

/// A limit of whole attempts within the bounds: at least one, unless the bounds forbid it.
fn whole(limit: f64, bounds: &Bounds) -> f64 {
    limit.floor().max(1.0).min(bounds.concurrency_max)
}

/// Whether others would call the outcome a drop: the backend has too much to do, or is silent.
const fn is_drop(outcome: Outcome) -> bool {
    outcome.is_retryable()
}

/// Whether the latency is that of work done.
const fn is_success(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Partial { .. })
}
