//! What holds for any body at all?

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_event::json::{Format, Limits, Options, Parser};
use tidegate_event::{Body, Event, Rows, severity, timestamp};

const FORMATS: [Format; 3] = [Format::Ndjson, Format::Json, Format::Text];

fn partial() -> Options<'static> {
    Options { partial: true, observed: 7, ..Options::default() }
}

/// All rows that a body gives, if it is taken.
fn rows(body: &[u8], format: Format) -> Option<Rows> {
    let mut groups = Parser::default().parse(body, format, &partial()).ok()?.groups;
    Some(groups.pop().map(tidegate_event::json::ParsedGroup::into_rows).unwrap_or_default())
}

/// A name: of a field, of nothing, or hard to spell.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(vec![
            "timestamp", "ts", "time_unix_nano", "level", "severity", "severity_number",
            "PRIORITY", "service", "app", "body", "msg", "log", "class", "trace_id", "traceId",
            "span_id", "attributes",
        ]).prop_map(str::to_owned),
        2 => "[a-c](#2)?",
        1 => "[\\x00-\\x7f]{0,5}|\\PC{0,4}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        // Few digits: the test's own parser does not round every float trip correctly.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        (0..70u8).prop_map(Value::from),
        "[\\x00-\\x7f]{0,12}|.{0,8}".prop_map(Value::from),
        proptest::sample::select(vec![
            "info",
            "2025-11-05T09:30:00Z",
            "1762335000",
            "000102030405060708090a0b0c0d0e0f",
            "0001020304050607",
        ])
        .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::vec((name(), value()), 0..8)
        .prop_map(|members| members.into_iter().collect())
}

/// The value with every NUL replaced, as the parser does it.
fn clean(value: &Value) -> Value {
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(string) => text(string).into(),
        Value::Array(values) => values.iter().map(clean).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (text(name), clean(value))).collect()
        }
        other => other.clone(),
    }
}

/// Whether this member is what the event's field says.
fn fills(event: &Event<'_>, name: &str, value: &Value) -> bool {
    let text = value.as_str();
    let bare = text.map_or_else(|| value.to_string(), str::to_owned);
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match name {
        "timestamp" | "ts" => {
            let at = text.map_or_else(|| timestamp::from_number(&bare), timestamp::from_text);
            at.is_some() && event.timestamp == at
        }
        "time_unix_nano" => event.timestamp.is_some_and(|at| at.to_string() == bare),
        "level" | "severity" | "PRIORITY" => {
            event.severity_text == bare && (text.is_some() || value.is_u64())
        }
        "severity_number" => event.severity_number.to_string() == bare,
        "service" | "app" => Some(event.service) == text,
        "class" => Some(event.class) == text,
        "body" | "msg" | "log" => match event.body {
            Body::None => false,
            Body::Text(body) => Some(body) == text,
            Body::Json(json) => &serde_json::from_str::<Value>(json).unwrap() == value,
        },
        "trace_id" | "traceId" => event.trace_id.is_some_and(|id| hex(&id) == bare),
        "span_id" => event.span_id.is_some_and(|id| hex(&id) == bare),
        _ => false,
    }
}

proptest! {
    /// Invariant: any bytes at all are survived in every format, and whatever comes of them is
    /// whole: counts agree, and each attributes text is an object that holds no NUL.
    #[test]
    fn any_bytes_are_survived(
        body in prop_oneof![
            any::<Vec<u8>>(),
            r#"([\[\]{}:,"\\\n\r\x00 0-9eu.+-]|true|null|"a"|\\ud83d|\\u0000|"msg":){0,60}"#
                .prop_map(String::into_bytes),
        ],
        depth_max in 0..5u32, event_bytes_max in 0..60usize, events_max in 0..9u32,
    ) {
        let limits = Limits { depth_max, event_bytes_max, events_max };
        for format in FORMATS {
            let options = Options { limits, ..partial() };
            let Ok(parsed) = Parser::default().parse(&body, format, &options) else { continue };
            prop_assert!(parsed.accepted + parsed.rejected.total <= u64::from(events_max));
            let groups = parsed.groups.into_iter();
            for rows in groups.map(tidegate_event::json::ParsedGroup::into_rows) {
                prop_assert_eq!(rows.iter().count() as u64, parsed.accepted);
                for event in &rows {
                    let attributes: Map<String, Value> = serde_json::from_str(event.attributes).unwrap();
                    prop_assert!(!Value::from(attributes).to_string().contains("\\u0000"));
                }
            }
        }
    }

    /// Invariant: every member is found again in exactly one place of the row.
    #[test]
    fn no_member_is_lost_or_doubled(object in object()) {
        let text = serde_json::to_string(&object).unwrap();
        let rows = rows(text.as_bytes(), Format::Ndjson).unwrap();
        let event = rows.iter().next().unwrap();
        let mut attributes: Map<String, Value> = serde_json::from_str(event.attributes).unwrap();
        let mut fields = 0;
        let mut take = |name: &str, value: &Value| {
            // A name that was taken is numbered, and no more than all members are.
            let names = (1..40).map(|number| match number {
                1 => name.to_owned(),
                _ => format!("{name}#{number}"),
            });
            let found = names.into_iter().find(|name| attributes.get(name) == Some(value));
            found.is_some_and(|name| attributes.remove(&name).is_some())
        };
        for (name, value) in &object {
            let (name, value) = (name.replace('\0', "\u{fffd}"), clean(value));
            if name == "attributes" && value.is_object() {
                for (name, value) in value.as_object().unwrap() {
                    prop_assert!(take(name, value), "{name} of the attributes is lost");
                }
            } else if !take(&name, &value) {
                prop_assert!(fills(&event, &name, &value), "{name} is lost");
                fields += 1;
            }
        }
        prop_assert!(attributes.is_empty(), "from nowhere: {attributes:?}");
        let filled = [
            event.timestamp.is_some(), !event.service.is_empty(), !event.class.is_empty(),
            event.body != Body::None, event.trace_id.is_some(), event.span_id.is_some(),
            !event.severity_text.is_empty(),
            event.severity_number != severity::number(event.severity_text),
        ];
        prop_assert!(fields >= filled.into_iter().filter(|filled| *filled).count());
    }

    /// Invariant: the same objects give the same rows as lines and as elements.
    #[test]
    fn lines_and_elements_give_the_same_rows(objects in proptest::collection::vec(object(), 1..6)) {
        let lines: Vec<_> = objects.iter().map(|object| json!(object).to_string()).collect();
        let array = format!("[ {} ]", lines.join(" ,\n"));
        let by_line = rows(lines.join("\r\n").as_bytes(), Format::Ndjson);
        prop_assert_eq!(by_line.as_ref().map(Rows::len), u32::try_from(objects.len()).ok());
        prop_assert_eq!(by_line, rows(array.as_bytes(), Format::Json));
    }

    /// Invariant: the good events around bad lines are taken, with partial acceptance, as if the
    /// bad lines were not there, and without it nothing is.
    #[test]
    fn bad_lines_are_their_own_trouble(
        good in proptest::collection::vec(object(), 1..6),
        bad in proptest::collection::vec(
            (any::<proptest::sample::Index>(), proptest::sample::select(vec![
                &b"{"[..], b"{\"a\":", b"7", b"[]", b"{}{}", b"\xff", b"{\"a\":\"\xc3\"}", b"nul", b"\\",
            ])),
            1..6,
        ),
    ) {
        let lines: Vec<Vec<u8>> = good.iter().map(|object| json!(object).to_string().into()).collect();
        let mut mixed: Vec<(bool, Vec<u8>)> = lines.iter().map(|line| (true, line.clone())).collect();
        for (index, line) in &bad {
            mixed.insert(index.index(mixed.len() + 1), (false, line.to_vec()));
        }
        let numbers: Vec<u64> =
            (1..).zip(&mixed).filter(|(_, (good, _))| !good).map(|(number, _)| number).collect();
        let body = mixed.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join(&b'\n');

        let parsed = Parser::default().parse(&body, Format::Ndjson, &partial()).unwrap();
        let listed: Vec<u64> = parsed.rejected.first.iter().map(|line| line.place.number()).collect();
        prop_assert_eq!(listed, numbers);
        prop_assert_eq!(rows(&body, Format::Ndjson), rows(&lines.join(&b'\n'), Format::Ndjson));
        let options = Options { partial: false, ..partial() };
        prop_assert!(Parser::default().parse(&body, Format::Ndjson, &options).is_err());
    }

    /// Invariant: a line that is cut off anywhere is refused, and never taken for a shorter event.
    #[test]
    fn half_a_line_is_refused(object in object(), cut in any::<proptest::sample::Index>()) {
        let text = serde_json::to_string(&object).unwrap();
        let half = &text.as_bytes()[..cut.index(text.len() - 1) + 1];
        for format in [Format::Ndjson, Format::Json] {
            let rows = rows(half, format);
            prop_assert!(rows.is_none_or(|rows| rows.is_empty()));
        }
    }
}
