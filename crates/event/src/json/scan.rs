//! Where does a JSON value end, if it is one?
//!
//! Eight bytes of a string at a time, and nothing is built: a value is checked against the grammar
//! of RFC 8259 and against the bounds of [`check`] in the one pass that finds its end.
//! `None` says only "not so simple": too deep, out of range, broken, or of a form that is rare. The
//! plain parser then says what it is; so this must never take what that one refuses, and need not
//! take all that it takes.

use super::check;
use crate::special;

/// Depths that are counted; deeper values are the plain parser's.
const DEPTH_MAX: u32 = 64;

/// A string that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// Where its closing quote stands.
    pub(super) end: usize,
    /// Whether there are escapes in it.
    pub(super) is_escaped: bool,
}

/// The end of a string whose opening quote stands before `at`.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Option<Text> {
    let mut is_escaped = false;
    loop {
        let (end, byte) = special::find(bytes, at)?;
        match byte {
            b'"' => return Some(Text { end, is_escaped }),
            b'\\' => {
                is_escaped = true;
                at = escape(bytes, end + 1)?;
            }
            // A control character.
            _ => return None,
        }
    }
}

/// What follows an escape whose backslash stands before `at`.
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = bytes.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

/// The first byte from `at` on that is not white space.
#[inline]
pub(super) fn blank(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the value that begins at `at`, which lies `level` deep.
#[inline]
pub(super) fn value(text: &str, at: usize, level: u32, depth_max: u32) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => Some(string(bytes, at + 1)?.end + 1),
        b'{' | b'[' => container(text, at, level, depth_max.min(DEPTH_MAX)),
        _ => scalar(text, at),
    }
}

/// The end of a value that is neither a string nor a container.
#[inline]
fn scalar(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let word = |word: &[u8]| bytes.get(at..)?.starts_with(word).then_some(at + word.len());
    match bytes.get(at)? {
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => {
            let end = number(bytes, at)?;
            check::number(text.get(at..end)?).ok()?;
            Some(end)
        }
    }
}

/// The end of a number.
#[inline]
fn number(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at)? {
        b'0' => at + 1,
        b'1'..=b'9' => digits(bytes, at + 1),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(bytes, at + 1 + sign)?;
    }
    // `01` is no number, and whoever goes on behind `0` would not notice at the end of an array.
    (!bytes.get(at).is_some_and(u8::is_ascii_digit)).then_some(at)
}

#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

#[inline]
fn some_digits(bytes: &[u8], at: usize) -> Option<usize> {
    Some(digits(bytes, at)).filter(|end| *end > at)
}

/// The end of an object or array. Without recursion: what is open stands in the bits of a number.
fn container(text: &str, mut at: usize, level: u32, depth_max: u32) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut objects) = (level, 0u64);
    loop {
        // At the beginning of a value.
        let opened = bytes.get(at).copied()?;
        at = if let b'{' | b'[' = opened {
            if depth >= depth_max {
                return None;
            }
            depth += 1;
            objects = objects << 1 | u64::from(opened == b'{');
            let first = blank(bytes, at + 1);
            match bytes.get(first)? {
                b'}' | b']' => first,
                _ => {
                    at = if opened == b'{' { name(bytes, first)? } else { first };
                    continue;
                }
            }
        } else if opened == b'"' {
            blank(bytes, string(bytes, at + 1)?.end + 1)
        } else {
            blank(bytes, scalar(text, at)?)
        };
        // Behind a value, or behind what opened an empty container.
        loop {
            let in_object = objects & 1 == 1;
            match bytes.get(at)? {
                b',' => {
                    at = blank(bytes, at + 1);
                    if in_object {
                        at = name(bytes, at)?;
                    }
                    break;
                }
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return None,
            }
            (depth, objects) = (depth - 1, objects >> 1);
            if depth == level {
                return Some(at + 1);
            }
            at = blank(bytes, at + 1);
        }
    }
}

/// Where the value begins whose name begins at `at`.
fn name(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    colon(bytes, string(bytes, at + 1)?.end + 1)
}

/// Where the value begins whose name ends at `at`.
#[inline]
pub(super) fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = blank(bytes, at);
    (bytes.get(at) == Some(&b':')).then(|| blank(bytes, at + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::Deserializer;

    use super::*;

    /// Text that is JSON more often than not, or nearly.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            " ",
            "\t",
            "\"",
            "\"a\"",
            "\"\\n\"",
            "\"\\u00e9\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"é\u{7f}\"",
            "\"0123456789\"",
            "\u{1}",
            "0",
            "-0",
            "01",
            "1.5",
            "1.",
            "-",
            "1e5",
            "1E+7",
            "1e",
            "true",
            "false",
            "null",
            "nul",
            "{\"a\":",
            "[1,",
            "\\",
            "1e999999",
            "{}",
            "[]",
            "{\"k\":[1,{\"l\":null}]}",
        ]);
        proptest::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Invariant: what is taken, `serde_json` takes to the same place, and it is within bounds.
        #[test]
        fn only_json_is_taken(text in nearly_json(), cut in 0..20usize) {
            let text = text.get(..text.len().saturating_sub(cut)).unwrap_or(&text);
            if let Some(end) = value(text, 0, 1, 5) {
                let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
                // A scalar at the end of a stream must be followed by something that ends it.
                let taken = values.next();
                let ends_it = text.as_bytes().get(end).is_none_or(|next| b" \t,:]}".contains(next));
                prop_assert!(matches!(taken, Some(Ok(_))) || !ends_it, "{text}: {taken:?}");
                prop_assert!(!ends_it || values.byte_offset() == end, "{text}");
                prop_assert_eq!(check::value(&text[..end], 1, 5), Ok(()));
            }
        }

        /// Invariant: valid JSON is taken whole, however it is written.
        #[test]
        fn json_is_taken(number: f64, texts in proptest::collection::vec(any::<String>(), 0..5),
                         pretty: bool) {
            let inner = serde_json::json!({"n": number, "t": texts, "e": [{}, [], null, true, -1]});
            let value_of = serde_json::json!([inner, inner]);
            let written = if pretty { serde_json::to_string_pretty(&value_of) } else { serde_json::to_string(&value_of) };
            let written = written.unwrap();
            prop_assert_eq!(value(&written, 0, 1, 64), Some(written.len()));
        }
    }

    #[test]
    fn depth_is_the_bound_s() {
        for (text, taken) in [("[[[]]]", true), ("[[[[]]]]", false), ("[[[1]],[{}]]", true)] {
            assert_eq!(value(text, 0, 1, 4).is_some(), taken, "{text}");
        }
        let deep = "[".repeat(63) + &"]".repeat(63);
        assert_eq!(value(&deep, 0, 1, 100), Some(126));
        let deeper = "[".repeat(64) + &"]".repeat(64);
        assert_eq!(value(&deeper, 0, 1, 100), None);
    }
}
