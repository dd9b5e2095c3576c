//! What is better? More delivered, sooner answered, or fewer attempts for it: a weighted sum.
//!
//! The usefulness of a plan is w·ln(items in time a second) − v·ln(latency) + u·ln(items an
//! attempt). A difference of logarithms needs no units and no scale: with w = v = 1 a plan that is
//! ten percent faster may take ten percent longer.

use crate::error::{SettingError, within};

/// What the joint controller is after; the target holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Objective {
    /// As much as possible delivered in time.
    #[default]
    Throughput,
    /// Low latency: as much of it as of throughput counts.
    Latency,
    /// Few attempts: as much of it as of throughput counts.
    Cost,
    /// Any mixture.
    Weights(Weights),
}

/// How much counts what, 0 to 1 each, and not all of them 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Items delivered in time a second.
    pub throughput: f64,
    /// Attempt latency: less is better.
    pub latency: f64,
    /// Attempts for an item: fewer are better.
    pub cost: f64,
}

impl Objective {
    /// The weights.
    #[must_use]
    pub const fn weights(&self) -> Weights {
        match *self {
            Self::Throughput => Weights { throughput: 1.0, latency: 0.0, cost: 0.0 },
            Self::Latency => Weights { throughput: 1.0, latency: 1.0, cost: 0.0 },
            Self::Cost => Weights { throughput: 1.0, latency: 0.0, cost: 1.0 },
            Self::Weights(weights) => weights,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingError> {
        let Weights { throughput, latency, cost } = self.weights();
        within("controller.throughput", throughput, 0.0..=1.0)?;
        within("controller.latency", latency, 0.0..=1.0)?;
        within("controller.cost", cost, 0.0..=1.0)?;
        if throughput + latency + cost <= 0.0 {
            let bound = "above 0, unless latency or cost is";
            return Err(SettingError::new("controller.throughput", 0, bound));
        }
        Ok(())
    }
}

impl Weights {
    /// How useful such a plan is.
    pub(super) fn value(&self, ln_rate: f64, ln_latency: f64, ln_items: f64) -> f64 {
        self.throughput * ln_rate - self.latency * ln_latency + self.cost * ln_items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_ask_for_nothing_are_refused() {
        let none = Weights { throughput: 0.0, latency: 0.0, cost: 0.0 };
        let error = Objective::Weights(none).check().unwrap_err();
        assert_eq!(error.field, "controller.throughput");
        let odd = Objective::Weights(Weights { cost: f64::NAN, ..none });
        assert_eq!(odd.check().unwrap_err().field, "controller.cost");
        assert!(Objective::Latency.check().is_ok());
    }
}
