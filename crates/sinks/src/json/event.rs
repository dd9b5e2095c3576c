//! How is one event written as the members of a JSON object?

use std::fmt::Write as _;

use tidegate_event::attributes::escape;
use tidegate_event::{Body, Event};

use super::{Layout, time};

/// Writes the members, without the braces around them and with commas between them.
pub(super) fn members(event: &Event<'_>, layout: Layout, out: &mut String) {
    match (layout, event.timestamp) {
        (Layout::Bulk, happened) => {
            instant("@timestamp", happened.unwrap_or(event.observed), out);
            out.push(',');
        }
        (_, Some(happened)) => {
            instant("timestamp", happened, out);
            out.push(',');
        }
        (_, None) => {}
    }
    instant("observed_timestamp", event.observed, out);
    if event.severity_number > 0 {
        // Writing to a string cannot fail.
        let _ = write!(out, ",\"severity_number\":{}", event.severity_number);
    }
    text(",\"severity_text\":\"", event.severity_text, out);
    text(",\"service\":\"", event.service, out);
    text(",\"class\":\"", event.class, out);
    match event.body {
        Body::None => {}
        Body::Text(body) => {
            out.push_str(",\"body\":\"");
            escape(body, out);
            out.push('"');
        }
        Body::Json(body) => json(",\"body\":", body, out),
    }
    if let Some(id) = &event.trace_id {
        hex(",\"trace_id\":\"", id, out);
    }
    if let Some(id) = &event.span_id {
        hex(",\"span_id\":\"", id, out);
    }
    json(",\"attributes\":", event.attributes, out);
}

fn instant(name: &str, nanoseconds: i64, out: &mut String) {
    out.push('"');
    out.push_str(name);
    out.push_str("\":\"");
    time::rfc3339(nanoseconds, out);
    out.push('"');
}

fn text(before: &str, value: &str, out: &mut String) {
    if !value.is_empty() {
        out.push_str(before);
        escape(value, out);
        out.push('"');
    }
}

/// Copies JSON text. A line break in it stands between tokens, since strings have it escaped.
fn json(before: &str, value: &str, out: &mut String) {
    if value.is_empty() {
        return;
    }
    out.push_str(before);
    // Most texts come from one line and have none: those are copied at once.
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| byte == b'\n' || byte == b'\r') {
        out.push_str(&rest[..at]);
        out.push(' ');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

fn hex(before: &str, id: &[u8], out: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push_str(before);
    for byte in id {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push('"');
}
