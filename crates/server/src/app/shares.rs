//! How much of the journal waits for each sink, and what if that is more than it may be?
//!
//! The journal keeps everything that some lane has not delivered, so one dead sink would in the end
//! fill it for all. Looked at a few times a second: what is held from the lowest cursor of a sink's
//! lanes on. Over its share its policy decides: producers are held back at the door, or the sink's
//! lanes are told to let go. In between more may come; the journal's own bound holds in any case.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_journal::{Durability, Journal};
use tokio::sync::watch;

use crate::config::{ByteSize, Config, OnFull};
use crate::http::{Door, Held};
use crate::lane::shared::Shared as Lane;

const INTERVAL: Duration = Duration::from_millis(250);

/// One sink's share.
struct Share {
    sink: Arc<str>,
    bytes_max: u64,
    on_full: OnFull,
    /// Whether its lanes are to let go.
    detach: watch::Sender<bool>,
}

/// The shares of all sinks.
pub(super) struct Shares(Vec<Share>);

impl Shares {
    pub(super) fn new(config: &Config, journal: &Journal) -> Self {
        let whole = match journal.stats().durability {
            Durability::Memory => config.journal.tail_bytes,
            Durability::Fsync | Durability::Written => config.journal.max_bytes,
        };
        let share = |(name, sink): (&String, &crate::config::SinkConfig)| Share {
            sink: name.as_str().into(),
            // A size is checked against `max_bytes`; in memory there is less.
            bytes_max: sink.intake.share_bytes(whole).min(ByteSize::b(whole.bytes())).bytes(),
            on_full: sink.intake.on_full,
            detach: watch::Sender::new(false),
        };
        Self(config.sinks.iter().map(share).collect())
    }

    /// Tells the lanes of this sink when to let go.
    pub(super) fn detach(&self, sink: &str) -> watch::Receiver<bool> {
        let of_sink = self.0.iter().find(|share| &*share.sink == sink);
        of_sink.map_or_else(|| watch::Sender::new(false).subscribe(), |it| it.detach.subscribe())
    }

    /// Looks at the shares until the task is aborted.
    pub(super) async fn watch(self, journal: Journal, door: Arc<Door>, lanes: Vec<Arc<Lane>>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let stats = journal.stats();
            let mut held_back = None;
            for share in &self.0 {
                let mut bytes = 0;
                for lane in lanes.iter().filter(|lane| lane.sink == share.sink) {
                    let cursor = stats.lanes.iter().find(|cursor| cursor.name == lane.key());
                    let of_lane = cursor.map_or(0, |cursor| journal.bytes_from(cursor.low_water));
                    lane.held_bytes.store(of_lane, Ordering::Relaxed);
                    bytes = of_lane.max(bytes);
                }
                let (sink, bytes_max) = (Arc::clone(&share.sink), share.bytes_max);
                let over = bytes > bytes_max;
                match share.on_full {
                    // A share that is the whole journal is held by the journal itself.
                    OnFull::Block if over && bytes_max < stats.bytes_max => {
                        held_back.get_or_insert(Held { sink, bytes, bytes_max });
                    }
                    OnFull::Block => {}
                    OnFull::Detach => {
                        share.detach.send_if_modified(|told| std::mem::replace(told, over) != over);
                    }
                }
            }
            door.hold_back(held_back);
        }
    }
}
