//! How many bytes? With binary and decimal units told apart: `64 KiB` is not `64 kB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Amount, UnitError};

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
    pub(in super::super) const FORM: &'static str =
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

impl Serialize for ByteSize {
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
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(([KMGTkmgt][Ii]?)?[Bb])?\s*$",
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

        /// Invariant: no text makes the parser panic.
        #[test]
        fn any_text_is_a_size_or_refused(text in "[0-9.]{0,24} ?\\PC{0,4}") {
            let _ = text.parse::<ByteSize>();
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
    fn a_size_prints_in_the_largest_exact_unit() {
        let sizes = [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (10_000_000, "10 MB")];
        for (bytes, text) in sizes {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
