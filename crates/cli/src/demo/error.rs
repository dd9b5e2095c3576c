//! Why does a demo not begin, or not come to its end?

use std::path::PathBuf;

use tidegate_load::LoadError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// Flags that are refused, a sentence each with the flag, its value and its bound.
    #[error("{}", .0.join("\n"))]
    Flags(Vec<String>),
    /// There is no temporary directory to work in.
    #[error("no temporary directory under {}: {source}; set TMPDIR to one that can be written", parent.display())]
    Directory {
        /// Where it was to be made.
        parent: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server cannot be started.
    #[error("the server cannot be started: {0}")]
    Spawn(std::io::Error),
    /// The server ended, or never began.
    #[error("the server {what}; its last lines:\n{log}")]
    Server {
        /// What it did.
        what: &'static str,
        /// Its last lines.
        log: String,
    },
    /// The server's figures cannot be read.
    #[error("{url} cannot be read: {why}")]
    Metrics {
        /// Where they were asked for.
        url: String,
        /// What was wrong.
        why: String,
    },
    /// The database cannot be used.
    #[error("the demo's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The load did not run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The load broke off.
    #[error("the load broke off: {0}")]
    LoadEnded(String),
    /// Nothing can be shown.
    #[error("cannot write to the terminal: {0}")]
    Terminal(#[from] std::io::Error),
    /// A thread of the demo ended by a fault.
    #[error("{0} ended by a fault of the demo")]
    Fault(&'static str),
    /// It was asked to stop.
    #[error("stopped before its end; everything was removed")]
    Interrupted,
}

impl DemoError {
    /// Whether the flags have to change before another try makes sense.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Flags(_) => true,
            Self::Load(error) => error.is_usage(),
            _ => false,
        }
    }
}
