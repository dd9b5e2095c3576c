//! What becomes of each member of an event? One table a field.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tidegate_event::json::{Format, Options, Parser};
use tidegate_event::{Body, Event};

const AT: i64 = 1_762_335_000_000_000_000; // 2025-11-05T09:30:00Z

/// Parses one event and hands it over with its attributes as a tree.
fn parsed<R>(text: &str, check: impl FnOnce(Event<'_>, Value) -> R) -> R {
    let options = Options { observed: 42, ..Options::default() };
    let parsed = Parser::default().parse(text.as_bytes(), Format::Ndjson, &options);
    let rows =
        parsed.unwrap_or_else(|error| panic!("{text}: {error}")).groups.remove(0).into_rows();
    let event = rows.iter().next().unwrap();
    assert_eq!(event.observed, 42);
    check(event, serde_json::from_str(event.attributes).unwrap())
}

fn one(name: &str, value: &Value) -> String {
    serde_json::to_string(&json!({ name: value })).unwrap()
}

#[test]
fn each_name_of_a_text_field_fills_it() {
    for name in ["service", "service.name", "service_name", "app", "application"] {
        parsed(&one(name, &json!("pay \"me\"")), |event, attributes| {
            assert_eq!((event.service, attributes), ("pay \"me\"", json!({})), "{name}");
        });
    }
    for name in ["body", "message", "msg", "log", "text", "MESSAGE"] {
        parsed(&one(name, &json!("one\ntwo")), |event, attributes| {
            assert_eq!((event.body, attributes), (Body::Text("one\ntwo"), json!({})), "{name}");
        });
    }
    parsed(&one("class", &json!("write")), |event, attributes| {
        assert_eq!((event.class, attributes), ("write", json!({})));
    });
}

#[test]
fn each_name_of_the_timestamp_fills_it() {
    for name in [
        "timestamp",
        "@timestamp",
        "time",
        "ts",
        "datetime",
        "date",
        "__REALTIME_TIMESTAMP",
        "time_unix_nano",
        "timeUnixNano",
    ] {
        for value in [json!(AT), json!(AT.to_string())] {
            parsed(&one(name, &value), |event, attributes| {
                assert_eq!((event.timestamp, attributes), (Some(AT), json!({})), "{name}");
            });
        }
    }
    for value in [
        json!("2025-11-05T09:30:00Z"),
        json!("2025-11-05 10:30:00.000+01:00"),
        json!(1_762_335_000),
        json!(1_762_335_000.0),
        json!("1762335000000"),
        json!(1_762_335_000_000_000_i64),
    ] {
        parsed(&one("ts", &value), |event, attributes| {
            assert_eq!((event.timestamp, attributes), (Some(AT), json!({})), "{value}");
        });
    }
    parsed(r#"{"ts":"2025-11-05T10:30:00\u002B01:00"}"#, |event, _| {
        assert_eq!(event.timestamp, Some(AT));
    });
    parsed(r#"{"time_unix_nano":"7"}"#, |event, _| assert_eq!(event.timestamp, Some(7)));
}

#[test]
fn each_name_of_the_severity_fills_it() {
    for name in [
        "severity",
        "severity_text",
        "severityText",
        "level",
        "lvl",
        "loglevel",
        "log_level",
        "log.level",
        "levelname",
    ] {
        for (value, text, number) in [
            (json!("Warning"), "Warning", 13),
            (json!(30), "30", 9),
            (json!("30"), "30", 9),
            (json!(3), "3", 17),
            (json!(""), "", 0),
            (json!("meh"), "meh", 0),
        ] {
            parsed(&one(name, &value), |event, attributes| {
                assert_eq!((event.severity_text, event.severity_number), (text, number), "{name}");
                assert_eq!(attributes, json!({}), "{name}");
            });
        }
    }
    for value in [json!(4), json!("4")] {
        parsed(&one("PRIORITY", &value), |event, attributes| {
            assert_eq!((event.severity_text, event.severity_number), ("4", 13));
            assert_eq!(attributes, json!({}));
        });
    }
    for (text, number) in [(r#"{"severity_number":24}"#, 24), (r#"{"severityNumber":"1"}"#, 1)] {
        parsed(text, |event, attributes| {
            assert_eq!((event.severity_text, event.severity_number), ("", number));
            assert_eq!(attributes, json!({}));
        });
    }
    parsed(r#"{"level":"info","severity_number":11}"#, |event, attributes| {
        assert_eq!((event.severity_text, event.severity_number), ("info", 11));
        assert_eq!(attributes, json!({}));
    });
}

#[test]
fn each_name_of_an_id_fills_it() {
    for name in ["trace_id", "traceId", "trace.id"] {
        let value = json!("000102030405060708090A0b0c0d0e0f");
        parsed(&one(name, &value), |event, attributes| {
            let id = std::array::from_fn(|index| u8::try_from(index).unwrap());
            assert_eq!((event.trace_id, attributes), (Some(id), json!({})), "{name}");
        });
    }
    for name in ["span_id", "spanId", "span.id"] {
        parsed(&one(name, &json!("ff00000000000001")), |event, attributes| {
            assert_eq!(event.span_id, Some([255, 0, 0, 0, 0, 0, 0, 1]), "{name}");
            assert_eq!(attributes, json!({}), "{name}");
        });
    }
}

#[test]
fn a_value_that_cannot_be_read_stays_an_attribute() {
    let long = "x".repeat(65_536);
    for (name, values) in [
        ("ts", json!(["tomorrow", 5, 0.25, true, null, [AT], {"at": AT}, -AT])),
        ("time_unix_nano", json!(["2025-11-05T09:30:00Z", 0, 1.5, null])),
        ("level", json!([1000, 1.5, -1, true, null, [], {"name": "info"}, long])),
        ("PRIORITY", json!([8, "high", null])),
        ("severity_number", json!([0, 25, 1.5, "info", null])),
        ("service", json!([1, null, {"name": "x"}, long])),
        ("class", json!([1, null, ["x"], long])),
        ("body", json!([null])),
        ("log", json!([null, {"level": "info"}, 5])),
        ("text", json!([null, true])),
        ("trace_id", json!(["abc", "0".repeat(32), "g".repeat(32), "é".repeat(16), 5, null])),
        ("span_id", json!(["abc", "0".repeat(16), "é".repeat(8), 5, null])),
        ("attributes", json!([5, null, "x", [{}]])),
        ("priority", json!(["high", 3])),
    ] {
        for value in values.as_array().unwrap() {
            parsed(&one(name, value), |event, attributes| {
                assert_eq!(attributes, json!({ name: value }));
                let empty =
                    Event { observed: 42, attributes: event.attributes, ..Event::default() };
                assert_eq!(event, empty, "{name}");
            });
        }
    }
}

#[test]
fn any_value_but_null_is_a_body() {
    for value in [json!(5), json!(false), json!({"a": [1]}), json!(["a"]), json!({})] {
        for name in ["body", "message", "msg"] {
            parsed(&one(name, &value), |event, attributes| {
                assert_eq!(event.body, Body::Json(&value.to_string()));
                assert_eq!(attributes, json!({}));
            });
        }
    }
    parsed("{}", |event, attributes| {
        assert_eq!((event.body, attributes), (Body::None, json!({})));
    });
}

#[test]
fn the_better_name_wins_wherever_it_stands() {
    for text in [
        r#"{"msg":"m","message":"n","body":"b"}"#,
        r#"{"body":"b","msg":"m","message":"n"}"#,
        r#"{"message":"n","body":"b","msg":"m"}"#,
    ] {
        parsed(text, |event, attributes| {
            assert_eq!(event.body, Body::Text("b"));
            assert_eq!(attributes, json!({"msg": "m", "message": "n"}));
        });
    }
    // A better name with a value that cannot be read takes nothing.
    parsed(
        r#"{"ts":1762335000,"timestamp":"soon","level":"x","severity":[]}"#,
        |event, attributes| {
            assert_eq!((event.timestamp, event.severity_text), (Some(AT), "x"));
            assert_eq!(attributes, json!({"timestamp": "soon", "severity": []}));
        },
    );
}

#[test]
fn equal_names_are_all_kept() {
    for (text, attributes) in [
        (
            r#"{"msg":"first","msg":"second","msg":"third"}"#,
            r##"{"msg":"second","msg#2":"third"}"##,
        ),
        (r#"{"a":1,"attributes":{"a":2,"b":3},"b":4}"#, r##"{"a":1,"a#2":2,"b":3,"b#3":4}"##),
        (r#"{"a":1,"\u0061":2}"#, r##"{"a":1,"a#2":2}"##),
        (r#"{"a\n":1,"a\u000A":2}"#, r##"{"a\n":1,"a\n#2":2}"##),
        (r#"{"é":1,"\u00e9":2}"#, r##"{"é":1,"é#2":2}"##),
        (r#"{"attributes":{"x":1},"attributes":{"x":2}}"#, r##"{"x":1,"x#2":2}"##),
    ] {
        parsed(text, |event, _| assert_eq!(event.attributes, attributes));
    }
}

#[test]
fn attributes_are_copied_as_they_stand() {
    for (text, attributes) in [
        (r#"{"a": 1.50 , "b":[ 1,2 ],"c" : "\/" }"#, r#"{"a": 1.50,"b":[ 1,2 ],"c" : "\/"}"#),
        (r#"{"n":12345678901234567890123,"e":1E5}"#, r#"{"n":12345678901234567890123,"e":1E5}"#),
        (r#"{"attributes": {"level":"x", "deep":{"a":{}}}}"#, r#"{"level":"x","deep":{"a":{}}}"#),
        (r#"{"\u0061ttributes":{"x":"y"}}"#, r#"{"x":"y"}"#),
        (r#"{"attributes":{}}"#, "{}"),
    ] {
        parsed(text, |event, _| assert_eq!(event.attributes, attributes));
    }
}

#[test]
fn a_name_written_with_escapes_is_the_same_name() {
    parsed(r#"{"\u006dsg":"hello","tr\u0061ce_id":"x"}"#, |event, attributes| {
        assert_eq!((event.body, attributes), (Body::Text("hello"), json!({"trace_id": "x"})));
    });
}
