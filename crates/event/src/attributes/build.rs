//! How are attributes built that many events share, and whose values are written in place?
//!
//! The events of one origin begin with the same members. A [`Prefix`] remembers where those end,
//! and the next event goes on from there, without building or copying them again.

use super::{Attributes, LISTED_MAX};
use crate::members::members;
use crate::special;

/// The members that an object begins with, to go back to.
#[derive(Debug, Default)]
pub(crate) struct Prefix {
    text: usize,
    listed: usize,
    marks: [u64; 4],
    numbers: u64,
    replaced: u64,
    /// The members once more, if there are so many that they are looked up in a set, which cannot
    /// be gone back in.
    again: String,
}

impl Attributes {
    /// The members so far, which [`rewind`](Self::rewind) goes back to.
    pub(crate) fn prefix(&self) -> Prefix {
        let Self { text, listed, set, marks, numbers, replaced, .. } = self;
        let listed_all = set.is_empty() && listed.len() < LISTED_MAX;
        Prefix {
            text: text.len(),
            listed: listed.len(),
            marks: *marks,
            numbers: *numbers,
            replaced: *replaced,
            again: if listed_all { String::new() } else { format!("{text}}}") },
        }
    }

    /// Forgets all members but those of the prefix.
    pub(crate) fn rewind(&mut self, prefix: &Prefix) {
        if prefix.again.is_empty() {
            self.text.truncate(prefix.text);
            self.listed.truncate(prefix.listed);
            self.set.clear();
            (self.marks, self.numbers) = (prefix.marks, prefix.numbers);
        } else {
            self.clear();
            // Their names were made free when they came the first time.
            members(&prefix.again).for_each(|(name, json)| self.push_plain(name, json));
            self.numbers = prefix.numbers;
        }
        self.replaced = prefix.replaced;
    }

    /// Appends a member whose value is written by the caller to the text that this returns, as
    /// one JSON value.
    #[inline]
    pub(crate) fn value_of(&mut self, name: &str) -> &mut String {
        if special::find(name.as_bytes(), 0).is_some() {
            self.push_json(name, "");
        } else {
            self.push_plain(name, "");
        }
        &mut self.text
    }

    /// Counts characters that the caller has replaced.
    pub(crate) const fn replaced(&mut self, characters: u64) {
        self.replaced += characters;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: going back to a prefix and going on is building all anew.
        #[test]
        fn a_rewound_object_is_the_one_built_anew(
            shared in prop::collection::vec("[a-c#2]{0,2}|[a-z]{1,3}", 0..80),
            owns in prop::collection::vec(prop::collection::vec("[a-c#2]{0,2}|[a-z]{1,3}", 0..80), 1..4),
        ) {
            let mut rewound = Attributes::default();
            rewound.clear();
            shared.iter().for_each(|name| rewound.push_json(name, "0"));
            let prefix = rewound.prefix();
            for own in &owns {
                rewound.rewind(&prefix);
                own.iter().for_each(|name| rewound.value_of(name).push('1'));
                let mut anew = Attributes::default();
                anew.clear();
                shared.iter().for_each(|name| anew.push_json(name, "0"));
                own.iter().for_each(|name| anew.push_json(name, "1"));
                prop_assert_eq!(rewound.finish(), anew.finish());
            }
        }
    }
}
