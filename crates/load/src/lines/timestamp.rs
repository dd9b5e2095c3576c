//! Which timestamp does a line start with?
//!
//! | form | example |
//! |---|---|
//! | RFC 3339 and its relatives | `2026-11-21T01:02:03.5+01:00`, `2026-11-21 01:02:03,123`, `2026/11/21 01:02:03` |
//! | syslog | `Nov  1 01:02:03`; the [`Year`] comes from elsewhere |
//! | web servers, within the first 256 bytes | `[21/Nov/2026:01:02:03 +0000]` |
//!
//! A bracket or a syslog priority (`<13>`) may stand before it. A time without a zone is read as
//! UTC, since the line does not say otherwise. A date that does not exist is no timestamp.

use crate::calendar::{days_in, month};

/// How far into a line a web server's timestamp may start.
const WEB_REACH: usize = 256;

/// The year of a timestamp that names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Year {
    /// Always this one.
    Given(u64),
    /// Now is this month of this year: a later month belongs to the year before.
    Now {
        /// The present year.
        year: u64,
        /// The present month, 1 to 12.
        month: u64,
    },
}

impl Year {
    fn of(self, then: u64) -> u64 {
        match self {
            Self::Given(year) => year,
            Self::Now { year, month } if then > month => year.saturating_sub(1),
            Self::Now { year, .. } => year,
        }
    }
}

/// The timestamp at the start of `line` as RFC 3339, if there is one.
pub(crate) fn leading(line: &str, year: Year) -> Option<String> {
    let mut at = Cursor(line.as_bytes());
    at.priority();
    at.eat(b'[');
    iso(at.clone()).or_else(|| syslog(at, year)).or_else(|| web(line))
}

/// A reader that takes bytes off the front.
#[derive(Clone)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn eat(&mut self, wanted: u8) -> bool {
        match self.0.split_first() {
            Some((byte, rest)) if *byte == wanted => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes one of `wanted` and says which.
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        wanted.iter().copied().find(|byte| self.eat(*byte))
    }

    fn need(&mut self, wanted: u8) -> Option<()> {
        self.eat(wanted).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(taken).ok()
    }

    /// Exactly `width` digits.
    fn number(&mut self, width: usize) -> Option<u64> {
        let digits = self.take(width).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok()
    }

    /// All digits that follow.
    fn digits(&mut self) -> &'a str {
        let end = self.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.0.len());
        self.take(end).unwrap_or("")
    }

    /// A syslog priority, `<13>`.
    fn priority(&mut self) {
        let mut ahead = self.clone();
        if ahead.eat(b'<') && (1..=3).contains(&ahead.digits().len()) && ahead.eat(b'>') {
            *self = ahead;
        }
    }

    /// `01:02:03`.
    fn time(&mut self) -> Option<Time> {
        let hour = self.number(2)?;
        self.need(b':')?;
        let minute = self.number(2)?;
        self.need(b':')?;
        let second = self.number(2)?;
        // A leap second is told as the second before it: most databases know none.
        let valid = hour < 24 && minute < 60 && second <= 60;
        valid.then_some(Time { hour, minute, second: second.min(59), fraction: String::new() })
    }

    /// `Z`, `+01:00` or `+0100`, after at most one blank; UTC when there is none.
    fn zone(&mut self) -> String {
        let mut ahead = self.clone();
        ahead.eat(b' ');
        let offset = ahead.one_of(b"+-").and_then(|sign| {
            let hours = ahead.number(2)?;
            ahead.eat(b':');
            let minutes = ahead.number(2)?;
            let known = hours < 24 && minutes < 60 && (hours, minutes) != (0, 0);
            known.then(|| format!("{}{hours:02}:{minutes:02}", char::from(sign)))
        });
        offset.unwrap_or_else(|| "Z".to_owned())
    }

    /// Whether the word ends here, so that `12:30:455` is no time.
    fn at_edge(&self) -> bool {
        self.0.first().is_none_or(|byte| !byte.is_ascii_digit())
    }
}

struct Time {
    hour: u64,
    minute: u64,
    second: u64,
    /// With its point; empty for none.
    fraction: String,
}

fn iso(mut at: Cursor<'_>) -> Option<String> {
    let year = at.number(4)?;
    let separator = at.one_of(b"-/")?;
    let month = at.number(2)?;
    at.need(separator)?;
    let day = at.number(2)?;
    at.one_of(b"Tt ")?;
    let mut time = at.time()?;
    if at.one_of(b".,").is_some() {
        let digits = at.digits();
        if !digits.is_empty() {
            // Nanoseconds are as fine as events are.
            time.fraction = format!(".{}", digits.get(..9).unwrap_or(digits));
        }
    }
    at.at_edge().then(|| written(year, month, day, &time, &at.zone()))?
}

fn syslog(mut at: Cursor<'_>, year: Year) -> Option<String> {
    let month = month(at.take(3)?)?;
    at.need(b' ')?;
    let day = if at.eat(b' ') { at.number(1)? } else { at.number(2)? };
    at.need(b' ')?;
    let time = at.time()?;
    at.at_edge().then(|| written(year.of(month), month, day, &time, "Z"))?
}

fn web(line: &str) -> Option<String> {
    let reach = line.as_bytes().get(..WEB_REACH).unwrap_or(line.as_bytes());
    let brackets = reach.iter().enumerate().filter(|(_, byte)| **byte == b'[');
    brackets.filter_map(|(at, _)| web_at(Cursor(line.as_bytes().get(at + 1..)?))).next()
}

fn web_at(mut at: Cursor<'_>) -> Option<String> {
    let day = at.number(2)?;
    at.need(b'/')?;
    let month = month(at.take(3)?)?;
    at.need(b'/')?;
    let year = at.number(4)?;
    at.need(b':')?;
    let time = at.time()?;
    written(year, month, day, &time, &at.zone())
}

fn written(year: u64, month: u64, day: u64, time: &Time, zone: &str) -> Option<String> {
    // Events count nanoseconds since 1970 in 64 bits, which reach from 1678 to 2261.
    let exists = (1678..=2261).contains(&year) && (1..=days_in(year, month)).contains(&day);
    let Time { hour, minute, second, fraction } = time;
    exists.then(|| {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR: Year = Year::Now { year: 2026, month: 11 };

    #[test]
    fn known_forms_are_recognized() {
        for (line, expected) in [
            ("2026-11-21T01:02:03Z x", "2026-11-21T01:02:03Z"),
            ("2026-11-21T01:02:03.123456789+01:00", "2026-11-21T01:02:03.123456789+01:00"),
            ("2026-11-21t01:02:03.1234567891234z", "2026-11-21T01:02:03.123456789Z"),
            ("2026-11-21 01:02:03 install foo", "2026-11-21T01:02:03Z"),
            ("2026-11-21 01:02:03,123 WARN", "2026-11-21T01:02:03.123Z"),
            ("2026-11-21 01:02:03 -0530 commit", "2026-11-21T01:02:03-05:30"),
            ("2026/11/21 01:02:60 [error] 7#7", "2026-11-21T01:02:59Z"),
            ("[2026-11-21 01:02:03.5] x", "2026-11-21T01:02:03.5Z"),
            ("Nov 21 01:02:03 host app[1]: x", "2026-11-21T01:02:03Z"),
            ("<13>Nov  1 01:02:03 host app: x", "2026-11-01T01:02:03Z"),
            ("Dec 31 23:59:59 host app: x", "2025-12-31T23:59:59Z"),
            ("::1 - - [21/Nov/2026:01:02:03 +0200] \"GET /\"", "2026-11-21T01:02:03+02:00"),
            ("::1 - [me] [21/Nov/2026:01:02:03 +0000] \"GET /\"", "2026-11-21T01:02:03Z"),
        ] {
            assert_eq!(leading(line, YEAR).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(
            leading("Feb 29 01:02:03 leap", Year::Given(2024)).as_deref(),
            Some("2024-02-29T01:02:03Z")
        );
    }

    #[test]
    fn what_is_no_date_is_no_timestamp() {
        for line in [
            "",
            "hello",
            "2026-13-01 01:02:03",
            "2026-02-29 01:02:03",
            "2026-11-21 24:02:03",
            "2026-11/21 01:02:03",
            "2026-11-21 01:02:033",
            "2026-11-21",
            "0001-01-01 00:00:00",
            "Nov 31 01:02:03",
            "Nov 21 1:02:03",
            "Nov 21",
            "<999",
            "Ünï",
            "[99/Nov/2026:01:02:03]",
            "at 2026-11-21T01:02:03Z",
        ] {
            assert_eq!(leading(line, YEAR), None, "{line}");
        }
    }

    proptest! {
        /// Invariant: any line is answered, and every answer is itself a timestamp.
        #[test]
        fn answers_are_stable(line in "\\PC{0,40}|[0-9:T \\-.,\\[/]{0,30}|Nov [0-9: ]{0,14}") {
            if let Some(found) = leading(&line, YEAR) {
                prop_assert_eq!(leading(&found, YEAR), Some(found));
            }
        }
    }
}
