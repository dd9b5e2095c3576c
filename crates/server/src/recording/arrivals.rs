//! When did how much arrive? A file of counts by the millisecond.
//!
//! The counting is the library's ([`tidegate::recording`]). A line is a few bytes for each millisecond
//! in which something was accepted, and whoever accepts a request writes it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tidegate::Moment;
use tidegate::recording::{FORMAT, HEADER, Recorder};

use super::Tape;

/// A recording of arrivals under way.
#[derive(Debug)]
pub(crate) struct Arrivals {
    tape: Tape,
    /// Held while a line is written, so that lines stay in order.
    recorder: Mutex<Option<Recorder>>,
}

impl Arrivals {
    /// Begins a recording of at most that many bytes; a file that is there is replaced.
    pub(crate) fn begin(path: &Path, bytes_max: u64, now: Moment) -> std::io::Result<Self> {
        let tape = Tape::begin(path, &format!("{FORMAT}\n{HEADER}\n"), bytes_max)?;
        Ok(Self { tape, recorder: Mutex::new(Some(Recorder::new(now))) })
    }

    /// Events were accepted.
    pub(crate) fn arrived(&self, now: Moment, events: u64) {
        if events == 0 {
            return;
        }
        let mut open = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(recorder) = open.as_mut() else { return };
        let Some(line) = recorder.arrived(now, events) else { return };
        if !self.tape.write(&format!("{line}\n")) {
            // The last line would not fit either.
            *open = None;
        }
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) {
        let last = self.recorder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = last.and_then(Recorder::finish) {
            self.tape.write(&format!("{line}\n"));
        }
        self.tape.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_arrives_is_read_again_and_the_file_stays_within_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrivals.csv");
        std::fs::write(&path, "an older one").unwrap();
        let recording = Arrivals::begin(&path, 200, Moment::ZERO).unwrap();
        for ms in 0..1_000_u64 {
            recording.arrived(Moment::ZERO + Duration::from_millis(ms), 10);
        }
        recording.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!((150..=200).contains(&text.len()), "{}", text.len());
        let read = tidegate::recording::read(&text).unwrap();
        assert!(read.len() > 15 && read.iter().all(|one| one.items == 10), "{read:?}");
    }

    #[test]
    fn an_end_writes_the_last_millisecond_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arrivals.csv");
        let recording = Arrivals::begin(&path, 1 << 20, Moment::ZERO).unwrap();
        recording.arrived(Moment::from_nanos(5_000_000), 3);
        recording.arrived(Moment::from_nanos(5_000_000), 0);
        recording.arrived(Moment::from_nanos(9_000_000), 4);
        recording.finish();
        recording.arrived(Moment::from_nanos(11_000_000), 5);
        let read = tidegate::recording::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let pairs: Vec<_> = read.iter().map(|one| (one.at_ms, one.items)).collect();
        assert_eq!(pairs, [(5, 3), (9, 4)]);
    }
}
