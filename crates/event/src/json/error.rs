//! What was wrong with a request, where, and what can its sender do about it?
//!
//! Two levels, because they are answered differently: a [`BadLine`] is one event's trouble, and
//! the others may be taken without it; a [`ParseError`] is the whole request's.

use std::fmt;

use crate::rows::EncodeError;

/// How many bad lines a request's answer lists; the rest is only counted.
pub const LISTED_MAX: usize = 100;

/// Nothing of the request was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no event in it.
    #[error("the body holds no event: send at least one")]
    Empty,
    /// Some events are bad, and the sender did not ask to have the good ones taken without them.
    #[error("{rejected}; nothing was accepted: correct them, or ask for partial acceptance")]
    Refused {
        /// Which ones, and why.
        rejected: Rejected,
    },
    /// There are more events than one request may have.
    #[error("the body holds more than {max} events: send them in several requests")]
    TooMany {
        /// The most that are taken at once.
        max: u32,
    },
    /// A JSON document breaks, so that its elements cannot be told apart from there on.
    #[error("the body breaks at line {line}, column {column}{}: {reason}", InElement(*.element))]
    Malformed {
        /// Line of the body, from 1.
        line: u64,
        /// Byte of the line, from 1.
        column: u64,
        /// The array element it is in, from 1.
        element: Option<u64>,
        /// What is wrong.
        reason: Reason,
    },
    /// A default that would be repeated in every row is long.
    #[error("the default {field} has {bytes} bytes, and at most {max} are taken")]
    DefaultTooLong {
        /// Which default.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The most it may have.
        max: usize,
    },
}

struct InElement(Option<u64>);

impl fmt::Display for InElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |element| write!(f, ", in element {element}"))
    }
}

/// The events of one request that were not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// The first of them, at most [`LISTED_MAX`].
    pub first: Vec<BadLine>,
    /// How many there are.
    pub total: u64,
}

impl Rejected {
    pub(super) fn push(&mut self, line: BadLine) {
        self.total += 1;
        if self.first.len() < LISTED_MAX {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bad", self.total)?;
        self.first.first().map_or(Ok(()), |line| write!(f, ", the first at {line}"))
    }
}

/// One event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {reason}", AtColumn(*.column))]
pub struct BadLine {
    /// Which event.
    pub place: Place,
    /// Byte of the line from 1, or of the body's line where an array element is at fault; `None`
    /// when the trouble is the event as a whole.
    pub column: Option<u64>,
    /// What is wrong with it.
    pub reason: Reason,
}

struct AtColumn(Option<u64>);

impl fmt::Display for AtColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |column| write!(f, ", column {column}"))
    }
}

/// How an event is found in its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By the number of its line, from 1; blank lines count.
    Line(u64),
    /// By its number in the array, from 1.
    Element(u64),
}

impl Place {
    /// The number alone.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Line(number) | Self::Element(number) => number,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Element(number) => write!(f, "element {number}"),
        }
    }
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is not JSON.
    #[error("not valid JSON: {detail}")]
    Syntax {
        /// The parser's words, without the place.
        detail: String,
    },
    /// It is JSON, but not what its schema says.
    #[error("not as the schema says: {detail}")]
    Mistyped {
        /// What is wrong with it.
        detail: String,
    },
    /// It is the beginning of JSON.
    #[error("the JSON ends too early ({detail}): was it cut off?")]
    Truncated {
        /// The parser's words, without the place.
        detail: String,
    },
    /// It is JSON, but no object.
    #[error("expected an object, found {found}")]
    NotAnObject {
        /// What it is instead, with its article.
        found: &'static str,
    },
    /// It holds bytes that are not text.
    #[error("byte {offset} of the body (0x{byte:02x}) is not UTF-8: send UTF-8")]
    NotUtf8 {
        /// The first such byte's place in the body, from 0.
        offset: u64,
        /// The byte.
        byte: u8,
    },
    /// It is long.
    #[error("the event has {bytes} bytes, and at most {max} are taken: shorten it")]
    TooLong {
        /// Length of its text.
        bytes: usize,
        /// The most it may have.
        max: usize,
    },
    /// Its arrays and objects lie in each other too deep.
    #[error("nested more than {max} deep: flatten it")]
    TooDeep {
        /// The deepest that is taken; the event itself is 1 deep.
        max: u32,
    },
    /// A number in it does not fit PostgreSQL's `numeric`.
    #[error(
        "a number needs more than {} digits before or {} after its decimal point: send it as a string",
        super::check::WHOLE_DIGITS_MAX,
        super::check::FRACTION_DIGITS_MAX
    )]
    NumberTooLarge,
    /// A field of it does not fit a row.
    #[error("{0}: shorten it")]
    Field(#[from] EncodeError),
}
