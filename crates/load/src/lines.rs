//! How does a line of a log become an event?
//!
//! A line that is a JSON object is an event already and is sent as it is; only what was asked for
//! on the command line, and is not there yet, is added at its end: `service`, `class` and, with
//! `--ids`, `run`, `seq` and `try`. Every other line is kept whole as the `body`, so that nothing
//! is lost by a wrong guess, and what can be told from it stands beside:
//!
//! | field | from |
//! |---|---|
//! | `timestamp` | its [timestamp](timestamp) at the start, else a logfmt `time`, `ts` or `timestamp` |
//! | `severity` | the [level](severity) in its first part, as written |
//! | `service` | `--service`, else the file's name without extension |
//! | `attributes` | `log.file.name`, `log.line` (from 1), and [logfmt](logfmt) pairs as strings |
//!
//! Bytes that are no UTF-8, and NUL, become U+FFFD. A line over [`MAX_LINE`] is cut there, marked
//! `log.line.truncated`, and always sent as text: half an object is no object.

pub(crate) mod logfmt;
pub(crate) mod severity;
pub(crate) mod timestamp;

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::events::{Labels, put, put_quoted, quoted, write_ids};
use timestamp::Year;

/// Longest line, in bytes, that is sent whole.
pub(crate) const MAX_LINE: usize = 256 * 1024;

/// What is the same for every line of a file.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) labels: Labels,
    /// The file's name, without folders.
    pub(crate) file: String,
    /// The file's name without extension.
    pub(crate) stem: String,
    /// Whether events carry `run`, `seq` and `try`.
    pub(crate) ids: bool,
    pub(crate) year: Year,
}

/// One line, as read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Without its line end.
    pub(crate) bytes: &'a [u8],
    /// Counted from 1.
    pub(crate) number: u64,
    /// Whether there was more of it.
    pub(crate) cut: bool,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whether bytes had to be replaced.
    pub(crate) lossy: bool,
    /// Where in the output the slot of the try starts, with `--ids`.
    pub(crate) attempt: Option<usize>,
}

/// Appends the event of a line, with its line end; `None` when the line is blank.
pub(crate) fn write_line(
    out: &mut Vec<u8>,
    line: Line<'_>,
    seq: u64,
    context: &Context,
) -> Option<Written> {
    let mut text = String::from_utf8_lossy(line.bytes);
    let mut lossy = matches!(text, Cow::Owned(_));
    if text.contains('\0') {
        // No sink can store it as text: a server would have to refuse the whole request.
        text = Cow::Owned(text.replace('\0', "\u{FFFD}"));
        lossy = true;
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return None;
    }
    let keys = if line.cut { None } else { top_level_keys(trimmed) };
    let attempt = match keys {
        Some(keys) => write_object(out, trimmed, keys, seq, context),
        None => write_text(out, text.trim_end(), line, seq, context),
    };
    out.push(b'\n');
    Some(Written { lossy, attempt })
}

/// Which of the members that could be added an object has already.
#[derive(Debug, Default, Clone, Copy)]
struct Keys {
    any: bool,
    service: bool,
    class: bool,
    ids: bool,
}

/// The keys of a JSON object; `None` for anything else.
fn top_level_keys(text: &str) -> Option<Keys> {
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Keys::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    map.next_value::<IgnoredAny>()?;
                    keys.any = true;
                    keys.service |= key == "service";
                    keys.class |= key == "class";
                    keys.ids |= matches!(key.as_ref(), "run" | "seq" | "try");
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

fn write_object(
    out: &mut Vec<u8>,
    object: &str,
    keys: Keys,
    seq: u64,
    context: &Context,
) -> Option<usize> {
    let mut added = String::new();
    for (name, wanted, there) in [
        ("service", &context.labels.service, keys.service),
        ("class", &context.labels.class, keys.class),
    ] {
        if let (Some(value), false) = (wanted, there) {
            added.push_str(&format!(",\"{name}\":{}", quoted(value)));
        }
    }
    let ids = context.ids && !keys.ids;
    if added.is_empty() && !ids {
        out.extend_from_slice(object.as_bytes());
        return None;
    }
    let open = object.strip_suffix('}').unwrap_or(object);
    out.extend_from_slice(open.as_bytes());
    let members = out.len();
    out.extend_from_slice(added.as_bytes());
    let attempt = ids.then(|| write_ids(out, &context.labels.run, seq));
    if !keys.any
        && let Some(comma) = out.get_mut(members)
    {
        *comma = b' '; // Nothing stands before it.
    }
    out.push(b'}');
    attempt
}

fn write_text(
    out: &mut Vec<u8>,
    text: &str,
    line: Line<'_>,
    seq: u64,
    context: &Context,
) -> Option<usize> {
    let pairs = logfmt::pairs(text);
    let stamped = timestamp::leading(text, context.year).or_else(|| {
        let named = |key: &str| matches!(key, "time" | "ts" | "timestamp");
        let (_, value) = pairs.iter().find(|(key, _)| named(key))?;
        timestamp::leading(value, context.year)
    });
    put(out, "{\"body\":");
    put_quoted(out, text);
    put(out, ",\"service\":");
    put_quoted(out, context.labels.service.as_ref().unwrap_or(&context.stem));
    for (name, value) in [
        (",\"class\":", context.labels.class.as_deref()),
        (",\"timestamp\":", stamped.as_deref()),
        (",\"severity\":", severity::find(text)),
    ] {
        if let Some(value) = value {
            put(out, name);
            put_quoted(out, value);
        }
    }
    put(out, ",\"attributes\":{\"log.file.name\":");
    put_quoted(out, &context.file);
    // Writing to a Vec cannot fail.
    let _ = write!(out, ",\"log.line\":{}", line.number);
    if line.cut {
        put(out, ",\"log.line.truncated\":true");
    }
    for (key, value) in &pairs {
        put(out, ",");
        put_quoted(out, key);
        put(out, ":");
        put_quoted(out, value);
    }
    let attempt = context.ids.then(|| write_ids(out, &context.labels.run, seq));
    out.extend_from_slice(b"}}");
    attempt
}

#[cfg(test)]
mod tests;
