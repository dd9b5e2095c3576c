//! What arrived when? A recording of arrivals that can be played again in virtual time.
//!
//! A recording is text, so that it can be read, cut and plotted with anything:
//!
//! ```text
//! # tidegate arrivals 1
//! at_ms,items
//! 0,12
//! 3,40
//! ```
//!
//! The first line names the format and its version; further lines that begin with `#` are comments.
//! Each line after the header counts the items that arrived in the millisecond that begins `at_ms`
//! after the recording began; milliseconds without arrivals have no line, and `at_ms` only grows. A
//! reader refuses what it does not understand, by line.
//!
//! The [`Recorder`] is pure and holds one millisecond: its shell writes out the lines it returns,
//! wherever it likes, and decides when the recording is long enough.

use crate::Moment;

/// The first line of every recording.
pub const FORMAT: &str = "# tidegate arrivals 1";
/// The names of the columns.
pub const HEADER: &str = "at_ms,items";
/// Most lines that are read: an hour of arrivals in every millisecond.
pub const LINES_MAX: usize = 3_600_000;

const NANOS: u64 = 1_000_000;

/// Items that arrived in one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Which millisecond since the recording began.
    pub at_ms: u64,
    /// How many items, at least 1.
    pub items: u64,
}

impl std::fmt::Display for Arrived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.at_ms, self.items)
    }
}

/// Counts arrivals by the millisecond.
///
/// ```
/// use std::time::Duration;
/// use tidegate::Moment;
/// use tidegate::recording::Recorder;
///
/// let begin = Moment::ZERO;
/// let mut recorder = Recorder::new(begin);
/// assert_eq!(recorder.arrived(begin, 12), None); // more may come in this millisecond
/// let line = recorder.arrived(begin + Duration::from_millis(3), 40);
/// assert_eq!(line.map(|line| line.to_string()).as_deref(), Some("0,12"));
/// assert_eq!(recorder.finish().map(|line| line.to_string()).as_deref(), Some("3,40"));
/// ```
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Moment,
    now: Arrived,
}

impl Recorder {
    /// A recording that begins at that moment.
    #[must_use]
    pub const fn new(began: Moment) -> Self {
        Self { began, now: Arrived { at_ms: 0, items: 0 } }
    }

    /// Items arrived; returns the line of an earlier millisecond if that is over. A clock that jumps
    /// back stands still here.
    #[must_use = "the line is to be written out"]
    pub fn arrived(&mut self, at: Moment, items: u64) -> Option<Arrived> {
        let at_ms = (at.as_nanos().saturating_sub(self.began.as_nanos())) / NANOS;
        if at_ms <= self.now.at_ms {
            self.now.items = self.now.items.saturating_add(items);
            return None;
        }
        let over = std::mem::replace(&mut self.now, Arrived { at_ms, items });
        (over.items > 0).then_some(over)
    }

    /// The last line.
    #[must_use = "the line is to be written out"]
    pub fn finish(self) -> Option<Arrived> {
        (self.now.items > 0).then_some(self.now)
    }
}

/// A recording that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// The first line does not name the format.
    #[error("line 1 is not `{FORMAT}`: this is no recording of arrivals, or a newer one")]
    Format,
    /// A line is not two whole numbers, the second of them at least 1.
    #[error(
        "line {line} is `{text}`, but must be `at_ms,items` in whole numbers, items at least 1"
    )]
    Line {
        /// Which line, from 1.
        line: usize,
        /// Its beginning.
        text: String,
    },
    /// A line is not later than the one before.
    #[error("line {line} is at {at_ms} ms, but must be later than the line before")]
    Order {
        /// Which line, from 1.
        line: usize,
        /// Its time.
        at_ms: u64,
    },
    /// There are too many lines.
    #[error("there are more than {LINES_MAX} lines")]
    TooLong,
}

/// Reads a recording.
///
/// # Errors
///
/// [`RecordingError`] that says which line is wrong, and what it must be.
pub fn read(text: &str) -> Result<Vec<Arrived>, RecordingError> {
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, first)| first.trim_end() != FORMAT) {
        return Err(RecordingError::Format);
    }
    let mut arrived: Vec<Arrived> = Vec::new();
    for (index, line) in lines {
        let text = line.trim_end();
        if text.is_empty() || text.starts_with('#') || (arrived.is_empty() && text == HEADER) {
            continue;
        }
        let line = index + 1;
        let Some(one) = parse(text) else {
            return Err(RecordingError::Line { line, text: text.chars().take(40).collect() });
        };
        if arrived.last().is_some_and(|last| one.at_ms <= last.at_ms) {
            return Err(RecordingError::Order { line, at_ms: one.at_ms });
        }
        if arrived.len() >= LINES_MAX {
            return Err(RecordingError::TooLong);
        }
        arrived.push(one);
    }
    Ok(arrived)
}

fn parse(text: &str) -> Option<Arrived> {
    let (at_ms, items) = text.split_once(',')?;
    let one = Arrived { at_ms: at_ms.parse().ok()?, items: items.parse().ok()? };
    (one.items > 0).then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: what was recorded and read again has every item, in its millisecond, in order.
        #[test]
        fn what_is_recorded_is_read(steps in proptest::collection::vec((0..5_000_000u64, 0..50u64), 0..200)) {
            let begin = Moment::from_nanos(7);
            let (mut recorder, mut at, mut total) = (Recorder::new(begin), 7, 0);
            let mut text = format!("{FORMAT}\n{HEADER}\n");
            for (nanos, items) in steps {
                at += nanos;
                total += items;
                if let Some(line) = recorder.arrived(Moment::from_nanos(at), items) {
                    text.push_str(&format!("{line}\n"));
                }
            }
            if let Some(line) = recorder.finish() {
                text.push_str(&format!("{line}\n"));
            }
            let read = read(&text).unwrap();
            prop_assert_eq!(read.iter().map(|one| one.items).sum::<u64>(), total);
            prop_assert!(read.iter().all(|one| one.at_ms <= (at - 7) / NANOS));
        }
    }

    #[test]
    fn what_is_not_a_recording_is_refused_by_line() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert!(said("at_ms,items\n0,1\n").starts_with("line 1 is not"));
        let wrong = format!("{FORMAT}\n{HEADER}\n0,1\n5,-3\n");
        assert_eq!(
            said(&wrong),
            "line 4 is `5,-3`, but must be `at_ms,items` in whole numbers, items at least 1"
        );
        assert!(said(&format!("{FORMAT}\n{HEADER}\n5,1\n5,2\n")).contains("later than the line"));
        assert_eq!(read(&format!("{FORMAT}\n# calm\n")).unwrap(), []);
    }
}
