//! What does a producer wait on?

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use tidegate_event::Position;
use tokio::sync::oneshot;

use crate::error::AppendError;

/// An append under way. See [`crate::Journal::append`].
#[derive(Debug)]
#[must_use = "an append is durable only once this has resolved"]
pub struct Append(State);

/// What the writer says.
pub(crate) type Answer = Result<Range<Position>, AppendError>;

#[derive(Debug)]
enum State {
    Done(Option<Range<Position>>),
    Waiting(oneshot::Receiver<Answer>),
}

impl Append {
    pub(crate) fn done(range: Range<Position>) -> Self {
        Self(State::Done(Some(range)))
    }

    pub(crate) fn waiting(answer: oneshot::Receiver<Answer>) -> Self {
        Self(State::Waiting(answer))
    }
}

impl Future for Append {
    type Output = Result<Range<Position>, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Done(range) => Poll::Ready(range.take().ok_or(AppendError::Closed)),
            State::Waiting(answer) => Pin::new(answer).poll(context).map(|answer| {
                // Only a writer that is gone without a word drops an answer.
                answer.unwrap_or_else(|_| {
                    Err(AppendError::Failed { detail: "the writer thread is gone".into() })
                })
            }),
        }
    }
}
