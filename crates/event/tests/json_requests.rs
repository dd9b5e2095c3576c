//! How does a whole request fare? Formats, bad input with its exact message, bounds, groups.

use std::sync::Arc;

use tidegate_event::json::{Format, Limits, Options, ParseError, Parsed, Parser};
use tidegate_event::{Body, Event};

fn parse(
    body: impl AsRef<[u8]>,
    format: Format,
    options: &Options<'_>,
) -> Result<Parsed, ParseError> {
    Parser::default().parse(body.as_ref(), format, options)
}

fn partial() -> Options<'static> {
    Options { partial: true, ..Options::default() }
}

/// The bodies of all events, with the marks of what kind they are.
fn bodies(parsed: &Parsed) -> Vec<String> {
    let groups = parsed.groups.iter().cloned();
    let rows: Vec<_> = groups.map(tidegate_event::json::ParsedGroup::into_rows).collect();
    let text = |event: Event<'_>| match event.body {
        Body::Text(text) => text.to_owned(),
        other => format!("{other:?}"),
    };
    rows.iter().flat_map(|rows| rows.iter().map(text)).collect()
}

#[test]
fn lines_may_end_as_they_like() {
    for body in [
        "{\"msg\":\"a\"}\n{\"msg\":\"b\"}\n",
        "{\"msg\":\"a\"}\n{\"msg\":\"b\"}",
        "{\"msg\":\"a\"}\r\n{\"msg\":\"b\"}\r\n",
        "\n \t\r\n{\"msg\":\"a\"}\n\n  {\"msg\":\"b\"} \n\n",
        "\u{feff}{\"msg\":\"a\"}\n{\"msg\":\"b\"}",
    ] {
        let parsed = parse(body, Format::Ndjson, &Options::default()).unwrap();
        assert_eq!(
            (bodies(&parsed), parsed.accepted),
            (vec!["a".into(), "b".into()], 2),
            "{body:?}"
        );
    }
    for body in ["a\nb", "a\r\nb\r\n", "\n\na\n\nb\n", "\u{feff}a\nb"] {
        let parsed = parse(body, Format::Text, &Options::default()).unwrap();
        assert_eq!(bodies(&parsed), ["a", "b"], "{body:?}");
    }
    let parsed = parse("  a\t\n{\"msg\":1}", Format::Text, &Options::default()).unwrap();
    assert_eq!(bodies(&parsed), ["  a\t", "{\"msg\":1}"]);
}

#[test]
fn a_document_is_an_object_or_an_array() {
    for (body, expected) in [
        (r#"{"msg":"a"}"#, vec!["a"]),
        (" \n{\"msg\":\n\"a\"}\n ", vec!["a"]),
        ("\u{feff}[{\"msg\":\"a\"},{\"msg\":\"b\"}]", vec!["a", "b"]),
        ("\t[ {\"msg\":\"a\"} ,\n {\"msg\":\"b\"} ]\r\n", vec!["a", "b"]),
    ] {
        let parsed = parse(body, Format::Json, &Options::default()).unwrap();
        assert_eq!(bodies(&parsed), expected, "{body:?}");
    }
}

#[test]
fn nothing_is_an_error() {
    for (body, format) in [
        ("", Format::Ndjson),
        ("\n \r\n\t\n", Format::Ndjson),
        ("\u{feff}", Format::Ndjson),
        ("", Format::Json),
        (" \n", Format::Json),
        ("[]", Format::Json),
        ("\u{feff} [ ] ", Format::Json),
        ("", Format::Text),
        ("\r\n\n", Format::Text),
    ] {
        for options in [Options::default(), partial()] {
            let error = parse(body, format, &options).unwrap_err();
            assert_eq!(error, ParseError::Empty, "{body:?}");
            assert_eq!(error.to_string(), "the body holds no event: send at least one");
        }
    }
}

#[test]
fn each_bad_line_says_what_where_and_what_to_do() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let cases: [(&[u8], &str); 18] = [
        (
            b"{\"a\":",
            "line 2, column 5: the JSON ends too early (EOF while parsing a value): was it cut off?",
        ),
        (
            b"{\"a\":\"b",
            "line 2, column 7: the JSON ends too early (EOF while parsing a string): was it cut off?",
        ),
        (
            b"{",
            "line 2, column 1: the JSON ends too early (EOF while parsing an object): was it cut off?",
        ),
        (b"{a:1}", "line 2, column 2: not valid JSON: key must be a string"),
        (b"{\"a\" 1}", "line 2, column 6: not valid JSON: expected `:`"),
        (b"{\"a\":1,}", "line 2, column 8: not valid JSON: trailing comma"),
        (
            b"{\"a\":\"\x01\"}",
            "line 2, column 6: not valid JSON: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (b"nonsense", "line 2, column 2: not valid JSON: expected ident"),
        (
            b"{} {}",
            "line 2, column 4: not valid JSON: more after the first value: put each event on a line of its own",
        ),
        (b"7", "line 2: expected an object, found a number"),
        (b"-0.5e3", "line 2: expected an object, found a number"),
        (b"\"x\"", "line 2: expected an object, found a string"),
        (b"[{}]", "line 2: expected an object, found an array"),
        (b"true", "line 2: expected an object, found a boolean"),
        (b"null", "line 2: expected an object, found null"),
        (b"{\"a\":\"\xff\"}", "line 2: byte 9 of the body (0xff) is not UTF-8: send UTF-8"),
        (
            b"{\"a\":1e200000}",
            "line 2, column 6: a number needs more than 131072 digits before or 16383 after its decimal point: send it as a string",
        ),
        (b"\x0c", "line 2, column 1: not valid JSON: expected value"),
    ];
    let big = [
        (deep.as_bytes(), "line 2, column 6: nested more than 64 deep: flatten it"),
        (
            long.as_bytes(),
            "line 2: the event has 1048584 bytes, and at most 1048576 are taken: shorten it",
        ),
    ];
    for (line, message) in cases.into_iter().chain(big) {
        let body = [b"{}\n", line, b"\n{}\n{}"].concat();
        let parsed = parse(&body, Format::Ndjson, &partial()).unwrap();
        assert_eq!(parsed.rejected.first[0].to_string(), message);
        assert_eq!((parsed.accepted, parsed.rejected.total), (3, 1), "{message}");
        let error = parse(&body, Format::Ndjson, &Options::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "1 bad, the first at {message}; nothing was accepted: correct them, or ask for partial acceptance"
            )
        );
    }
}

#[test]
fn a_plain_line_can_be_bad_too() {
    let limits = Limits { event_bytes_max: 5, ..Limits::default() };
    let options = Options { limits, ..partial() };
    let parsed = parse(b"good\n\nsix...\ncaf\xe9\n", Format::Text, &options).unwrap();
    assert_eq!(bodies(&parsed), ["good"]);
    assert_eq!(
        parsed.rejected.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "line 3: the event has 6 bytes, and at most 5 are taken: shorten it",
            "line 4: byte 16 of the body (0xe9) is not UTF-8: send UTF-8",
        ]
    );
}

#[test]
fn rows_do_not_hold_on_to_the_room_of_the_body() {
    let body = format!("{{\"msg\":1}}\n{}", " ".repeat(100_000));
    let parsed = parse(body, Format::Ndjson, &Options::default()).unwrap();
    assert!(parsed.groups[0].rows.capacity() < 1_000);
}

#[test]
fn bad_elements_are_left_out_and_the_next_is_found() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = "x".repeat(100);
    let body = format!(
        r#"[{{"msg":"a"}}, 5 ,[{{}}],{{"d":{deep},"e":["]"]}},{{"n":[1e999999]}},{{"m":"{long}"}},{{"msg":"b"}}]"#
    );
    let limits = Limits { event_bytes_max: 100, ..Limits::default() };
    let parsed = parse(&body, Format::Json, &Options { limits, ..partial() }).unwrap();
    assert_eq!(bodies(&parsed), ["a", "b"]);
    assert_eq!(
        parsed.rejected.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "element 2: expected an object, found a number",
            "element 3: expected an object, found an array",
            "element 4: nested more than 64 deep: flatten it",
            "element 5: a number needs more than 131072 digits before or 16383 after its decimal point: send it as a string",
            "element 6: the event has 108 bytes, and at most 100 are taken: shorten it",
        ]
    );
    assert!(matches!(
        parse(&body, Format::Json, &Options { limits, ..Options::default() }),
        Err(ParseError::Refused { rejected }) if rejected.total == 5
    ));
}

#[test]
fn a_broken_document_is_refused_whole() {
    let cases: [(&[u8], &str); 14] = [
        (
            b"[{},\n {\"a\":}]",
            "the body breaks at line 2, column 7, in element 2: not valid JSON: expected value",
        ),
        (
            b"[{}\n,{\"a\":\n1",
            "the body breaks at line 3, column 1, in element 2: the JSON ends too early (EOF while parsing an object): was it cut off?",
        ),
        (
            b"[{},",
            "the body breaks at line 1, column 5, in element 2: the JSON ends too early (the array is not closed): was it cut off?",
        ),
        (
            b"[{}",
            "the body breaks at line 1, column 4, in element 1: the JSON ends too early (the array is not closed): was it cut off?",
        ),
        (
            b"[",
            "the body breaks at line 1, column 2, in element 1: the JSON ends too early (the array is not closed): was it cut off?",
        ),
        (
            b"[{} {}]",
            "the body breaks at line 1, column 5, in element 1: not valid JSON: expected `,` or `]` after the element",
        ),
        (
            b"[{},]",
            "the body breaks at line 1, column 5, in element 2: not valid JSON: expected value",
        ),
        (
            b"[nope]",
            "the body breaks at line 1, column 3, in element 1: not valid JSON: expected ident",
        ),
        (b"[{}] x", "the body breaks at line 1, column 6: not valid JSON: more after the array"),
        (
            b"{}\n{}",
            "the body breaks at line 2, column 1: not valid JSON: more after the object: send several events as an array, or as NDJSON",
        ),
        (b" \"x\"", "the body breaks at line 1, column 2: expected an object, found a string"),
        (b"x", "the body breaks at line 1, column 1: not valid JSON: expected value"),
        (
            b"[{\"a\":\n\"\xe9\"}]",
            "the body breaks at line 2, column 2: byte 8 of the body (0xe9) is not UTF-8: send UTF-8",
        ),
        (
            b"\xef\xbb\xbf{\"\xff",
            "the body breaks at line 1, column 3: byte 5 of the body (0xff) is not UTF-8: send UTF-8",
        ),
    ];
    for (body, message) in cases {
        for options in [Options::default(), partial()] {
            let error = parse(body, Format::Json, &options).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}

#[test]
fn only_the_first_hundred_bad_lines_are_listed() {
    let body = "{}\n5\n".repeat(150);
    let rejected = parse(&body, Format::Ndjson, &partial()).unwrap().rejected;
    assert_eq!((rejected.total, rejected.first.len()), (150, 100));
    assert_eq!(rejected.first[99].place.number(), 200);
    let parsed = parse("5\n6", Format::Ndjson, &partial()).unwrap();
    assert_eq!((parsed.accepted, parsed.groups.len(), parsed.rejected.total), (0, 0, 2));
}

#[test]
fn more_events_than_the_bound_are_refused() {
    let limits = Limits { events_max: 2, ..Limits::default() };
    let options = Options { limits, ..partial() };
    for (good, bad, format) in [
        ("{}\n{}\n\n", "{}\n5\n{}", Format::Ndjson),
        ("[{},{}]", "[{},5,{}]", Format::Json),
        ("a\nb\n", "a\nb\nc", Format::Text),
    ] {
        assert_eq!(parse(good, format, &options).unwrap().accepted, 2);
        let error = parse(bad, format, &options).unwrap_err();
        assert_eq!(error, ParseError::TooMany { max: 2 });
        assert_eq!(
            error.to_string(),
            "the body holds more than 2 events: send them in several requests"
        );
    }
}

#[test]
fn only_declared_classes_have_groups() {
    let classes: [Arc<str>; 2] = ["read".into(), "write".into()];
    let options = Options { classes: &classes, default_class: "write", ..Options::default() };
    let body = r#"{"msg":"1","class":"read"}
        {"msg":"2"}
        {"msg":"3","class":"delete"}
        {"msg":"4","class":""}
        {"msg":"5","class":"read"}"#;
    let parsed = parse(body, Format::Ndjson, &options).unwrap();
    let groups: Vec<_> = parsed.groups.iter().map(|group| (group.class, group.count)).collect();
    assert_eq!(groups, [(0, 2), (1, 2), (2, 1)]);
    assert_eq!(bodies(&parsed), ["3", "4", "1", "5", "2"]);
    let options = Options { classes: &[], ..options };
    let parsed = parse(body, Format::Ndjson, &options).unwrap();
    assert_eq!(bodies(&parsed), ["1", "2", "3", "4", "5"]);
    let rows = parsed.groups[0].clone().into_rows();
    let classes: Vec<_> = rows.iter().map(|event| event.class).collect();
    assert_eq!(classes, ["read", "write", "delete", "", "read"]);
}

#[test]
fn defaults_fill_what_no_event_names() {
    let options =
        Options { default_service: "tide\0", default_class: "write", ..Options::default() };
    for (body, format) in [("{}", Format::Ndjson), ("[{}]", Format::Json), ("x", Format::Text)] {
        let rows = parse(body, format, &options).unwrap().groups.remove(0).into_rows();
        let event = rows.iter().next().unwrap();
        assert_eq!((event.service, event.class), ("tide\u{fffd}", "write"));
    }
    let long = "x".repeat(257);
    for (options, message) in [
        (
            Options { default_service: &long, ..partial() },
            "the default service has 257 bytes, and at most 256 are taken",
        ),
        (
            Options { default_class: &long, ..partial() },
            "the default class has 257 bytes, and at most 256 are taken",
        ),
    ] {
        assert_eq!(parse("{}", Format::Json, &options).unwrap_err().to_string(), message);
    }
}

#[test]
fn what_a_sink_would_refuse_is_replaced_and_counted_everywhere() {
    let event = r#"{"msg":"a\u0000b","service":"\ud800","class":"\udfff","level":"\u0000",
        "k\u0000":1,"n":{"\ud83dx":["\u0000"]},"ok":"\ud83d\ude00 \\u0000"}"#;
    let line = event.replace('\n', " ");
    for (body, format) in [
        (line.clone(), Format::Ndjson),
        (format!("{line}\n5\n{{\"x\":\"\\u0041\"}}"), Format::Ndjson),
        (event.to_owned(), Format::Json),
        (format!("[{event},{{}}]"), Format::Json),
    ] {
        let parsed = parse(&body, format, &partial()).unwrap();
        assert_eq!(parsed.replaced_characters, 7);
        let rows = parsed.groups[0].clone().into_rows();
        let event = rows.iter().next().unwrap();
        assert_eq!(event.body, Body::Text("a\u{fffd}b"));
        assert_eq!(
            (event.service, event.class, event.severity_text),
            ("\u{fffd}", "\u{fffd}", "\u{fffd}")
        );
        assert_eq!(
            event.attributes,
            r#"{"k�":1,"n":{"\ufffdx":["\ufffd"]},"ok":"\ud83d\ude00 \\u0000"}"#
        );
    }
    let parsed = parse("{\"msg\":\"a\0b\",\"k\":\"\0\"}", Format::Ndjson, &partial()).unwrap();
    assert_eq!((bodies(&parsed), parsed.replaced_characters), (vec!["a\u{fffd}b".into()], 2));
    let parsed = parse("a\0\n\0", Format::Text, &partial()).unwrap();
    assert_eq!(
        (bodies(&parsed), parsed.replaced_characters),
        (vec!["a\u{fffd}".into(), "\u{fffd}".into()], 2)
    );
}

#[test]
fn depth_is_bounded_without_a_stack() {
    let deep = "[".repeat(5_000_000);
    for (format, body) in [
        (Format::Ndjson, format!("{{\"a\":{deep}")),
        (Format::Ndjson, deep.clone()),
        (Format::Json, format!("[{deep}")),
        (Format::Json, format!("{{\"a\":{deep}")),
        (Format::Ndjson, "{\"a\":".repeat(1_000_000)),
    ] {
        let limits = Limits { event_bytes_max: usize::MAX, ..Limits::default() };
        assert!(parse(body, format, &Options { limits, ..Options::default() }).is_err());
    }
    let limits = Limits { depth_max: 2, ..Limits::default() };
    for (body, good) in [
        (r#"{"a":1}"#, true),
        (r#"{"a":[1]}"#, true),
        (r#"{"a":[[1]]}"#, false),
        (r#"{"attributes":{"a":1}}"#, true),
        (r#"{"attributes":{"a":[1]}}"#, false),
        (r#"{"\u0061ttributes":{"a":[1]}}"#, false),
        (r#"{"body":[[]]}"#, false),
    ] {
        let result = parse(body, Format::Ndjson, &Options { limits, ..Options::default() });
        assert_eq!(result.is_ok(), good, "{body}");
    }
    let limits = Limits { depth_max: 1, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    assert!(parse(r#"{"attributes":{}}"#, Format::Ndjson, &options).is_err());
    assert!(parse(r#"{"a":1}"#, Format::Ndjson, &options).is_ok());
}

#[test]
fn a_parser_forgets_the_last_request() {
    let mut parser = Parser::default();
    let options = Options::default();
    let big = format!(r#"{{"a":"{}"}}"#, "x".repeat(500_000));
    for body in [r#"{"a":1,"b":{"#, "5", &big, r#"{"a":"\ud800"}"#] {
        let _ = parser.parse(body.as_bytes(), Format::Ndjson, &options);
        let again = parser.parse(br#"{"a":1}"#, Format::Ndjson, &options);
        assert_eq!(again, parse(r#"{"a":1}"#, Format::Ndjson, &options), "after {body:.20}");
    }
}
