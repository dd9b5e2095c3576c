//! What went wrong with an attempt, and what does that mean for whoever sent it?
//!
//! | SQLite says | outcome | then |
//! |---|---|---|
//! | busy, locked | overloaded | try again |
//! | out of memory | overloaded | try again |
//! | constraint, too big, mismatch | rejected | the data is at fault |
//! | full | unreachable | try again; the connection is sound |
//! | all else: I/O, read-only, damaged, altered | unreachable | try again, on a new connection |
//!
//! What is wrong with the file is never the data's fault: it stays in the journal until somebody
//! has mended the file. Fenced and recut attempts are *unreachable* too, so that a lane that reads
//! only the outcome keeps its items; the failure says what to do.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Error, ErrorCode};
use tidegate::Outcome;
use tidegate_event::{JournalId, Position};

use crate::contract::{DeliveryFailure, OpenError};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite said no.
    Sqlite(Error),
    /// The batch cannot be stored, ever: why.
    Data(String),
    /// One item of the batch cannot be stored, ever: which, and why.
    Item(Position, String),
    /// Another opening of the journal has taken over.
    Fenced { journal: JournalId, theirs: u64, ours: u64 },
    /// Part of the range is committed.
    Recut(Range<Position>),
    /// The file is not the one that was opened: why.
    Moved(String),
    /// The file could not be opened again.
    Closed(OpenError),
    /// No journal has been opened yet.
    NotOpened,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What the messages name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    /// The database file.
    pub(super) path: &'a Path,
    /// How long a lock was waited for.
    pub(super) busy_timeout: Duration,
}

impl Trouble {
    /// Whether a new connection may help, and the old one should not be trusted.
    pub(super) fn needs_reopening(&self) -> bool {
        match self {
            Self::Sqlite(error) => !matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::DiskFull
                        | ErrorCode::OutOfMemory
                        | ErrorCode::ConstraintViolation
                        | ErrorCode::TooBig
                        | ErrorCode::TypeMismatch
                )
            ),
            Self::Moved(_) | Self::Closed(_) => true,
            Self::Data(_)
            | Self::Item(..)
            | Self::Fenced { .. }
            | Self::Recut(_)
            | Self::NotOpened => false,
        }
    }

    /// Whether the backend failed, rather than the data or the caller.
    pub(super) fn is_of_the_backend(&self) -> bool {
        match self {
            Self::Sqlite(error) => !is_of_the_data(error),
            Self::Moved(_) | Self::Closed(_) => true,
            Self::Data(_)
            | Self::Item(..)
            | Self::Fenced { .. }
            | Self::Recut(_)
            | Self::NotOpened => false,
        }
    }

    /// What the sink answers.
    pub(super) fn answer(self, site: Site<'_>) -> (Outcome, DeliveryFailure) {
        let path = site.path.display();
        match self {
            Self::Data(why) => (Outcome::Rejected, DeliveryFailure::Refused { why, at: None }),
            Self::Item(at, why) => {
                let why = format!("position {at}: {why}");
                (Outcome::Rejected, DeliveryFailure::Refused { why, at: Some(at) })
            }
            Self::Fenced { journal, theirs, ours } => {
                (Outcome::Unreachable, DeliveryFailure::Fenced { journal, theirs, ours })
            }
            Self::Recut(part) => (Outcome::Unreachable, DeliveryFailure::Recut(part)),
            Self::Moved(why) => unreachable(format!("database {path}: {why}; it is opened again")),
            Self::Closed(OpenError::Copied { journal, theirs, ours }) => {
                (Outcome::Unreachable, DeliveryFailure::Fenced { journal, theirs, ours })
            }
            Self::Closed(error) => unreachable(error.to_string()),
            Self::NotOpened => unreachable("no journal has been opened at this sink".to_owned()),
            Self::Sqlite(error) if is_of_the_data(&error) => {
                (Outcome::Rejected, DeliveryFailure::Refused { why: error.to_string(), at: None })
            }
            Self::Sqlite(error) => {
                let outcome = match error.sqlite_error_code() {
                    Some(
                        ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::OutOfMemory,
                    ) => Outcome::Overloaded,
                    _ => Outcome::Unreachable,
                };
                let advice = advice(&error, site);
                (outcome, DeliveryFailure::Retry(format!("database {path}: {error}. {advice}")))
            }
        }
    }

    /// What `open` answers: the same, in the words of [`OpenError`].
    pub(super) fn open_error(self, site: Site<'_>) -> OpenError {
        match self {
            Self::Fenced { journal, theirs, ours } => OpenError::Copied { journal, theirs, ours },
            Self::Closed(error) => error,
            Self::Sqlite(error) => backend(site.path, format!("{error}. {}", advice(&error, site))),
            other => backend(site.path, other.answer(site).1.to_string()),
        }
    }
}

/// The error of a file that cannot be used.
pub(super) fn backend(path: &Path, why: impl Into<String>) -> OpenError {
    OpenError::Backend { what: format!("cannot use database {}", path.display()), why: why.into() }
}

/// Whether a constraint refused it.
pub(super) fn is_constraint(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn is_of_the_data(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    )
}

fn unreachable(why: String) -> (Outcome, DeliveryFailure) {
    (Outcome::Unreachable, DeliveryFailure::Retry(why))
}

/// What somebody can do about it.
pub(super) fn advice(error: &Error, site: Site<'_>) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "Another connection held the lock for longer than busy_timeout, {:?}: find the program \
             that writes to this file, or raise busy_timeout",
            site.busy_timeout
        ),
        Some(ErrorCode::DiskFull) => {
            "Free space on the disk, raise size_max, or set a retention".to_owned()
        }
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => "Give this user the right to write the file and its directory".to_owned(),
        Some(ErrorCode::CannotOpen) => {
            "Check that its directory exists and that this user may write there".to_owned()
        }
        Some(ErrorCode::SystemIoFailure) => {
            "The disk or the file system failed: look into the system's log".to_owned()
        }
        Some(ErrorCode::NotADatabase) => {
            "Move the file away, or give the sink another path".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            "The file is damaged: restore a backup, or recover it with `sqlite3 FILE .recover`"
                .to_owned()
        }
        Some(ErrorCode::OutOfMemory) => "Free memory, or lower cache_bytes".to_owned(),
        _ => "Nothing is lost: the journal keeps the events until this is mended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "/data/events.db";

    fn answer(code: std::ffi::c_int) -> (Outcome, String, bool) {
        let trouble = Trouble::Sqlite(Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        let reopens = trouble.needs_reopening();
        let site = Site { path: Path::new(SITE), busy_timeout: Duration::from_secs(5) };
        let (outcome, failure) = trouble.answer(site);
        (outcome, failure.to_string(), reopens)
    }

    #[test]
    fn a_refused_item_is_pointed_at() {
        let site = Site { path: Path::new(SITE), busy_timeout: Duration::from_secs(5) };
        let (outcome, failure) = Trouble::Item(41, "not taken".into()).answer(site);
        let why = "position 41: not taken".to_owned();
        assert_eq!(outcome, Outcome::Rejected);
        assert_eq!(failure, DeliveryFailure::Refused { why, at: Some(41) });
    }

    #[test]
    fn every_kind_of_failure_has_its_outcome_and_says_what_to_do() {
        use rusqlite::ffi;
        use tidegate::Outcome::{Overloaded, Rejected, Unreachable};
        for (code, outcome, reopens, advice) in [
            (ffi::SQLITE_BUSY, Overloaded, false, "raise busy_timeout"),
            (ffi::SQLITE_BUSY_SNAPSHOT, Overloaded, false, "raise busy_timeout"),
            (ffi::SQLITE_LOCKED, Overloaded, false, "raise busy_timeout"),
            (ffi::SQLITE_NOMEM, Overloaded, false, "Free memory"),
            (ffi::SQLITE_FULL, Unreachable, false, "Free space"),
            (ffi::SQLITE_IOERR_FSYNC, Unreachable, true, "system's log"),
            (ffi::SQLITE_READONLY, Unreachable, true, "right to write"),
            (ffi::SQLITE_PERM, Unreachable, true, "right to write"),
            (ffi::SQLITE_CANTOPEN, Unreachable, true, "directory exists"),
            (ffi::SQLITE_CORRUPT, Unreachable, true, "restore a backup"),
            (ffi::SQLITE_NOTADB, Unreachable, true, "Move the file away"),
            (ffi::SQLITE_ERROR, Unreachable, true, "the journal keeps the events"),
            (ffi::SQLITE_CONSTRAINT_NOTNULL, Rejected, false, "the data was refused"),
            (ffi::SQLITE_TOOBIG, Rejected, false, "the data was refused"),
        ] {
            let (said, message, reopened) = answer(code);
            assert_eq!((said, reopened), (outcome, reopens), "{message}");
            assert!(message.contains(advice), "{message}");
            assert_eq!(message.contains(SITE), outcome != Rejected, "{message}");
        }
    }
}
