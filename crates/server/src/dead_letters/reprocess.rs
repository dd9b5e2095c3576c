//! When do letters go back without anybody asking? Once their sink is well again, and from time to
//! time.
//!
//! A letter that died of an outage, not of what it says, is good as soon as the outage is over. So
//! each time a sink's breaker no longer keeps it shut, and at a set interval, the oldest letters of
//! its sink are sent, at most so many a run and so often each. Where no event comes to be the probe
//! of a breaker that is half-open, a letter is; if the sink is still away, that was no attempt. What
//! the backend has definitely refused is not among them unless that is set: it would be refused again.
//!
//! Live events come first: letters go at a pace of their own, and each step is followed by a pause
//! of four times what it took, so that they have at most a fifth of the time of one attempt slot.

use std::sync::Arc;
use std::time::Duration;

use tidegate::breaker::Phase;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::letter::Kind;
use super::replay::Replay;
use super::{Filter, StoreError};
use crate::clock::Clock;
use crate::lane::outage::Outage;

/// Most letters between two pauses.
const STEP_MAX: u32 = 256;
/// How soon letters are looked at again that their lane was still giving up.
const SOON: Duration = Duration::from_secs(1);
/// A pause lasts so many times what the step before it took.
const PAUSE: u32 = 4;

/// Which letters go back by themselves, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether a breaker that has closed again starts a run.
    pub(crate) after_outage: bool,
    /// How often a run starts in any case.
    pub(crate) every: Option<Duration>,
    /// Letters a run.
    pub(crate) max: u32,
    /// Letters a second.
    pub(crate) per_second: u32,
    /// Times a letter goes back by itself and is answered.
    pub(crate) attempts: u32,
    pub(crate) kinds: Vec<Kind>,
}

/// One task for each sink; they end when `drain` says so, after the step they are at.
pub(crate) fn start(
    replay: &Arc<Replay>,
    plan: &Plan,
    clock: Clock,
    drain: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if plan.every.is_none() && !plan.after_outage {
        return tasks;
    }
    for outage in replay.outages() {
        let (replay, plan, drain) = (Arc::clone(replay), plan.clone(), drain.clone());
        tasks.spawn(Task { replay, outage, plan, clock, drain }.watch());
    }
    tasks
}

struct Task {
    replay: Arc<Replay>,
    outage: Arc<Outage>,
    plan: Plan,
    clock: Clock,
    drain: watch::Receiver<bool>,
}

impl Task {
    async fn watch(mut self) {
        let (mut changes, mut drain) = (self.outage.changes(), self.drain.clone());
        let (mut opened, mut early) = (self.opened(), false);
        loop {
            let every = if early { Some(SOON) } else { self.plan.every };
            let due = async {
                match every {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(due);
            let ended = loop {
                let phase = self.outage.phase(self.clock.now());
                let had_outage = self.plan.after_outage && self.opened() != opened;
                let half_open_at = match phase {
                    Phase::Open { until } if had_outage => Some(until),
                    _ => None,
                };
                tokio::select! {
                    // An error means that the server is gone.
                    _ = drain.wait_for(|drain| *drain) => break true,
                    () = &mut due => break false,
                    () = self.clock.sleep_until(half_open_at) => break false,
                    _ = changes.changed(), if self.plan.after_outage => {
                        let phase = self.outage.phase(self.clock.now());
                        if phase == Phase::Closed && self.opened() != opened {
                            break false;
                        }
                    }
                }
            };
            if ended {
                return;
            }
            // An outage during the run is one after which there is another run.
            opened = self.opened();
            early = self.run().await.unwrap_or_else(|error| {
                let sink = &self.outage.sink;
                tracing::error!(%sink, %error, "dead letters cannot be sent again");
                false
            });
        }
    }

    /// How many outages there were.
    fn opened(&self) -> u64 {
        self.outage.seen(self.clock.now()).opened
    }

    /// One run; whether there were letters for which it was too early.
    async fn run(&mut self) -> Result<bool, StoreError> {
        let Plan { max, per_second, attempts, ref kinds, .. } = self.plan;
        let filter = Filter {
            sink: Some(self.outage.sink.to_string()),
            kinds: Some(kinds.clone()),
            automatic_below: Some(attempts),
            ..Filter::default()
        };
        let (mut left, mut after) = (max, 0);
        let (mut delivered, mut refused, mut early) = (0, 0, false);
        while left > 0 && !*self.drain.borrow() {
            let step = left.min(per_second).min(STEP_MAX);
            let began = self.clock.now();
            let report = self.replay.run(filter.clone(), after, step).await?;
            let took = self.clock.now().since(began);
            // Those that cannot be sent do not keep the younger ones from it.
            let sent = u32::try_from(report.delivered + report.refused).unwrap_or(left);
            left = left.saturating_sub(sent);
            early |= report.early > 0;
            delivered += report.delivered;
            refused += report.refused;
            if let Some(why) = &report.stopped {
                tracing::info!(sink = %self.outage.sink, why, "dead letters wait for the next run");
                break;
            }
            let Some(last) = report.last else { break };
            after = last;
            let pace = Duration::from_secs(1) * step / per_second;
            let pause = pace.max(took * PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.drain.wait_for(|drain| *drain) => break,
            }
        }
        if delivered + refused > 0 {
            let sink = &self.outage.sink;
            tracing::info!(%sink, delivered, refused, "dead letters were sent again");
        }
        Ok(early)
    }
}
