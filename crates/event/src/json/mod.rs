//! How does the body of a request become events? In one pass, into rows.
//!
//! The body is NDJSON, one JSON document, or plain lines. Each event is read once, without a tree
//! in between, by a scanner of our own or, if it is not ordinary, by `serde_json`: members that are
//! fields are taken, all others are copied as they stand into the text of the attributes, and the
//! row is written. Whatever a sink would refuse later is decided here, so that no accepted event can
//! fail the batch it is in.
//!
//! # What becomes of a member
//!
//! | field | names, the better first | values |
//! |---|---|---|
//! | timestamp | `time_unix_nano` `timeUnixNano` `timestamp` `@timestamp` `time` `ts` `datetime` `date` `__REALTIME_TIMESTAMP` | the forms of [`timestamp`](crate::timestamp); the first two are nanoseconds |
//! | severity text | `severity_text` `severityText` `severity` `level` `log.level` `log_level` `loglevel` `levelname` `lvl` `PRIORITY` | text, or an integer of up to three digits; `PRIORITY` only 0 to 7 |
//! | severity number | `severity_number` `severityNumber`, else [read from the text](crate::severity) | 1 to 24 |
//! | service | `service` `service.name` `service_name` `app` `application` | text |
//! | body | `body` `message` `msg`, then `log` `text` `MESSAGE` | anything but null; the last three only text |
//! | class | `class` | text |
//! | trace id | `trace_id` `traceId` `trace.id` | 32 hexadecimal digits, not all zero |
//! | span id | `span_id` `spanId` `span.id` | 16 hexadecimal digits, not all zero |
//! | attributes | `attributes` | the members of an object join the attributes |
//!
//! `priority` in small letters is no name of the severity: it is more often somebody's own.
//! Every other member is an attribute, and so is one whose value cannot be read as its field or
//! whose field a better name has taken: nothing is dropped, and nothing is in two places. Of two
//! equal names the first takes the field. A name that the attributes have already is
//! [numbered](crate::attributes).
//!
//! # What is replaced
//!
//! NUL and lone surrogates become U+FFFD and are counted: see [`scrub`].

mod alias;
mod check;
mod document;
mod draft;
mod error;
mod lines;
mod object;
mod quick;
mod scan;
mod unescape;

use std::borrow::Cow;
use std::sync::Arc;

use self::draft::{Defaults, Draft, Scratch};
pub use self::error::{BadLine, LISTED_MAX, ParseError, Place, Reason, Rejected};
use crate::event::Event;
use crate::rows::{self, EncodeError, Rows};
use crate::scrub;

/// The longest default, in bytes. It is repeated in every row that needs it.
pub const DEFAULT_BYTES_MAX: usize = 256;
/// What a parser's buffers may keep between requests, in bytes each.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Bounds of one request. The size of its body is bounded before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text of one event, in bytes. Default: 1 MiB.
    pub event_bytes_max: usize,
    /// Deepest nesting; the event itself is 1 deep. Default: 64.
    pub depth_max: u32,
    /// Most events in one request, bad ones included. Default: 100,000.
    pub events_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { event_bytes_max: 1 << 20, depth_max: 64, events_max: 100_000 }
    }
}

/// How a body holds its events. A byte order mark at its start is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line. Blank lines are skipped.
    Ndjson,
    /// One JSON document: an object, or an array of objects.
    Json,
    /// Plain text: each line that is not empty is the body of an event.
    Text,
}

/// What a request says about its events besides their text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Bounds.
    pub limits: Limits,
    /// The declared classes, which have lanes of their own.
    pub classes: &'a [Arc<str>],
    /// Class of events that name none; at most [`DEFAULT_BYTES_MAX`] bytes.
    pub default_class: &'a str,
    /// Service of events that name none; at most [`DEFAULT_BYTES_MAX`] bytes.
    pub default_service: &'a str,
    /// When the request arrived, in nanoseconds since 1970-01-01 UTC.
    pub observed: i64,
    /// Whether the good events are taken when there are bad ones among them.
    pub partial: bool,
}

/// The events of one request, as rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Rows in the order of the request, grouped by lane; no group is empty.
    pub groups: Vec<ParsedGroup>,
    /// How many events the groups hold.
    pub accepted: u64,
    /// Events that were left out; empty unless [`Options::partial`].
    pub rejected: Rejected,
    /// Characters that became U+FFFD, those of left-out array elements included.
    pub replaced_characters: u64,
}

/// The rows of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedGroup {
    /// 0 for events of no declared class, else one more than the place in [`Options::classes`].
    pub class: usize,
    /// How many rows.
    pub count: u32,
    /// The rows, as [`rows::encode`] writes them.
    pub rows: Vec<u8>,
}

impl ParsedGroup {
    /// The rows, to be read or cut.
    #[must_use]
    pub fn into_rows(self) -> Rows {
        Rows::new(self.rows.into(), self.count)
    }
}

/// Parses requests one after another, and keeps its buffers from one to the next.
///
/// ```
/// use tidegate_event::json::{Format, Options, Parser};
///
/// let body = br#"{"ts": 1700000000, "level": "warn", "msg": "high water", "metres": 5.2}"#;
/// let parsed = Parser::default().parse(body, Format::Ndjson, &Options::default())?;
/// let rows = parsed.groups.into_iter().next().unwrap().into_rows();
/// let event = rows.iter().next().unwrap();
/// assert_eq!(event.severity_number, 13);
/// assert_eq!(event.attributes, r#"{"metres": 5.2}"#);
/// # Ok::<(), tidegate_event::json::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct Parser {
    scratch: Scratch,
}

impl Parser {
    /// Turns a body into rows.
    ///
    /// With [`Options::partial`] a request of only bad events is no error: nothing is accepted.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: nothing of the request is taken.
    pub fn parse(
        &mut self,
        body: &[u8],
        format: Format,
        options: &Options<'_>,
    ) -> Result<Parsed, ParseError> {
        let service = default("service", options.default_service)?;
        let class = default("class", options.default_class)?;
        let defaults = Defaults { observed: options.observed, service: &service, class: &class };
        let mut run = Run::new(&mut self.scratch, options, defaults, body.len());
        let result = match format {
            Format::Ndjson | Format::Text => lines::read(&mut run, body, format),
            Format::Json => document::read(&mut run, body),
        };
        let parsed = result.and_then(|()| run.finish());
        self.scratch.shrink_to(KEPT_BYTES_MAX);
        parsed
    }
}

/// A default as it may stand in a row.
fn default<'a>(field: &'static str, text: &'a str) -> Result<Cow<'a, str>, ParseError> {
    if text.len() > DEFAULT_BYTES_MAX {
        let bytes = text.len();
        return Err(ParseError::DefaultTooLong { field, bytes, max: DEFAULT_BYTES_MAX });
    }
    Ok(scrub::plain(text).0)
}

/// The parsing of one request.
struct Run<'r> {
    scratch: &'r mut Scratch,
    options: &'r Options<'r>,
    defaults: Defaults<'r>,
    /// One for each lane, in the order of their indices.
    groups: Vec<ParsedGroup>,
    /// What the first group to be filled makes room for: most requests fill one.
    room: usize,
    accepted: u64,
    rejected: Rejected,
    replaced: u64,
}

impl<'r> Run<'r> {
    fn new(
        scratch: &'r mut Scratch,
        options: &'r Options<'r>,
        defaults: Defaults<'r>,
        room: usize,
    ) -> Self {
        let group = |class| ParsedGroup { class, ..ParsedGroup::default() };
        Self {
            scratch,
            options,
            defaults,
            groups: (0..=options.classes.len()).map(group).collect(),
            room,
            accepted: 0,
            rejected: Rejected::default(),
            replaced: 0,
        }
    }

    /// Makes sure that one more event may come.
    fn admit(&self) -> Result<(), ParseError> {
        let max = self.options.limits.events_max;
        if self.accepted + self.rejected.total >= u64::from(max) {
            return Err(ParseError::TooMany { max });
        }
        Ok(())
    }

    fn reject(&mut self, place: Place, column: Option<u64>, reason: Reason) {
        self.rejected.push(BadLine { place, column, reason });
    }

    /// Writes the row of an object that was read.
    fn accept(&mut self, draft: &Draft<'_>) -> Result<(), EncodeError> {
        let event = draft.finish(self.scratch, self.defaults);
        let group = group_of(&mut self.groups, &mut self.room, self.options.classes, &event);
        store(&event, group, &mut self.accepted)
    }

    /// Writes the row of an event that is only a body.
    fn accept_text(&mut self, text: &str) -> Result<(), EncodeError> {
        let Defaults { observed, service, class } = self.defaults;
        let body = crate::event::Body::Text(text);
        let event = Event { observed, service, class, body, ..Event::default() };
        let group = group_of(&mut self.groups, &mut self.room, self.options.classes, &event);
        store(&event, group, &mut self.accepted)
    }

    fn finish(mut self) -> Result<Parsed, ParseError> {
        if self.accepted == 0 && self.rejected.total == 0 {
            return Err(ParseError::Empty);
        }
        if self.rejected.total > 0 && !self.options.partial {
            return Err(ParseError::Refused { rejected: self.rejected });
        }
        self.groups.retain(|group| group.count > 0);
        for ParsedGroup { rows, .. } in &mut self.groups {
            // Rows wait in queues that are bounded by their length: keep little more than that.
            if rows.capacity() / 2 > rows.len() {
                rows.shrink_to_fit();
            }
        }
        Ok(Parsed {
            groups: self.groups,
            accepted: self.accepted,
            rejected: self.rejected,
            replaced_characters: self.replaced,
        })
    }
}

/// The group of the event's lane, with room for what is likely to come.
pub(crate) fn group_of<'g>(
    groups: &'g mut [ParsedGroup],
    room: &mut usize,
    classes: &[Arc<str>],
    event: &Event<'_>,
) -> Option<&'g mut ParsedGroup> {
    let declared = classes.iter().position(|class| **class == *event.class);
    let group = groups.get_mut(declared.map_or(0, |index| index + 1))?;
    if group.count == 0 {
        group.rows.reserve(std::mem::take(room));
    }
    Some(group)
}

pub(crate) fn store(
    event: &Event<'_>,
    group: Option<&mut ParsedGroup>,
    accepted: &mut u64,
) -> Result<(), EncodeError> {
    // There is a group for every declared class, and one more.
    if let Some(group) = group {
        rows::encode(event, &mut group.rows)?;
        group.count += 1;
        *accepted += 1;
    }
    Ok(())
}
