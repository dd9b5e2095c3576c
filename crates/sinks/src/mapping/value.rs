//! How does what a field holds become what a column takes? Exactly, or not at all: a value that
//! does not fit is told, never bent.

use std::borrow::Cow;
use std::fmt;

use tidegate_event::{attributes, timestamp};

use super::json;

/// What a field holds in one event.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// JSON text of any value, not null.
    Json(&'a str),
    /// An integer.
    Integer(i64),
    /// Nanoseconds since 1970 UTC.
    Instant(i64),
    /// An id: the first so many of these bytes.
    Id([u8; 16], u8),
}

/// A value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit;

/// What became of a value: absent, or this.
pub type Fitted<T> = Result<Option<T>, Misfit>;

impl<'a> Value<'a> {
    /// An id of 8 or 16 bytes.
    pub(super) fn id(bytes: &[u8]) -> Self {
        let mut id = [0; 16];
        let length = bytes.len().min(16);
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Self::Id(id, u8::try_from(length).unwrap_or(16))
    }

    /// The text of it: of strings what they stand for, of all else how it is written.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(json) => json_text(json),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Instant(nanoseconds) => Cow::Owned(rfc3339(*nanoseconds)),
            Self::Id(..) => Cow::Owned(hex(self.bytes()?.as_ref())),
        })
    }

    /// It as JSON text.
    #[must_use]
    pub fn json(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Json(json) => Some(Cow::Borrowed(json)),
            Self::Integer(number) => Some(Cow::Owned(number.to_string())),
            Self::Text(_) | Self::Instant(_) | Self::Id(..) => {
                let mut quoted = String::from("\"");
                attributes::escape(&self.text()?, &mut quoted);
                quoted.push('"');
                Some(Cow::Owned(quoted))
            }
        }
    }

    /// It as bytes: of an id those, of all else those of its text.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Id(id, length) => id.get(..usize::from(*length)).map(Cow::Borrowed),
            other => Some(match other.text()? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        }
    }

    /// It as an integer: an integer, a number or text of one.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is none, or beyond 64 bits.
    pub fn integer(&self) -> Fitted<i64> {
        match self {
            Self::Null => Ok(None),
            Self::Integer(number) | Self::Instant(number) => Ok(Some(*number)),
            Self::Id(..) => Err(Misfit),
            Self::Text(_) | Self::Json(_) => {
                let Some(text) = self.text() else { return Ok(None) };
                if let Ok(number) = text.parse() {
                    return Ok(Some(number));
                }
                whole(&text).map(Some).ok_or(Misfit)
            }
        }
    }

    /// It as a floating-point number.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is no number, or beyond its range.
    pub fn float(&self) -> Fitted<f64> {
        match self {
            Self::Null => Ok(None),
            Self::Integer(number) => Ok(Some(*number as f64)),
            Self::Instant(nanoseconds) => Ok(Some(*nanoseconds as f64 / 1e9)),
            Self::Id(..) => Err(Misfit),
            Self::Text(_) | Self::Json(_) => {
                let Some(text) = self.text() else { return Ok(None) };
                let number = Some(&*text).filter(|text| is_number(text));
                let number = number.and_then(|text| text.parse().ok());
                number.filter(|number: &f64| number.is_finite()).map(Some).ok_or(Misfit)
            }
        }
    }

    /// It as the digits of a decimal number, as JSON writes them.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is no number.
    pub fn decimal(&self) -> Fitted<Cow<'_, str>> {
        match self {
            Self::Null => Ok(None),
            Self::Id(..) => Err(Misfit),
            Self::Integer(number) | Self::Instant(number) => {
                Ok(Some(Cow::Owned(number.to_string())))
            }
            Self::Text(_) | Self::Json(_) => match self.text() {
                None => Ok(None),
                Some(text) if is_number(&text) => Ok(Some(text)),
                Some(_) => Err(Misfit),
            },
        }
    }

    /// It as true or false.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is neither.
    pub fn boolean(&self) -> Fitted<bool> {
        match self.text().as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Misfit),
        }
    }

    /// It as a moment, in nanoseconds since 1970 UTC: RFC 3339, or a number since 1970 in the unit
    /// that its size tells.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is none.
    pub fn instant(&self) -> Fitted<i64> {
        match self {
            Self::Null => Ok(None),
            Self::Instant(nanoseconds) => Ok(Some(*nanoseconds)),
            Self::Integer(_) | Self::Id(..) => Err(Misfit),
            Self::Text(_) | Self::Json(_) => {
                let Some(text) = self.text() else { return Ok(None) };
                let moment = timestamp::from_text(&text);
                moment.or_else(|| timestamp::from_number(&text)).map(Some).ok_or(Misfit)
            }
        }
    }

    /// It as a UUID: an id of 16 bytes, or 32 hexadecimal digits with or without hyphens.
    ///
    /// # Errors
    ///
    /// [`Misfit`] when it is none.
    pub fn uuid(&self) -> Fitted<[u8; 16]> {
        match self {
            Self::Null => Ok(None),
            Self::Id(id, 16) => Ok(Some(*id)),
            Self::Id(..) | Self::Integer(_) | Self::Instant(_) => Err(Misfit),
            Self::Text(_) | Self::Json(_) => {
                let Some(text) = self.text() else { return Ok(None) };
                let digits: String = text.chars().filter(|c| *c != '-').collect();
                let is_hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let number = Some(digits).filter(|_| is_hex);
                let number = number.and_then(|digits| u128::from_str_radix(&digits, 16).ok());
                number.map(|number| Some(number.to_be_bytes())).ok_or(Misfit)
            }
        }
    }
}

/// As a message shows it: as JSON, and not endless.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 60;
        let json = self.json().unwrap_or(Cow::Borrowed("nothing"));
        let shown: String = json.chars().take(CHARS_MAX).collect();
        let dots = if json.chars().nth(CHARS_MAX).is_some() { "…" } else { "" };
        write!(f, "{shown}{dots}")
    }
}

/// The text of a JSON value: of a string what it stands for, of all else how it is written.
fn json_text(json: &str) -> Cow<'_, str> {
    match json.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')) {
        Some(inside) => json::unescape(inside),
        None => Cow::Borrowed(json),
    }
}

/// Whether the text is a number as JSON writes one.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    is_digits(whole) && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits)
}

/// A number that is whole although it is not written so (`1e3`, `2.0`).
fn whole(text: &str) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = Some(text).filter(|text| is_number(text))?.parse().ok()?;
    let is_exact = number.abs() <= EXACT && number.fract() == 0.0;
    is_exact.then_some(number as i64)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3339 in UTC with nanoseconds. The calendar is Howard Hinnant's `civil_from_days`,
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn rfc3339(nanoseconds: i64) -> String {
    let (seconds, fraction) =
        (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_fit_exactly_or_not_at_all() {
        let json = Value::Json;
        assert_eq!(json("200").integer(), Ok(Some(200)));
        assert_eq!(json(r#""200""#).integer(), Ok(Some(200)));
        assert_eq!(json("1e3").integer(), Ok(Some(1000)));
        assert_eq!(json("2.0").integer(), Ok(Some(2)));
        assert_eq!(json("9223372036854775807").integer(), Ok(Some(i64::MAX)));
        for stray in ["2.5", "1e30", "9223372036854775808", r#""abc""#, "true", "[1]"] {
            assert_eq!(json(stray).integer(), Err(Misfit), "{stray}");
        }
        assert_eq!(json("12.5").float(), Ok(Some(12.5)));
        assert_eq!(json("1e400").float(), Err(Misfit));
        assert_eq!(json(r#""inf""#).float(), Err(Misfit));
        assert_eq!(json("1e400").decimal(), Ok(Some("1e400".into())));
        assert_eq!(json("true").boolean(), Ok(Some(true)));
        assert_eq!(json("1").boolean(), Err(Misfit));
        assert_eq!(json(r#""a\nb""#).text().as_deref(), Some("a\nb"));
        assert_eq!(json("[1,2]").text().as_deref(), Some("[1,2]"));
        assert_eq!(Value::Text("a\"b".into()).json().as_deref(), Some(r#""a\"b""#));
        assert_eq!(Value::Null.integer(), Ok(None));
        assert_eq!(json(r#""1970-01-01T00:00:01Z""#).instant(), Ok(Some(1_000_000_000)));
        assert_eq!(json(r#""yesterday""#).instant(), Err(Misfit));
        assert_eq!(
            json(r#""4bf92f35-77b3-4da6-a3ce-929d0e0e4736""#).uuid(),
            Ok(Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()))
        );
        assert_eq!(Value::id(&[1; 8]).uuid(), Err(Misfit));
        assert_eq!(Value::id(&[1; 8]).text().as_deref(), Some("0101010101010101"));
    }

    proptest! {
        /// Invariant: a moment's text is read back as the same moment.
        #[test]
        fn moments_are_read_as_they_are_written(nanoseconds: i64) {
            let text = rfc3339(nanoseconds);
            prop_assert_eq!(timestamp::from_text(&text), Some(nanoseconds), "{}", text);
        }
    }
}
