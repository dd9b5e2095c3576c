//! Who competes? A controller by name, with the plan that it begins with.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tidegate::{Bounds, Controller, ControllerSettings, Epoch, Plan};

/// How long a batch waits for company where items arrive one by one, as in the simulator.
const LINGER: Duration = Duration::from_millis(5);

/// A plan that somebody would write into a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Static {
    /// Items of a batch.
    pub size: u32,
    /// Batches in flight.
    pub concurrency: u32,
}

/// `SIZExCONCURRENCY`, as in 1000x4.
impl std::str::FromStr for Static {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (size, concurrency) = text.split_once('x').with_context(|| {
            format!("{text:?} is no plan: write SIZExCONCURRENCY, as in 1000x4")
        })?;
        let number = |part: &str| {
            let number = part.parse().ok().filter(|number| *number > 0_u32);
            number.with_context(|| format!("{part:?} in {text:?} is no whole number above 0"))
        };
        Ok(Self { size: number(size)?, concurrency: number(concurrency)? })
    }
}

impl std::fmt::Display for Static {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.size, self.concurrency)
    }
}

/// A controller and its first plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contender {
    /// Its name in tables, files and results.
    pub name: String,
    /// Whether it is a plan that never changes.
    pub is_static: bool,
    /// Whether it is bare loops, without engine and controller.
    pub is_bare: bool,
    /// What it is called in a configuration, with its settings.
    spelled: String,
    settings: ControllerSettings,
    first: Static,
    /// Whether somebody chose the first plan.
    is_chosen: bool,
}

impl Contender {
    /// A plan that never changes.
    pub(crate) fn fixed(plan: Static) -> Self {
        Self {
            name: plan.to_string(),
            is_static: true,
            is_bare: false,
            spelled: "{ name: fixed }".to_owned(),
            settings: ControllerSettings::Fixed,
            first: plan,
            is_chosen: true,
        }
    }

    /// The plan it begins with.
    pub(crate) const fn first(&self) -> Static {
        self.first
    }

    /// The contender that `spec` names, with `target` as its target.
    ///
    /// `NAME` or `NAME:SIZExCONCURRENCY`, which is the plan to begin with. Without it AIMD begins
    /// with 100 × 4 and every other controller with 100 × 1. `aimd` is the plain rule, without a
    /// start-up of its own; `aimd-startup` has it. `fixed` and `bare` need a plan: `bare` is loops
    /// that write without engine and controller.
    pub(crate) fn parse(spec: &str, target: Duration) -> anyhow::Result<Self> {
        let (name, plan) = match spec.split_once(':') {
            Some((name, plan)) => (name, Some(plan.parse::<Static>()?)),
            None => (spec, None),
        };
        if name == "fixed" || name == "bare" {
            let plan =
                plan.with_context(|| format!("{name} needs its plan, as in {name}:1000x4"))?;
            let fixed = Self::fixed(plan);
            return Ok(if name == "fixed" {
                fixed
            } else {
                Self { name: format!("bare {plan}"), is_static: false, is_bare: true, ..fixed }
            });
        }
        let bare = name.strip_suffix("-startup").unwrap_or(name);
        let Some(mut settings) = ControllerSettings::by_name(bare) else {
            bail!(
                "{name:?} is no controller: {}, each with :SIZExCONCURRENCY to begin with",
                ControllerSettings::NAMES.join(", ")
            );
        };
        let concurrency = match settings {
            ControllerSettings::Aimd(_) | ControllerSettings::Joint(_) => 4,
            _ => 1,
        };
        if let ControllerSettings::Aimd(aimd) = &mut settings {
            if name == bare {
                aimd.startup = 1.0;
            }
        } else {
            ensure!(name == bare, "only aimd has a start-up that can be left out");
        }
        let plain = if bare == "aimd" && name == bare { ", startup: 1" } else { "" };
        Ok(Self {
            name: spec.to_owned(),
            is_static: false,
            is_bare: false,
            spelled: format!("{{ name: {bare}{plain} }}"),
            is_chosen: plan.is_some(),
            settings: settings.with_target(target),
            first: plan.unwrap_or(Static { size: 100, concurrency }),
        })
    }

    /// What a server's configuration says of it, a setting a line. A controller whose first plan
    /// nobody chose begins as the product begins.
    ///
    /// # Errors
    ///
    /// When it is bare loops, which no server has.
    pub(crate) fn settings_of_a_lane(&self, size_max: u32) -> anyhow::Result<String> {
        ensure!(!self.is_bare, "{}: through the product there are no bare loops", self.name);
        let Static { size, concurrency } = self.first;
        let first = if self.is_chosen {
            format!(
                "batch_size: {{ initial: {size}, max: {size_max} }}\nconcurrency: {concurrency}"
            )
        } else {
            format!("batch_size: {{ max: {size_max} }}")
        };
        Ok(format!("{first}\ncontroller: {}\n", self.spelled))
    }

    /// The controller, ready to begin.
    pub(crate) fn build(&self, bounds: &Bounds) -> anyhow::Result<Box<dyn Controller>> {
        // A first plan that nobody chose gives way to a backend that takes fewer at once.
        let most = if self.is_chosen { f64::INFINITY } else { bounds.concurrency_max };
        let plan = Plan {
            batch_size: self.first.size,
            concurrency: f64::from(self.first.concurrency).min(most),
            pace: None,
            linger: LINGER,
            epoch: Epoch::default(),
        };
        let built = self.settings.build(plan, bounds);
        built.with_context(|| format!("{} cannot begin with {}", self.name, self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(50);

    #[test]
    fn a_contender_has_the_name_and_the_plan_it_was_given() {
        let fixed = Contender::parse("fixed:1000x4", TARGET).unwrap();
        assert_eq!((fixed.name.as_str(), fixed.is_static), ("1000x4", true));
        let aimd = Contender::parse("aimd:250x2", TARGET).unwrap();
        let mut controller = aimd.build(&Bounds::default()).unwrap();
        let plan = controller.start(tidegate::Moment::ZERO);
        assert_eq!((plan.batch_size, plan.concurrency), (250, 2.0));
        assert_eq!(controller.name(), "aimd");
    }

    #[test]
    fn the_target_reaches_the_controller_and_the_baseline_is_the_plain_rule() {
        let settings = |spec| match Contender::parse(spec, TARGET).unwrap().settings {
            ControllerSettings::Aimd(aimd) => (aimd.target, aimd.startup),
            other => panic!("{other:?}"),
        };
        assert_eq!(settings("aimd"), (TARGET, 1.0));
        assert_eq!(settings("aimd-startup"), (TARGET, 2.0));
    }

    #[test]
    fn what_is_no_contender_is_refused_with_what_to_write() {
        for (spec, why) in [
            ("fixed", "as in fixed:1000x4"),
            ("aimd:1000", "SIZExCONCURRENCY"),
            ("fixed:0x4", "no whole number above 0"),
            ("load_score-startup", "only aimd"),
            ("vegans", "is no controller"),
        ] {
            let error = Contender::parse(spec, TARGET).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{spec}: {error:#}");
        }
        let wide = Contender::parse("fixed:100x99", TARGET).unwrap();
        let error = wide.build(&Bounds::default()).err().unwrap();
        assert!(format!("{error:#}").contains("concurrency.initial is 99"), "{error:#}");
    }
}
