//! What is there to be known about a running server? The parts that the API and the logs read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate_journal::Journal;

use crate::clock::Clock;
use crate::dead_letters::replay::Replay;
use crate::http::Door;
use crate::lane::outage::Outage;
use crate::lane::shared::{Shared as Lane, State};
use crate::live::Hub;
use crate::simulator::Races;
use crate::telemetry::sampler::Sampled;

/// The parts of a running server, to be read.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) door: Arc<Door>,
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// One for each sink.
    pub(crate) outages: Vec<Arc<Outage>>,
    pub(crate) replay: Arc<Replay>,
    pub(crate) sampled: Sampled,
    /// What watchers share.
    pub(crate) live: Hub,
    pub(crate) races: Arc<Races>,
    pub(crate) draining: AtomicBool,
}

impl Status {
    /// How long the server has been running.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.now().since(tidegate::Moment::ZERO)
    }

    /// What keeps events from being taken or delivered, as sentences. Empty when nothing does.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            troubles.push("the server is stopping".to_owned());
        }
        let journal = self.journal.stats();
        troubles.extend(journal.failed.map(|why| format!("the journal has failed: {why}")));
        if self.door.refused_lately() {
            let (bytes, max) = (journal.bytes, journal.bytes_max);
            troubles.push(format!(
                "the journal refuses requests: it holds {bytes} of {max} bytes until a sink delivers"
            ));
        }
        troubles.extend(self.door.held().map(|held| {
            let (sink, bytes, max) = (held.sink, held.bytes, held.bytes_max);
            format!("requests are refused: sink `{sink}` holds {bytes} of its {max} bytes of the journal")
        }));
        for lane in &self.lanes {
            let (sink, name) = (&lane.sink, &lane.lane);
            match lane.state() {
                State::Running | State::Draining => {}
                State::Starting => {
                    troubles.push(format!("sink `{sink}`, lane `{name}`: starting"));
                }
                State::Detached => troubles.push(format!(
                    "sink `{sink}`, lane `{name}` is detached: it takes nothing, and had filled its \
                     share of the journal"
                )),
                State::Stopped => troubles.push(format!("sink `{sink}`, lane `{name}`: stopped")),
                State::Blocked { why } => {
                    troubles.push(format!("sink `{sink}`, lane `{name}` stands still: {why}"));
                }
                State::Retrying { why, attempts } => troubles.push(format!(
                    "sink `{sink}`, lane `{name}` takes nothing ({attempts} attempts): {why}"
                )),
            }
        }
        troubles
    }
}
