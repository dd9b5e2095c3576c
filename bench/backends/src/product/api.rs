//! What does a server say of itself? What anybody can ask it: its figures, and its decisions.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidegate::{ControllerSettings, Decision, Moment, Plan};

use super::PlanTold;
use crate::backend::http;

/// What it said when a run was over.
#[derive(Debug)]
pub(super) struct Said {
    /// The plan in force.
    pub(super) plan: Plan,
    /// Events that are not delivered.
    pub(super) backlog: u64,
    /// Accepted to delivered, median and 99th percentile, over the last 10 to 20 s.
    pub(super) delivery_ms: Option<(f64, f64)>,
    /// What was decided, the oldest first.
    pub(super) decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct Metrics {
    lanes: Vec<Lane>,
}

#[derive(Deserialize)]
struct Lane {
    plan: PlanTold,
    backlog: u64,
    delivery_latency_ms: Option<Percentiles>,
}

#[derive(Deserialize)]
struct Percentiles {
    p50: f64,
    p99: f64,
}

#[derive(Deserialize)]
struct Page {
    decisions: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    at_unix_ms: i64,
    by: String,
    reason: String,
    from: PlanTold,
    to: PlanTold,
}

/// Asks. Moments count from `zero_us`, in microseconds since 1970.
pub(super) async fn said(server: SocketAddr, zero_us: i64) -> anyhow::Result<Said> {
    let metrics: Metrics = get(server, "/api/metrics").await?;
    let page: Page = get(server, "/api/decisions?limit=1000").await?;
    let lane = metrics.lanes.into_iter().next().context("a server without a lane")?;
    let decision = |told: Told| {
        let since = u64::try_from(told.at_unix_ms * 1_000 - zero_us).unwrap_or(0);
        Decision {
            at: Moment::ZERO + Duration::from_micros(since),
            by: name(&told.by),
            reason: Cow::Owned(told.reason),
            from: told.from.into(),
            to: told.to.into(),
        }
    };
    let delivery = lane.delivery_latency_ms;
    Ok(Said {
        plan: lane.plan.into(),
        backlog: lane.backlog,
        delivery_ms: delivery.map(|Percentiles { p50, p99 }| (p50, p99)),
        decisions: page.decisions.into_iter().rev().map(decision).collect(),
    })
}

async fn get<T: DeserializeOwned>(server: SocketAddr, path: &str) -> anyhow::Result<T> {
    let (status, body) = http::get(server, path).await?;
    ensure!(status == 200, "the server answers {path} with {status}");
    serde_json::from_slice(&body).with_context(|| format!("{path} is not what it was"))
}

/// Who decides besides controllers.
const GUARDS: [&str; 6] = ["rate", "memory", "cpu", "target", "in_flight", "bounds"];

fn name(told: &str) -> &'static str {
    let mut known = ControllerSettings::NAMES.into_iter().chain(GUARDS);
    known.find(|name| *name == told).unwrap_or("another")
}
