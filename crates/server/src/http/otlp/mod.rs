//! How do OpenTelemetry logs come in? Over HTTP and over gRPC, through the same door as events.
//!
//! The protocol (<https://opentelemetry.io/docs/specs/otlp/>) prescribes requests, answers and what
//! a sender makes of them; what stands behind it is that of `POST /v1/events`: the same bounds and
//! memory, the same refusals while something is full, the same journal, and an answer only once
//! the records are as durable as configured. An `Idempotency-Key`, as a header or as metadata, is
//! heeded too; the SDKs send none.
//!
//! What a record becomes is said in [`tidegate_event::otlp`].

pub(super) mod answer;
mod frame;
pub(super) mod grpc;
pub(super) mod http;

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use tidegate_event::json::{Limits, ParsedGroup};
use tidegate_event::otlp::{Encoding, Options, Parsed, Parser};
use tidegate_journal::Group;

use super::budget::Lease;
use super::decode::{self, unpack};
use super::refusal::Refusal;
use super::{Door, auth, events, repeat};

/// Requests from this size on are unpacked and parsed where blocking is allowed.
const BLOCKING_BYTES: usize = 256 * 1024;

/// What a request that was accepted is told.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Records that were left out.
    pub(super) rejected: u64,
    /// Why, if there are any.
    pub(super) why: String,
    /// Whether it was accepted before, and is not stored again.
    pub(super) repeated: bool,
}

thread_local! {
    /// Each thread that parses keeps its buffers.
    static PARSER: RefCell<Parser> = RefCell::new(Parser::default());
}

/// Lets a request pass if there is no token, or if it carries the token.
fn authorize(door: &Door, headers: &HeaderMap) -> Result<(), Refusal> {
    let carried = headers.get(header::AUTHORIZATION);
    let carried = carried.and_then(|value| auth::bearer(value.as_bytes()));
    match &door.settings.token {
        Some(token) if !carried.is_some_and(|carried| auth::same(carried, token)) => {
            Err(Refusal::Unauthorized)
        }
        _ => Ok(()),
    }
}

/// Takes the records of a request that was received, and makes them durable.
async fn take(
    door: &Door,
    headers: &HeaderMap,
    (body, packed, encoding): (Bytes, decode::Encoding, Encoding),
    lease: &mut Lease,
) -> Result<Taken, Refusal> {
    let key = repeat::key(headers)?;
    door.counts.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    // What cannot be stored is not read either; one with a key may have been stored already.
    if key.is_none() {
        door.has_room(body.len())?;
    }
    let large = packed != decode::Encoding::Identity || body.len() >= BLOCKING_BYTES;
    let parse = || {
        let body = unpack(body, packed, door.settings.unpacked_bytes_max, lease)?;
        let parsed = read(door, &body, encoding, lease)?;
        // A clock that is set meanwhile must not make the window of the keys jump.
        let at = || door.clock.unix_millis(door.clock.now());
        let name: &[u8] = match encoding {
            Encoding::Protobuf => b"otlp",
            Encoding::Json => b"otlp+json",
        };
        let key = key.map(|key| repeat::digests_of(key, &[name, &body], at()));
        Ok::<_, Refusal>((key, parsed))
    };
    let (key, mut parsed) = if large { tokio::task::block_in_place(parse)? } else { parse()? };
    let groups = groups(door, &mut parsed.groups);
    let repeated = !groups.is_empty() && !events::append(door, key, groups).await?;
    Ok(taken(door, &parsed, repeated))
}

fn read(
    door: &Door,
    body: &[u8],
    encoding: Encoding,
    lease: &mut Lease,
) -> Result<Parsed, Refusal> {
    let settings = &door.settings;
    let options = Options {
        limits: Limits { event_bytes_max: settings.event_bytes_max, ..Limits::default() },
        rows_bytes_max: settings.unpacked_bytes_max,
        classes: &door.classes,
        observed: crate::clock::unix_nanos(),
    };
    let mut room = |bytes| lease.grow_to(body.len() + bytes).is_ok();
    Ok(PARSER.with_borrow_mut(|parser| parser.parse(body, encoding, &options, &mut room))?)
}

/// Takes the parsed records, as the journal wants them.
fn groups(door: &Door, groups: &mut Vec<ParsedGroup>) -> Vec<Group> {
    let group = |group: ParsedGroup| Group {
        class: door.class_name(group.class),
        items: group.count,
        rows: group.rows.into(),
    };
    std::mem::take(groups).into_iter().map(group).collect()
}

/// Counts what was accepted, unless it had been before, and says it.
fn taken(door: &Door, parsed: &Parsed, repeated: bool) -> Taken {
    let counts = &door.counts;
    if repeated {
        counts.repeated.fetch_add(1, Ordering::Relaxed);
    } else {
        counts.accepted.fetch_add(parsed.accepted, Ordering::Relaxed);
        door.arrived(parsed.accepted);
        counts.rejected.fetch_add(parsed.rejected.total, Ordering::Relaxed);
        counts.replaced_characters.fetch_add(parsed.replaced_characters, Ordering::Relaxed);
    }
    let why = if parsed.rejected.total == 0 { String::new() } else { parsed.rejected.to_string() };
    Taken { rejected: parsed.rejected.total, why, repeated }
}
