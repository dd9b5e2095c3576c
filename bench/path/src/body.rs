//! What does a request look like? As those of `tidegate load` do: lines of a web shop's log, with
//! attributes in an object of their own, some with ids of a trace.

use std::fmt::Write as _;

/// Events of a body.
pub const EVENTS: u64 = 100;

/// A body of [`EVENTS`] lines, always the same.
#[must_use]
pub fn body() -> String {
    let mut body = String::new();
    for number in 0..EVENTS {
        let service = ["checkout", "catalog", "payments", "search", "auth", "shipping"];
        let service = service.get(number as usize % 6).unwrap_or(&"checkout");
        let (level, message) = match number % 20 {
            0..4 => ("DEBUG", format!("cache miss for carts:{number}, loaded in 12.5 ms")),
            19 => ("ERROR", format!(r#"upstream users failed for {number}: \"reset\""#)),
            _ => ("INFO", format!("GET /api/products/{} in 31.4 ms", number * 997)),
        };
        let ids = match number % 6 {
            0 => format!(
                r#","trace_id":"{:032x}","span_id":"{:016x}""#,
                u128::from(number + 1) << 70 | 0x0123_4567_89ab_cdef,
                number + 1
            ),
            _ => String::new(),
        };
        let user = if number % 4 == 0 { r#","user.id":"u4711""# } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            body,
            r#"{{"timestamp":"2025-11-05T09:30:00.{number:03}Z","severity":"{level}","service":"{service}","body":"{message}"{ids},"attributes":{{"run":"0123456789abcdef","seq":{number:10},"try":  1,"http.status_code":200,"latency_ms":31.4{user},"host.name":"web-03"}}}}"#,
        );
    }
    body
}
