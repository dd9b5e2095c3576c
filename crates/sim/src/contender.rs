//! Who competes? A controller by name, with the first plan that its rule is known by.
//!
//! Where a rule moves only the size or only the concurrency, the other half of its first plan is
//! its fate: it is what its project publishes as a default, or what people set who use it. Nobody
//! begins with a plan that fits the scenario.

use std::time::Duration;

use tidegate::control::{aimd, joint};
use tidegate::{ControllerSettings, Epoch, Plan};

use crate::scenario::{Latency, Scenario};

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

/// How long a batch waits for company while a slot is free: not at all, as the server's default.
pub const LINGER: Duration = Duration::ZERO;

/// Name, first size, first concurrency. A controller that is not named here begins with
/// [`FIRST_OF_ANY`].
const FIRST: [(&str, u32, f64); 9] = [
    // What a person sets who has thought about it.
    ("fixed", 1_000, 4.0),
    ("aimd", 100, 4.0),
    ("joint", 100, 4.0),
    // Vector begins with one request in flight, Netflix with 20.
    ("arc", 100, 1.0),
    ("gradient2", 100, 20.0),
    ("vegas", 100, 20.0),
    // Flink begins with one batch of 500 records, Beam with the least size.
    ("flink", 500, 1.0),
    ("beam", 1, 1.0),
    ("load_score", 100, 1.0),
];

/// Size and concurrency of whoever needs no others.
const FIRST_OF_ANY: (u32, f64) = (100, 1.0);

/// Leaves a machine out.
pub type LeaveOut = fn(&mut joint::Parts);

/// The machines of `joint` that can be left out, to see what each earns: `joint without startup` is a
/// name like any other.
pub const MACHINES: [(&str, LeaveOut); 7] = [
    ("startup", |parts| parts.startup = false),
    ("margin", |parts| parts.margin = false),
    ("rounds", |parts| parts.rounds = false),
    ("concurrency", |parts| parts.concurrency = false),
    ("ceiling", |parts| parts.ceiling = false),
    ("hindsight", |parts| parts.hindsight = false),
    ("share", |parts| parts.share = false),
];

/// What the name of `joint` without one of its machines begins with.
pub const WITHOUT: &str = "joint without ";

/// The names of all that can compete.
#[must_use]
pub const fn names() -> &'static [&'static str] {
    &ControllerSettings::NAMES
}

/// The name of the library's default.
#[must_use]
pub fn default_name() -> &'static str {
    let default = std::mem::discriminant(&ControllerSettings::default());
    let is_default = |name: &&&str| {
        ControllerSettings::by_name(name)
            .is_some_and(|settings| std::mem::discriminant(&settings) == default)
    };
    names().iter().find(is_default).copied().unwrap_or("fixed")
}

impl Contender {
    /// The contender of that name in that scenario, with the scenario's target. `aimd` is the plain
    /// rule, without start-up. Bounds of the scenario that are narrower narrow the first plan.
    #[must_use]
    pub fn by_name(name: &str, scenario: &Scenario) -> Option<Self> {
        let controller = targeted(settings(name)?, scenario);
        // Whoever lacks a machine begins like whoever has them all.
        let like = if name.starts_with(WITHOUT) { "joint" } else { name };
        let known = FIRST.iter().find(|(known, ..)| *known == like);
        let (size, concurrency) = known.map_or(FIRST_OF_ANY, |(_, size, slots)| (*size, *slots));
        let bounds = scenario.bounds;
        let size = u32::clamp(size, bounds.batch_size_min, bounds.batch_size_max);
        let first = plan(size, f64::min(concurrency, bounds.concurrency_max));
        Some(Self { name: name.to_owned(), controller, first })
    }

    /// A plan that is never changed.
    #[must_use]
    pub fn fixed(batch_size: u32, concurrency: f64) -> Self {
        let first = plan(batch_size, concurrency);
        Self { name: "fixed".into(), controller: ControllerSettings::Fixed, first }
    }
}

/// The settings of that name.
fn settings(name: &str) -> Option<ControllerSettings> {
    let Some(machine) = name.strip_prefix(WITHOUT) else {
        return ControllerSettings::by_name(name);
    };
    let (_, leave_out) = MACHINES.iter().find(|(known, _)| *known == machine)?;
    let mut settings = joint::Settings::default();
    leave_out(&mut settings.parts);
    Some(ControllerSettings::Joint(settings))
}

/// Whether somebody competes under that name.
#[must_use]
pub fn is_known(name: &str) -> bool {
    settings(name).is_some()
}

/// The settings with the scenario's target, where there is one to set. Controllers see attempts:
/// of a target on delivery they get half, the other half is for filling a batch and for waiting.
fn targeted(settings: ControllerSettings, scenario: &Scenario) -> ControllerSettings {
    let target = match scenario.target.of {
        Latency::Attempt => scenario.target(),
        Latency::Delivery => scenario.target() / 2,
    };
    match settings {
        ControllerSettings::Aimd(settings) => {
            ControllerSettings::Aimd(aimd::Settings { target, startup: 1.0, ..settings })
        }
        other => other.with_target(target),
    }
}

/// The plan of that size and concurrency, with the usual linger.
#[must_use]
pub fn plan(batch_size: u32, concurrency: f64) -> Plan {
    Plan { batch_size, concurrency, pace: None, linger: LINGER, epoch: Epoch::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::random;

    #[test]
    fn whoever_lacks_a_machine_begins_like_whoever_has_them_all() {
        let scenario = random::scenario(0);
        let whole = Contender::by_name("joint", &scenario).unwrap();
        for (machine, _) in MACHINES {
            let less = Contender::by_name(&format!("{WITHOUT}{machine}"), &scenario).unwrap();
            assert_eq!(less.first, whole.first);
            assert_ne!(less.controller, whole.controller, "{machine}");
        }
        assert_eq!(Contender::by_name("joint without wheels", &scenario), None);
    }
}
