//! What does a string with escapes say?
//!
//! It was found valid before, and the scrubber left no lone surrogate in it; one would be written as
//! U+FFFD. Written here because `serde_json` unescapes into a buffer that it makes anew for every
//! string.

use crate::special;

/// Writes the text between the quotes of a valid JSON string into the buffer, which is emptied.
#[cold]
pub(super) fn unescape(inside: &str, buffer: &mut String) {
    let bytes = inside.as_bytes();
    let mut copied = 0;
    buffer.clear();
    while let Some((at, _)) = special::find(bytes, copied) {
        buffer.push_str(inside.get(copied..at).unwrap_or_default());
        let (character, length) = escape(bytes.get(at..).unwrap_or_default());
        buffer.push(character);
        copied = at + length;
    }
    buffer.push_str(inside.get(copied..).unwrap_or_default());
}

/// The character that the escape at the beginning means, and how long the escape is.
fn escape(bytes: &[u8]) -> (char, usize) {
    match bytes.get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => unicode(bytes),
        // A quote, a backslash, a slash.
        Some(byte) => (char::from(*byte), 2),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn unicode(bytes: &[u8]) -> (char, usize) {
    match (unit(bytes), bytes.get(6..).map(unit)) {
        (high @ 0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        (code, _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

/// The UTF-16 unit of a `\uXXXX`; one that is no character if it is none.
fn unit(bytes: &[u8]) -> u32 {
    let digits = bytes.get(..6).and_then(|escape| escape.strip_prefix(br"\u"));
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let digits = digits
        .and_then(|digits| digits.iter().try_fold(0, |unit, byte| Some(unit << 4 | digit(byte)?)));
    digits.unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: a string says what `serde_json` reads in it, however it is written.
        #[test]
        fn it_says_what_serde_json_reads(
            pieces in proptest::collection::vec(prop_oneof![
                ".{0,6}".prop_map(|text| {
                    let json = serde_json::to_string(&text).unwrap();
                    json[1..json.len() - 1].to_owned()
                }),
                any::<char>().prop_map(|character| {
                    let mut units = [0; 2];
                    let units = character.encode_utf16(&mut units);
                    units.iter().map(|unit| format!("\\u{unit:04X}")).collect::<String>()
                }),
                proptest::sample::select(vec!["\\/", "\\b", "\\f", "\\n", "\\\"", "\\\\", "u0041"])
                    .prop_map(str::to_owned),
            ], 0..8)
        ) {
            let inside = pieces.concat();
            let mut text = String::from("before");
            unescape(&inside, &mut text);
            let expected: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap();
            prop_assert_eq!(text, expected);
        }
    }
}
