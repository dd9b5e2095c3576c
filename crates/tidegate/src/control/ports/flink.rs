//! Flink's AsyncSink: how many items may be in flight? Ten more after a success, half after a
//! failure.
//!
//! The limit begins with one full batch and ends at full batches in all slots. A batch is as large
//! as the limit allows, up to the largest: so the batch is what shrinks first. It is blind to
//! latency.

use crate::control::Controller;
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Moment, Outcome, Plan, Sample};

/// Flink's settings, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct FlinkSettings {
    /// Items in the largest batch, 1 to 1,000,000. Default 500.
    pub batch_size_max: u32,
    /// Most attempts in flight, 1 to 1,024. Default 50.
    pub in_flight_max: u32,
    /// Items more in flight after a success, 1 to 100,000. Default 10.
    pub increase: u32,
    /// Factor on the items in flight after a failure, .01 to .99. Default .5.
    pub decrease: f64,
}

impl Default for FlinkSettings {
    fn default() -> Self {
        Self { batch_size_max: 500, in_flight_max: 50, increase: 10, decrease: 0.5 }
    }
}

/// Flink's AsyncSink.
#[derive(Debug, Clone)]
pub struct Flink {
    settings: FlinkSettings,
    bounds: Bounds,
    plan: Plan,
    /// Items in flight.
    items: f64,
}

impl Flink {
    /// The controller; of the plan `first` it keeps pace and linger.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: FlinkSettings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("controller.batch_size_max", settings.batch_size_max, 1..=1_000_000)?;
        within("controller.in_flight_max", settings.in_flight_max, 1..=1024)?;
        within("controller.increase", settings.increase, 1..=100_000)?;
        within("controller.decrease", settings.decrease, 0.01..=0.99)?;
        let items = f64::from(settings.batch_size_max);
        let mut flink = Self { settings, bounds, plan: first, items };
        flink.plan = flink.split();
        Ok(flink)
    }

    /// The items in flight as batches.
    fn split(&self) -> Plan {
        let largest = f64::from(self.settings.batch_size_max);
        let (least, most) = (self.bounds.batch_size_min, self.bounds.batch_size_max);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two u32"
        )]
        let batch_size = self.items.min(largest).clamp(f64::from(least), f64::from(most)) as u32;
        let slots = (self.items / f64::from(batch_size)).floor();
        let slots = slots.clamp(1.0, f64::from(self.settings.in_flight_max));
        Plan { batch_size, concurrency: slots.min(self.bounds.concurrency_max), ..self.plan }
    }
}

impl Controller for Flink {
    fn name(&self) -> &'static str {
        "flink"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        let FlinkSettings { batch_size_max, in_flight_max, increase, decrease } = self.settings;
        let failed = sample.outcome != Outcome::Ok;
        self.items = if failed {
            (self.items * decrease).round().max(1.0)
        } else {
            let most = f64::from(batch_size_max) * f64::from(in_flight_max);
            (self.items + f64::from(increase)).min(most)
        };
        let plan = self.split();
        if plan == self.plan {
            return None;
        }
        self.plan = plan;
        let reason = format!(
            "{} items in flight: an attempt ended {}",
            self.items,
            sample.outcome.describe()
        );
        Some(Change { plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::{first_plan, sample};

    #[test]
    fn success_adds_ten_items_and_failure_halves() {
        let mut flink =
            Flink::new(FlinkSettings::default(), first_plan(7), Bounds::default()).unwrap();
        let mut after = |outcome| {
            flink.sample(&sample(0, 5, 500, outcome));
            (flink.items, flink.plan.batch_size, flink.plan.concurrency)
        };
        assert_eq!(after(Outcome::Ok), (510.0, 500, 1.0));
        assert_eq!(after(Outcome::Overloaded), (255.0, 255, 1.0));
        assert_eq!(after(Outcome::TimedOut), (128.0, 128, 1.0));
        for _ in 0..90 {
            after(Outcome::Ok);
        }
        assert_eq!(after(Outcome::Ok), (1038.0, 500, 2.0));
    }
}
