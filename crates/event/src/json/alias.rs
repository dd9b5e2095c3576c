//! Which member of a JSON object is which field of the event?
//!
//! A table of names. Producers do not agree on names, and a producer may send several that mean
//! one field; then the order of the table decides, not the order in the document, because JSON
//! objects have none and some encoders shuffle. What loses stays an attribute under its own name.
//! Names are compared exactly, case included.

/// What a name may fill. The kinds of one field differ in the values they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Text or a number, by the rules of [`crate::timestamp`].
    Timestamp,
    /// The same field: nanoseconds, as an integer or its digits.
    TimestampNanoseconds,
    /// Text, or an integer of at most three digits.
    Severity,
    /// The same field: 0 to 7, as journald writes it.
    SyslogPriority,
    /// 1 to 24.
    SeverityNumber,
    /// Text.
    Service,
    /// Any value but null.
    Body,
    /// The same field: text only, since others use the name for an object of theirs.
    BodyText,
    /// Text.
    Class,
    /// 32 hexadecimal digits, not all zero.
    TraceId,
    /// 16 hexadecimal digits, not all zero.
    SpanId,
    /// An object, whose members join the event's attributes.
    Attributes,
}

/// One recognized name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alias {
    pub(super) name: &'static str,
    pub(super) field: Field,
    /// Its place in the table: of two names for a field the lower wins.
    pub(super) rank: u8,
}

use Field::{
    Attributes, Body, BodyText, Class, Service, Severity, SeverityNumber, SpanId, SyslogPriority,
    Timestamp, TimestampNanoseconds, TraceId,
};

const NAMES: [(&str, Field); 40] = [
    ("time_unix_nano", TimestampNanoseconds),
    ("timeUnixNano", TimestampNanoseconds),
    ("timestamp", Timestamp),
    ("@timestamp", Timestamp),
    ("time", Timestamp),
    ("ts", Timestamp),
    ("datetime", Timestamp),
    ("date", Timestamp),
    ("__REALTIME_TIMESTAMP", Timestamp),
    ("severity_text", Severity),
    ("severityText", Severity),
    ("severity", Severity),
    ("level", Severity),
    ("log.level", Severity),
    ("log_level", Severity),
    ("loglevel", Severity),
    ("levelname", Severity),
    ("lvl", Severity),
    ("PRIORITY", SyslogPriority),
    ("severity_number", SeverityNumber),
    ("severityNumber", SeverityNumber),
    ("service", Service),
    ("service.name", Service),
    ("service_name", Service),
    ("app", Service),
    ("application", Service),
    ("body", Body),
    ("message", Body),
    ("msg", Body),
    ("log", BodyText),
    ("text", BodyText),
    ("MESSAGE", BodyText),
    ("class", Class),
    ("trace_id", TraceId),
    ("traceId", TraceId),
    ("trace.id", TraceId),
    ("span_id", SpanId),
    ("spanId", SpanId),
    ("span.id", SpanId),
    ("attributes", Attributes),
];

/// So many slots that most names that are in the table have one of their own, and most that are
/// not find theirs empty.
const SLOTS: usize = 256;

/// The table sorted by slot, and where each slot begins.
const BY_SLOT: ([Alias; NAMES.len()], [u8; SLOTS + 1]) = by_slot();

const fn by_slot() -> ([Alias; NAMES.len()], [u8; SLOTS + 1]) {
    let mut sorted = [Alias { name: "", field: Field::Body, rank: 0 }; NAMES.len()];
    let mut starts = [0; SLOTS + 1];
    let (mut at, mut filled) = (0, 0);
    while at < SLOTS {
        starts[at] = filled as u8;
        let mut rank = 0;
        while rank < NAMES.len() {
            let (name, field) = NAMES[rank];
            if slot(name) == at {
                sorted[filled] = Alias { name, field, rank: rank as u8 };
                filled += 1;
            }
            rank += 1;
        }
        at += 1;
    }
    starts[SLOTS] = filled as u8;
    (sorted, starts)
}

/// Length, first and last byte tell most names apart. The factors spread the table's own names.
const fn slot(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return 0 };
    (bytes.len() * FACTORS[0] + *first as usize * FACTORS[1] + *last as usize * FACTORS[2]) % SLOTS
}

const FACTORS: [usize; 3] = [1, 1, 9];

/// The alias with this name.
pub(super) fn find(name: &str) -> Option<&'static Alias> {
    static SORTED: [Alias; NAMES.len()] = BY_SLOT.0;
    static STARTS: [u8; SLOTS + 1] = BY_SLOT.1;
    let slot = slot(name);
    let (start, end) = (usize::from(STARTS[slot]), usize::from(STARTS[slot + 1]));
    SORTED.get(start..end)?.iter().find(|alias| alias.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_differ_in_the_middle_share_a_slot() {
        let mut slots: Vec<_> = NAMES.iter().map(|(name, _)| slot(name)).collect();
        slots.sort_unstable();
        slots.dedup();
        // Four pairs of names differ only in `.` or `_`.
        assert_eq!(slots.len(), NAMES.len() - 4);
    }

    #[test]
    fn every_name_is_found_with_its_rank_and_no_other() {
        for (rank, (name, field)) in NAMES.into_iter().enumerate() {
            let found = find(name).unwrap();
            assert_eq!((found.name, found.field), (name, field));
            assert_eq!(usize::from(found.rank), rank);
            assert_eq!(find(&format!("{name}_")), None);
            assert_eq!(find(&name[1..]).filter(|alias| alias.name == name), None);
        }
        for name in ["", "Level", "priority", "event", "user", &"x".repeat(300)] {
            assert_eq!(find(name), None, "{name}");
        }
    }
}
