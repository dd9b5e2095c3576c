//! Which part of an event is meant? Fields by their names, attributes by `attributes.NAME`.

use std::borrow::Cow;

use tidegate_event::members::{member, plain, written};
use tidegate_event::{Body, RowView};

/// A part of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Severity,
    SeverityText,
    Service,
    Class,
    Body,
    TraceId,
    SpanId,
    /// A member of the attributes, by its name as the text has it.
    Attribute(String),
}

const ATTRIBUTES: &str = "attributes.";

impl Field {
    /// The fields that are no attributes.
    pub(crate) const NAMES: [&'static str; 7] =
        ["severity", "severity_text", "service", "class", "body", "trace_id", "span_id"];

    /// The field with this name. A dot in an attribute's name is part of it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "severity" => Self::Severity,
            "severity_text" => Self::SeverityText,
            "service" => Self::Service,
            "class" => Self::Class,
            "body" => Self::Body,
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            _ => {
                let attribute = name.strip_prefix(ATTRIBUTES).filter(|name| !name.is_empty())?;
                Self::Attribute(written(attribute))
            }
        })
    }

    /// Whether the event has it. An empty text is none, an attribute that is null is one.
    pub(crate) fn exists(&self, row: &RowView<'_>) -> bool {
        match self {
            Self::Severity => row.severity_number() != 0,
            Self::TraceId => row.ids().0,
            Self::SpanId => row.ids().1,
            Self::Attribute(name) => member(row.attributes(), name).is_some(),
            _ => self.text(row).is_some(),
        }
    }

    /// Its value as text: a string as it is, any other JSON as it is written.
    pub(crate) fn text<'a>(&self, row: &RowView<'a>) -> Option<Cow<'a, str>> {
        let text = match self {
            Self::SeverityText => row.severity_text(),
            Self::Service => row.service(),
            Self::Class => row.class(),
            Self::Body => match row.body() {
                Body::None => "",
                Body::Text(text) | Body::Json(text) => text,
            },
            Self::Attribute(name) => return member(row.attributes(), name).map(plain),
            Self::Severity | Self::TraceId | Self::SpanId => "",
        };
        (!text.is_empty()).then_some(text.into())
    }
}
