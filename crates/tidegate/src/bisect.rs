//! Which item of a refused batch is at fault? Halve the batch until it stands alone.
//!
//! A backend that stores a batch whole or not at all refuses a thousand items for one. The parts of
//! a refused batch are sent one after the other; a part that is refused is cut again, and an item
//! that is refused alone is the poison. Every item that is good is delivered on the way.
//!
//! # How many attempts
//!
//! With *n* items of which *k* are poison, halving takes at most **1 + 2·k·⌈log₂ n⌉** attempts: on
//! each of the ⌈log₂ n⌉ levels above single items at most *k* parts are refused, and each of them
//! causes two attempts.
//!
//! A backend may name the item it means. Such a hint saves the search: the item goes alone, with
//! what came before it and what comes after as the other parts. Honest hints need no more attempts
//! than halving (for *k* > 1 far fewer: at most 1 + 3·*k*). A hint that was wrong costs at most
//! three more attempts, and after it no hint about that batch is believed (nor is one before the
//! last has proved right), so that the bound is **4 + 2·k·⌈log₂ n⌉** whatever a backend says.
//! [`attempts_max`] computes it, [`Hints`] keeps the rule.

/// The sizes of the parts to send next, in order: two halves, or three parts around the item that
/// `hint` points at (its place in the batch). None is empty. A batch of one item has one part.
///
/// ```
/// use tidegate::bisect::parts;
///
/// assert_eq!(parts(7, None), [4, 3]);
/// assert_eq!(parts(7, Some(5)), [5, 1, 1]);
/// assert_eq!(parts(7, Some(0)), [1, 6]);
/// assert_eq!(parts(7, Some(9)), [4, 3]); // there is no such item
/// ```
#[must_use]
pub fn parts(items: u32, hint: Option<u32>) -> Vec<u32> {
    let parts = match hint.filter(|at| *at < items) {
        Some(at) => [at, 1, items - at - 1],
        None => [items.div_ceil(2), items / 2, 0],
    };
    parts.into_iter().filter(|part| *part > 0).collect()
}

/// The most attempts that a batch of `items` with `poison` items takes, hints that are wrong
/// included.
///
/// ```
/// assert_eq!(tidegate::bisect::attempts_max(1_000, 1), 24);
/// ```
#[must_use]
pub fn attempts_max(items: u32, poison: u32) -> u64 {
    let levels = u64::from(items.max(1).next_power_of_two().trailing_zeros());
    4 + 2 * u64::from(poison) * levels
}

/// Whether a hint about a batch is believed.
///
/// ```
/// use tidegate::bisect::Hints;
///
/// let mut hints = Hints::default();
/// assert_eq!(hints.believed(Some(5)), Some(5));
/// assert_eq!(hints.believed(Some(2)), None); // the first one has not proved right yet
/// hints.judge(true);
/// assert_eq!(hints.believed(Some(2)), Some(2));
/// hints.judge(false);
/// assert_eq!(hints.believed(Some(3)), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hints {
    /// The next one is.
    #[default]
    Open,
    /// None is, before the last one was judged.
    Pending,
    /// None is any more: one was wrong.
    Broken,
}

impl Hints {
    /// The hint, if it is to be believed; then it is pending.
    pub fn believed<T>(&mut self, hint: Option<T>) -> Option<T> {
        let hint = hint.filter(|_| *self == Self::Open)?;
        *self = Self::Pending;
        Some(hint)
    }

    /// The item that the last hint pointed at was sent alone: whether it was refused.
    pub fn judge(&mut self, refused: bool) {
        if *self == Self::Pending {
            *self = if refused { Self::Open } else { Self::Broken };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    /// What a search found.
    #[derive(Default)]
    struct Found {
        attempts: u64,
        alone: BTreeSet<u32>,
        delivered: BTreeSet<u32>,
    }

    /// A backend that refuses whatever holds poison; `points` says which item it names.
    fn search(
        items: u32,
        poison: &BTreeSet<u32>,
        mut points: impl FnMut(&Range<u32>) -> Option<u32>,
    ) -> Found {
        let mut found = Found::default();
        let (mut waiting, mut hints) = (vec![(0..items, false)], Hints::default());
        while let Some((part, hinted)) = waiting.pop() {
            found.attempts += 1;
            let refused = poison.range(part.clone()).next().is_some();
            if hinted {
                hints.judge(refused);
            }
            if !refused {
                found.delivered.extend(part);
                continue;
            }
            if part.len() == 1 {
                found.alone.extend(part);
                continue;
            }
            let hint = hints.believed(points(&part).filter(|at| part.contains(at)));
            let sizes = parts(part.end - part.start, hint.map(|at| at - part.start));
            let mut at = part.start;
            let cut = sizes.into_iter().map(|size| {
                let range = at..at + size;
                at = range.end;
                let hinted = hint == Some(range.start) && size == 1;
                (range, hinted)
            });
            let cut: Vec<_> = cut.collect();
            waiting.extend(cut.into_iter().rev());
        }
        found
    }

    proptest! {
        /// Invariant: every poison item ends alone and every other one delivered, within the stated
        /// number of attempts: without hints, with honest ones, and with any others.
        #[test]
        fn poison_ends_alone_within_the_bound(
            items in 1..3000u32, poison in proptest::collection::btree_set(0..3000u32, 0..9), lie: u32,
        ) {
            let poison: BTreeSet<u32> = poison.into_iter().filter(|at| *at < items).collect();
            let count = u32::try_from(poison.len()).unwrap();
            let most = attempts_max(items, count);
            let blind = search(items, &poison, |_| None);
            prop_assert!(blind.attempts <= most - 3, "{} of {most}", blind.attempts);
            let honest = search(items, &poison, |part| poison.range(part.clone()).next().copied());
            prop_assert!(honest.attempts <= (1 + 3 * u64::from(count)).min(most));
            let lying = search(items, &poison, |part| Some(part.start + lie % (part.end - part.start)));
            prop_assert!(lying.attempts <= most, "{} of {most}", lying.attempts);
            for found in [blind, honest, lying] {
                prop_assert_eq!(&found.alone, &poison);
                prop_assert_eq!(found.delivered.len() + poison.len(), items as usize);
            }
        }
    }
}
