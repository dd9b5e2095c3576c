//! What of an event does a sink get, and under which names?
//!
//! Steps, one after the other: a field is dropped, replaced by a mark, or renamed. An event that
//! no step touches is passed on as it is stored, byte for byte. What is redacted with a key
//! becomes HMAC-SHA256 of its text, cut to 128 bits: equal values stay equal, so that events can
//! still be counted by them, and who has not the key cannot try values.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_event::members::{Change, member, plain, rewrite};
use tidegate_event::{Attributes, Body, Event, RowView, rows};

use super::field::Field;

/// What stands in the place of a redacted value.
pub(crate) const MARK: &str = "[redacted]";
/// Bytes of a keyed hash that are shown, each as two hexadecimal digits.
const HASH_BYTES: usize = 16;

/// One change.
#[derive(Clone)]
pub(crate) enum Step {
    Drop(Field),
    /// Its value becomes [`MARK`], or a hash with this key.
    Redact(Field, Option<Key>),
    /// An attribute gets another name; both as the text has them.
    Rename {
        from: String,
        to: String,
    },
}

/// The key of a hash. It never shows.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    pub(crate) fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    fn hash(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Drop(field) => f.debug_tuple("Drop").field(field).finish(),
            Self::Redact(field, _) => f.debug_tuple("Redact").field(field).finish_non_exhaustive(),
            Self::Rename { from, to } => {
                f.debug_struct("Rename").field("from", from).field("to", to).finish()
            }
        }
    }
}

impl Step {
    fn touches(&self, row: &RowView<'_>) -> bool {
        match self {
            Self::Drop(field) | Self::Redact(field, _) => field.exists(row),
            Self::Rename { from, .. } => member(row.attributes(), from).is_some(),
        }
    }
}

/// An event being changed.
struct Draft<'a> {
    event: Event<'a>,
    service: Option<String>,
    class: Option<String>,
    severity_text: Option<String>,
    body: Option<String>,
    attributes: Option<String>,
}

impl<'a> Draft<'a> {
    fn new(event: Event<'a>) -> Self {
        let (service, class, severity_text) = (None, None, None);
        Self { event, service, class, severity_text, body: None, attributes: None }
    }

    fn apply(&mut self, step: &Step, scratch: &mut Attributes) {
        match step {
            Step::Drop(field) => self.set(field, None, scratch),
            Step::Redact(field, key) => self.set(field, Some(key.as_ref()), scratch),
            Step::Rename { from, to } => self.attributes(scratch, |name, _| {
                if name == from { Change::Rename(to.clone()) } else { Change::Keep }
            }),
        }
    }

    /// Takes a field away, or redacts it.
    fn set(&mut self, field: &Field, redact: Option<Option<&Key>>, scratch: &mut Attributes) {
        let renew = |text: &mut Option<String>, stored: &str| {
            let old = text.as_deref().unwrap_or(stored);
            let new = match redact {
                _ if old.is_empty() => return,
                None => String::new(),
                Some(None) => MARK.to_owned(),
                Some(Some(key)) => key.hash(old),
            };
            *text = Some(new);
        };
        match field {
            Field::Service => renew(&mut self.service, self.event.service),
            Field::Class => renew(&mut self.class, self.event.class),
            Field::SeverityText => renew(&mut self.severity_text, self.event.severity_text),
            Field::Body => match self.event.body {
                Body::None => {}
                Body::Text(stored) | Body::Json(stored) => renew(&mut self.body, stored),
            },
            Field::Severity => self.event.severity_number = 0,
            Field::TraceId => self.event.trace_id = None,
            Field::SpanId => self.event.span_id = None,
            Field::Attribute(wanted) => self.attributes(scratch, |name, value| match redact {
                _ if name != wanted => Change::Keep,
                None => Change::Drop,
                Some(None) => Change::Text(MARK.to_owned()),
                Some(Some(key)) => Change::Text(key.hash(&plain(value))),
            }),
        }
    }

    fn attributes(&mut self, scratch: &mut Attributes, change: impl FnMut(&str, &str) -> Change) {
        rewrite(self.attributes.as_deref().unwrap_or(self.event.attributes), scratch, change);
        self.attributes = Some(scratch.finish().to_owned());
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut event = self.event;
        event.service = self.service.as_deref().unwrap_or(event.service);
        event.class = self.class.as_deref().unwrap_or(event.class);
        event.severity_text = self.severity_text.as_deref().unwrap_or(event.severity_text);
        event.attributes = self.attributes.as_deref().unwrap_or(event.attributes);
        match self.body.as_deref() {
            Some("") => event.body = Body::None,
            Some(text) => event.body = Body::Text(text),
            None => {}
        }
        if rows::encode(&event, out).is_err() {
            // Only a new name can make an event longer, and none by a gibibyte. If one could, it
            // must not go out as it was.
            let _ = rows::encode(&Event { attributes: "{}", body: Body::None, ..event }, out);
        }
    }
}

/// The steps of a sink.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transform {
    pub(crate) steps: Vec<Step>,
}

impl Transform {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether any step changes this row.
    pub(crate) fn touches(&self, row: &RowView<'_>) -> bool {
        self.steps.iter().any(|step| step.touches(row))
    }

    /// Appends the row as the sink gets it.
    pub(crate) fn write(&self, row: &RowView<'_>, scratch: &mut Attributes, out: &mut Vec<u8>) {
        match row.event() {
            Some(event) => {
                let mut draft = Draft::new(event);
                self.steps.iter().for_each(|step| draft.apply(step, scratch));
                draft.write(out);
            }
            // A damaged row: the sink will say so.
            None => out.extend_from_slice(row.bytes()),
        }
    }
}
