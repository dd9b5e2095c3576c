//! What names an event for ever? Its journal and its place in it.
//!
//! `journal id : position` is stable across restarts, retries and sinks, which is why sinks store
//! it as the key that makes a second delivery visible.

use std::fmt;
use std::str::FromStr;

/// An item's place in its journal: 0 for the first item ever accepted, then one more for each.
pub type Position = u64;

/// The identity of one journal, drawn once at random when it is created.
///
/// It prints and parses as 32 lower-case hexadecimal digits.
///
/// ```
/// use tidegate_event::JournalId;
///
/// let id = JournalId::from_u128(0xdecade);
/// assert_eq!(id.to_string(), "00000000000000000000000000decade");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JournalId(u128);

impl JournalId {
    /// The id with this number.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }

    /// The id's number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalId({self})")
    }
}

/// The text is not a journal id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a journal id is 32 hexadecimal digits, not {0:?}")]
pub struct JournalIdError(String);

impl FromStr for JournalId {
    type Err = JournalIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(number) if hex => Ok(Self(number)),
            _ => Err(JournalIdError(text.to_owned())),
        }
    }
}
