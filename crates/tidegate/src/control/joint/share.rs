//! Do others queue at the same backend? Where it says how many wait, all who hear it can share.
//!
//! More operations waiting than half of those that one has in flight oneself are somebody else's, or
//! far too many of one's own. Then own gain is no guide: whoever takes more slots gets more, and all
//! together get less. So while that lasts the
//! concurrency follows the signal alone, which all hear alike: up by a constant while few wait, down
//! by a factor while many do (Chiu and Jain, 1989: that is what leads to equal shares). Below one
//! it means pauses. When nobody has waited for a while, the search takes over again.

use std::time::Duration;

use crate::Moment;

/// What was heard.
#[derive(Debug, Clone)]
pub(super) struct Share {
    /// Operations that wait, lately.
    waiting: f64,
    /// What was said last, and how far apart two sayings are.
    last: f64,
    noise: f64,
    /// How often others were waiting, less how often not.
    hot: f64,
    on: bool,
    next: Moment,
    waited_at: Moment,
    /// Until then what waits may be one's own.
    own_until: Moment,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Turn {
    /// Take this concurrency: the first time, or again.
    Take(f64),
    /// Nobody waits any more: search again.
    Leave,
}

/// More than this may wait.
const FEW: f64 = 2.2;
/// Time between two moves: the signal is late.
const EVERY: Duration = Duration::from_secs(1);
/// So often others must have been waiting.
const OFTEN: f64 = 6.0;
/// The concurrency that is added, for each root of it: at least, and besides while nobody waits.
/// The quicker the climb, the sooner shares are equal; and the more often it goes too far.
const MORE: f64 = 0.04;
const ROOM: f64 = 0.07;
/// The share that is given back at least, for each one that waits too many, and at most.
const LESS: f64 = 0.03;
const LESS_EACH: f64 = 0.03;
const LESS_MOST: f64 = 0.3;
const ALONE: Duration = Duration::from_secs(20);
/// What timed out here may go on there, and wait: so long it is nobody else's.
const OWN: Duration = Duration::from_secs(10);

impl Default for Share {
    fn default() -> Self {
        Self {
            waiting: 0.0,
            last: 0.0,
            noise: 1.0,
            hot: 0.0,
            on: false,
            next: Moment::ZERO,
            waited_at: Moment::ZERO,
            own_until: Moment::ZERO,
        }
    }
}

impl Share {
    /// Whether the concurrency follows the signal.
    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// Operations that wait, lately.
    pub(super) const fn waiting(&self) -> f64 {
        self.waiting
    }

    /// An attempt of one's own timed out.
    pub(super) fn timed_out(&mut self, now: Moment) {
        self.own_until = now + OWN;
    }

    /// The backend says that so many operations wait; `concurrency` attempts are one's own.
    pub(super) fn hear(&mut self, now: Moment, waiting: f64, concurrency: f64) -> Option<Turn> {
        if !waiting.is_finite() || waiting < 0.0 {
            return None;
        }
        self.waiting += 0.4 * (waiting - self.waiting);
        let apart = (waiting - std::mem::replace(&mut self.last, waiting)).abs();
        self.noise += 0.2 * (apart.min(1e6) - self.noise);
        // A signal that jumps about has to be far above one's own.
        let others = now >= self.own_until
            && self.waiting > 0.5 * concurrency.max(1.0) + 1.0 + 2.0 * self.noise;
        self.hot = if others { (self.hot + 1.0).min(40.0) } else { (self.hot - 0.5).max(0.0) };
        if self.waiting > FEW {
            self.waited_at = now;
        }
        if !self.on {
            self.on = self.hot >= OFTEN;
            self.next = now;
            if !self.on {
                return None;
            }
        }
        if now.since(self.waited_at) > ALONE && concurrency >= 1.0 {
            (self.on, self.hot) = (false, 0.0);
            return Some(Turn::Leave);
        }
        if now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let over = self.waiting - FEW;
        let to = if over > 0.0 {
            concurrency * (1.0 - (LESS + LESS_EACH * over).min(LESS_MOST))
        } else {
            let room = 1.0 - self.waiting / FEW;
            concurrency + (MORE + ROOM * room) * concurrency.sqrt()
        };
        Some(Turn::Take(to.max(crate::bounds::CONCURRENCY_MIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: the concurrency stays positive and finite, whatever is said and when.
        #[test]
        fn a_share_is_a_share(
            said in proptest::collection::vec((0..10_000u64, any::<f64>()), 0..200),
        ) {
            let (mut share, mut c) = (Share::default(), 4.0);
            for (ms, waiting) in said {
                let now = Moment::ZERO + Duration::from_millis(ms);
                if let Some(Turn::Take(to)) = share.hear(now, waiting, c) {
                    c = to;
                }
                prop_assert!(c.is_finite() && c > 0.0);
            }
        }
    }

    #[test]
    fn whoever_hears_the_same_ends_with_the_same() {
        let mut all: Vec<_> = [1.0, 2.0, 8.0, 16.0].map(|c| (Share::default(), c)).into();
        for second in 0..240 {
            let total: f64 = all.iter().map(|(_, c)| c).sum();
            for quarter in 0..4 {
                let now = Moment::ZERO + Duration::from_millis(second * 1000 + quarter * 250);
                for (share, c) in &mut all {
                    if let Some(Turn::Take(to)) = share.hear(now, (total - 4.0).max(0.0), *c) {
                        *c = to;
                    }
                }
            }
        }
        let total: f64 = all.iter().map(|(_, c)| c).sum();
        let squares: f64 = all.iter().map(|(_, c)| c * c).sum();
        assert!(total * total / (4.0 * squares) > 0.9, "{all:?}");
        assert!((3.0..7.0).contains(&total), "{total}");
    }
}
