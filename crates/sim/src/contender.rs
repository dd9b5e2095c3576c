//! Who competes? A controller by name, with the first plan that its rule is known by.

use std::time::Duration;

use tidegate::control::aimd;
use tidegate::{ControllerSettings, Epoch, Plan};

use crate::scenario::Scenario;

/// A controller with its settings and the plan it begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender {
    /// Its name in tables and results.
    pub name: String,
    /// The controller's settings.
    pub controller: ControllerSettings,
    /// The plan it begins with.
    pub first: Plan,
}

/// How long a batch waits for company where items arrive one by one.
pub const LINGER: Duration = Duration::from_millis(5);

impl Contender {
    /// The contender of that name in that scenario: `fixed` keeps 1,000 × 4, `aimd`, without its start-up, begins with
    /// 100 × 4 and has the scenario's target, `load_score` begins with 100 × 1. Bounds of the
    /// scenario that are narrower narrow the first plan.
    #[must_use]
    pub fn by_name(name: &str, scenario: &Scenario) -> Option<Self> {
        let (controller, size, concurrency) = match ControllerSettings::by_name(name)? {
            ControllerSettings::Fixed => (ControllerSettings::Fixed, 1_000, 4.0),
            ControllerSettings::Aimd(settings) => {
                let settings =
                    aimd::Settings { target: scenario.target(), startup: 1.0, ..settings };
                (ControllerSettings::Aimd(settings), 100, 4.0)
            }
            other => (other.with_target(scenario.target()), 100, 1.0),
        };
        let bounds = scenario.bounds;
        let size = u32::clamp(size, bounds.batch_size_min, bounds.batch_size_max);
        let first = plan(size, f64::min(concurrency, bounds.concurrency_max));
        Some(Self { name: name.to_owned(), controller, first })
    }
}

/// The plan of that size and concurrency, with the usual linger.
#[must_use]
pub fn plan(batch_size: u32, concurrency: f64) -> Plan {
    Plan { batch_size, concurrency, pace: None, linger: LINGER, epoch: Epoch::default() }
}
