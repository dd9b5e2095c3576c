//! When did how much arrive? A file of counts, which the simulator plays again.
//!
//! The counting is the library's ([`tidegate::recording`]); here is only where its lines go. A line is
//! a few bytes for each millisecond in which something was accepted, so whoever accepts a request
//! writes it, into a buffer, and every few thousand lines that buffer to the page cache. When the file
//! is as large as it may be, or cannot be written, the recording ends and the server goes on.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tidegate::Moment;
use tidegate::recording::{Arrived, FORMAT, HEADER, Recorder};

/// A recording under way.
#[derive(Debug)]
pub(crate) struct Recording {
    path: PathBuf,
    tape: Mutex<Option<Tape>>,
}

/// What is written on.
#[derive(Debug)]
struct Tape {
    recorder: Recorder,
    file: BufWriter<File>,
    bytes_left: u64,
}

/// Lines that wait to be written, in bytes.
const BUFFER: usize = 64 << 10;

impl Recording {
    /// Begins a recording of at most that many bytes; a file that is there is replaced.
    pub(crate) fn begin(path: &Path, bytes_max: u64, now: Moment) -> std::io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(path)?);
        let head = format!("{FORMAT}\n{HEADER}\n");
        file.write_all(head.as_bytes())?;
        // What is there already can be read, even if the server is killed at once.
        file.flush()?;
        let bytes_left = bytes_max.saturating_sub(head.len() as u64);
        let tape = Tape { recorder: Recorder::new(now), file, bytes_left };
        Ok(Self { path: path.to_owned(), tape: Mutex::new(Some(tape)) })
    }

    /// Events were accepted.
    pub(crate) fn arrived(&self, now: Moment, events: u64) {
        if events == 0 {
            return;
        }
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = tape.as_mut() else { return };
        let Some(line) = open.recorder.arrived(now, events) else { return };
        match open.write(line) {
            Ok(true) => {}
            Ok(false) => {
                // The last line would not fit either.
                let written = tape.take().map(|mut full| full.file.flush());
                self.tell(written.transpose(), "is as large as recording.max_bytes allows");
            }
            Err(error) => {
                *tape = None;
                self.tell(Err(error), "");
            }
        }
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) {
        let tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Tape { recorder, file, bytes_left }) = tape else { return };
        let mut last = Tape { recorder: recorder.clone(), file, bytes_left };
        let written = recorder.finish().map_or(Ok(true), |line| last.write(line));
        self.tell(written.and_then(|_| last.file.flush()).map(Some), "is complete");
    }

    fn tell(&self, written: std::io::Result<Option<()>>, what: &str) {
        let path = self.path.display();
        match written {
            Ok(_) => tracing::info!(%path, "the recording of arrivals {what}"),
            Err(error) => tracing::warn!(%path, %error, "arrivals are recorded no more"),
        }
    }
}

impl Tape {
    /// Writes the line, if it fits.
    fn write(&mut self, line: Arrived) -> std::io::Result<bool> {
        let line = format!("{line}\n");
        let Some(left) = self.bytes_left.checked_sub(line.len() as u64) else { return Ok(false) };
        self.bytes_left = left;
        self.file.write_all(line.as_bytes()).map(|()| true)
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
        let recording = Recording::begin(&path, 200, Moment::ZERO).unwrap();
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
        let recording = Recording::begin(&path, 1 << 20, Moment::ZERO).unwrap();
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
