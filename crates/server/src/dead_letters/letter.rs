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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Of these kinds.
    pub(crate) kinds: Option<Vec<Kind>>,
    /// Sent fewer times than this without anybody asking.
    pub(crate) automatic_below: Option<u32>,
}

/// Longest text of a group, in characters.
const GROUP_CHARS: usize = 160;
/// Longest reason that is kept, in bytes: backends quote what they refuse.
const REASON_BYTES: usize = 4096;

/// The reason without what differs from item to item: numbers and ids become `#`, what is quoted
/// `…`.
pub(crate) fn fingerprint(reason: &str) -> String {
    let (mut out, mut rest) = (String::new(), reason);
    // A quote or an id is never cut: a group is too long by one of them at most.
    while let Some(first) = rest.chars().next() {
        if out.chars().count() >= GROUP_CHARS {
            break;
        }
        let is_word_start = !out.ends_with(char::is_alphanumeric);
        let taken = match first {
            '"' | '`' => {
                out.extend([first, '…', first]);
                // An end that is missing quotes all that is left.
                rest[1..].find(first).map_or(rest.len(), |end| end + 2)
            }
            '\'' if is_word_start => match closing(&rest[1..]) {
                Some(end) => {
                    out.push_str("'…'");
                    end + 2
                }
                None => {
                    out.push(first);
                    1
                }
            },
            _ if first.is_ascii_alphanumeric() && is_word_start && is_uuid(rest) => {
                out.push('#');
                UUID_CHARS
            }
            _ if first.is_ascii_alphanumeric() => {
                let end = rest.find(|at: char| !at.is_ascii_alphanumeric()).unwrap_or(rest.len());
                push_word(&rest[..end], &mut out);
                end
            }
            '\n' | '\r' => {
                out.push(' ');
                1
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Where a text in single quotes ends; an apostrophe within a word ends none.
fn closing(text: &str) -> Option<usize> {
    let ends = |at: &usize| !text[at + 1..].starts_with(char::is_alphanumeric);
    text.match_indices('\'').map(|(at, _)| at).find(ends)
}

/// 8-4-4-4-12 hexadecimal digits.
const UUID_CHARS: usize = 36;

fn is_uuid(text: &str) -> bool {
    let Some(id) = text.as_bytes().get(..UUID_CHARS) else { return false };
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let ends = text.as_bytes().get(UUID_CHARS).is_none_or(|next| !next.is_ascii_alphanumeric());
    ends && id.iter().enumerate().all(fits)
}

/// A word without its numbers; one that is an id as a whole becomes one `#`.
fn push_word(word: &str, out: &mut String) {
    let has_digit = word.contains(|at: char| at.is_ascii_digit());
    let is_hex = word.chars().all(|at| at.is_ascii_hexdigit());
    if has_digit && (is_hex && word.len() >= 8 || word.len() >= 16) {
        out.push('#');
        return;
    }
    let mut in_number = false;
    for character in word.chars() {
        if !character.is_ascii_digit() {
            out.push(character);
        } else if !in_number {
            out.push('#');
        }
        in_number = character.is_ascii_digit();
    }
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
        let ids = "key 0198f3a2-7c11-7abc-9def-aabbccddeeff, trace 5b8efff798038103, ulid \
                   01ARZ3NDEKTSV4RRFFQ69G5FAV, table events_v2 at 10.0.0.1:5432";
        let folded = "key #, trace #, ulid #, table events_v# at #.#.#.#:#";
        assert_eq!(fingerprint(ids), folded);
        assert_eq!(fingerprint("the server doesn't know 'x y 1'"), "the server doesn't know '…'");
        assert_eq!(fingerprint("it's the users' own 'half"), "it's the users' own 'half");
        assert_eq!(fingerprint(&"ä".repeat(1000)).chars().count(), GROUP_CHARS);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let long = "ä".repeat(REASON_BYTES);
        assert_eq!(shortened(&long).len(), REASON_BYTES);
        assert_eq!(shortened(&format!("x{long}")).len(), REASON_BYTES - 1);
    }
}
