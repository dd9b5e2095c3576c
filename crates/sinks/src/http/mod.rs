//! How do events reach an HTTP API? A batch is a request; what the answer means is decided here.
//!
//! # What is promised
//!
//! At least once. An answer that is lost leaves nobody certain whether the batch was taken, and
//! there is nothing to ask: [`delivered`](Sink::delivered) knows of nothing. Whoever sends batches
//! notes where each begins and ends before its first attempt, and repeats one that is in doubt
//! unchanged. Such a repeat has the same `Idempotency-Key` and every item its same name, so that a
//! backend that looks at either takes it once. Only a definite refusal may be cut smaller; the
//! parts have keys of their own. See [`key`].
//!
//! There is no fence: two copies of a data directory both deliver, and only the names tell.
//!
//! An attempt whose caller stops waiting is ended: its connection is closed.
//!
//! # What an answer means
//!
//! See [`status`] for the table, which settings may change line by line. What may be mended at the
//! other end or in the settings (a wrong token, a wrong address) never gives an event up: it is
//! tried again, and the message says what to change.
//!
//! | question | module |
//! |---|---|
//! | What can be set, and within which bounds? | [`settings`] |
//! | How does a secret stay out of messages? | `secret` |
//! | What may stand in a URL or a header besides text? | `template` |
//! | Which batch is a repeat of which? | [`key`] |
//! | How does a batch become the body of a request? | `body` |
//! | Whom does the client trust, and how long does it wait for a connection? | `connect` |
//! | How is a request sent, and how much of its answer read? | `exchange` |
//! | What does a status mean? | [`status`] |
//! | How long does the backend ask to wait? | `wait` |
//! | What does an answer say item by item? | `items` |
//! | What came of the attempt? | `judge` |

mod body;
mod connect;
mod exchange;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod items;
mod judge;
pub mod key;
mod secret;
pub mod settings;
pub mod status;
mod template;
mod wait;

use std::fmt;
use std::ops::Range;

use tidegate::Outcome;
use tidegate_event::{JournalId, Position};
use tokio::sync::RwLock;

pub use secret::shown;
pub use settings::{Answers, Compression, Format, Method, Settings};
pub use status::Meaning;

use crate::contract::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits, OpenError, Origin, Sink,
};
use crate::stage::{Stage, failed, taken};
use body::Bodies;
use exchange::Exchange;
use judge::Judge;

/// A sink that sends each batch as a request.
///
/// ```
/// use tidegate_sinks::Sink;
/// use tidegate_sinks::http::{HttpSink, Settings};
///
/// let sink = HttpSink::start(Settings::new("http://127.0.0.1:9200/{lane}/events", "api"))?;
/// assert_eq!(sink.kind(), "http");
/// # Ok::<(), tidegate_sinks::OpenError>(())
/// ```
pub struct HttpSink {
    name: String,
    /// What messages call the sink: where it sends to, without what may be secret.
    site: String,
    /// Every attempt holds it for reading, so that a close waits for them all.
    stage: RwLock<Stage>,
    bodies: Bodies,
    exchange: Exchange,
    judge: Judge,
}

impl HttpSink {
    /// Prepares the client. Nothing is sent: whether the backend answers shows with the first batch.
    ///
    /// # Errors
    ///
    /// [`OpenError::Backend`] with the setting and what to do, when a setting is out of its bounds,
    /// the URL or a header cannot be sent, or a file of certificates cannot be used.
    pub fn start(settings: Settings) -> Result<Self, OpenError> {
        let site = settings.site();
        let backend = |why: String| OpenError::Backend { what: format!("cannot use {site}"), why };
        settings.validate().map_err(|error| backend(error.to_string()))?;
        let exchange = Exchange::new(&settings).map_err(backend)?;
        Ok(Self {
            bodies: Bodies::new(&settings),
            judge: Judge::new(&settings, &site),
            name: settings.name,
            stage: RwLock::new(Stage::default()),
            exchange,
            site,
        })
    }

    async fn attempt(&self, journal: JournalId, batch: Batch) -> Delivery {
        let key = key::of(journal, &self.name, &batch);
        let body = match self.bodies.make(journal, &batch).await {
            Ok(Some(body)) => body,
            // There is nothing to tell the backend of a range that holds no item of this lane.
            Ok(None) => return taken(),
            Err(body::Unmade::Broken(broken)) => {
                let refused = DeliveryFailure::Refused { why: broken.to_string(), at: None };
                return failed(Outcome::Rejected, refused);
            }
            Err(body::Unmade::Failed(why)) => {
                let why = format!("{}: the body could not be made: {why}", self.site);
                return failed(Outcome::Unreachable, DeliveryFailure::Retry(why));
            }
        };
        let sent = self.exchange.send(&batch.lane, &self.name, &key, body.bytes.clone()).await;
        self.bodies.give_back(body);
        match sent {
            Ok(answer) => self.judge.answer(&answer, journal, &batch),
            Err(trouble) => self.judge.trouble(&trouble),
        }
    }
}

impl fmt::Debug for HttpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSink").field("site", &self.site).finish_non_exhaustive()
    }
}

impl Sink for HttpSink {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: None, guarantee: Guarantee::AtLeastOnce }
    }

    fn open(&self, origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async move { self.stage.write().await.open(origin, &self.site) })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async move { self.stage.read().await.journal(&self.site).map(|_| Vec::new()) })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        Box::pin(async move {
            let stage = self.stage.read().await;
            match stage.journal(&self.site) {
                Ok(journal) => self.attempt(journal, batch).await,
                Err(failure) => failed(Outcome::Unreachable, failure),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { *self.stage.write().await = Stage::Closed })
    }
}
