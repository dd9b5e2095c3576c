//! Lines of logs that nobody wrote for us, and what becomes of them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn context(ids: bool, service: Option<&str>) -> Context {
    Context {
        labels: Labels { run: "r".into(), service: service.map(Into::into), class: None },
        file: "app.log".into(),
        stem: "app".into(),
        ids,
        year: Year::Given(2026),
    }
}

fn event_with(context: &Context, bytes: &[u8]) -> Value {
    let mut out = Vec::new();
    let line = Line { bytes, number: 7, cut: false };
    let written = write_line(&mut out, line, 41, context).unwrap();
    if let Some(at) = written.attempt {
        crate::events::fill(&mut out, at, crate::events::TRY_DIGITS, 3);
    }
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&out).unwrap()
}

fn event(line: &str) -> Value {
    event_with(&context(false, None), line.as_bytes())
}

#[test]
fn text_is_kept_whole_and_read_field_by_field() {
    let dpkg = "2026-11-21 00:58:01 status installed libc-bin:amd64 2.41-12";
    assert_eq!(
        event(dpkg),
        json!({"body": dpkg, "service": "app", "timestamp": "2026-11-21T00:58:01Z",
               "attributes": {"log.file.name": "app.log", "log.line": 7}})
    );
    let syslog = "Nov 21 01:02:03 web-1 sshd[812]: error: maximum tries exceeded user=root";
    assert_eq!(
        event(syslog),
        json!({"body": syslog, "service": "app", "timestamp": "2026-11-21T01:02:03Z",
               "severity": "error",
               "attributes": {"log.file.name": "app.log", "log.line": 7, "user": "root"}})
    );
    let logfmt = "time=2026-11-21T01:02:03.5Z level=warn msg=\"slow one\" took=1.2s";
    let event = event(logfmt);
    assert_eq!(event["timestamp"], "2026-11-21T01:02:03.5Z");
    assert_eq!(event["severity"], "warn");
    assert_eq!(event["attributes"]["msg"], "slow one");
    assert_eq!(event["attributes"]["took"], "1.2s");
}

#[test]
fn objects_are_sent_as_they_are() {
    let mut out = Vec::new();
    let object = r#"{"msg":"x",  "n":1.50}"#;
    let line = Line { bytes: object.as_bytes(), number: 1, cut: false };
    write_line(&mut out, line, 0, &context(false, None)).unwrap();
    assert_eq!(out, format!("{object}\n").as_bytes());
    // Broken JSON, and JSON that is no object, is text.
    for text in ["{\"msg\":", "{\"a\":1} trailing", "[1]", "\"x\"", "7"] {
        assert_eq!(event(text)["body"], text);
    }
}

#[test]
fn what_was_asked_for_is_added_unless_it_is_there() {
    let ids = context(true, Some("shop"));
    assert_eq!(
        event_with(&ids, br#"{"msg":"x"}"#),
        json!({"msg": "x", "service": "shop", "run": "r", "seq": 41, "try": 3})
    );
    assert_eq!(
        event_with(&ids, br#"{"service":"mine","seq":1}"#),
        json!({"service": "mine", "seq": 1})
    );
    assert_eq!(
        event_with(&ids, b"{ }"),
        json!({"service": "shop", "run": "r", "seq": 41, "try": 3})
    );
    assert_eq!(
        event_with(&ids, b"text seq=9"),
        json!({"body": "text seq=9", "service": "shop",
               "attributes": {"log.file.name": "app.log", "log.line": 7,
                              "run": "r", "seq": 41, "try": 3}})
    );
}

#[test]
fn bad_bytes_are_replaced_and_said() {
    let mut out = Vec::new();
    for (bytes, lossy) in [(&b"caf\xe9 \x00"[..], true), ("café".as_bytes(), false)] {
        out.clear();
        let line = Line { bytes, number: 1, cut: false };
        assert_eq!(write_line(&mut out, line, 0, &context(false, None)).unwrap().lossy, lossy);
    }
    assert_eq!(event_with(&context(false, None), b"caf\xe9 \x00")["body"], "caf\u{FFFD} \u{FFFD}");
}

#[test]
fn blank_lines_are_none_and_a_cut_object_is_text() {
    let mut out = Vec::new();
    for bytes in [&b""[..], b" \t\r"] {
        let line = Line { bytes, number: 1, cut: false };
        assert_eq!(write_line(&mut out, line, 0, &context(true, None)), None);
    }
    assert!(out.is_empty());
    let line = Line { bytes: b"{}", number: 1, cut: true };
    write_line(&mut out, line, 0, &context(false, None)).unwrap();
    let event: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        (&event["body"], &event["attributes"]["log.line.truncated"]),
        (&json!("{}"), &json!(true))
    );
}

proptest! {
    /// Invariant: every line that is not blank becomes one valid event, whatever its bytes.
    #[test]
    fn any_bytes_become_one_event(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>().prop_filter("line end", |b| *b != b'\n'), 0..80),
            "[{\"a=: }\\\\,1]{0,30}".prop_map(String::into_bytes),
        ],
        ids: bool, cut: bool,
    ) {
        let mut out = Vec::new();
        let line = Line { bytes: &bytes, number: 1, cut };
        match write_line(&mut out, line, 5, &context(ids, Some("s"))) {
            None => prop_assert!(String::from_utf8_lossy(&bytes).trim().is_empty()),
            Some(written) => {
                if let Some(at) = written.attempt {
                    crate::events::fill(&mut out, at, crate::events::TRY_DIGITS, 1);
                }
                let event: Value = serde_json::from_slice(&out).unwrap();
                prop_assert!(event.is_object());
                prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            }
        }
    }
}
