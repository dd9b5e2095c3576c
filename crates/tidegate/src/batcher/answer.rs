//! What may a handler answer? For the batch as a whole, or for each of its items with a value.

use std::fmt::Display;
use std::sync::Arc;

use super::error::Failure;
use crate::{Feedback, Outcome};

/// What came of a batch; `O` is the value that each delivered item gets.
///
/// ```
/// use tidegate::Outcome;
/// use tidegate::batcher::Answer;
///
/// let done = Answer::ok();
/// let full: Answer = Answer::failed(Outcome::Overloaded, "503 Service Unavailable");
/// let each = Answer::per_item([Ok(1_u64), Err("duplicate key")]);
/// # drop((done, full, each));
/// ```
#[derive(Debug)]
#[must_use = "an answer does nothing until the handler returns it"]
pub struct Answer<O = ()> {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<Arc<str>>,
    pub(super) feedback: Option<Box<Feedback>>,
    pub(super) results: Results<O>,
}

/// What each item of a batch is told.
#[derive(Debug)]
pub(super) enum Results<O> {
    /// All were delivered, and this makes their value.
    All(fn() -> O),
    /// All failed alike.
    None(Failure),
    /// The only one was delivered, and this is its value.
    One(Option<O>),
    /// All were delivered, and each has its value, in order.
    Values(Vec<Option<O>>),
    /// One for each, in order.
    Each(Vec<Option<Result<O, Failure>>>),
}

impl<O> Results<O> {
    /// The result of the item at `position`, which is asked for once.
    pub(super) fn take(&mut self, position: usize, items: usize) -> Result<O, Failure> {
        match self {
            Self::All(value) => Ok(value()),
            Self::None(failure) => Err(failure.clone()),
            Self::One(value) => {
                let value = if position == 0 { value.take() } else { None };
                value.ok_or(Failure::Unanswered { answered: 1, items })
            }
            Self::Values(values) => {
                let answered = values.len();
                let value = values.get_mut(position).and_then(Option::take);
                value.ok_or(Failure::Unanswered { answered, items })
            }
            Self::Each(results) => {
                let answered = results.len();
                let result = results.get_mut(position).and_then(Option::take);
                result.unwrap_or(Err(Failure::Unanswered { answered, items }))
            }
        }
    }

    /// Takes out what nobody will ask for, to be dropped somewhere else.
    pub(super) fn discard(&mut self, position: usize) -> Option<Result<O, Failure>> {
        match self {
            Self::All(_) | Self::None(_) => None,
            Self::One(value) => value.take().filter(|_| position == 0).map(Ok),
            Self::Values(values) => values.get_mut(position).and_then(Option::take).map(Ok),
            Self::Each(results) => results.get_mut(position).and_then(Option::take),
        }
    }

    /// How many there are, if there is one for each.
    const fn answered(&self) -> Option<usize> {
        match self {
            Self::All(_) | Self::None(_) => None,
            Self::One(_) => Some(1),
            Self::Values(values) => Some(values.len()),
            Self::Each(results) => Some(results.len()),
        }
    }

    /// How many of them are good, if there is one for each.
    fn delivered(&self) -> usize {
        match self {
            Self::All(_) | Self::None(_) => 0,
            Self::One(_) => 1,
            Self::Values(values) => values.len(),
            Self::Each(results) => {
                results.iter().filter(|result| matches!(result, Some(Ok(_)))).count()
            }
        }
    }

    fn truncate(&mut self, items: usize) {
        match self {
            Self::All(_) | Self::None(_) | Self::One(_) => {}
            Self::Values(values) => values.truncate(items),
            Self::Each(results) => results.truncate(items),
        }
    }

    /// The failure of the item at `position`, if it failed and was not taken yet.
    pub(super) fn failure(&self, position: usize, items: usize) -> Option<Failure> {
        match self {
            Self::All(_) => None,
            Self::None(failure) => Some(failure.clone()),
            Self::One(_) => (position > 0).then_some(Failure::Unanswered { answered: 1, items }),
            Self::Values(values) => (position >= values.len())
                .then_some(Failure::Unanswered { answered: values.len(), items }),
            Self::Each(results) => match results.get(position) {
                Some(Some(Err(failure))) => Some(failure.clone()),
                Some(_) => None,
                None => Some(Failure::Unanswered { answered: results.len(), items }),
            },
        }
    }
}

impl Answer {
    /// Every item was taken.
    pub const fn ok() -> Self {
        Self { outcome: Outcome::Ok, failure: None, feedback: None, results: Results::All(|| ()) }
    }

    /// The backend answered with this. With [`Outcome::Partial`] nobody can say which items were
    /// taken, so each submitter is told that its item failed; prefer [`Answer::per_item`].
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::ok(),
            other => Self::failed(other, format_args!("the batch ended {}", other.describe())),
        }
    }
}

impl<O> Answer<O> {
    /// The backend answered with this, which was a failure for the reason given.
    pub fn failed(outcome: Outcome, why: impl Display) -> Self {
        let why: Arc<str> = why.to_string().into();
        let failure = Failure::Refused { outcome, why: Arc::clone(&why) };
        Self { outcome, failure: Some(why), feedback: None, results: Results::None(failure) }
    }

    /// Every item was taken, and each has a value, in order.
    pub fn values(values: impl IntoIterator<Item = O>) -> Self {
        let mut values = values.into_iter();
        // A lone item is common where each is awaited, and needs no vector.
        let results = match (values.next(), values.next()) {
            (Some(only), None) => Results::One(Some(only)),
            (first, second) => {
                let first = first.into_iter().chain(second).map(Some);
                Results::Values(first.chain(values.map(Some)).collect())
            }
        };
        Self { outcome: Outcome::Ok, failure: None, feedback: None, results }
    }

    /// An answer for each item, in order. If all failed the batch counts as refused. An item
    /// without an answer, because there are too few, has failed.
    pub fn per_item<E: Display>(results: impl IntoIterator<Item = Result<O, E>>) -> Self {
        let (mut delivered, mut failed, mut first) = (0, 0u32, None);
        let each = results.into_iter().map(|result| {
            Some(match result {
                Ok(value) => {
                    delivered += 1;
                    Ok(value)
                }
                Err(error) => {
                    failed += 1;
                    let why: Arc<str> = error.to_string().into();
                    first.get_or_insert_with(|| Arc::clone(&why));
                    Err(Failure::Refused { outcome: Outcome::Rejected, why })
                }
            })
        });
        let results = Results::Each(each.collect());
        let outcome = match (delivered, failed) {
            (_, 0) => Outcome::Ok,
            (0, _) => Outcome::Rejected,
            (delivered, _) => Outcome::Partial { delivered },
        };
        Self { outcome, failure: first, feedback: None, results }
    }

    /// The handler panicked.
    pub(super) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let failure = Failure::Panicked { why: text.unwrap_or("without a message").into() };
        Self {
            outcome: Outcome::Overloaded,
            failure: Some(failure.to_string().into()),
            feedback: None,
            results: Results::None(failure),
        }
    }

    /// Holds the outcome against the number of items that the batch really had.
    pub(super) fn check(&mut self, items: usize) {
        let Some(answered) = self.results.answered() else { return };
        if answered == items {
            return;
        }
        self.results.truncate(items);
        let delivered = u32::try_from(self.results.delivered()).unwrap_or(u32::MAX);
        if answered < items {
            self.outcome = match delivered {
                0 => Outcome::Rejected,
                delivered => Outcome::Partial { delivered },
            };
            let why = || Failure::Unanswered { answered, items }.to_string().into();
            self.failure.get_or_insert_with(why);
        } else if delivered == u32::try_from(items).unwrap_or(u32::MAX) {
            self.outcome = Outcome::Ok;
        } else if let Outcome::Partial { .. } = self.outcome {
            self.outcome = Outcome::Partial { delivered };
        }
    }

    /// The same, with what the backend said of its load.
    pub fn with_feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(Box::new(feedback));
        self
    }
}

/// What a closure may return instead of an [`Answer`].
///
/// | returned | each delivered item's value |
/// |---|---|
/// | `()`, `Result<(), E>` | `()` |
/// | `Result<Vec<O>, E>` | its own, in order |
/// | `Vec<Result<O, E>>` | its own or its own error, in order |
/// | `Answer<O>`, `Result<Answer<O>, E>` | as the answer says |
///
/// An `Err` of the whole batch says nothing of its kind, so it counts as [`Outcome::Overloaded`]:
/// to send less is the safe reading. Answer with [`Answer::failed`] to say more.
///
/// ```
/// use tidegate::batcher::{Answer, IntoAnswer};
///
/// /// What a client library of ours says.
/// struct Receipt;
///
/// impl IntoAnswer for Receipt {
///     type Output = ();
///
///     fn into_answer(self) -> Answer {
///         Answer::ok()
///     }
/// }
/// ```
pub trait IntoAnswer {
    /// The value that a delivered item gets.
    type Output: Send + 'static;

    /// The answer.
    fn into_answer(self) -> Answer<Self::Output>;
}

impl<O: Send + 'static> IntoAnswer for Answer<O> {
    type Output = O;

    fn into_answer(self) -> Self {
        self
    }
}

impl IntoAnswer for () {
    type Output = ();

    fn into_answer(self) -> Answer {
        Answer::ok()
    }
}

impl<O: Send + 'static, E: Display> IntoAnswer for Vec<Result<O, E>> {
    type Output = O;

    fn into_answer(self) -> Answer<O> {
        Answer::per_item(self)
    }
}

impl<E: Display> IntoAnswer for Result<(), E> {
    type Output = ();

    fn into_answer(self) -> Answer {
        self.map_or_else(|error| Answer::failed(Outcome::Overloaded, error), |()| Answer::ok())
    }
}

impl<O: Send + 'static, E: Display> IntoAnswer for Result<Vec<O>, E> {
    type Output = O;

    fn into_answer(self) -> Answer<O> {
        self.map_or_else(|error| Answer::failed(Outcome::Overloaded, error), Answer::values)
    }
}

impl<O: Send + 'static, E: Display> IntoAnswer for Result<Answer<O>, E> {
    type Output = O;

    fn into_answer(self) -> Answer<O> {
        self.unwrap_or_else(|error| Answer::failed(Outcome::Overloaded, error))
    }
}
