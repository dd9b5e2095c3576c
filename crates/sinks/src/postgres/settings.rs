//! What can be set about the PostgreSQL sink, and within which bounds?
//!
//! Every bound that is documented here is enforced by [`Settings::validate`], which
//! [`PostgresSink::start`](super::PostgresSink::start) calls: nothing is clamped.

use std::path::PathBuf;
use std::time::Duration;

use tidegate::SettingError;
use tidegate::error::within;

use super::server::Server;
use crate::mapping::Mapping;

/// Settings of a PostgreSQL sink.
///
/// ```
/// use tidegate_sinks::postgres::{Server, Settings};
///
/// let server = Server::parse("postgresql://tide@db.example/events?sslmode=require")?;
/// let settings = Settings::new(server, "postgres");
/// assert!(settings.validate().is_ok());
/// # Ok::<(), tidegate::SettingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server, the database and who connects.
    pub server: Server,
    /// The sink's name in the configuration, 1 to 255 bytes. It is part of the key of the sink's
    /// record of ranges: under another name the sink does not know what it has delivered.
    pub name: String,
    /// The schema that holds the sink's own tables, 1 to 63 bytes; the default is `public`.
    pub schema: String,
    /// Where the events go.
    pub table: Table,
    /// Whether missing tables (and the schema) of the sink's own are created; the default is yes.
    /// A table of the user's is never created or altered.
    pub create: bool,
    /// Most connections for batches, 1 to 64; the default is 8. Each attempt has one for itself.
    pub connections: u32,
    /// How long a connection may take to be made, 100 ms to 10 min; the default is 5 s.
    pub connect_timeout: Duration,
    /// How long the server works at one statement, 100 ms to 1 h; the default is 30 s.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock, 1 ms to 1 h; the default is 5 s.
    pub lock_timeout: Duration,
    /// What a commit waits for; the default is [`SynchronousCommit::On`].
    pub synchronous_commit: SynchronousCommit,
    /// Whether a server that runs with `fsync = off` is accepted; the default is no: what it has
    /// committed it may lose.
    pub allow_fsync_off: bool,
    /// Whether the server is asked for its load once a second, on a connection of its own; the
    /// default is yes.
    pub feedback: bool,
    /// The name by which the server's views show the connections, up to 63 bytes; the default is
    /// `tidegate`.
    pub application_name: String,
}

/// Where the events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    /// A table of the sink's own in its schema, as [`schema`](super::schema) documents it.
    Own {
        /// Its name, 1 to 48 bytes; `events` is usual.
        name: String,
    },
    /// A table of the user's.
    Mapped(Mapping),
}

/// What a commit waits for, from the most to the least. There is no `off`: a cursor moves on what
/// the server has made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynchronousCommit {
    /// Synchronous standbys, if there are any, show it.
    RemoteApply,
    /// It is on the server's disk, and on that of the synchronous standbys, if there are any.
    #[default]
    On,
    /// It is on the server's disk, and synchronous standbys have got it.
    RemoteWrite,
    /// It is on the server's disk.
    Local,
}

impl SynchronousCommit {
    /// The word for it in PostgreSQL.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RemoteApply => "remote_apply",
            Self::On => "on",
            Self::RemoteWrite => "remote_write",
            Self::Local => "local",
        }
    }
}

/// How the connection is encrypted, as `sslmode` says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// If the server can. Nothing is verified.
    #[default]
    Prefer,
    /// Always. Nothing is verified: it keeps listeners away, not impostors.
    Require,
    /// Always, and the server's certificate has to be of an authority in this PEM file and for
    /// the host's name.
    VerifyFull {
        /// The authorities' certificates.
        root_cert: PathBuf,
    },
}

impl Settings {
    /// The defaults, for this server and this name.
    pub fn new(server: Server, name: impl Into<String>) -> Self {
        Self {
            server,
            name: name.into(),
            schema: "public".to_owned(),
            table: Table::Own { name: "events".to_owned() },
            create: true,
            connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            synchronous_commit: SynchronousCommit::default(),
            allow_fsync_off: false,
            feedback: true,
            application_name: "tidegate".to_owned(),
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the field, its value and its bound.
    pub fn validate(&self) -> Result<(), SettingError> {
        const HOUR: Duration = Duration::from_secs(3600);
        if !(1..=255).contains(&self.name.len()) {
            return Err(SettingError::new("name", &self.name, "1 to 255 bytes long"));
        }
        text("schema", &self.schema, 1, 63)?;
        text("application_name", &self.application_name, 0, 63)?;
        match &self.table {
            // The view and the key are named after the table, with an ending.
            Table::Own { name } => text("table", name, 1, 48)?,
            Table::Mapped(mapping) => mapping.validate()?,
        }
        within("connections", self.connections, 1..=64)?;
        let least = Duration::from_millis(100);
        span("connect_timeout", self.connect_timeout, least, Duration::from_secs(600))?;
        span("statement_timeout", self.statement_timeout, least, HOUR)?;
        span("lock_timeout", self.lock_timeout, Duration::from_millis(1), HOUR)
    }
}

fn text(field: &'static str, value: &str, min: usize, max: usize) -> Result<(), SettingError> {
    if (min..=max).contains(&value.len()) && !value.contains('\0') {
        return Ok(());
    }
    Err(SettingError::new(field, value, format!("{min} to {max} bytes long, without NUL")))
}

fn span(
    field: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), SettingError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let bound = format!("between {min:?} and {max:?}");
    Err(SettingError::new(field, format!("{value:?}"), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Settings)) -> String {
        let server = Server::parse("postgresql://localhost/events").unwrap();
        let mut settings = Settings::new(server, "postgres");
        assert_eq!(settings.validate(), Ok(()));
        change(&mut settings);
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn each_bound_is_enforced_with_field_value_and_bound() {
        let cases = [
            (refusal(|s| s.name.clear()), "name is , but must be 1 to 255 bytes long"),
            (
                refusal(|s| s.schema = "s".repeat(64)),
                &format!(
                    "schema is {}, but must be 1 to 63 bytes long, without NUL",
                    "s".repeat(64)
                ),
            ),
            (
                refusal(|s| s.table = Table::Own { name: String::new() }),
                "table is , but must be 1 to 48 bytes long, without NUL",
            ),
            (refusal(|s| s.connections = 0), "connections is 0, but must be between 1 and 64"),
            (
                refusal(|s| s.connect_timeout = Duration::ZERO),
                "connect_timeout is 0ns, but must be between 100ms and 600s",
            ),
            (
                refusal(|s| s.statement_timeout = Duration::from_secs(3601)),
                "statement_timeout is 3601s, but must be between 100ms and 3600s",
            ),
            (
                refusal(|s| s.lock_timeout = Duration::ZERO),
                "lock_timeout is 0ns, but must be between 1ms and 3600s",
            ),
            (
                refusal(|s| s.application_name = "a\0".to_owned()),
                "application_name is a\0, but must be 0 to 63 bytes long, without NUL",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
    }
}
