//! How long? Always with a unit: `30` alone could be seconds or milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Amount, UnitError};

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
    pub(in super::super) const FORM: &'static str =
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

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
        /// Invariant: a duration prints as a text that reads back as the same duration.
        #[test]
        fn a_span_survives_its_text(nanos: u64, scale in proptest::sample::select(&SPANS[..])) {
            let span = Span(Duration::from_nanos(nanos / scale.1 * scale.1));
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        /// Invariant: no text makes the parser panic.
        #[test]
        fn any_text_is_a_span_or_refused(text in "[0-9.]{0,24} ?\\PC{0,4}") {
            let _ = text.parse::<Span>();
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
    fn a_span_prints_in_the_largest_exact_unit() {
        let spans = [(0, "0 s"), (100, "100 ms"), (90_000, "90 s"), (86_400_000, "1 d")];
        for (ms, text) in spans {
            assert_eq!(Span::ms(ms).to_string(), text);
        }
    }
}
