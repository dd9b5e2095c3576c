//! Which ticks can a watcher still have that was away? The last ones, bounded in number and bytes.
//!
//! A tick is kept as the bytes that go over the wire: made once, for however many watchers.

use std::collections::VecDeque;

use bytes::Bytes;

/// Most ticks: two minutes of them.
pub(super) const TICKS_MAX: usize = 480;
/// Most bytes of all of them; the newest one is kept in any case.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// The last ticks, with consecutive numbers.
#[derive(Debug, Default)]
pub(super) struct Ring {
    kept: VecDeque<Bytes>,
    bytes: usize,
    /// The number of the newest tick; the first is 1.
    newest: u64,
}

/// Ticks that a watcher asked for are gone, or never were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// So many are gone.
    Gone(u64),
    /// There never was such a tick.
    Never,
}

impl Ring {
    /// Adds the next tick, and lets go of the oldest ones where there is no room.
    pub(super) fn push(&mut self, tick: Bytes) {
        self.newest += 1;
        self.bytes += tick.len();
        self.kept.push_back(tick);
        while self.kept.len() > TICKS_MAX || (self.bytes > BYTES_MAX && self.kept.len() > 1) {
            self.bytes -= self.kept.pop_front().map_or(0, |gone| gone.len());
        }
    }

    /// The number of the newest tick; 0 before the first.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// At most `most` ticks after the one with this number, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Lost`] when the next one is not kept any more, or the number is none of a tick.
    pub(super) fn after(&self, number: u64, most: usize) -> Result<Vec<Bytes>, Lost> {
        if number > self.newest {
            return Err(Lost::Never);
        }
        let forgotten = self.newest - self.kept.len() as u64;
        let Some(skip) = number.checked_sub(forgotten) else {
            return Err(Lost::Gone(forgotten - number));
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(self.kept.iter().skip(skip).take(most).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: a watcher gets every tick after its own exactly once and in order, or is told how
        /// many are gone; and no more is kept than may be.
        #[test]
        fn nothing_is_missing_and_nothing_is_twice(
            sizes in proptest::collection::vec(0..BYTES_MAX / 3, 0..600),
            after in 0..700u64,
            most in 1..600usize,
        ) {
            let mut ring = Ring::default();
            // The bytes are not written, only counted.
            let zeros = Bytes::from(vec![0u8; BYTES_MAX / 3]);
            for size in &sizes {
                ring.push(zeros.slice(..*size));
                prop_assert!(ring.kept.len() <= TICKS_MAX);
                prop_assert!(ring.bytes <= BYTES_MAX || ring.kept.len() == 1);
                prop_assert_eq!(ring.bytes, ring.kept.iter().map(Bytes::len).sum::<usize>());
            }
            match ring.after(after, most) {
                Ok(ticks) => {
                    let wanted = sizes.iter().skip(usize::try_from(after).unwrap()).take(most);
                    let got: Vec<usize> = ticks.iter().map(Bytes::len).collect();
                    prop_assert_eq!(got, wanted.copied().collect::<Vec<_>>());
                }
                Err(Lost::Gone(count)) => {
                    let first_kept = sizes.len() - ring.kept.len();
                    prop_assert_eq!(after + count, first_kept as u64);
                    prop_assert!(count > 0);
                }
                Err(Lost::Never) => prop_assert!(after > sizes.len() as u64),
            }
        }
    }
}
