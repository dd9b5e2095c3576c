//! How is one run made? A fresh table, the clock at zero, the shell, a disturbance if there is one,
//! and the accounts before and after.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate::Moment;

use crate::backend::{Disturb, Site};
use crate::bare;
use crate::clock::Clock;
use crate::contender::{Contender, Static};
use crate::cpu;
use crate::drive::{Setup, drive};
use crate::figures::figures;
use crate::product::ProductFigures;
use crate::record::Run;
use crate::rounds::line;
use crate::say;
use crate::source::Source;

/// A run, and what it cost.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The run.
    pub run: Run,
    /// Processor time of the client.
    pub client_cpu: Duration,
    /// Processor time of the backend.
    pub backend_cpu: Duration,
    /// When the disturbance was there, in seconds.
    pub disturbed: Option<(f64, f64)>,
    /// The first thing that went wrong, in the backend's own words.
    pub trouble: Option<String>,
    /// Arrival to answer of an item, median and 99th percentile in seconds, where items arrive.
    pub delivery_s: Option<(f64, f64)>,
    /// What only a server has.
    pub product: Option<ProductFigures>,
}

/// When what disturbs a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wanted {
    /// What.
    pub kind: Disturb,
    /// When, in seconds.
    pub span: (f64, f64),
}

/// Runs `contender` once.
///
/// # Errors
///
/// When the backend cannot be prepared or disturbed, or the first plan is out of bounds.
pub(crate) async fn measure(
    site: &dyn Site,
    contender: &Contender,
    setup: &Setup,
    disturbed: Option<Wanted>,
) -> anyhow::Result<Measured> {
    if let Some(product) = &setup.through {
        return product.measure(site, contender, setup, disturbed).await;
    }
    let connections = connections(setup);
    let backend = site.fresh(connections).await.context("the backend cannot be prepared")?;
    // What earlier runs and other programs left to be written is no part of this one.
    tokio::task::spawn_blocking(rustix::fs::sync).await?;
    // Ticks and nanoseconds do not agree to the last digit.
    let client = || cpu::of_this_process().saturating_sub(site.cpu_here());
    let accounts = || (client(), site.cpu());
    let before = accounts();
    let clock = Clock::start();
    let driving = async {
        if contender.is_bare {
            bare::drive(contender.first(), setup, &backend, clock).await
        } else {
            drive(contender, setup, Arc::clone(&backend), clock).await
        }
    };
    let disturbing = disturb(site, clock, disturbed);
    let (run, disturbed) = tokio::try_join!(driving, disturbing)?;
    let after = accounts();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of an hour at most")]
    let delivery = |q| run.delivery.value_at_quantile(q) as f64 / 1e6;
    Ok(Measured {
        delivery_s: (!run.delivery.is_empty()).then(|| (delivery(0.5), delivery(0.99))),
        product: None,
        run,
        client_cpu: after.0.saturating_sub(before.0),
        backend_cpu: after.1.saturating_sub(before.1),
        disturbed,
        trouble: backend.trouble(),
    })
}

/// Lets the backend grow into what it needs, before anything counts: the first gigabyte that a new
/// PostgreSQL logs goes to files that it makes and syncs, later ones to files that it has.
///
/// # Errors
///
/// When the backend cannot be prepared.
pub(crate) async fn warm_up(site: &dyn Site, setup: &Setup, seconds: f64) -> anyhow::Result<()> {
    if seconds <= 0.0 {
        return Ok(());
    }
    let concurrency = connections(setup).saturating_sub(SPARE).min(3);
    let plan = Static { size: setup.bounds.batch_size_max.min(5_000), concurrency };
    let length = Duration::from_secs_f64(seconds);
    let setup = Setup { source: Source::SATURATED, length, through: None, ..setup.clone() };
    let measured = measure(site, &Contender::fixed(plan), &setup, None).await?;
    let line = line(Some(&figures(&measured.run.attempts, (0.0, seconds))));
    say!("warming up, {plan} for {seconds} s: {line}");
    Ok(())
}

/// Connections for attempts that were given up.
const SPARE: u32 = 2;

/// As many as a plan may use, and a few for attempts that were given up.
fn connections(setup: &Setup) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a bound between 1 and 1,024"
    )]
    let most = setup.bounds.concurrency_max.ceil() as u32;
    most + SPARE
}

/// Disturbs the backend in that span; answers when that really was.
pub(crate) async fn disturb(
    site: &dyn Site,
    clock: Clock,
    wanted: Option<Wanted>,
) -> anyhow::Result<Option<(f64, f64)>> {
    let Some(Wanted { kind, span: (from, to) }) = wanted else { return Ok(None) };
    let at = |seconds| clock.instant(Moment::ZERO + Duration::from_secs_f64(seconds));
    tokio::time::sleep_until(at(from)).await;
    let disturbance = site.disturb(kind).await.context("the backend cannot be disturbed")?;
    let from = clock.now().as_secs_f64();
    tokio::time::sleep_until(at(to)).await;
    disturbance.end().await?;
    Ok(Some((from, clock.now().as_secs_f64())))
}
