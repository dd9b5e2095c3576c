//! How is an event stored between the door and the sink? As a row: a fixed head, then its texts.
//!
//! # Layout
//!
//! All integers are little-endian. Rows follow each other without padding.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the rest of the row |
//! | 8 | timestamp, nanoseconds; `i64::MIN` is none |
//! | 8 | observed, nanoseconds |
//! | 1 | severity number |
//! | 1 | flags: 1 trace id, 2 span id, 4 body is text, 8 body is JSON |
//! | 2 + 2 + 2 | lengths of severity text, service, class |
//! | 4 + 4 | lengths of body, attributes |
//! | 16, 8 | trace id, span id, if flagged |
//! | … | severity text, service, class, body, attributes, each UTF-8 |
//!
//! There is no version here: the journal frame around the rows carries one for both.
//! Bytes from outside the process (a disk) are trusted only as far as their checksum: decoding
//! checks every length and all UTF-8, and a row that does not hold ends the iteration.

mod view;

use bytes::Bytes;

use crate::event::{Body, Event};

pub use view::{RowView, RowViews};

const HEAD: usize = 8 + 8 + 1 + 1 + 2 + 2 + 2 + 4 + 4;
const HAS_TRACE: u8 = 1;
const HAS_SPAN: u8 = 2;
const BODY_TEXT: u8 = 4;
const BODY_JSON: u8 = 8;
const NO_TIMESTAMP: i64 = i64::MIN;

/// The event does not fit the row format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} has {length} bytes, and at most {max} fit")]
pub struct EncodeError {
    /// The field that is too long.
    pub field: &'static str,
    /// Its length in bytes.
    pub length: usize,
    /// The most it may have, in bytes.
    pub max: usize,
}

/// Appends one event to `out` as a row. On an error `out` is as it was.
///
/// # Errors
///
/// [`EncodeError`] when severity text, service or class is over 65,535 bytes, or body or
/// attributes over 1 GiB.
pub fn encode(event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let severity_text = short("severity text", event.severity_text)?;
    let service = short("service", event.service)?;
    let class = short("class", event.class)?;
    let (body, body_flag) = match event.body {
        Body::None => ("", 0),
        Body::Text(text) => (text, BODY_TEXT),
        Body::Json(text) => (text, BODY_JSON),
    };
    let body_length = long("body", body)?;
    let attributes_length = long("attributes", event.attributes)?;

    let trace: &[u8] = event.trace_id.as_ref().map_or(&[], |id| id.as_slice());
    let span: &[u8] = event.span_id.as_ref().map_or(&[], |id| id.as_slice());
    let flags = body_flag
        | if trace.is_empty() { 0 } else { HAS_TRACE }
        | if span.is_empty() { 0 } else { HAS_SPAN };
    let texts = [event.severity_text, event.service, event.class, body, event.attributes];
    let length =
        HEAD + trace.len() + span.len() + texts.iter().map(|text| text.len()).sum::<usize>();
    // Bounded by the checks above: 3 × 64 KiB + 2 × 1 GiB + head is below 4 GiB.
    let length_field = u32::try_from(length).map_err(|_| EncodeError {
        field: "event",
        length,
        max: u32::MAX as usize,
    })?;

    out.reserve(4 + length);
    // Put together first, since each piece that is appended looks for room.
    let mut head = [0; 4 + HEAD];
    head[..4].copy_from_slice(&length_field.to_le_bytes());
    head[4..12].copy_from_slice(&event.timestamp.unwrap_or(NO_TIMESTAMP).to_le_bytes());
    head[12..20].copy_from_slice(&event.observed.to_le_bytes());
    head[20..22].copy_from_slice(&[event.severity_number, flags]);
    head[22..24].copy_from_slice(&severity_text.to_le_bytes());
    head[24..26].copy_from_slice(&service.to_le_bytes());
    head[26..28].copy_from_slice(&class.to_le_bytes());
    head[28..32].copy_from_slice(&body_length.to_le_bytes());
    head[32..].copy_from_slice(&attributes_length.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(trace);
    out.extend_from_slice(span);
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// How many bytes the row of an event has.
pub(crate) const fn length(event: &Event<'_>) -> usize {
    let body = match event.body {
        Body::None => 0,
        Body::Text(text) | Body::Json(text) => text.len(),
    };
    let ids =
        if event.trace_id.is_some() { 16 } else { 0 } + if event.span_id.is_some() { 8 } else { 0 };
    let short = event.severity_text.len() + event.service.len() + event.class.len();
    4 + HEAD + ids + short + body + event.attributes.len()
}

fn short(field: &'static str, text: &str) -> Result<u16, EncodeError> {
    u16::try_from(text.len()).map_err(|_| EncodeError {
        field,
        length: text.len(),
        max: usize::from(u16::MAX),
    })
}

fn long(field: &'static str, text: &str) -> Result<u32, EncodeError> {
    const MAX: usize = 1 << 30;
    match u32::try_from(text.len()) {
        Ok(length) if text.len() <= MAX => Ok(length),
        _ => Err(EncodeError { field, length: text.len(), max: MAX }),
    }
}

/// A run of encoded rows, cheap to clone and to cut.
///
/// ```
/// use tidegate_event::{Body, Event, Rows, rows};
///
/// let mut bytes = Vec::new();
/// for text in ["ebb", "flood"] {
///     rows::encode(&Event { body: Body::Text(text), ..Event::default() }, &mut bytes)?;
/// }
/// let mut rows = Rows::new(bytes.into(), 2);
/// let first = rows.split_to(1);
/// assert_eq!(first.iter().next().unwrap().body, Body::Text("ebb"));
/// assert_eq!(rows.iter().next().unwrap().body, Body::Text("flood"));
/// # Ok::<(), rows::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    bytes: Bytes,
    count: u32,
}

impl Rows {
    /// The rows that `bytes` holds; `count` is how many.
    #[must_use]
    pub const fn new(bytes: Bytes, count: u32) -> Self {
        Self { bytes, count }
    }

    /// How many rows.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Cuts off the first `count` rows (all of them if there are fewer) and returns them.
    pub fn split_to(&mut self, count: u32) -> Self {
        self.split_within(count, usize::MAX)
    }

    /// Cuts off the longest run of first rows that has at most `count` rows and `bytes` bytes.
    /// The run is empty when the first row alone has more bytes.
    pub fn split_within(&mut self, count: u32, bytes: usize) -> Self {
        if count >= self.count && bytes >= self.bytes.len() {
            return std::mem::take(self);
        }
        let (mut taken, mut end) = (0, 0);
        while taken < count.min(self.count) {
            let Some(next) = row_end(&self.bytes, end).filter(|next| *next <= bytes) else { break };
            (taken, end) = (taken + 1, next);
        }
        self.count -= taken;
        Self { bytes: self.bytes.split_to(end), count: taken }
    }

    /// The events, in order. It ends early at a row that does not hold.
    #[must_use]
    pub fn iter(&self) -> RowsIter<'_> {
        RowsIter { rest: &self.bytes }
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = Event<'a>;
    type IntoIter = RowsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Where the row that starts at `start` ends.
fn row_end(bytes: &[u8], start: usize) -> Option<usize> {
    let length = bytes.get(start..start + 4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let end = start.checked_add(4)?.checked_add(length)?;
    (end <= bytes.len()).then_some(end)
}

/// The events of some [`Rows`].
#[derive(Debug, Clone)]
pub struct RowsIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RowsIter<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let end = row_end(self.rest, 0)?;
        let (row, rest) = self.rest.split_at(end);
        self.rest = rest;
        decode(&row[4..])
    }
}

/// Takes typed values off the front of a row.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// All that is left, checked at once: many short checks cost more than a long one.
    fn texts(self) -> Option<Texts<'a>> {
        std::str::from_utf8(self.0).ok().map(Texts)
    }
}

/// Takes texts off the front of the end of a row.
struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

fn decode(row: &[u8]) -> Option<Event<'_>> {
    let mut fields = Fields(row);
    let timestamp = i64::from_le_bytes(fields.array()?);
    let observed = i64::from_le_bytes(fields.array()?);
    let [severity_number, flags] = fields.array()?;
    let severity_text = usize::from(u16::from_le_bytes(fields.array()?));
    let service = usize::from(u16::from_le_bytes(fields.array()?));
    let class = usize::from(u16::from_le_bytes(fields.array()?));
    let body = u32::from_le_bytes(fields.array()?) as usize;
    let attributes = u32::from_le_bytes(fields.array()?) as usize;
    let trace_id = if flags & HAS_TRACE == 0 { None } else { Some(fields.array()?) };
    let span_id = if flags & HAS_SPAN == 0 { None } else { Some(fields.array()?) };
    let mut texts = fields.texts()?;
    Some(Event {
        timestamp: (timestamp != NO_TIMESTAMP).then_some(timestamp),
        observed,
        severity_number,
        severity_text: texts.take(severity_text)?,
        service: texts.take(service)?,
        class: texts.take(class)?,
        body: match texts.take(body)? {
            text if flags & BODY_TEXT != 0 => Body::Text(text),
            text if flags & BODY_JSON != 0 => Body::Json(text),
            _ => Body::None,
        },
        attributes: texts.take(attributes)?,
        trace_id,
        span_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: what is encoded is decoded, field by field, and `encode` fills exactly one row.
        #[test]
        fn a_row_holds_every_field(
            timestamp in proptest::option::of(0..i64::MAX), observed: i64, severity in 0..=24u8,
            texts in proptest::array::uniform5(".{0,40}"), kind in 0..3u8,
            trace_id: Option<[u8; 16]>, span_id: Option<[u8; 8]>,
        ) {
            let event = Event {
                timestamp, observed, severity_number: severity,
                severity_text: &texts[0], service: &texts[1], class: &texts[2],
                body: match kind {
                    0 => Body::None,
                    1 => Body::Text(&texts[3]),
                    _ => Body::Json(&texts[3]),
                },
                attributes: &texts[4], trace_id, span_id,
            };
            let mut bytes = Vec::new();
            encode(&event, &mut bytes).unwrap();
            prop_assert_eq!(row_end(&bytes, 0), Some(bytes.len()));
            prop_assert_eq!(length(&event), bytes.len());
            let rows = Rows::new(bytes.into(), 1);
            prop_assert_eq!(rows.iter().collect::<Vec<_>>(), vec![event]);
        }

        /// Invariant: any bytes at all are decoded without a panic.
        #[test]
        fn garbage_is_survived(bytes: Vec<u8>) {
            let mut rows = Rows::new(bytes.into(), u32::MAX);
            let _ = rows.iter().count();
            let _ = rows.split_to(3);
        }

        /// Invariant: a cut respects both bounds and loses nothing.
        #[test]
        fn a_cut_loses_nothing(lengths in proptest::collection::vec(0..50usize, 0..20),
                               count in 0..25u32, room in 0..1500usize) {
            let mut bytes = Vec::new();
            let texts: Vec<String> = lengths.iter().map(|n| "x".repeat(*n)).collect();
            for text in &texts {
                encode(&Event { body: Body::Text(text), ..Event::default() }, &mut bytes).unwrap();
            }
            let mut rest = Rows::new(bytes.into(), u32::try_from(texts.len()).unwrap());
            let whole = rest.clone();
            let head = rest.split_within(count, room);
            prop_assert!(head.len() <= count && head.bytes().len() <= room);
            prop_assert_eq!(head.iter().chain(rest.iter()).collect::<Vec<_>>(),
                            whole.iter().collect::<Vec<_>>());
            prop_assert_eq!(head.len() + rest.len(), whole.len());
        }
    }

    #[test]
    fn a_field_that_is_too_long_is_named_and_nothing_is_written() {
        let service = "s".repeat(65_536);
        let mut bytes = vec![7];
        let error = encode(&Event { service: &service, ..Event::default() }, &mut bytes);
        assert_eq!(
            error.unwrap_err().to_string(),
            "service has 65536 bytes, and at most 65535 fit"
        );
        assert_eq!(bytes, [7]);
    }
}
