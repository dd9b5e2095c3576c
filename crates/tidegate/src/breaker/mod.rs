//! Is the backend there at all? The breaker of a sink says so, and alone owns its outages.
//!
//! Sending more to a backend that does not answer helps nobody: it delays the answer, and a
//! controller that sees the failures learns nonsense. So after a number of failures in a row the
//! breaker *opens* and nothing is sent. When the open time is over it is *half-open*: a few small
//! batches go as probes. If all of them are answered it *closes*; one that fails opens it again, for
//! twice as long, up to a bound.
//!
//! | outcome | counts |
//! |---|---|
//! | unreachable, timed out, overloaded | as a failure |
//! | ok, partial | as a success |
//! | throttled, rejected, too large | as a success: the backend answers; what it says is about pace, data or size |
//!
//! *Adaptive*: the number of failures in a row that opens it follows the sink's usual error rate
//! (see `normal`), and the open time grows with failed probes.
//!
//! It is pure: it is told the time, and hands out a [`Pass`] for each attempt, which comes back with
//! what was learnt. A pass of an earlier phase is recognized, so an attempt that was on its way when
//! the breaker opened is no probe.
//!
//! ```
//! use std::time::Duration;
//! use tidegate::Moment;
//! use tidegate::breaker::{Admission, Breaker, Settings, Verdict};
//!
//! let mut breaker = Breaker::new(Settings::default())?;
//! let mut now = Moment::ZERO;
//! for _ in 0..5 {
//!     let Admission::Pass(pass) = breaker.admit(now) else { panic!() };
//!     breaker.answered(now, pass, Verdict::Failed);
//! }
//! assert_eq!(breaker.admit(now), Admission::At(now + Duration::from_secs(1)));
//! now += Duration::from_secs(1);
//! for _ in 0..3 {
//!     let Admission::Pass(probe) = breaker.admit(now) else { panic!() };
//!     assert!(probe.is_probe());
//!     breaker.answered(now, probe, Verdict::Answered);
//! }
//! assert_eq!(breaker.phase().label(), "closed");
//! # Ok::<(), tidegate::SettingError>(())
//! ```

mod normal;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::within;
use crate::said::Time;
use crate::{Moment, Outcome, SettingError};
use normal::Normal;

/// How many transitions are kept.
const KEPT: usize = 32;

/// When it opens, for how long, and what closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it, 1 to 1,000; more on a sink that usually fails often.
    pub failures: u32,
    /// How long it is open the first time, 1 ms to 1 h.
    pub open: Duration,
    /// How long it is open at most, after failed probes, from `open` to 24 h.
    pub open_max: Duration,
    /// Probes that must all be answered to close it, 1 to 100; no more are on their way at once.
    pub probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let (open, open_max) = (Duration::from_secs(1), Duration::from_secs(4));
        Self { failures: 5, open, open_max, probes: 3 }
    }
}

impl Settings {
    /// Checks every setting against its bounds.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first one that is out of them.
    pub fn check(&self) -> Result<(), SettingError> {
        within("breaker.failures", self.failures, 1..=1000)?;
        let (open_ms, max_ms) = (self.open.as_secs_f64() * 1e3, self.open_max.as_secs_f64() * 1e3);
        within("breaker.open_ms", open_ms, 1.0..=3_600_000.0)?;
        within("breaker.open_max_ms", max_ms, open_ms..=86_400_000.0)?;
        within("breaker.probes", self.probes, 1..=100)
    }
}

/// What the breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything.
    Closed,
    /// Nothing, until this moment.
    Open {
        /// When the first probe may go.
        until: Moment,
    },
    /// Probes.
    HalfOpen,
}

impl Phase {
    /// The phase as a label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an attempt showed of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answers.
    Answered,
    /// It does not answer, or has too much to do.
    Failed,
    /// Nothing: the attempt was not about the backend, or was never made.
    Silent,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unreachable | Outcome::TimedOut | Outcome::Overloaded => Self::Failed,
            Outcome::Ok
            | Outcome::Partial { .. }
            | Outcome::Throttled { .. }
            | Outcome::TooLarge
            | Outcome::Rejected => Self::Answered,
        }
    }
}

/// The leave to send one attempt. It is handed back exactly once, with the verdict.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a probe that is never answered keeps the breaker half-open for ever"]
pub struct Pass {
    /// The phase in which it was given, counted from the first.
    generation: u64,
    probe: bool,
}

impl Pass {
    /// Whether the attempt is a probe: it should be one small batch.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe
    }
}

/// Whether an attempt may leave.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// Now, with this pass.
    Pass(Pass),
    /// Not before this moment.
    At(Moment),
    /// Not before a probe has been answered.
    AfterAnswer,
}

/// A change of phase, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Moment,
    /// The phase before.
    pub from: Phase,
    /// The phase from then on.
    pub to: Phase,
    /// Why, as a sentence.
    pub reason: String,
}

/// The breaker of one sink.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: Settings,
    phase: Phase,
    generation: u64,
    /// Failures in a row while closed.
    run: u32,
    normal: Normal,
    /// How long it is open the next time.
    open_next: Duration,
    /// Probes given out and answered while half-open.
    probing: u32,
    answered: u32,
    history: VecDeque<Transition>,
    transitions: u64,
    opened: u64,
}

impl Breaker {
    /// A breaker that is closed.
    ///
    /// # Errors
    ///
    /// [`SettingError`] for the first setting out of its bounds.
    pub fn new(settings: Settings) -> Result<Self, SettingError> {
        settings.check()?;
        Ok(Self {
            settings,
            phase: Phase::Closed,
            generation: 0,
            run: 0,
            normal: Normal::default(),
            open_next: settings.open,
            probing: 0,
            answered: 0,
            history: VecDeque::new(),
            transitions: 0,
            opened: 0,
        })
    }

    /// Whether an attempt may leave now. Whoever gets a pass sends it, or hands it back.
    pub fn admit(&mut self, now: Moment) -> Admission {
        self.advance(now);
        let generation = self.generation;
        match self.phase {
            Phase::Closed => Admission::Pass(Pass { generation, probe: false }),
            Phase::Open { until } => Admission::At(until),
            Phase::HalfOpen if self.probing + self.answered >= self.settings.probes => {
                Admission::AfterAnswer
            }
            Phase::HalfOpen => {
                self.probing += 1;
                Admission::Pass(Pass { generation, probe: true })
            }
        }
    }

    /// Lets time pass: an open breaker whose time is over is half-open from then on.
    pub fn advance(&mut self, now: Moment) {
        if let Phase::Open { until } = self.phase
            && until <= now
        {
            (self.probing, self.answered) = (0, 0);
            let probes = self.settings.probes;
            self.change(now, Phase::HalfOpen, format!("the open time is over: {probes} probes"));
        }
    }

    /// An attempt was answered, or was not made after all ([`Verdict::Silent`]).
    #[expect(clippy::needless_pass_by_value, reason = "a pass is answered once, so it is consumed")]
    pub fn answered(&mut self, now: Moment, pass: Pass, verdict: Verdict) {
        self.advance(now);
        if pass.generation != self.generation {
            return;
        }
        match self.phase {
            Phase::Closed => self.answered_closed(now, verdict),
            Phase::HalfOpen => self.answered_probe(now, verdict),
            // No pass is given while it is open.
            Phase::Open { .. } => {}
        }
    }

    fn answered_closed(&mut self, now: Moment, verdict: Verdict) {
        match verdict {
            Verdict::Silent => {}
            Verdict::Answered => self.normal.learn(std::mem::take(&mut self.run)),
            Verdict::Failed => {
                self.run += 1;
                let threshold = self.threshold();
                if self.run >= threshold {
                    let usual = self.normal.rate() * 100.0;
                    let run = std::mem::take(&mut self.run);
                    let reason = format!(
                        "{run} failures in a row, where {usual:.1} % of the attempts usually fail"
                    );
                    self.open(now, &reason);
                }
            }
        }
    }

    fn answered_probe(&mut self, now: Moment, verdict: Verdict) {
        self.probing = self.probing.saturating_sub(1);
        match verdict {
            Verdict::Silent => {}
            Verdict::Failed => {
                let answered = self.answered;
                self.open(now, &format!("a probe failed, after {answered} that were answered"));
            }
            Verdict::Answered => {
                self.answered += 1;
                if self.answered >= self.settings.probes {
                    self.open_next = self.settings.open;
                    let answered = self.answered;
                    self.change(now, Phase::Closed, format!("{answered} probes were answered"));
                }
            }
        }
    }

    fn open(&mut self, now: Moment, why: &str) {
        let open = self.open_next;
        self.open_next = (open * 2).min(self.settings.open_max);
        self.opened += 1;
        let (phase, open) = (Phase::Open { until: now + open }, Time(open));
        self.change(now, phase, format!("{why}: open for {open}"));
    }

    fn change(&mut self, at: Moment, to: Phase, reason: String) {
        let from = std::mem::replace(&mut self.phase, to);
        self.generation += 1;
        self.transitions += 1;
        if self.history.len() == KEPT {
            self.history.pop_front();
        }
        self.history.push_back(Transition { at, from, to, reason });
    }

    /// The phase it is in, as of the last call.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The failures in a row that would open it now.
    #[must_use]
    pub fn threshold(&self) -> u32 {
        self.normal.threshold(self.settings.failures)
    }

    /// The share of attempts that usually fail, 0 to 1.
    #[must_use]
    pub const fn usual_error_rate(&self) -> f64 {
        self.normal.rate()
    }

    /// The last changes of phase, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Transition> + ExactSizeIterator {
        self.history.iter()
    }

    /// Changes of phase so far.
    #[must_use]
    pub const fn transitions(&self) -> u64 {
        self.transitions
    }

    /// How many times it has opened.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }
}
