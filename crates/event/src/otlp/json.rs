//! How is a request in OTLP/JSON read?
//!
//! Source of its rules: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: names in
//! lowerCamelCase, ids in hexadecimal, integers of 64 bits as strings or numbers, enumerations as
//! numbers, unknown names passed over, `null` the same as nothing. Members come in any order, so
//! each object is first taken apart into the texts of its members, from the outside in; what a
//! text holds is read where it is needed. That reads some bytes three times, and holds no tree:
//! memory is bounded by the body, not by what is nested in it.
//!
//! Where the JSON breaks, the request is refused as a whole. A record that is JSON, but of other
//! types than the schema's, is rejected by itself.

mod members;
mod scalar;

use std::borrow::Cow;

use self::members::{Wrong, elements, object};
use self::scalar::{decimal, double, integer, is_null, string, unsigned};
use super::record::{Draft, DraftBody, Id, Place, Scratch};
use super::{ParseError, Run, value};
use crate::json::Reason;
use crate::scrub;

/// Reads a whole request.
///
/// # Errors
///
/// [`ParseError`]; rejected records are noted in the run.
pub(super) fn read(run: &mut Run<'_>, body: &[u8]) -> Result<(), ParseError> {
    let broken = |detail| ParseError::Json { detail };
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| broken(error.to_string()))?;
    let (text, replaced) =
        if scrub::may_need(body) { scrub::json(text) } else { (Cow::Borrowed(text), 0) };
    run.replaced += replaced;
    let mut all = "null";
    object(&text, |name, raw| {
        if name == "resourceLogs" {
            all = raw;
        }
    })?;
    elements(all, |resource| resource_logs(run, resource))
}

/// Of the members with these names the texts, `null` for those that are not there.
fn texts<'t, const N: usize>(text: &'t str, names: [&str; N]) -> Result<[&'t str; N], Wrong> {
    let mut found = ["null"; N];
    object(text, |name, raw| {
        for (known, found) in names.iter().zip(&mut found) {
            if *known == name {
                *found = raw;
            }
        }
    })?;
    Ok(found)
}

fn resource_logs(run: &mut Run<'_>, text: &str) -> Result<(), ParseError> {
    let [resource, scopes, schema] = texts(text, ["resource", "scopeLogs", "schemaUrl"])?;
    run.scratch.begin_resource();
    let unfit = resource_of(run, resource, schema).err();
    run.scratch.end_resource();
    elements(scopes, |scope| scope_logs(run, scope, unfit.clone()))
}

fn scope_logs(run: &mut Run<'_>, text: &str, unfit: Option<Reason>) -> Result<(), ParseError> {
    let [scope, records, schema] = texts(text, ["scope", "logRecords", "schemaUrl"])?;
    run.scratch.begin_scope();
    let unfit = unfit.or(scope_of(run, scope, schema).err());
    run.scratch.end_scope();
    elements(records, |text| {
        run.begin_record()?;
        let max = run.options.limits.event_bytes_max;
        let read = match &unfit {
            Some(reason) => Err(reason.clone()),
            None if text.len() > max => Err(Reason::TooLong { bytes: text.len(), max }),
            None => log_record(run, text),
        };
        match read {
            Ok(draft) => run.accept(&draft)?,
            Err(reason) => run.reject(reason),
        }
        Ok(())
    })
}

fn resource_of(run: &mut Run<'_>, text: &str, schema: &str) -> Result<(), Reason> {
    let [attributes, dropped] = texts(text, ["attributes", "droppedAttributesCount"])?;
    self::attributes(run, Place::Resource, attributes, None)?;
    count(run.scratch, "resource.dropped_attributes_count", dropped)?;
    named(run.scratch, "resource.schema_url", schema)
}

fn scope_of(run: &mut Run<'_>, text: &str, schema: &str) -> Result<(), Reason> {
    let names = ["name", "version", "attributes", "droppedAttributesCount"];
    let [name, version, attributes, dropped] = texts(text, names)?;
    named(run.scratch, "scope.name", name)?;
    named(run.scratch, "scope.version", version)?;
    self::attributes(run, Place::Scope, attributes, None)?;
    count(run.scratch, "scope.dropped_attributes_count", dropped)?;
    named(run.scratch, "scope.schema_url", schema)
}

/// Appends an attribute of our own name, unless its text is empty.
fn named(scratch: &mut Scratch, name: &str, raw: &str) -> Result<(), Reason> {
    let text = string(raw)?;
    if !text.is_empty() {
        value::string(&text, scratch.attributes.value_of(name));
    }
    Ok(())
}

/// Appends an attribute of our own name, unless it is 0.
fn count(scratch: &mut Scratch, name: &str, raw: &str) -> Result<(), Reason> {
    let number = decimal::<u32>(raw)?;
    if number != 0 {
        value::unsigned(number.into(), scratch.attributes.value_of(name));
    }
    Ok(())
}

fn log_record<'b>(run: &mut Run<'_>, text: &'b str) -> Result<Draft<'b>, Reason> {
    let mut draft = Draft::default();
    let mut read = Ok(());
    let mut field = |name: &str, raw: &'b str| -> Result<(), Reason> {
        match name {
            "timeUnixNano" => draft.time = unsigned(raw)?,
            "observedTimeUnixNano" => draft.observed = unsigned(raw)?,
            "severityNumber" => draft.severity_number = decimal(raw)?,
            "severityText" => draft.severity_text = string(raw)?,
            "body" => draft.body = body(run, raw)?,
            "attributes" => attributes(run, Place::Record, raw, Some(&mut draft))?,
            "droppedAttributesCount" => draft.dropped_attributes = decimal(raw)?,
            "flags" => draft.flags = decimal(raw)?,
            "traceId" => draft.trace_id = id(raw)?,
            "spanId" => draft.span_id = id(raw)?,
            "eventName" => draft.event_name = string(raw)?,
            _ => {}
        }
        Ok(())
    };
    object(text, |name, raw| {
        if read.is_ok() {
            read = field(name, raw);
        }
    })?;
    read.map(|()| draft)
}

/// An id in hexadecimal; what is none is kept as it was sent.
fn id<const N: usize>(raw: &str) -> Result<Id<'_, N>, Reason> {
    let text = string(raw)?;
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(nibble(high)? << 4 | nibble(low)?).ok(),
        _ => None,
    });
    match pairs.collect::<Option<Vec<u8>>>() {
        Some(bytes) if bytes.is_empty() || bytes.len() == N => Ok(Id::of(&bytes)),
        _ => {
            let mut json = String::new();
            value::string(&text, &mut json);
            Ok(Id::Unfit(json.into()))
        }
    }
}

fn body<'b>(run: &mut Run<'_>, raw: &'b str) -> Result<DraftBody<'b>, Reason> {
    Ok(match any_value(raw)? {
        Kind::Empty => DraftBody::None,
        Kind::Text(text) | Kind::Bytes(text) => DraftBody::Text(text),
        kind => {
            let out = &mut run.scratch.body;
            out.clear();
            kind.write(out, 1, run.options.limits.depth_max)?;
            DraftBody::Json
        }
    })
}

/// Reads attributes; `draft` is that of the record, if they are the record's.
fn attributes<'b>(
    run: &mut Run<'_>,
    place: Place,
    raw: &'b str,
    mut draft: Option<&mut Draft<'b>>,
) -> Result<(), Reason> {
    elements(raw, |attribute| {
        let (name, kind) = key_value(attribute)?;
        if let Kind::Text(text) = &kind {
            if let Some(draft) = &mut draft
                && Draft::is_class(place, &name, text)
            {
                draft.class.clone_from(text);
                return Ok(());
            }
            if run.scratch.takes(place, &name, text) {
                return Ok(());
            }
        }
        let out = run.scratch.value_of(place.prefix(), &name);
        kind.write(out, 1, run.options.limits.depth_max)
    })
}

fn key_value(raw: &str) -> Result<(Cow<'_, str>, Kind<'_>), Reason> {
    let [name, kind] = texts(raw, ["key", "value"])?;
    Ok((string(name)?, any_value(kind)?))
}

/// What an `AnyValue` holds.
#[derive(Debug, Clone)]
enum Kind<'a> {
    Empty,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// The text of the elements.
    Array(&'a str),
    /// The text of the members.
    Map(&'a str),
    /// In base64 already.
    Bytes(Cow<'a, str>),
}

fn any_value(raw: &str) -> Result<Kind<'_>, Reason> {
    let mut kind = Ok(Kind::Empty);
    object(raw, |name, raw| {
        if is_null(raw) || kind.is_err() {
            return;
        }
        let list = || texts(raw, ["values"]).map_err(Reason::from);
        let read = match name {
            "stringValue" => string(raw).map(Kind::Text),
            "boolValue" => match raw {
                "true" => Ok(Kind::Bool(true)),
                "false" => Ok(Kind::Bool(false)),
                _ => Err(scalar::mistyped("boolValue", "true or false")),
            },
            "intValue" => integer(raw).map(Kind::Int),
            "doubleValue" => double(raw).map(Kind::Double),
            "arrayValue" => list().map(|[values]| Kind::Array(values)),
            "kvlistValue" => list().map(|[values]| Kind::Map(values)),
            "bytesValue" => string(raw).and_then(scalar::base64).map(Kind::Bytes),
            _ => return,
        };
        kind = read;
    })?;
    kind
}

impl Kind<'_> {
    /// Writes it as JSON that lies `level` deep.
    fn write(self, out: &mut String, level: u32, depth_max: u32) -> Result<(), Reason> {
        match self {
            Self::Empty => out.push_str("null"),
            // Scrubbed as a part of the body, so nothing is replaced here.
            Self::Text(text) | Self::Bytes(text) => drop(value::string(&text, out)),
            Self::Bool(value) => value::boolean(value, out),
            Self::Int(value) => value::integer(value, out),
            Self::Double(value) => value::double(value, out),
            Self::Array(raw) => return write_list(raw, ('[', ']'), out, level, depth_max),
            Self::Map(raw) => return write_list(raw, ('{', '}'), out, level, depth_max),
        }
        Ok(())
    }
}

/// Writes the elements or members of a list, between these brackets.
fn write_list(
    raw: &str,
    (open, close): (char, char),
    out: &mut String,
    level: u32,
    depth_max: u32,
) -> Result<(), Reason> {
    if level >= depth_max {
        return Err(Reason::TooDeep { max: depth_max });
    }
    out.push(open);
    let start = out.len();
    elements(raw, |element| {
        if out.len() > start {
            out.push(',');
        }
        let kind = if open == '[' {
            any_value(element)?
        } else {
            let (name, kind) = key_value(element)?;
            value::string(&name, out);
            out.push(':');
            kind
        };
        kind.write(out, level + 1, depth_max)
    })?;
    out.push(close);
    Ok(())
}
