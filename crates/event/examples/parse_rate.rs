//! How fast does a body of log lines become rows, on one thread?
//!
//! `cargo run --release -p tidegate-event --example parse_rate [EVENTS_PER_REQUEST]`

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use tidegate_event::json::{Format, Options, Parser};

/// Work for each kind of body.
const MEASURED: Duration = Duration::from_secs(2);

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100);
    let flat: Vec<String> = (0..count).map(flat_event).collect();
    let nested: Vec<String> = (0..count).map(nested_event).collect();
    let escaped: Vec<String> = (0..count).map(escaped_event).collect();
    let bodies = [
        ("flat, NDJSON", Format::Ndjson, flat.join("\n")),
        ("flat, array", Format::Json, format!("[{}]", flat.join(","))),
        ("attributes object, NDJSON", Format::Ndjson, nested.join("\n")),
        ("with escapes, NDJSON", Format::Ndjson, escaped.join("\n")),
        ("the flat lines as plain text", Format::Text, flat.join("\n")),
    ];
    let mut report = String::new();
    for (name, format, body) in &bodies {
        let (events, elapsed) = measure(body.as_bytes(), *format);
        let nanoseconds = elapsed.as_nanos() as f64 / events as f64;
        let bytes = body.len() as f64 / count as f64;
        let _ = writeln!(
            report,
            "{name:30} {bytes:5.0} B/event {nanoseconds:6.0} ns/event {:6.0} MB/s",
            bytes / nanoseconds * 1e3
        );
    }
    #[expect(clippy::print_stdout, reason = "an example reports to its terminal")]
    {
        print!("{report}");
    }
}

/// Parses the body over and over, and says how many events that were in what time.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn measure(body: &[u8], format: Format) -> (u64, Duration) {
    let mut parser = Parser::default();
    let options = Options { observed: 1_700_000_000_000_000_000, ..Options::default() };
    let (mut events, start) = (0, std::time::Instant::now());
    while start.elapsed() < MEASURED {
        if let Ok(parsed) = parser.parse(black_box(body), format, &options) {
            events += parsed.accepted;
            black_box(&parsed);
        }
    }
    (events, start.elapsed())
}

fn flat_event(number: usize) -> String {
    format!(
        concat!(
            r#"{{"timestamp":"2026-11-05T09:{:02}:{:02}.{:03}Z","level":"info","service":"checkout","#,
            r#""message":"payment accepted for order {:07}","trace_id":"{:032x}","#,
            r#""http.method":"POST","http.route":"/v1/orders","http.status":200,"#,
            r#""duration_ms":{}.4,"user_id":{},"region":"eu-1"}}"#
        ),
        number / 60 % 60,
        number % 60,
        number % 1000,
        number,
        (number as u128 + 1) * 0x1234_5678_9abc_def0_1234_5678_9abc,
        10 + number % 90,
        number * 7919 % 1_000_000,
    )
}

fn nested_event(number: usize) -> String {
    format!(
        concat!(
            r#"{{"timestamp":"2026-11-05T09:{:02}:{:02}.{:03}Z","severity":"INFO","service":"checkout","#,
            r#""body":"payment accepted for order {:07}","trace_id":"{:032x}","attributes":{{"#,
            r#""http":{{"method":"POST","status":200}},"duration_ms":{}.4,"user_id":{},"region":"eu-1"}}}}"#
        ),
        number / 60 % 60,
        number % 60,
        number % 1000,
        number,
        (number as u128 + 1) * 0x1234_5678_9abc_def0_1234_5678_9abc,
        10 + number % 90,
        number * 7919 % 1_000_000,
    )
}

fn escaped_event(number: usize) -> String {
    flat_event(number).replace("payment accepted", r#"payment \"caf\u00e9\"\taccepted"#)
}
