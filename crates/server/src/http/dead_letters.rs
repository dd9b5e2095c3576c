//! What can be done about items that were given up? Look at them, mend them, send them again,
//! export them, remove them.
//!
//! | | |
//! |---|---|
//! | `GET /api/dead-letters` | groups with counts and examples, and a page of letters |
//! | `GET /api/dead-letters/export` | a page as NDJSON; with `events=true` only the events, as `POST /v1/events` takes them |
//! | `GET /api/dead-letters/{id}` | one letter with its event |
//! | `PUT /api/dead-letters/{id}` | replaces its event by the one in the body |
//! | `POST /api/dead-letters/retry`, `/{id}/retry` | sends them to their sink, oldest first |
//! | `DELETE /api/dead-letters?confirm=true` | removes them for good |
//!
//! The query filters: `id`, `sink`, `lane`, `class`, `kind`, `reason` (a part of it), `group` (a whole
//! one), `position`; `after` and `limit` page, and a `limit` out of its bounds is refused. Answers
//! are bounded in number and bytes; the header `tidegate-next` (and `next` in JSON) has the `after`
//! of the next page, while there is one.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Door, body};
use crate::dead_letters::event::{self, NotOne};
use crate::dead_letters::letter::Kind;
use crate::dead_letters::{Filter, Record, StoreError};
use crate::live::mask;
use crate::status::Status;

/// Letters on a page, unless another number is asked for.
const PAGE: u32 = 100;
/// Most letters on a page.
const PAGE_MAX: u32 = 1000;
/// A page ends once it has so many bytes.
const PAGE_BYTES: usize = 4 << 20;
/// Letters that one retry sends, unless another number is asked for.
const RETRY: u32 = 1000;
/// Most letters that one retry sends.
const RETRY_MAX: u32 = 10_000;
/// Where the next page begins.
const NEXT: &str = "tidegate-next";

/// What the handlers share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) status: Arc<Status>,
    pub(super) door: Arc<Door>,
}

/// What may stand in the query.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LettersQuery {
    id: Option<i64>,
    sink: Option<String>,
    lane: Option<String>,
    class: Option<String>,
    kind: Option<Kind>,
    reason: Option<String>,
    group: Option<String>,
    position: Option<u64>,
    after: i64,
    limit: Option<u32>,
    confirm: bool,
    events: bool,
}

type Asked = Result<Query<LettersQuery>, QueryRejection>;

impl LettersQuery {
    fn of(asked: Asked) -> Result<Self, Problem> {
        match asked {
            Ok(Query(query)) => Ok(query),
            Err(error) => Err(Problem::Query(error.body_text())),
        }
    }

    fn filter(&self) -> Filter {
        Filter {
            id: self.id,
            sink: self.sink.clone(),
            lane: self.lane.clone(),
            class: self.class.clone(),
            kind: self.kind,
            reason: self.reason.clone(),
            group: self.group.clone(),
            position: self.position,
            ..Filter::default()
        }
    }

    /// The number asked for, or the usual one; one that is out of bounds is refused.
    fn limit(&self, usual: u32, max: u32) -> Result<u32, Problem> {
        let value = self.limit.unwrap_or(usual);
        if (1..=max).contains(&value) { Ok(value) } else { Err(Problem::Limit { value, max }) }
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(
        "the query is not understood: {0}; known are id, sink, lane, class, kind, reason, group, \
         position, after, limit, events and confirm"
    )]
    Query(String),
    #[error("limit is {value}, but must be between 1 and {max}")]
    Limit { value: u32, max: u32 },
    #[error("there is no dead letter {0}")]
    Unknown(i64),
    #[error("a purge removes letters for good: repeat it with confirm=true ({0} letters match)")]
    Unconfirmed(u64),
    #[error("the event cannot take the letter's place: {0}")]
    Event(#[from] NotOne),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the retry ended by a fault of the program")]
    Fault,
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::Refusal(refusal) => return refusal.into_response(),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "unknown_query"),
            Self::Limit { .. } => (StatusCode::BAD_REQUEST, "out_of_bounds"),
            Self::Store(StoreError::UnderWay(_)) => (StatusCode::CONFLICT, "under_way"),
            Self::Unknown(_) => (StatusCode::NOT_FOUND, "no_such_letter"),
            Self::Unconfirmed(_) => (StatusCode::BAD_REQUEST, "unconfirmed"),
            Self::Event(_) => (StatusCode::BAD_REQUEST, "bad_event"),
            Self::Store(_) | Self::Fault => (StatusCode::INTERNAL_SERVER_ERROR, "dead_letters"),
        };
        let error = json!({ "error": { "code": code, "message": self.to_string() } });
        (status, Json(error)).into_response()
    }
}

/// One letter, with its event as it was sent: no number is rounded, no member reordered.
fn shown(letter: &Record) -> Value {
    json!({
        "id": letter.id,
        "journal": letter.journal,
        "position": letter.position,
        "sink": letter.sink,
        "lane": letter.lane,
        "class": letter.class,
        "kind": letter.kind,
        "outcome": letter.outcome,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "first_at_unix_ms": letter.first_at / 1_000_000,
        "last_at_unix_ms": letter.last_at / 1_000_000,
        "mended": letter.mended,
    })
}

impl Desk {
    /// The event of a letter, without the values of masked fields.
    fn event(&self, letter: &Record) -> String {
        mask::masked(&letter.event, self.status.live.masked_fields())
    }
}

/// The text of a letter as one JSON object.
fn text(desk: &Desk, letter: &Record) -> String {
    let mut text = shown(letter).to_string();
    text.pop();
    let event = RawValue::from_string(desk.event(letter));
    let event = event.map_or_else(|_| "null".to_owned(), |event| event.get().to_owned());
    text + ",\"event\":" + &event + "}"
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A page, cut where it would get too long, and where the next one begins.
async fn page(desk: &Desk, query: &LettersQuery) -> Result<(Vec<Record>, Option<i64>), Problem> {
    let limit = query.limit(PAGE, PAGE_MAX)?;
    let mut found = desk.status.replay.letters.page(query.filter(), query.after, limit).await?;
    let mut bytes = 0;
    let fits = found.iter().take_while(|letter| {
        let before = bytes;
        bytes += letter.event.len() + letter.reason.len();
        before < PAGE_BYTES
    });
    let fits = fits.count();
    let more = fits < found.len() || found.len() == limit as usize;
    found.truncate(fits);
    let next = found.last().map(|letter| letter.id).filter(|_| more);
    Ok((found, next))
}

/// `GET /api/dead-letters`.
pub(super) async fn list(State(desk): State<Desk>, query: Asked) -> Result<Response, Problem> {
    let query = LettersQuery::of(query)?;
    let letters = &desk.status.replay.letters;
    let groups = letters.groups(query.filter()).await?;
    let (found, next) = page(&desk, &query).await?;
    let (items, bytes) = letters.total();
    Ok(Json(json!({
        "total": items,
        "bytes": bytes,
        "items_max": letters.limits.items_max,
        "bytes_max": letters.limits.bytes_max,
        "groups": groups,
        "letters": found.iter().map(shown).collect::<Vec<_>>(),
        "next": next,
    }))
    .into_response())
}

/// `GET /api/dead-letters/export`.
pub(super) async fn export(State(desk): State<Desk>, query: Asked) -> Result<Response, Problem> {
    let query = LettersQuery::of(query)?;
    let (found, next) = page(&desk, &query).await?;
    let lines = found.iter().map(|letter| {
        let line = if query.events { desk.event(letter) } else { text(&desk, letter) };
        line + "\n"
    });
    let lines: String = lines.collect();
    let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(NEXT, next.into());
    }
    Ok(response)
}

/// `GET /api/dead-letters/{id}`.
pub(super) async fn show(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    let letter = desk.status.replay.letters.get(id).await?.ok_or(Problem::Unknown(id))?;
    Ok(json_text(text(&desk, &letter)))
}

/// The event that came back, with what it was where it is still masked.
fn unmasked(desk: &Desk, body: &[u8], letter: &Record) -> Vec<u8> {
    let names = desk.status.live.masked_fields();
    match std::str::from_utf8(body) {
        Ok(text) if !names.is_empty() => mask::unmasked(text, &letter.event, names).into_bytes(),
        _ => body.to_vec(),
    }
}

/// `PUT /api/dead-letters/{id}`.
pub(super) async fn mend(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let letters = &desk.status.replay.letters;
    let letter = letters.get(id).await?.ok_or(Problem::Unknown(id))?;
    let settings = &desk.door.settings;
    let mut lease = desk.door.budget.lease();
    let (max, timeout) = (settings.body_bytes_max, settings.body_timeout);
    let body = body::receive(&headers, body, max, timeout, &mut lease).await?;
    let body = unmasked(&desk, &body, &letter);
    // When it was received does not change with what it says.
    let observed = event::with(&letter.row.into(), |event| event.observed);
    let observed = observed.unwrap_or_else(crate::clock::unix_nanos);
    let row = event::row(&body, settings.event_bytes_max, observed)?;
    let line = event::with(&row, event::line).unwrap_or_default();
    if !letters.mend(id, line, row).await? {
        return Err(Problem::Unknown(id));
    }
    show(State(desk), Path(id)).await
}

/// `POST /api/dead-letters/retry`.
pub(super) async fn retry(State(desk): State<Desk>, query: Asked) -> Result<Response, Problem> {
    let query = LettersQuery::of(query)?;
    let limit = query.limit(RETRY, RETRY_MAX)?;
    send(&desk, query.filter(), query.after, limit).await
}

/// `POST /api/dead-letters/{id}/retry`.
pub(super) async fn retry_one(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    desk.status.replay.letters.get(id).await?.ok_or(Problem::Unknown(id))?;
    send(&desk, Filter { id: Some(id), ..Filter::default() }, 0, 1).await
}

/// In a task of its own: a client that goes away does not leave a letter half sent.
async fn send(desk: &Desk, filter: Filter, after: i64, limit: u32) -> Result<Response, Problem> {
    let replay = Arc::clone(&desk.status.replay);
    let run = tokio::spawn(async move { replay.run(filter, after, limit).await });
    let report = run.await.map_err(|_| Problem::Fault)??;
    Ok(Json(report).into_response())
}

/// `DELETE /api/dead-letters`.
pub(super) async fn purge(State(desk): State<Desk>, query: Asked) -> Result<Response, Problem> {
    let query = LettersQuery::of(query)?;
    let letters = &desk.status.replay.letters;
    if !query.confirm {
        let groups = letters.groups(query.filter()).await?;
        return Err(Problem::Unconfirmed(groups.iter().map(|group| group.count).sum()));
    }
    let purged = letters.purge(query.filter()).await?;
    tracing::warn!(purged, filter = ?query.filter(), "dead letters were removed for good");
    Ok(Json(json!({ "purged": purged })).into_response())
}
