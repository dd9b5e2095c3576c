//! What if items come as a stream, or outcomes are wanted as one?
//!
//! [`Batcher::sink`] takes items from a stream (`stream.forward(batcher.sink())`) as fast as there
//! is room. [`Batcher::outcomes`] submits the items of a stream, many at a time, and is the stream
//! of their outcomes in the same order.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;

use super::Batcher;
use super::enter::Submitted;
use super::error::{AddError, SubmitError};
use super::queue::{Entered, Entry, Shared};
use super::sync::Arc;

impl<T: Send + 'static, O: Send + 'static> Batcher<T, O> {
    /// The batcher as a `Sink` of items.
    ///
    /// ```
    /// use futures_util::{SinkExt, StreamExt, stream};
    /// use tidegate::Batcher;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().build(|rows: Vec<u64>| async move { drop(rows) })?;
    /// stream::iter(0..1_000).map(Ok).forward(batcher.sink()).await?;
    /// assert_eq!(batcher.stats().delivered, 1_000); // closing the sink waits for outcomes
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn sink(&self) -> BatchSink<T, O> {
        BatchSink { batcher: self.clone(), entry: None, number: None, flushing: None }
    }

    /// Submits the items of a stream, at most `most` (at least 1) of them at a time, and streams
    /// their outcomes in the same order.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tidegate::Batcher;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let batcher = Batcher::builder().build(|batch: Vec<u64>| async move {
    ///     Ok::<_, std::io::Error>(batch.into_iter().map(|n| n * 2).collect::<Vec<_>>())
    /// })?;
    /// let doubled: Vec<_> = batcher.outcomes(stream::iter(0..4), 100).collect().await;
    /// assert_eq!(doubled, [Ok(0), Ok(2), Ok(4), Ok(6)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn outcomes<S: Stream<Item = T>>(&self, items: S, most: usize) -> Outcomes<S, T, O> {
        Outcomes {
            batcher: self.clone(),
            items: Some(Box::pin(items)),
            most: most.max(1),
            submitted: VecDeque::new(),
        }
    }
}

/// A [`Batcher`] as a `Sink`, made by [`Batcher::sink`].
///
/// *Ready* waits for room; *flush* is done when the item is in the queue, so that a stream that
/// pauses does not cut batches short; *close* is done when every item added before it has its
/// outcome, and leaves the batcher open for others.
///
/// ```
/// use futures_util::SinkExt;
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|_: Vec<u64>| async {})?;
/// let mut sink = batcher.sink();
/// sink.send(7).await?;
/// sink.close().await?;
/// assert_eq!(batcher.stats().delivered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct BatchSink<T: Send + 'static, O: Send + 'static> {
    batcher: Batcher<T, O>,
    /// An item that found no room.
    entry: Option<Entry<T>>,
    number: Option<u64>,
    /// Waiting for outcomes.
    flushing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<T: Send + 'static, O: Send + 'static> BatchSink<T, O> {
    /// Brings the item that waits into the queue.
    fn poll_enter(&mut self, cx: &Context<'_>) -> Poll<Result<(), AddError>> {
        let Some(entry) = self.entry.take() else { return Poll::Ready(Ok(())) };
        let shared = &self.batcher.shared;
        let (entered, _) = match self.number {
            Some(number) => shared.retry(entry, number, cx.waker(), false),
            None => shared.queue_up(entry, cx.waker(), false, &mut self.number),
        };
        match entered {
            Entered::Full(entry) => {
                self.entry = Some(entry);
                Poll::Pending
            }
            Entered::In => {
                self.number = None;
                Poll::Ready(Ok(()))
            }
            Entered::Closed(_) => {
                self.number = None;
                Poll::Ready(Err(AddError::Closed))
            }
        }
    }
}

/// Nothing in here is ever pinned.
impl<T: Send + 'static, O: Send + 'static> Unpin for BatchSink<T, O> {}

impl<T: Send + 'static, O: Send + 'static> Sink<T> for BatchSink<T, O> {
    type Error = AddError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AddError>> {
        self.get_mut().poll_enter(cx)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), AddError> {
        let this = self.get_mut();
        let entry = Entry { item, bytes: 0, priority: false };
        match this.batcher.shared.try_enter(entry) {
            Entered::In => Ok(()),
            Entered::Full(entry) => {
                this.entry = Some(entry);
                Ok(())
            }
            Entered::Closed(_) => Err(AddError::Closed),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AddError>> {
        self.get_mut().poll_enter(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AddError>> {
        let this = self.get_mut();
        if this.entry.is_some() {
            std::task::ready!(this.poll_enter(cx))?;
        }
        let batcher = &this.batcher;
        let flushing = this.flushing.get_or_insert_with(|| {
            let batcher = batcher.clone();
            // A batcher that ended meanwhile has told the outcomes of its items.
            Box::pin(async move {
                let _ = batcher.flush().await;
            })
        });
        std::task::ready!(flushing.as_mut().poll(cx));
        this.flushing = None;
        Poll::Ready(Ok(()))
    }
}

impl<T: Send + 'static, O: Send + 'static> Drop for BatchSink<T, O> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.batcher.shared.leave(number);
        }
    }
}

impl<T: Send + 'static, O: Send + 'static> fmt::Debug for BatchSink<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchSink").finish_non_exhaustive()
    }
}

/// A submitted item that keeps what it needs of the batcher.
type Owned<T, O> = Submitted<Arc<Shared<T, O>>, T, O>;

/// The outcomes of a stream's items, in their order, made by [`Batcher::outcomes`].
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use tidegate::Batcher;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let batcher = Batcher::builder().build(|_: Vec<u64>| async {})?;
/// let mut outcomes = batcher.outcomes(stream::iter([1, 2]), 10);
/// assert_eq!(outcomes.next().await, Some(Ok(())));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct Outcomes<S, T: Send + 'static, O: Send + 'static> {
    batcher: Batcher<T, O>,
    /// `None` after its end.
    items: Option<Pin<Box<S>>>,
    most: usize,
    /// In order. All but the last are in the queue or beyond: while that one waits for room,
    /// nothing is taken from the stream.
    submitted: VecDeque<Owned<T, O>>,
}

impl<S: Stream<Item = T>, T: Send + 'static, O: Send + 'static> Outcomes<S, T, O> {
    /// Submits what the stream has, as far as there is room. Says what came of the first one.
    fn submit(&mut self, cx: &mut Context<'_>) -> Option<Result<O, SubmitError>> {
        let only = self.submitted.len() == 1;
        if let Some(last) = self.submitted.back_mut()
            && !last.is_inside()
            && let Poll::Ready(outcome) = Pin::new(&mut *last).poll(cx)
        {
            // It was refused, so it is the one to be told next, after those before it.
            if only {
                self.submitted.pop_back();
                return Some(outcome);
            }
            if let Err(SubmitError::NotAdded(why)) = outcome {
                *last = Submitted::new(Arc::clone(&self.batcher.shared), Err(why));
            }
        }
        while self.submitted.len() < self.most
            && self.submitted.back().is_none_or(Submitted::is_inside)
            && let Some(items) = &mut self.items
        {
            match items.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    let entry = Ok(Entry { item, bytes: 0, priority: false });
                    let mut submit = Submitted::new(Arc::clone(&self.batcher.shared), entry);
                    if let Poll::Ready(Err(SubmitError::NotAdded(why))) =
                        Pin::new(&mut submit).poll(cx)
                    {
                        submit = Submitted::new(Arc::clone(&self.batcher.shared), Err(why));
                    }
                    self.submitted.push_back(submit);
                }
                Poll::Ready(None) => self.items = None,
                Poll::Pending => break,
            }
        }
        None
    }
}

/// The stream of items is in a box of its own.
impl<S, T: Send + 'static, O: Send + 'static> Unpin for Outcomes<S, T, O> {}

impl<S: Stream<Item = T>, T: Send + 'static, O: Send + 'static> Stream for Outcomes<S, T, O> {
    type Item = Result<O, SubmitError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(outcome) = this.submit(cx) {
            return Poll::Ready(Some(outcome));
        }
        let Some(first) = this.submitted.front_mut() else {
            return if this.items.is_none() { Poll::Ready(None) } else { Poll::Pending };
        };
        let outcome = std::task::ready!(Pin::new(first).poll(cx));
        this.submitted.pop_front();
        Poll::Ready(Some(outcome))
    }
}

impl<S, T: Send + 'static, O: Send + 'static> fmt::Debug for Outcomes<S, T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes").field("submitted", &self.submitted.len()).finish_non_exhaustive()
    }
}
