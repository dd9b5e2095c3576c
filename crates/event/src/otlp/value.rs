//! How does a value of the protocol stand in a JSON text?
//!
//! As OpenTelemetry wants it outside of its own protocol
//! (<https://opentelemetry.io/docs/specs/otel/common/#anyvalue-representation-for-non-otlp-protocols>):
//! bytes as base64, what JSON has no number for as the strings `NaN`, `Infinity` and `-Infinity`,
//! an empty value as `null`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::attributes::escape;
use crate::scrub;

/// A string. Returns how many of its characters were replaced.
#[inline]
pub(super) fn string(text: &str, out: &mut String) -> u64 {
    out.push('"');
    let replaced = escape(text, out);
    out.push('"');
    replaced
}

pub(super) fn boolean(value: bool, out: &mut String) {
    out.push_str(if value { "true" } else { "false" });
}

pub(super) fn integer(value: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

pub(super) fn unsigned(value: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

pub(super) fn double(value: f64, out: &mut String) {
    if value.is_finite() {
        out.push_str(zmij::Buffer::new().format_finite(value));
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

/// Bytes as text, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

pub(super) fn hex(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    out.push('"');
}

/// Text that a sink takes: what is not UTF-8 in it, and NUL, became U+FFFD. Also how often.
#[inline]
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, u64) {
    match std::str::from_utf8(bytes) {
        Ok(text) => scrub::plain(text),
        Err(_) => mended(bytes),
    }
}

#[cold]
fn mended(bytes: &[u8]) -> (Cow<'_, str>, u64) {
    let broken = bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count() as u64;
    let text = String::from_utf8_lossy(bytes);
    let (clean, nuls) = scrub::plain(&text);
    (Cow::Owned(clean.into_owned()), broken + nuls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn every_number_is_json() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.25, "-0.25"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(of(|out| double(value, out)), text);
        }
        for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e21, -1e-7, 0.1 + 0.2] {
            let text = of(|out| double(value, out));
            assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), value, "{text}");
        }
        assert_eq!(of(|out| integer(i64::MIN, out)), "-9223372036854775808");
    }

    #[test]
    fn bytes_are_base64_and_ids_hexadecimal() {
        assert_eq!(of(|out| bytes(&[0xfb, 0xff], out)), "\"+/8=\"");
        assert_eq!(of(|out| hex(&[0x0a, 0xf1], out)), "\"0af1\"");
    }

    #[test]
    fn what_is_no_text_is_mended_and_counted() {
        assert_eq!(text(b"ebb"), ("ebb".into(), 0));
        assert_eq!(text(b"e\xffb\0\xc3"), ("e\u{fffd}b\u{fffd}\u{fffd}".into(), 3));
    }
}
