//! How do events come in over HTTP? A body is received, unpacked, parsed into rows, and answered
//! once the journal has them as durable as configured. A request that was accepted before, by its
//! `Idempotency-Key`, goes the same way up to there and is answered alike, without being stored
//! again.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate_event::json::{Format, Limits, Options, Parsed, Parser};
use tidegate_journal::{Claimed, Group, RequestKey};

use super::decode::{Encoding, unpack};
use super::refusal::{Listed, Refusal, listed};
use super::{Door, body, repeat};

/// Bodies from this size on are unpacked and parsed where blocking is allowed.
const BLOCKING_BYTES: usize = 256 * 1024;

/// What may stand in the query.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Whether to take the good events when there are bad ones among them.
    pub(super) partial: bool,
    /// Class of events that name none.
    pub(super) class: String,
    /// Service of events that name none.
    pub(super) service: String,
}

/// What a request that was accepted is told.
#[derive(Debug, Serialize)]
struct Accepted {
    accepted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    rejected: u64,
    #[serde(skip_serializing_if = "is_zero")]
    replaced_characters: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Listed>,
    /// Whether it was accepted before, and is not stored again.
    #[serde(skip)]
    repeated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

thread_local! {
    /// Each thread that parses keeps its buffers.
    static PARSER: RefCell<Parser> = RefCell::new(Parser::default());
}

/// `POST /v1/events`.
pub(super) async fn post(
    State(door): State<Arc<Door>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let counts = &door.counts;
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let taken = match query {
        Ok(Query(query)) => take(&door, &query, &headers, body).await,
        Err(error) => Err(Refusal::Query(error.body_text())),
    };
    match taken {
        Ok(accepted) if accepted.accepted == 0 => {
            counts.refused(StatusCode::BAD_REQUEST);
            (StatusCode::BAD_REQUEST, Json(accepted)).into_response()
        }
        Ok(accepted) if accepted.repeated => {
            counts.repeated.fetch_add(1, Ordering::Relaxed);
            let header = [(repeat::REPLAYED, HeaderValue::from_static("true"))];
            (header, Json(accepted)).into_response()
        }
        Ok(accepted) => Json(accepted).into_response(),
        Err(refusal) => {
            counts.refused(refusal.status().0);
            tracing::debug!(%refusal, "request refused");
            refusal.into_response()
        }
    }
}

async fn take(
    door: &Door,
    query: &EventsQuery,
    headers: &HeaderMap,
    body: Body,
) -> Result<Accepted, Refusal> {
    let key = repeat::key(headers)?;
    let encoding = Encoding::named(header_text(headers, &header::CONTENT_ENCODING))?;
    let content_type = header_text(headers, &header::CONTENT_TYPE);
    let settings = &door.settings;
    let mut lease = door.budget.lease();
    let body =
        body::receive(headers, body, settings.body_bytes_max, settings.body_timeout, &mut lease)
            .await?;
    door.counts.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    // What cannot be stored is not read either: over the bound, refusing must be the cheapest thing
    // to do. One with a key may have been stored already, which only its reading shows.
    if key.is_none() {
        door.has_room(body.len())?;
    }

    let parse = || {
        let max = settings.unpacked_bytes_max;
        let body = unpack(body, encoding, max, &mut lease)?;
        let format = format_of(content_type, &body)?;
        let parsed = read(door, query, &body, format)?;
        // A clock that is set meanwhile must not make the window of the keys jump.
        let at = || door.clock.unix_millis(door.clock.now());
        let key = key.map(|key| repeat::digests(key, query, format, &body, at()));
        Ok::<_, Refusal>((key, parsed))
    };
    let large = headers.get(header::TRANSFER_ENCODING).is_some()
        || encoding != Encoding::Identity
        || content_length(headers) >= BLOCKING_BYTES;
    let (key, mut parsed) = if large { tokio::task::block_in_place(parse)? } else { parse()? };
    let groups = groups(door, &mut parsed);
    let repeated = !groups.is_empty() && !append(door, key, groups).await?;
    Ok(accept(door, &parsed, repeated))
}

fn content_length(headers: &HeaderMap) -> usize {
    header_text(headers, &header::CONTENT_LENGTH).parse().unwrap_or(0)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The format that a content type names. Without one the first character tells an array from
/// lines.
pub(super) fn format_of(content_type: &str, body: &Bytes) -> Result<Format, Refusal> {
    let name = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match name.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonl"
        | "application/jsonlines"
        | "application/x-jsonlines" => Ok(Format::Ndjson),
        "application/json" => Ok(Format::Json),
        "text/plain" => Ok(Format::Text),
        "" => match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'[') => Ok(Format::Json),
            _ => Ok(Format::Ndjson),
        },
        _ => Err(Refusal::UnknownContentType { name }),
    }
}

fn read(door: &Door, query: &EventsQuery, body: &[u8], format: Format) -> Result<Parsed, Refusal> {
    let options = Options {
        limits: Limits { event_bytes_max: door.settings.event_bytes_max, ..Limits::default() },
        classes: &door.classes,
        default_class: &query.class,
        default_service: &query.service,
        observed: crate::clock::unix_nanos(),
        partial: query.partial,
    };
    Ok(PARSER.with_borrow_mut(|parser| parser.parse(body, format, &options))?)
}

/// Takes the parsed events, as the journal wants them.
fn groups(door: &Door, parsed: &mut Parsed) -> Vec<Group> {
    std::mem::take(&mut parsed.groups)
        .into_iter()
        .map(|group| Group {
            class: door.class_name(group.class),
            items: group.count,
            rows: group.rows.into(),
        })
        .collect()
}

/// Makes the events durable; only then is there an answer. False if they were before.
pub(super) async fn append(
    door: &Door,
    key: Option<RequestKey>,
    groups: Vec<Group>,
) -> Result<bool, Refusal> {
    let claim = match key {
        None => None,
        Some(key) => match door.journal.claim(key).await {
            Claimed::New(claim) => Some(claim),
            Claimed::Stored(_) => return Ok(false),
            Claimed::OtherBody => return Err(Refusal::KeyTaken),
        },
    };
    door.held_back()?;
    let appending = match claim {
        None => door.journal.append(groups),
        Some(claim) => door.journal.append_claimed(claim, groups),
    };
    let appended = match appending {
        Ok(appending) => appending.await,
        Err(refused) => Err(refused),
    };
    appended.inspect_err(|error| door.journal_refused(error))?;
    Ok(true)
}

/// Counts what was accepted, unless it had been before, and says it.
fn accept(door: &Door, parsed: &Parsed, repeated: bool) -> Accepted {
    let counts = &door.counts;
    if !repeated {
        counts.accepted.fetch_add(parsed.accepted, Ordering::Relaxed);
        door.arrived(parsed.accepted);
        counts.rejected.fetch_add(parsed.rejected.total, Ordering::Relaxed);
        counts.replaced_characters.fetch_add(parsed.replaced_characters, Ordering::Relaxed);
    }
    Accepted {
        accepted: parsed.accepted,
        rejected: parsed.rejected.total,
        replaced_characters: parsed.replaced_characters,
        lines: listed(&parsed.rejected),
        repeated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_names_the_format_and_its_absence_is_guessed() {
        let lines = Bytes::from_static(b" {}\n{}");
        let array = Bytes::from_static(b"\n [{}]");
        let named = |name: &str, body: &Bytes| format_of(name, body).unwrap();
        assert_eq!(named("application/x-ndjson; charset=utf-8", &array), Format::Ndjson);
        assert_eq!(named("Application/JSON", &lines), Format::Json);
        assert_eq!(named("text/plain", &lines), Format::Text);
        assert_eq!(named("", &lines), Format::Ndjson);
        assert_eq!(named("", &array), Format::Json);
        let refusal = format_of("application/x-www-form-urlencoded", &lines).unwrap_err();
        assert_eq!(refusal.status().0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(refusal.to_string().contains("application/x-ndjson"));
    }
}
