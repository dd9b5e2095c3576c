//! Who takes the batches? A handler: any async closure over a `Vec`, or a type of the user's own.

use std::future::Future;

use super::answer::{Answer, IntoAnswer};

/// Takes batches.
///
/// A closure `Fn(Vec<T>) -> impl Future` is one, if what the future resolves to turns
/// [into an answer](IntoAnswer): `()`, `Result<(), E>`, a value for each item, or an [`Answer`].
///
/// The first poll of a batch's future may run on the batcher's own task, so that an answer that is
/// ready at once costs no task: what computes for long belongs in `spawn_blocking`.
///
/// ```
/// use tidegate::batcher::{Answer, Handler};
///
/// struct Inserter;
///
/// impl Handler<String> for Inserter {
///     type Output = usize;
///
///     async fn handle(&self, batch: Vec<String>) -> Answer<usize> {
///         Answer::per_item(batch.iter().map(|row| match row.len() {
///             0 => Err("an empty row"),
///             length => Ok(length),
///         }))
///     }
/// }
/// ```
pub trait Handler<T>: Send + Sync + 'static {
    /// The value that a delivered item gets, for [`submit`](super::Batcher::submit): `()`, or
    /// something of its own, such as the row's id.
    type Output: Send + 'static;

    /// Sends one batch to the backend, and says what came of it. Called again while earlier
    /// batches are still on their way, as far as the plan's concurrency allows. A panic fails the
    /// batch, not the batcher.
    fn handle(&self, batch: Vec<T>) -> impl Future<Output = Answer<Self::Output>> + Send;
}

impl<T, F, Fut> Handler<T> for F
where
    T: Send + 'static,
    F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoAnswer,
{
    type Output = <Fut::Output as IntoAnswer>::Output;

    async fn handle(&self, batch: Vec<T>) -> Answer<Self::Output> {
        self(batch).await.into_answer()
    }
}
