//! What if the handler is a tower service, or the batcher is to be one?
//!
//! A service that takes a `Vec<T>` at a time becomes a handler with [`service`], so that its
//! middleware — a timeout, a concurrency limit — stands around each batch. The other way round, a
//! [`Batcher`] is a service of single items: each call is a [`submit`](Batcher::submit).

use std::fmt;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tower_service::Service;

use super::answer::{Answer, IntoAnswer};
use super::batch::Batch;
use super::enter::Submitted;
use super::error::SubmitError;
use super::queue::{Entry, Shared};
use super::sync::{Arc, Mutex, PoisonError};
use super::{Batcher, Handler};
use crate::Outcome;

/// A tower service as a [`Handler`], made by [`service`].
///
/// ```
/// use tidegate::Batcher;
/// use tower_service::Service;
///
/// // A batcher of single items is a service; `service` makes a handler of one that takes a `Vec`.
/// fn is_a_service<S: Service<u64>>(_: S) {}
/// fn of(batcher: Batcher<u64>) {
///     is_a_service(batcher);
/// }
/// ```
pub struct ServiceHandler<S> {
    /// Locked to be cloned only, since services need not be `Sync`.
    service: Mutex<S>,
}

/// Makes a handler of a tower service that takes a batch at a time. It is cloned for each batch,
/// and called once it is ready.
///
/// What it responds with turns [into an answer](IntoAnswer); an error says nothing of its kind and
/// counts as [`Outcome::Overloaded`].
///
/// ```
/// use tidegate::Batcher;
/// use tidegate::batcher::tower::service;
///
/// # async fn insert(rows: Vec<u64>) -> Result<(), std::io::Error> { drop(rows); Ok(()) }
/// # #[derive(Clone)] struct Insert;
/// # impl tower_service::Service<Vec<u64>> for Insert {
/// #     type Response = ();
/// #     type Error = std::io::Error;
/// #     type Future = std::pin::Pin<Box<dyn Future<Output = Result<(), std::io::Error>> + Send>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>)
/// #         -> std::task::Poll<Result<(), std::io::Error>> { std::task::Poll::Ready(Ok(())) }
/// #     fn call(&mut self, rows: Vec<u64>) -> Self::Future { Box::pin(insert(rows)) }
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(service(Insert))?; // a service of `Vec<u64>`
/// assert_eq!(batcher.submit(7).await, Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub const fn service<S>(service: S) -> ServiceHandler<S> {
    ServiceHandler { service: Mutex::new(service) }
}

impl<T, S> Handler<T> for ServiceHandler<S>
where
    T: Send + 'static,
    S: Service<Vec<T>> + Clone + Send + 'static,
    S::Response: IntoAnswer,
    S::Error: Display,
    S::Future: Send,
{
    type Output = <S::Response as IntoAnswer>::Output;

    async fn handle(&self, batch: Batch<T>) -> Answer<Self::Output> {
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
            return Answer::failed(Outcome::Overloaded, error);
        }
        let response = service.call(batch.into_vec());
        // The service is not held while it works: what it bounds is in the future.
        drop(service);
        match response.await {
            Ok(response) => response.into_answer(),
            Err(error) => Answer::failed(Outcome::Overloaded, error),
        }
    }
}

impl<S> fmt::Debug for ServiceHandler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandler").finish_non_exhaustive()
    }
}

/// Each call submits one item, and resolves to its own outcome.
///
/// It is always ready: a call waits for room itself.
///
/// ```
/// use tidegate::Batcher;
/// use tower_service::Service;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut batcher = Batcher::builder().build(|batch: Vec<u64>| async move {
///     Ok::<_, std::io::Error>(batch.into_iter().map(|n| n * 2).collect::<Vec<_>>())
/// })?;
/// assert_eq!(batcher.call(21).await?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
impl<T: Send + 'static, O: Send + 'static> Service<T> for Batcher<T, O> {
    type Response = O;
    type Error = SubmitError;
    type Future = Call<T, O>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SubmitError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, item: T) -> Self::Future {
        let entry = Ok(Entry { item, bytes: 0, priority: false });
        let submit = Submitted::new(Arc::clone(&self.shared), entry);
        // The handle keeps the batcher open for as long as the call takes.
        Call { submit, _handle: self.clone() }
    }
}

/// The future of a [`Batcher`] that is called as a service: resolves to the item's own outcome.
///
/// ```
/// use tidegate::Batcher;
/// use tower_service::Service;
///
/// // A batcher of single items is a service; `service` makes a handler of one that takes a `Vec`.
/// fn is_a_service<S: Service<u64>>(_: S) {}
/// fn of(batcher: Batcher<u64>) {
///     is_a_service(batcher);
/// }
/// ```
#[must_use = "a future does nothing unless it is awaited"]
pub struct Call<T, O> {
    submit: Submitted<Arc<Shared<T, O>>, T, O>,
    _handle: Batcher<T, O>,
}

impl<T, O> Future for Call<T, O> {
    type Output = Result<O, SubmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.get_mut().submit).poll(cx)
    }
}

impl<T, O> fmt::Debug for Call<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
