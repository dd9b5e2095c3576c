//! How does a watcher hear of what happens, and go on where it was after a break?
//!
//! Server-sent events: one message a tick, with an id. Whoever comes back with the id of the last
//! message it saw gets the ticks after it; where those are gone it is told so, with a `gap`, and gets
//! the whole state anew.
//!
//! Watchers are bounded in number, and each has a few messages in hand. One that reads too slowly is
//! told so with `bye` if it reads at all, and is cut off, so that nothing piles up for it: what it
//! misses is remembered once for all, for two minutes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::listener::Hangup;
use super::refusal::Refusal;
use crate::live::contract::{Bye, ByeReason, Gap, GapReason};
use crate::live::hub::{self, Hub, Resumed};
use crate::status::Status;

/// Messages that a watcher has in hand; the last place is for its `bye`.
const IN_HAND: usize = 8;
/// Messages that are looked up at once for a watcher that catches up.
const CHUNK: usize = 64;
/// How long a watcher may read nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it has to read its `bye` before it is cut off.
const PARTING: Duration = Duration::from_secs(2);
/// Without a tick for so long, a comment shows that the connection is alive.
const QUIET: Duration = Duration::from_secs(15);

/// What may stand in the query.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StreamQuery {
    after: Option<String>,
}

/// `GET /api/stream`.
pub(super) async fn stream(
    State(status): State<Arc<Status>>,
    headers: HeaderMap,
    hangup: Option<Extension<Hangup>>,
    asked: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = asked.map_err(|error| {
        let why = error.body_text();
        Refusal::UnknownQuery { why, known: "after" }
    })?;
    let hub = &status.live;
    let place = Arc::clone(&hub.places).try_acquire_owned();
    let place = place.map_err(|_| Refusal::TooManyWatchers { max: hub.watchers_max() })?;
    let id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let id = id.map(str::to_owned).or(query.after).filter(|id| !id.is_empty());
    let (messages, received) = mpsc::channel(IN_HAND);
    let (open, gone) = oneshot::channel();
    let watcher = Watcher { status: Arc::clone(&status), messages, _place: place };
    let hangup = hangup.map(|Extension(hangup)| hangup);
    tokio::spawn(watcher.serve(id, gone, hangup));
    let mut response = Body::new(Messages { received, _open: open }).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects answers before it passes them on would hold the ticks back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The body of a stream.
struct Messages {
    received: mpsc::Receiver<Bytes>,
    /// Dropped with the body, which tells that the connection has let go of it.
    _open: oneshot::Sender<()>,
}

impl hyper::body::Body for Messages {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.received.poll_recv(context).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// One who watches.
struct Watcher {
    status: Arc<Status>,
    messages: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// Why a stream ended.
enum Ended {
    /// The watcher went away.
    Gone,
    Because(ByeReason),
}

impl Watcher {
    async fn serve(self, id: Option<String>, gone: oneshot::Receiver<()>, hangup: Option<Hangup>) {
        // Kept for the parting word, so that there is room for it however slow the watcher is.
        let Ok(last) = self.messages.clone().reserve_owned().await else { return };
        let reason = match self.watch(id).await {
            Ended::Gone => return,
            Ended::Because(reason) => reason,
        };
        if reason == ByeReason::Slow {
            self.status.live.note_dropped();
            tracing::warn!("a watcher of the live stream read too slowly and was dropped");
        }
        last.send(farewell(reason));
        let Self { messages, _place, .. } = self;
        drop(messages);
        if tokio::time::timeout(PARTING, gone).await.is_err()
            && let Some(hangup) = hangup
        {
            hangup.now();
        }
    }

    async fn watch(&self, id: Option<String>) -> Ended {
        let hub = &self.status.live;
        let (mut newest, mut closing) = (hub.newest(), hub.closing());
        let mut at = match self.begin(id).await {
            Ok(at) => at,
            Err(ended) => return ended,
        };
        loop {
            let Some(ticks) = hub.after(at, CHUNK) else { return Ended::Because(ByeReason::Slow) };
            let is_all = ticks.len() < CHUNK;
            for tick in ticks {
                if let Err(ended) = self.send(tick).await {
                    return ended;
                }
                at += 1;
            }
            if *closing.borrow() {
                return Ended::Because(ByeReason::Stopping);
            }
            if !is_all {
                continue;
            }
            // What a watch hands out is not carried over an await.
            tokio::select! {
                ended = async { newest.wait_for(|newest| *newest > at).await.is_err() } => {
                    if ended {
                        return Ended::Because(ByeReason::Stopping);
                    }
                }
                () = async { let _ = closing.wait_for(|closing| *closing).await; } => {}
                () = self.messages.closed() => return Ended::Gone,
                () = tokio::time::sleep(QUIET) => {
                    if let Err(ended) = self.send(Bytes::from_static(b": quiet\n\n")).await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Says where the stream goes on; returns the tick after which it does.
    async fn begin(&self, id: Option<String>) -> Result<u64, Ended> {
        let hub = &self.status.live;
        self.send(Bytes::from_static(b"retry: 1000\n\n")).await?;
        if let Some(id) = id {
            match gap(hub, &id) {
                Ok(at) => return Ok(at),
                Err(gap) => self.send(event("gap", &gap)).await?,
            }
        }
        let stopping = || Ended::Because(ByeReason::Stopping);
        let snapshot = hub.snapshot(&self.status).await.ok_or_else(stopping)?;
        let at = snapshot.tick.sequence;
        self.send(hub::message(&snapshot.id, "hello", &snapshot)).await?;
        Ok(at)
    }

    async fn send(&self, message: Bytes) -> Result<(), Ended> {
        match tokio::time::timeout(PATIENCE, self.messages.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(Ended::Because(ByeReason::Slow)),
        }
    }
}

/// The tick after which a watcher with this id goes on, or what it misses.
fn gap(hub: &Hub, id: &str) -> Result<u64, Gap> {
    let (reason, missed, message) = match hub.resume(id) {
        Resumed::After(at) => return Ok(at),
        Resumed::TooOld(missed) => {
            let message = format!("{missed} ticks are missing: the break was too long");
            (GapReason::TooOld, Some(missed), message)
        }
        Resumed::Restarted => {
            let message = "the server was started anew meanwhile: its counts began anew";
            (GapReason::Restarted, None, message.to_owned())
        }
        Resumed::Unknown => {
            let message = "the id is none of this server's";
            (GapReason::Unknown, None, message.to_owned())
        }
    };
    let after = id.chars().filter(|c| !c.is_control()).take(64).collect();
    Err(Gap { reason, after, missed, message })
}

/// A message without an id: the last id that was seen still counts.
fn event(name: &str, data: &impl serde::Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn farewell(reason: ByeReason) -> Bytes {
    let message = match reason {
        ByeReason::Stopping => "the server is stopping: connect again in a moment",
        ByeReason::Slow => {
            "this watcher read too slowly: connect again, and the stream goes on where it was if \
             that is still remembered"
        }
    };
    event("bye", &Bye { reason, message: message.to_owned() })
}
