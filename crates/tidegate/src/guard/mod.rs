//! What may no controller overlook? A guard's veto stands between the plan that a controller asks
//! for and the plan in force.
//!
//! | guard | looks at | and then |
//! |---|---|---|
//! | `rate` | refusals by a rate limit | sets a pace ([`RateGate`]) |
//! | `memory` | memory of the process and of the system | halves the batch size ([`Brake`]) |
//! | `cpu` | the processor's share in use | halves the batch size |
//! | `target` | attempts over a latency | halves the batch size when most are |
//! | `in_flight` | items in flight | fewer attempts, then smaller batches |
//!
//! Limits of items and bytes in a batch are [`Bounds`](crate::Bounds), which stand behind the
//! guards. All guards but `rate` are off unless they are given a limit. Readings come as arguments:
//! who reads memory is the shell's affair. While a brake is on, batches count as not full, so that
//! no controller takes the smaller batch for its own.

mod brake;
mod rate;

use std::borrow::Cow;
use std::time::Duration;

use crate::error::{SettingError, within};
use crate::said::Time;
use crate::{Moment, Plan, Sample};

pub use brake::Brake;
pub use rate::RateGate;

/// Limits of the guards; `None` switches a guard off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Whether refusals by a rate limit set a pace. Default true.
    pub rate: bool,
    /// Most memory of the process, in bytes, 1 MiB to 64 TiB. Default none.
    pub process_memory: Option<u64>,
    /// Most memory of the system in use, as a share, .01 to 1. Default none.
    pub system_memory: Option<f64>,
    /// Most of the processor in use, as a share, .01 to 1. Default none.
    pub cpu: Option<f64>,
    /// Latency that most attempts must stay under, 1 ms to 1 h. Default none.
    pub target: Option<Duration>,
    /// Most items in flight, 1 to 10⁹. Default none.
    pub in_flight_items: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: true,
            process_memory: None,
            system_memory: None,
            cpu: None,
            target: None,
            in_flight_items: None,
        }
    }
}

impl Limits {
    /// Checks every limit.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first one that is out of its range.
    pub fn check(&self) -> Result<(), SettingError> {
        if let Some(bytes) = self.process_memory {
            within("guards.process_memory", bytes, 1 << 20..=1 << 46)?;
        }
        if let Some(share) = self.system_memory {
            within("guards.system_memory", share, 0.01..=1.0)?;
        }
        if let Some(share) = self.cpu {
            within("guards.cpu", share, 0.01..=1.0)?;
        }
        if let Some(target) = self.target {
            within("guards.target_ms", target.as_secs_f64() * 1e3, 1.0..=3_600_000.0)?;
        }
        if let Some(items) = self.in_flight_items {
            within("guards.in_flight_items", items, 1..=1_000_000_000)?;
        }
        Ok(())
    }
}

/// What a shell reads of the host. What it does not know it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// Memory of the process, in bytes.
    pub process_memory: Option<u64>,
    /// Share of the system's memory in use.
    pub system_memory: Option<f64>,
    /// Share of the processor in use.
    pub cpu: Option<f64>,
}

/// Which guard, and why.
pub type Veto = (&'static str, Cow<'static, str>);

/// The guards of one lane.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    limits: Limits,
    rate: RateGate,
    memory: Brake,
    cpu: Brake,
    target: Brake,
    /// Share of late attempts, lately.
    late: f64,
}

/// Over this share of late attempts the target guard brakes.
const MOST: f64 = 0.5;

impl Guards {
    /// Guards with these limits.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a limit is out of its range.
    pub fn new(limits: Limits) -> Result<Self, SettingError> {
        limits.check()?;
        Ok(Self { limits, ..Self::default() })
    }

    /// The plan in force where a controller asks for `asked`.
    #[must_use]
    pub fn rule(&self, asked: &Plan, least: u32) -> Plan {
        let mut plan = *asked;
        if self.is_braking() {
            let size = (f64::from(plan.batch_size) * self.factor()).floor();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "smaller than the size that was asked for"
            )]
            let size = size as u32;
            plan.batch_size = size.max(least).max(1);
        }
        if let Some(most) = self.limits.in_flight_items {
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            plan.batch_size = plan.batch_size.min(most.max(least));
            let slots = f64::from(most) / f64::from(plan.batch_size.max(1));
            plan.concurrency = plan.concurrency.min(slots.max(1.0));
        }
        plan.pace = match (plan.pace, self.rate.pace()) {
            (Some(own), Some(pace)) => Some(own.min(pace)),
            (own, pace) => own.or(pace),
        };
        plan
    }

    fn factor(&self) -> f64 {
        self.memory.factor().min(self.cpu.factor()).min(self.target.factor())
    }

    /// Whether batches are smaller than the controller asks for.
    #[must_use]
    pub fn is_braking(&self) -> bool {
        self.factor() < 1.0
    }

    /// An attempt was answered.
    pub fn answered(&mut self, sample: &Sample) -> Option<Veto> {
        if self.limits.rate
            && let Some((_, reason)) = self.rate.answered(sample)
        {
            return Some(("rate", reason));
        }
        let target = self.limits.target?;
        let late = if sample.latency > target { 1.0 } else { 0.0 };
        self.late += 0.1 * (late - self.late);
        if !self.target.hear(sample.at, self.late, MOST) {
            return None;
        }
        let (share, by, target) = (self.late * 100.0, self.target.factor(), Time(target));
        let reason =
            format!("batch size × {by:.2}: {share:.0} % of attempts took longer than {target}");
        Some(("target", reason.into()))
    }

    /// The host was read.
    pub fn read(&mut self, now: Moment, reading: &Reading) -> Option<Veto> {
        self.read_memory(now, reading).or_else(|| {
            let (used, most) = (reading.cpu?, self.limits.cpu?);
            let moved = self.cpu.hear(now, used, most);
            moved.then(|| ("cpu", share("of the processor", used, most, &self.cpu)))
        })
    }

    fn read_memory(&mut self, now: Moment, reading: &Reading) -> Option<Veto> {
        #[expect(clippy::cast_precision_loss, reason = "a share of some bytes")]
        let process = reading
            .process_memory
            .zip(self.limits.process_memory)
            .map(|(used, most)| (used as f64 / most as f64, 1.0, "of the process's memory limit"));
        let system = reading.system_memory.zip(self.limits.system_memory);
        let system = system.map(|(used, most)| (used, most, "of memory"));
        // The scarcer of the two.
        let scarcer = process
            .into_iter()
            .chain(system)
            .filter(|(used, ..)| used.is_finite())
            .max_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
        let (used, most, of) = scarcer?;
        let moved = self.memory.hear(now, used, most);
        moved.then(|| ("memory", share(of, used, most, &self.memory)))
    }

    /// When a guard wants to be woken.
    #[must_use]
    pub const fn wake_at(&self) -> Option<Moment> {
        self.rate.wake_at()
    }

    /// The moment has come.
    pub fn wake(&mut self, now: Moment) -> Option<Veto> {
        self.rate.wake(now).map(|(_, reason)| ("rate", reason))
    }

    /// A pause is over.
    pub fn resumed(&mut self, now: Moment) {
        self.rate.resumed(now);
    }
}

fn share(of: &str, used: f64, most: f64, brake: &Brake) -> Cow<'static, str> {
    let (used, most, by) = (used * 100.0, most * 100.0, brake.factor());
    format!("batch size × {by:.2}: {used:.0} % {of} is in use, and {most:.0} % is allowed").into()
}

#[cfg(test)]
mod tests;
