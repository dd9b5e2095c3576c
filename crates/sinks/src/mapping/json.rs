//! Where in an object is a member? The text is JSON for certain (the door checked it), so this
//! only looks for where values end; it keeps nothing and copies nothing.

use std::borrow::Cow;

/// The value at the path: a member of this name or, where names have dots in common with paths,
/// of the longest name that is there. A JSON null counts as absent.
pub(super) fn find<'a>(object: &'a str, path: &str) -> Option<&'a str> {
    let mut inside: Option<(usize, &'a str)> = None;
    for (name, value) in members(object) {
        let name = unescape(name);
        match path.strip_prefix(&*name) {
            Some("") => return Some(value).filter(|value| *value != "null"),
            Some(rest)
                if rest.starts_with('.')
                    && value.starts_with('{')
                    && inside.is_none_or(|(length, _)| length < name.len()) =>
            {
                inside = Some((name.len(), value));
            }
            _ => {}
        }
    }
    let (length, value) = inside?;
    find(value, path.get(length + 1..)?)
}

/// The members of an object: names without their quotes and with their escapes, and values.
fn members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = object.find('{').map_or(object.len(), |at| at + 1);
    std::iter::from_fn(move || {
        let begin = at + object.get(at..)?.find('"')?;
        let name_end = string_end(object.as_bytes(), begin)?;
        let colon = name_end + object.get(name_end..)?.find(':')?;
        let value = colon + 1 + blanks(object.as_bytes().get(colon + 1..)?);
        let end = value_end(object.as_bytes(), value)?;
        at = end;
        Some((object.get(begin + 1..name_end - 1)?, object.get(value..end)?))
    })
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where the string that begins with the quote at `begin` ends.
fn string_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Where the value that begins at `begin` ends.
fn value_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin;
    let mut depth = 0_usize;
    loop {
        match *bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b',' | b'}' | b']' if depth == 0 => return Some(trimmed(bytes, begin, at)),
            _ => {
                at += 1;
                continue;
            }
        }
        // A string or a nest that is the whole value ends it.
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of a number or word, without the blanks behind it.
fn trimmed(bytes: &[u8], begin: usize, end: usize) -> usize {
    let value = bytes.get(begin..end).unwrap_or_default();
    begin + value.trim_ascii_end().len()
}

/// The text that the inside of a JSON string stands for.
pub(super) fn unescape(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escape.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let (decoded, left) = unicode(escape.get(1..).unwrap_or_default());
                text.push(decoded);
                rest = left;
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that follows `\u`, and what comes after it. What cannot be is U+FFFD.
fn unicode(digits: &str) -> (char, &str) {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let rest = digits.get(4..).unwrap_or_default();
    let Some(high) = unit(digits) else { return ('\u{fffd}', rest) };
    let low = rest.strip_prefix("\\u").and_then(unit);
    match (high, low) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            let after = rest.get(6..).unwrap_or_default();
            (char::from_u32(code).unwrap_or('\u{fffd}'), after)
        }
        _ => (char::from_u32(high).unwrap_or('\u{fffd}'), rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn members_are_found_whatever_their_names_look_like() {
        let object = r#"{ "a" : 1 ,"b":{"c":[1,{"d":"}"}],"e.f":true},"b.c":"long","q\"\u00e9":"\\",
                         "n":null,"deep":{"x":{"y":-1.5e3 }}}"#;
        for (path, value) in [
            ("a", Some("1")),
            ("b.c", Some(r#""long""#)),
            ("b.e.f", Some("true")),
            ("b", Some(r#"{"c":[1,{"d":"}"}],"e.f":true}"#)),
            ("q\"é", Some(r#""\\""#)),
            ("n", None),
            ("deep.x.y", Some("-1.5e3")),
            ("deep.x.z", None),
            ("a.b", None),
            ("", None),
        ] {
            assert_eq!(find(object, path), value, "{path}");
        }
        assert_eq!(find("{}", "a"), None);
        assert_eq!(find("", "a"), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c.\"\\\\é]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Invariant: every member of an object is found under its name, with its value.
        #[test]
        fn every_member_is_found(
            object in proptest::collection::btree_map("[a-c.\"\\\\é]{0,3}", json(), 0..6),
            pretty: bool,
        ) {
            let object = Value::Object(object.into_iter().collect());
            let text = if pretty {
                serde_json::to_string_pretty(&object).unwrap()
            } else {
                object.to_string()
            };
            for (name, value) in object.as_object().unwrap() {
                let found = find(&text, name).map(|text| serde_json::from_str::<Value>(text).unwrap());
                prop_assert_eq!(found.unwrap_or(Value::Null), value.clone());
            }
        }

        /// Invariant: unescaping undoes what a JSON writer does, and no text makes it panic.
        #[test]
        fn unescaping_undoes_escaping(text in ".{0,20}", garbage in "[\\\\u0-9a-fdé\"]{0,20}") {
            let json = Value::from(text.as_str()).to_string();
            prop_assert_eq!(unescape(&json[1..json.len() - 1]), text);
            let _ = unescape(&garbage);
            let _ = find(&garbage, "a");
        }
    }
}
