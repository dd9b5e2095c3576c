//! The walk over protobuf and the reader of OTLP/JSON, held against the protocol's generated types
//! on messages by chance.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first surprise")]

use base64::Engine as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Map, Value, json};
use tidegate_event::otlp::{Encoding, Options, Parsed, Parser};
use tidegate_event::{Body, Event, severity};

const ARRIVED: i64 = 1_800_000_000_000_000_000;

fn holding(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        1 => Just(AnyValue { value: None }),
        4 => ".{0,20}|[\\x00-\\x7f]{0,20}".prop_map(|text| holding(Any::StringValue(text))),
        1 => proptest::bool::ANY.prop_map(|value| holding(Any::BoolValue(value))),
        2 => proptest::num::i64::ANY.prop_map(|value| holding(Any::IntValue(value))),
        2 => proptest::num::i32::ANY
            // Few digits: `serde_json` reads many of them inexactly.
            .prop_map(|n| holding(Any::DoubleValue(f64::from(n) / 64.0))),
        1 => vec(proptest::num::u8::ANY, 0..12).prop_map(|bytes| holding(Any::BytesValue(bytes))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4)
                .prop_map(|values| holding(Any::ArrayValue(ArrayValue { values }))),
            btree_map("[a-z.\"\\\\é]{0,5}", inner, 0..4).prop_map(|map| {
                holding(Any::KvlistValue(KeyValueList { values: pairs(map.into_iter()) }))
            }),
        ]
    })
}

fn pairs(map: impl Iterator<Item = (String, AnyValue)>) -> Vec<KeyValue> {
    map.map(|(key, value)| KeyValue { key, value: Some(value), ..KeyValue::default() }).collect()
}

/// Attributes whose names differ: those that do not are numbered, which has a test of its own.
fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    btree_map("[a-z.]{1,6}|[a-z\"\\\\\\n é]{0,4}", any_value(), 0..6)
        .prop_map(|map| pairs(map.into_iter()))
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(vec![0; length]),
        vec(proptest::num::u8::ANY, length),
        vec(1..=u8::MAX, 1..4),
    ]
}

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..i64::MAX as u64, Just(u64::MAX)]
}

prop_compose! {
    fn record()(
        times in (nanos(), nanos()), severity in prop_oneof![Just(0), 1..=24i32, Just(25), Just(-1)],
        text in "|INFO|warn|[a-z]{1,8}", body in proptest::option::of(any_value()),
        attributes in attributes(), counts in (0..3u32, 0..=u32::MAX), ids in (id(16), id(8)),
        event_name in "|[a-z.]{1,9}", class in "|bulk|other",
    ) -> LogRecord {
        let mut attributes = attributes;
        if !class.is_empty() {
            attributes.extend(pairs([("tidegate.class".to_owned(), holding(Any::StringValue(class)))].into_iter()));
        }
        LogRecord {
            time_unix_nano: times.0, observed_time_unix_nano: times.1, severity_number: severity,
            severity_text: text, body, attributes, dropped_attributes_count: counts.0,
            flags: counts.1, trace_id: ids.0, span_id: ids.1, event_name,
        }
    }
}

prop_compose! {
    fn scope()(
        scope in proptest::option::of(("|[a-z.]{1,9}", "|[0-9.]{1,5}", attributes(), 0..3u32)),
        log_records in vec(record(), 0..4), schema_url in "|https://a/[0-9]",
    ) -> ScopeLogs {
        let scope = scope.map(|(name, version, attributes, dropped_attributes_count)| {
            InstrumentationScope { name, version, attributes, dropped_attributes_count }
        });
        ScopeLogs { scope, log_records, schema_url }
    }
}

prop_compose! {
    fn request()(resources in vec(
        (proptest::option::of((attributes(), 0..3u32, "|checkout", "|bulk")), vec(scope(), 0..3), "|https://b/[0-9]"), 0..3,
    )) -> ExportLogsServiceRequest {
        let resource_logs = resources.into_iter().map(|(resource, scope_logs, schema_url)| {
            let resource = resource.map(|(mut attributes, dropped_attributes_count, service, class)| {
                for (name, text) in [("service.name", service), ("tidegate.class", class)] {
                    if !text.is_empty() {
                        attributes.extend(pairs([(name.to_owned(), holding(Any::StringValue(text)))].into_iter()));
                    }
                }
                Resource { attributes, dropped_attributes_count, entity_refs: Vec::new() }
            });
            ResourceLogs { resource, scope_logs, schema_url }
        });
        ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
    }
}

fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn plain_json(value: Option<&AnyValue>) -> Value {
    match value.and_then(|any| any.value.as_ref()) {
        None => Value::Null,
        Some(Any::StringValue(text)) => clean(text).into(),
        Some(Any::BoolValue(value)) => (*value).into(),
        Some(Any::IntValue(value)) => (*value).into(),
        Some(Any::DoubleValue(value)) => (*value).into(),
        Some(Any::BytesValue(bytes)) => {
            base64::engine::general_purpose::STANDARD.encode(bytes).into()
        }
        Some(Any::ArrayValue(array)) => {
            array.values.iter().map(|value| plain_json(Some(value))).collect()
        }
        Some(Any::KvlistValue(list)) => Value::Object(
            list.values.iter().map(|kv| (clean(&kv.key), plain_json(kv.value.as_ref()))).collect(),
        ),
        Some(other) => panic!("{other:?}"),
    }
}

/// What an event should be, its attributes as a tree.
#[derive(Debug, PartialEq)]
struct Expected {
    timestamp: Option<i64>,
    severity: (u8, String),
    service: String,
    class: String,
    body: Option<Value>,
    is_text: bool,
    attributes: Map<String, Value>,
    trace_id: Option<Vec<u8>>,
    span_id: Option<Vec<u8>>,
}

fn text_of(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|kv| kv.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn insert_all(to: &mut Map<String, Value>, prefix: &str, attributes: &[KeyValue], taken: &[&str]) {
    for kv in attributes.iter().filter(|kv| !taken.contains(&kv.key.as_str())) {
        to.insert(format!("{prefix}{}", clean(&kv.key)), plain_json(kv.value.as_ref()));
    }
}

fn insert_some(to: &mut Map<String, Value>, name: &str, value: Value) {
    if value != json!(0) && value != json!("") {
        to.insert(name.to_owned(), value);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expected(of: &ResourceLogs, scope: &ScopeLogs, record: &LogRecord) -> Expected {
    let resource = of.resource.clone().unwrap_or_default();
    let mut attributes = Map::new();
    insert_all(
        &mut attributes,
        "resource.",
        &resource.attributes,
        &["service.name", "tidegate.class"],
    );
    let dropped = resource.dropped_attributes_count;
    insert_some(&mut attributes, "resource.dropped_attributes_count", dropped.into());
    insert_some(&mut attributes, "resource.schema_url", of.schema_url.clone().into());
    let about = scope.scope.clone().unwrap_or_default();
    insert_some(&mut attributes, "scope.name", about.name.into());
    insert_some(&mut attributes, "scope.version", about.version.into());
    insert_all(&mut attributes, "scope.attributes.", &about.attributes, &[]);
    let dropped = about.dropped_attributes_count;
    insert_some(&mut attributes, "scope.dropped_attributes_count", dropped.into());
    insert_some(&mut attributes, "scope.schema_url", scope.schema_url.clone().into());
    insert_all(&mut attributes, "", &record.attributes, &["tidegate.class"]);
    insert_some(&mut attributes, "otel.event_name", record.event_name.clone().into());
    insert_some(&mut attributes, "otel.flags", record.flags.into());
    let dropped = record.dropped_attributes_count;
    insert_some(&mut attributes, "otel.dropped_attributes_count", dropped.into());
    let (time, observed) = (record.time_unix_nano, record.observed_time_unix_nano);
    let happened = if time == 0 { observed } else { time };
    let timestamp = i64::try_from(happened).ok();
    if timestamp.is_none() {
        insert_some(&mut attributes, "otel.time_unix_nano", time.into());
    }
    if timestamp.is_none() || happened != observed {
        insert_some(&mut attributes, "otel.observed_time_unix_nano", observed.into());
    }
    let number = record.severity_number;
    if !(0..=24).contains(&number) {
        attributes.insert("otel.severity_number".into(), number.into());
    }
    for (name, id, length) in
        [("otel.trace_id", &record.trace_id, 16), ("otel.span_id", &record.span_id, 8)]
    {
        if !id.is_empty() && id.len() != length {
            attributes.insert(name.into(), hex(id).into());
        }
    }
    let id = |id: &Vec<u8>, length| {
        (id.len() == length && id.iter().any(|byte| *byte != 0)).then(|| id.clone())
    };
    let body = record.body.as_ref().filter(|body| body.value.is_some());
    let class = text_of(&record.attributes, "tidegate.class");
    Expected {
        timestamp: timestamp.filter(|nanos| *nanos != 0),
        severity: match number {
            1..=24 => (number as u8, record.severity_text.clone()),
            _ => (severity::number(&record.severity_text), record.severity_text.clone()),
        },
        service: text_of(&resource.attributes, "service.name").unwrap_or_default(),
        class: class.or(text_of(&resource.attributes, "tidegate.class")).unwrap_or_default(),
        is_text: body.is_some_and(|body| {
            matches!(body.value, Some(Any::StringValue(_) | Any::BytesValue(_)))
        }),
        body: body.map(|body| plain_json(Some(body))),
        attributes,
        trace_id: id(&record.trace_id, 16),
        span_id: id(&record.span_id, 8),
    }
}

fn found(event: &Event<'_>) -> Expected {
    assert_eq!(event.observed, ARRIVED);
    Expected {
        timestamp: event.timestamp,
        severity: (event.severity_number, event.severity_text.to_owned()),
        service: event.service.to_owned(),
        class: event.class.to_owned(),
        body: match event.body {
            Body::None => None,
            Body::Text(text) => Some(text.into()),
            Body::Json(text) => Some(serde_json::from_str(text).unwrap()),
        },
        is_text: matches!(event.body, Body::Text(_)),
        attributes: serde_json::from_str(event.attributes)
            .unwrap_or_else(|error| panic!("{error}: {}", event.attributes)),
        trace_id: event.trace_id.map(Vec::from),
        span_id: event.span_id.map(Vec::from),
    }
}

fn parse(body: &[u8], encoding: Encoding) -> Parsed {
    let classes = ["bulk".into()];
    let options = Options { classes: &classes, observed: ARRIVED, ..Options::default() };
    Parser::default().parse(body, encoding, &options, &mut |_| true).unwrap()
}

/// The events of each lane, in order.
fn lanes(parsed: Parsed) -> [Vec<Expected>; 2] {
    let mut lanes = [Vec::new(), Vec::new()];
    for group in parsed.groups {
        let class = group.class;
        lanes[class].extend(group.into_rows().iter().map(|event| found(&event)));
    }
    lanes
}

proptest! {
    /// Invariant: every field of every record is where the table says, and of the lane it names.
    #[test]
    fn protobuf_is_what_the_generated_types_say(request in request()) {
        let parsed = parse(&request.encode_to_vec(), Encoding::Protobuf);
        prop_assert_eq!(parsed.rejected.total, 0);
        let mut wanted = [Vec::new(), Vec::new()];
        for resource in &request.resource_logs {
            for scope in &resource.scope_logs {
                for record in &scope.log_records {
                    let event = expected(resource, scope, record);
                    wanted[usize::from(event.class == "bulk")].push(event);
                }
            }
        }
        prop_assert_eq!(lanes(parsed), wanted);
    }

    /// Invariant: JSON gives the same rows as protobuf, byte for byte.
    #[test]
    fn json_and_protobuf_give_the_same_rows(request in request(), shuffled: bool) {
        let binary = parse(&request.encode_to_vec(), Encoding::Protobuf);
        let mut json = serde_json::to_value(&request).unwrap();
        if shuffled {
            // Members in the order of the alphabet, and integers as numbers where they fit.
            loosen(&mut json);
        }
        let text = serde_json::to_string(&json).unwrap();
        let json = parse(text.as_bytes(), Encoding::Json);
        prop_assert_eq!(json.groups, binary.groups, "{}", text);
        prop_assert_eq!(json.rejected, binary.rejected);
    }

    /// Invariant: no bytes make either reader panic, and what it takes is in the rows.
    #[test]
    fn garbage_is_survived(
        request in request(), noise in vec(proptest::num::u8::ANY, 0..60), json: bool,
        flips in vec((any_index(), proptest::num::u8::ANY), 0..4),
    ) {
        let mut body = if json { serde_json::to_vec(&request).unwrap() } else { request.encode_to_vec() };
        body.extend_from_slice(&noise);
        for (at, value) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = value;
            }
        }
        let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
        let options = Options::default();
        if let Ok(parsed) = Parser::default().parse(&body, encoding, &options, &mut |_| true) {
            let rows = parsed.groups.into_iter().map(|group| group.into_rows().iter().count());
            prop_assert_eq!(rows.sum::<usize>() as u64, parsed.accepted);
        }
    }
}

fn any_index() -> impl Strategy<Value = prop::sample::Index> {
    any::<prop::sample::Index>()
}

/// Writes integers in strings as numbers.
fn loosen(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                let is_integer =
                    ["timeUnixNano", "observedTimeUnixNano", "intValue"].contains(&name.as_str());
                match value.as_str() {
                    Some(digits) if is_integer => {
                        *value = serde_json::from_str(digits).unwrap();
                    }
                    _ => loosen(value),
                }
            }
            map.insert("unknown".to_owned(), json!({"field": [1, null]}));
        }
        Value::Array(array) => array.iter_mut().for_each(loosen),
        _ => {}
    }
}
