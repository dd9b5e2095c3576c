//! How do the parts become a server, and how does it end?
//!
//! It begins at the far end: sinks first, then lanes, then the door, so that nothing is accepted
//! that could not be delivered. It ends at the near one: the door closes and finishes the requests
//! it has, the lanes deliver what is left as far as time allows, and whatever they cannot deliver
//! stays in the journal for the next start.

mod error;
mod journal;
mod lanes;
mod listeners;
mod shares;
mod sinks;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate::guard::Reading;
use tidegate_journal::Journal;
use tidegate_sinks::Sink;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::clock::Clock;
use crate::config::{self, Config, Loaded, Origins};
use crate::dead_letters::replay::Replay;
use crate::dead_letters::{DeadLetters, Limits, reprocess};
use crate::http::{self, Door};
use crate::lane::Signals;
use crate::lane::error::LaneError;
use crate::lane::outage::Outage;
use crate::lane::shared::Shared;
use crate::live;
use crate::recording::{Arrivals, Attempts};
use crate::simulator::{Races, Simulator};
use crate::status::Status;
use crate::telemetry::sampler::{self, Sampled};

pub use error::{RunError, StartError};
pub use listeners::Addresses;
use listeners::{Listeners, Tls};
use shares::Shares;

/// A server that is listening.
pub struct Server {
    listeners: Listeners,
    drain_timeout: Duration,
    status: Arc<Status>,
    sinks: Vec<Arc<dyn Sink>>,
    lanes: JoinSet<Result<(), LaneError>>,
    drain: watch::Sender<bool>,
    journal_failed: watch::Receiver<Option<String>>,
    sampler: tokio::task::JoinHandle<()>,
    shares: tokio::task::JoinHandle<()>,
    watch: tokio::task::JoinHandle<()>,
    reprocess: JoinSet<()>,
}

/// What a server is given besides its configuration.
#[derive(Debug, Default)]
pub struct Extras {
    /// Who chose what in the configuration, to be shown.
    pub origins: Origins,
    /// The configuration file, to be shown.
    pub file: Option<String>,
    /// What races controllers in virtual time; none answers so.
    pub simulator: Option<Arc<dyn Simulator>>,
}

impl Extras {
    fn settings(&self, config: &Config) -> live::contract::Settings {
        let loaded = Loaded { config: config.clone(), origins: self.origins.clone() };
        live::set::settings(&loaded, self.file.clone())
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the journal and the sinks, and listens. Events are taken from [`run`](Self::run) on.
    ///
    /// # Errors
    ///
    /// [`StartError`] says which part cannot be used as it is, and what to do.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_with(config, Extras::default()).await
    }

    /// The same, with what a configuration does not say.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(config: &Config, extras: Extras) -> Result<Self, StartError> {
        let clock = Clock::start();
        let tls = Tls::read(config)?;
        let journal = journal::open(config)?;
        let sinks = sinks::open(config, &journal).await?;
        let host = watch::Sender::new(Reading::default());
        let drain = watch::Sender::new(false);
        let shares = Shares::new(config, &journal);
        let signals = Signals {
            drain: drain.subscribe(),
            host: host.subscribe(),
            detach: watch::Sender::new(false).subscribe(),
        };
        let letters = DeadLetters::open(&config.data_dir, letter_limits(config))?;
        let replay = Replay::new(letters, journal.identity().id, clock);
        let parts = lanes::all(config, &sinks, &journal, clock, &signals, &shares, &replay).await?;
        let (shared, lanes): (Vec<_>, Vec<_>) = parts.lanes.into_iter().unzip();
        let listeners = Listeners::bind(config, tls).await?;

        let failed = watch::Sender::new(None);
        let journal_failed = failed.subscribe();
        let classes = config.classes.keys().map(|name| Arc::from(name.as_str())).collect();
        let hub = hub(config, &extras, clock, &journal, (&shared, &parts.outages))?;
        let door = Door::new(http_settings(config), journal.clone(), classes, failed, clock)
            .with_recording(record(config, clock, &shared)?);
        let status = Arc::new(Status {
            clock,
            journal,
            door: Arc::new(door),
            lanes: shared,
            outages: parts.outages,
            replay: Arc::new(replay),
            sampled: Sampled::default(),
            live: hub,
            races: Arc::new(Races::new(extras.simulator, clock)),
            draining: AtomicBool::new(false),
        });
        let plan = config.dead_letters.reprocess.plan();
        let reprocess = reprocess::start(&status.replay, &plan, clock, &drain.subscribe());
        let mut running = JoinSet::new();
        lanes.into_iter().for_each(|lane| {
            running.spawn(lane.run());
        });
        Ok(Self {
            listeners,
            drain_timeout: config.drain_timeout.duration(),
            sampler: tokio::spawn(sampler::sample(
                Arc::clone(&status),
                host,
                config.data_dir.clone(),
            )),
            watch: tokio::spawn(live::hub::watch(Arc::clone(&status))),
            shares: tokio::spawn(shares.watch(
                status.journal.clone(),
                Arc::clone(&status.door),
                status.lanes.clone(),
            )),
            status,
            sinks,
            lanes: running,
            reprocess,
            drain,
            journal_failed,
        })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listeners.addresses.main
    }

    /// All addresses it listens on.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.listeners.addresses
    }

    /// Serves until `stop` completes or a part cannot go on, then drains.
    ///
    /// # Errors
    ///
    /// [`RunError`] when it ended because a part could not go on. Whatever was acknowledged is
    /// still in the journal.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let stopping = watch::Sender::new(false);
        let mut served = self.listeners.serve(&self.status, &stopping);
        let ended = tokio::select! {
            () = stop => Ok(()),
            Some(ended) = self.lanes.join_next() => lane_ended(ended),
            why = failed(&mut self.journal_failed) => Err(RunError::Journal(why)),
        };
        tracing::info!("stopping: delivering what is left");
        self.status.draining.store(true, Ordering::Relaxed);
        stopping.send_replace(true);
        // Streams never end by themselves, and connections are waited for.
        self.status.live.close();
        self.status.races.close();
        let drained = tokio::time::timeout(self.drain_timeout, async {
            while served.join_next().await.is_some() {}
            self.drain.send_replace(true);
            let mut drained = Ok(());
            while let Some(ended) = self.lanes.join_next().await {
                drained = drained.and(lane_ended(ended));
            }
            // Each ends after the letters that it has sent.
            while self.reprocess.join_next().await.is_some() {}
            drained
        });
        let drained = drained.await.unwrap_or_else(|_| {
            tracing::warn!(limit = ?self.drain_timeout, "the time to drain is over");
            Ok(())
        });
        self.lanes.shutdown().await;
        self.reprocess.shutdown().await;
        for sink in &self.sinks {
            sink.close().await;
        }
        self.status.replay.letters.close().await;
        if let Some(recording) = &self.status.door.recording {
            recording.finish();
        }
        self.status.lanes.iter().for_each(|lane| lane.finish_recording());
        self.sampler.abort();
        self.shares.abort();
        self.watch.abort();
        if let Err(error) = self.status.journal.close().await {
            tracing::error!(%error, "acknowledged events are safe if durability is `fsync`");
        }
        tell_rest(&self.status.journal);
        ended.and(drained)
    }
}

/// Says what stays in the journal.
fn tell_rest(journal: &Journal) {
    for lane in journal.stats().lanes {
        if lane.backlog > 0 {
            let (name, events) = (&lane.name, lane.backlog);
            tracing::info!(lane = %name, events, "these stay in the journal for the next start");
        }
    }
}

fn lane_ended(ended: Result<Result<(), LaneError>, JoinError>) -> Result<(), RunError> {
    match ended {
        Ok(ended) => Ok(ended?),
        Err(error) => Err(RunError::Fault(error.to_string())),
    }
}

/// Why the journal failed, once it has.
async fn failed(journal: &mut watch::Receiver<Option<String>>) -> String {
    match journal.wait_for(Option::is_some).await {
        Ok(why) => why.clone().unwrap_or_default(),
        Err(_) => std::future::pending().await,
    }
}

/// What watchers share, of a server that begins.
fn hub(
    config: &Config,
    extras: &Extras,
    clock: Clock,
    journal: &Journal,
    (lanes, outages): (&[Arc<Shared>], &[Arc<Outage>]),
) -> Result<live::Hub, StartError> {
    let number = getrandom::u64().map_err(|error| StartError::Random(error.to_string()))?;
    let beginning = live::Beginning {
        config,
        settings: extras.settings(config),
        run: number >> 16,
        has_simulator: extras.simulator.is_some(),
        clock,
        journal,
        lanes,
        outages,
    };
    Ok(beginning.hub())
}

/// Begins what is to be recorded: attempts by these lanes, and arrivals by whoever accepts them.
fn record(
    config: &Config,
    clock: Clock,
    lanes: &[Arc<Shared>],
) -> Result<Option<Arrivals>, StartError> {
    let config::RecordingConfig { arrivals, attempts, max_bytes } = &config.recording;
    let failed = |field, path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Recording { field, path, source }
    };
    if let Some(path) = attempts {
        let begun = Attempts::begin(path, max_bytes.bytes(), clock);
        let recording = Arc::new(begun.map_err(failed("recording.attempts", path))?);
        lanes.iter().for_each(|lane| lane.record(Arc::clone(&recording)));
    }
    let Some(path) = arrivals else { return Ok(None) };
    let begun = Arrivals::begin(path, max_bytes.bytes(), clock.now());
    begun.map(Some).map_err(failed("recording.arrivals", path))
}

fn letter_limits(config: &Config) -> Limits {
    let letters = &config.dead_letters;
    Limits { items_max: letters.max_items, bytes_max: letters.max_bytes.bytes() }
}

fn http_settings(config: &Config) -> http::Settings {
    let http = &config.http;
    http::Settings {
        body_bytes_max: http.body_bytes_max.in_memory(),
        unpacked_bytes_max: http.decompressed_bytes_max.in_memory(),
        event_bytes_max: http.event_bytes_max.in_memory(),
        in_flight_bytes_max: http.in_flight_bytes_max.in_memory(),
        body_timeout: http.body_timeout.duration(),
        token: (!http.token.is_empty()).then(|| http.token.expose().to_owned()),
    }
}
