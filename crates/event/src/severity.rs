//! How severe is it, on OpenTelemetry's scale of 1 (TRACE) to 24 (FATAL4)?
//!
//! Source of the scale and of the syslog column:
//! <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>.
//!
//! Words are read whatever their case. Numbers are read as the two scales that loggers send:
//! 0 to 7 is syslog's (GELF, journald, rsyslog; 0 is the worst), 10 to 69 is bunyan's and pino's
//! (10 is TRACE, each further ten one step up). They do not overlap. OpenTelemetry's own numbers
//! overlap both, so they are read only where a field says so by its name.
//!
//! | number | name | words | syslog | bunyan, pino |
//! |---|---|---|---|---|
//! | 1 | TRACE | trace, verbose, finest, t, v | | 10 |
//! | 2 | TRACE2 | finer | | |
//! | 5 | DEBUG | debug, fine, dbg, d | 7 | 20 |
//! | 9 | INFO | info, information, informational, inf, i | 6 | 30 |
//! | 10 | INFO2 | notice | 5 | |
//! | 13 | WARN | warn, warning, wrn, w | 4 | 40 |
//! | 17 | ERROR | error, err, severe, e | 3 | 50 |
//! | 18 | ERROR2 | critical, crit, dpanic | 2 | |
//! | 19 | ERROR3 | alert | 1 | |
//! | 21 | FATAL | fatal, panic, emergency, emerg, ftl, f | 0 | 60 |
//!
//! TRACE2 to FATAL4 are read by their own names too.

/// The longest word in the table.
const WORD_MAX: usize = 13;

/// The number for a severity as a producer writes it; 0 for one that is not in the table.
///
/// ```
/// use tidegate_event::severity;
///
/// assert_eq!(severity::number("Warning"), 13);
/// assert_eq!(severity::number("30"), 9);
/// assert_eq!(severity::number("so so"), 0);
/// ```
#[must_use]
pub fn number(text: &str) -> u8 {
    if text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return text.parse().map_or(0, from_scale);
    }
    let mut buffer = [0; WORD_MAX];
    let Some(lower) = buffer.get_mut(..text.len()) else { return 0 };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    match lower.split_last() {
        Some((step @ b'2'..=b'4', name)) => match base(name) {
            start @ (1 | 5 | 9 | 13 | 17 | 21) => start + (step - b'1'),
            _ => 0,
        },
        _ => match base(lower) {
            0 => word(lower),
            start => start,
        },
    }
}

const fn from_scale(level: u16) -> u8 {
    match level {
        0 => 21,
        1 => 19,
        2 => 18,
        3 | 50..60 => 17,
        4 | 40..50 => 13,
        5 => 10,
        6 | 30..40 => 9,
        7 | 20..30 => 5,
        10..20 => 1,
        60..70 => 21,
        _ => 0,
    }
}

/// The six names that OpenTelemetry counts up from.
fn base(lower: &[u8]) -> u8 {
    match lower {
        b"trace" => 1,
        b"debug" => 5,
        b"info" => 9,
        b"warn" => 13,
        b"error" => 17,
        b"fatal" => 21,
        _ => 0,
    }
}

fn word(lower: &[u8]) -> u8 {
    match lower {
        b"verbose" | b"finest" | b"t" | b"v" => 1,
        b"finer" => 2,
        b"fine" | b"dbg" | b"d" => 5,
        b"information" | b"informational" | b"inf" | b"i" => 9,
        b"notice" => 10,
        b"warning" | b"wrn" | b"w" => 13,
        b"err" | b"severe" | b"e" => 17,
        b"critical" | b"crit" | b"dpanic" => 18,
        b"alert" => 19,
        b"panic" | b"emergency" | b"emerg" | b"ftl" | b"f" => 21,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_number_of_the_table_is_read() {
        for (expected, texts) in [
            (1, "trace TRACE verbose finest t V 10 19"),
            (2, "finer Trace2"),
            (5, "debug DEBUG fine dbg D 7 20"),
            (6, "DEBUG2"),
            (9, "info Info INFORMATION informational inf I 6 30 35"),
            (10, "notice NOTICE 5 INFO2"),
            (13, "warn warning WARNING wrn W 4 40"),
            (16, "warn4"),
            (17, "error ERROR err severe E 3 50"),
            (18, "critical CRITICAL crit dpanic 2 ERROR2"),
            (19, "alert 1 error3"),
            (21, "fatal panic emergency emerg ftl F 0 60"),
            (24, "FATAL4"),
            (0, "8 9 70 99999 1x trace1 trace5 notice2 2 3x warni w2 informationals é"),
        ] {
            for text in texts.split(' ') {
                let expected = if text == "2" { 18 } else { expected };
                assert_eq!(number(text), expected, "{text}");
            }
        }
        assert_eq!(number(""), 0);
    }
}
