//! What became of each attempt? A file of CSV, a line an attempt in the order of answers.
//!
//! # Format
//!
//! Lines that begin with `# ` come first, each `# key=value`: `version`, which is 1, and
//! `began_unix_us`, when the server began; times count from there. A reader skips keys that it does not
//! know. Then comes the line of column names:
//!
//! | column | what |
//! |---|---|
//! | `sent_s` | when it left, in seconds |
//! | `latency_s` | send to answer |
//! | `items` | its items |
//! | `planned` | the batch size of the plan it left under |
//! | `in_flight` | attempts of its lane in flight when it left, itself included |
//! | `full` | 1 if it was cut because enough waited, else 0 |
//! | `outcome` | as in the metrics: `ok`, `throttled`, `timed_out`, … |
//! | `retry_after_s` | what a refusal asked for; empty if nothing |
//! | `epoch` | of the plan it left under |
//! | `delivered` | how many of its items were taken |
//! | `lane` | whose attempt it was, as `sink/lane` |
//!
//! `tidegate simulate --replay` reads the attempts of one lane.

use std::fmt::Write as _;
use std::path::Path;

use tidegate::{Outcome, Sample};

use super::Tape;
use crate::clock::Clock;

const HEADER: &str =
    "sent_s,latency_s,items,planned,in_flight,full,outcome,retry_after_s,epoch,delivered,lane";

/// A recording of attempts under way.
#[derive(Debug)]
pub(crate) struct Attempts(Tape);

impl Attempts {
    /// Begins a recording of at most that many bytes; a file that is there is replaced.
    pub(crate) fn begin(path: &Path, bytes_max: u64, clock: Clock) -> std::io::Result<Self> {
        let began = clock.unix_micros(tidegate::Moment::ZERO);
        let head = format!("# version=1\n# began_unix_us={began}\n{HEADER}\n");
        Tape::begin(path, &head, bytes_max).map(Self)
    }

    /// An attempt of that lane was answered.
    pub(crate) fn answered(&self, lane: &str, sample: &Sample) {
        self.0.write(&line(lane, sample));
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

fn line(lane: &str, sample: &Sample) -> String {
    let Sample { sent, latency, outcome, .. } = sample;
    let mut line = String::with_capacity(96);
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        line,
        "{:.6},{:.6},{},{},{},{},{},",
        sent.at.as_secs_f64(),
        latency.as_secs_f64(),
        sent.items,
        sent.target,
        sent.in_flight,
        u8::from(sent.full),
        outcome.label(),
    );
    if let Outcome::Throttled { retry_after: Some(wait) } = outcome {
        let _ = write!(line, "{}", wait.as_secs_f64());
    }
    let _ = writeln!(line, ",{},{},{lane}", sent.epoch.0, outcome.delivered(sent.items));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tidegate::{Epoch, Moment, Sent};

    #[test]
    fn a_line_has_what_its_columns_say() {
        let sent = Sent {
            at: Moment::from_nanos(1_500_000_000),
            epoch: Epoch(7),
            target: 100,
            items: 90,
            bytes: 10,
            in_flight: 2,
            full: false,
        };
        let latency = Duration::from_micros(2_500);
        let sample = |outcome| Sample {
            sent,
            at: sent.at + latency,
            latency,
            delivered_meanwhile: 0,
            outcome,
            queue_items: 0,
            feedback: None,
        };
        let retry_after = Some(Duration::from_millis(500));
        let throttled = line("db/default", &sample(Outcome::Throttled { retry_after }));
        assert_eq!(throttled, "1.500000,0.002500,90,100,2,0,throttled,0.5,7,0,db/default\n");
        let partial = line("db/default", &sample(Outcome::Partial { delivered: 80 }));
        assert_eq!(partial, "1.500000,0.002500,90,100,2,0,partial,,7,80,db/default\n");
        let columns = |text: &str| text.split(',').count();
        assert_eq!(columns(HEADER), columns(&partial));

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attempts.csv");
        let recording = Attempts::begin(&path, 300, Clock::start()).unwrap();
        for _ in 0..100 {
            recording.answered("db/default", &sample(Outcome::Ok));
        }
        recording.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!((200..=300).contains(&text.len()), "{text}");
        assert!(text.starts_with("# version=1\n# began_unix_us=1") && text.ends_with("default\n"));
    }
}
