//! Does what is written read back as the same events?

use proptest::prelude::*;
use serde_json::Value;
use tidegate_event::json::{Format, Options, Parser};
use tidegate_event::{Body, Event, Rows, rows};

use super::*;

const JOURNAL: JournalId = JournalId::from_u128(0xdecade);

/// What an event is made of, owned.
#[derive(Debug, Clone)]
struct Parts {
    timestamp: Option<i64>,
    observed: i64,
    severity_number: u8,
    texts: [String; 3],
    body: Option<Result<String, Value>>,
    attributes: Value,
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
}

/// Text without NUL, which the door lets nobody have.
fn text() -> impl Strategy<Value = String> {
    "[\\x01-\\x7f]{0,12}|\\PC{0,8}|[\u{1}-\u{10ffff}]{0,6}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::vec((text(), value), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn parts() -> impl Strategy<Value = Parts> {
    let body = proptest::option::of(prop_oneof![
        text().prop_map(Ok),
        // A JSON text is a body of its own kind, and null is none.
        value().prop_filter("not text", |v| !v.is_string() && !v.is_null()).prop_map(Err),
    ]);
    let ids = (
        proptest::option::of(any::<[u8; 16]>().prop_filter("zero is none", |id| *id != [0; 16])),
        proptest::option::of(any::<[u8; 8]>().prop_filter("zero is none", |id| *id != [0; 8])),
    );
    (
        (proptest::option::of(i64::MIN + 1..=i64::MAX), any::<i64>()),
        0..=24u8,
        proptest::array::uniform3(text()),
        body,
        object(value()),
        ids,
    )
        .prop_map(|((timestamp, observed), severity_number, texts, body, attributes, ids)| {
            Parts {
                timestamp,
                observed,
                severity_number,
                texts,
                body,
                attributes,
                trace_id: ids.0,
                span_id: ids.1,
            }
        })
}

/// A batch of these events from position 5 on; `pretty` breaks the lines of their JSON.
fn batch(events: &[Parts], pretty: bool) -> Batch {
    let json = |value: &Value| {
        if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() }
    };
    let mut bytes = Vec::new();
    for parts in events {
        let (attributes, body) = (json(&parts.attributes), parts.body.as_ref());
        let body = body.map(|body| body.as_ref().map_err(json));
        let event = Event {
            timestamp: parts.timestamp,
            observed: parts.observed,
            severity_number: parts.severity_number,
            severity_text: &parts.texts[0],
            service: &parts.texts[1],
            class: &parts.texts[2],
            body: match &body {
                None => Body::None,
                Some(Ok(text)) => Body::Text(text),
                Some(Err(json)) => Body::Json(json),
            },
            attributes: &attributes,
            trace_id: parts.trace_id,
            span_id: parts.span_id,
        };
        rows::encode(&event, &mut bytes).unwrap();
    }
    let count = u32::try_from(events.len()).unwrap();
    let slices = vec![Slice { first: 5, rows: Rows::new(bytes.into(), count) }];
    Batch { lane: "default".into(), range: 5..5 + u64::from(count), slices }
}

fn encoded(layout: Layout, batch: &Batch) -> String {
    let mut out = String::new();
    Encoder::new(layout, "_id").encode(JOURNAL, batch, &mut out).unwrap();
    out
}

/// Whether the event that was read back is the one that was sent.
fn assert_same(read: &Event<'_>, sent: &Parts, position: Position) -> Result<(), TestCaseError> {
    prop_assert_eq!(read.timestamp, sent.timestamp);
    let expected = match sent.severity_number {
        // Then the reader takes it from the text.
        0 => tidegate_event::severity::number(&sent.texts[0]),
        number => number,
    };
    prop_assert_eq!(read.severity_number, expected);
    let texts = [read.severity_text, read.service, read.class];
    prop_assert_eq!(texts, sent.texts.each_ref().map(String::as_str));
    match (read.body, &sent.body) {
        (Body::None, None) => {}
        (Body::Text(read), Some(Ok(sent))) => prop_assert_eq!(read, sent),
        (Body::Json(read), Some(Err(sent))) => {
            prop_assert_eq!(&serde_json::from_str::<Value>(read).unwrap(), sent);
        }
        (read, sent) => prop_assert!(false, "{:?} {:?}", read, sent),
    }
    prop_assert_eq!((read.trace_id, read.span_id), (sent.trace_id, sent.span_id));
    // What has no field of its own at the door becomes an attribute.
    let attributes: Value = serde_json::from_str(read.attributes).unwrap();
    let name = format!("{JOURNAL}:{position}");
    let mine = |key: &str| attributes[key].as_str().map(str::to_owned);
    let sent_members = sent.attributes.as_object().unwrap();
    prop_assert_eq!(mine("_id"), Some(name));
    let observed = mine("observed_timestamp").unwrap();
    if sent.observed > i64::MIN {
        let observed = tidegate_event::timestamp::from_text(&observed);
        prop_assert_eq!(observed, Some(sent.observed));
    }
    for (key, value) in sent_members
        .iter()
        .filter(|(key, _)| !["_id", "observed_timestamp"].contains(&key.as_str()))
    {
        prop_assert_eq!(&attributes[key], value);
    }
    Ok(())
}

proptest! {
    /// Invariant: whatever an event holds, its line is one line of JSON that the reader at the door
    /// reads back as the same event, also when JSON inside it was broken into lines.
    #[test]
    fn every_event_is_read_back(events in proptest::collection::vec(parts(), 1..4), pretty: bool) {
        let text = encoded(Layout::Ndjson, &batch(&events, pretty));
        prop_assert_eq!(text.matches('\n').count(), events.len());
        let parsed = Parser::default()
            .parse(text.as_bytes(), Format::Ndjson, &Options::default())
            .unwrap();
        let rows = parsed.groups.into_iter().next().unwrap().into_rows();
        prop_assert_eq!(rows.len() as usize, events.len());
        for ((read, sent), position) in rows.iter().zip(&events).zip(5..) {
            assert_same(&read, sent, position)?;
        }
    }

    /// Invariant: an array holds the very objects that the lines hold, and a bulk has the same
    /// names, each before its object.
    #[test]
    fn the_layouts_agree(events in proptest::collection::vec(parts(), 1..4)) {
        let batch = batch(&events, false);
        let lines = encoded(Layout::Ndjson, &batch);
        let objects: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let array: Vec<Value> = serde_json::from_str(&encoded(Layout::Array, &batch)).unwrap();
        prop_assert_eq!(&array, &objects);
        let bulk = encoded(Layout::Bulk, &batch);
        let bulk: Vec<Value> =
            bulk.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(bulk.len(), 2 * objects.len());
        for (pair, object) in bulk.chunks(2).zip(&objects) {
            prop_assert_eq!(&pair[0]["create"]["_id"], &object["_id"]);
            let time = object.get("timestamp").unwrap_or(&object["observed_timestamp"]);
            prop_assert_eq!(&pair[1]["@timestamp"], time);
            prop_assert_eq!(&pair[1]["body"], &object["body"]);
            prop_assert!(pair[1].get("_id").is_none());
        }
    }
}

#[test]
fn the_name_of_the_id_is_escaped() {
    let batch = batch(&[], false);
    assert_eq!(encoded(Layout::Array, &batch), "[]");
    let encoder = Encoder::new(Layout::Ndjson, "a\"b");
    assert_eq!(encoder.before_name, "{\"a\\\"b\":\"");
}
