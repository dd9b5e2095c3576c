//! How do events reach a PostgreSQL database exactly once, several batches at a time?
//!
//! Every batch is one transaction on a connection of its own: the fence, the range, the rows, the
//! commit. The range goes in first, into the sink's own record, under a constraint against
//! overlap. So a batch that comes again stores nothing, one that was cut differently is refused,
//! and where the commit of an earlier attempt is in doubt — its connection was lost — the repeat
//! waits until the server knows. Batches that do not overlap share no row and no lock that would
//! make them wait for each other. The tables are documented in [`schema`].
//!
//! The rows go into a table of the sink's own, or into one of the user's by a
//! [`Mapping`](crate::mapping::Mapping). Into a table of the user's, an event that another lane has
//! delivered before its class was declared comes a second time, unless a key over columns of the
//! mapping tells that it is there: only the sink's own table has the event's name for certain.
//!
//! | question | module |
//! |---|---|
//! | What can be set, and within which bounds? | [`settings`] |
//! | Which server, and as whom? | [`server`] |
//! | Which tables does the sink keep, and when is a database not ours? | [`schema`] |
//! | How is a connection encrypted? | `tls` |
//! | Which connection does an attempt get? | `pool` |
//! | What happens on a connection when the sink is asked for something? | `session` |
//! | May this opening of the journal write here? | `fence` |
//! | Which positions has a lane committed? | `ranges` |
//! | How do rows get into the table? | `copy`, `upsert` |
//! | Which types can a column have, and how are values written? | `types`, `decimal` |
//! | Does a mapping fit a table? | `catalogue` |
//! | What does the server say of its load? | `feedback` |
//! | What does a failure mean for whoever sent the batch? | `trouble` |

mod catalogue;
mod copy;
mod decimal;
mod feedback;
mod fence;
mod pool;
mod ranges;
pub mod schema;
pub mod server;
mod session;
pub mod settings;
mod tls;
mod trouble;
mod types;
mod upsert;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate::{Feedback, Outcome};
use tidegate_event::Position;
use tokio::task::JoinHandle;

pub use server::Server;
pub use settings::{Settings, SynchronousCommit, Table, TlsMode};

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};
use crate::recent::Recent;
use feedback::Latest;
use pool::{Permit, Pool};
use session::Session;
use tls::Connector;
use trouble::Trouble;

/// Batches of a lane after which its record of ranges is compacted.
const COMPACT_EVERY: u32 = 256;

/// A sink that writes into a table of a PostgreSQL database.
///
/// It answers every delivery with what the server said of its load within the last second, and
/// which share of the last 64 attempts the server failed. Dropping it without
/// [`close`](Sink::close) finishes what is on its way in the background.
///
/// ```
/// use tidegate_sinks::Sink;
/// use tidegate_sinks::postgres::{PostgresSink, Server, Settings};
///
/// let server = Server::new("db.example", 5432, "tide", "events").with_password("secret");
/// let sink = PostgresSink::start(Settings::new(server, "postgres"))?;
/// assert_eq!(format!("{sink:?}"), "PostgresSink(tide@db.example:5432/events)");
/// # Ok::<(), tidegate_sinks::OpenError>(())
/// ```
pub struct PostgresSink {
    inner: Arc<Inner>,
    poller: Mutex<Option<JoinHandle<()>>>,
}

/// What attempts share.
struct Inner {
    settings: Settings,
    /// User, host, port and database, for messages.
    server: String,
    tls: Connector,
    pool: Pool,
    latest: Latest,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Which opening of which journal delivers.
    origin: Option<Origin>,
    recent: Recent,
    /// Batches of each lane since its record was compacted.
    batches: HashMap<Arc<str>, u32>,
}

impl PostgresSink {
    /// Makes the sink. Connections are made when they are needed, the first one by
    /// [`open`](Sink::open).
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] when a setting is out of its bounds, or the authorities'
    /// certificates cannot be read.
    pub fn start(settings: Settings) -> Result<Self, OpenError> {
        let server = format!("database {}", settings.server);
        settings.validate().map_err(|error| trouble::backend(&server, error.to_string()))?;
        let tls =
            tls::connector(&settings.server.tls).map_err(|why| trouble::backend(&server, why))?;
        let pool = Pool::new(settings.connections);
        let (latest, state) = (Latest::default(), Mutex::default());
        let inner = Arc::new(Inner { settings, server, tls, pool, latest, state });
        Ok(Self { inner, poller: Mutex::default() })
    }

    /// Begins to ask the server for its load, if that is wanted and was not begun.
    fn begin_polling(&self) {
        let mut poller = self.poller.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inner.settings.feedback && poller.is_none() {
            let Inner { settings, tls, latest, .. } = &*self.inner;
            let polling = feedback::poll(settings.clone(), tls.clone(), latest.clone());
            *poller = Some(tokio::spawn(polling));
        }
    }

    fn end_polling(&self) {
        let poller = self.poller.lock().unwrap_or_else(PoisonError::into_inner).take();
        poller.iter().for_each(JoinHandle::abort);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The longest time anything may take: a commit on a network that swallows everything has no
    /// timeout of its own.
    fn deadline(&self) -> Duration {
        let Settings { connect_timeout, statement_timeout, .. } = self.settings;
        connect_timeout + statement_timeout.saturating_mul(2) + Duration::from_secs(5)
    }

    /// Has something done on a connection that has taken the journal, which is kept if it is sound
    /// afterwards.
    async fn with<T>(
        &self,
        _permit: &Permit,
        origin: Option<Origin>,
        work: impl AsyncFnOnce(&mut Session, &str) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let origin = origin.ok_or(Trouble::NotOpened)?;
        let deadline = self.deadline();
        let worked = async {
            let mut session = match self.pool.idle() {
                Some(session) => session,
                None => Session::start(&self.settings, &self.tls).await?,
            };
            let done = match session.take(origin).await {
                Ok(()) => work(&mut session, &self.settings.name).await,
                Err(trouble) => Err(trouble),
            };
            let is_sound = match &done {
                Ok(_) => true,
                Err(trouble) => {
                    !trouble.needs_reconnecting()
                        && !session.is_closed()
                        && session.roll_back().await.is_ok()
                }
            };
            if is_sound {
                self.pool.keep(session);
            }
            done
        };
        match tokio::time::timeout(deadline, worked).await {
            Ok(done) => done,
            Err(_) => Err(Trouble::Silent(deadline)),
        }
    }

    async fn deliver(self: Arc<Self>, permit: Permit, batch: Batch) -> Delivery {
        let origin = self.state().origin;
        let attempt =
            self.with(&permit, origin, async |session, sink| session.commit(sink, &batch).await);
        let attempt = attempt.await;
        drop(permit);
        let error_rate = {
            let mut state = self.state();
            state.recent.push(attempt.as_ref().is_err_and(Trouble::is_of_the_backend));
            state.recent.error_rate()
        };
        if attempt.is_ok() {
            self.note(batch.lane, origin);
        }
        let (outcome, failure) = match attempt {
            Ok(()) => (Outcome::Ok, None),
            Err(trouble) => {
                let (outcome, failure) = trouble.answer(&self.server);
                (outcome, Some(failure))
            }
        };
        let latest = self.latest.get().unwrap_or_default();
        let feedback = Feedback { error_rate: Some(error_rate), ..latest };
        Delivery { outcome, failure, feedback: Some(feedback), retry_after: None }
    }

    /// Counts a batch, and has the lane's record compacted now and then, if a connection is free.
    fn note(self: &Arc<Self>, lane: Arc<str>, origin: Option<Origin>) {
        {
            let mut state = self.state();
            let batches = state.batches.entry(Arc::clone(&lane)).or_default();
            *batches += 1;
            if *batches < COMPACT_EVERY {
                return;
            }
        }
        let Some(permit) = self.pool.permit_now() else { return };
        self.state().batches.insert(Arc::clone(&lane), 0);
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            // What fails is done the next time; nobody waits for it.
            let work = async |session: &mut Session, sink: &str| session.compact(sink, &lane).await;
            let _ = inner.with(&permit, origin, work).await;
        });
    }
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresSink({})", self.inner.settings.server)
    }
}

impl Drop for PostgresSink {
    fn drop(&mut self) {
        self.end_polling();
    }
}

impl Sink for PostgresSink {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn limits(&self) -> Limits {
        let concurrency_max = Some(self.inner.settings.connections);
        Limits { concurrency_max, guarantee: Guarantee::ExactlyOnce }
    }

    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async move {
            let inner = &self.inner;
            let opened = async {
                let permit = inner.pool.permit().await?;
                // Before the fence lets us pass, nothing may be delivered under this origin.
                inner.with(&permit, Some(origin), async |_, _| Ok(())).await
            };
            match opened.await {
                // At its first opening it is probably the settings, and whoever is there to see it
                // is told. Later a server that is away for a while must not keep producers and
                // the other sinks waiting. Each connection takes the journal before it delivers,
                // so nothing is risked.
                Err(trouble) if origin.epoch > 1 && trouble.passes() => {}
                other => other.map_err(|trouble| trouble.open_error(&inner.server))?,
            }
            inner.state().origin = Some(origin);
            self.begin_polling();
            Ok(())
        })
    }

    fn delivered<'a>(
        &'a self,
        lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async move {
            let inner = &self.inner;
            let found = async {
                let permit = inner.pool.permit().await?;
                let origin = inner.state().origin;
                let work = async |session: &mut Session, sink: &str| {
                    session.delivered(sink, lane, above).await
                };
                inner.with(&permit, origin, work).await
            };
            found.await.map_err(|trouble| trouble.answer(&inner.server).1)
        })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        Box::pin(async move {
            let not_delivered = |trouble: Trouble| {
                let (outcome, failure) = trouble.answer(&self.inner.server);
                Delivery { outcome, failure: Some(failure), feedback: None, retry_after: None }
            };
            let permit = match self.inner.pool.permit().await {
                Ok(permit) => permit,
                Err(trouble) => return not_delivered(trouble),
            };
            // A task of its own: whoever stops waiting does not stop the attempt.
            let attempt = tokio::spawn(Arc::clone(&self.inner).deliver(permit, batch));
            attempt.await.unwrap_or_else(|error| {
                not_delivered(Trouble::Unusable(format!("the attempt failed inside: {error}")))
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.inner.pool.close().await;
            self.end_polling();
        })
    }
}
