//! Who takes the batches? A handler: any async closure over a `Vec`, or a type of the user's own.

use std::fmt::Display;
use std::future::Future;

use crate::{Feedback, Outcome};

/// Takes batches.
///
/// A closure `Fn(Vec<T>) -> impl Future` is one, if what the future resolves to turns into an
/// [`Answer`]: `()`, `Result<(), E>`, or an `Answer`.
///
/// ```
/// use tidegate::batcher::{Answer, Handler};
///
/// struct Inserter;
///
/// impl Handler<String> for Inserter {
///     async fn handle(&self, batch: Vec<String>) -> Answer {
///         Answer::per_item(batch.iter().map(|row| match row.is_empty() {
///             true => Err("an empty row"),
///             false => Ok(()),
///         }))
///     }
/// }
/// ```
pub trait Handler<T>: Send + Sync + 'static {
    /// Sends one batch to the backend, and says what came of it. Called again while earlier
    /// batches are still on their way, as far as the plan's concurrency allows.
    fn handle(&self, batch: Vec<T>) -> impl Future<Output = Answer> + Send;
}

impl<T, F, Fut> Handler<T> for F
where
    T: Send + 'static,
    F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: Into<Answer>,
{
    async fn handle(&self, batch: Vec<T>) -> Answer {
        self(batch).await.into()
    }
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<String>,
    pub(super) feedback: Option<Feedback>,
}

impl Answer {
    /// Every item was taken.
    #[must_use]
    pub const fn ok() -> Self {
        Self::of(Outcome::Ok)
    }

    /// The backend answered with this.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, failure: None, feedback: None }
    }

    /// The backend answered with this, which was a failure for the reason given.
    pub fn failed(outcome: Outcome, why: impl Display) -> Self {
        Self { outcome, failure: Some(why.to_string()), feedback: None }
    }

    /// An answer for each item, in order. If all failed the batch counts as refused.
    pub fn per_item<E: Display>(results: impl IntoIterator<Item = Result<(), E>>) -> Self {
        let (mut delivered, mut failed, mut first_failure) = (0, 0u32, None);
        for result in results {
            match result {
                Ok(()) => delivered += 1,
                Err(error) => {
                    failed += 1;
                    first_failure.get_or_insert_with(|| error.to_string());
                }
            }
        }
        let outcome = match (delivered, failed) {
            (_, 0) => Outcome::Ok,
            (0, _) => Outcome::Rejected,
            (delivered, _) => Outcome::Partial { delivered },
        };
        Self { outcome, failure: first_failure, feedback: None }
    }

    /// The same, with what the backend said of its load.
    #[must_use]
    pub fn with_feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::ok()
    }
}

/// An error that says nothing of its kind counts as [`Outcome::Overloaded`]: to send less is the
/// safe reading. Answer with [`Answer::failed`] to say more.
impl<E: Display> From<Result<(), E>> for Answer {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::ok(),
            Err(error) => Self::failed(Outcome::Overloaded, error),
        }
    }
}
