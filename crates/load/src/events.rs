//! What does a made-up event look like?
//!
//! Like a line of a web shop's log: a message from a handful of templates, mostly INFO, with the
//! attributes such events carry, 266 bytes on average including its line end. It is written once,
//! with three slots of fixed width that are filled for every sending: `timestamp`, and the
//! attributes `seq` and `try`. Numbers stand right-aligned after blanks, which JSON allows, so
//! they arrive as numbers. The attribute `run` is the same for all events of a run: together
//! `(run, seq, try)` names one sending of one event, and nothing else carries that name.

use std::io::Write as _;

use serde_json::Value;

use crate::calendar::STAMP;
use crate::random::Random;

/// Digits for `seq`: a run has at most ten thousand million events.
pub(crate) const SEQ_DIGITS: usize = 10;
/// Digits for `try`.
pub(crate) const TRY_DIGITS: usize = 3;
/// The largest `try` that fits its slot.
pub(crate) const MAX_TRY: u32 = 999;

const SERVICES: [&str; 6] = ["checkout", "catalog", "payments", "search", "auth", "shipping"];
const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
const ROUTES: [&str; 5] = ["orders", "carts", "users", "products", "sessions"];

/// What all events of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    /// Names the run.
    pub(crate) run: String,
    /// The service of every event, instead of one from a handful.
    pub(crate) service: Option<String>,
    /// The class of every event; none without it.
    pub(crate) class: Option<String>,
}

/// Where the slots of one event lie, as offsets into the bytes it was written to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// [`STAMP`] bytes for the timestamp.
    pub(crate) stamp: usize,
    /// [`SEQ_DIGITS`] bytes for the sequence number.
    pub(crate) seq: usize,
    /// [`TRY_DIGITS`] bytes for the number of the try.
    pub(crate) attempt: usize,
    /// Just behind the event's line end.
    pub(crate) end: usize,
}

/// A JSON string, quoted and escaped.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Appends a JSON string, quoted and escaped.
pub(crate) fn put_quoted(out: &mut Vec<u8>, text: &str) {
    // A string always has a JSON form, and writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends one event and its line end.
pub(crate) fn write_event(out: &mut Vec<u8>, labels: &Labels, random: &mut Random) -> Mark {
    let story = Story::draw(random);
    put(out, "{\"timestamp\":\"");
    let stamp = slot(out, STAMP);
    put(out, "\",\"severity\":\"");
    put(out, story.level);
    put(out, "\",\"service\":");
    let service = service(labels, random);
    put_quoted(out, service);
    if let Some(class) = &labels.class {
        put(out, ",\"class\":");
        put_quoted(out, class);
    }
    put(out, ",\"body\":");
    put_quoted(out, &story.message);
    if random.below(6) == 0 {
        let (high, low, span) = (random.next_u64(), random.next_u64(), random.next_u64());
        // An all-zero id would be invalid by the W3C's rules: one bit is always set.
        let text = format!(
            ",\"trace_id\":\"{high:016x}{:016x}\",\"span_id\":\"{:016x}\"",
            low | 1,
            span | 1
        );
        put(out, &text);
    }
    put(out, ",\"attributes\":{\"run\":");
    put_quoted(out, &labels.run);
    put(out, ",\"seq\":");
    let seq = slot(out, SEQ_DIGITS);
    put(out, ",\"try\":");
    let attempt = slot(out, TRY_DIGITS);
    story.write_attributes(out);
    put(out, "}}\n");
    Mark { stamp, seq, attempt, end: out.len() }
}

/// The service of an event.
pub(crate) fn service<'l>(labels: &'l Labels, random: &mut Random) -> &'l str {
    labels.service.as_deref().unwrap_or_else(|| random.pick(&SERVICES, "checkout"))
}

/// What happened: the parts of an event that belong together.
pub(crate) struct Story {
    pub(crate) level: &'static str,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    /// Milliseconds, with one decimal.
    pub(crate) latency: String,
    pub(crate) user: Option<u64>,
    pub(crate) host: u64,
}

impl Story {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let (method, route) = (random.pick(&METHODS, "GET"), random.pick(&ROUTES, "orders"));
        let (id, user, host) = (random.below(100_000), random.below(100_000), random.below(8));
        let tenths = 5 + random.exponential(250.0).min(99_000.0) as u64;
        let latency = format!("{}.{}", tenths / 10, tenths % 10);
        let (level, status, message) = match random.below(100) {
            0..20 => {
                ("DEBUG", None, format!("cache miss for {route}:{id}, loaded in {latency} ms"))
            }
            20..90 => ("INFO", Some(200), format!("{method} /api/{route}/{id} in {latency} ms")),
            90..97 => ("WARN", Some(429), format!("slow call to {route}, retry 1 of 3 for {id}")),
            _ => ("ERROR", Some(502), format!("upstream {route} failed for {id}: \"reset\"")),
        };
        let user = (random.below(4) == 0).then_some(user);
        Self { level, message, status, latency, user, host }
    }

    /// Appends the members for the end of the attributes, each with a comma before it.
    fn write_attributes(&self, out: &mut Vec<u8>) {
        let Self { status, latency, user, host, .. } = self;
        if let Some(status) = status {
            put(out, &format!(",\"http.status_code\":{status},\"latency_ms\":{latency}"));
        }
        if let Some(user) = user {
            put(out, &format!(",\"user.id\":\"u{user}\""));
        }
        put(out, &format!(",\"host.name\":\"web-{host:02}\""));
    }
}

pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Leaves `width` bytes to be filled later and says where they start.
fn slot(out: &mut Vec<u8>, width: usize) -> usize {
    let at = out.len();
    out.resize(at + width, b' ');
    at
}

/// Fills a slot of `bytes` that starts at `at` with a right-aligned number.
pub(crate) fn fill(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    if let Some(slot) = bytes.get_mut(at..at + width) {
        crate::calendar::digits(slot, value, b' ');
    }
}

/// The attributes that name one sending of an event, as members with a comma before each; the
/// second number says where in `out` the slot of the try starts.
pub(crate) fn write_ids(out: &mut Vec<u8>, run: &str, seq: u64) -> usize {
    // Writing to a Vec cannot fail.
    let _ = write!(out, ",\"run\":{},\"seq\":{seq},\"try\":", quoted(run));
    slot(out, TRY_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels { run: "0123456789abcdef".into(), service: None, class: None }
    }

    #[test]
    fn events_are_of_the_stated_size_and_mix() {
        let (mut out, mut random) = (Vec::new(), Random::new(1, 1));
        let events = 20_000;
        let mut errors = 0;
        for _ in 0..events {
            let start = out.len();
            let mark = write_event(&mut out, &labels(), &mut random);
            assert_eq!(mark.end, out.len());
            errors += usize::from(out[start..].windows(7).any(|w| w == b"\"ERROR\""));
        }
        let average = out.len() as f64 / f64::from(events);
        assert!((262.0..270.0).contains(&average), "{average} B an event");
        assert!((400..800).contains(&errors), "{errors} errors");
    }

    #[test]
    fn slots_hold_what_was_filled_in() {
        let labels = Labels {
            run: "r-1".into(),
            service: Some("a \"quoted\" one".into()),
            class: Some("write".into()),
        };
        let (mut out, mut random) = (Vec::new(), Random::new(3, 1));
        for seq in 0..200_u32 {
            out.clear();
            let mark = write_event(&mut out, &labels, &mut random);
            fill(&mut out, mark.seq, SEQ_DIGITS, u64::from(seq));
            fill(&mut out, mark.attempt, TRY_DIGITS, 17);
            let event: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(event["attributes"]["seq"], seq);
            assert_eq!(event["attributes"]["try"], 17);
            assert_eq!(event["attributes"]["run"], "r-1");
            assert_eq!(event["service"], "a \"quoted\" one");
            assert_eq!(event["class"], "write");
            assert_eq!(event["timestamp"].as_str().map(str::len), Some(STAMP));
        }
    }
}
