//! How is what a sink wrote as JSON read back?

use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_event::timestamp;

use super::Stored;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    _id: String,
    timestamp: Option<String>,
    observed_timestamp: String,
    #[serde(default)]
    severity_number: u8,
    #[serde(default)]
    severity_text: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    class: String,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    span_id: String,
}

/// One object, as the encoder writes it.
pub(crate) fn stored(line: &str) -> Stored {
    let line: Line<'_> = serde_json::from_str(line).unwrap();
    let (journal, position) = line._id.split_once(':').unwrap();
    let instant = |text: &String| timestamp::from_text(text).unwrap();
    Stored {
        journal: journal.to_owned(),
        position: position.parse().unwrap(),
        timestamp: line.timestamp.as_ref().map(instant),
        observed: instant(&line.observed_timestamp),
        severity_number: line.severity_number,
        severity_text: line.severity_text,
        service: line.service,
        class: line.class,
        body: match line.body.map(RawValue::get) {
            None => String::new(),
            Some(text) if text.starts_with('"') => serde_json::from_str(text).unwrap(),
            Some(json) => json.to_owned(),
        },
        attributes: line.attributes.map_or("", RawValue::get).to_owned(),
        trace_id: line.trace_id,
        span_id: line.span_id,
    }
}

/// Objects, ordered by journal and position.
pub(crate) fn all_stored<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<Stored> {
    let mut all: Vec<Stored> = lines.map(stored).collect();
    all.sort_by(|one, other| (&one.journal, one.position).cmp(&(&other.journal, other.position)));
    all
}
