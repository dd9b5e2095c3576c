//! What happened, line by line? Files that the simulator plays again.
//!
//! | question | module |
//! |---|---|
//! | When did how much arrive? | [`arrivals`] |
//! | What became of each attempt? | [`attempts`] |
//!
//! Here is where their lines go: into a buffer, and every few thousand lines that buffer to the page
//! cache, by whoever has a line. When a file is as large as it may be, or cannot be written, its
//! recording ends and the server goes on.

pub(crate) mod arrivals;
pub(crate) mod attempts;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) use arrivals::Arrivals;
pub(crate) use attempts::Attempts;

/// Lines that wait to be written, in bytes.
const BUFFER: usize = 64 << 10;

/// A file of lines that ends at a bound.
#[derive(Debug)]
struct Tape {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: BufWriter<File>,
    bytes_left: u64,
}

impl Tape {
    /// Begins a file of at most that many bytes with these lines; one that is there is replaced.
    fn begin(path: &Path, head: &str, bytes_max: u64) -> std::io::Result<Self> {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(path)?);
        file.write_all(head.as_bytes())?;
        // What is there already can be read, even if the server is killed at once.
        file.flush()?;
        let bytes_left = bytes_max.saturating_sub(head.len() as u64);
        Ok(Self { path: path.to_owned(), open: Mutex::new(Some(Open { file, bytes_left })) })
    }

    /// Writes a line with its end; says whether more may follow.
    fn write(&self, line: &str) -> bool {
        let mut tape = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = tape.as_mut() else { return false };
        match open.write(line) {
            Ok(true) => true,
            Ok(false) => {
                let written = tape.take().map(|mut full| full.file.flush()).transpose();
                self.tell(written.map(drop), "is as large as recording.max_bytes allows");
                false
            }
            Err(error) => {
                *tape = None;
                self.tell(Err(error), "");
                false
            }
        }
    }

    /// Ends it.
    fn finish(&self) {
        let tape = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut open) = tape {
            self.tell(open.file.flush(), "is complete");
        }
    }

    fn tell(&self, written: std::io::Result<()>, what: &str) {
        let path = self.path.display();
        match written {
            Ok(()) => tracing::info!(%path, "the recording {what}"),
            Err(error) => tracing::warn!(%path, %error, "nothing more is recorded"),
        }
    }
}

impl Open {
    /// Writes the line, if it fits.
    fn write(&mut self, line: &str) -> std::io::Result<bool> {
        let Some(left) = self.bytes_left.checked_sub(line.len() as u64) else { return Ok(false) };
        self.bytes_left = left;
        self.file.write_all(line.as_bytes()).map(|()| true)
    }
}
