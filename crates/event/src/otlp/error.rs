//! What was wrong with an export request, and what can its sender do about it?
//!
//! Two levels, because the protocol answers them differently: a record that cannot be taken is
//! left out and counted (a partial success), a request that cannot be read is refused as a whole.

use crate::json::Reason;

/// Nothing of the request was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is not the protobuf message that it should be.
    #[error("the body is no ExportLogsServiceRequest: {why}, at byte {offset}")]
    Protobuf {
        /// Place in the body, from 0.
        offset: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// It is not the JSON document that it should be.
    #[error("the body is no ExportLogsServiceRequest in JSON: {detail}")]
    Json {
        /// The parser's words, with the place.
        detail: String,
    },
    /// There are more records than one request may have.
    #[error("the request holds more than {max} log records: export smaller batches")]
    TooMany {
        /// The most that are taken at once.
        max: u32,
    },
    /// The records, each with its resource and scope, are too long together.
    #[error(
        "the log records, each with its resource and scope, have more than {max} bytes together: \
         export smaller batches, or fewer resource attributes"
    )]
    TooLarge {
        /// The most that are taken at once, in bytes.
        max: usize,
    },
    /// There is no memory for them now.
    #[error("too much is being received at once: retry shortly")]
    NoRoom,
}

/// The records of one request that were not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many there are.
    pub total: u64,
    /// The first of them: its number in the request, from 1, and why.
    pub first: Option<(u64, Reason)>,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.first {
            None => write!(f, "no log record was rejected"),
            Some((number, reason)) => {
                write!(f, "{} rejected; the first is log record {number}: {reason}", self.total)
            }
        }
    }
}
