//! How does one plan fare on the load? A server, a database and a load of its own, and the
//! neighbour in the second half.
//!
//! Rates are counted between moments at which the server was asked, not between those at which it
//! should have been. At the end the server is killed: what is left in its journal is a figure of
//! the table, and nobody needs it delivered.

use super::args::DemoArgs;
use super::clock::Watch;
use super::error::DemoError;
use super::load::{self, Amount, Load};
use super::neighbour::Neighbour;
use super::plan::Plan;
use super::setup::Contender;
use super::stop::Stop;
use super::table::Row;
use super::watch::Watcher;
use super::watched::{Stage, complete};
use super::words::float;

/// Runs one plan.
pub(super) fn run(
    args: &DemoArgs,
    plan: &Plan,
    contender: Contender,
    seed: u64,
    stop: &Stop,
) -> Result<Row, DemoError> {
    let mut stage = Stage::set(args, contender)?;
    let watcher = Watcher::new(stage.server.url("/api/metrics"));
    let neighbour = Neighbour::prepare(&stage.server.database())?;
    let load = load::args(args, plan, Amount::Time(plan.run), Some(seed));
    let load = Load::start(load, stage.server.url("/v1/events"))?;
    let begin = Watch::start();
    let wait_until =
        |moment: std::time::Duration| match stop.wait(moment.saturating_sub(begin.elapsed())) {
            true => Err(DemoError::Interrupted),
            false => Ok(()),
        };
    wait_until(plan.half())?;
    let (half, half_at) = (watcher.look()?.lane(), begin.elapsed().as_secs_f64());
    let neighbour = neighbour.begin()?;
    wait_until(plan.run)?;
    stage.server.check()?;
    let (metrics, end_at) = (watcher.look()?, begin.elapsed().as_secs_f64());
    let end = metrics.lane();
    let done = neighbour.end()?;
    complete(&load.end()?)?;
    let attempt = end.attempt_latency_ms.unwrap_or_default();
    let second_half = float(end.delivered.saturating_sub(half.delivered));
    Ok(Row {
        plan: contender,
        batch_size: end.plan.batch_size,
        accepted: metrics.ingest.accepted,
        delivered: end.delivered,
        calm_per_second: float(half.delivered) / half_at,
        neighbour_per_second: second_half / (end_at - half_at).max(f64::MIN_POSITIVE),
        per_second: float(end.delivered) / end_at,
        attempt_ms_p50: attempt.p50,
        attempt_ms_p99: attempt.p99,
        delivery_ms_p99: end.delivery_latency_ms.unwrap_or_default().p99,
        misses: end.misses,
        commits: end.attempts,
        backlog: end.backlog,
        neighbour_commits: done.commits,
    })
}
