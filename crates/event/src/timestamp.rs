//! When did it happen, if the producer says so in text or as a bare number?
//!
//! Every form here names one instant without guessing at a locale. What fits none of them is no
//! timestamp, and the caller keeps it as data.
//!
//! # Text
//!
//! RFC 3339 (`2026-11-05T09:30:00.25+01:00`), with these liberties, since logs take them: a space
//! or a small `t` in the middle, a comma before the fraction, an offset without its colon or its
//! minutes, a space before the offset, `UTC` or `GMT` as an offset, and no offset at all, which
//! means UTC. A second of 60 is the first of the next minute. Digits past the nanosecond are cut.
//!
//! # Numbers
//!
//! A number, or a string of digits, counts from 1970 in the unit its magnitude tells. The four
//! ranges meet, and each begins on 1973-03-03, so that no small number (a duration, a level, a
//! counter) is taken for a date:
//!
//! | from | below | unit | so it covers |
//! |---|---|---|---|
//! | 10⁸ | 10¹¹ | seconds | 1973 to 5138, cut at 2262 |
//! | 10¹¹ | 10¹⁴ | milliseconds | 1973 to 5138, cut at 2262 |
//! | 10¹⁴ | 10¹⁷ | microseconds | 1973 to 5138, cut at 2262 |
//! | 10¹⁷ | 2⁶³ | nanoseconds | 1973 to 2262 |

const SECOND: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;
/// Days before each month of a common year.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// The instant a text names, in nanoseconds since 1970-01-01 UTC; `None` if it names none, or one
/// outside the years 1677 to 2262.
///
/// ```
/// use tidegate_event::timestamp;
///
/// assert_eq!(timestamp::from_text("1970-01-01T00:00:01Z"), Some(1_000_000_000));
/// assert_eq!(timestamp::from_text("1700000000123"), Some(1_700_000_000_123_000_000));
/// assert_eq!(timestamp::from_text("yesterday"), None);
/// ```
#[must_use]
pub fn from_text(text: &str) -> Option<i64> {
    match text.as_bytes().get(4) {
        Some(b'-') => from_date(text.as_bytes()),
        _ => from_number(text),
    }
}

/// The instant a decimal number names by its magnitude, in nanoseconds since 1970-01-01 UTC.
///
/// ```
/// use tidegate_event::timestamp;
///
/// assert_eq!(timestamp::from_number("1700000000.25"), Some(1_700_000_000_250_000_000));
/// assert_eq!(timestamp::from_number("0.25"), None);
/// ```
#[must_use]
pub fn from_number(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !digits_only(whole) || !digits_only(fraction) {
        return from_exponent(text);
    }
    if whole.starts_with('0') {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let unit = unit_of(whole)?;
    let nanoseconds = whole.checked_mul(unit)?;
    // A fraction of less than a nanosecond is cut, so nine digits are all that can count.
    let part = i128::from(decimals(fraction.as_bytes())) * i128::from(unit) / i128::from(SECOND);
    nanoseconds.checked_add(i64::try_from(part).ok()?)
}

/// The instant a count of nanoseconds names, if it is a positive decimal integer
/// without leading zeros.
#[must_use]
pub fn from_nanoseconds(text: &str) -> Option<i64> {
    if text.starts_with('0') || !digits_only(text) {
        return None;
    }
    text.parse().ok()
}

fn digits_only(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nanoseconds in the unit that a count of this magnitude is in.
const fn unit_of(whole: i64) -> Option<i64> {
    match whole {
        100_000_000..100_000_000_000 => Some(SECOND),
        100_000_000_000..100_000_000_000_000 => Some(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(1_000),
        100_000_000_000_000_000.. => Some(1),
        _ => None,
    }
}

/// `1.7e9` and the like: what some encoders make of a float. The precision is a float's.
fn from_exponent(text: &str) -> Option<i64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // Past 2^63 the cast saturates, and the unit of what it saturates to is nanoseconds: refused.
    if !(0.0..9.2e18).contains(&number) {
        return None;
    }
    let unit = unit_of(number as i64)?;
    let part = (number.fract() * unit as f64) as i64;
    (number as i64).checked_mul(unit)?.checked_add(part)
}

/// The first nine decimals as a count of billionths.
fn decimals(digits: &[u8]) -> i64 {
    let mut value = 0;
    for place in 0..9 {
        value = value * 10 + i64::from(digits.get(place).map_or(0, |digit| digit - b'0'));
    }
    value
}

/// Takes fixed pieces off the front of a date.
struct Pieces<'a>(&'a [u8]);

impl Pieces<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let mut value = 0;
        for byte in head {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        self.0 = rest;
        Some(value)
    }

    fn one_of(&mut self, choices: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !choices.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// The digits of a fraction, as billionths; zero when there is none.
    fn fraction(&mut self) -> Option<i64> {
        if self.one_of(b".,").is_none() {
            return Some(0);
        }
        let end = self.0.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) =
            self.0.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?;
        self.0 = rest;
        Some(decimals(digits))
    }

    /// The offset from UTC in seconds; it must be all that is left.
    fn offset(&mut self) -> Option<i64> {
        if let Some((b' ', rest)) = self.0.split_first() {
            self.0 = rest;
        }
        if matches!(self.0, b"" | b"Z" | b"z" | b"UTC" | b"GMT") {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let colon = self.one_of(b":").is_some();
        let minutes = if self.0.is_empty() && !colon { 0 } else { self.number(2)? };
        (minutes < 60 && self.0.is_empty()).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

fn from_date(text: &[u8]) -> Option<i64> {
    let mut pieces = Pieces(text);
    let year = pieces.number(4)?;
    pieces.one_of(b"-")?;
    let month = pieces.number(2)?;
    pieces.one_of(b"-")?;
    let day = pieces.number(2)?;
    pieces.one_of(b"Tt ")?;
    let hour = pieces.number(2).filter(|hour| *hour < 24)?;
    pieces.one_of(b":")?;
    let minute = pieces.number(2).filter(|minute| *minute < 60)?;
    pieces.one_of(b":")?;
    let second = pieces.number(2).filter(|second| *second <= 60)?;
    let fraction = pieces.fraction()?;
    let offset = pieces.offset()?;
    let seconds =
        days(year, month, day)? * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    // In 128 bits, since in the first second of 1677 the whole seconds alone do not fit 64.
    i64::try_from(i128::from(seconds) * i128::from(SECOND) + i128::from(fraction)).ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` if there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let before = *DAYS_BEFORE.get(index)?;
    let after = DAYS_BEFORE.get(index + 1).map_or(365, |days| *days);
    let length = after - before + i64::from(leap && month == 2);
    if day < 1 || day > length {
        return None;
    }
    let leaps = |last: i64| last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400);
    let years = 365 * (year - 1970) + leaps(year - 1) - leaps(1969);
    Some(years + before + i64::from(leap && month > 2) + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_text_is_read() {
        let at = 1_762_335_000 * SECOND; // 2025-11-05T09:30:00Z
        for (text, nanoseconds) in [
            ("2025-11-05T09:30:00Z", at),
            ("2025-11-05t09:30:00z", at),
            ("2025-11-05 09:30:00", at),
            ("2025-11-05T09:30:00", at),
            ("2025-11-05 09:30:00 UTC", at),
            ("2025-11-05 09:30:00.5 GMT", at + SECOND / 2),
            ("2025-11-05T10:30:00+01:00", at),
            ("2025-11-05 10:30:00 +0100", at),
            ("2025-11-05T10:30:00+01", at),
            ("2025-11-05T04:00:00-05:30", at),
            ("2025-11-05T09:30:00-00:00", at),
            ("2025-11-05 09:30:00,123", at + 123_000_000),
            ("2025-11-05T09:30:00.123456789Z", at + 123_456_789),
            ("2025-11-05T09:30:00.1234567899Z", at + 123_456_789),
            ("2025-11-05T09:29:60Z", at),
            ("1969-12-31T23:59:59.5Z", -SECOND / 2),
            ("2000-02-29T00:00:00Z", 951_782_400 * SECOND),
            ("1677-09-21T00:12:43.145224193Z", -i64::MAX),
            ("2262-04-11T23:47:16.854775807Z", i64::MAX),
        ] {
            assert_eq!(from_text(text), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn every_unit_of_number_is_read() {
        for (text, nanoseconds) in [
            ("100000000", 100_000_000 * SECOND),
            ("1700000000", 1_700_000_000 * SECOND),
            ("1700000000.123456789", 1_700_000_000_123_456_789),
            ("1700000000123", 1_700_000_000_123_000_000),
            ("1700000000123.5", 1_700_000_000_123_500_000),
            ("1700000000123456", 1_700_000_000_123_456_000),
            ("1700000000123456.7899", 1_700_000_000_123_456_789),
            ("1700000000123456789", 1_700_000_000_123_456_789),
            ("1700000000123456789.9", 1_700_000_000_123_456_789),
            ("1.7e9", 1_700_000_000 * SECOND),
            ("17E+8", 1_700_000_000 * SECOND),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(from_number(text), Some(nanoseconds), "{text}");
            assert_eq!(from_text(text), Some(nanoseconds), "{text} as text");
        }
        assert_eq!(from_nanoseconds("5"), Some(5));
        assert_eq!(from_nanoseconds("1700000000000000000"), Some(1_700_000_000_000_000_000));
    }

    #[test]
    fn what_names_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "-",
            "2025",
            "2025-11-05",
            "2025-11-05T09:30",
            "2025-11-05T09:30:00.",
            "2025-11-05T09:30:00+",
            "2025-11-05T09:30:00+01:",
            "2025-11-05T09:30:00Zulu",
            "2025-11-05T09:30:00+24:00",
            "2025-11-05T09:30:00+01:60",
            "2025-11-05T09:30:00 CET",
            "2025-13-05T09:30:00Z",
            "2025-00-05T09:30:00Z",
            "2025-02-29T09:30:00Z",
            "1900-02-29T09:30:00Z",
            "2025-11-31T09:30:00Z",
            "2025-11-00T09:30:00Z",
            "2025-11-05T24:00:00Z",
            "2025-11-05T09:60:00Z",
            "2025-11-05T09:30:61Z",
            "1677-01-01T00:00:00Z",
            "2300-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "99999999",
            "99999999999",
            "-1700000000",
            "0.25",
            "1.5",
            "9223372036854775808",
            "1e30",
            "1e-3",
            "12345678e400",
            "17000000001e",
            "1_700_000_000",
            "+1700000000",
            "inf",
            "NaN",
            "٢٠٢٥-11-05T09:30:00Z",
            "2025-1é",
        ] {
            assert_eq!(from_text(text), None, "{text}");
        }
        for text in ["", "0", "05", "+5", "-5", "1.5", "x", "9223372036854775808"] {
            assert_eq!(from_nanoseconds(text), None, "{text}");
        }
    }

    proptest! {
        /// Invariant: any text at all is read without a panic.
        #[test]
        fn any_text_is_survived(text in "[0-9TtZ:+. eE-]{0,40}|.{0,40}") {
            let _ = (from_text(&text), from_number(&text), from_nanoseconds(&text));
        }

        /// Invariant: days count up by one, month by month and year by year.
        #[test]
        fn days_are_counted_without_a_gap(year in 0..=9998i64, month in 1..=12i64) {
            let last = (28..=31).rev().find_map(|day| days(year, month, day)).unwrap();
            let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            prop_assert_eq!(days(next_year, next_month, 1), Some(last + 1));
            prop_assert_eq!(days(year, month, 2).unwrap() - days(year, month, 1).unwrap(), 1);
        }
    }
}
