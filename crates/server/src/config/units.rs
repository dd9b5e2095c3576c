//! How are sizes and durations written, so that nobody mistakes seconds for milliseconds?
//!
//! With their unit: `10 MiB`, `64 kB`, `100 ms`, `1 h 30 m`. A duration without a unit is refused;
//! a size without one is in bytes. Both print in the largest unit that says them exactly, so what
//! is printed reads back as the same value. Amounts are counted in whole bytes and nanoseconds:
//! `1.5 s` is exact and accepted, `0.3 B` is not and refused.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// The text is not an amount of the unit asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} must be {must_be}")]
pub struct UnitError {
    /// What was written.
    pub text: String,
    /// What has to be written.
    pub must_be: &'static str,
}

/// A number of bytes.
///
/// ```
/// use tidegate_server::config::ByteSize;
///
/// let size: ByteSize = "10 MiB".parse()?;
/// assert_eq!(size.bytes(), 10 << 20);
/// assert_eq!(size.to_string(), "10 MiB");
/// assert_eq!("1024".parse(), Ok(ByteSize::kib(1)));
/// # Ok::<(), tidegate_server::config::UnitError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Names of the units of size, largest first; the first of a pair prints, case does not matter.
const SIZES: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
    // A bare number.
    ("", 1),
];

impl ByteSize {
    /// What a size has to look like.
    pub(super) const FORM: &'static str =
        "a whole number of bytes, best with a unit, like `64 KiB`, `10 MiB` or `1 GB`";

    /// This many bytes.
    #[must_use]
    pub const fn b(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many times 1,024 bytes; at most 2⁶⁴ − 1 bytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// This many times 1,024² bytes; at most 2⁶⁴ − 1 bytes.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// This many times 1,024³ bytes; at most 2⁶⁴ − 1 bytes.
    #[must_use]
    pub const fn gib(gib: u64) -> Self {
        Self(gib.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as an amount of memory, at most what a pointer can address.
    #[must_use]
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let amount = Amount::parse(text.trim()).and_then(|(amount, unit)| {
            let (_, scale) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
            u64::try_from(amount.times(*scale)?).ok()
        });
        amount.map(Self).ok_or_else(|| UnitError { text: text.to_owned(), must_be: Self::FORM })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SIZES.iter().find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale));
        let (name, scale) = exact.copied().unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / scale)
    }
}

/// A length of time.
///
/// ```
/// use std::time::Duration;
/// use tidegate_server::config::Span;
///
/// let span: Span = "1m 30s".parse()?;
/// assert_eq!(span.duration(), Duration::from_secs(90));
/// assert_eq!(span.to_string(), "90 s");
/// assert!("30".parse::<Span>().is_err(), "30 of what?");
/// # Ok::<(), tidegate_server::config::UnitError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// Names of the units of time and their nanoseconds, largest first; the first of equals prints.
const SPANS: [(&str, u64); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

impl Span {
    /// What a duration has to look like.
    pub(super) const FORM: &'static str =
        "a duration with its unit, like `100 ms`, `5 s`, `1 m`, `2 h` or `30 d`";

    /// This many milliseconds.
    #[must_use]
    pub const fn ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// This many seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    fn nanos(text: &str) -> Option<u64> {
        let (mut sum, mut rest) = (0u64, text.trim());
        loop {
            let (amount, after) = Amount::parse(rest)?;
            let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            let (_, scale) = SPANS.iter().find(|(name, _)| *name == unit)?;
            sum = sum.checked_add(u64::try_from(amount.times(*scale)?).ok()?)?;
            rest = next.trim_start();
            if rest.is_empty() {
                return Some(sum);
            }
        }
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::nanos(text)
            .map(|nanos| Self(Duration::from_nanos(nanos)))
            .ok_or_else(|| UnitError { text: text.to_owned(), must_be: Self::FORM })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0 s");
        }
        let exact = SPANS.iter().find(|(_, scale)| nanos.is_multiple_of(u128::from(*scale)));
        let (name, scale) = exact.copied().unwrap_or(("ns", 1));
        write!(f, "{} {name}", nanos / u128::from(scale))
    }
}

/// A decimal number, exactly: `whole` and `fraction` / 10^`digits`.
#[derive(Clone, Copy)]
struct Amount {
    whole: u64,
    fraction: u64,
    digits: u32,
}

impl Amount {
    /// The number that `text` begins with, and what follows it after blanks.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (whole, rest) = text.split_at_checked(digits(text))?;
        let whole = whole.parse().ok()?;
        let Some(after) = rest.strip_prefix('.') else {
            return Some((Self { whole, fraction: 0, digits: 0 }, rest.trim_start()));
        };
        let (fraction, rest) = after.split_at_checked(digits(after))?;
        let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 12)?;
        Some((Self { whole, fraction: fraction.parse().ok()?, digits }, rest.trim_start()))
    }

    /// So many units of `scale`, if that is a whole number.
    fn times(self, scale: u64) -> Option<u128> {
        let fraction = u128::from(self.fraction) * u128::from(scale);
        let parts = 10u128.checked_pow(self.digits)?;
        let whole = u128::from(self.whole) * u128::from(scale);
        fraction.is_multiple_of(parts).then(|| whole + fraction / parts)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, best with a unit: `64 KiB`, `10 MiB`, `1 GB`.",
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([KMGTkmgt][Ii]?)?[Bb]?\s*$",
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with its unit: `100 ms`, `5 s`, `1 m`, `2 h`, `30 d`.",
            "type": "string",
            "pattern": r"^(\s*[0-9]+(\.[0-9]+)?\s*(d|h|m|min|s|ms|us|µs|ns))+\s*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: a size prints as a text that reads back as the same size.
        #[test]
        fn a_size_survives_its_text(bytes: u64, shift in 0..64u32) {
            let size = ByteSize::b(bytes >> shift << (shift / 2));
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        /// Invariant: a duration prints as a text that reads back as the same duration.
        #[test]
        fn a_span_survives_its_text(nanos: u64, scale in proptest::sample::select(&SPANS[..])) {
            let span = Span(Duration::from_nanos(nanos / scale.1 * scale.1));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        /// Invariant: no text makes the parsers panic.
        #[test]
        fn any_text_is_an_amount_or_refused(text in "[0-9.]{0,24} ?\\PC{0,4}") {
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<Span>();
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("1024", 1024),
            ("0", 0),
            ("64KiB", 64 << 10),
            ("64 kib", 64 << 10),
            ("10MB", 10_000_000),
            ("1.5 GiB", 3 << 29),
            (" 2 TiB ", 2 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in
            ["", "MiB", "64k", "-1", "10 Mi", "0.3 B", "1,000", "1e3", "20000000 TiB", "1..5 B"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("100ms", 100),
            ("5 s", 5_000),
            ("1m", 60_000),
            ("1 min", 60_000),
            ("0.5 s", 500),
            ("1h30m", 5_400_000),
            ("30d", 2_592_000_000),
            ("2000 µs", 2),
            ("0 ms", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span::ms(ms)), "{text}");
        }
        for text in
            ["", "s", "30", "0", "5 S", "5 parsecs", "-1 s", "1 s 2", "0.1 ns", "999999999 d"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_print_in_the_largest_exact_unit() {
        let sizes = [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (10_000_000, "10 MB")];
        for (bytes, text) in sizes {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
        let spans = [(0, "0 s"), (100, "100 ms"), (90_000, "90 s"), (86_400_000, "1 d")];
        for (ms, text) in spans {
            assert_eq!(Span::ms(ms).to_string(), text);
        }
    }
}
