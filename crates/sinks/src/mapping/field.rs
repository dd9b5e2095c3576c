//! Which fields can a column take its value from, and what do they hold?

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use tidegate_event::{Body, Event, JournalId, Position};

use super::json;
use super::value::Value;

/// A field of an event, by the name that a configuration has for it.
///
/// ```
/// use tidegate_sinks::mapping::Field;
///
/// let field: Field = "attributes.http.status".parse()?;
/// assert_eq!(field.to_string(), "attributes.http.status");
/// assert!("servcie".parse::<Field>().is_err());
/// # Ok::<(), tidegate_sinks::mapping::FieldError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `time`: when it happened, else when it was received.
    Time,
    /// `timestamp`: when it happened; absent if the producer did not say.
    Timestamp,
    /// `observed`: when it was received.
    Observed,
    /// `severity_number`: 1 to 24; absent when unknown.
    SeverityNumber,
    /// `severity_text`: absent when empty.
    SeverityText,
    /// `service`: absent when empty.
    Service,
    /// `class`: absent when empty.
    Class,
    /// `body`: the message; absent when empty.
    Body,
    /// `attributes`: all of them, one JSON object.
    Attributes,
    /// `attributes.<key>` or `attributes.<key>.<key>…`: a member, or one of a nested object.
    /// Names with dots in them are found as well: the longest name that is there counts.
    Attribute(String),
    /// `trace_id`.
    TraceId,
    /// `span_id`.
    SpanId,
    /// `journal`: the id of the journal that accepted it.
    Journal,
    /// `position`: its place in that journal. With `journal` it names the event for ever.
    Position,
    /// The number that a sink has given the journal: for tables of the sink's own.
    JournalNumber,
}

/// There is no such field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no field of an event: use one of {KNOWN}")]
pub struct FieldError(String);

const KNOWN: &str = "time, timestamp, observed, severity_number, severity_text, service, class, \
                     body, attributes, attributes.<name>, trace_id, span_id, journal, position";

/// What a field holds, before it is known which event: what a column's type is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Text.
    Text,
    /// A JSON object.
    Object,
    /// Any JSON value: only the event says which.
    Any,
    /// An integer.
    Integer,
    /// A moment, in nanoseconds.
    Instant,
    /// An id of so many bytes.
    Id(u8),
}

/// An event and its name.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The event.
    pub event: &'a Event<'a>,
    /// The journal that accepted it.
    pub journal: JournalId,
    /// The sink's number for that journal.
    pub journal_number: i64,
    /// Its place in the journal.
    pub position: Position,
}

impl Field {
    const NAMED: [(&'static str, Self); 13] = [
        ("time", Self::Time),
        ("timestamp", Self::Timestamp),
        ("observed", Self::Observed),
        ("severity_number", Self::SeverityNumber),
        ("severity_text", Self::SeverityText),
        ("service", Self::Service),
        ("class", Self::Class),
        ("body", Self::Body),
        ("attributes", Self::Attributes),
        ("trace_id", Self::TraceId),
        ("span_id", Self::SpanId),
        ("journal", Self::Journal),
        ("position", Self::Position),
    ];

    /// What it holds.
    #[must_use]
    pub const fn nature(&self) -> Nature {
        match self {
            Self::Time | Self::Timestamp | Self::Observed => Nature::Instant,
            Self::SeverityNumber | Self::Position | Self::JournalNumber => Nature::Integer,
            Self::SeverityText | Self::Service | Self::Class | Self::Body => Nature::Text,
            Self::Attributes => Nature::Object,
            Self::Attribute(_) => Nature::Any,
            Self::TraceId | Self::Journal => Nature::Id(16),
            Self::SpanId => Nature::Id(8),
        }
    }

    /// What it holds in this event.
    #[must_use]
    pub fn value<'a>(&self, item: &Item<'a>) -> Value<'a> {
        let event = item.event;
        let text = |text: &'a str| match text {
            "" => Value::Null,
            text => Value::Text(Cow::Borrowed(text)),
        };
        match self {
            Self::Time => Value::Instant(event.timestamp.unwrap_or(event.observed)),
            Self::Timestamp => event.timestamp.map_or(Value::Null, Value::Instant),
            Self::Observed => Value::Instant(event.observed),
            Self::SeverityNumber if event.severity_number == 0 => Value::Null,
            Self::SeverityNumber => Value::Integer(i64::from(event.severity_number)),
            Self::SeverityText => text(event.severity_text),
            Self::Service => text(event.service),
            Self::Class => text(event.class),
            Self::Body => match event.body {
                Body::None => Value::Null,
                Body::Text(body) => text(body),
                Body::Json(json) => Value::Json(json),
            },
            Self::Attributes if event.attributes.is_empty() => Value::Null,
            Self::Attributes => Value::Json(event.attributes),
            Self::Attribute(path) => {
                json::find(event.attributes, path).map_or(Value::Null, Value::Json)
            }
            Self::TraceId => event.trace_id.as_ref().map_or(Value::Null, |id| Value::id(id)),
            Self::SpanId => event.span_id.as_ref().map_or(Value::Null, |id| Value::id(id)),
            Self::Journal => Value::id(&item.journal.as_u128().to_be_bytes()),
            Self::Position => Value::Integer(i64::try_from(item.position).unwrap_or(i64::MAX)),
            Self::JournalNumber => Value::Integer(item.journal_number),
        }
    }
}

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some((_, field)) = Self::NAMED.into_iter().find(|(known, _)| *known == name) {
            return Ok(field);
        }
        match name.strip_prefix("attributes.") {
            Some(path) if !path.is_empty() => Ok(Self::Attribute(path.to_owned())),
            _ => Err(FieldError(name.to_owned())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => write!(f, "attributes.{path}"),
            Self::JournalNumber => f.write_str("the journal's number"),
            other => {
                let named = Self::NAMED.iter().find(|(_, field)| field == other);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_printed() {
        for (name, _) in Field::NAMED {
            assert_eq!(name.parse::<Field>().unwrap().to_string(), name);
        }
        for stray in ["", "attributes.", "Service", "journal_number"] {
            assert!(stray.parse::<Field>().unwrap_err().to_string().contains("is no field"));
        }
    }
}
