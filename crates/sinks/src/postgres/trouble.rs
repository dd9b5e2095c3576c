//! What went wrong with an attempt, and what does that mean for whoever sent it?
//!
//! | PostgreSQL says | outcome | then |
//! |---|---|---|
//! | lock or statement timeout, deadlock, serialization, too many connections, out of memory | overloaded | try again |
//! | a value out of range or of the wrong form, a constraint, too large | rejected | the data is at fault; which item, if it says so |
//! | nothing, for longer than all timeouts together | timed out | try again, on a new connection |
//! | all else: connection lost, shut down, rights, tables, a full disk, a standby | unreachable | try again, on a new connection |
//!
//! What is wrong with the database is never the data's fault: it stays in the journal until
//! somebody has mended it. Fenced and recut attempts are *unreachable* too, so that a lane that
//! reads only the outcome keeps its items; the failure says what to do. No message holds a password:
//! the server is named by user, host, port and database.

use std::ops::Range;
use std::time::Duration;

use tidegate::Outcome;
use tidegate_event::{JournalId, Position};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::contract::{DeliveryFailure, OpenError};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// PostgreSQL said no, or nothing any more.
    Postgres(Error),
    /// The batch cannot be stored, ever: why, and which item.
    Data(String, Option<Position>),
    /// Another opening of the journal has taken over.
    Fenced { journal: JournalId, theirs: u64, ours: u64 },
    /// Part of the range is committed.
    Recut(Range<Position>),
    /// The database cannot be used as it is: why, and what to do.
    Unusable(String),
    /// No answer for this long.
    Silent(Duration),
    /// No journal has been opened yet.
    NotOpened,
    /// The sink is closed.
    Closed,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl Trouble {
    /// Whether the connection is not to be trusted after this.
    pub(super) fn needs_reconnecting(&self) -> bool {
        match self {
            Self::Postgres(error) => match kind(error) {
                Kind::Busy | Kind::Data => error.is_closed(),
                Kind::Gone => true,
            },
            Self::Unusable(_) | Self::Silent(_) => true,
            Self::Data(..) | Self::Fenced { .. } | Self::Recut(_) => false,
            Self::NotOpened | Self::Closed => false,
        }
    }

    /// Whether the backend failed, rather than the data or the caller.
    pub(super) fn is_of_the_backend(&self) -> bool {
        match self {
            Self::Postgres(error) => kind(error) != Kind::Data,
            Self::Unusable(_) | Self::Silent(_) => true,
            Self::Data(..) | Self::Fenced { .. } | Self::Recut(_) => false,
            Self::NotOpened | Self::Closed => false,
        }
    }

    /// Whether it is a server that is away or overloaded, rather than one that must be set up
    /// otherwise.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Postgres(error) => match error.code().map(|state| state.code().get(..2)) {
                // It was not reached, or the connection ended.
                None => error.as_db_error().is_none(),
                // Connection exceptions; too few resources; being shut down or started.
                Some(class) => matches!(class, Some("08" | "53" | "57")),
            },
            _ => false,
        }
    }

    /// What the sink answers; `server` names the server, `rows` gives the position of a line of
    /// a COPY.
    pub(super) fn answer(self, server: &str) -> (Outcome, DeliveryFailure) {
        let retry = DeliveryFailure::Retry;
        match self {
            Self::Data(why, at) => (Outcome::Rejected, DeliveryFailure::Refused { why, at }),
            Self::Fenced { journal, theirs, ours } => {
                (Outcome::Unreachable, DeliveryFailure::Fenced { journal, theirs, ours })
            }
            Self::Recut(part) => (Outcome::Unreachable, DeliveryFailure::Recut(part)),
            Self::Unusable(why) => (Outcome::Unreachable, retry(format!("{server}: {why}"))),
            Self::Silent(time) => {
                let why = format!(
                    "{server}: no answer within {time:?}; the connection is given up. Look at the \
                     network and at the server's load"
                );
                (Outcome::TimedOut, retry(why))
            }
            Self::NotOpened => {
                let why = "no journal has been opened at this sink".to_owned();
                (Outcome::Unreachable, retry(why))
            }
            Self::Closed => {
                (Outcome::Unreachable, retry(format!("the sink of {server} is closed")))
            }
            Self::Postgres(error) => {
                let said = said(&error);
                match kind(&error) {
                    Kind::Data => {
                        (Outcome::Rejected, DeliveryFailure::Refused { why: said, at: None })
                    }
                    Kind::Busy => (Outcome::Overloaded, retry(told(server, &said, &error))),
                    Kind::Gone => (Outcome::Unreachable, retry(told(server, &said, &error))),
                }
            }
        }
    }

    /// What `open` answers: the same, in the words of [`OpenError`].
    pub(super) fn open_error(self, server: &str) -> OpenError {
        match self {
            Self::Fenced { journal, theirs, ours } => OpenError::Copied { journal, theirs, ours },
            Self::Unusable(why) => backend(server, why),
            Self::Postgres(error) => {
                let advice = advice(&error);
                backend(server, format!("{}. {advice}", said(&error)))
            }
            other => backend(server, other.answer(server).1.to_string()),
        }
    }
}

/// The error of a database that cannot be used.
pub(super) fn backend(server: &str, why: impl Into<String>) -> OpenError {
    OpenError::Backend { what: format!("cannot use {server}"), why: why.into() }
}

fn told(server: &str, said: &str, error: &Error) -> String {
    format!("{server}: {said}. {}", advice(error))
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The data's.
    Data,
    /// The server has too much to do.
    Busy,
    /// The connection or the database is not what it was.
    Gone,
}

fn kind(error: &Error) -> Kind {
    let Some(state) = error.code() else { return Kind::Gone };
    if *state == SqlState::LOCK_NOT_AVAILABLE
        || *state == SqlState::QUERY_CANCELED
        || *state == SqlState::T_R_SERIALIZATION_FAILURE
        || *state == SqlState::T_R_DEADLOCK_DETECTED
        || *state == SqlState::TOO_MANY_CONNECTIONS
        || *state == SqlState::OUT_OF_MEMORY
        || *state == SqlState::CONFIGURATION_LIMIT_EXCEEDED
    {
        return Kind::Busy;
    }
    match state.code().get(..2) {
        // Data exception; integrity; cardinality; program limits (a row that is too large).
        Some("22" | "23" | "21" | "54") => Kind::Data,
        _ => Kind::Gone,
    }
}

/// Whether a unique key refused it, and which.
pub(super) fn taken_key(error: &Error) -> Option<&str> {
    let error = error.as_db_error()?;
    (*error.code() == SqlState::UNIQUE_VIOLATION).then(|| error.constraint()).flatten()
}

/// The line of a COPY that the server speaks of, from 1: the first number behind the table's name
/// in the error's context. The word before it depends on the server's language.
pub(super) fn copy_line(error: &Error, table: &str) -> Option<usize> {
    let context = error.as_db_error()?.where_()?;
    let rest = context.split_once(table)?.1;
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

/// Whether the error speaks of the data.
pub(super) fn is_of_the_data(error: &Error) -> bool {
    kind(error) == Kind::Data
}

/// What was said, in one line.
pub(super) fn said(error: &Error) -> String {
    let Some(db) = error.as_db_error() else {
        let mut said = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let inner_said = inner.to_string();
            if !said.contains(&inner_said) {
                said = format!("{said}: {inner_said}");
            }
            cause = inner.source();
        }
        return said;
    };
    let mut said = format!("{} ({})", db.message(), db.code().code());
    let column = db.column().map(ToOwned::to_owned).or_else(|| copied_column(db));
    if let Some(column) = column {
        said.push_str(&format!(", column `{column}`"));
    }
    if let Some(detail) = db.detail() {
        // A detail may quote a whole row.
        let cut: String = detail.chars().take(300).collect();
        said.push_str(&format!(": {cut}"));
    }
    said
}

/// The column of a COPY that the context names, which is its last word.
fn copied_column(error: &DbError) -> Option<String> {
    let context = error.where_()?;
    if !context.starts_with("COPY ") {
        return None;
    }
    let (_, after) = context.lines().next()?.rsplit_once(", ")?;
    let (word, rest) = after.split_once(' ')?;
    let name = rest.split(':').next()?;
    (!word.is_empty() && name.parse::<u64>().is_err()).then(|| name.to_owned())
}

/// What somebody can do about it.
fn advice(error: &Error) -> &'static str {
    const KEPT: &str = "Nothing is lost: the journal keeps the events until this is mended";
    let Some(state) = error.code() else {
        return "Check that the server runs and accepts connections at this address; the sink \
                connects again by itself";
    };
    match state.code() {
        "55P03" => {
            "Another transaction held a lock for longer than lock_timeout: find it in \
                    pg_stat_activity, or raise lock_timeout"
        }
        "57014" => "It took longer than statement_timeout, or somebody cancelled it",
        "40001" | "40P01" => "It is tried again",
        "53300" => "Raise max_connections of the server, or lower `connections` of the sink",
        "53200" => "The server is short of memory",
        "53100" => "Free space on the server's disk",
        "28P01" | "28000" => "Check user and password, and the server's pg_hba.conf",
        "3D000" => "Create the database, or name another one",
        "3F000" => "Create the schema, let the sink create it, or name another one",
        "42501" => "Grant this user the right, or have its tables made by an administrator",
        "42P01" | "42703" => "Its tables were dropped or altered: they are looked at again",
        "25006" => "This server is a standby or read-only: name the primary",
        "57P01" | "57P02" | "57P03" => {
            "The server is going down or coming up; the sink connects \
                                        again by itself"
        }
        _ => KEPT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_postgresql_names_the_server_and_says_what_to_do() {
        for (trouble, outcome, words) in [
            (Trouble::Closed, Outcome::Unreachable, "the sink of u@h:1/d is closed"),
            (Trouble::NotOpened, Outcome::Unreachable, "no journal has been opened"),
            (
                Trouble::Silent(Duration::from_secs(9)),
                Outcome::TimedOut,
                "u@h:1/d: no answer within 9s",
            ),
            (Trouble::Unusable("broken".into()), Outcome::Unreachable, "u@h:1/d: broken"),
            (Trouble::Data("bad".into(), Some(7)), Outcome::Rejected, "the data was refused: bad"),
        ] {
            let (said, failure) = trouble.answer("u@h:1/d");
            assert_eq!(said, outcome);
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }
}
