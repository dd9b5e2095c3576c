//! How does a person write a number, a rate or a span of time on the command line?
//!
//! As `1M`, `50k` or `1m30s`. The same text always means the same number: suffixes are decimal
//! (`k` is 1,000, never 1,024), and what would have to be rounded or guessed is refused.

use std::time::Duration;

use thiserror::Error;

/// Why a quantity was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Not a count such as `250000`, `250k` or `1.5M`.
    #[error("`{0}` is not a count: write 250000, 250_000, 250k, 1.5M or 2G")]
    Count(String),
    /// Not a positive rate such as `2000` or `50k`.
    #[error("`{0}` is not a rate in events a second: write 2000, 50k, 1.5M or 0.5")]
    Rate(String),
    /// Not a span of time such as `500ms` or `1m30s`.
    #[error("`{0}` is not a span of time: write 500ms, 30s, 1.5s, 2m, 1h or 1m30s")]
    Span(String),
}

/// Reads a whole number: digits, `_` between them, and an optional suffix `k`, `M` or `G`
/// (in either case; thousands, millions, thousand millions).
///
/// ```
/// assert_eq!(tidegate_load::units::count("1.5M"), Ok(1_500_000));
/// assert!(tidegate_load::units::count("0.5").is_err());
/// ```
///
/// # Errors
/// [`QuantityError::Count`] when it is no number, not whole, or over `u64::MAX`.
pub fn count(text: &str) -> Result<u64, QuantityError> {
    let refuse = || QuantityError::Count(text.to_owned());
    let (number, scale) = suffixed(text).ok_or_else(refuse)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let mut value = whole.parse::<u64>().ok().and_then(|n| n.checked_mul(scale));
    let mut place = scale;
    for digit in fraction.chars() {
        if !place.is_multiple_of(10) {
            return Err(refuse());
        }
        place /= 10;
        let digit = u64::from(digit.to_digit(10).ok_or_else(refuse)?);
        value = value.and_then(|v| v.checked_add(digit * place));
    }
    value.ok_or_else(refuse)
}

/// Reads a rate in events a second: like [`count`], but fractions are welcome and zero is not.
/// A trailing `/s` is allowed.
///
/// # Errors
/// [`QuantityError::Rate`] when it is no number or not above zero.
pub fn rate(text: &str) -> Result<f64, QuantityError> {
    let refuse = || QuantityError::Rate(text.to_owned());
    let bare = text.strip_suffix("/s").unwrap_or(text);
    let (number, scale) = suffixed(bare).ok_or_else(refuse)?;
    let value = number.parse::<f64>().map_err(|_| refuse())?;
    let value = value * scale_as_f64(scale);
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(refuse()) }
}

/// Reads a span of time: one or more numbers, each with its unit (`ms`, `s`, `m`, `h`).
///
/// ```
/// use std::time::Duration;
/// assert_eq!(tidegate_load::units::span("1m30s"), Ok(Duration::from_secs(90)));
/// assert!(tidegate_load::units::span("30").is_err());
/// ```
///
/// # Errors
/// [`QuantityError::Span`] when a number has no unit, a unit is unknown, or the sum is too large.
pub fn span(text: &str) -> Result<Duration, QuantityError> {
    let refuse = || QuantityError::Span(text.to_owned());
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(refuse()),
        };
        let number = number.parse::<f64>().map_err(|_| refuse())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| refuse())?;
        sum = sum.checked_add(part).ok_or_else(refuse)?;
        rest = next;
    }
    Ok(sum)
}

/// The digits (without `_`) and the factor of the suffix.
fn suffixed(text: &str) -> Option<(String, u64)> {
    let text = text.trim();
    let (digits, scale) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1_000),
        (at, 'm' | 'M') => (text.get(..at)?, 1_000_000),
        (at, 'g' | 'G') => (text.get(..at)?, 1_000_000_000),
        _ => (text, 1),
    };
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let valid = plain.starts_with(|c: char| c.is_ascii_digit())
        && plain.ends_with(|c: char| c.is_ascii_digit())
        && plain.chars().all(|c| c.is_ascii_digit() || c == '.')
        && plain.matches('.').count() <= 1;
    valid.then_some((plain, scale))
}

/// Scales are at most 10⁹, far inside what a double holds exactly.
fn scale_as_f64(scale: u64) -> f64 {
    scale as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_take_suffixes_and_refuse_what_they_would_have_to_round() {
        for (text, value) in [
            ("0", 0),
            ("1_000", 1_000),
            ("50k", 50_000),
            ("1M", 1_000_000),
            ("2.25G", 2_250_000_000),
        ] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        for text in ["", "k", "1.5", "1.0001k", "-1", "1e6", "1 M x", "99999999999999999999", ".5M"]
        {
            assert_eq!(count(text), Err(QuantityError::Count(text.into())), "{text}");
        }
    }

    #[test]
    fn rates_may_be_fractions_but_not_zero() {
        assert_eq!(rate("50k/s"), Ok(50_000.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["0", "-5", "fast", "", "nan", "inf"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_need_units() {
        assert_eq!(span("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(span("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(span("1h2m3s"), Ok(Duration::from_secs(3723)));
        for text in ["", "5", "5 parsecs", "s", "1m30", "99999999999999999999999h"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// Invariant: no text makes a quantity panic, and a plain number is itself.
        #[test]
        fn any_text_is_answered(text in "\\PC{0,12}", number in any::<u64>()) {
            let _ = (count(&text), rate(&text), span(&text));
            prop_assert_eq!(count(&number.to_string()), Ok(number));
        }
    }
}
