//! Why did a server not begin, or not go on?

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::dead_letters::StoreError;
use crate::http::tls::TlsError;
use crate::lane::error::LaneError;

/// The server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("data directory {dir}: {source}: choose another with --data-dir, or mend its rights")]
    DataDir {
        /// The directory.
        dir: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] tidegate_journal::OpenError),
    /// A lane cannot be registered.
    #[error(transparent)]
    Lane(#[from] tidegate_journal::LaneError),
    /// A sink cannot be taken into use.
    #[error("sink `{name}`: {source}")]
    Sink {
        /// The sink's name.
        name: String,
        /// What it said.
        source: tidegate_sinks::OpenError,
    },
    /// A setting is refused.
    #[error("sinks.{sink}: {source}")]
    Setting {
        /// The sink's name.
        sink: String,
        /// Which one, and why.
        source: tidegate::SettingError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}: choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// An address for OpenTelemetry cannot be listened on.
    #[error("cannot listen on {address}: {source}: set {setting} to another address, or to null")]
    ListenOtlp {
        /// Which setting names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Arrivals or attempts cannot be recorded.
    #[error(
        "{field} {}: {source}: name a file in a directory that can be written, or null",
        path.display()
    )]
    Recording {
        /// Which setting names the file.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The listener's certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The dead letters cannot be opened.
    #[error(transparent)]
    DeadLetters(#[from] StoreError),
    /// The system gave no randomness.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// The server ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A lane cannot go on.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// The journal has failed; what was not synced must be read anew.
    #[error("{0}: start again, so that the journal recovers")]
    Journal(String),
    /// A lane ended by a fault of ours.
    #[error("a lane ended by a fault of the program: {0}")]
    Fault(String),
}
