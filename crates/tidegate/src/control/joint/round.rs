//! What do as many answers as are in flight say together? Their median, which is one observation,
//! however many of them a stall hit.

/// Answers so far, each as the logarithm of what it implies.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    implied: [f64; Self::MOST],
    count: usize,
}

/// What a round says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Median {
    pub(super) value: f64,
    /// Of so many answers, 2 to 16.
    pub(super) answers: u8,
}

impl Round {
    const MOST: usize = 16;

    /// An answer while `slots` may be in flight. The round is over with as many of them, but with no
    /// fewer than 2 and no more than 16, and the next one begins.
    pub(super) fn push(&mut self, implied: f64, slots: f64) -> Option<Median> {
        if let Some(place) = self.implied.get_mut(self.count) {
            *place = implied;
            self.count += 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to 16")]
        let answers = slots.ceil().clamp(2.0, 16.0) as u8;
        if self.count < answers.into() {
            return None;
        }
        let round = self.implied.get_mut(..self.count).unwrap_or(&mut []);
        round.sort_unstable_by(f64::total_cmp);
        let value = round.get(round.len() / 2).copied().unwrap_or(0.0);
        self.clear();
        Some(Median { value, answers })
    }

    /// Begins anew.
    pub(super) const fn clear(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: a round ends with as many answers as there are slots, within 2 and 16, and says
        /// what one of them said, with no more than half of them below or above.
        #[test]
        fn a_round_says_what_its_middle_says(
            implied in proptest::collection::vec(-5.0..5.0f64, 16),
            slots in 0.1..40.0f64,
        ) {
            let mut round = Round::default();
            let place = implied.iter().position(|one| round.push(*one, slots).is_some()).unwrap();
            let mut again = Round::default();
            let median = implied.iter().find_map(|one| again.push(*one, slots)).unwrap();
            prop_assert_eq!(place + 1, usize::from(median.answers));
            prop_assert!((2..=16).contains(&median.answers));
            let seen = implied.get(..=place).unwrap();
            prop_assert!(seen.contains(&median.value));
            let below = seen.iter().filter(|one| **one < median.value).count();
            let above = seen.iter().filter(|one| **one > median.value).count();
            prop_assert!(2 * below <= seen.len() && 2 * above <= seen.len());
        }
    }
}
