//! How fast is the backend itself? Bare loops: each connection writes one batch after the other,
//! with no engine, no controller and no queue. It is what a careful engineer would tune by hand,
//! and the ceiling for whatever stands in between.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate::{Epoch, Moment, Plan, Sample, Sent};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::contender::Static;
use crate::drive::Setup;
use crate::record::{Attempt, Latency, Run, Target, histogram, judge};
use crate::rows::ITEM_BYTES;

/// Runs the loops from now, which is zero on `clock`, until the end.
///
/// # Errors
///
/// When a loop panicked.
pub(crate) async fn drive(
    plan: Static,
    setup: &Setup,
    backend: &Arc<dyn Backend>,
    clock: Clock,
) -> anyhow::Result<Run> {
    let end = Moment::ZERO + setup.length;
    let latency = setup.target.latency;
    let mut loops = JoinSet::new();
    for _ in 0..plan.concurrency {
        loops.spawn(one(plan, Arc::clone(backend), clock, end, latency));
    }
    let mut attempts = Vec::new();
    while let Some(done) = loops.join_next().await {
        attempts.extend(done.context("a loop broke")?);
    }
    attempts.sort_by_key(Attempt::answered);
    let plan = Plan {
        batch_size: plan.size,
        concurrency: f64::from(plan.concurrency),
        pace: None,
        linger: Duration::ZERO,
        epoch: Epoch::default(),
    };
    let delivery = histogram();
    Ok(Run { attempts, decisions: Vec::new(), delivery, queued: 0, first: plan, last: plan })
}

async fn one(
    plan: Static,
    backend: Arc<dyn Backend>,
    clock: Clock,
    end: Moment,
    latency: Duration,
) -> Vec<Attempt> {
    let target = Target { latency, of: Latency::Attempt };
    let (mut attempts, mut unused) = (Vec::new(), histogram());
    let mut now = clock.now();
    while now < end {
        let sent = Sent {
            at: now,
            epoch: Epoch::default(),
            target: plan.size,
            items: plan.size,
            bytes: u64::from(plan.size) * ITEM_BYTES,
            in_flight: plan.concurrency,
            full: true,
        };
        let outcome = Arc::clone(&backend).attempt(plan.size).await;
        now = clock.now();
        let sample = Sample {
            sent,
            at: now,
            latency: now.since(sent.at),
            delivered_meanwhile: 0,
            outcome,
            queue_items: 0,
            feedback: None,
        };
        attempts.push(judge(&sample, &[(sent.at, plan.size.into())], target, &mut unused));
    }
    attempts
}
