//! Which field of a log record becomes which field of an event?
//!
//! The table is in the module above. Both readers, that of protobuf and that of JSON, fill a
//! [`Draft`] in whatever order the fields arrive, and write attributes as they meet them; what they
//! share is here, so that both encodings give the same rows.

use std::borrow::Cow;

use super::value;
use crate::attributes::{Attributes, Prefix};
use crate::event::{Body, Event};
use crate::severity;

/// The attribute that names the class of an event, of the record or of its resource.
pub(super) const CLASS: &str = "tidegate.class";
/// The attribute of the resource that names the service.
pub(super) const SERVICE: &str = "service.name";
/// The longest text that fits a short field of a row.
const SHORT_MAX: usize = 65_535;

/// Buffers that outlive a record, and what the records of one scope share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The attributes of the event: those of resource and scope, then the record's own.
    pub(super) attributes: Attributes,
    /// Where those of the resource end.
    resource: Prefix,
    /// Where those of the scope end.
    scope: Prefix,
    pub(super) service: String,
    /// Class that the resource names.
    pub(super) class: String,
    /// A body that is not text.
    pub(super) body: String,
    /// A name with the prefix that its place gives it.
    name: String,
}

impl Scratch {
    /// Begins with a resource.
    pub(super) fn begin_resource(&mut self) {
        self.attributes.clear();
        self.service.clear();
        self.class.clear();
    }

    /// The attributes of the resource are complete.
    pub(super) fn end_resource(&mut self) {
        self.resource = self.attributes.prefix();
    }

    /// Begins with a scope of the resource.
    pub(super) fn begin_scope(&mut self) {
        self.attributes.rewind(&self.resource);
    }

    /// The attributes of the scope are complete.
    pub(super) fn end_scope(&mut self) {
        self.scope = self.attributes.prefix();
    }

    /// Begins with a record of the scope.
    #[inline]
    pub(super) fn begin_record(&mut self) {
        self.attributes.rewind(&self.scope);
    }

    /// The text to write the value of the attribute `name` to, which gets `prefix` in front.
    pub(super) fn value_of(&mut self, prefix: &str, name: &str) -> &mut String {
        if prefix.is_empty() {
            return self.attributes.value_of(name);
        }
        self.name.clear();
        self.name.push_str(prefix);
        self.name.push_str(name);
        self.attributes.value_of(&self.name)
    }

    /// Takes the text of an attribute out of the attributes, if it is that of a field. The record's
    /// own attributes are asked for one only.
    pub(super) fn takes(&mut self, place: Place, name: &str, text: &str) -> bool {
        let field = match (place, name) {
            (Place::Resource, SERVICE) => &mut self.service,
            (Place::Resource, CLASS) => &mut self.class,
            _ => return false,
        };
        if text.is_empty() || text.len() > SHORT_MAX || !field.is_empty() {
            return false;
        }
        field.push_str(text);
        true
    }

    /// Gives back memory above this many bytes a buffer.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.attributes.shrink_to(bytes);
        (self.resource, self.scope) = (Prefix::default(), Prefix::default());
        for text in [&mut self.service, &mut self.class, &mut self.body, &mut self.name] {
            text.shrink_to(bytes);
        }
    }
}

/// Whose attributes are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Resource,
    Scope,
    Record,
}

impl Place {
    /// What stands before the names.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Resource => "resource.",
            Self::Scope => "scope.attributes.",
            Self::Record => "",
        }
    }
}

/// The body of a record that is being read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum DraftBody<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    /// Its JSON text is in the scratch.
    Json,
}

/// An id as it was sent.
#[derive(Debug, Default)]
pub(super) enum Id<'a, const N: usize> {
    #[default]
    None,
    Of([u8; N]),
    /// Of another length, or no id at all: its JSON text.
    Unfit(Cow<'a, str>),
}

impl<const N: usize> Id<'_, N> {
    /// An id of these bytes; all zero is none, by the W3C's rules.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match <[u8; N]>::try_from(bytes) {
            Ok(id) if id == [0; N] => Self::None,
            Ok(id) => Self::Of(id),
            Err(_) if bytes.is_empty() => Self::None,
            Err(_) => {
                let mut text = String::new();
                value::hex(bytes, &mut text);
                Self::Unfit(text.into())
            }
        }
    }

    const fn get(&self) -> Option<[u8; N]> {
        match self {
            Self::Of(id) => Some(*id),
            _ => None,
        }
    }
}

/// The fields of a record that is being read, apart from its attributes.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    /// Nanoseconds since 1970; 0 is unknown.
    pub(super) time: u64,
    /// When a collector or SDK saw it; 0 is unknown.
    pub(super) observed: u64,
    pub(super) severity_number: i32,
    pub(super) severity_text: Cow<'a, str>,
    pub(super) class: Cow<'a, str>,
    pub(super) body: DraftBody<'a>,
    pub(super) dropped_attributes: u32,
    pub(super) flags: u32,
    pub(super) trace_id: Id<'a, 16>,
    pub(super) span_id: Id<'a, 8>,
    pub(super) event_name: Cow<'a, str>,
    /// Characters replaced outside of the attributes.
    pub(super) replaced: u64,
}

impl Draft<'_> {
    /// The record's own class, if this is the attribute that names it.
    pub(super) fn is_class(place: Place, name: &str, text: &str) -> bool {
        place == Place::Record && name == CLASS && !text.is_empty() && text.len() <= SHORT_MAX
    }

    /// The event. What fits no field of it becomes an attribute.
    pub(super) fn finish<'s>(&'s self, scratch: &'s mut Scratch, arrived: i64) -> Event<'s> {
        let happened = if self.time == 0 { self.observed } else { self.time };
        let timestamp = i64::try_from(happened).ok();
        let number = u8::try_from(self.severity_number).ok().filter(|number| *number <= 24);
        self.rest(&mut scratch.attributes, happened, number.is_some());
        Event {
            timestamp: timestamp.filter(|nanos| *nanos != 0),
            observed: arrived,
            severity_number: match number {
                Some(number @ 1..) => number,
                _ => severity::number(&self.severity_text),
            },
            severity_text: &self.severity_text,
            service: &scratch.service,
            class: if self.class.is_empty() { &scratch.class } else { &self.class },
            body: match &self.body {
                DraftBody::None => Body::None,
                DraftBody::Text(text) => Body::Text(text),
                DraftBody::Json => Body::Json(&scratch.body),
            },
            attributes: scratch.attributes.finish(),
            trace_id: self.trace_id.get(),
            span_id: self.span_id.get(),
        }
    }

    fn rest(&self, attributes: &mut Attributes, happened: u64, is_severity: bool) {
        let in_time = i64::try_from(happened).is_ok();
        if !self.event_name.is_empty() {
            // Scrubbed when it was read, so nothing is replaced here.
            value::string(&self.event_name, attributes.value_of("otel.event_name"));
        }
        let numbers = [
            ("otel.observed_time_unix_nano", self.observed, self.observed != happened || !in_time),
            ("otel.time_unix_nano", self.time, !in_time),
            ("otel.flags", u64::from(self.flags), true),
            ("otel.dropped_attributes_count", u64::from(self.dropped_attributes), true),
        ];
        for (name, number, kept) in numbers {
            if kept && number != 0 {
                value::unsigned(number, attributes.value_of(name));
            }
        }
        if !is_severity {
            let number = i64::from(self.severity_number);
            value::integer(number, attributes.value_of("otel.severity_number"));
        }
        if let Id::Unfit(text) = &self.trace_id {
            attributes.value_of("otel.trace_id").push_str(text);
        }
        if let Id::Unfit(text) = &self.span_id {
            attributes.value_of("otel.span_id").push_str(text);
        }
    }
}
