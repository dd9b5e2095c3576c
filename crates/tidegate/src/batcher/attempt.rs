//! What becomes of a batch that is on its way? Exactly one answer, which every party hears.
//!
//! An attempt that is dropped without an answer, because its runtime ended, tells its submitters
//! and the hook that it is lost: so nobody waits for ever.

use super::answer::{Answer, Results};
use super::error::Failure;
use super::given_up::{GivenUp, Hook};
use super::line::Groups;
use super::round::Group;
use crate::engine::Ticket;

/// A batch in flight.
pub(super) struct Attempt<T, O> {
    pub(super) ticket: Option<Ticket>,
    pub(super) items: usize,
    pub(super) bytes: u64,
    /// The number of its first item, counted from the first one ever added.
    pub(super) first: u64,
    /// Taken when they have been told.
    pub(super) told: Option<Told<T, O>>,
}

/// Who is to be told of the outcome.
pub(super) struct Told<T, O> {
    pub(super) groups: Groups<O>,
    pub(super) hook: Option<(Hook<T>, Vec<T>)>,
}

impl<T, O> Told<T, O> {
    /// Tells the hook, then every submitter. Returns a round that can be used again.
    fn tell(self, mut results: Results<O>, items: usize) -> Option<Group<O>> {
        let Self { mut groups, hook } = self;
        if let Some((hook, kept)) = hook {
            let kept = kept.into_iter().enumerate();
            let failed = kept.filter_map(|(position, item)| {
                let why = results.failure(position, items)?;
                Some(GivenUp { item, why })
            });
            let given_up: Vec<_> = failed.collect();
            if !given_up.is_empty() {
                hook.call(given_up);
            }
        }
        for group in groups.iter_mut() {
            group.settle(|position| results.take(position, items));
        }
        // Values that nobody fetches are dropped before anybody is woken.
        drop(results);
        groups.iter_mut().for_each(Group::wake);
        groups.into_first()
    }
}

impl<T, O> Attempt<T, O> {
    /// Tells everybody what the handler answered.
    pub(super) fn tell(&mut self, answer: Answer<O>) -> Option<Group<O>> {
        self.told.take()?.tell(answer.results, self.items)
    }
}

impl<T, O> Drop for Attempt<T, O> {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            told.tell(Results::None(Failure::Lost), self.items);
        }
    }
}
