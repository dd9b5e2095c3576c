//! Why can a lane not go on?

use std::sync::Arc;

use tidegate_event::Position;
use tidegate_sinks::DeliveryFailure;

/// A lane cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LaneError {
    /// The sink refuses this journal for good.
    #[error("sink `{sink}`: {failure}")]
    Sink {
        /// The sink's name.
        sink: Arc<str>,
        /// What it said.
        failure: DeliveryFailure,
    },
    /// The sink has events that the journal does not know.
    #[error(
        "sink `{sink}` has events up to position {delivered}, but the journal ends at {durable}: it \
         was exchanged for another one while the server ran. New events may have got the names of \
         those that it has. Start again, so that the journal skips them"
    )]
    Ahead {
        /// The sink's name.
        sink: Arc<str>,
        /// The position after the last one that the sink has.
        delivered: Position,
        /// The position after the last one that the journal has.
        durable: Position,
    },
    /// The journal cannot be read.
    #[error("lane `{lane}` cannot read the journal: {why}")]
    Journal {
        /// The lane's name.
        lane: Arc<str>,
        /// What the journal said.
        why: String,
    },
}

/// Whether no later attempt can succeed.
pub(super) const fn is_final(failure: &DeliveryFailure) -> bool {
    matches!(failure, DeliveryFailure::Fenced { .. })
}
