//! How does the text of an attributes object come about, so that every sink reads the same in it?
//!
//! By appending members. What is JSON already is copied as it stands; what is not is escaped here
//! and nowhere else.
//!
//! No name occurs twice. Readers disagree about an object with one name twice: PostgreSQL's
//! `jsonb` keeps the last, SQLite's `json_extract` finds the first. So a member whose name is
//! taken gets a free one, `name#2`, then `#3` and so on through the whole event, and nothing is
//! lost. The numbers of an event never go back, which bounds the search for a free one. Inside a
//! nested value the text stays as it arrived.

mod build;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

use crate::special;
pub(crate) use build::Prefix;

/// Up to so many names are compared one by one; more are looked up in a set. A hostile event may
/// have a hundred thousand.
const LISTED_MAX: usize = 64;

/// Builds the text of one attributes object after another in the same buffer.
///
/// ```
/// use tidegate_event::Attributes;
///
/// let mut attributes = Attributes::default();
/// attributes.push_text("path", "/a\"b");
/// attributes.push_json("status", "200");
/// attributes.push_json("status", "[404]");
/// assert_eq!(attributes.finish(), r##"{"path":"/a\"b","status":200,"status#2":[404]}"##);
/// attributes.clear();
/// assert_eq!(attributes.finish(), "{}");
/// ```
#[derive(Debug, Default)]
pub struct Attributes {
    text: String,
    /// Where in `text` the first names stand, without their quotes.
    listed: Vec<Range<usize>>,
    /// All names, from the moment there are more than can be listed.
    set: HashSet<Box<str>>,
    /// One bit for each name, by [`mark`]: a clear bit says that the name is new. So many that the
    /// names of a usual event rarely share one.
    marks: [u64; 4],
    /// How many numbers were tried on names that were taken; the first is 2.
    numbers: u64,
    /// A name on its way through escaping.
    escaped: String,
    /// Characters that [`escape`] replaced.
    replaced: u64,
}

impl Attributes {
    /// Starts the next object.
    pub fn clear(&mut self) {
        self.text.clear();
        self.listed.clear();
        self.set.clear();
        (self.marks, self.numbers, self.replaced) = ([0; 4], 0, 0);
    }

    /// Appends a member whose value is JSON text. It is copied unchecked: text that is not one
    /// JSON value makes the whole object unreadable.
    pub fn push_json(&mut self, name: &str, json: &str) {
        let mut escaped = std::mem::take(&mut self.escaped);
        escaped.clear();
        self.replaced += escape(name, &mut escaped);
        self.push_plain(&escaped, json);
        self.escaped = escaped;
    }

    /// Appends a member whose value is a string. NULs in it become U+FFFD.
    pub fn push_text(&mut self, name: &str, text: &str) {
        self.push_json(name, "");
        self.text.push('"');
        self.replaced += escape(text, &mut self.text);
        self.text.push('"');
    }

    /// Appends a member whose name needs no escaping.
    pub(crate) fn push_plain(&mut self, name: &str, json: &str) {
        self.text.reserve(name.len() + json.len() + 5);
        self.text.push_str(if self.text.is_empty() { "{\"" } else { ",\"" });
        let start = self.text.len();
        self.text.push_str(name);
        if !self.note(start, name) {
            self.rename(start);
        }
        self.text.push_str("\":");
        self.text.push_str(json);
    }

    /// Appends a member as it stands in its object, `"name": value`, which is one copy; `name`
    /// needs no escaping, and `json` is its value once more.
    #[inline(always)]
    pub(crate) fn push_member(&mut self, member: &str, name: &str, json: &str) {
        let before = self.text.len();
        self.text.reserve(member.len() + 2);
        self.text.push(if before == 0 { '{' } else { ',' });
        self.text.push_str(member);
        if !self.note(before + 2, name) {
            self.text.truncate(before);
            self.push_plain(name, json);
        }
    }

    /// The object's text. Nothing may be appended until [`clear`](Self::clear).
    pub fn finish(&mut self) -> &str {
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        &self.text
    }

    /// Characters replaced by U+FFFD since the object was started.
    #[must_use]
    pub const fn replaced_characters(&self) -> u64 {
        self.replaced
    }

    /// Gives back memory above this many bytes, after an unusually large object.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.text.shrink_to(bytes);
        self.escaped.shrink_to(bytes);
        self.set.shrink_to(0);
    }

    /// Whether no member was appended yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes note of the name that stands at `start` in `object`, of which nothing is copied yet;
    /// false if it is taken, or must be appended to know. The object may become the text, by
    /// [`begin_with`](Self::begin_with), or be used instead of it.
    #[inline(always)]
    pub(crate) fn note_ahead(&mut self, object: &str, start: usize, name: &str) -> bool {
        let perhaps = self.mark(name);
        if self.listed.len() >= LISTED_MAX {
            return false;
        }
        if perhaps && is_listed(&self.listed, object, name) {
            return false;
        }
        self.listed.push(start..start + name.len());
        true
    }

    /// Copies the beginning of an object whose names are noted; it ends behind a member.
    pub(crate) fn begin_with(&mut self, object: &str) {
        self.text.push_str(object);
    }

    /// Takes note of a name that stands at `start` in the text, unless it is taken.
    #[inline(always)]
    fn note(&mut self, start: usize, name: &str) -> bool {
        let perhaps = self.mark(name);
        if self.listed.len() < LISTED_MAX {
            if perhaps && is_listed(&self.listed, &self.text, name) {
                return false;
            }
            self.listed.push(start..start + name.len());
            return true;
        }
        self.note_in_set(name)
    }

    /// Sets the bit of a name, and says whether it was set.
    #[inline(always)]
    fn mark(&mut self, name: &str) -> bool {
        let (word, bit) = mark(name.as_bytes());
        let marks = &mut self.marks[word];
        let perhaps = *marks & bit != 0;
        *marks |= bit;
        perhaps
    }

    #[cold]
    fn note_in_set(&mut self, name: &str) -> bool {
        if self.set.is_empty() {
            let listed = self.listed.iter().filter_map(|at| self.text.get(at.clone()));
            self.set.extend(listed.map(Box::from));
        }
        self.set.insert(Box::from(name))
    }

    /// Appends to the name from `start` to the end the next number that makes it free.
    fn rename(&mut self, start: usize) {
        let mut name = self.text.split_off(start);
        let length = name.len();
        loop {
            self.numbers += 1;
            name.truncate(length);
            // Writing to a string cannot fail.
            let _ = write!(name, "#{}", self.numbers + 1);
            if self.note(start, &name) {
                self.text.push_str(&name);
                return;
            }
        }
    }
}

fn is_listed(listed: &[Range<usize>], text: &str, name: &str) -> bool {
    listed.iter().any(|at| text.get(at.clone()) == Some(name))
}

/// One of 256 bits that equal names share and different ones often do not.
#[inline]
fn mark(name: &[u8]) -> (usize, u64) {
    let byte = |at: usize| u64::from(name.get(at).copied().unwrap_or(0));
    let length = name.len();
    let mixed = byte(length / 2) | byte(length.wrapping_sub(1)) << 8 | (length as u64) << 16;
    let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 62) as usize, 1 << (mixed >> 56 & 63))
}

/// Appends text to JSON as the inside of a string, and returns how many NULs became U+FFFD.
///
/// ```
/// let mut json = String::new();
/// assert_eq!(tidegate_event::attributes::escape("a\tb\0", &mut json), 1);
/// assert_eq!(json, "a\\tb\u{fffd}");
/// ```
pub fn escape(text: &str, json: &mut String) -> u64 {
    let (mut copied, mut replaced) = (0, 0);
    let bytes = text.as_bytes();
    json.reserve(text.len());
    while let Some((at, byte)) = special::find(bytes, copied) {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0 => {
                replaced += 1;
                "\u{fffd}"
            }
            _ => "",
        };
        json.push_str(text.get(copied..at).unwrap_or_default());
        json.push_str(short);
        if short.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(json, "\\u{byte:04x}");
        }
        copied = at + 1;
    }
    json.push_str(text.get(copied..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_that_is_taken_gets_the_next_free_number() {
        let mut attributes = Attributes::default();
        attributes.clear();
        for name in ["a", "a", "b", "a#4", "b", "a#2", ""] {
            attributes.push_json(name, "0");
        }
        assert_eq!(
            attributes.finish(),
            r##"{"a":0,"a#2":0,"b":0,"a#4":0,"b#3":0,"a#2#4":0,"":0}"##
        );
    }

    #[test]
    fn a_hundred_thousand_equal_names_are_not_compared_with_each_other() {
        let mut attributes = Attributes::default();
        attributes.clear();
        for _ in 0..100_000 {
            attributes.push_plain("a", "0");
        }
        let object: BTreeMap<String, u8> = serde_json::from_str(attributes.finish()).unwrap();
        assert_eq!(object.len(), 100_000);
    }

    proptest! {
        /// Invariant: what is built is one JSON object with every member in it, each once.
        #[test]
        fn every_member_is_found_again(
            members in proptest::collection::vec(("[a-c#2-4]{0,3}|.{0,6}|\\PC{0,6}", ".{0,8}"), 0..100)
        ) {
            let mut attributes = Attributes::default();
            attributes.clear();
            for (name, text) in &members {
                attributes.push_text(name, text);
            }
            let object: BTreeMap<String, String> = serde_json::from_str(attributes.finish()).unwrap();
            prop_assert_eq!(object.len(), members.len());
            for (name, _) in &members {
                let name = name.replace('\0', "\u{fffd}");
                prop_assert!(object.contains_key(&name));
            }
            let mut found: Vec<_> = object.into_values().collect();
            let mut sent: Vec<_> =
                members.into_iter().map(|(_, text)| text.replace('\0', "\u{fffd}")).collect();
            found.sort();
            sent.sort();
            prop_assert_eq!(found, sent);
        }

        /// Invariant: escaping is undone by any JSON parser.
        #[test]
        fn escaping_is_undone_by_parsing(text in "[\\x00-\\x7f]{0,40}|.{0,40}") {
            let mut json = String::from("\"");
            let replaced = escape(&text, &mut json);
            json.push('"');
            prop_assert_eq!(replaced as usize, text.matches('\0').count());
            let parsed: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(parsed, Value::from(text.replace('\0', "\u{fffd}")));
        }
    }
}
