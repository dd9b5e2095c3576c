//! How do the parts become a server, and how does it end?
//!
//! It begins at the far end: sinks first, then lanes, then the door, so that nothing is accepted
//! that could not be delivered. It ends at the near one: the door closes and finishes the requests
//! it has, the lanes deliver what is left as far as time allows, and whatever they cannot deliver
//! stays in the journal for the next start.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidegate::{Engine, Feedback};
use tidegate_event::Position;
use tidegate_journal::{
    ClassFilter, Durability, FileStorage, Journal, LaneStart, Missing, Recovery, Torn,
};
use tidegate_sinks::sqlite::{self, SqliteSink};
use tidegate_sinks::{Blackhole, Origin, Sink};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{
    self, Config, JournalConfig, LaneConfig, Retention, SinkKind, Span, SqliteConfig,
};
use crate::http::{self, Door, listener};
use crate::lane::shared::Shared;
use crate::lane::{self, Lane, LaneError, Signals};
use crate::status::Status;
use crate::telemetry::sampler::{self, Sampled};

/// How many decisions of a lane are kept.
const DECISIONS_KEPT: usize = 1000;

/// The server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("data directory {dir}: {source}: choose another with --data-dir, or mend its rights")]
    DataDir {
        /// The directory.
        dir: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] tidegate_journal::OpenError),
    /// A lane cannot be registered.
    #[error(transparent)]
    Lane(#[from] tidegate_journal::LaneError),
    /// A sink cannot be taken into use.
    #[error("sink `{name}`: {source}")]
    Sink {
        /// The sink's name.
        name: String,
        /// What it said.
        source: tidegate_sinks::OpenError,
    },
    /// A setting is refused.
    #[error("sinks.{sink}: {source}")]
    Setting {
        /// The sink's name.
        sink: String,
        /// Which one, and why.
        source: tidegate::SettingError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}: choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// The server ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A lane cannot go on.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The journal has failed; what was not synced must be read anew.
    #[error("{0}: start again, so that the journal recovers")]
    Journal(String),
    /// A lane ended by a fault of ours.
    #[error("a lane ended by a fault of the program: {0}")]
    Fault(String),
}

/// A server that is listening.
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    limits: listener::Limits,
    drain_timeout: Duration,
    status: Arc<Status>,
    sinks: Vec<Arc<dyn Sink>>,
    lanes: JoinSet<Result<(), LaneError>>,
    drain: watch::Sender<bool>,
    journal_failed: watch::Receiver<Option<String>>,
    sampler: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens the journal and the sinks, and listens. Events are taken from [`run`](Self::run) on.
    ///
    /// # Errors
    ///
    /// [`StartError`] says which part cannot be used as it is, and what to do.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let clock = Clock::start();
        let journal = open_journal(config)?;
        let sinks = open_sinks(config, &journal).await?;
        let host = watch::Sender::new(Feedback::default());
        let drain = watch::Sender::new(false);
        let signals = Signals { drain: drain.subscribe(), host: host.subscribe() };
        let parts = lanes(config, &sinks, &journal, clock, &signals).await?;
        let (shared, lanes): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let address = config.http.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;

        let failed = watch::Sender::new(None);
        let journal_failed = failed.subscribe();
        let classes = config.classes.keys().map(|name| Arc::from(name.as_str())).collect();
        let door = Door::new(http_settings(config), journal.clone(), classes, failed, clock);
        let status = Arc::new(Status {
            clock,
            journal,
            door: Arc::new(door),
            lanes: shared,
            sampled: Sampled::default(),
            draining: AtomicBool::new(false),
        });
        let mut running = JoinSet::new();
        lanes.into_iter().for_each(|lane| {
            running.spawn(lane.run());
        });
        Ok(Self {
            address,
            listener,
            limits: listener::Limits {
                connections_max: usize::try_from(config.http.connections_max).unwrap_or(usize::MAX),
                header_timeout: config.http.header_timeout.duration(),
            },
            drain_timeout: config.drain_timeout.duration(),
            sampler: tokio::spawn(sampler::sample(Arc::clone(&status), host)),
            status,
            sinks,
            lanes: running,
            drain,
            journal_failed,
        })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes or a part cannot go on, then drains.
    ///
    /// # Errors
    ///
    /// [`RunError`] when it ended because a part could not go on. Whatever was acknowledged is
    /// still in the journal.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        let stopping = watch::Sender::new(false);
        let router = http::router(Arc::clone(&self.status.door), Arc::clone(&self.status));
        let served =
            tokio::spawn(listener::serve(self.listener, router, self.limits, stopping.subscribe()));
        let ended = tokio::select! {
            () = stop => Ok(()),
            Some(ended) = self.lanes.join_next() => lane_ended(ended),
            why = failed(&mut self.journal_failed) => Err(RunError::Journal(why)),
        };
        tracing::info!("stopping: delivering what is left");
        self.status.draining.store(true, Ordering::Relaxed);
        stopping.send_replace(true);
        let drained = tokio::time::timeout(self.drain_timeout, async {
            // A task that was not aborted and cannot panic ends well.
            let _ = served.await;
            self.drain.send_replace(true);
            let mut drained = Ok(());
            while let Some(ended) = self.lanes.join_next().await {
                drained = drained.and(lane_ended(ended));
            }
            drained
        });
        let drained = drained.await.unwrap_or_else(|_| {
            tracing::warn!(limit = ?self.drain_timeout, "the time to drain is over");
            Ok(())
        });
        self.lanes.shutdown().await;
        for sink in &self.sinks {
            sink.close().await;
        }
        self.sampler.abort();
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

fn lane_ended(
    ended: Result<Result<(), LaneError>, tokio::task::JoinError>,
) -> Result<(), RunError> {
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

fn open_journal(config: &Config) -> Result<Journal, StartError> {
    let dir = config.data_dir.join("journal");
    let failed = |source| StartError::DataDir { dir: dir.display().to_string(), source };
    std::fs::create_dir_all(&dir).map_err(failed)?;
    let settings = journal_settings(&config.journal);
    let durability = settings.durability;
    let (journal, recovery) = Journal::open(FileStorage::open(&dir)?, settings)?;
    let id = journal.identity().id;
    let epoch = journal.identity().epoch;
    tracing::info!(%id, epoch, dir = %dir.display(), ?durability, "journal open");
    tell_recovery(&recovery);
    match durability {
        Durability::Fsync => {}
        Durability::Written => {
            tracing::warn!("durability is `written`: a power failure may lose acknowledged events");
        }
        Durability::Memory => {
            tracing::warn!("durability is `memory`: acknowledged events are lost with the process");
        }
    }
    Ok(journal)
}

/// Says what opening the journal found, if that is worth a line.
fn tell_recovery(found: &Recovery) {
    let (frames, events, next) = (found.frames, found.items, found.next);
    if !found.created && !found.closed_in_order {
        tracing::info!(frames, events, next, "the journal was not closed in order; recovered");
    }
    if let Some(Torn { segment, offset, bytes }) = found.torn {
        tracing::info!(
            segment,
            offset,
            bytes,
            "an unfinished write at the journal's end was undone"
        );
    }
    if let Some(skipped) = &found.skipped {
        tracing::info!(?skipped, "these positions will not be used");
    }
    for Missing { positions, segment, offset, cause } in &found.missing {
        tracing::error!(
            ?positions,
            segment,
            offset,
            ?cause,
            "the journal is corrupt here: these positions cannot be read, all others can"
        );
    }
    for file in &found.set_aside {
        tracing::error!(file, "no usable segment: it was renamed to *.bad");
    }
}

async fn open_sinks(config: &Config, journal: &Journal) -> Result<Vec<Arc<dyn Sink>>, StartError> {
    let mut number = [0; 16];
    getrandom::fill(&mut number).map_err(|error| StartError::Random(error.to_string()))?;
    let identity = journal.identity();
    let origin = Origin {
        journal: identity.id,
        epoch: identity.epoch,
        opening: u128::from_le_bytes(number),
    };
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    for (name, of_sink) in &config.sinks {
        let failed = |source| StartError::Sink { name: name.clone(), source };
        let sink: Arc<dyn Sink> = match &of_sink.kind {
            SinkKind::Sqlite(sqlite) => {
                let settings = sqlite_settings(config, name, sqlite);
                Arc::new(SqliteSink::start(settings).map_err(failed)?)
            }
            SinkKind::Blackhole {} => Arc::new(Blackhole),
        };
        sink.open(origin).await.map_err(failed)?;
        sinks.push(sink);
    }
    Ok(sinks)
}

/// Every lane of every sink, with the part of it that the API reads.
async fn lanes(
    config: &Config,
    sinks: &[Arc<dyn Sink>],
    journal: &Journal,
    clock: Clock,
    signals: &Signals,
) -> Result<Vec<(Arc<Shared>, Lane)>, StartError> {
    let mut lanes = Vec::new();
    let declared: Vec<Arc<str>> = config.classes.keys().map(|name| name.as_str().into()).collect();
    for ((sink_name, of_sink), sink) in config.sinks.iter().zip(sinks) {
        for (name, settings) in config.lanes(of_sink) {
            let filter = match declared.iter().find(|class| &***class == name) {
                Some(class) => ClassFilter::Only(Arc::clone(class)),
                None => ClassFilter::AllBut(declared.clone()),
            };
            let most = of_sink.kind.concurrency_max();
            let shared = engine(sink_name, name, &settings, most, clock)?;
            let journal_lane = journal.lane(&shared.key(), filter, LaneStart::Oldest)?;
            let skipped_to = skip_delivered(journal, sink.as_ref(), name).await;
            let bounds = lane::Bounds {
                queue_items: u64::from(settings.queue_items),
                queue_bytes: settings.queue_bytes.bytes(),
                timeout: settings.timeout.duration(),
                skipped_to,
            };
            let (sink, signals) = (Arc::clone(sink), signals.clone());
            let handles = journal_lane.split();
            let lane = Lane::new(Arc::clone(&shared), sink, bounds, handles, signals);
            lanes.push((shared, lane));
        }
    }
    for lane in journal.begin_retention() {
        tracing::warn!(lane, "no sink has this lane any more: nothing is kept for it");
    }
    Ok(lanes)
}

/// Lets the journal skip what the sink has beyond the journal's end, which a power failure may have
/// cut off if durability is `written`: a new event must not get the name of one that is stored.
/// Returns where new events begin at the earliest.
///
/// A sink that does not answer now is asked again by its lane.
async fn skip_delivered(journal: &Journal, sink: &dyn Sink, lane: &str) -> Position {
    let durable = journal.stats().durable;
    let delivered = sink.delivered(lane, durable).await.unwrap_or_default();
    let end = delivered.last().map_or(0, |range| range.end);
    if end > durable {
        tracing::warn!(durable, end, lane, "the journal lost its end; these positions are skipped");
        journal.skip_to(end);
    }
    end.max(durable)
}

/// The engine of a lane, in the part that the API reads.
fn engine(
    sink: &str,
    lane: &str,
    settings: &LaneConfig,
    concurrency_max: Option<f64>,
    clock: Clock,
) -> Result<Arc<Shared>, StartError> {
    let failed = |source| StartError::Setting { sink: sink.to_owned(), source };
    let bounds = settings.bounds(concurrency_max);
    let controller = settings.controller().build(settings.first_plan(), &bounds).map_err(failed)?;
    let engine = Engine::new(clock.now(), controller, bounds, DECISIONS_KEPT);
    let target = settings.target.duration();
    Ok(Arc::new(Shared::new(sink.into(), lane.into(), clock, target, engine)))
}

fn journal_settings(config: &JournalConfig) -> tidegate_journal::Settings {
    tidegate_journal::Settings {
        durability: match config.durability {
            config::Durability::Fsync => Durability::Fsync,
            config::Durability::Written => Durability::Written,
            config::Durability::Memory => Durability::Memory,
        },
        segment_bytes: config.segment_bytes.bytes(),
        max_bytes: config.max_bytes.bytes(),
        tail_bytes: config.tail_bytes.in_memory(),
        ..tidegate_journal::Settings::default()
    }
}

fn sqlite_settings(config: &Config, name: &str, sqlite: &SqliteConfig) -> sqlite::Settings {
    let Retention { max_age, max_rows } = sqlite.retention;
    let retention = (max_age.is_some() || max_rows.is_some())
        .then(|| sqlite::Retention { max_age: max_age.map(Span::duration), max_rows });
    sqlite::Settings {
        busy_timeout: sqlite.busy_timeout.duration(),
        retention,
        ..sqlite::Settings::new(sqlite.file(&config.data_dir), name)
    }
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
