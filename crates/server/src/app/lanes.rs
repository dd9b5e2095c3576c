//! Which lanes does every sink have, and where does each begin?

use std::sync::Arc;

use tidegate::Engine;
use tidegate_event::Position;
use tidegate_journal::{ClassFilter, Journal, LaneStart};
use tidegate_sinks::Sink;

use super::error::StartError;
use super::shares::Shares;
use crate::clock::Clock;
use crate::config::{Config, LaneConfig};
use crate::lane::shared::Shared;
use crate::lane::{self, Lane, Signals};

/// How many decisions of a lane are kept.
const DECISIONS_KEPT: usize = 1000;

/// Every lane of every sink, with the part of it that the API reads.
pub(super) async fn all(
    config: &Config,
    sinks: &[Arc<dyn Sink>],
    journal: &Journal,
    clock: Clock,
    signals: &Signals,
    shares: &Shares,
) -> Result<Vec<(Arc<Shared>, Lane)>, StartError> {
    let mut lanes = Vec::new();
    let declared: Vec<Arc<str>> = config.classes.keys().map(|name| name.as_str().into()).collect();
    for ((sink_name, of_sink), sink) in config.sinks.iter().zip(sinks) {
        let route = Arc::new(of_sink.intake.route());
        for (name, settings) in config.lanes(of_sink) {
            let filter = match declared.iter().find(|class| &***class == name) {
                Some(class) => ClassFilter::Only(Arc::clone(class)),
                None => ClassFilter::AllBut(declared.clone()),
            };
            let most = of_sink.kind.concurrency_max();
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
            let handles = journal_lane.split();
            let lane = Lane::new(Arc::clone(&shared), sink, bounds, handles, signals);
            lanes.push((shared, lane.routed(Arc::clone(&route))));
        }
    }
    for lane in journal.begin_retention() {
        tracing::warn!(lane, "no sink has this lane any more: nothing is kept for it");
    }
    Ok(lanes)
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
    let engine = Engine::new(clock.now(), controller, bounds, DECISIONS_KEPT);
    let target = settings.target.duration();
    Ok(Arc::new(Shared::new(sink.into(), lane.into(), clock, target, engine)))
}
