//! Which events did the server acknowledge, and which may it have stored without saying so?
//!
//! Two CSV files answer, for checking a database afterwards. One line a request:
//!
//! ```csv
//! run,first_seq,last_seq,try
//! 52fe09a1c3d4b677,0,99,1
//! ```
//!
//! Every event named by `--acknowledged` must be stored exactly once under that try. Rows beyond
//! those can only be events of a try named by `--unanswered`: sent, but the answer was lost. A
//! request of which the server accepted a part is in neither file. Requests with an
//! `Idempotency-Key` are repeated unchanged and name try 1 always: a server that heeds the key has
//! each of their events once.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::LoadError;
use crate::feed::Claim;

/// A file of seq ranges, shared by all connections.
pub(crate) struct Ledger {
    path: String,
    run: String,
    // Writing blocks its connection when the buffer is full, once in some thousand requests:
    // cheaper than a task to hand lines to.
    file: Mutex<BufWriter<File>>,
}

impl Ledger {
    pub(crate) fn create(path: &Path, run: &str) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let quoted = if run.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", run.replace('"', "\"\""))
        } else {
            run.to_owned()
        };
        let open = || {
            let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
            file.write_all(b"run,first_seq,last_seq,try\n")?;
            Ok(file)
        };
        let file = open().map_err(|source| failed(&name, source))?;
        Ok(Self { path: name, run: quoted, file: Mutex::new(file) })
    }

    pub(crate) fn note(&self, claim: Claim, attempt: u32) -> Result<(), LoadError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{},{},{},{attempt}", self.run, claim.first, claim.last())
            .map_err(|source| failed(&self.path, source))
    }

    pub(crate) fn flush(&self) -> Result<(), LoadError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush().map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &str, source: io::Error) -> LoadError {
    LoadError::File { action: "write", path: path.to_owned(), source }
}
