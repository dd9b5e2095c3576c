//! How is an event written so that a person can read and mend it? As one line of NDJSON that the
//! door takes: what is written here is read there as the same event.

use std::fmt::Write as _;

use bytes::Bytes;
use tidegate_event::json::{self, Format, Options, Parser};
use tidegate_event::{Body, Event, Rows};

/// The event as one line of JSON, as `POST /v1/events` takes it.
#[must_use]
pub fn line(event: &Event<'_>) -> String {
    let mut line = String::from("{");
    let mut member = |name: &str, json: &str| {
        if line.len() > 1 {
            line.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(line, "\"{name}\":");
        // Line breaks in JSON text stand between its parts, never inside of them.
        line.extend(json.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
    };
    if let Some(timestamp) = event.timestamp {
        member("time_unix_nano", &format!("\"{timestamp}\""));
    }
    if !event.severity_text.is_empty() {
        member("severity_text", &quoted(event.severity_text));
    }
    if event.severity_number > 0 {
        member("severity_number", &event.severity_number.to_string());
    }
    for (name, text) in [("service", event.service), ("class", event.class)] {
        if !text.is_empty() {
            member(name, &quoted(text));
        }
    }
    match event.body {
        Body::None => {}
        Body::Text(text) => member("body", &quoted(text)),
        Body::Json(json) => member("body", json),
    }
    if let Some(id) = event.trace_id {
        member("trace_id", &quoted(&hex(&id)));
    }
    if let Some(id) = event.span_id {
        member("span_id", &quoted(&hex(&id)));
    }
    if event.attributes.len() > 2 {
        member("attributes", event.attributes);
    }
    line.push('}');
    line
}

/// Why text is not one event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOne {
    #[error(transparent)]
    Parse(#[from] json::ParseError),
    #[error("{0} events were sent: a letter has one")]
    Count(u64),
}

/// Reads one event, as the door does, into its row.
pub(crate) fn row(text: &[u8], event_bytes_max: usize, observed: i64) -> Result<Bytes, NotOne> {
    let limits = json::Limits { event_bytes_max, ..json::Limits::default() };
    let options = Options { limits, observed, ..Options::default() };
    let parsed = Parser::default().parse(text, Format::Json, &options)?;
    let count = parsed.accepted;
    let mut groups = parsed.groups.into_iter();
    match (groups.next(), count) {
        (Some(group), 1) => Ok(group.into_rows().bytes().clone()),
        _ => Err(NotOne::Count(count)),
    }
}

/// Does something with the event of a row; `None` if the row does not hold.
pub(crate) fn with<T>(row: &Bytes, see: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
    let rows = Rows::new(row.clone(), 1);
    let mut events = rows.iter();
    events.next().map(|event| see(&event))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: an event that came through the door is written so that the door reads it as
        /// the same one.
        #[test]
        fn what_is_written_is_read_as_the_same_event(
            time in proptest::option::of(0..2_000_000_000_000_000_000i64),
            severity in proptest::sample::select(vec!["", "warn", "ERROR", "7", "odd"]),
            texts in proptest::array::uniform4("[^\0]{0,20}"), kind in 0..4u8, trace: [u8; 16], span: [u8; 8],
        ) {
            let mut object = serde_json::Map::new();
            let mut put = |name: &str, value: serde_json::Value| { object.insert(name.to_owned(), value); };
            if let Some(time) = time { put("timeUnixNano", time.to_string().into()); }
            if !severity.is_empty() { put("level", severity.into()); }
            put("service", texts[0].clone().into());
            put("class", texts[1].clone().into());
            match kind {
                0 => {}
                1 => put("msg", texts[2].clone().into()),
                2 => put("msg", serde_json::json!({ "a": [texts[2], 1, null] })),
                _ => put("msg", 7.into()),
            }
            put("trace_id", hex(&trace).into());
            put("span_id", hex(&span).into());
            put("level2", texts[3].clone().into());
            put("attributes", serde_json::json!({ "level": 5, "ts": "x", "nested": { "a\nb": texts[3] } }));
            let sent = serde_json::Value::Object(object).to_string();
            let first = row(sent.as_bytes(), 1 << 20, 42).unwrap();
            let written = with(&first, line).unwrap();
            prop_assert!(!written.contains('\n'));
            let again = row(written.as_bytes(), 1 << 20, 42).unwrap();
            let rows = [Rows::new(first, 1), Rows::new(again, 1)];
            prop_assert_eq!(rows[0].iter().next(), rows[1].iter().next(), "{}", written);
        }
    }

    #[test]
    fn two_events_are_no_letter() {
        assert!(matches!(row(b"[{\"a\":1},{\"a\":2}]", 1 << 20, 0), Err(NotOne::Count(2))));
        assert!(matches!(row(b"nothing", 1 << 20, 0), Err(NotOne::Parse(_))));
    }
}
