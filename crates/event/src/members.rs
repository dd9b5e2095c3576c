//! Which members has an attributes object, without parsing it into a tree?
//!
//! The text was made by [`Attributes`]: it is one valid object, and every name of the object
//! itself is written in one way, so a name is found by comparing bytes, and a value ends where its
//! brackets do. Text from elsewhere gives wrong answers, but no panic.

use std::borrow::Cow;

use crate::attributes::{Attributes, escape};

/// A name as the text of an attributes object has it between its quotes.
///
/// ```
/// assert_eq!(tidegate_event::members::written("a\"b"), "a\\\"b");
/// ```
#[must_use]
pub fn written(name: &str) -> String {
    let mut escaped = String::new();
    escape(name, &mut escaped);
    escaped
}

/// The members of an attributes object, in order: each [written] name with its value as JSON text.
///
/// ```
/// use tidegate_event::members::members;
///
/// let found: Vec<_> = members(r#"{"a":1,"b":{"c":[2,"}"]}}"#).collect();
/// assert_eq!(found, [("a", "1"), ("b", r#"{"c":[2,"}"]}"#)]);
/// ```
#[must_use]
pub fn members(text: &str) -> Members<'_> {
    Members { text, at: 1 }
}

/// The value of the member with this [written] name, as JSON text.
///
/// ```
/// use tidegate_event::members::member;
///
/// assert_eq!(member(r#"{"a":{"b":1},"b":"x"}"#, "b"), Some(r#""x""#));
/// assert_eq!(member("{}", "b"), None);
/// ```
#[must_use]
pub fn member<'a>(text: &'a str, written: &str) -> Option<&'a str> {
    // Most events do not have it, and that is one pass of a fast search.
    memchr::memmem::find(text.as_bytes(), written.as_bytes())?;
    members(text).find(|(name, _)| *name == written).map(|(_, value)| value)
}

/// A value as text: a string without its quotes and escapes, anything else as it is written.
///
/// ```
/// use tidegate_event::members::plain;
///
/// assert_eq!(plain(r#""a\tb""#), "a\tb");
/// assert_eq!(plain("404"), "404");
/// ```
#[must_use]
pub fn plain(value: &str) -> Cow<'_, str> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) if !inside.contains('\\') => inside.into(),
        Some(_) => serde_json::from_str::<String>(value).map_or(value.into(), Cow::Owned),
        None => value.into(),
    }
}

/// What becomes of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// It gets this [written] name, or the next free one if that is taken.
    Rename(String),
    /// Its value becomes this text.
    Text(String),
}

/// Copies the members of an object to `to`, each changed as `change` says.
///
/// ```
/// use tidegate_event::Attributes;
/// use tidegate_event::members::{Change, rewrite};
///
/// let mut attributes = Attributes::default();
/// rewrite(r#"{"a":1,"b":2}"#, &mut attributes, |name, _| match name {
///     "a" => Change::Drop,
///     _ => Change::Rename("c".into()),
/// });
/// assert_eq!(attributes.finish(), r#"{"c":2}"#);
/// ```
pub fn rewrite<'a>(
    text: &'a str,
    to: &mut Attributes,
    mut change: impl FnMut(&'a str, &'a str) -> Change,
) {
    to.clear();
    for (name, value) in members(text) {
        match change(name, value) {
            Change::Keep => to.push_plain(name, value),
            Change::Drop => {}
            Change::Rename(name) => to.push_plain(&name, value),
            Change::Text(text) => to.push_plain(name, &format!("\"{}\"", written(&text))),
        }
    }
}

/// Iterates over the members of an object: see [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let name_at = skip(bytes, self.at, |byte| byte != b'"')? + 1;
        let name_end = string_end(bytes, name_at)?;
        let colon = skip(bytes, name_end + 1, |byte| byte != b':')?;
        let value_at = skip(bytes, colon + 1, |byte| byte.is_ascii_whitespace())?;
        let value_end = value_end(bytes, value_at)?;
        self.at = value_end;
        let value = self.text.get(value_at..value_end)?;
        Some((self.text.get(name_at..name_end)?, value.trim_end()))
    }
}

/// The first place from `at` on whose byte is not to be skipped.
fn skip(bytes: &[u8], at: usize, skips: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| !skips(*byte)).map(|found| at + found)
}

/// Where the string whose inside begins at `at` has its closing quote.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// The place after the value that begins at `at`.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *bytes.get(at)? {
            b'"' => at = string_end(bytes, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            // The end of the object, or of the member.
            b'}' | b',' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,12}|.{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\{}]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Invariant: every member is found with its value, by iterating and by name, whatever
        /// quotes and brackets stand in it.
        #[test]
        fn every_member_is_found(
            given in prop::collection::btree_map("[\\x01-\\x7f]{0,6}", (json(), any::<bool>()), 0..12)
        ) {
            let mut attributes = Attributes::default();
            attributes.clear();
            for (name, (value, pretty)) in &given {
                let json = if *pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
                attributes.push_json(name, &json.unwrap());
            }
            let text = attributes.finish().to_owned();
            prop_assert_eq!(members(&text).count(), given.len());
            for (name, (value, _)) in &given {
                let found = member(&text, &written(name)).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Value>(found).unwrap(), value);
                if let Value::String(text) = value {
                    prop_assert_eq!(plain(found), text.as_str());
                }
            }
            prop_assert_eq!(member(&text, "no such name"), None);
        }

        /// Invariant: what is not changed is copied as it stands.
        #[test]
        fn an_object_that_keeps_all_is_the_same(
            given in prop::collection::btree_map("[a-z#\"]{0,4}", json(), 0..12)
        ) {
            let text = serde_json::to_string(&given).unwrap();
            let mut to = Attributes::default();
            rewrite(&text, &mut to, |_, _| Change::Keep);
            prop_assert_eq!(to.finish(), &text);
            rewrite(&text, &mut to, |_, _| Change::Text("[\"x\"]".into()));
            let texts: BTreeMap<String, String> = serde_json::from_str(to.finish()).unwrap();
            prop_assert!(texts.len() == given.len() && texts.values().all(|text| text == "[\"x\"]"));
        }

        /// Invariant: any text at all is looked at without a panic.
        #[test]
        fn garbage_is_survived(text in "[\\x00-\\x7f]{0,40}|.{0,40}") {
            let _ = members(&text).count();
            let _ = plain(&text);
        }
    }
}
