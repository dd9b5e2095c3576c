//! How does an OpenTelemetry export of logs become events? In one walk over its bytes, into rows.
//!
//! The request is protobuf or JSON, both of the same schema
//! (<https://github.com/open-telemetry/opentelemetry-proto>, `logs/v1/logs.proto`). Protobuf is
//! walked where it lies: generated types would build a tree with a dozen allocations a record,
//! only for it to be taken apart again, and cost more than everything else on the way to the
//! journal. The generated types are the reference in the tests instead.
//!
//! # What becomes of a field
//!
//! | of the record | becomes |
//! |---|---|
//! | `time_unix_nano` | the timestamp; without one, `observed_time_unix_nano` |
//! | `observed_time_unix_nano` | attribute `otel.observed_time_unix_nano`, if it is not the timestamp: the event's own `observed` is when it arrived here |
//! | `severity_number` | the severity number; if it is 0, that of the [text](crate::severity) |
//! | `severity_text` | the severity text |
//! | `body` | the body: a string as text, bytes as base64 text, others as JSON |
//! | `attributes` | attributes of the same names; `tidegate.class` is the class instead |
//! | `trace_id`, `span_id` | the ids, unless all zero; of another length, attribute `otel.trace_id`, `otel.span_id` |
//! | `event_name`, `flags`, `dropped_attributes_count` | attributes `otel.event_name`, … |
//!
//! | of its resource and scope | becomes |
//! |---|---|
//! | resource attribute `service.name` | the service |
//! | resource attribute `tidegate.class` | the class of the records that name none |
//! | all other resource attributes | attributes `resource.<name>` |
//! | scope `name`, `version`, `attributes` | attributes `scope.name`, `scope.version`, `scope.attributes.<name>` |
//! | `schema_url`, `dropped_attributes_count` | attributes `resource.schema_url`, `scope.schema_url`, … |
//!
//! So a condition, a column and a transform can name each of them. Those of resource and scope
//! stand first, then the record's own, then those that begin with `otel.`; a name that is taken is
//! [numbered](crate::attributes). A timestamp beyond the year 2262 and a severity above 24 become
//! attributes too. `entity_refs` of a resource is left out.
//!
//! NUL and what is no UTF-8 become U+FFFD and are counted, as everywhere: see [`crate::scrub`].
//! Of a field that occurs twice where it may once, the last counts.

mod error;
mod json;
mod protobuf;
mod record;
mod value;
mod wire;

use std::sync::Arc;

pub use self::error::{ParseError, Rejected};
use self::record::{Draft, Scratch};
use crate::json::{Limits, ParsedGroup, Reason, group_of, store};

/// What a parser's buffers may keep between requests, in bytes each.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// Rows of a small request need no leave.
const FREE_BYTES: usize = 64 * 1024;

/// How a request is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The protocol's own JSON.
    Json,
}

/// What a request is held against.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Bounds of one request and its records. A record's length is that of its row: resource and
    /// scope count for each.
    pub limits: Limits,
    /// Most bytes of all rows together. Default: 64 MiB.
    pub rows_bytes_max: usize,
    /// The declared classes, which have lanes of their own.
    pub classes: &'a [Arc<str>],
    /// When the request arrived, in nanoseconds since 1970-01-01 UTC.
    pub observed: i64,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { limits: Limits::default(), rows_bytes_max: 64 << 20, classes: &[], observed: 0 }
    }
}

/// The records of one request, as rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Rows in the order of the request, grouped by lane; no group is empty.
    pub groups: Vec<ParsedGroup>,
    /// How many records the groups hold.
    pub accepted: u64,
    /// Records that were left out.
    pub rejected: Rejected,
    /// Characters that became U+FFFD.
    pub replaced_characters: u64,
}

/// Parses requests one after another, and keeps its buffers from one to the next.
///
/// ```
/// use tidegate_event::otlp::{Encoding, Options, Parser};
///
/// let body = br#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [
///     {"severityNumber": 13, "body": {"stringValue": "high water"}}]}]}]}"#;
/// let parsed =
///     Parser::default().parse(body, Encoding::Json, &Options::default(), &mut |_| true)?;
/// let rows = parsed.groups.into_iter().next().unwrap().into_rows();
/// assert_eq!(rows.iter().next().unwrap().severity_number, 13);
/// # Ok::<(), tidegate_event::otlp::ParseError>(())
/// ```
#[derive(Debug, Default)]
pub struct Parser {
    scratch: Scratch,
}

impl Parser {
    /// Turns a request into rows. One without any record is as good as others.
    ///
    /// Every row repeats its resource and scope, so rows may be far longer than the request:
    /// `room` is asked before they take more than so many bytes in all, and may say no.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: nothing of the request is taken.
    pub fn parse(
        &mut self,
        body: &[u8],
        encoding: Encoding,
        options: &Options<'_>,
        room: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Parsed, ParseError> {
        let group = |class| ParsedGroup { class, ..ParsedGroup::default() };
        let mut run = Run {
            scratch: &mut self.scratch,
            options,
            groups: (0..=options.classes.len()).map(group).collect(),
            first_room: body.len(),
            granted: body.len().saturating_mul(2).max(FREE_BYTES).min(options.rows_bytes_max),
            room,
            bytes: 0,
            seen: 0,
            accepted: 0,
            rejected: Rejected::default(),
            replaced: 0,
        };
        let read = match encoding {
            Encoding::Protobuf => protobuf::read(&mut run, body),
            Encoding::Json => json::read(&mut run, body),
        };
        let parsed = read.map(|()| run.finish());
        self.scratch.shrink_to(KEPT_BYTES_MAX);
        parsed
    }
}

/// The parsing of one request.
struct Run<'r> {
    scratch: &'r mut Scratch,
    options: &'r Options<'r>,
    /// One for each lane, in the order of their indices.
    groups: Vec<ParsedGroup>,
    /// What the first group to be filled makes room for.
    first_room: usize,
    /// Bytes that the rows may take without asking.
    granted: usize,
    room: &'r mut dyn FnMut(usize) -> bool,
    /// Bytes of all rows.
    bytes: usize,
    /// Records, taken or not.
    seen: u64,
    accepted: u64,
    rejected: Rejected,
    replaced: u64,
}

impl Run<'_> {
    /// Makes sure that one more record may come, and begins with it.
    #[inline]
    fn begin_record(&mut self) -> Result<(), ParseError> {
        let max = self.options.limits.events_max;
        if self.seen >= u64::from(max) {
            return Err(ParseError::TooMany { max });
        }
        self.seen += 1;
        self.scratch.begin_record();
        Ok(())
    }

    /// Leaves the current record out.
    #[cold]
    fn reject(&mut self, reason: Reason) {
        self.rejected.total += 1;
        self.rejected.first.get_or_insert((self.seen, reason));
    }

    /// Writes the row of the current record.
    fn accept(&mut self, draft: &Draft<'_>) -> Result<(), ParseError> {
        let replaced = draft.replaced + self.scratch.attributes.replaced_characters();
        let event = draft.finish(self.scratch, self.options.observed);
        let (bytes, max) = (crate::rows::length(&event), self.options.limits.event_bytes_max);
        if bytes > max {
            self.reject(Reason::TooLong { bytes, max });
            return Ok(());
        }
        if self.bytes + bytes > self.granted {
            grant(self.bytes + bytes, &mut self.granted, self.options.rows_bytes_max, self.room)?;
        }
        let group = group_of(&mut self.groups, &mut self.first_room, self.options.classes, &event);
        match store(&event, group, &mut self.accepted) {
            Ok(()) => {
                self.bytes += bytes;
                self.replaced += replaced;
            }
            Err(error) => self.reject(error.into()),
        }
        Ok(())
    }

    fn finish(mut self) -> Parsed {
        self.groups.retain(|group| group.count > 0);
        for ParsedGroup { rows, .. } in &mut self.groups {
            // Rows wait in queues that are bounded by their length: keep little more than that.
            if rows.capacity() / 2 > rows.len() {
                rows.shrink_to_fit();
            }
        }
        Parsed {
            groups: self.groups,
            accepted: self.accepted,
            rejected: self.rejected,
            replaced_characters: self.replaced,
        }
    }
}

/// Asks for leave to take `needed` bytes, and for as much again, so that it is not asked often.
#[cold]
fn grant(
    needed: usize,
    granted: &mut usize,
    max: usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<(), ParseError> {
    if needed > max {
        return Err(ParseError::TooLarge { max });
    }
    let ask = needed.saturating_mul(2).min(max);
    if !room(ask) {
        return Err(ParseError::NoRoom);
    }
    *granted = ask;
    Ok(())
}
