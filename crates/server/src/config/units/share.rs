//! How much of a whole? A number of bytes, or a share in percent.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Amount, ByteSize, UnitError};

/// A part of some number of bytes.
///
/// ```
/// use tidegate_server::config::{ByteSize, Share};
///
/// let half: Share = "50 %".parse()?;
/// assert_eq!(half.of(ByteSize::gib(8)), ByteSize::gib(4));
/// let fixed: Share = "2 GiB".parse()?;
/// assert_eq!(fixed.of(ByteSize::gib(8)), ByteSize::gib(2));
/// # Ok::<(), tidegate_server::config::UnitError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many bytes.
    Bytes(ByteSize),
    /// So many thousandths of the whole.
    PerMille(u16),
}

impl Share {
    /// What a share has to look like.
    pub(in super::super) const FORM: &'static str =
        "a share like `50 %` (in steps of 0.1 %), or a number of bytes like `2 GiB`";

    /// The part of `whole`.
    #[must_use]
    pub fn of(self, whole: ByteSize) -> ByteSize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::PerMille(share) => {
                let part = u128::from(whole.bytes()) * u128::from(share) / 1000;
                ByteSize::b(u64::try_from(part).unwrap_or(u64::MAX))
            }
        }
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError { text: text.to_owned(), must_be: Self::FORM };
        let Some(number) = text.trim().strip_suffix('%') else {
            return text.parse().map(Self::Bytes).map_err(|_| wrong());
        };
        let amount = Amount::parse(number.trim()).filter(|(_, rest)| rest.is_empty());
        let per_mille = amount.and_then(|(amount, _)| amount.times(10));
        let share = per_mille.and_then(|share| u16::try_from(share).ok());
        share.map(Self::PerMille).ok_or_else(wrong)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::PerMille(share) if share.is_multiple_of(10) => write!(f, "{} %", share / 10),
            Self::PerMille(share) => write!(f, "{}.{} %", share / 10, share % 10),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A share like `50 %`, or a number of bytes like `2 GiB`.",
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(%|([KMGTkmgt][Ii]?)?[Bb])?\s*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: a share prints as a text that reads back as the same share.
        #[test]
        fn a_share_survives_its_text(per_mille: u16, bytes: u64) {
            for share in [Share::PerMille(per_mille), Share::Bytes(ByteSize::b(bytes))] {
                prop_assert_eq!(share.to_string().parse(), Ok(share));
            }
        }
    }

    #[test]
    fn shares_are_read() {
        for (text, share) in [
            ("50%", Share::PerMille(500)),
            ("12.5 %", Share::PerMille(125)),
            (" 100 % ", Share::PerMille(1000)),
            ("2 GiB", Share::Bytes(ByteSize::gib(2))),
            ("4096", Share::Bytes(ByteSize::kib(4))),
        ] {
            assert_eq!(text.parse(), Ok(share), "{text}");
        }
        for text in ["", "%", "half", "12.55 %", "-1 %", "1 % 2", "5 GiB %"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
