//! Who takes the batches? A handler: any async closure over a `Vec`, or a type of the user's own.

use std::fmt;
use std::future::Future;

use super::answer::{Answer, IntoAnswer};
use super::batch::Batch;

/// Takes batches.
///
/// A closure `Fn(Vec<T>) -> impl Future` is one, if what the future resolves to turns
/// [into an answer](IntoAnswer): `()`, `Result<(), E>`, a value for each item, or an [`Answer`].
/// [`handler_fn`] makes one of a closure over a [`Batch`], whose memory is used again.
///
/// The first poll of a batch's future may run on the batcher's own task, so that an answer that is
/// ready at once costs no task, and for a submitter whom nobody joins on that submitter's own task,
/// in the batcher's runtime: what computes for long belongs in `spawn_blocking`.
///
/// ```
/// use tidegate::batcher::{Answer, Batch, Handler};
///
/// struct Inserter;
///
/// impl Handler<String> for Inserter {
///     type Output = usize;
///
///     async fn handle(&self, batch: Batch<String>) -> Answer<usize> {
///         Answer::per_item(batch.iter().map(|row| match row.len() {
///             0 => Err("an empty row"),
///             length => Ok(length),
///         }))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle batches of `{T}`",
    note = "a handler is a closure `|batch: Vec<{T}>| async {{ … }}` that returns `()`, `Result<(), E>`, \
            `Result<Vec<O>, E>`, `Vec<Result<O, E>>` or an `Answer`, or a type that implements `Handler`"
)]
pub trait Handler<T>: Send + Sync + 'static {
    /// The value that a delivered item gets, for [`submit`](super::Batcher::submit): `()`, or
    /// something of its own, such as the row's id.
    type Output: Send + 'static;

    /// Sends one batch to the backend, and says what came of it. Called again while earlier
    /// batches are still on their way, as far as the plan's concurrency allows. A panic fails the
    /// batch, not the batcher.
    fn handle(&self, batch: Batch<T>) -> impl Future<Output = Answer<Self::Output>> + Send;
}

impl<T, F, Fut> Handler<T> for F
where
    T: Send + 'static,
    F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoAnswer,
{
    type Output = <Fut::Output as IntoAnswer>::Output;

    async fn handle(&self, batch: Batch<T>) -> Answer<Self::Output> {
        self(batch.into_vec()).await.into_answer()
    }
}

/// A closure over a [`Batch`] as a [`Handler`], made by [`handler_fn`].
///
/// ```
/// use tidegate::batcher::{Batch, HandlerFn, handler_fn};
///
/// let handler = handler_fn(|batch: Batch<u64>| async move { drop(batch) });
/// # fn is<F>(_: HandlerFn<F>) {}
/// # is(handler);
/// ```
#[derive(Clone, Copy)]
pub struct HandlerFn<F>(F);

/// Makes a handler of a closure that takes a [`Batch`]: it reads the items where they are, and the
/// vector carries a later batch.
///
/// ```
/// use tidegate::Batcher;
/// use tidegate::batcher::{Batch, handler_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let doubles = handler_fn(|batch: Batch<u64>| async move {
///     Ok::<_, std::io::Error>(batch.iter().map(|n| n * 2).collect::<Vec<_>>())
/// });
/// let batcher = Batcher::builder().build(doubles)?;
/// assert_eq!(batcher.submit(21).await?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub const fn handler_fn<T, F, Fut>(handle: F) -> HandlerFn<F>
where
    F: Fn(Batch<T>) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoAnswer,
{
    HandlerFn(handle)
}

impl<T, F, Fut> Handler<T> for HandlerFn<F>
where
    T: Send + 'static,
    F: Fn(Batch<T>) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoAnswer,
{
    type Output = <Fut::Output as IntoAnswer>::Output;

    async fn handle(&self, batch: Batch<T>) -> Answer<Self::Output> {
        self.0(batch).await.into_answer()
    }
}

impl<F> fmt::Debug for HandlerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerFn")
    }
}
