//! How large may a batch be? Each full batch says: so much as would have taken what is allowed.
//!
//! A batch of b items that took L of L* allowed implies a size of b · L* ÷ L. The size moves a
//! small part of the way there, as logarithms, so that no single batch decides. The part is small
//! where many attempts are in flight, because they all vote. What was sent before the size last
//! moved is judged by the size it had: a late answer is no reason to overshoot.

/// A batch raises the size to at most this above its own, as a logarithm.
const FURTHEST: f64 = 0.35;

/// The size, as a logarithm.
#[derive(Debug, Clone)]
pub(super) struct Size {
    ln: f64,
    /// What batches lately implied above or below the size, as a logarithm.
    error: f64,
    /// The same, however far it is.
    far: f64,
}

impl Size {
    pub(super) const fn new(ln: f64) -> Self {
        Self { ln, error: 1.0, far: 0.0 }
    }

    pub(super) const fn ln(&self) -> f64 {
        self.ln
    }

    /// How far the implied size has been from the size lately; 0 when it has settled.
    pub(super) const fn error(&self) -> f64 {
        self.error
    }

    /// The same, up to four: how far below what is allowed a batch at the ceiling stays.
    pub(super) const fn far(&self) -> f64 {
        self.far
    }

    /// A batch of the size `sent` implies one that is `implied` above this one, both as logarithms;
    /// `slots` attempts vote. None raises the size far above its own, of which nothing is known.
    pub(super) fn vote(&mut self, sent: f64, implied: f64, slots: f64, spread: f64) {
        self.error += 0.1 * (implied.clamp(-1.0, 1.0) - self.error);
        self.far += 0.1 * (implied.clamp(-1.0, 4.0) - self.far);
        // Where latencies hardly differ, each says more.
        let sure = (0.15 / spread.max(0.01)).clamp(1.0, 4.0);
        // What pulls to and fro is noise: the less so, the more votes go the same way.
        let calm = (self.error.abs() / 0.2).clamp(0.3, 1.0);
        let part = (sure * 0.4 / slots.max(1.0)).min(sure * 0.12).min(0.4) * calm;
        // Far away there is no doubt about the direction.
        let part = if implied.abs() > 0.4 && self.error * implied > 0.0 {
            (2.0 * part).min(0.4)
        } else {
            part
        };
        let to = self.ln + part * implied.clamp(-1.0, 0.5);
        // But at least by one item: a size of 1 shall not be for ever.
        let furthest = (sent + FURTHEST).max((sent.exp() + 1.0).ln());
        self.ln = to.min(self.ln.max(furthest));
    }

    /// Moves by that much at once.
    pub(super) fn jump(&mut self, by: f64) {
        self.ln += by;
        (self.error, self.far) = (0.0, 0.0);
    }

    /// The size is this now, and not settled.
    pub(super) const fn set(&mut self, ln: f64) {
        self.ln = ln;
        (self.error, self.far) = (0.5, 0.5);
    }

    pub(super) fn hold_within(&mut self, least: f64, most: f64) {
        self.ln = self.ln.min(most).max(least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: one batch moves the size by little, whatever it implies.
        #[test]
        fn one_batch_decides_little(implied in -50.0..50.0f64, slots in 0.01..1000.0f64) {
            let mut size = Size::new(7.0);
            size.vote(7.0, implied, slots, 0.15);
            prop_assert!((size.ln() - 7.0).abs() <= 0.24 + 1e-9);
        }
    }

    #[test]
    fn it_settles_where_a_batch_takes_what_is_allowed() {
        let mut size = Size::new(100f64.ln());
        for _ in 0..200 {
            // 2 ms and 20 µs an item, of 60 ms allowed.
            let took: f64 = 0.002 + 20e-6 * size.ln().exp();
            size.vote(size.ln(), (0.060 / took).ln(), 4.0, 0.15);
        }
        let found = size.ln().exp();
        assert!((found - 2900.0).abs() < 60.0, "{found}");
        assert!(size.error().abs() < 0.05);
    }
}
