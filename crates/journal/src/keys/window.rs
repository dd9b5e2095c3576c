//! Was a request with this key accepted lately?
//!
//! The newest keys are remembered, bounded in number and in age, whichever is reached first. A
//! pure list and map: times are arguments, in milliseconds since 1970, because the window has to
//! outlive the process. If the wall clock is set forward, keys are forgotten earlier; if it is set
//! back, they stay longer, but never more of them than the bound.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use tidegate_event::Position;

use super::RequestKey;

/// What is remembered of an accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) key: RequestKey,
    pub(crate) positions: Range<Position>,
}

/// The digest is the map's key, so it is not repeated here: 48 bytes an entry with it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    body: u64,
    at: u64,
    first: Position,
    end: Position,
}

/// The keys remembered.
#[derive(Debug)]
pub(crate) struct Window {
    keys_max: usize,
    age_max: u64,
    kept: HashMap<u128, Entry>,
    /// In the order of their positions. A key that was accepted again after its age is here twice
    /// until its first place is popped.
    order: VecDeque<(Position, u128)>,
}

impl Window {
    pub(crate) fn new(keys_max: usize, age_max: Duration) -> Self {
        let age_max = u64::try_from(age_max.as_millis()).unwrap_or(u64::MAX);
        Self { keys_max, age_max, kept: HashMap::new(), order: VecDeque::new() }
    }

    /// The request that had this digest, if it is not too long ago at `now`.
    pub(crate) fn find(&mut self, digest: u128, now: u64) -> Option<Kept> {
        self.forget_before(now.saturating_sub(self.age_max));
        let Entry { body, at, first, end } = *self.kept.get(&digest)?;
        let fresh = at >= now.saturating_sub(self.age_max);
        fresh.then_some(Kept { key: RequestKey { digest, body, at }, positions: first..end })
    }

    /// A request was accepted; its positions are above all others here.
    pub(crate) fn keep(&mut self, key: RequestKey, positions: Range<Position>) {
        let RequestKey { digest, body, at } = key;
        let Range { start: first, end } = positions;
        self.kept.insert(digest, Entry { body, at, first, end });
        self.order.push_back((first, digest));
        while self.order.len() > self.keys_max {
            self.pop();
        }
    }

    /// A request was found on disk, in the order of positions, perhaps not for the first time.
    /// What lies below the newest was there already, or had been forgotten for its number.
    pub(crate) fn restore(&mut self, key: RequestKey, positions: Range<Position>) {
        if self.order.back().is_none_or(|&(newest, _)| newest < positions.start) {
            self.keep(key, positions);
        }
    }

    /// The keys whose requests lie below `low`, in the order of their positions.
    pub(crate) fn below(&self, low: Position) -> Vec<Kept> {
        let below = self.order.iter().take_while(|(first, _)| *first < low);
        let kept = below.filter_map(|&(position, digest)| {
            let Entry { body, at, first, end } = *self.kept.get(&digest)?;
            let key = RequestKey { digest, body, at };
            (first == position).then_some(Kept { key, positions: first..end })
        });
        kept.collect()
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    fn forget_before(&mut self, oldest: u64) {
        while let Some((first, digest)) = self.order.front() {
            let entry = self.kept.get(digest).filter(|entry| entry.first == *first);
            if entry.is_some_and(|entry| entry.at >= oldest) {
                break;
            }
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((first, digest)) = self.order.pop_front()
            && self.kept.get(&digest).is_some_and(|entry| entry.first == first)
        {
            self.kept.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS_MAX: usize = 8;
    const AGE_MAX: u64 = 50;

    fn window() -> Window {
        Window::new(KEYS_MAX, Duration::from_millis(AGE_MAX))
    }

    proptest! {
        /// Invariant: a key is found exactly if it is one of the newest in number and not over the
        /// age, and a window put together again from a snapshot below any position and the
        /// requests from any place at or below it says the same.
        #[test]
        fn the_newest_and_youngest_are_found(
            steps in prop::collection::vec((0u128..16, 0u64..20, 1u64..4, any::<bool>()), 1..60),
            low in 0u64..200, overlap in 0u64..20,
        ) {
            let (mut window, mut all) = (window(), Vec::<Kept>::new());
            let (mut now, mut next) = (1000, 0);
            for (digest, pause, items, accept) in steps {
                now += pause;
                let newest = all.iter().rev().take(KEYS_MAX);
                let known = newest.into_iter().find(|kept| kept.key.digest == digest);
                let expected = known.filter(|kept| kept.key.at + AGE_MAX >= now).cloned();
                prop_assert_eq!(window.find(digest, now), expected.clone());
                if accept && expected.is_none() {
                    let key = RequestKey { digest, body: next ^ 7, at: now };
                    window.keep(key, next..next + items);
                    all.push(Kept { key, positions: next..next + items });
                    next += items;
                }
                prop_assert!(window.len() <= KEYS_MAX && window.order.len() <= KEYS_MAX);
            }
            let mut again = super::tests::window();
            window.below(low).into_iter().for_each(|kept| again.restore(kept.key, kept.positions));
            let from = low.saturating_sub(overlap);
            for kept in all.iter().filter(|kept| kept.positions.end > from) {
                again.restore(kept.key, kept.positions.clone());
            }
            for digest in 0..16 {
                prop_assert_eq!(again.find(digest, now), window.find(digest, now));
            }
        }
    }
}
