//! Who finds the plan? A controller: it turns samples into plans, and knows neither clock nor
//! runtime.
//!
//! A controller is told when an attempt leaves, what came of it, what the backend says of its
//! load, and when outages begin and end. It answers with a [`Change`] — a plan and a sentence that
//! says why — or with nothing. It names the moment at which it wants to be woken. It never sees an
//! item, and it never reads the time: so the same controller runs in the library, in the server
//! and in virtual time.
//!
//! Each controller is one small file:
//!
//! | controller | moves | by |
//! |---|---|---|
//! | [`fixed`] | nothing | – |
//! | [`aimd`] | batch size | up by a constant while full batches meet the target, down by a factor when not |
//! | [`joint`] | size and concurrency | what full batches take under the target, and duels between plans |
//! | [`gradient`] | batch size | the slope of throughput over size |
//! | [`load_score`] | batch size | the backend's own load |
//! | [`strategy`] | batch size | a performance score: `conservative`, `aggressive`, `balanced`, `adaptive` |
//! | [`ports`] | as their projects do | Vector's ARC, Netflix's Gradient2 and Vegas, Flink's AIMD, Beam's estimator |
//!
//! A new controller is a new file here, a variant of [`ControllerSettings`], and a row above.

pub mod aimd;
pub mod fixed;
pub mod gradient;
pub mod joint;
mod learnt;
pub mod load_score;
pub mod ports;
pub mod strategy;

use std::time::Duration;

use crate::error::SettingError;
use crate::{Bounds, Change, Feedback, Moment, Plan, Sample, Sent};

pub use aimd::Aimd;
pub use fixed::Fixed;
pub use gradient::Gradient;
pub use joint::Joint;
pub use learnt::{Learnt, Part, Score};
pub use load_score::LoadScore;
pub use strategy::Strategy;

/// Turns samples into plans.
///
/// Two rules bind every implementation: never lower capacity because of a batch that was not full,
/// and never take a sample of another epoch for one of this.
pub trait Controller: Send {
    /// Its name in settings, decisions and metrics.
    fn name(&self) -> &'static str;

    /// Begins, and says which plan to begin with.
    fn start(&mut self, now: Moment) -> Plan;

    /// An attempt is leaving.
    fn sent(&mut self, sent: &Sent) -> Option<Change> {
        let _ = sent;
        None
    }

    /// An attempt was answered.
    fn sample(&mut self, sample: &Sample) -> Option<Change>;

    /// The backend or the host spoke of its load, apart from any attempt.
    fn feedback(&mut self, now: Moment, feedback: &Feedback) -> Option<Change> {
        let _ = (now, feedback);
        None
    }

    /// An outage began: nothing will be sent, and nothing is to be learnt.
    fn paused(&mut self, now: Moment) {
        let _ = now;
    }

    /// The outage is over.
    fn resumed(&mut self, now: Moment) -> Option<Change> {
        let _ = now;
        None
    }

    /// When it wants to be woken; asked again after every call.
    fn wake_at(&self) -> Option<Moment> {
        None
    }

    /// The moment has come.
    fn wake(&mut self, now: Moment) -> Option<Change> {
        let _ = now;
        None
    }

    /// What it has learnt, for a person who asks.
    fn learnt(&self) -> Learnt {
        Learnt::default()
    }
}

/// A controller by name, with its settings: data that a configuration holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ControllerSettings {
    /// Keeps the first plan.
    Fixed,
    /// Additive increase, multiplicative decrease of the batch size.
    Aimd(aimd::Settings),
    /// Batch size and concurrency together.
    Joint(joint::Settings),
    /// Batch size by the backend's own load.
    LoadScore(load_score::Settings),
    /// Gradient ascent of throughput over the batch size.
    Gradient(gradient::Settings),
    /// One of four strategies on a performance score.
    Strategy(strategy::Kind, strategy::Settings),
    /// Vector's Adaptive Request Concurrency.
    Arc(ports::ArcSettings),
    /// Netflix's Gradient2 on the concurrency.
    Gradient2(ports::Gradient2Settings),
    /// Netflix's Vegas on the concurrency.
    Vegas(ports::VegasSettings),
    /// Flink's AIMD on the items in flight.
    Flink(ports::FlinkSettings),
    /// Beam's estimator of the batch size.
    Beam(ports::BeamSettings),
}

impl Default for ControllerSettings {
    /// Size and concurrency together.
    fn default() -> Self {
        Self::Joint(joint::Settings::default())
    }
}

/// Whether the batch had to wait for a lock that somebody held.
fn waited_for_lock(sample: &Sample) -> bool {
    let waits = sample.feedback.as_ref().and_then(|feedback| feedback.lock_waits);
    waits.is_some_and(|waits| waits > 0.0)
}

impl ControllerSettings {
    /// The names that a configuration may use.
    pub const NAMES: [&str; 14] = [
        "joint",
        "aimd",
        "fixed",
        "load_score",
        "gradient",
        "conservative",
        "aggressive",
        "balanced",
        "adaptive",
        "arc",
        "gradient2",
        "vegas",
        "flink",
        "beam",
    ];

    /// The controller of that name with its default settings.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let strategy = |kind| Self::Strategy(kind, strategy::Settings::default());
        Some(match name {
            "fixed" => Self::Fixed,
            "joint" => Self::Joint(joint::Settings::default()),
            "aimd" => Self::Aimd(aimd::Settings::default()),
            "load_score" => Self::LoadScore(load_score::Settings::default()),
            "gradient" => Self::Gradient(gradient::Settings::default()),
            "conservative" => strategy(strategy::Kind::Conservative),
            "aggressive" => strategy(strategy::Kind::Aggressive),
            "balanced" => strategy(strategy::Kind::Balanced),
            "adaptive" => strategy(strategy::Kind::Adaptive),
            "arc" => Self::Arc(ports::ArcSettings::default()),
            "gradient2" => Self::Gradient2(ports::Gradient2Settings::default()),
            "vegas" => Self::Vegas(ports::VegasSettings::default()),
            "flink" => Self::Flink(ports::FlinkSettings::default()),
            "beam" => Self::Beam(ports::BeamSettings::default()),
            _ => return None,
        })
    }

    /// The same with this target, where the rule has one: on attempt latency.
    #[must_use]
    pub fn with_target(mut self, target: Duration) -> Self {
        match &mut self {
            Self::Joint(settings) => settings.target = target,
            Self::Aimd(settings) => settings.target = target,
            Self::Gradient(settings) => settings.target = target,
            Self::Strategy(_, settings) => settings.target = target,
            Self::Beam(settings) => settings.duration = target,
            Self::Fixed
            | Self::LoadScore(_)
            | Self::Arc(_)
            | Self::Gradient2(_)
            | Self::Vegas(_)
            | Self::Flink(_) => {}
        }
        self
    }

    /// The controller, beginning with the plan `first` and staying within `bounds`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting, the bounds or the first plan are refused.
    pub fn build(&self, first: Plan, bounds: &Bounds) -> Result<Box<dyn Controller>, SettingError> {
        bounds.check()?;
        bounds.check_plan(&first)?;
        Ok(match self {
            Self::Fixed => Box::new(Fixed::new(first)),
            Self::Joint(settings) => Box::new(Joint::new(settings.clone(), first, *bounds)?),
            Self::Aimd(settings) => Box::new(Aimd::new(settings.clone(), first, *bounds)?),
            Self::LoadScore(settings) => {
                Box::new(LoadScore::new(settings.clone(), first, *bounds)?)
            }
            Self::Gradient(settings) => Box::new(Gradient::new(settings.clone(), first, *bounds)?),
            Self::Strategy(kind, settings) => {
                Box::new(Strategy::new(*kind, settings.clone(), first, *bounds)?)
            }
            Self::Arc(settings) => Box::new(ports::Arc::new(settings.clone(), first, *bounds)?),
            Self::Gradient2(settings) => {
                Box::new(ports::Gradient2::new(settings.clone(), first, *bounds)?)
            }
            Self::Vegas(settings) => Box::new(ports::Vegas::new(settings.clone(), first, *bounds)?),
            Self::Flink(settings) => Box::new(ports::Flink::new(settings.clone(), first, *bounds)?),
            Self::Beam(settings) => Box::new(ports::Beam::new(settings.clone(), first, *bounds)?),
        })
    }
}

/// `size` scaled by `by` and rounded to the nearest whole, moved by at least one in the direction
/// of the scale, within the bounds.
fn scaled(size: u32, by: f64, bounds: &Bounds) -> u32 {
    let wanted = (f64::from(size) * by).round();
    let wanted = match by {
        by if by > 1.0 => wanted.max(f64::from(size) + 1.0),
        by if by < 1.0 => wanted.min(f64::from(size) - 1.0),
        _ => wanted,
    };
    let inside = wanted.clamp(f64::from(bounds.batch_size_min), f64::from(bounds.batch_size_max));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between two u32 bounds"
    )]
    let size = inside as u32;
    size
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Epoch, Outcome};
    use proptest::prelude::*;

    pub(crate) fn first_plan(batch_size: u32) -> Plan {
        Plan {
            batch_size,
            concurrency: 1.0,
            pace: None,
            linger: Duration::ZERO,
            epoch: Epoch::default(),
        }
    }

    /// A full batch that left at `at_ms` and was answered after `latency_ms`.
    pub(crate) fn sample(at_ms: u64, latency_ms: u64, items: u32, outcome: Outcome) -> Sample {
        let at = Moment::ZERO + Duration::from_millis(at_ms);
        let latency = Duration::from_millis(latency_ms);
        Sample {
            sent: Sent {
                at,
                epoch: Epoch::default(),
                target: items,
                items,
                bytes: u64::from(items),
                in_flight: 1,
                full: true,
            },
            at: at + latency,
            latency,
            delivered_meanwhile: 0,
            outcome,
            queue_items: 0,
            feedback: None,
        }
    }

    /// Everything an outcome can be, a few times over what is usual.
    fn outcome(number: u8, ms: u64) -> Outcome {
        let retry_after = ms.is_multiple_of(2).then(|| Duration::from_millis(ms));
        [
            Outcome::Ok,
            Outcome::TimedOut,
            Outcome::Overloaded,
            Outcome::Unreachable,
            Outcome::TooLarge,
            Outcome::Rejected,
            Outcome::Throttled { retry_after },
            Outcome::Partial { delivered: 3 },
        ]
        .get(usize::from(number))
        .copied()
        .unwrap_or(Outcome::Ok)
    }

    proptest! {
        /// Invariant: no sequence of samples, feedback, pauses and wakes leads any controller out of its
        /// bounds, and every change has a reason.
        #[test]
        fn a_plan_never_leaves_its_bounds(
            name in proptest::sample::select(&ControllerSettings::NAMES[..]),
            size in 5..50u32,
            concurrency_max in prop_oneof![Just(0.5), Just(1.0), Just(6.0)],
            target_ms in prop_oneof![Just(1u64), Just(100)],
            steps in proptest::collection::vec(
                (0..8u8, 0..2_000u64, any::<f64>(), 0..12u8, any::<bool>()), 0..300,
            ),
        ) {
            let bounds = Bounds {
                batch_size_min: 5, batch_size_max: 50, concurrency_max, ..Bounds::default()
            };
            let settings = ControllerSettings::by_name(name).unwrap();
            let settings = settings.with_target(Duration::from_millis(target_ms));
            let first = Plan { concurrency: f64::min(1.0, concurrency_max), ..first_plan(size) };
            let mut controller = settings.build(first, &bounds).unwrap();
            let mut now = Moment::ZERO;
            let mut plan = controller.start(now);
            prop_assert!(bounds.check_plan(&plan).is_ok());
            for (what, ms, value, number, full) in steps {
                let feedback = Feedback {
                    cpu: Some(value), queue_depth: Some(value), ..Feedback::default()
                };
                let change = match what {
                    // An answer of the epoch in force, or of one before.
                    0..=4 => {
                        let items = plan.batch_size;
                        let outcome = outcome(number, ms);
                        let mut sample = sample(now.as_nanos() / 1_000_000, ms, items, outcome);
                        sample.sent.full = full || what < 3;
                        sample.sent.epoch = if what == 4 { Epoch::default() } else { plan.epoch };
                        sample.sent.in_flight = 8;
                        sample.feedback = full.then(|| feedback.clone());
                        controller.sent(&sample.sent);
                        controller.sample(&sample)
                    }
                    5 => controller.feedback(now, &feedback),
                    6 => {
                        controller.paused(now);
                        controller.resumed(now)
                    }
                    _ => controller.wake(now),
                };
                if let Some(change) = change {
                    prop_assert!(bounds.check_plan(&change.plan).is_ok(), "{:?}", change);
                    prop_assert!(!change.reason.is_empty());
                    plan = change.plan;
                }
                // The clock may stand still, jump, and jump back.
                now = match ms % 7 {
                    0 => now,
                    1 => Moment::from_nanos(now.as_nanos() / 2),
                    2 => now + Duration::from_secs(ms),
                    _ => now + Duration::from_millis(ms),
                };
            }
        }
    }

    #[test]
    fn every_name_is_a_controller_of_that_name() {
        for name in ControllerSettings::NAMES {
            let settings = ControllerSettings::by_name(name).unwrap();
            let controller = settings.build(first_plan(100), &Bounds::default()).unwrap();
            assert_eq!(controller.name(), name);
        }
        assert_eq!(ControllerSettings::by_name("joined"), None);
    }
}
