//! What happens to a batch that the backend did not take? What the builder was told: it is tried
//! again, or cut to find the item at fault, or given up; and while the backend is away nothing is
//! sent but probes.
//!
//! The parts ([`retry`](crate::retry), [`bisect`](crate::bisect), [`breaker`](crate::breaker)) are
//! pure, and each can be left out. A batcher without any of them does not come here.
//!
//! | answer | without | with |
//! |---|---|---|
//! | throttled, overloaded, timed out, unreachable | given up | retries: the same batch again, later |
//! | rejected, too large | given up | bisection: its parts, now; an item refused alone is given up |
//! | a panic, or an answer for each item | as it says | as it says: trying again might deliver twice |
//!
//! A batch that waits to be tried again keeps its room in the queue, so memory stays bounded.

use std::collections::{BTreeMap, VecDeque};

use super::answer::{Answer, Results};
use super::error::Failure;
use super::piece::Piece;
use crate::bisect;
use crate::breaker::{Admission, Breaker, Pass, Phase, Verdict};
use crate::engine::{Engine, Resend};
use crate::retry::{Backoff, Budget, Dice, Limits};
use crate::{Moment, Outcome};

/// How batches are tried again: how long each waits, how many retries the backend may get, and
/// when to stop.
///
/// ```
/// use std::time::Duration;
/// use tidegate::batcher::Retries;
/// use tidegate::retry::{Backoff, Limits};
///
/// let patient = Retries {
///     backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60))?,
///     limits: Limits { attempts_max: None, age_max: Some(Duration::from_secs(3600)) },
///     ..Retries::default()
/// };
/// # drop(patient);
/// # Ok::<(), tidegate::SettingError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retries {
    /// How long a batch waits before it is tried again. Default: up to 50 ms, doubling to 5 s.
    pub backoff: Backoff,
    /// How many retries the backend is sent at most. Default: one for five first attempts, and ten
    /// a second in any case.
    pub budget: Budget,
    /// When a batch is given up. Default: after 5 attempts. Nothing is kept on disk here, so a
    /// batch without a limit waits for an end that may not come, and `close` with it.
    pub limits: Limits,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            budget: Budget::default(),
            limits: Limits { attempts_max: Some(5), age_max: None },
        }
    }
}

/// What the builder set up.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) retries: Option<Retries>,
    pub(super) breaker: Option<Breaker>,
    pub(super) bisects: bool,
}

impl Parts {
    pub(super) const fn is_none(&self) -> bool {
        self.retries.is_none() && self.breaker.is_none() && !self.bisects
    }
}

pub(super) struct Recovery<T, O> {
    parts: Parts,
    dice: Dice,
    /// Parts of batches that were cut, to be sent next, in order.
    cut: VecDeque<Piece<T, O>>,
    /// Batches to be tried again, by when.
    later: BTreeMap<(Moment, u64), Piece<T, O>>,
    /// Transitions of the breaker that were told.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    told: u64,
}

/// Whose turn it is.
pub(super) enum Turn<T, O> {
    /// A piece that was sent before.
    Again(Piece<T, O>),
    /// A small batch off the head of the queue, to see whether the backend is back.
    Probe(Pass),
    /// Nobody's, until then or until so many items wait.
    Nobody { until: Option<Moment>, items: u64 },
    /// The queue's. Ask again at that moment at the latest.
    Queue(Option<Moment>),
}

impl<T, O> Recovery<T, O> {
    pub(super) const fn new(parts: Parts, seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self {
            parts,
            dice,
            cut: VecDeque::new(),
            later: BTreeMap::new(),
            #[cfg(any(feature = "metrics", feature = "tracing"))]
            told: 0,
        }
    }

    /// Whether it needs clones of what is sent.
    pub(super) const fn keeps_items(&self) -> bool {
        self.parts.retries.is_some() || self.parts.bisects
    }

    /// Whether no piece waits.
    pub(super) fn is_empty(&self) -> bool {
        self.cut.is_empty() && self.later.is_empty()
    }

    /// The pieces that wait, when nothing will be sent any more.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = Piece<T, O>> {
        self.cut.drain(..).chain(std::mem::take(&mut self.later).into_values())
    }

    /// Whose turn it is, with these many items in the queue.
    pub(super) fn turn(&mut self, now: Moment, engine: &mut Engine, queued: u64) -> Turn<T, O> {
        if let Some(breaker) = &mut self.parts.breaker {
            breaker.advance(now);
            match breaker.phase() {
                Phase::Closed => engine.resume(now),
                Phase::Open { until } => {
                    engine.pause(now);
                    return Turn::Nobody { until: Some(until), items: u64::MAX };
                }
                Phase::HalfOpen => return self.probe(now, engine, queued),
            }
        }
        if self.is_empty() {
            return Turn::Queue(None);
        }
        match engine.may_resend(now) {
            Resend::Now => {}
            Resend::At(at) => return Turn::Queue(Some(at)),
            Resend::AfterAnswer => return Turn::Queue(None),
        }
        if let Some(part) = self.cut.pop_front() {
            return Turn::Again(part);
        }
        let Some(next) = self.later.first_entry() else { return Turn::Queue(None) };
        let due = next.key().0;
        if due > now {
            return Turn::Queue(Some(due));
        }
        let paid =
            self.parts.retries.as_mut().map_or(Ok(()), |retries| retries.budget.withdraw(now));
        match paid {
            Ok(()) => Turn::Again(next.remove()),
            Err(at) => Turn::Queue(Some(at)),
        }
    }

    fn probe(&mut self, now: Moment, engine: &mut Engine, queued: u64) -> Turn<T, O> {
        engine.pause(now);
        let nobody = |until, items| Turn::Nobody { until, items };
        if self.is_empty() && queued == 0 {
            return nobody(None, 1);
        }
        match engine.may_resend(now) {
            Resend::Now => {}
            Resend::At(at) => return nobody(Some(at), u64::MAX),
            Resend::AfterAnswer => return nobody(None, u64::MAX),
        }
        let Some(breaker) = &mut self.parts.breaker else { return Turn::Queue(None) };
        match breaker.admit(now) {
            Admission::Pass(pass) => {
                let waiting = self.cut.pop_front();
                let waiting = waiting.or_else(|| self.later.pop_first().map(|(_, piece)| piece));
                let Some(mut piece) = waiting else { return Turn::Probe(pass) };
                if let Some(care) = &mut piece.care {
                    care.pass = Some(pass);
                }
                Turn::Again(piece)
            }
            Admission::At(at) => nobody(Some(at), u64::MAX),
            Admission::AfterAnswer => nobody(None, u64::MAX),
        }
    }

    /// A piece is leaving; `probe` is its pass if it is a fresh one of a half-open breaker.
    pub(super) fn sent(&mut self, now: Moment, piece: &mut Piece<T, O>, probe: Option<Pass>) {
        let Some(care) = &mut piece.care else { return };
        if care.attempts == 0 {
            care.since = now;
            if let Some(retries) = &mut self.parts.retries {
                retries.budget.deposit(now);
            }
        }
        care.attempts = care.attempts.saturating_add(1);
        if let Some(pass) = probe {
            care.pass = Some(pass);
        } else if care.pass.is_none()
            && let Some(breaker) = &mut self.parts.breaker
            && let Admission::Pass(pass) = breaker.admit(now)
        {
            care.pass = Some(pass);
        }
    }

    /// A piece was answered. Whether that is final; if not the piece is taken, to be sent again.
    pub(super) fn answered(
        &mut self,
        now: Moment,
        piece: &mut Piece<T, O>,
        answer: &Answer<O>,
    ) -> bool {
        let Some(care) = &mut piece.care else { return true };
        if let Some(pass) = care.pass.take()
            && let Some(breaker) = &mut self.parts.breaker
        {
            let panicked = matches!(answer.results, Results::None(Failure::Panicked { .. }));
            let verdict = if panicked { Verdict::Silent } else { answer.outcome.into() };
            breaker.answered(now, pass, verdict);
        }
        let Results::None(Failure::Refused { outcome, .. }) = &answer.results else {
            return true;
        };
        let outcome = *outcome;
        if outcome.is_retryable()
            && let Some(retries) = &self.parts.retries
            && retries.limits.exhausted(care.attempts, care.age(now)).is_none()
        {
            let asked = match outcome {
                Outcome::Throttled { retry_after } => retry_after,
                _ => None,
            };
            let wait = retries.backoff.wait(care.attempts, asked, self.dice.roll());
            self.later.insert((now + wait, piece.first), std::mem::take(piece));
            return false;
        }
        let at_fault = matches!(outcome, Outcome::Rejected | Outcome::TooLarge);
        if at_fault && self.parts.bisects && piece.items > 1 {
            let items = u32::try_from(piece.items).unwrap_or(u32::MAX);
            let parts = std::mem::take(piece).cut(&bisect::parts(items, None));
            // In the order of their items, before whatever waits already.
            parts.into_iter().rev().for_each(|part| self.cut.push_front(part));
            return false;
        }
        true
    }

    /// The number of the first item of all pieces that wait.
    pub(super) fn first(&self) -> Option<u64> {
        let waiting = self.cut.iter().chain(self.later.values());
        waiting.map(|piece| piece.first).min()
    }

    /// Transitions of the breaker since it was last asked.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(super) fn transitions(&mut self) -> Vec<crate::breaker::Transition> {
        let Some(breaker) = &self.parts.breaker else { return Vec::new() };
        let new = breaker.transitions() - self.told;
        if new == 0 {
            return Vec::new();
        }
        self.told = breaker.transitions();
        let skip = breaker.history().len().saturating_sub(usize::try_from(new).unwrap_or(0));
        breaker.history().skip(skip).cloned().collect()
    }

    /// The breaker's phase, if there is one.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.parts.breaker.as_ref().map(Breaker::phase)
    }
}
