//! What does not change while the server runs?

use std::sync::Arc;

use tidegate_journal::Journal;

use super::contract::{LaneFacts, ServerFacts, SinkFacts};
use super::translate::{bounds, plan};
use crate::clock::Clock;
use crate::config::{ByteSize, Config, Durability, OnFull, SinkKind};
use crate::lane::outage::Outage;
use crate::lane::shared::Shared as Lane;

/// What does not change.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) server: ServerFacts,
    pub(super) sinks: Vec<SinkFacts>,
    pub(super) lanes: Vec<LaneFacts>,
    /// The place of each lane's sink.
    pub(super) sink_of_lane: Vec<usize>,
}

impl Facts {
    pub(super) fn new(
        config: &Config,
        run: String,
        has_simulator: bool,
        clock: Clock,
        journal: &Journal,
        (lanes, outages): (&[Arc<Lane>], &[Arc<Outage>]),
    ) -> Self {
        let identity = journal.identity();
        let server = ServerFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run,
            started_unix_ms: clock.unix_millis(tidegate::Moment::ZERO),
            tick_ms: u32::try_from(super::hub::INTERVAL.as_millis()).unwrap_or(u32::MAX),
            durability: format!("{:?}", journal.stats().durability).to_lowercase(),
            journal: identity.id.to_string(),
            journal_epoch: identity.epoch,
            needs_token: !config.http.token.is_empty(),
            masked_fields: config.dashboard.mask.clone().unwrap_or_default(),
            has_simulator,
            watchers_max: config.dashboard.watchers_max,
        };
        let place = |lane: &Arc<Lane>| outages.iter().position(|one| one.sink == lane.sink);
        Self {
            server,
            sinks: outages.iter().filter_map(|outage| sink(config, &outage.sink)).collect(),
            lanes: lanes.iter().map(|lane| of_lane(config, lane)).collect(),
            sink_of_lane: lanes.iter().map(|lane| place(lane).unwrap_or(usize::MAX)).collect(),
        }
    }
}

fn sink(config: &Config, name: &str) -> Option<SinkFacts> {
    let settings = config.sinks.get(name)?;
    let whole = match config.journal.durability {
        Durability::Memory => config.journal.tail_bytes,
        Durability::Fsync | Durability::Written => config.journal.max_bytes,
    };
    let share = settings.intake.share_bytes(whole).min(ByteSize::b(whole.bytes()));
    Some(SinkFacts {
        sink: name.to_owned(),
        kind: kind(&settings.kind).to_owned(),
        on_full: match settings.intake.on_full {
            OnFull::Block => "block",
            OnFull::Detach => "detach",
        }
        .to_owned(),
        held_bytes_max: share.bytes(),
        retry_budget_max: settings.lane.retry.budget_per_second.max(1.0),
    })
}

const fn kind(kind: &SinkKind) -> &'static str {
    match kind {
        SinkKind::Sqlite(_) => "sqlite",
        SinkKind::Postgres(_) => "postgres",
        SinkKind::Http(_) => "http",
        SinkKind::File(_) => "file",
        SinkKind::Stdout {} => "stdout",
        SinkKind::Blackhole {} => "blackhole",
    }
}

fn of_lane(config: &Config, lane: &Lane) -> LaneFacts {
    let of_sink = config.sinks.get(&*lane.sink);
    let settings =
        of_sink.and_then(|sink| config.lanes(sink).find(|(name, _)| **name == *lane.lane));
    let settings = settings.map(|(_, settings)| settings).unwrap_or_default();
    let engine = lane.engine();
    LaneFacts {
        key: lane.key().to_string(),
        sink: lane.sink.to_string(),
        lane: lane.lane.to_string(),
        controller: engine.controller().to_owned(),
        target_ms: lane.target.as_secs_f64() * 1e3,
        first_plan: plan(engine.plan()),
        bounds: bounds(engine.bounds()),
        queue_items_max: u64::from(settings.queue_items),
        queue_bytes_max: settings.queue_bytes.bytes(),
        timeout_ms: settings.timeout.duration().as_secs_f64() * 1e3,
    }
}
