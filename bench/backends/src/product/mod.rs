//! How is one run made through the product itself? `tidegate serve` as a process of its own, with a
//! fresh journal that is synced, the sink that its users have, and a configuration file written for
//! the contender.
//!
//! ```text
//! tidegate load ──▶ door ──▶ journal ──▶ lane: Engine + Controller ──▶ sink ──▶ backend
//!   a process       └───────────── tidegate serve ─────────────────┘              │
//!                                     │ recording.attempts, /api/decisions        │
//!                                     ▼                                           ▼
//!                           figures, tables, traces                     rows, counted there
//! ```
//!
//! | question | module |
//! |---|---|
//! | what does the configuration say? | [`config`] |
//! | what arrives, and how? | [`feed`] |
//! | how does a server run beside us? | [`server`] |
//! | what does it say of itself? | [`api`]; what it recorded: [`recorded`] |
//!
//! A saturated run begins with a *backlog*: the journal is filled by a server that has no sink it
//! could reach, that server ends, and the one that is measured begins with everything in its journal.
//! Door and load generator would otherwise share the two cores with the backend and take a fifth to a
//! third of them, more the faster a plan is; with a backlog the only bottleneck is what the plan and
//! the sink make of the backend. Where items arrive, they arrive through the door, from a load
//! generator that is a process of its own, and what both cost is part of the case.

mod api;
mod config;
mod feed;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tidegate::{Epoch, Moment, Plan};

use crate::backend::Site;
use crate::clock::{Clock, unix_micros};
use crate::contender::Contender;
use crate::drive::Setup;
use crate::measure::{Measured, Wanted, disturb};
use crate::record::{Run, histogram};
use crate::recorded;
pub(crate) use feed::Feed;
use server::Server;

/// The way through the product.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// The program.
    pub program: Arc<Path>,
    /// What arrives.
    pub feed: Feed,
    /// Where journals go; the system's directory for temporary files if nobody says.
    pub within: Option<PathBuf>,
}

/// What only a server has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ProductFigures {
    /// Items that the backend has, counted there.
    pub taken: u64,
    /// Items that the server says are delivered, until it ended.
    pub delivered: u64,
    /// Items acknowledged during the run.
    pub acknowledged: u64,
    /// Processor seconds of the load generator.
    pub load_cpu_s: f64,
    /// Median and 99th percentile of a request's latency, in milliseconds, where items arrive.
    pub acknowledged_ms: Option<(f64, f64)>,
}

impl Product {
    /// The program `tidegate` beside this one, or the one that is named.
    pub(crate) fn program(named: Option<&Path>) -> anyhow::Result<Arc<Path>> {
        let program = match named {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()?.with_file_name("tidegate"),
        };
        ensure!(
            program.is_file(),
            "{} is not there: build it (cargo build --release -p tidegate-cli), or name it by --program",
            program.display()
        );
        Ok(program.into())
    }

    fn directory(&self) -> anyhow::Result<tempfile::TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("backends-product-");
        let made = match &self.within {
            Some(within) => builder.tempdir_in(within),
            None => builder.tempdir(),
        };
        made.context("no directory for a journal")
    }

    /// Runs `contender` once.
    ///
    /// # Errors
    ///
    /// When the backend cannot be prepared or disturbed, the server does not begin or ends by itself,
    /// or the backend has fewer items than the server says it delivered.
    pub(crate) async fn measure(
        &self,
        site: &dyn Site,
        contender: &Contender,
        setup: &Setup,
        disturbed: Option<Wanted>,
    ) -> anyhow::Result<Measured> {
        let directory = self.directory()?;
        let sink = site.sink().await.context("the backend cannot be prepared")?;
        if let Feed::Backlog { events } = self.feed {
            let server = Server::start(&self.program, directory.path(), config::HOLD).await?;
            feed::fill(&self.program, server.address(), events).await?;
            server.end().await?;
        }
        // What earlier runs and other programs left to be written is no part of this one.
        tokio::task::spawn_blocking(rustix::fs::sync).await?;
        let recording = directory.path().join("attempts.csv");
        let text = config::text(&sink, contender, setup, &recording)?;
        let backend_before = site.cpu();
        let mut server = Server::start(&self.program, directory.path(), &text).await?;
        let (clock, zero_us) = (Clock::start(), unix_micros());
        let load = self.feed.start(&self.program, server.address(), setup.length)?;
        let over = tokio::time::sleep_until(clock.instant(Moment::ZERO + setup.length));
        let disturbing = disturb(site, clock, disturbed);
        let ((), disturbed) = tokio::join!(over, disturbing);
        let disturbed = disturbed?.or_else(|| self.feed.thirds(setup.length));
        server.check()?;
        let (client_cpu, in_server) = server.cpu();
        let backend_cpu = site.cpu().saturating_sub(backend_before) + in_server;
        let said = api::said(server.address(), zero_us).await?;
        let warnings = server.end().await?;
        let load = load.end().await?;
        let attempts = recorded::read(&recording, zero_us, setup.target)?;
        let taken = site.taken().await.context("the backend does not say what it has")?;
        let delivered: u64 =
            attempts.iter().map(|one| u64::from(one.outcome.delivered(one.sent.items))).sum();
        ensure!(
            taken >= delivered,
            "the backend has {taken} items, but {delivered} were said to be delivered"
        );
        let dry = matches!(self.feed, Feed::Backlog { .. }) && said.backlog == 0;
        let dry = dry.then(|| "the backlog ended before the run: give more --backlog".to_owned());
        let first = said.decisions.first().map_or(said.plan, |first| first.from);
        let run = Run {
            attempts,
            decisions: said.decisions,
            delivery: histogram(),
            queued: said.backlog,
            first,
            last: said.plan,
        };
        Ok(Measured {
            run,
            client_cpu: client_cpu.saturating_sub(in_server),
            backend_cpu,
            disturbed,
            trouble: dry.or(warnings),
            delivery_s: said.delivery_ms.map(|(p50, p99)| (p50 / 1e3, p99 / 1e3)),
            product: Some(ProductFigures {
                taken,
                delivered,
                acknowledged: load.events_acknowledged,
                load_cpu_s: load.cpu_seconds,
                acknowledged_ms: load.latency_ms.map(|latency| (latency.p50, latency.p99)),
            }),
        })
    }
}

/// A plan as the server tells it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct PlanTold {
    batch_size: u32,
    concurrency: f64,
    pace: Option<f64>,
    linger_ms: f64,
}

impl From<PlanTold> for Plan {
    fn from(told: PlanTold) -> Self {
        let linger = Duration::try_from_secs_f64(told.linger_ms / 1e3).unwrap_or_default();
        let PlanTold { batch_size, concurrency, pace, .. } = told;
        Self { batch_size, concurrency, pace, linger, epoch: Epoch::default() }
    }
}
