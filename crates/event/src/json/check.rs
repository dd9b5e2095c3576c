//! What may a JSON value hold that is valid JSON and still no database would take?
//!
//! Depth, since a reader that recurses has a stack; and numbers, since PostgreSQL's `jsonb` keeps
//! them as `numeric`, which has an end
//! (<https://www.postgresql.org/docs/current/datatype-numeric.html>). Values are copied without
//! being parsed, so this looks at their text, which the JSON parser has already found valid.
//! A string is passed over unseen, and what is neither number nor container costs one comparison.

use super::error::Reason;

/// Most digits before the decimal point.
pub(super) const WHOLE_DIGITS_MAX: i64 = 131_072;
/// Most digits after the decimal point.
pub(super) const FRACTION_DIGITS_MAX: i64 = 16_383;
/// No number this short is out of range: the shortest is `1e131072`.
const SHORT: usize = 7;

/// Checks one value that lies `level` deep; `depth_max` is how deep its innermost part may lie.
///
/// # Errors
///
/// [`Reason::TooDeep`] and [`Reason::NumberTooLarge`].
#[inline]
pub(super) fn value(json: &str, level: u32, depth_max: u32) -> Result<(), Reason> {
    match json.as_bytes().first() {
        // Most values are strings: asked first.
        Some(b'"') => Ok(()),
        Some(b'{' | b'[') => container(json, level, depth_max),
        Some(b'-' | b'0'..=b'9') if json.len() > SHORT => number(json),
        _ => Ok(()),
    }
}

fn container(json: &str, level: u32, depth_max: u32) -> Result<(), Reason> {
    let bytes = json.as_bytes();
    let (mut depth, mut at) = (level, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'{' | b'[' if depth >= depth_max => return Err(Reason::TooDeep { max: depth_max }),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = bytes.iter().skip(at).position(|byte| !is_part(byte)).unwrap_or(1);
                number(json.get(at..at + length).unwrap_or_default())?;
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Where the string that begins before `at` has its closing quote.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

/// Checks a number.
///
/// # Errors
///
/// [`Reason::NumberTooLarge`].
#[inline]
pub(super) fn number(json: &str) -> Result<(), Reason> {
    if json.len() <= SHORT { Ok(()) } else { long_number(json) }
}

fn long_number(json: &str) -> Result<(), Reason> {
    let (digits, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('-');
    let length = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX);
    // An exponent that fits no i32 is out of range whatever it belongs to.
    let Ok(exponent) = exponent.parse::<i32>().map(i64::from) else {
        return Err(Reason::NumberTooLarge);
    };
    if length(whole) + exponent > WHOLE_DIGITS_MAX
        || length(fraction) - exponent > FRACTION_DIGITS_MAX
    {
        return Err(Reason::NumberTooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_numeric_ends() {
        let long = |digits: usize| "9".repeat(digits);
        for good in [
            "0".into(),
            "-1.5e-7".into(),
            "1e131071".into(),
            "-1E+131071".into(),
            "9e99999".into(),
            "1e-16383".into(),
            "0.1e-16382".into(),
            long(131_072),
            format!("0.{}", long(16_383)),
            format!("-{}.{}", long(131_072), long(16_383)),
        ] {
            assert_eq!(value(&good, 1, 64), Ok(()), "{good:.20}");
            assert_eq!(value(&format!("[{good}, {good} ]"), 1, 64), Ok(()), "[{good:.20}]");
        }
        for bad in [
            "1e131072".into(),
            "10e131071".into(),
            "1e-16384".into(),
            "0.1e-16383".into(),
            "1e99999999999".into(),
            "-1e-99999999999".into(),
            long(131_073),
            format!("0.{}", long(16_384)),
        ] {
            assert_eq!(value(&bad, 1, 64), Err(Reason::NumberTooLarge), "{bad:.20}");
            for around in [format!("[{bad}]"), format!(r#"{{"a\"":"\\","b":[1,{bad} ]}}"#)] {
                assert_eq!(value(&around, 1, 64), Err(Reason::NumberTooLarge), "{bad:.20}");
            }
        }
        assert_eq!(value(r#"["1e131072","\"1e131072"]"#, 1, 64), Ok(()));
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        for (json, level, good) in [
            ("[]", 3, true),
            ("[]", 4, false),
            ("[[1],[2],{}]", 2, true),
            ("[[[]]]", 2, false),
            (r#"{"[[[[":"{{\"{{"}"#, 3, true),
            (r#""[[[[""#, 4, true),
            ("7", 4, true),
        ] {
            let expected = if good { Ok(()) } else { Err(Reason::TooDeep { max: 4 }) };
            assert_eq!(value(json, level, 4), expected, "{json}");
        }
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(value(&deep, 1, 64), Err(Reason::TooDeep { max: 64 }));
    }
}
