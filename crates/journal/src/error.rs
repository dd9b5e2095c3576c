//! What can go wrong, and what should the caller do about it?
//!
//! One small type for each thing a caller can ask for. Nobody needs to match on a text: an append
//! that was refused says by [`AppendError::advice`] whether to come back, to change the input, or
//! to stop.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use tidegate_event::{JournalId, Position};

use crate::settings::SettingsError;

/// The journal could not be opened. Nothing was changed unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of its bounds.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another process, or another journal of this one, holds the directory.
    #[error(
        "journal directory {place} is in use by another process: stop that one, or give this one a \
         directory of its own"
    )]
    InUse {
        /// The directory.
        place: String,
    },
    /// The operating system refused.
    #[error("journal {place}: cannot {action}: {source}")]
    Io {
        /// The directory, or whatever the storage calls itself.
        place: String,
        /// What was tried, with the file's name.
        action: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The file that names the journal is gone or unreadable while there are segments.
    #[error(
        "journal {place}: `meta` {problem}, but there are segments: restore `meta` from a copy of \
         this journal, or move the `*.seg` files elsewhere to begin a new one"
    )]
    Meta {
        /// The directory.
        place: String,
        /// What is wrong with the file.
        problem: &'static str,
    },
    /// A file was written by a later version.
    #[error(
        "journal {place}: {file} has format version {found}, this program knows {known}: upgrade it"
    )]
    Version {
        /// The directory.
        place: String,
        /// The file.
        file: String,
        /// The version in the file.
        found: u32,
        /// The highest version this program reads.
        known: u32,
    },
    /// A segment belongs to another journal.
    #[error(
        "journal {place}: {file} belongs to journal {found}, this is journal {id}: move the file to \
         where it came from"
    )]
    Foreign {
        /// The directory.
        place: String,
        /// The segment.
        file: String,
        /// The journal it names.
        found: JournalId,
        /// The journal being opened.
        id: JournalId,
    },
    /// There is nothing to look at.
    #[error("{place} holds no journal: name the directory with its `*.seg` files and `meta`")]
    NoJournal {
        /// The directory.
        place: String,
    },
    /// The operating system gave no random numbers.
    #[error("cannot draw a journal id: no randomness from the system: {0}")]
    Random(String),
}

/// What a caller whose append was refused should do.
///
/// ```
/// use tidegate_journal::{Advice, AppendError};
///
/// let full = AppendError::Full { bytes: 8 << 30, max: 8 << 30 };
/// assert_eq!(full.advice(), Advice::RetryLater);
/// assert_eq!(AppendError::Closed.advice(), Advice::GiveUp);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The same append may succeed later.
    RetryLater,
    /// The same append can never succeed.
    FixInput,
    /// No append will succeed until the journal is opened again.
    GiveUp,
}

/// An append was not accepted. Nothing of it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The journal holds as much as it may; lanes must deliver first.
    #[error(
        "the journal is full ({bytes} of {max} bytes): retry when its lanes have delivered more"
    )]
    Full {
        /// Bytes held.
        bytes: u64,
        /// The bound: `max_bytes`, or `tail_bytes` with durability `memory`.
        max: u64,
    },
    /// Too much waits for the writer already.
    #[error("the journal's queue is full ({frames} frames, {bytes} bytes wait): retry shortly")]
    Busy {
        /// Frames waiting.
        frames: usize,
        /// Bytes waiting.
        bytes: usize,
    },
    /// The disk is full. The journal goes on by itself once there is room.
    #[error("no space left for the journal ({detail}): free some, then retry")]
    NoSpace {
        /// The system's answer.
        detail: Arc<str>,
    },
    /// The next segment file could not be made. Nothing else is affected.
    #[error("the journal cannot make its next segment ({detail}): retry later")]
    NoSegment {
        /// The system's answer.
        detail: Arc<str>,
    },
    /// A write or sync failed. What was not acknowledged counts as lost.
    #[error("the journal has failed and refuses everything until it is opened again: {detail}")]
    Failed {
        /// What failed, and the system's answer.
        detail: Arc<str>,
    },
    /// The request does not fit into a segment.
    #[error("the request takes {bytes} bytes in the journal, at most {max} are possible: split it")]
    TooLarge {
        /// Its size as a frame.
        bytes: u64,
        /// The largest frame.
        max: u64,
    },
    /// The request is not well-formed.
    #[error("the request cannot be stored: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed,
}

impl AppendError {
    /// What the caller should do.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::Full { .. }
            | Self::Busy { .. }
            | Self::NoSpace { .. }
            | Self::NoSegment { .. } => Advice::RetryLater,
            Self::TooLarge { .. } | Self::Invalid { .. } => Advice::FixInput,
            Self::Failed { .. } | Self::Closed => Advice::GiveUp,
        }
    }
}

/// A lane could not be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// A reader of that lane is alive.
    #[error("lane `{name}` has a reader already")]
    InUse {
        /// The lane.
        name: String,
    },
    /// The name is empty or longer than 255 bytes.
    #[error("a lane's name must have 1 to 255 bytes, not {bytes}")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// There are as many lanes as there may be.
    #[error("the journal has {max} lanes already")]
    TooMany {
        /// The bound.
        max: usize,
    },
}

/// A reader gets nothing more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The journal has failed; everything durable was read.
    #[error("the journal has failed: {detail}")]
    Failed {
        /// What failed.
        detail: Arc<str>,
    },
    /// A segment could not be read. The place is kept: the next call tries again.
    #[error("cannot read journal segment {segment}: {detail}")]
    Io {
        /// Its sequence number.
        segment: u64,
        /// The system's answer.
        detail: Arc<str>,
    },
}

/// Positions were called delivered that the journal has never made durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "positions {}..{} cannot have been delivered: the journal is durable up to {durable} only",
    range.start, range.end
)]
pub struct UnknownPositions {
    /// What was called delivered.
    pub range: Range<Position>,
    /// The position after the last durable item.
    pub durable: Position,
}
