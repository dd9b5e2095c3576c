//! What does the server answer over HTTP? Events come in here, and everything that can be known
//! about them goes out. Only this folder knows HTTP statuses.
//!
//! A new route is a function in a file here and a line in [`router`].

mod auth;
mod body;
mod budget;
mod compressed;
mod dead_letters;
mod decode;
mod events;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod health;
pub(crate) mod listener;
mod metrics;
mod origin;
mod otlp;
mod pages;
mod refusal;
mod repeat;
mod simulator;
mod stall;
mod stream;
pub(crate) mod tls;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use tidegate::Moment;
use tidegate_journal::{Advice, AppendError, Journal};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::recording::Arrivals;
use crate::status::Status;
use budget::Budget;
use refusal::Refusal;

/// How long a refusal makes the server count as not ready.
const LATELY: Duration = Duration::from_secs(2);

/// Most bytes of a request for a race: a few names.
const RACE_BYTES_MAX: usize = 64 << 10;

/// Bounds of what a client may send.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Largest body as sent, in bytes.
    pub(crate) body_bytes_max: usize,
    /// Largest body once unpacked, in bytes.
    pub(crate) unpacked_bytes_max: usize,
    /// Longest text of one event, in bytes.
    pub(crate) event_bytes_max: usize,
    /// Memory that all bodies may take together, in bytes.
    pub(crate) in_flight_bytes_max: usize,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
    /// The token that requests must carry, if any.
    pub(crate) token: Option<String>,
}

/// What requests share.
#[derive(Debug)]
pub(crate) struct Door {
    settings: Settings,
    journal: Journal,
    /// The declared classes.
    classes: Vec<Arc<str>>,
    no_class: Arc<str>,
    budget: Budget,
    pub(crate) counts: Counts,
    /// Told why, when the journal has failed for good.
    journal_failed: watch::Sender<Option<String>>,
    clock: Clock,
    /// When the journal refused a request the last time, in nanoseconds of the clock; 0 is never.
    refused_at: AtomicU64,
    held: Mutex<Option<Held>>,
    /// What arrives is counted here, if that was asked for.
    pub(crate) recording: Option<Arrivals>,
}

/// A sink for which more waits than may, and whose policy is to hold back producers.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) sink: Arc<str>,
    /// Bytes of the journal that wait for it.
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
}

impl Door {
    pub(crate) fn new(
        settings: Settings,
        journal: Journal,
        classes: Vec<Arc<str>>,
        journal_failed: watch::Sender<Option<String>>,
        clock: Clock,
    ) -> Self {
        let budget = Budget::new(settings.in_flight_bytes_max);
        let (no_class, counts) = ("".into(), Counts::default());
        let refused_at = AtomicU64::new(0);
        Self {
            settings,
            journal,
            classes,
            no_class,
            budget,
            counts,
            journal_failed,
            clock,
            refused_at,
            held: Mutex::new(None),
            recording: None,
        }
    }

    /// The same, and counts what arrives.
    pub(crate) fn with_recording(self, recording: Option<Arrivals>) -> Self {
        Self { recording, ..self }
    }

    /// Events were accepted.
    fn arrived(&self, events: u64) {
        if let Some(recording) = &self.recording {
            recording.arrived(self.clock.now(), events);
        }
    }

    /// Refuses requests from now on because of this sink, or no more.
    pub(crate) fn hold_back(&self, held: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Refuses a request while a sink holds back producers.
    fn held_back(&self) -> Result<(), Refusal> {
        match self.held() {
            None => Ok(()),
            Some(Held { sink, bytes, bytes_max }) => Err(Refusal::Held { sink, bytes, bytes_max }),
        }
    }

    /// Refuses a request of about so many bytes, if it would be refused anyway.
    fn has_room(&self, bytes: usize) -> Result<(), Refusal> {
        self.held_back()?;
        self.journal
            .look_for_room(bytes as u64)
            .inspect_err(|error| self.journal_refused(error))?;
        Ok(())
    }

    /// Because of which sink requests are refused now.
    pub(crate) fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the journal has refused a request in the last few seconds.
    pub(crate) fn refused_lately(&self) -> bool {
        let at = self.refused_at.load(Ordering::Relaxed);
        at > 0 && self.clock.now().since(Moment::from_nanos(at)) < LATELY
    }

    /// The name that the journal keeps for a group's class.
    fn class_name(&self, class: usize) -> Arc<str> {
        let declared = class.checked_sub(1).and_then(|at| self.classes.get(at));
        Arc::clone(declared.unwrap_or(&self.no_class))
    }

    fn journal_refused(&self, error: &AppendError) {
        if error.advice() == Advice::RetryLater {
            self.refused_at.store(self.clock.now().as_nanos().max(1), Ordering::Relaxed);
        }
        let closed = matches!(error, AppendError::Closed);
        if error.advice() == Advice::GiveUp && !closed {
            self.journal_failed.send_replace(Some(error.to_string()));
        }
    }

    /// Bytes that bodies could still take.
    pub(crate) fn free_bytes(&self) -> usize {
        self.budget.free()
    }
}

/// Counts of the door; they only grow.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) replaced_characters: AtomicU64,
    /// Requests answered without being stored again.
    pub(crate) repeated: AtomicU64,
    /// Refused requests whose sender must change something (4xx).
    pub(crate) refused_client: AtomicU64,
    /// Refused requests that may succeed later (429, 503).
    pub(crate) refused_server: AtomicU64,
}

impl Counts {
    fn refused(&self, status: StatusCode) {
        let may_succeed_later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let count = if may_succeed_later { &self.refused_server } else { &self.refused_client };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The routes of a port for OpenTelemetry only.
pub(crate) fn otlp_router(door: Arc<Door>) -> Router {
    otlp::http::only(door)
}

/// All routes.
pub(crate) fn router(door: Arc<Door>, status: Arc<Status>) -> Router {
    let token: Option<Arc<str>> = door.settings.token.as_deref().map(Arc::from);
    // Health is open, so that a probe needs no secret; it tells nothing about the events.
    let open = Router::new()
        .route("/health", get(health::live))
        .route("/ready", get(health::ready))
        .with_state(Arc::clone(&status));
    let desk = dead_letters::Desk { status: Arc::clone(&status), door: Arc::clone(&door) };
    let given_up = Router::new()
        .route("/api/dead-letters", get(dead_letters::list).delete(dead_letters::purge))
        .route("/api/dead-letters/export", get(dead_letters::export))
        .route("/api/dead-letters/retry", post(dead_letters::retry))
        .route("/api/dead-letters/{id}", get(dead_letters::show).put(dead_letters::mend))
        .route("/api/dead-letters/{id}/retry", post(dead_letters::retry_one))
        .layer(DefaultBodyLimit::disable())
        .with_state(desk);
    let told = Router::new()
        .route("/api/health", get(health::report))
        .route("/api/metrics", get(metrics::json))
        .route("/metrics", get(metrics::prometheus))
        .with_state(Arc::clone(&status));
    let watched = Router::new()
        .route("/api/snapshot", get(watching::snapshot))
        .route("/api/stream", get(stream::stream))
        .route("/api/history", get(watching::history))
        .route("/api/decisions", get(watching::decisions))
        .route("/api/curve", get(watching::curve))
        .route("/api/settings", get(watching::settings))
        .route("/api/openapi.json", get(watching::openapi))
        .with_state(Arc::clone(&status));
    let raced = Router::new()
        .route("/api/simulator", get(simulator::catalogue))
        .route("/api/simulator/runs", post(simulator::begin))
        .route("/api/simulator/runs/{id}", get(simulator::show).delete(simulator::cancel))
        .layer(DefaultBodyLimit::max(RACE_BYTES_MAX))
        .with_state(status);
    let taken = Router::new()
        .route("/v1/events", post(events::post))
        // The body is bounded where it is received, with an answer of our own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&door), |State(door), request, next| {
            origin::check_events(door, request, next)
        }))
        .with_state(Arc::clone(&door));
    // It looks at the token itself, since its refusals have a form of their own.
    let logs = otlp::http::router(door);
    let known = token.clone();
    let done = given_up.merge(raced).layer(middleware::from_fn(move |request, next| {
        origin::check(known.clone(), request, next)
    }));
    let guarded =
        told.merge(watched).merge(taken).merge(done).layer(middleware::from_fn(
            move |request, next| auth::check(token.clone(), request, next),
        ));
    open.merge(guarded)
        .merge(logs)
        .fallback(pages::fallback)
        .method_not_allowed_fallback(method_not_allowed)
}

async fn method_not_allowed(request: Request) -> Refusal {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    Refusal::Method { method, path }
}
