//! What came of a load? The figures, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::args::Format;
use crate::file::LineCounts;
use crate::tally::Tally;

/// Why a load ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Ended {
    /// Everything that was wanted has been sent and settled.
    Done,
    /// It was told to stop.
    Interrupted,
    /// The server could not be reached for as long as `--retry-for` says.
    Unreachable {
        /// What the system said last.
        message: String,
    },
    /// The server refused for a reason that every further request would meet.
    Refused {
        /// The status and what the server said.
        message: String,
    },
}

/// Latency of acknowledged requests, in milliseconds.
///
/// With `--rate` it counts from the moment at which the request was due, else from its first
/// sending; it ends with the full answer, so it includes retries and the pauses before them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyMs {
    /// Half of the requests took at most this long.
    pub p50: f64,
    /// 95 of 100 took at most this long.
    pub p95: f64,
    /// 99 of 100 took at most this long.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The result of a load. Its fields are those of `--format json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The attribute `run` of its events.
    pub run: String,
    /// What repeats it.
    pub seed: u64,
    /// Why it ended.
    pub ended: Ended,
    /// Events put on the wire at least once; retries do not count again.
    pub events_sent: u64,
    /// Events that the server acknowledged.
    pub events_acknowledged: u64,
    /// Events that the server refused for good.
    pub events_refused: u64,
    /// Events sent, but neither acknowledged nor refused: given up or interrupted.
    pub events_unanswered: u64,
    /// Acknowledged events a second.
    pub events_per_second: f64,
    /// From the first moment to the last answer, in seconds.
    pub seconds: f64,
    /// Requests put on the wire, retries included.
    pub requests: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Latency of acknowledged requests; null when there were none.
    pub latency_ms: Option<LatencyMs>,
    /// Failed tries by kind: `http_<status>`, `timeout`, `connection_reset`, …
    pub errors: BTreeMap<String, u64>,
    /// What the first failure of each kind said.
    pub messages: BTreeMap<String, String>,
    /// CPU time of the whole process during the load, in seconds.
    pub cpu_seconds: f64,
    /// What happened to the lines of `--from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineCounts>,
}

/// What a summary says besides its tally.
pub(crate) struct About {
    pub(crate) run: String,
    pub(crate) seed: u64,
    pub(crate) ended: Ended,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) lines: Option<LineCounts>,
}

impl Summary {
    pub(crate) fn new(tally: Tally, about: About) -> Self {
        let seconds = about.elapsed.as_secs_f64();
        let ms = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let latency_ms = (!tally.latency.is_empty()).then(|| LatencyMs {
            p50: ms(0.5),
            p95: ms(0.95),
            p99: ms(0.99),
            max: tally.latency.max() as f64 / 1000.0,
        });
        Self {
            run: about.run,
            seed: about.seed,
            ended: about.ended,
            events_sent: tally.sent,
            events_acknowledged: tally.acknowledged,
            events_refused: tally.refused,
            events_unanswered: tally
                .sent
                .saturating_sub(tally.acknowledged)
                .saturating_sub(tally.refused),
            events_per_second: if seconds > 0.0 {
                tally.acknowledged as f64 / seconds
            } else {
                0.0
            },
            seconds,
            requests: tally.requests,
            retries: tally.retries,
            latency_ms,
            errors: tally.errors,
            messages: tally.messages,
            cpu_seconds: about.cpu.as_secs_f64(),
            lines: about.lines,
        }
    }

    /// Whether the load went to its end and every event it sent was acknowledged.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.ended == Ended::Done && self.events_sent == self.events_acknowledged
    }

    /// Writes it in the wanted format, with a line end.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Format::Text => self.write_text(out),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.ended {
            Ended::Done => {}
            Ended::Interrupted => writeln!(out, "interrupted: what was done so far")?,
            Ended::Unreachable { message } => {
                writeln!(out, "stopped: the server cannot be reached: {message}")?;
            }
            Ended::Refused { message } => {
                writeln!(out, "stopped: the server refuses every request: {message}")?;
            }
        }
        row(out, "run", &self.run)?;
        row(out, "events sent", &grouped(self.events_sent))?;
        row(out, "acknowledged", &grouped(self.events_acknowledged))?;
        for (name, events) in
            [("refused", self.events_refused), ("unanswered", self.events_unanswered)]
        {
            if events > 0 {
                row(out, name, &grouped(events))?;
            }
        }
        let (rate, seconds) = (grouped(self.events_per_second.round() as u64), self.seconds);
        row(out, "rate", &format!("{rate} events/s over {seconds:.2} s"))?;
        let retries = grouped(self.retries);
        row(out, "requests", &format!("{} ({retries} of them retries)", grouped(self.requests)))?;
        if let Some(LatencyMs { p50, p95, p99, max }) = self.latency_ms {
            let text = format!("p50 {p50:.2}   p95 {p95:.2}   p99 {p99:.2}   max {max:.2} ms");
            row(out, "latency", &text)?;
        }
        row(out, "CPU", &format!("{:.2} s in this process", self.cpu_seconds))?;
        if let Some(LineCounts { read, blank, repaired, cut }) = self.lines {
            let [read, blank, repaired, cut] = [read, blank, repaired, cut].map(grouped);
            let text = format!("{read} read, {blank} blank, {repaired} repaired, {cut} cut");
            row(out, "lines", &text)?;
        }
        for (kind, count) in &self.errors {
            let message = self.messages.get(kind).map_or("", String::as_str);
            row(out, "errors", &format!("{} × {kind}: {message}", grouped(*count)))?;
        }
        Ok(())
    }
}

fn row(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<13} {value}")
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut tally = Tally::new().unwrap();
        tally.sending(1, 1_234_567);
        tally.sending(2, 1_234_567);
        tally.failed("http_503", || "full".into());
        tally.acknowledged = 1_234_000;
        tally.refused = 67;
        for ms in 1..=100 {
            tally.answered(Duration::from_millis(ms));
        }
        let about = About {
            run: "r".into(),
            seed: 7,
            ended: Ended::Done,
            elapsed: Duration::from_secs(2),
            cpu: Duration::from_millis(1500),
            lines: None,
        };
        Summary::new(tally, about)
    }

    #[test]
    fn programs_find_the_documented_fields() {
        let mut out = Vec::new();
        summary().write(Format::Json, &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["events_sent"], 1_234_567);
        assert_eq!(json["events_acknowledged"], 1_234_000);
        assert_eq!(json["events_unanswered"], 500);
        assert_eq!(json["events_per_second"], 617_000.0);
        for (name, around) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("max", 100.0)] {
            let value = json["latency_ms"][name].as_f64().unwrap();
            assert!((value / around - 1.0_f64).abs() < 0.01, "{name} {value}");
        }
        assert_eq!(json["errors"]["http_503"], 1);
        assert_eq!(json["ended"]["why"], "done");
    }

    #[test]
    fn people_find_rates_latencies_and_errors() {
        let mut out = Vec::new();
        summary().write(Format::Text, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "events sent   1,234,567",
            "refused       67",
            "rate          617,000 events/s over 2.00 s",
            "requests      2 (1 of them retries)",
            "errors        1 × http_503: full",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn only_a_load_with_every_event_acknowledged_is_complete() {
        let partial = summary();
        assert!(!partial.complete());
        let whole = Summary { events_acknowledged: partial.events_sent, ..partial };
        assert!(whole.complete());
        assert!(!Summary { ended: Ended::Interrupted, ..whole }.complete());
    }
}
