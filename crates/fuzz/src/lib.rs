//! What may bytes from outside never do, whatever they are?
//!
//! Each target takes any bytes and asserts what must hold for all of them: no panic, no more
//! memory than the bounds allow, and the promises of the parser it belongs to. They are plain
//! functions, so that two engines share them: the coverage-guided one in `fuzz/`, which needs a
//! nightly compiler and runs for hours, and the test beside this file, which replays the corpora in
//! `fuzz/corpus` and adds some thousand inputs by chance, in every run of all tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "to panic is how a target says that something does not hold"
)]

mod events;
mod journal;
mod otlp;
mod storage;

pub use events::{events, rows};
pub use journal::journal;
pub use otlp::{otlp, otlp_json};

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 11] = [
    ("events", events),
    ("rows", rows),
    ("journal", journal),
    ("body", body),
    ("headers", headers),
    ("answer", answer),
    ("config", config),
    ("scenario", scenario),
    ("recording", recording),
    ("otlp", otlp),
    ("otlp_json", otlp_json),
];

/// The first byte and the rest; nothing if there is none.
fn first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(&first, rest)| (first, rest))
}

/// Text up to a line break, and what follows it.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default())
}

/// A body as a client sent it: a line with its content type, one with its encoding, then the body.
/// It never unpacks beyond its bound.
pub fn body(data: &[u8]) {
    let (content_type, rest) = line(data);
    let (encoding, body) = line(rest);
    tidegate_server::fuzz::body(content_type, encoding, body);
}

/// Headers that decide something: a line each of `Idempotency-Key` (up to two) and
/// `Authorization`.
pub fn headers(data: &[u8]) {
    let (one, rest) = line(data);
    let (two, authorization) = line(rest);
    tidegate_server::fuzz::headers(&[one, two], authorization);
}

/// What a backend answers item by item, behind a line with its `Retry-After` and one with its `Date`.
pub fn answer(data: &[u8]) {
    let (retry_after, rest) = line(data);
    let (date, body) = line(rest);
    tidegate_sinks::http::fuzz::answer(retry_after, date, body);
}

/// A configuration, with any environment. What is taken is within its bounds.
pub fn config(data: &[u8]) {
    use tidegate_server::config::{Config, Overrides, Source};
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = Source::Text { name: "fuzz", text };
    let env = |name: &str| name.ends_with("TOKEN").then(|| "secret".into());
    match Config::load(source, &Overrides::default(), &env) {
        Ok(loaded) => assert!(loaded.config.validate().is_ok(), "taken, and out of its bounds"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A scenario of the simulator.
pub fn scenario(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = tidegate_sim::Scenario::from_yaml(text) {
        assert!(!error.to_string().is_empty());
    }
}

/// A recording of arrivals: what is read is in order, and can be written and read again.
pub fn recording(data: &[u8]) {
    use tidegate::recording::{FORMAT, HEADER, read};
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(arrived) = read(text) else { return };
    assert!(arrived.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
    let lines: String = arrived.iter().map(|one| format!("{one}\n")).collect();
    assert_eq!(read(&format!("{FORMAT}\n{HEADER}\n{lines}")), Ok(arrived));
}
