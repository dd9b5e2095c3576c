//! How are sizes and durations written, so that nobody mistakes seconds for milliseconds?
//!
//! With their unit: `10 MiB`, `64 kB`, `100 ms`, `1 h 30 m`. A duration without a unit is refused;
//! a size without one is in bytes. Both print in the largest unit that says them exactly, so what
//! is printed reads back as the same value. Amounts are counted in whole bytes and nanoseconds:
//! `1.5 s` is exact and accepted, `0.3 B` is not and refused.

mod share;
mod size;
mod span;

pub use share::Share;
pub use size::ByteSize;
pub use span::Span;

/// The text is not an amount of the unit asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} must be {must_be}")]
pub struct UnitError {
    /// What was written.
    pub text: String,
    /// What has to be written.
    pub must_be: &'static str,
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
