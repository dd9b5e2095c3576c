//! Which level does a line name?
//!
//! A level is easily confused with prose (`no error found`), so a word counts only within the
//! first part of the line and only in a form that loggers use and prose does not: in capitals,
//! alone in brackets, followed by a colon, or as the value of `level`, `lvl`, `severity`.

/// How far into a line a level may end, in bytes: behind a long timestamp, host and logger.
const REACH: usize = 128;

const LEVELS: [&str; 16] = [
    "trace",
    "debug",
    "info",
    "notice",
    "warn",
    "warning",
    "error",
    "err",
    "crit",
    "critical",
    "alert",
    "emerg",
    "emergency",
    "fatal",
    "panic",
    "severe",
];

/// From `err` to `emergency`.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=9;

/// The first level in the first part of `line`, as the line writes it.
pub(crate) fn find(line: &str) -> Option<&str> {
    let mut end = REACH.min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let first = line.get(..end)?;
    // A word that the bound cuts is not a word.
    let whole = end == line.len() || !line.as_bytes().get(end).is_some_and(|b| is_word(*b));
    words(first).find_map(|(start, stop)| {
        let word = first.get(start..stop)?;
        // Most words are told apart by their length alone.
        let known = LENGTHS.contains(&word.len())
            && LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        let standing = known && (stop < end || whole);
        (standing && is_label(first.as_bytes(), start, stop)).then_some(word)
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Start and end of every run of word bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes.get(at..)?.iter().position(|b| is_word(*b))?;
        let rest = bytes.get(start..)?;
        at = start + rest.iter().position(|b| !is_word(*b)).unwrap_or(rest.len());
        Some((start, at))
    })
}

/// Whether the word stands in a form that loggers use.
fn is_label(line: &[u8], start: usize, stop: usize) -> bool {
    let word = line.get(start..stop).unwrap_or_default();
    let before = line.get(..start).unwrap_or_default();
    let after = line.get(stop).copied();
    // `err-handler` and `/var/log/error` name something else.
    let joined = |byte: Option<u8>| matches!(byte, Some(b'-' | b'/' | b'.' | b'@'));
    if joined(before.last().copied()) || (joined(after) && after != Some(b'.')) {
        return false;
    }
    if word.iter().all(u8::is_ascii_uppercase) {
        return true;
    }
    let bracketed = matches!(
        (before.last(), after),
        (Some(b'['), Some(b']')) | (Some(b'<'), Some(b'>')) | (Some(b'('), Some(b')'))
    );
    let valued = [&b"level="[..], b"lvl=", b"severity=", b"level=\"", b"severity=\""]
        .iter()
        .any(|key| before.to_ascii_lowercase().ends_with(key));
    bracketed || valued || after == Some(b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_found_and_prose_is_not() {
        for (line, level) in [
            ("2026-11-21 01:02:03,123 WARN o.a.Thing - slow", Some("WARN")),
            ("2026/11/21 01:02:03 [error] 7#7: *1 open() failed", Some("error")),
            ("Nov 21 01:02:03 host kernel: Warning: hot", Some("Warning")),
            ("ts=x level=info msg=\"no ERROR here\"", Some("info")),
            ("severity=\"crit\" x", Some("crit")),
            ("<debug> x", Some("debug")),
            ("FATAL", Some("FATAL")),
            ("no error found", None),
            ("an info desk", None),
            ("install libgpg-error0:amd64", None),
            ("/var/log/ERROR/x", None),
            ("INFORMATION for all", None),
            ("ERRÖR", None),
        ] {
            assert_eq!(find(line), level, "{line}");
        }
        let far = format!("{} ERROR", "x".repeat(REACH));
        assert_eq!(find(&far), None);
        let cut = format!("{} WARNING", "x".repeat(REACH - 5));
        assert_eq!(find(&cut), None, "WARN is all that the bound leaves of it");
    }

    #[test]
    fn every_level_is_within_the_lengths() {
        assert!(LEVELS.iter().all(|level| LENGTHS.contains(&level.len())));
    }

    proptest! {
        /// Invariant: any line is answered, and an answer is a known level.
        #[test]
        fn any_line_is_answered(line in "\\PC{0,200}") {
            if let Some(level) = find(&line) {
                prop_assert!(LEVELS.contains(&level.to_ascii_lowercase().as_str()));
            }
        }
    }
}
