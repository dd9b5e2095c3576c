//! What does a member of a simple type hold? `null` is what the type has when nothing is sent.

use std::borrow::Cow;
use std::str::FromStr;

use super::members;
use crate::json::Reason;

/// Characters of a value that are said again.
const TOLD_CHARS_MAX: usize = 40;

/// Whether a text is `null`.
pub(super) fn is_null(raw: &str) -> bool {
    raw == "null"
}

#[cold]
pub(super) fn mistyped(what: &str, expected: &str) -> Reason {
    Reason::Mistyped { detail: format!("{what} must be {expected}") }
}

/// A string.
pub(super) fn string(raw: &str) -> Result<Cow<'_, str>, Reason> {
    if is_null(raw) { Ok("".into()) } else { Ok(members::unquoted(raw)?) }
}

/// An integer, as a number or as a string.
pub(super) fn decimal<T: FromStr + Default>(raw: &str) -> Result<T, Reason> {
    if is_null(raw) {
        return Ok(T::default());
    }
    let digits = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    let told = || digits.chars().take(TOLD_CHARS_MAX).collect::<String>();
    digits.parse().map_err(|_| mistyped(&format!("`{}`", told()), "an integer in range"))
}

/// An integer of 64 bits without a sign.
pub(super) fn unsigned(raw: &str) -> Result<u64, Reason> {
    decimal(raw)
}

/// An integer of 64 bits.
pub(super) fn integer(raw: &str) -> Result<i64, Reason> {
    decimal(raw)
}

/// A number, or `NaN`, `Infinity` and `-Infinity` as strings.
pub(super) fn double(raw: &str) -> Result<f64, Reason> {
    let inside = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let wrong = || mistyped("doubleValue", "a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
    match inside.unwrap_or(raw) {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        // What JSON has no number for is not read from other words either.
        digits if digits.bytes().all(|byte| !byte.is_ascii_alphabetic() || byte | 0x20 == b'e') => {
            digits.parse().map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// Base64 of either alphabet, in the standard one.
pub(super) fn base64(text: Cow<'_, str>) -> Result<Cow<'_, str>, Reason> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    if !text.bytes().all(is_digit) {
        return Err(mistyped("bytesValue", "base64"));
    }
    if text.contains(['-', '_']) {
        return Ok(text.replace('-', "+").replace('_', "/").into());
    }
    Ok(text)
}
