//! Which plans may ever be in force? Those within bounds, whatever a controller asks for.
//!
//! Bounds are settings of the user's own: they are checked once, and from then on no sequence of
//! samples, however odd, leads to a plan outside them. A controller that asks for more is given
//! the nearest plan inside, and that is a decision of its own, with its own reason.

use std::time::Duration;

use crate::error::{SettingError, within};
use crate::{Change, Plan};

/// The plans that may be in force.
///
/// ```
/// use tidegate::Bounds;
///
/// let bounds = Bounds { batch_size_max: 5_000, ..Bounds::default() };
/// assert!(bounds.check().is_ok());
///
/// let error = Bounds { batch_size_min: 9, batch_size_max: 3, ..bounds }.check().unwrap_err();
/// assert_eq!(error.to_string(), "batch_size.max is 3, but must be between 9 and 1000000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Fewest items in a full batch, 1 to 1,000,000. Default 1.
    pub batch_size_min: u32,
    /// Most items in a batch: a hard cap, from the minimum to 1,000,000. Default 10,000.
    pub batch_size_max: u32,
    /// Most serialized bytes in a batch: a hard cap, 1 B to 1 GiB. Default 8 MiB.
    pub batch_bytes_max: u64,
    /// Most attempts in flight, .01 to 1,024. Default 16.
    pub concurrency_max: f64,
    /// Longest linger, up to an hour. Default 1 s.
    pub linger_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            batch_size_min: 1,
            batch_size_max: 10_000,
            batch_bytes_max: 8 << 20,
            concurrency_max: 16.0,
            linger_max: Duration::from_secs(1),
        }
    }
}

/// The least concurrency a plan may have: pauses 99 times as long as an attempt.
///
/// ```
/// assert_eq!(tidegate::bounds::CONCURRENCY_MIN, 0.01);
/// ```
pub const CONCURRENCY_MIN: f64 = 0.01;

/// The lowest pace a plan may have, in attempts a second.
///
/// ```
/// assert_eq!(tidegate::bounds::PACE_MIN, 0.001);
/// ```
pub const PACE_MIN: f64 = 0.001;

impl Bounds {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first one that is out of its range or contradicts another.
    pub fn check(&self) -> Result<(), SettingError> {
        const SIZE_MAX: u32 = 1_000_000;
        within("batch_size.min", self.batch_size_min, 1..=SIZE_MAX)?;
        within("batch_size.max", self.batch_size_max, self.batch_size_min..=SIZE_MAX)?;
        within("batch_bytes.max", self.batch_bytes_max, 1..=1 << 30)?;
        within("concurrency.max", self.concurrency_max, CONCURRENCY_MIN..=1024.0)?;
        if self.linger_max > Duration::from_secs(3600) {
            let value = format!("{:?}", self.linger_max);
            return Err(SettingError::new("linger.max", value, "at most 3600s"));
        }
        Ok(())
    }

    /// Checks a plan that a person gave, which is refused rather than bent.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first part of the plan that is out of bounds.
    pub fn check_plan(&self, plan: &Plan) -> Result<(), SettingError> {
        let sizes = self.batch_size_min..=self.batch_size_max;
        within("batch_size.initial", plan.batch_size, sizes)?;
        within("concurrency.initial", plan.concurrency, CONCURRENCY_MIN..=self.concurrency_max)?;
        if let Some(pace) = plan.pace {
            within("pace", pace, PACE_MIN..=1e9)?;
        }
        if plan.linger > self.linger_max {
            let value = format!("{:?}", plan.linger);
            return Err(SettingError::new(
                "linger",
                value,
                format!("at most {:?}", self.linger_max),
            ));
        }
        Ok(())
    }

    /// The veto on a plan that a controller asks for: the nearest plan inside the bounds and why,
    /// or `None` if it is inside already. `current` stands in for parts that are not numbers.
    #[must_use]
    pub fn veto(&self, asked: &Plan, current: &Plan) -> Option<Change> {
        let finite = |value: f64, instead: f64| if value.is_finite() { value } else { instead };
        let plan = Plan {
            batch_size: asked.batch_size.clamp(self.batch_size_min, self.batch_size_max),
            concurrency: finite(asked.concurrency, current.concurrency)
                .clamp(CONCURRENCY_MIN, self.concurrency_max),
            pace: asked.pace.filter(|pace| pace.is_finite()).map(|pace| pace.clamp(PACE_MIN, 1e9)),
            linger: asked.linger.min(self.linger_max),
            epoch: asked.epoch,
        };
        if plan == *asked {
            return None;
        }
        let reason = if plan.batch_size != asked.batch_size {
            format!("batch size {} is out of bounds: {} instead", asked.batch_size, plan.batch_size)
        } else if plan.linger != asked.linger {
            format!("linger {:?} is out of bounds: {:?} instead", asked.linger, plan.linger)
        } else if plan.pace != asked.pace {
            format!("pace {:?} is out of bounds: {:?} instead", asked.pace, plan.pace)
        } else {
            format!(
                "concurrency {} is out of bounds: {} instead",
                asked.concurrency, plan.concurrency
            )
        };
        Some(Change { plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;
    use proptest::prelude::*;

    const PLAN: Plan = Plan {
        batch_size: 100,
        concurrency: 4.0,
        pace: None,
        linger: Duration::ZERO,
        epoch: Epoch(3),
    };

    proptest! {
        /// Invariant: what a veto leaves in force is inside the bounds, and a plan inside is left alone.
        #[test]
        fn a_veto_ends_inside(size: u32, concurrency: f64, pace: Option<f64>, linger_ms in 0..9_000u64) {
            let bounds = Bounds::default();
            let asked = Plan {
                batch_size: size, concurrency, pace,
                linger: Duration::from_millis(linger_ms), epoch: Epoch(7),
            };
            match bounds.veto(&asked, &PLAN) {
                Some(change) => {
                    prop_assert!(bounds.check_plan(&change.plan).is_ok());
                    prop_assert_eq!(change.plan.epoch, asked.epoch);
                }
                None => prop_assert!(bounds.check_plan(&asked).is_ok()),
            }
        }
    }

    #[test]
    fn a_plan_that_a_person_gave_is_refused_with_field_value_and_bound() {
        let bounds = Bounds { concurrency_max: 2.0, ..Bounds::default() };
        let error = bounds.check_plan(&PLAN).unwrap_err();
        assert_eq!(error.to_string(), "concurrency.initial is 4, but must be between 0.01 and 2");
    }
}
