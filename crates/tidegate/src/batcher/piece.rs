//! What becomes of a batch that is on its way? Exactly one answer, which every party hears.
//!
//! A *piece* is a batch, or a part of one that was refused. One that is dropped without an answer,
//! because its runtime ended, tells its submitters and the hook that it is lost: so nobody waits
//! for ever.

use std::time::Duration;

use super::answer::{Answer, Results};
use super::error::Failure;
use super::given_up::{GivenUp, Hook};
use super::line::Groups;
use super::round::Group;
use crate::Moment;
use crate::breaker::Pass;
use crate::engine::Ticket;

/// A piece in flight, with all that is known of it. It lies in one box from the cut to the outcome,
/// so that handing it on is handing on a pointer; the box carries later ones.
pub(super) struct Flight<T, O> {
    /// Its items, until the handler has them.
    pub(super) items: Vec<T>,
    pub(super) piece: Piece<T, O>,
    /// The engine's, until the answer is counted.
    pub(super) ticket: Option<Ticket>,
    /// What the handler said.
    pub(super) answer: Option<Answer<O>>,
    /// Whether its first poll may delay others.
    pub(super) here: bool,
    /// Whether it was answered at its first poll.
    pub(super) at_once: bool,
}

impl<T, O> Default for Flight<T, O> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            piece: Piece::default(),
            ticket: None,
            answer: None,
            here: true,
            at_once: false,
        }
    }
}

impl<T, O> Flight<T, O> {
    /// The handler has said what came of it, at its first poll or in a task.
    pub(super) fn answered(&mut self, answer: Answer<O>, at_once: bool) {
        self.answer = Some(answer);
        self.at_once = at_once;
    }
}

/// Items that share their outcome so far.
pub(super) struct Piece<T, O> {
    /// The number of its first item, counted from the first one ever added.
    pub(super) first: u64,
    pub(super) items: usize,
    pub(super) bytes: u64,
    /// Who is to be told; taken when they have been.
    groups: Option<Groups<O>>,
    /// What is only there if somebody set up a hook or a recovery.
    pub(super) care: Option<Box<Care<T>>>,
}

/// What a piece is kept for, after its attempt.
pub(super) struct Care<T> {
    pub(super) hook: Option<Hook<T>>,
    /// Clones of the items, which the handler consumes.
    pub(super) kept: Option<Vec<T>>,
    /// Attempts so far.
    pub(super) attempts: u32,
    /// When the first of them left.
    pub(super) since: Moment,
    /// The breaker's leave for the attempt that is on its way.
    pub(super) pass: Option<Pass>,
}

impl<T> Care<T> {
    /// Time since the first attempt.
    pub(super) fn age(&self, now: Moment) -> Duration {
        now.since(self.since)
    }
}

/// Nobody's: of no items, with nobody to tell.
impl<T, O> Default for Piece<T, O> {
    fn default() -> Self {
        Self { first: 0, items: 0, bytes: 0, groups: None, care: None }
    }
}

impl<T, O> Piece<T, O> {
    pub(super) const fn new(first: u64, items: usize, bytes: u64, groups: Groups<O>) -> Self {
        Self { first, items, bytes, groups: Some(groups), care: None }
    }

    /// An item that did not wait in line, with nobody to tell of it.
    pub(super) const fn alone(first: u64, bytes: u64) -> Self {
        Self { first, items: 1, bytes, groups: None, care: None }
    }

    /// Somebody waits for its items after all.
    pub(super) fn join(&mut self, groups: Groups<O>) {
        self.groups = Some(groups);
    }

    /// How many submitters wait for one of its items.
    pub(super) fn waiters(&self) -> usize {
        self.groups.as_ref().map_or(0, Groups::waiters)
    }

    /// Tells the hook, then every submitter. Returns a round that can be used again.
    pub(super) fn tell(&mut self, results: Results<O>) -> Option<Group<O>> {
        let mut groups = self.groups.take()?;
        if let Some(care) = self.care.take() {
            care.tell(&results, self.items);
        }
        groups.settle(results, self.items);
        groups.into_first()
    }

    /// Cuts the piece into parts of these sizes, which are as many items together.
    pub(super) fn cut(mut self, sizes: &[u32]) -> Vec<Self> {
        let (mut first, mut bytes, mut items) = (self.first, self.bytes, self.items);
        let groups = &mut self.groups;
        let mut care = self.care.take();
        let mut part = |size: usize| {
            // The bytes of single items are not known any more, only their sum has to stay.
            let share = if size == items { bytes } else { bytes / items as u64 * size as u64 };
            let kept = care.as_mut().and_then(|care| {
                let kept = care.kept.as_mut()?;
                let rest = kept.split_off(size.min(kept.len()));
                Some(std::mem::replace(kept, rest))
            });
            let cared = care.as_ref().map(|care| {
                let Care { hook, attempts, since, .. } = &**care;
                let (hook, attempts, since) = (hook.clone(), *attempts, *since);
                Box::new(Care { hook, kept, attempts, since, pass: None })
            });
            let part = Self {
                first,
                items: size,
                bytes: share,
                groups: groups.as_mut().map(|groups| groups.split(size)),
                care: cared,
            };
            first += size as u64;
            bytes -= share;
            items -= size;
            part
        };
        let parts = sizes.iter().map(|size| part(*size as usize)).collect();
        // Everybody is in one of the parts.
        self.groups = None;
        parts
    }
}

impl<T> Care<T> {
    fn tell<O>(self, results: &Results<O>, items: usize) {
        let (Some(hook), Some(kept)) = (self.hook, self.kept) else { return };
        let attempts = self.attempts;
        let failed = kept.into_iter().enumerate().filter_map(|(position, item)| {
            let why = results.failure(position, items)?;
            Some(GivenUp { item, why, attempts })
        });
        let given_up: Vec<_> = failed.collect();
        if !given_up.is_empty() {
            hook.call(given_up);
        }
    }
}

impl<T, O> Drop for Piece<T, O> {
    fn drop(&mut self) {
        if self.groups.is_some() {
            self.tell(Results::None(Failure::Lost));
        }
    }
}
