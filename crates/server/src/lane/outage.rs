//! Is the sink there, and can it bear a retry? What all lanes of a sink share of that.
//!
//! The breaker belongs to the sink and alone owns its outages: a lane asks for leave before each
//! attempt and hands it back with what was learnt. The pure parts are the library's; here they get
//! a lock, a seed, and a way to tell the lanes that something has changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate::Moment;
use tidegate::breaker::{Admission, Breaker, Pass, Phase, Transition, Verdict};
use tidegate::retry::{Budget, Dice};
use tokio::sync::watch;

/// What the lanes of one sink share.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) sink: Arc<str>,
    parts: Mutex<Parts>,
    /// Counts what may let somebody send who could not.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Parts {
    breaker: Breaker,
    budget: Budget,
    dice: Dice,
}

/// What the API shows of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    pub(crate) opened: u64,
    pub(crate) transitions: u64,
    pub(crate) threshold: u32,
    pub(crate) usual_error_rate: f64,
    pub(crate) budget_left: f64,
    pub(crate) history: Vec<Transition>,
}

/// The leave to send one attempt. Dropped without an answer, it is as if it had never been given.
#[derive(Debug)]
pub(crate) struct Leave {
    pass: Option<Pass>,
    at: Moment,
    outage: Arc<Outage>,
}

impl Leave {
    /// Whether the attempt is a probe: one small batch.
    pub(super) fn is_probe(&self) -> bool {
        self.pass.as_ref().is_some_and(Pass::is_probe)
    }

    /// What the attempt showed of the sink.
    pub(crate) fn answered(mut self, now: Moment, verdict: Verdict) {
        if let Some(pass) = self.pass.take() {
            self.outage.settle(now, pass, verdict);
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.outage.settle(self.at, pass, Verdict::Silent);
        }
    }
}

impl Outage {
    pub(crate) fn new(sink: Arc<str>, breaker: Breaker, budget: Budget, seed: u64) -> Self {
        let parts = Mutex::new(Parts { breaker, budget, dice: Dice::new(seed) });
        Self { sink, parts, changes: watch::Sender::new(0) }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave to send an attempt now.
    ///
    /// # Errors
    ///
    /// When to ask again; `None` is after the next change.
    pub(crate) fn admit(self: &Arc<Self>, now: Moment) -> Result<Leave, Option<Moment>> {
        match self.parts().breaker.admit(now) {
            Admission::Pass(pass) => {
                Ok(Leave { pass: Some(pass), at: now, outage: Arc::clone(self) })
            }
            Admission::At(at) => Err(Some(at)),
            Admission::AfterAnswer => Err(None),
        }
    }

    fn settle(&self, now: Moment, pass: Pass, verdict: Verdict) {
        let mut parts = self.parts();
        let (before, probe) = (parts.breaker.transitions(), pass.is_probe());
        parts.breaker.answered(now, pass, verdict);
        let changed = parts.breaker.transitions() - before;
        let phase = parts.breaker.phase();
        let last = parts.breaker.history().next_back().map(|last| last.reason.clone());
        drop(parts);
        if changed > 0 {
            let (sink, why) = (&self.sink, last.unwrap_or_default());
            match phase {
                Phase::Open { .. } => tracing::warn!(%sink, why, "the breaker is open"),
                Phase::HalfOpen => tracing::debug!(%sink, why, "the breaker is half-open"),
                Phase::Closed => tracing::info!(%sink, why, "the breaker is closed"),
            }
        }
        // The slot of a probe is free again, whatever it showed.
        if changed > 0 || probe {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// The phase now.
    pub(crate) fn phase(&self, now: Moment) -> Phase {
        let mut parts = self.parts();
        parts.breaker.advance(now);
        parts.breaker.phase()
    }

    /// A batch is sent for the first time.
    pub(super) fn first_attempt(&self, now: Moment) {
        self.parts().budget.deposit(now);
    }

    /// Pays for a retry.
    ///
    /// # Errors
    ///
    /// When it can be paid at the latest.
    pub(super) fn pay(&self, now: Moment) -> Result<(), Moment> {
        self.parts().budget.withdraw(now)
    }

    /// A random number for a wait.
    pub(super) fn roll(&self) -> f64 {
        self.parts().dice.roll()
    }

    /// Tells when somebody may send who could not.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What the API shows.
    pub(crate) fn seen(&self, now: Moment) -> Seen {
        let mut parts = self.parts();
        parts.breaker.advance(now);
        let breaker = &parts.breaker;
        Seen {
            phase: breaker.phase(),
            opened: breaker.opened(),
            transitions: breaker.transitions(),
            threshold: breaker.threshold(),
            usual_error_rate: breaker.usual_error_rate(),
            budget_left: parts.budget.left(now),
            history: breaker.history().cloned().collect(),
        }
    }
}
