//! What does the server say of itself? What anybody can ask it: `GET /api/metrics`.

use std::time::Duration;

use serde::Deserialize;

use super::error::DemoError;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server said at one moment, as far as the demo wants to know.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Metrics {
    pub(super) ingest: Ingest,
    pub(super) lanes: Vec<Lane>,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Ingest {
    pub(super) accepted: u64,
}

/// The one lane.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Lane {
    pub(super) plan: Figures,
    pub(super) backlog: u64,
    pub(super) delivered: u64,
    pub(super) attempts: u64,
    pub(super) misses: u64,
    pub(super) attempt_latency_ms: Option<Percentiles>,
    pub(super) delivery_latency_ms: Option<Percentiles>,
    pub(super) decisions_total: u64,
    pub(super) decisions: Vec<Decision>,
}

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub(super) struct Figures {
    pub(super) batch_size: u64,
    pub(super) concurrency: f64,
    pub(super) linger_ms: f64,
}

/// Over the last 10 to 20 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// A change of plan.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Decision {
    pub(super) reason: String,
    pub(super) from: Figures,
    pub(super) to: Figures,
}

impl Metrics {
    /// The one lane there is.
    pub(super) fn lane(&self) -> Lane {
        self.lanes.first().cloned().unwrap_or_default()
    }
}

/// Asks a server for its figures.
#[derive(Debug)]
pub(super) struct Watcher {
    agent: ureq::Agent,
    url: String,
}

impl Watcher {
    /// Asks at this URL.
    pub(super) fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
        Self { agent: config.new_agent(), url }
    }

    /// The figures of this moment.
    pub(super) fn look(&self) -> Result<Metrics, DemoError> {
        let failed = |why: String| DemoError::Metrics { url: self.url.clone(), why };
        let mut answer =
            self.agent.get(&self.url).call().map_err(|error| failed(error.to_string()))?;
        let text = answer.body_mut().read_to_string().map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}
