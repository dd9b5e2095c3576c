//! Which of an object's members becomes which field, and what becomes of the others?
//!
//! A member claims a field if its name is in the [table](super::alias) and its value can be read
//! as that field. A better name takes the field over; who loses it, or cannot be read, becomes an
//! attribute under its own name, as does every `null`. So each member ends in exactly one place.

use super::alias::{Alias, Field};
use super::unescape::unescape;
use crate::attributes::Attributes;
use crate::event::{Body, Event};
use crate::{severity, special, timestamp};

/// The longest text that fits the short fields of a row. With quotes it is a little stricter.
const SHORT_TEXT_MAX: usize = 65_535;

/// Buffers that outlive an event, so that the next one finds them large enough.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) attributes: Attributes,
    /// A name that was written with escapes.
    pub(super) name: String,
    severity: String,
    service: String,
    class: String,
    body: String,
}

impl Scratch {
    /// Gives back memory above this many bytes a buffer.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.attributes.shrink_to(bytes);
        for text in
            [&mut self.name, &mut self.severity, &mut self.service, &mut self.class, &mut self.body]
        {
            text.shrink_to(bytes);
        }
    }
}

/// What fills the fields that no member claimed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults<'a> {
    pub(super) observed: i64,
    pub(super) service: &'a str,
    pub(super) class: &'a str,
}

/// A field's value, and the member it came from in case a better one turns up.
#[derive(Debug)]
struct Claim<'de, T> {
    alias: &'static Alias,
    /// The value as JSON text.
    raw: &'de str,
    value: T,
}

type Slot<'de, T> = Option<Claim<'de, T>>;

/// The fields of an event whose object is being read.
#[derive(Debug, Default)]
pub(super) struct Draft<'de> {
    timestamp: Slot<'de, i64>,
    severity: Slot<'de, ()>,
    severity_number: Slot<'de, u8>,
    service: Slot<'de, ()>,
    class: Slot<'de, ()>,
    body: Slot<'de, ()>,
    trace_id: Slot<'de, [u8; 16]>,
    span_id: Slot<'de, [u8; 8]>,
    /// The attributes as they stand in the text; none if they are in the scratch.
    pub(super) attributes: Option<&'de str>,
}

impl<'de> Draft<'de> {
    /// Puts one member with a recognized name in its place.
    #[inline]
    pub(super) fn place(
        &mut self,
        alias: &'static Alias,
        raw: &'de str,
        attributes: &mut Attributes,
        buffer: &mut String,
    ) {
        match alias.field {
            Field::Timestamp => {
                let value = match unquoted(raw, buffer) {
                    Some(text) => timestamp::from_text(text),
                    None => timestamp::from_number(raw),
                };
                settle(&mut self.timestamp, alias, raw, value, attributes);
            }
            Field::TimestampNanoseconds => {
                let value = timestamp::from_nanoseconds(unquoted(raw, buffer).unwrap_or(raw));
                settle(&mut self.timestamp, alias, raw, value, attributes);
            }
            Field::Severity => {
                let level = raw.len() <= 3 && raw.bytes().all(|byte| byte.is_ascii_digit());
                let value = (level || is_short_text(raw)).then_some(());
                settle(&mut self.severity, alias, raw, value, attributes);
            }
            Field::SyslogPriority => {
                let priority = raw.trim_matches('"').as_bytes();
                let value = matches!(priority, [b'0'..=b'7']).then_some(());
                settle(&mut self.severity, alias, raw, value, attributes);
            }
            Field::SeverityNumber => {
                let value = severity_number(raw.trim_matches('"').as_bytes());
                settle(&mut self.severity_number, alias, raw, value, attributes);
            }
            Field::Service => {
                settle(&mut self.service, alias, raw, short_text(raw), attributes);
            }
            Field::Class => settle(&mut self.class, alias, raw, short_text(raw), attributes),
            Field::Body => {
                let value = (raw != "null").then_some(());
                settle(&mut self.body, alias, raw, value, attributes);
            }
            Field::BodyText => {
                let value = is_text(raw).then_some(());
                settle(&mut self.body, alias, raw, value, attributes);
            }
            Field::TraceId => settle(&mut self.trace_id, alias, raw, id(raw), attributes),
            Field::SpanId => settle(&mut self.span_id, alias, raw, id(raw), attributes),
            Field::Attributes => attributes.push_plain(alias.name, raw),
        }
    }

    /// The event, once all members are placed.
    pub(super) fn finish<'a>(&self, scratch: &'a mut Scratch, defaults: Defaults<'a>) -> Event<'a>
    where
        'de: 'a,
    {
        let severity_text =
            self.severity.as_ref().map_or("", |claim| text(claim.raw, &mut scratch.severity));
        Event {
            timestamp: self.timestamp.as_ref().map(|claim| claim.value),
            observed: defaults.observed,
            severity_number: match &self.severity_number {
                Some(claim) => claim.value,
                None => severity::number(severity_text),
            },
            severity_text,
            service: match &self.service {
                Some(claim) => text(claim.raw, &mut scratch.service),
                None => defaults.service,
            },
            class: match &self.class {
                Some(claim) => text(claim.raw, &mut scratch.class),
                None => defaults.class,
            },
            body: match &self.body {
                Some(claim) if is_text(claim.raw) => Body::Text(text(claim.raw, &mut scratch.body)),
                Some(claim) => Body::Json(claim.raw),
                None => Body::None,
            },
            trace_id: self.trace_id.as_ref().map(|claim| claim.value),
            span_id: self.span_id.as_ref().map(|claim| claim.value),
            attributes: self.attributes.unwrap_or_else(|| scratch.attributes.finish()),
        }
    }
}

/// Gives the field to the better of the old claim and the new, and makes the other an attribute.
#[inline]
fn settle<'de, T>(
    slot: &mut Slot<'de, T>,
    alias: &'static Alias,
    raw: &'de str,
    value: Option<T>,
    attributes: &mut Attributes,
) {
    match (value, &slot) {
        (None, _) => attributes.push_plain(alias.name, raw),
        (_, Some(held)) if held.alias.rank <= alias.rank => attributes.push_plain(alias.name, raw),
        (Some(value), _) => {
            if let Some(old) = slot.replace(Claim { alias, raw, value }) {
                attributes.push_plain(old.alias.name, old.raw);
            }
        }
    }
}

/// A number from 1 to 24, as its digits.
const fn severity_number(digits: &[u8]) -> Option<u8> {
    match digits {
        [ones @ b'1'..=b'9'] => Some(*ones - b'0'),
        [b'1', ones @ b'0'..=b'9'] => Some(*ones - b'0' + 10),
        [b'2', ones @ b'0'..=b'4'] => Some(*ones - b'0' + 20),
        _ => None,
    }
}

/// Whether a JSON value is a string.
fn is_text(raw: &str) -> bool {
    raw.as_bytes().first() == Some(&b'"')
}

fn is_short_text(raw: &str) -> bool {
    is_text(raw) && raw.len() <= SHORT_TEXT_MAX
}

fn short_text(raw: &str) -> Option<()> {
    is_short_text(raw).then_some(())
}

/// The text of a JSON string, or the JSON text of any other value.
fn text<'a>(raw: &'a str, buffer: &'a mut String) -> &'a str {
    unquoted(raw, buffer).unwrap_or(raw)
}

/// The text of a JSON string; `None` for any other value. It borrows from `raw` unless there are
/// escapes to undo.
#[inline]
fn unquoted<'a>(raw: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    let inside = inside(raw)?;
    // What is special and stands in a valid string begins an escape.
    if special::find(inside.as_bytes(), 0).is_none() {
        return Some(inside);
    }
    unescape(inside, buffer);
    Some(buffer)
}

/// What stands between the quotes of a JSON string; `None` for any other value. Looking at bytes,
/// because `strip_prefix` compares a single character by a call.
#[inline]
fn inside(raw: &str) -> Option<&str> {
    match raw.as_bytes() {
        [b'"', .., b'"'] => raw.get(1..raw.len() - 1),
        _ => None,
    }
}

/// The id of exactly N bytes that a JSON string of hexadecimal digits names, unless it is zero.
fn id<const N: usize>(raw: &str) -> Option<[u8; N]> {
    let digits = raw.as_bytes().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if digits.len() != 2 * N {
        return None;
    }
    let mut id = [0; N];
    let mut invalid = 0;
    for (byte, [high, low]) in id.iter_mut().zip(digits.as_chunks().0) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        invalid |= high | low;
        *byte = high << 4 | low;
    }
    (invalid <= 0xf && id != [0; N]).then_some(id)
}

/// The value of each hexadecimal digit; more than 15 for any other byte.
static NIBBLES: [u8; 256] = {
    let mut nibbles = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        nibbles[digit as usize] = value;
        nibbles[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    nibbles
};
