//! How does a file of any size become requests in bounded memory?
//!
//! A thread of its own reads line by line and builds requests; it waits when [`AHEAD`] of them
//! are ready. Reading a file blocks, and a pipe may block for ever, so it is no task of the
//! runtime: when the run ends first, the thread notices at its next request. From standard input
//! what has arrived is sent before more is waited for, so that a slow pipe is not held back.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::error::LoadError;
use crate::feed::{Claim, Claims};
use crate::lines::{self, Context, Line};
use crate::read::{has_line, read_line};
use crate::target::Head;

/// Requests built ahead of their sending.
const AHEAD: usize = 16;
/// A request is closed when its body reaches this many bytes, however few its events. With
/// [`AHEAD`] and the bound on a line it bounds the memory: some 40 MiB at the very worst.
const BODY_BYTES: usize = 1 << 20;

/// A request built from lines.
pub(crate) struct FromFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tries: Vec<usize>,
    pub(crate) claim: Claim,
}

/// What happened to the lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LineCounts {
    /// Lines read, of all rounds through the file.
    pub read: u64,
    /// Blank lines, skipped.
    pub blank: u64,
    /// Lines with bytes that are no UTF-8, or NUL, replaced by U+FFFD.
    pub repaired: u64,
    /// Lines over 256 KiB, cut there.
    pub cut: u64,
}

/// Reads on a thread of its own.
pub(crate) struct Lines {
    /// Where lines come from; `-` is standard input.
    pub(crate) path: PathBuf,
    pub(crate) context: Context,
    pub(crate) head: Head,
    pub(crate) batch: usize,
    pub(crate) claims: Claims,
    /// Whether to start over at the end.
    pub(crate) again: bool,
    pub(crate) counts: Arc<Mutex<LineCounts>>,
}

/// The file's name and stem for events; standard input is called `stdin`.
pub(crate) fn names(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(|| "stdin".to_owned(), |part| part.to_string_lossy().into_owned())
    };
    if is_stdin(path) {
        return (text(None), text(None));
    }
    (text(path.file_name()), text(path.file_stem()))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether to go on building requests.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    End,
}

type Sender = mpsc::Sender<Result<FromFile, LoadError>>;

impl Lines {
    /// Opens the file and starts to read it.
    pub(crate) fn start(self) -> Result<mpsc::Receiver<Result<FromFile, LoadError>>, LoadError> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let source = self.open().map_err(|source| self.error(source))?;
        let path = self.path.display().to_string();
        std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || self.read_all(source, &sender))
            .map_err(|source| LoadError::File { action: "read", path, source })?;
        Ok(receiver)
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        if is_stdin(&self.path) {
            return Ok(Box::new(io::stdin()));
        }
        let file = File::open(&self.path)?;
        // A folder opens, and would only fail at the first read.
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Box::new(file))
    }

    fn error(&self, source: io::Error) -> LoadError {
        LoadError::File { action: "read", path: self.path.display().to_string(), source }
    }

    fn read_all(mut self, first: Box<dyn Read + Send>, sender: &Sender) {
        let mut source = Ok(first);
        loop {
            let before = self.claims.next();
            let round = source
                .and_then(|source| self.round(BufReader::with_capacity(1 << 16, source), sender));
            let failed = match round {
                Err(error) => Some(self.error(error)),
                Ok(Flow::End) => None,
                Ok(Flow::On) if self.claims.next() == before => {
                    Some(LoadError::NoLines { path: self.path.display().to_string() })
                }
                Ok(Flow::On) if self.again && !is_stdin(&self.path) => {
                    source = self.open();
                    continue;
                }
                Ok(Flow::On) => None,
            };
            if let Some(error) = failed {
                // Nobody listening any more means that the run is over.
                let _ = sender.blocking_send(Err(error));
            }
            return;
        }
    }

    /// Once through the file.
    fn round(&mut self, mut source: BufReader<impl Read>, sender: &Sender) -> io::Result<Flow> {
        let live = is_stdin(&self.path);
        let mut line = Vec::new();
        let mut number = 0;
        let mut draft = Draft::new(&self.head);
        while let Some(cut) = read_line(&mut source, &mut line)? {
            number += 1;
            self.add(&mut draft, Line { bytes: &line, number, cut });
            let full = draft.events >= self.batch || draft.bytes.len() >= BODY_BYTES;
            let last = draft.events as u64 >= self.claims.left();
            let dry = live && !has_line(&source);
            if (full || last || dry) && self.send(&mut draft, sender) == Flow::End {
                return Ok(Flow::End);
            }
        }
        Ok(self.send(&mut draft, sender))
    }

    fn add(&self, draft: &mut Draft, line: Line<'_>) {
        let seq = self.claims.next() + draft.events as u64;
        let written = lines::write_line(&mut draft.bytes, line, seq, &self.context);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.read += 1;
        counts.cut += u64::from(line.cut);
        match written {
            None => counts.blank += 1,
            Some(written) => {
                counts.repaired += u64::from(written.lossy);
                draft.tries.extend(written.attempt);
                draft.events += 1;
            }
        }
    }

    /// Hands over a request; `End` when the run needs no more of them.
    fn send(&mut self, draft: &mut Draft, sender: &Sender) -> Flow {
        if draft.events == 0 {
            return if self.claims.left() == 0 { Flow::End } else { Flow::On };
        }
        // Without a schedule the bound in time is kept by whoever sends.
        let Some(claim) = self.claims.claim(draft.events, Duration::ZERO) else {
            return Flow::End;
        };
        let Draft { mut bytes, tries, .. } = std::mem::replace(draft, Draft::new(&self.head));
        let body = bytes.len() - self.head.bytes().len();
        self.head.set_length(&mut bytes, body);
        self.head.set_first(&mut bytes, claim.first);
        let sent = sender.blocking_send(Ok(FromFile { bytes, tries, claim }));
        if sent.is_err() || self.claims.left() == 0 { Flow::End } else { Flow::On }
    }
}

/// A request that is not full yet.
struct Draft {
    bytes: Vec<u8>,
    tries: Vec<usize>,
    events: usize,
}

impl Draft {
    fn new(head: &Head) -> Self {
        Self { bytes: head.bytes().to_vec(), tries: Vec::new(), events: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Labels;
    use crate::lines::timestamp::Year;
    use crate::target::Target;

    /// A pipe: what is read comes as it was written.
    struct Pipe(std::vec::IntoIter<&'static str>);

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let part = self.0.next().unwrap_or_default().as_bytes();
            buffer[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    fn requests(path: &str, batch: usize, parts: Vec<&'static str>) -> Vec<usize> {
        let labels = Labels { run: "r".into(), service: None, class: None };
        let (file, stem) = names(Path::new(path));
        let mut lines = Lines {
            path: path.into(),
            context: Context { labels, file, stem, ids: true, year: Year::Given(2026) },
            head: Target::parse("http://gate", crate::args::Protocol::Ndjson)
                .unwrap()
                .head(None)
                .unwrap(),
            batch,
            claims: Claims::new(Some(6), None, None),
            again: false,
            counts: Arc::default(),
        };
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        lines.round(BufReader::new(Pipe(parts.into_iter())), &sender).unwrap();
        drop((sender, lines));
        std::iter::from_fn(|| receiver.blocking_recv()).map(|r| r.unwrap().claim.events).collect()
    }

    #[test]
    fn a_slow_pipe_is_sent_as_it_comes_and_a_file_in_whole_requests() {
        let parts = vec!["a\nb\n", "c\nd", "\n\n", "e"];
        assert_eq!(requests("-", 10, parts.clone()), [2, 1, 1, 1]);
        assert_eq!(requests("app.log", 10, parts.clone()), [5]);
        assert_eq!(requests("app.log", 2, parts), [2, 2, 1]);
        assert_eq!(requests("app.log", 4, vec!["1\n2\n3\n4\n5\n6\n7\n8\n"]), [4, 2]);
    }

    #[test]
    fn names_come_from_the_path() {
        let names = |path| names(Path::new(path));
        assert_eq!(names("/var/log/dpkg.log"), ("dpkg.log".into(), "dpkg".into()));
        assert_eq!(names("-"), ("stdin".into(), "stdin".into()));
    }
}
