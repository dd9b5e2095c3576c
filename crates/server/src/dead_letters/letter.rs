//! What is in a dead letter, which of them are meant, and which belong together?

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate::Outcome;
use tidegate::retry::Exhausted;
use tidegate_event::{JournalId, Position};

/// Why an item was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The backend refused it, sent alone.
    Refused,
    /// It is too large, sent alone.
    TooLarge,
    /// It was tried as often as allowed.
    Attempts,
    /// It was tried for as long as allowed.
    Age,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Refused, Self::TooLarge, Self::Attempts, Self::Age];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Attempts => "attempts",
            Self::Age => "age",
        }
    }
}

impl From<Exhausted> for Kind {
    fn from(which: Exhausted) -> Self {
        match which {
            Exhausted::Attempts => Self::Attempts,
            Exhausted::Age => Self::Age,
        }
    }
}

/// What the last attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) kind: Kind,
    pub(crate) outcome: Outcome,
    /// What the backend said.
    pub(crate) reason: String,
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub(crate) at: i64,
}

/// An item that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) journal: JournalId,
    pub(crate) position: Position,
    pub(crate) sink: Arc<str>,
    pub(crate) lane: Arc<str>,
    pub(crate) why: Why,
    pub(crate) attempts: u32,
    /// The first attempt, in nanoseconds since 1970-01-01 UTC.
    pub(crate) first_at: i64,
    /// The item: one row.
    pub(crate) row: Bytes,
}

/// A letter as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) journal: String,
    pub(crate) position: Position,
    pub(crate) sink: String,
    pub(crate) lane: String,
    pub(crate) class: String,
    pub(crate) kind: String,
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) attempts: u32,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// How many times its event was replaced.
    pub(crate) mended: u32,
    /// One JSON object, as the door takes it.
    pub(crate) event: String,
    pub(crate) row: Vec<u8>,
}

/// Letters of which the same was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Group {
    pub(crate) sink: String,
    pub(crate) kind: String,
    /// The reason without what differs from item to item.
    pub(crate) group: String,
    pub(crate) count: u64,
    /// Unix nanoseconds: the first attempt with any of them, and the last.
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// One of them.
    pub(crate) example: i64,
}

/// Which letters are meant; what is not given lets all through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) id: Option<i64>,
    pub(crate) sink: Option<String>,
    pub(crate) lane: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// A part of the reason.
    pub(crate) reason: Option<String>,
    /// A whole group, as groups are listed.
    pub(crate) group: Option<String>,
    pub(crate) position: Option<Position>,
}

/// Longest text of a group, in characters.
const GROUP_CHARS: usize = 160;
/// Longest reason that is kept, in bytes: backends quote what they refuse.
const REASON_BYTES: usize = 4096;

/// The reason without what differs from item to item: numbers become `#`, what is quoted `…`.
pub(crate) fn fingerprint(reason: &str) -> String {
    let mut out = String::new();
    let mut rest = reason.chars().peekable();
    while let Some(character) = rest.next() {
        if out.chars().count() >= GROUP_CHARS {
            break;
        }
        match character {
            '0'..='9' => {
                while rest.next_if(char::is_ascii_digit).is_some() {}
                out.push('#');
            }
            '"' | '`' => {
                // An end that is missing quotes all that is left.
                for quoted in rest.by_ref() {
                    if quoted == character {
                        break;
                    }
                }
                out.extend([character, '…', character]);
            }
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// The reason, cut to what is kept of it.
pub(crate) fn shortened(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_item_to_item_does_not_split_a_group() {
        let said = |value: &str, at: u32| {
            format!("position {at}: invalid input for type integer: \"{value}\" (line {at})")
        };
        assert_eq!(fingerprint(&said("abc", 7)), fingerprint(&said("x 12", 1234)));
        assert_eq!(
            fingerprint(&said("abc", 7)),
            "position #: invalid input for type integer: \"…\" (line #)"
        );
        assert_eq!(fingerprint("half \"quoted"), "half \"…\"");
        assert_eq!(fingerprint(&"ä".repeat(1000)).chars().count(), GROUP_CHARS);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "ä".repeat(REASON_BYTES);
        assert_eq!(shortened(&long).len(), REASON_BYTES);
        assert_eq!(shortened(&format!("x{long}")).len(), REASON_BYTES - 1);
    }
}
