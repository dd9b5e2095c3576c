//! Requests of OpenTelemetry that are at a bound, beyond it, or odd.

#![allow(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use serde_json::{Value, json};
use tidegate_event::json::Limits;
use tidegate_event::otlp::{Encoding, Options, ParseError, Parsed, Parser};
use tidegate_event::{Body, Event};

fn parse(body: &Value, options: &Options<'_>) -> Result<Parsed, ParseError> {
    let body = body.to_string();
    Parser::default().parse(body.as_bytes(), Encoding::Json, options, &mut |_| true)
}

/// A request with these records, of a resource with these attributes.
fn request(resource: &Value, records: &[Value]) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": resource },
        "scopeLogs": [{ "logRecords": records }],
    }] })
}

fn text(name: &str, text: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": text } })
}

/// What is seen of the only event of a request.
fn only<T>(parsed: Parsed, see: impl FnOnce(&Event<'_>) -> T) -> T {
    assert_eq!(parsed.accepted, 1, "{parsed:?}");
    let rows = parsed.groups.into_iter().next().unwrap().into_rows();
    see(&rows.iter().next().unwrap())
}

#[test]
fn a_request_of_nothing_is_as_good_as_others() {
    for body in [json!({}), json!({ "resourceLogs": null }), request(&json!([]), &[])] {
        assert_eq!(parse(&body, &Options::default()), Ok(Parsed::default()), "{body}");
    }
    let parsed =
        Parser::default().parse(b"", Encoding::Protobuf, &Options::default(), &mut |_| true);
    assert_eq!(parsed, Ok(Parsed::default()));
}

#[test]
fn names_that_are_taken_are_numbered() {
    let attributes = json!([text("a", "1"), text("resource.host", "2"), text("a", "3")]);
    let body = request(&json!([text("host", "h")]), &[json!({ "attributes": attributes })]);
    let parsed = parse(&body, &Options::default()).unwrap();
    let expected = r##"{"resource.host":"h","a":"1","resource.host#2":"2","a#3":"3"}"##;
    only(parsed, |event| assert_eq!(event.attributes, expected));
}

#[test]
fn only_the_first_name_of_the_service_that_is_text_is_taken() {
    let number = json!({ "key": "service.name", "value": { "intValue": 1 } });
    let resource = json!([number, text("service.name", "one"), text("service.name", "two")]);
    let parsed = parse(&request(&resource, &[json!({})]), &Options::default()).unwrap();
    only(parsed, |event| {
        assert_eq!(event.service, "one");
        let expected = r##"{"resource.service.name":1,"resource.service.name#2":"two"}"##;
        assert_eq!(event.attributes, expected);
    });
}

#[test]
fn more_records_than_are_taken_are_refused_together() {
    let limits = Limits { events_max: 2, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let of = |count| request(&json!([]), &vec![json!({}); count]);
    assert_eq!(parse(&of(2), &options).unwrap().accepted, 2);
    assert_eq!(parse(&of(3), &options), Err(ParseError::TooMany { max: 2 }));
}

#[test]
fn a_record_that_is_too_long_or_too_deep_is_left_out_alone() {
    let limits = Limits { event_bytes_max: 300, depth_max: 3, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let nested = |depth| {
        (0..depth).fold(
            json!({ "intValue": 1 }),
            |inner, _| json!({ "arrayValue": { "values": [inner] } }),
        )
    };
    let long = json!({ "body": { "stringValue": "x".repeat(250) } });
    let records = [
        json!({ "body": nested(2) }),
        json!({ "body": nested(3) }),
        long.clone(),
        json!({ "attributes": [{ "key": "a", "value": nested(3) }] }),
    ];
    let parsed = parse(&request(&json!([]), &records), &options).unwrap();
    assert_eq!((parsed.accepted, parsed.rejected.total), (2, 2));
    let told = "2 rejected; the first is log record 2: nested more than 3 deep: flatten it";
    assert_eq!(parsed.rejected.to_string(), told);

    // Alone it would fit; its resource counts too.
    let body = request(&json!([text("a", &"y".repeat(40))]), &[long]);
    let parsed = parse(&body, &options).unwrap();
    assert_eq!((parsed.accepted, parsed.rejected.total), (0, 1), "{}", parsed.rejected);
    assert!(parsed.rejected.to_string().contains("at most 300 are taken"), "{}", parsed.rejected);

    // What is wrong with a resource is wrong with each of its records.
    let resource = json!([{ "key": "a", "value": nested(3) }]);
    let parsed = parse(&request(&resource, &[json!({}), json!({})]), &options).unwrap();
    assert_eq!((parsed.accepted, parsed.rejected.total), (0, 2));
}

/// Invariant: rows take no more memory than there was leave for, and none beyond the bound.
#[test]
fn a_resource_that_is_repeated_is_asked_for() {
    let wide = request(&json!([text("a", &"x".repeat(10_000))]), &vec![json!({}); 100]);
    let body = wide.to_string();
    let bounded = Options { rows_bytes_max: 500_000, ..Options::default() };
    assert_eq!(parse(&wide, &bounded), Err(ParseError::TooLarge { max: 500_000 }));

    let mut asked = Vec::new();
    let mut room = |bytes| {
        asked.push(bytes);
        true
    };
    let options = Options::default();
    let parsed = Parser::default().parse(body.as_bytes(), Encoding::Json, &options, &mut room);
    let rows = parsed.unwrap().groups.first().unwrap().rows.len();
    assert!(rows > 1_000_000 && asked.last().is_some_and(|leave| *leave >= rows), "{asked:?}");
    let refused =
        Parser::default().parse(body.as_bytes(), Encoding::Json, &options, &mut |_| false);
    assert_eq!(refused, Err(ParseError::NoRoom));
}

#[test]
fn what_no_sink_could_store_is_replaced_and_counted() {
    // A record with the body `a`, 0xff, NUL, `b`, walked as protobuf.
    let body =
        [&[0x0a, 0x0c, 0x12, 0x0a, 0x12, 0x08, 0x2a, 0x06, 0x0a, 0x04][..], b"a\xff\0b"].concat();
    let options = Options::default();
    let parsed =
        Parser::default().parse(&body, Encoding::Protobuf, &options, &mut |_| true).unwrap();
    assert_eq!(parsed.replaced_characters, 2);
    only(parsed, |event| assert_eq!(event.body, Body::Text("a\u{fffd}\u{fffd}b")));

    let body = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\u0000\ud83d"}}]}]}]}"#;
    let parsed =
        Parser::default().parse(body.as_bytes(), Encoding::Json, &options, &mut |_| true).unwrap();
    assert_eq!(parsed.replaced_characters, 2);
    only(parsed, |event| assert_eq!(event.body, Body::Text("\u{fffd}\u{fffd}")));
}

#[test]
fn json_of_other_types_is_rejected_by_the_record_and_broken_json_as_a_whole() {
    let records = [
        json!({ "timeUnixNano": "soon" }),
        json!({ "body": { "intValue": "9223372036854775808" } }),
        json!({ "attributes": {} }),
        json!(7),
        json!({ "body": { "doubleValue": "-Infinity" }, "timeUnixNano": 1, "flags": "1" }),
    ];
    let parsed = parse(&request(&json!([]), &records), &Options::default()).unwrap();
    assert_eq!(parsed.rejected.total, 4);
    let told = parsed.rejected.to_string();
    assert!(told.contains("record 1: not as the schema says: `soon` must be an integer"), "{told}");
    only(parsed, |event| {
        assert_eq!(event.body, Body::Json("\"-Infinity\""));
        assert_eq!((event.timestamp, event.attributes), (Some(1), r#"{"otel.flags":1}"#));
    });
    for broken in
        ["", "[", "{\"resourceLogs\": [{\"scopeLogs\": [{}}", "{\"resourceLogs\": 7}", "{} {}", "7"]
    {
        let options = Options::default();
        let refused =
            Parser::default().parse(broken.as_bytes(), Encoding::Json, &options, &mut |_| true);
        assert!(matches!(refused, Err(ParseError::Json { .. })), "{broken}: {refused:?}");
    }
}

#[test]
fn ids_that_are_none_are_kept_as_they_were_sent() {
    for (sent, id, kept) in [
        ("0AF7651916CD43DD8448EB211C80319C", true, r"{}"),
        ("00000000000000000000000000000000", false, r"{}"),
        ("", false, r"{}"),
        ("0af7", false, r#"{"otel.trace_id":"0af7"}"#),
        ("xyz", false, r#"{"otel.trace_id":"xyz"}"#),
    ] {
        let body = request(&json!([]), &[json!({ "traceId": sent })]);
        let parsed = parse(&body, &Options::default()).unwrap();
        only(parsed, |event| {
            assert_eq!((event.trace_id.is_some(), event.attributes), (id, kept), "{sent}");
        });
    }
}
