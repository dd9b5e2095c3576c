//! Which lanes does every sink have, and where does each begin?

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate::Engine;
use tidegate::breaker::Breaker;
use tidegate::retry::Limits;
use tidegate_event::Position;
use tidegate_journal::{ClassFilter, Journal, LaneStart};
use tidegate_sinks::Sink;

use super::error::StartError;
use super::shares::Shares;
use crate::clock::Clock;
use crate::config::{Config, LaneConfig, RetryConfig, SinkConfig, Span, Treatment};
use crate::dead_letters::replay::{Replay, Target};
use crate::lane::consequence::Policy;
use crate::lane::outage::Outage;
use crate::lane::shared::Shared;
use crate::lane::{self, Failing, Lane, Signals};

/// How many decisions of a lane are kept.
const DECISIONS_KEPT: usize = 1000;

/// The lanes, each with the part of it that the API reads, and what the lanes of each sink share.
pub(super) struct Parts {
    pub(super) lanes: Vec<(Arc<Shared>, Lane)>,
    pub(super) outages: Vec<Arc<Outage>>,
}

/// Every lane of every sink.
pub(super) async fn all(
    config: &Config,
    sinks: &[Arc<dyn Sink>],
    journal: &Journal,
    clock: Clock,
    signals: &Signals,
    shares: &Shares,
    replay: &Replay,
) -> Result<Parts, StartError> {
    let (mut lanes, mut outages, mut targets) = (Vec::new(), Vec::new(), BTreeMap::new());
    let declared: Vec<Arc<str>> = config.classes.keys().map(|name| name.as_str().into()).collect();
    for ((sink_name, of_sink), sink) in config.sinks.iter().zip(sinks) {
        let outage = outage(sink_name, of_sink)?;
        let route = Arc::new(of_sink.intake.route());
        let mut cursors = BTreeMap::new();
        for (name, settings) in config.lanes(of_sink) {
            let filter = match declared.iter().find(|class| &***class == name) {
                Some(class) => ClassFilter::Only(Arc::clone(class)),
                None => ClassFilter::AllBut(declared.clone()),
            };
            let most = sink.limits().concurrency_max.map(f64::from);
            let shared = engine(sink_name, name, &settings, most, clock)?;
            let journal_lane = journal.lane(&shared.key(), filter, LaneStart::Oldest)?;
            let skipped_to = skip_delivered(journal, sink.as_ref(), name).await;
            let bounds = lane::Bounds {
                queue_items: u64::from(settings.queue_items),
                queue_bytes: settings.queue_bytes.bytes(),
                timeout: settings.timeout.duration(),
                skipped_to,
            };
            let sink = Arc::clone(sink);
            let signals = Signals { detach: shares.detach(sink_name), ..signals.clone() };
            cursors.insert(name.to_owned(), journal_lane.cursor().clone());
            let failing = Failing {
                policy: policy(sink_name, &settings.retry)?,
                outage: Arc::clone(&outage),
                dead_letters: replay.letters.clone(),
                journal: journal.identity().id,
            };
            let handles = journal_lane.split();
            let lane = Lane::new(Arc::clone(&shared), sink, bounds, handles, signals, failing);
            lanes.push((shared, lane.routed(Arc::clone(&route))));
        }
        let timeout = of_sink.lane.timeout.duration();
        let (sink, of_target) = (Arc::clone(sink), Arc::clone(&outage));
        targets.insert(sink_name.clone(), Target { sink, outage: of_target, timeout, cursors });
        outages.push(outage);
    }
    replay.set_targets(targets);
    for lane in journal.begin_retention() {
        tracing::warn!(lane, "no sink has this lane any more: nothing is kept for it");
    }
    Ok(Parts { lanes, outages })
}

/// What the lanes of a sink share: its breaker and its budget of retries.
fn outage(sink: &str, settings: &SinkConfig) -> Result<Arc<Outage>, StartError> {
    let failed = |source| StartError::Setting { sink: sink.to_owned(), source };
    let breaker = Breaker::new(settings.breaker.settings()).map_err(failed)?;
    let budget = settings.lane.retry.retry_budget().map_err(failed)?;
    let seed = getrandom::u64().map_err(|error| StartError::Random(error.to_string()))?;
    Ok(Arc::new(Outage::new(sink.into(), breaker, budget, seed)))
}

fn policy(sink: &str, retry: &RetryConfig) -> Result<Policy, StartError> {
    let failed = |source| StartError::Setting { sink: sink.to_owned(), source };
    Ok(Policy {
        backoff: retry.backoff().map_err(failed)?,
        limits: Limits { attempts_max: retry.attempts, age_max: retry.age.map(Span::duration) },
        retry_rejected: retry.rejected == Treatment::Retry,
        retry_too_large: retry.too_large == Treatment::Retry,
        refuse_timed_out: retry.timed_out == Treatment::DeadLetter,
        refuse_overloaded: retry.overloaded == Treatment::DeadLetter,
    })
}

/// Lets the journal skip what the sink has beyond the journal's end, which a power failure may have
/// cut off if durability is `written`: a new event must not get the name of one that is stored.
/// Returns where new events begin at the earliest.
///
/// A sink that does not answer now is asked again by its lane.
async fn skip_delivered(journal: &Journal, sink: &dyn Sink, lane: &str) -> Position {
    let durable = journal.stats().durable;
    let delivered = sink.delivered(lane, durable).await.unwrap_or_default();
    let end = delivered.last().map_or(0, |range| range.end);
    if end > durable {
        tracing::warn!(durable, end, lane, "the journal lost its end; these positions are skipped");
        journal.skip_to(end);
    }
    end.max(durable)
}

/// The engine of a lane, in the part that the API reads.
fn engine(
    sink: &str,
    lane: &str,
    settings: &LaneConfig,
    concurrency_max: Option<f64>,
    clock: Clock,
) -> Result<Arc<Shared>, StartError> {
    let failed = |source| StartError::Setting { sink: sink.to_owned(), source };
    let bounds = settings.bounds(concurrency_max);
    let controller = settings.controller().build(settings.first_plan(), &bounds).map_err(failed)?;
    let guards = settings.guards.guards().map_err(failed)?;
    let engine = Engine::new(clock.now(), controller, bounds, DECISIONS_KEPT).with_guards(guards);
    let target = settings.target.duration();
    Ok(Arc::new(Shared::new(sink.into(), lane.into(), clock, target, engine)))
}
