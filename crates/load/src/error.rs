//! Why can a load not run, or not go on?
//!
//! What a server does to single requests is no error here but a figure in the
//! [`Summary`](crate::Summary).

use std::io;

use thiserror::Error;

use crate::target::TargetError;
use crate::trust::TrustError;

/// Why a load did not start or was broken off.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A setting out of its bounds, or one that contradicts another.
    #[error("{field} {value}: {reason}")]
    Setting {
        /// The setting, as on the command line.
        field: &'static str,
        /// What it was given.
        value: String,
        /// The bound, and what to do.
        reason: String,
    },
    /// The URL or the token cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There are no authorities to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Nothing listens at the URL.
    #[error("cannot connect to {host}:{port}: {source}; is `tidegate serve` running there?")]
    Unreachable {
        /// The host of the URL.
        host: String,
        /// The port of the URL.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file, as it was given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file without a line to send.
    #[error("{path} has no line to send: it is empty or all its lines are blank")]
    NoLines {
        /// The file, as it was given.
        path: String,
    },
    /// A connection's task ended by a defect.
    #[error("a connection's task ended by a defect in tidegate-load: {0}")]
    Defect(String),
}

impl LoadError {
    /// Whether the settings have to change before another run makes sense.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Setting { .. } | Self::Target(_) | Self::Trust(_) | Self::NoLines { .. }
        )
    }
}
