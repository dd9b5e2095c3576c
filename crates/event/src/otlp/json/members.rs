//! Which texts does an object or an array consist of?

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use crate::json::Reason;
use crate::otlp::ParseError;

/// A text is no JSON, or not of the type that is wanted.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The parser's words, with the place.
    pub(super) detail: String,
}

impl From<serde_json::Error> for Wrong {
    fn from(error: serde_json::Error) -> Self {
        Self { detail: error.to_string() }
    }
}

impl From<Wrong> for ParseError {
    fn from(wrong: Wrong) -> Self {
        Self::Json { detail: wrong.detail }
    }
}

impl From<Wrong> for Reason {
    fn from(wrong: Wrong) -> Self {
        Self::Mistyped { detail: wrong.detail }
    }
}

/// Tells the members of an object, in order; `null` has none.
pub(super) fn object<'t>(text: &'t str, tell: impl FnMut(&str, &'t str)) -> Result<(), Wrong> {
    if super::is_null(text) {
        return Ok(());
    }
    let mut parser = Deserializer::from_str(text);
    parser.deserialize_map(Members(tell))?;
    Ok(parser.end()?)
}

struct Members<F>(F);

impl<'t, F: FnMut(&str, &'t str)> Visitor<'t> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
        // Known names have no escapes; one that is written with some is found all the same.
        while let Some(Name(name)) = map.next_key()? {
            (self.0)(&name, map.next_value::<&'t RawValue>()?.get());
        }
        Ok(())
    }
}

/// A name, borrowed if it has no escapes.
struct Name<'t>(Cow<'t, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(parser: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        parser.deserialize_str(Text)
    }
}

/// The text of a JSON string.
pub(super) fn unquoted(raw: &str) -> Result<Cow<'_, str>, Wrong> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) if memchr::memchr(b'\\', inside.as_bytes()).is_none() => Ok(inside.into()),
        _ => Ok(serde_json::from_str::<Name<'_>>(raw)?.0),
    }
}

/// Tells the elements of an array, in order, until one is not taken; `null` has none.
pub(super) fn elements<'t, E: From<Wrong>>(
    text: &'t str,
    mut tell: impl FnMut(&'t str) -> Result<(), E>,
) -> Result<(), E> {
    if super::is_null(text) {
        return Ok(());
    }
    let mut stopped = None;
    let tell = |raw| tell(raw).map_err(|error| stopped = Some(error)).is_ok();
    let mut parser = Deserializer::from_str(text);
    let read = parser.deserialize_seq(Elements(tell)).and_then(|()| parser.end());
    match (stopped, read) {
        (Some(error), _) => Err(error),
        (None, read) => Ok(read.map_err(Wrong::from)?),
    }
}

/// Reads elements as long as they are taken.
struct Elements<F>(F);

impl<'t, F: FnMut(&'t str) -> bool> Visitor<'t> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(raw) = array.next_element::<&'t RawValue>()? {
            if !(self.0)(raw.get()) {
                return Err(A::Error::custom("not taken"));
            }
        }
        Ok(())
    }
}
