//! Which characters would a sink refuse? NUL, and half of a surrogate pair.
//!
//! PostgreSQL's `text` cannot hold U+0000, and its `jsonb` refuses `\u0000` and an escape that
//! names a lone surrogate. JSON allows all three. One such event would fail the whole batch it
//! travels in, long after it was accepted; so each becomes U+FFFD, the replacement character, at
//! the door, for every sink alike, and is counted. An escape stays an escape of the same length.
//!
//! Looking costs two vector searches of a request; only a request with a hit is looked at closer.

use std::borrow::Cow;

/// Whether JSON text may hold something to replace: a NUL or any `\u` escape.
pub(crate) fn may_need(json: &[u8]) -> bool {
    memchr::memchr(0, json).is_some() || memchr::memmem::find(json, br"\u").is_some()
}

/// Replaces NULs in plain text and returns how many there were. Text without any is not copied.
///
/// ```
/// use tidegate_event::scrub;
///
/// assert_eq!(scrub::plain("a\0b"), ("a\u{fffd}b".into(), 1));
/// ```
#[must_use]
pub fn plain(text: &str) -> (Cow<'_, str>, u64) {
    match memchr::memchr(0, text.as_bytes()) {
        None => (Cow::Borrowed(text), 0),
        Some(_) => {
            let count = memchr::memchr_iter(0, text.as_bytes()).count() as u64;
            (Cow::Owned(text.replace('\0', "\u{fffd}")), count)
        }
    }
}

/// Replaces raw NULs and the escapes of NUL and of lone surrogates in JSON text, valid or not,
/// and returns how many there were. Text without any is not copied. A raw NUL becomes three bytes,
/// so a parser's error behind it in its line names a column that is two further.
pub(crate) fn json(text: &str) -> (Cow<'_, str>, u64) {
    let bytes = text.as_bytes();
    let (mut clean, mut copied, mut replaced, mut at) = (String::new(), 0, 0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'\\', 0, rest)) {
        at += found;
        let (length, substitute) = match unit(bytes, at) {
            Found::Other { length } => (length, None),
            Found::Nul => (1, Some("\u{fffd}")),
            Found::Escape => (6, Some(r"\ufffd")),
        };
        if let Some(substitute) = substitute {
            clean.push_str(text.get(copied..at).unwrap_or_default());
            clean.push_str(substitute);
            replaced += 1;
            copied = at + length;
        }
        at += length;
    }
    if replaced == 0 {
        return (Cow::Borrowed(text), 0);
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    (Cow::Owned(clean), replaced)
}

enum Found {
    /// Nothing to replace; go on after so many bytes.
    Other { length: usize },
    /// A raw NUL.
    Nul,
    /// A six-byte escape that names NUL or a lone surrogate.
    Escape,
}

/// What stands at a NUL or a backslash.
fn unit(bytes: &[u8], at: usize) -> Found {
    if bytes.get(at) == Some(&0) {
        return Found::Nul;
    }
    match escape(bytes, at) {
        Some(0 | 0xdc00..=0xdfff) => Found::Escape,
        Some(0xd800..=0xdbff) => match escape(bytes, at + 6) {
            Some(0xdc00..=0xdfff) => Found::Other { length: 12 },
            _ => Found::Escape,
        },
        Some(_) => Found::Other { length: 6 },
        // A NUL after a backslash is looked at by itself, though the JSON around it is broken.
        None if bytes.get(at + 1) == Some(&0) => Found::Other { length: 1 },
        None => Found::Other { length: 2 },
    }
}

/// The UTF-16 unit that a `\uXXXX` at this place names.
fn escape(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_a_sink_would_refuse_is_replaced() {
        for (input, output, count) in [
            (r#""plain""#, r#""plain""#, 0),
            (r#""\u0000""#, r#""\ufffd""#, 1),
            (r#""\\u0000""#, r#""\\u0000""#, 0),
            (r#""\\\u0000""#, r#""\\\ufffd""#, 1),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#, 0),
            (r#""\uD83D\uDE00""#, r#""\uD83D\uDE00""#, 0),
            (r#""\ud83d""#, r#""\ufffd""#, 1),
            (r#""\ude00""#, r#""\ufffd""#, 1),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#, 2),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#, 1),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#, 2),
            (r#""\ud83dx\u0001""#, r#""\ufffdx\u0001""#, 1),
            (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#, 1),
            ("\"a\0b\"", "\"a\u{fffd}b\"", 1),
            ("\\\0", "\\\u{fffd}", 1),
            (r"\u00", r"\u00", 0),
            (r"\u00g0", r"\u00g0", 0),
            (r"\", r"\", 0),
            (r"\é\u0000", r"\é\ufffd", 1),
        ] {
            let (clean, replaced) = json(input);
            assert_eq!((clean.as_ref(), replaced), (output, count), "{input}");
            assert!(count == 0 || may_need(input.as_bytes()), "{input}");
        }
        assert_eq!(plain("a\0\0b"), (Cow::Borrowed("a\u{fffd}\u{fffd}b"), 2));
        assert_eq!(plain("ab"), (Cow::Borrowed("ab"), 0));
    }

    proptest! {
        /// Invariant: any text is survived, and what was replaced once needs nothing more.
        #[test]
        fn scrubbing_twice_changes_nothing(
            text in r#"(\\u(0000|d83d|de00|0041|00)|\\|u|"|x|é|\x00){0,12}"#
        ) {
            let (once, _) = json(&text);
            prop_assert_eq!(json(&once).1, 0);
            prop_assert!(!once.contains('\0'));
        }
    }
}
