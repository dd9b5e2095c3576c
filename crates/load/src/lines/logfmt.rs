//! Which `key=value` pairs does a line carry?
//!
//! A key starts a word and has letters, digits, `_`, `.` and `-`; a value runs to the next blank,
//! or stands in double quotes with backslash escapes. Pairs are found between other words, too.
//! At most [`MAX_PAIRS`] are taken, and each key once: the body has them all anyway.

use std::borrow::Cow;

/// Pairs taken from a line at most.
const MAX_PAIRS: usize = 32;
/// Bytes that a key has at most.
const MAX_KEY: usize = 64;
/// Names that the event itself gives to its attributes.
const TAKEN: [&str; 6] = ["log.file.name", "log.line", "log.line.truncated", "run", "seq", "try"];

/// The pairs of a line, in order.
pub(crate) fn pairs(line: &str) -> Vec<(&str, Cow<'_, str>)> {
    let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
    if !line.contains('=') {
        return found;
    }
    let mut rest = line.trim_start();
    while !rest.is_empty() && found.len() < MAX_PAIRS {
        let (pair, after) = next_word(rest);
        if let Some((key, value)) = pair
            && !TAKEN.contains(&key)
            && found.iter().all(|(known, _)| *known != key)
        {
            found.push((key, value));
        }
        rest = after.trim_start();
    }
    found
}

type Pair<'a> = (&'a str, Cow<'a, str>);

/// Takes one word off the front, and the pair it is, if it is one.
fn next_word(text: &str) -> (Option<Pair<'_>>, &str) {
    let blank = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at(blank);
    let Some((key, value)) = word.split_once('=').filter(|(key, _)| is_key(key)) else {
        return (None, after);
    };
    if !value.starts_with('"') {
        return (Some((key, Cow::Borrowed(value))), after);
    }
    let inner = text.get(key.len() + 2..).unwrap_or("");
    match unquote(inner) {
        Some((value, after)) => (Some((key, value)), after),
        // No closing quote: the word as it stands.
        None => (Some((key, Cow::Borrowed(value))), after),
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_KEY
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// The text up to the closing quote, unescaped, and what follows the quote.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut owned = String::new();
    let mut start = 0;
    let mut marks = text.match_indices(['"', '\\']);
    while let Some((at, mark)) = marks.next() {
        let plain = text.get(start..at)?;
        if mark == "\"" {
            let after = text.get(at + 1..)?;
            let value =
                if owned.is_empty() { Cow::Borrowed(plain) } else { Cow::Owned(owned + plain) };
            return Some((value, after));
        }
        let escaped = text.get(at + 1..)?.chars().next()?;
        owned.push_str(plain);
        owned.push(match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            other => other,
        });
        start = at + 1 + escaped.len_utf8();
        if matches!(escaped, '"' | '\\') {
            marks.next();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(line: &str) -> Vec<(&str, String)> {
        pairs(line).into_iter().map(|(key, value)| (key, value.into_owned())).collect()
    }

    #[test]
    fn pairs_are_found_between_other_words() {
        assert_eq!(
            plain(r#"GET /a?b=c took=5ms msg="two \"big\" words\n" user.id=7 =x 9=y empty= q="" "#),
            [
                ("took", "5ms".to_owned()),
                ("msg", "two \"big\" words\n".to_owned()),
                ("user.id", "7".to_owned()),
                ("empty", String::new()),
                ("q", String::new()),
            ]
        );
        assert_eq!(plain("open=\"no end"), [("open", "\"no".to_owned())]);
        assert_eq!(plain("a=1 a=2 seq=7 b=2"), [("a", "1".to_owned()), ("b", "2".to_owned())]);
        assert_eq!(plain("no pairs here"), []);
        assert_eq!(plain(r#"k="a\\" j=1"#), [("k", "a\\".to_owned()), ("j", "1".to_owned())]);
    }

    proptest! {
        /// Invariant: any line is answered within the bounds, with each key once.
        #[test]
        fn any_line_is_answered(line in "([a-c]{0,2}=?\"?[\\\\ä\" x]?){0,60}") {
            let found = pairs(&line);
            prop_assert!(found.len() <= MAX_PAIRS);
            for (at, (key, _)) in found.iter().enumerate() {
                prop_assert!(found[..at].iter().all(|(other, _)| other != key));
            }
        }

        /// Invariant: what is quoted comes back.
        #[test]
        fn quoting_is_undone(value in "[a-z \\\\\"=ä]{0,20}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("x k=\"{escaped}\" y");
            prop_assert_eq!(plain(&line), [("k", value)]);
        }
    }
}
