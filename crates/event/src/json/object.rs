//! How is one object read in one pass, without building it?
//!
//! Most are read by [`quick`]. What that one leaves is read here, where `serde_json` walks over the
//! text once. Names come as slices of it; values too, as raw text
//! that it has found valid. What is a field goes to the [draft](super::draft), all else is copied
//! into the attributes as it stands. Nothing is allocated for an event whose strings have no
//! escapes, apart from buffers that are kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::alias::{self, Field};
use super::check;
use super::draft::{Draft, Scratch};
use super::error::Reason;
use super::quick;

/// What stopped the reading, and where in the text.
#[derive(Debug)]
pub(super) struct Fault {
    /// Line of the text, from 1.
    pub(super) line: usize,
    /// Byte of the line, from 1.
    pub(super) column: usize,
    pub(super) reason: Reason,
    /// Whether the text is JSON so far, so that one can go on behind this object.
    pub(super) is_json: bool,
}

/// Reads the object at the start of `text` into an empty draft, and returns where it ends.
///
/// # Errors
///
/// A [`Fault`] when it is not JSON, or holds what no database would take.
pub(super) fn read<'de>(
    text: &'de str,
    depth_max: u32,
    scratch: &mut Scratch,
    draft: &mut Draft<'de>,
) -> Result<usize, Fault> {
    scratch.attributes.clear();
    if let Some(end) = quick::read(text, depth_max, scratch, draft) {
        return Ok(end);
    }
    scratch.attributes.clear();
    *draft = Draft::default();
    plain(text, depth_max, scratch, draft)
}

/// The same by the plain parser alone, which knows all of JSON and says what is wrong.
pub(super) fn plain<'de>(
    text: &'de str,
    depth_max: u32,
    scratch: &mut Scratch,
    draft: &mut Draft<'de>,
) -> Result<usize, Fault> {
    let mut reader = Reader { text, depth_max, scratch, draft, refusal: None };
    let mut parser = Deserializer::from_str(text);
    match parser.deserialize_map(&mut reader) {
        Ok(()) => Ok(parser.into_iter::<IgnoredAny>().byte_offset()),
        Err(error) => {
            let mut fault = fault(&error);
            if let Some((reason, offset)) = reader.refusal {
                fault = Fault { column: offset + 1, reason, is_json: true, ..fault };
            }
            Err(fault)
        }
    }
}

/// Where the JSON value at the start of `text` ends, whatever it is.
///
/// # Errors
///
/// A [`Fault`] when it is not JSON.
pub(super) fn skip(text: &str) -> Result<usize, Fault> {
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(IgnoredAny)) => Ok(values.byte_offset()),
        Some(Err(error)) => Err(fault(&error)),
        None => Ok(text.len()),
    }
}

/// How many bytes of what JSON takes for white space `text` begins with.
pub(super) fn blank(text: &[u8]) -> usize {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len())
}

/// What kind of value begins with this byte, with its article.
pub(super) const fn kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

/// The parser's error in our words. Its text ends in the place, which is said elsewhere.
fn fault(error: &serde_json::Error) -> Fault {
    let mut detail = error.to_string();
    if let Some(place) = detail.rfind(" at line ") {
        detail.truncate(place);
    }
    let reason =
        if error.is_eof() { Reason::Truncated { detail } } else { Reason::Syntax { detail } };
    Fault { line: error.line(), column: error.column(), reason, is_json: false }
}

/// Reads the members of an event.
struct Reader<'s, 'de> {
    text: &'de str,
    depth_max: u32,
    scratch: &'s mut Scratch,
    draft: &'s mut Draft<'de>,
    /// Why the event is not taken, though it is JSON, and where in the text, from 0. The parser's
    /// error type has no room for it.
    refusal: Option<(Reason, usize)>,
}

impl<'de> Reader<'_, 'de> {
    /// Where a slice of the text begins in it; past its end for a string from elsewhere.
    fn offset(&self, slice: &str) -> usize {
        (slice.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize)
    }

    /// Appends a member to the attributes.
    #[inline(always)]
    fn push(&mut self, name: Name<'de>, raw: &'de str) {
        match name {
            Name::Plain(name) => {
                let start = self.offset(name).wrapping_sub(1);
                let end = self.offset(raw).wrapping_add(raw.len());
                match self.text.get(start..end) {
                    Some(member) => self.scratch.attributes.push_member(member, name, raw),
                    None => self.scratch.attributes.push_plain(name, raw),
                }
            }
            Name::Unescaped => self.scratch.attributes.push_json(&self.scratch.name, raw),
        }
    }

    /// Whether the value behind this name opens an object. A name that has escapes is not a
    /// slice of the text, and says no.
    fn opens_object(&self, name: &str) -> bool {
        let end = self.offset(name).saturating_add(name.len() + 1);
        let rest = self.text.as_bytes().get(end..).unwrap_or_default();
        let is_between = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':');
        rest.iter().find(|byte| !is_between(byte)) == Some(&b'{')
    }

    #[inline(always)]
    fn value<A: MapAccess<'de>>(&mut self, map: &mut A, level: u32) -> Result<&'de str, A::Error> {
        let raw = map.next_value::<&'de RawValue>()?.get();
        match check::value(raw, level, self.depth_max) {
            Ok(()) => Ok(raw),
            Err(reason) => Err(self.refuse(reason, raw)),
        }
    }

    /// Stops the parser at a part of the text.
    #[cold]
    fn refuse<E: serde::de::Error>(&mut self, reason: Reason, part: &str) -> E {
        self.refusal = Some((reason, self.offset(part)));
        E::custom("refused")
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameSeed(&mut self.scratch.name))? {
            let alias = alias::find(name.get(&self.scratch.name));
            match (alias, name) {
                (Some(alias), Name::Plain(name))
                    if alias.field == Field::Attributes && self.opens_object(name) =>
                {
                    if self.depth_max < 2 {
                        return Err(self.refuse(Reason::TooDeep { max: self.depth_max }, name));
                    }
                    map.next_value_seed(Members(self))?;
                }
                (Some(alias), _) => {
                    let raw = self.value(&mut map, 1)?;
                    if alias.field == Field::Attributes && raw.as_bytes().first() == Some(&b'{') {
                        // The name was written with escapes: rare enough to read the value twice.
                        let members = Deserializer::from_str(raw).deserialize_map(Members(self));
                        members.map_err(A::Error::custom)?;
                        continue;
                    }
                    let Scratch { attributes, name: buffer, .. } = &mut *self.scratch;
                    self.draft.place(alias, raw, attributes, buffer);
                }
                (None, name) => {
                    let raw = self.value(&mut map, 1)?;
                    self.push(name, raw);
                }
            }
        }
        Ok(())
    }
}

/// Reads the members of an `attributes` object into the event's attributes.
struct Members<'r, 's, 'de>(&'r mut Reader<'s, 'de>);

impl<'de> DeserializeSeed<'de> for Members<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(reader) = self;
        while let Some(name) = map.next_key_seed(NameSeed(&mut reader.scratch.name))? {
            let raw = reader.value(&mut map, 2)?;
            reader.push(name, raw);
        }
        Ok(())
    }
}

/// The name of a member.
#[derive(Debug, Clone, Copy)]
enum Name<'de> {
    /// A slice of the text: it had no escapes, so it needs none.
    Plain(&'de str),
    /// Unescaped into the buffer for names.
    Unescaped,
}

impl<'de> Name<'de> {
    fn get<'a>(self, buffer: &'a str) -> &'a str
    where
        'de: 'a,
    {
        match self {
            Self::Plain(name) => name,
            Self::Unescaped => buffer,
        }
    }
}

/// Reads a name, into the buffer if it has escapes.
struct NameSeed<'b>(&'b mut String);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Name<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<Name<'de>, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'_> {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name::Plain(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        self.0.clear();
        self.0.push_str(name);
        Ok(Name::Unescaped)
    }
}
