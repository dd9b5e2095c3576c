//! How is one event written as the members of a JSON object?

use tidegate_event::attributes::escape;
use tidegate_event::{Body, Event};

use super::{Layout, time};

/// Writers of the two times of an event, which are far apart more often than those of two events.
#[derive(Default)]
pub(super) struct Times {
    happened: time::Writer,
    observed: time::Writer,
}

/// Writes the members, without the braces around them and with commas between them.
pub(super) fn members(event: &Event<'_>, layout: Layout, times: &mut Times, out: &mut String) {
    let happened = match layout {
        Layout::Bulk => Some(("\"@timestamp\":\"", event.timestamp.unwrap_or(event.observed))),
        Layout::Ndjson | Layout::Array => event.timestamp.map(|at| ("\"timestamp\":\"", at)),
    };
    if let Some((name, happened)) = happened {
        out.push_str(name);
        times.happened.write(happened, out);
        out.push_str("\",");
    }
    out.push_str("\"observed_timestamp\":\"");
    times.observed.write(event.observed, out);
    out.push('"');
    if event.severity_number > 0 {
        out.push_str(",\"severity_number\":");
        // At most 24, says the row; two digits are written of any number.
        let (tens, ones) = (event.severity_number / 10 % 10, event.severity_number % 10);
        if tens > 0 {
            out.push(char::from(b'0' + tens));
        }
        out.push(char::from(b'0' + ones));
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
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push(' ');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

fn hex<const N: usize>(before: &str, id: &[u8; N], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str(before);
    let mut digits = [[0; 2]; N];
    for (pair, byte) in digits.iter_mut().zip(id) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    // Only ASCII was put in.
    out.push_str(std::str::from_utf8(digits.as_flattened()).unwrap_or_default());
    out.push('"');
}
