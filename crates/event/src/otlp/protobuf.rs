//! How is a protobuf request walked?
//!
//! From the outside in. What the records of a resource or scope share may stand behind them, so
//! each list is passed twice: once for that, hopping over the records by their lengths, and once
//! for the records. A record is walked once; its attributes are written as they are met.

use super::record::{Draft, DraftBody, Id, Place, Scratch};
use super::wire::{Fault, Fields};
use super::{ParseError, Run, value};
use crate::json::Reason;

/// Reads a whole request.
///
/// # Errors
///
/// [`ParseError`]; rejected records are noted in the run.
pub(super) fn read(run: &mut Run<'_>, body: &[u8]) -> Result<(), ParseError> {
    let start = body.as_ptr() as usize;
    let mut fields = Fields(body);
    let read = (|| {
        while let Some((number, value)) = fields.next()? {
            if number == 1 {
                resource_logs(run, value.bytes(fields)?)?;
            }
        }
        Ok(())
    })();
    read.map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Fault(fault) => {
            ParseError::Protobuf { offset: fault.at.wrapping_sub(start), why: fault.why }
        }
        // Is told where a record or what it shares is read.
        Stop::Record(_) => ParseError::Protobuf { offset: 0, why: "nested too deep" },
    })
}

/// What ends a walk before its end.
enum Stop {
    /// The bytes are not what they should be.
    Fault(Fault),
    /// The request is beyond a bound.
    Refused(ParseError),
    /// One record is.
    Record(Reason),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ParseError> for Stop {
    fn from(error: ParseError) -> Self {
        Self::Refused(error)
    }
}

fn resource_logs(run: &mut Run<'_>, bytes: &[u8]) -> Result<(), Stop> {
    run.scratch.begin_resource();
    let mut unfit = None;
    let (mut fields, mut schema) = (Fields(bytes), &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => note(&mut unfit, resource(run, value.bytes(fields)?))?,
            3 => schema = value.bytes(fields)?,
            _ => {}
        }
    }
    named(run.scratch, "resource.schema_url", schema);
    run.scratch.end_resource();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        if number == 2 {
            scope_logs(run, value.bytes(fields)?, unfit.clone())?;
        }
    }
    Ok(())
}

fn scope_logs(run: &mut Run<'_>, bytes: &[u8], mut unfit: Option<Reason>) -> Result<(), Stop> {
    run.scratch.begin_scope();
    let (mut fields, mut schema) = (Fields(bytes), &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => note(&mut unfit, scope(run, value.bytes(fields)?))?,
            3 => schema = value.bytes(fields)?,
            _ => {}
        }
    }
    named(run.scratch, "scope.schema_url", schema);
    run.scratch.end_scope();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        if number != 2 {
            continue;
        }
        let record = value.bytes(fields)?;
        run.begin_record()?;
        if let Some(reason) = &unfit {
            run.reject(reason.clone());
            continue;
        }
        match log_record(run, record) {
            Ok(draft) => run.accept(&draft)?,
            Err(Stop::Record(reason)) => run.reject(reason),
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}

/// What is wrong with a resource or scope is wrong with each record of it.
fn note(unfit: &mut Option<Reason>, read: Result<(), Stop>) -> Result<(), Stop> {
    match read {
        Err(Stop::Record(reason)) => {
            unfit.get_or_insert(reason);
            Ok(())
        }
        read => read,
    }
}

fn resource(run: &mut Run<'_>, bytes: &[u8]) -> Result<(), Stop> {
    let (mut fields, mut dropped) = (Fields(bytes), 0);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => attribute(run, Place::Resource, value.bytes(fields)?, None)?,
            2 => dropped = value.varint(fields)? as u32,
            _ => {}
        }
    }
    count(run.scratch, "resource.dropped_attributes_count", dropped);
    Ok(())
}

fn scope(run: &mut Run<'_>, bytes: &[u8]) -> Result<(), Stop> {
    let (mut fields, mut name, mut version, mut dropped) = (Fields(bytes), &[][..], &[][..], 0);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.bytes(fields)?,
            2 => version = value.bytes(fields)?,
            4 => dropped = value.varint(fields)? as u32,
            _ => {}
        }
    }
    named(run.scratch, "scope.name", name);
    named(run.scratch, "scope.version", version);
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        if number == 3 {
            attribute(run, Place::Scope, value.bytes(fields)?, None)?;
        }
    }
    count(run.scratch, "scope.dropped_attributes_count", dropped);
    Ok(())
}

/// Appends an attribute of our own name, unless its text is empty.
fn named(scratch: &mut Scratch, name: &str, bytes: &[u8]) {
    if !bytes.is_empty() {
        let (text, mended) = value::text(bytes);
        let replaced = mended + value::string(&text, scratch.attributes.value_of(name));
        scratch.attributes.replaced(replaced);
    }
}

/// Appends an attribute of our own name, unless it is 0.
fn count(scratch: &mut Scratch, name: &str, number: u32) {
    if number != 0 {
        value::unsigned(number.into(), scratch.attributes.value_of(name));
    }
}

fn log_record<'b>(run: &mut Run<'_>, bytes: &'b [u8]) -> Result<Draft<'b>, Stop> {
    let mut draft = Draft::default();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => draft.time = value.fixed64(fields)?,
            // An enumeration is 32 bits of whatever was sent.
            2 => draft.severity_number = value.varint(fields)? as i32,
            3 => {
                let (text, replaced) = value::text(value.bytes(fields)?);
                draft.severity_text = text;
                draft.replaced += replaced;
            }
            5 => body(run, &mut draft, value.bytes(fields)?)?,
            6 => attribute(run, Place::Record, value.bytes(fields)?, Some(&mut draft))?,
            7 => draft.dropped_attributes = value.varint(fields)? as u32,
            8 => draft.flags = value.fixed32(fields)?,
            9 => draft.trace_id = Id::of(value.bytes(fields)?),
            10 => draft.span_id = Id::of(value.bytes(fields)?),
            11 => draft.observed = value.fixed64(fields)?,
            12 => {
                let (text, replaced) = value::text(value.bytes(fields)?);
                draft.event_name = text;
                draft.replaced += replaced;
            }
            _ => {}
        }
    }
    Ok(draft)
}

fn body<'b>(run: &mut Run<'_>, draft: &mut Draft<'b>, bytes: &'b [u8]) -> Result<(), Stop> {
    draft.body = match any_value(bytes)? {
        Kind::Empty => DraftBody::None,
        Kind::Text(bytes) => {
            let (text, replaced) = value::text(bytes);
            draft.replaced += replaced;
            DraftBody::Text(text)
        }
        Kind::Bytes(bytes) => DraftBody::Text(value::base64(bytes).into()),
        kind => {
            let out = &mut run.scratch.body;
            out.clear();
            draft.replaced += kind.write(out, 1, run.options.limits.depth_max)?;
            DraftBody::Json
        }
    };
    Ok(())
}

/// Reads one attribute; `draft` is that of the record, if it is the record's.
#[inline]
fn attribute<'b>(
    run: &mut Run<'_>,
    place: Place,
    bytes: &'b [u8],
    draft: Option<&mut Draft<'b>>,
) -> Result<(), Stop> {
    let (name, kind) = key_value(bytes)?;
    let (name, mended) = value::text(name);
    if let Kind::Text(text) = kind {
        let (text, replaced) = value::text(text);
        if let Some(draft) = draft
            && Draft::is_class(place, &name, &text)
        {
            draft.class = text;
            draft.replaced += replaced;
            return Ok(());
        }
        if run.scratch.takes(place, &name, &text) {
            run.scratch.attributes.replaced(replaced);
            return Ok(());
        }
        let out = run.scratch.value_of(place.prefix(), &name);
        let replaced = replaced + value::string(&text, out);
        run.scratch.attributes.replaced(mended + replaced);
        return Ok(());
    }
    let out = run.scratch.value_of(place.prefix(), &name);
    let replaced = kind.write(out, 1, run.options.limits.depth_max)?;
    run.scratch.attributes.replaced(mended + replaced);
    Ok(())
}

fn key_value(bytes: &[u8]) -> Result<(&[u8], Kind<'_>), Stop> {
    let (mut fields, mut name, mut kind) = (Fields(bytes), &[][..], Kind::Empty);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.bytes(fields)?,
            2 => kind = any_value(value.bytes(fields)?)?,
            _ => {}
        }
    }
    Ok((name, kind))
}

/// What an `AnyValue` holds.
#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    Empty,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// The message with the elements.
    Array(&'a [u8]),
    /// The message with the members.
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

#[inline]
fn any_value(bytes: &[u8]) -> Result<Kind<'_>, Stop> {
    let (mut fields, mut kind) = (Fields(bytes), Kind::Empty);
    while let Some((number, value)) = fields.next()? {
        kind = match number {
            1 => Kind::Text(value.bytes(fields)?),
            2 => Kind::Bool(value.varint(fields)? != 0),
            3 => Kind::Int(value.varint(fields)?.cast_signed()),
            4 => Kind::Double(f64::from_bits(value.fixed64(fields)?)),
            5 => Kind::Array(value.bytes(fields)?),
            6 => Kind::Map(value.bytes(fields)?),
            7 => Kind::Bytes(value.bytes(fields)?),
            _ => kind,
        };
    }
    Ok(kind)
}

impl Kind<'_> {
    /// Writes it as JSON that lies `level` deep. Returns how many characters were replaced.
    fn write(self, out: &mut String, level: u32, depth_max: u32) -> Result<u64, Stop> {
        match self {
            Self::Empty => out.push_str("null"),
            Self::Text(bytes) => {
                let (text, mended) = value::text(bytes);
                return Ok(mended + value::string(&text, out));
            }
            Self::Bool(value) => value::boolean(value, out),
            Self::Int(value) => value::integer(value, out),
            Self::Double(value) => value::double(value, out),
            Self::Bytes(bytes) => value::bytes(bytes, out),
            Self::Array(bytes) => return write_list(bytes, ('[', ']'), out, level, depth_max),
            Self::Map(bytes) => return write_list(bytes, ('{', '}'), out, level, depth_max),
        }
        Ok(0)
    }
}

/// Writes the elements or members of a list, between these brackets.
fn write_list(
    bytes: &[u8],
    (open, close): (char, char),
    out: &mut String,
    level: u32,
    depth_max: u32,
) -> Result<u64, Stop> {
    if level >= depth_max {
        return Err(Stop::Record(Reason::TooDeep { max: depth_max }));
    }
    let (mut fields, mut replaced) = (Fields(bytes), 0);
    out.push(open);
    let start = out.len();
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let bytes = value.bytes(fields)?;
        if out.len() > start {
            out.push(',');
        }
        let kind = if open == '[' {
            any_value(bytes)?
        } else {
            let (name, kind) = key_value(bytes)?;
            let (name, mended) = value::text(name);
            replaced += mended + value::string(&name, out);
            out.push(':');
            kind
        };
        replaced += kind.write(out, level + 1, depth_max)?;
    }
    out.push(close);
    Ok(replaced)
}
