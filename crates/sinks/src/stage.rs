//! May a sink take batches now? After its open and before its close.
//!
//! What a sink that keeps no record in its backend has to remember of an open is the journal: it
//! is the first half of every item's name.

use tidegate::Outcome;
use tidegate_event::JournalId;

use crate::contract::{Delivery, DeliveryFailure, OpenError, Origin};

/// Where a sink is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stage {
    /// No journal has been opened.
    #[default]
    Started,
    /// It delivers for this journal.
    Open(JournalId),
    /// It was closed, for good.
    Closed,
}

impl Stage {
    /// Takes the sink, which messages call `name`, into use.
    pub(crate) fn open(&mut self, origin: Origin, name: &str) -> Result<(), OpenError> {
        if *self == Self::Closed {
            let what = format!("cannot use {name}");
            return Err(OpenError::Backend { what, why: "the sink is closed".to_owned() });
        }
        *self = Self::Open(origin.journal);
        Ok(())
    }

    /// The journal whose batches are taken.
    pub(crate) fn journal(self, name: &str) -> Result<JournalId, DeliveryFailure> {
        match self {
            Self::Open(journal) => Ok(journal),
            Self::Started => {
                Err(DeliveryFailure::Retry(format!("{name}: no journal has been opened")))
            }
            Self::Closed => Err(DeliveryFailure::Retry(format!("{name}: the sink is closed"))),
        }
    }
}

/// The answer to a batch of which nothing was taken.
pub(crate) fn failed(outcome: Outcome, failure: DeliveryFailure) -> Delivery {
    Delivery { outcome, failure: Some(failure), feedback: None, retry_after: None }
}

/// The answer to a batch that was taken whole.
pub(crate) const fn taken() -> Delivery {
    Delivery { outcome: Outcome::Ok, failure: None, feedback: None, retry_after: None }
}
