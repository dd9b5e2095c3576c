//! What may be said to a producer? That its item was not taken, or what became of it.

use std::sync::Arc;

use crate::Outcome;

/// An item was not taken.
///
/// ```
/// use tidegate::Batcher;
/// use tidegate::batcher::AddError;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|_: Vec<u64>| async {})?;
/// batcher.close().await;
/// assert_eq!(batcher.add(1).await, Err(AddError::Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The batcher was closed.
    #[error("the batcher is closed")]
    Closed,
    /// The item alone is over the most bytes a batch may have, so it could never leave.
    #[error("the item has {bytes} bytes, and a batch at most {bytes_max}: raise batch_bytes_max")]
    TooLarge {
        /// The item's serialized bytes.
        bytes: u64,
        /// The most a batch may have.
        bytes_max: u64,
    },
    /// There are as many keys as a [`Keyed`](super::Keyed) may have, and none of them is idle.
    #[error("there are {keys_max} keys already, and each has something to do: raise keys_max")]
    TooManyKeys {
        /// The most keys at a time.
        keys_max: usize,
    },
}

/// An item was not taken at once; here it is back.
///
/// ```
/// use tidegate::batcher::TryAddError;
///
/// let error = TryAddError::Full("row");
/// assert!(error.to_string().starts_with("the queue is full"));
/// assert_eq!(error.into_item(), "row");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryAddError<T> {
    /// The queue is full, or others wait for its room already.
    #[error("the queue is full: wait with `add`, or raise queue_items or queue_bytes")]
    Full(T),
    /// As with [`Batcher::add`](super::Batcher::add), and waiting would not help.
    #[error("{why}")]
    Refused {
        /// The item.
        item: T,
        /// Why it was not taken.
        why: AddError,
    },
}

impl<T> TryAddError<T> {
    /// The item that was not taken.
    ///
    /// ```
    /// use tidegate::batcher::TryAddError;
    ///
    /// assert_eq!(TryAddError::Full("row").into_item(), "row");
    /// ```
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Refused { item, .. } => item,
        }
    }
}

/// An item that was submitted has no good outcome.
///
/// ```
/// use tidegate::batcher::{AddError, SubmitError};
///
/// fn status(error: &SubmitError) -> u16 {
///     match error {
///         SubmitError::NotAdded(AddError::TooLarge { .. }) => 413,
///         SubmitError::NotAdded(_) => 503,
///         _ => 500,
///     }
/// }
/// assert_eq!(status(&AddError::Closed.into()), 503);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It was not taken by the batcher.
    #[error(transparent)]
    NotAdded(#[from] AddError),
    /// It was taken, and then given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

/// Why an item was given up. Cheap to clone: a batch's items share the words.
///
/// ```
/// use tidegate::batcher::Failure;
///
/// assert_eq!(
///     Failure::Unanswered { answered: 1, items: 2 }.to_string(),
///     "the handler answered for 1 of the batch's 2 items"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The handler answered that it was not delivered.
    #[error("{why}")]
    Refused {
        /// What came of the batch, or [`Outcome::Rejected`] for an item with an error of its own.
        outcome: Outcome,
        /// What the handler said.
        why: Arc<str>,
    },
    /// The handler panicked with the batch.
    #[error("the handler panicked: {why}")]
    Panicked {
        /// The panic's message, if it had one.
        why: Arc<str>,
    },
    /// The handler answered for fewer items than the batch had, and not for this one.
    #[error("the handler answered for {answered} of the batch's {items} items")]
    Unanswered {
        /// How many it answered for.
        answered: usize,
        /// How many there were.
        items: usize,
    },
    /// The runtime of the batcher ended before the item had an outcome. A batch that was on its way
    /// may have been delivered.
    #[error("the batcher's runtime ended before the item had an outcome")]
    Lost,
}

/// The batcher was closed before the flush was done.
///
/// ```
/// assert_eq!(tidegate::batcher::Closed.to_string(), "the batcher is closed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batcher is closed")]
pub struct Closed;
