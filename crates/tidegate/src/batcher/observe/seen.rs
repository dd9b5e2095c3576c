//! What is told to `metrics` and `tracing`, under which names.
//!
//! | metric | kind | labels besides `batcher` |
//! |---|---|---|
//! | `tidegate_attempts_total` | counter | `outcome` |
//! | `tidegate_items_total` | counter | `result`: `delivered`, `failed` |
//! | `tidegate_attempt_seconds` | histogram | |
//! | `tidegate_batch_items` | histogram | |
//! | `tidegate_queue_items` | gauge | |
//! | `tidegate_plan_batch_size`, `tidegate_plan_concurrency` | gauge | |
//!
//! | event | level |
//! |---|---|
//! | a change of plan, with its reason | debug |
//! | a change of the breaker, with its reason | warn |
//! | items given up | warn |
//! | an attempt | trace |

use super::super::answer::Answer;
use crate::breaker::Transition;
use crate::engine::Engine;
use crate::{Decision, Plan, Sample};

/// What was told so far.
pub(super) struct Seen {
    decisions: u64,
    new: Vec<Decision>,
    plan: Option<Plan>,
    #[cfg(feature = "metrics")]
    handles: Handles,
}

/// Handles of metrics, which are looked up by name only once.
#[cfg(feature = "metrics")]
struct Handles {
    attempts: [metrics::Counter; 8],
    delivered: metrics::Counter,
    failed: metrics::Counter,
    latency: metrics::Histogram,
    batch: metrics::Histogram,
    queue: metrics::Gauge,
    batch_size: metrics::Gauge,
    concurrency: metrics::Gauge,
}

#[cfg(feature = "metrics")]
impl Handles {
    fn new(name: &str) -> Self {
        let name = name.to_owned();
        let items = |result: &'static str| metrics::counter!("tidegate_items_total", "batcher" => name.clone(), "result" => result);
        Self {
            attempts: crate::Outcome::LABELS.map(|outcome| {
                let name = name.clone();
                metrics::counter!("tidegate_attempts_total", "batcher" => name, "outcome" => outcome)
            }),
            delivered: items("delivered"),
            failed: items("failed"),
            latency: metrics::histogram!("tidegate_attempt_seconds", "batcher" => name.clone()),
            batch: metrics::histogram!("tidegate_batch_items", "batcher" => name.clone()),
            queue: metrics::gauge!("tidegate_queue_items", "batcher" => name.clone()),
            batch_size: metrics::gauge!("tidegate_plan_batch_size", "batcher" => name.clone()),
            concurrency: metrics::gauge!("tidegate_plan_concurrency", "batcher" => name),
        }
    }
}

impl Seen {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "metrics use it"))]
    pub(super) fn new(name: &str) -> Self {
        Self {
            decisions: 0,
            new: Vec::new(),
            plan: None,
            #[cfg(feature = "metrics")]
            handles: Handles::new(name),
        }
    }

    pub(super) fn look(&mut self, engine: &Engine) {
        let history = engine.history();
        if history.total() > self.decisions || self.plan.is_none() {
            self.new.extend(history.since(self.decisions).cloned());
            self.decisions = history.total();
            self.plan = Some(*engine.plan());
        } else {
            self.new.clear();
        }
    }

    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "tracing uses it"))]
    pub(super) fn tell(&mut self, name: &str) {
        #[cfg(feature = "metrics")]
        if let Some(plan) = &self.plan {
            self.handles.batch_size.set(f64::from(plan.batch_size));
            self.handles.concurrency.set(plan.concurrency);
        }
        for decision in self.new.drain(..) {
            #[cfg(feature = "tracing")]
            tracing::debug!(
                batcher = name,
                by = decision.by,
                batch_size = decision.to.batch_size,
                concurrency = decision.to.concurrency,
                linger_ms = decision.to.linger.as_secs_f64() * 1e3,
                "{}",
                decision.reason
            );
            drop(decision);
        }
    }

    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_variables, clippy::unused_self, reason = "tracing uses it")
    )]
    pub(super) fn transition(&self, name: &str, transition: &Transition) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            batcher = name,
            from = transition.from.label(),
            to = transition.to.label(),
            "the breaker changed: {}",
            transition.reason
        );
    }

    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "tracing uses it"))]
    pub(super) fn answered(&self, name: &str, sample: &Sample) {
        #[cfg(feature = "metrics")]
        {
            let handles = &self.handles;
            if let Some(counter) = handles.attempts.get(sample.outcome.index()) {
                counter.increment(1);
            }
            handles.latency.record(sample.latency.as_secs_f64());
            handles.batch.record(f64::from(sample.sent.items));
            #[expect(clippy::cast_precision_loss, reason = "at most 10⁹ items wait")]
            handles.queue.set(sample.queue_items as f64);
        }
        #[cfg(feature = "tracing")]
        tracing::trace!(
            batcher = name,
            items = sample.sent.items,
            latency_ms = sample.latency.as_secs_f64() * 1e3,
            "the attempt ended {}",
            sample.outcome.describe()
        );
    }

    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "tracing uses it"))]
    pub(super) fn settled<O>(&self, name: &str, items: usize, answer: &Answer<O>) {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let delivered = answer.outcome.delivered(items);
        let failed = items - delivered;
        #[cfg(feature = "metrics")]
        {
            self.handles.delivered.increment(u64::from(delivered));
            self.handles.failed.increment(u64::from(failed));
        }
        #[cfg(feature = "tracing")]
        if failed > 0 {
            let outcome = answer.outcome.label();
            tracing::warn!(batcher = name, items = failed, outcome, "items were given up");
        }
    }
}
