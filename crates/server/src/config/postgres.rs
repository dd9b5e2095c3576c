//! How is a PostgreSQL database reached, and which table takes the events?

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::SettingError;
use tidegate_sinks::mapping::{Column, Conflict, ConflictAction, Mapping};
use tidegate_sinks::postgres::{self, Server, Settings, Table, TlsMode};

use super::check::Check;
use super::error::shown;
use super::read::{Fields, Leaf, Section, choice};
use super::secret::Secret;
use super::units::Span;

/// Settings of a sink of the type `postgres`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct PostgresConfig {
    /// `postgresql://user:password@host:5432/database?sslmode=require`, with special characters
    /// of the password as %XX; or its parts below, not both. Default empty.
    pub url: Secret,
    /// The host, or the directory of its socket. Default null: localhost.
    pub host: Option<String>,
    /// The port. Default null: 5432.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u32>,
    /// Who connects. Default null: tidegate.
    pub user: Option<String>,
    /// The user's password. Default empty.
    pub password: Secret,
    /// The database. Default null: that of the user's name.
    pub database: Option<String>,
    /// How the connection is encrypted. Default null: what the URL says, else prefer.
    pub sslmode: Option<SslMode>,
    /// A PEM file of the authorities that `verify_full` trusts. Default null.
    pub root_cert: Option<PathBuf>,
    /// The schema of the sink's own tables, 1 to 63 bytes. Default public.
    pub schema: String,
    /// The table that takes the events, 1 to 48 bytes; with `columns` the name of yours, quoted
    /// where it has to be, after its schema and a dot if need be. Default events.
    pub table: String,
    /// Whether what is missing of the sink's own tables is created. Default true.
    pub create: bool,
    /// Which columns of a table of your own take which field: time, timestamp, observed,
    /// `severity_number`, `severity_text`, service, class, body, attributes, `attributes.<name>`,
    /// `trace_id`, `span_id`, journal, position. Default none: the table is the sink's own.
    pub columns: BTreeMap<String, Name>,
    /// The columns of a unique key of your own table: rows that are there are no error then.
    /// Default none.
    pub key: Vec<Name>,
    /// What happens to a row whose key is there. Default update.
    pub on_conflict: OnConflict,
    /// Most connections for batches, 1 to 64. Default 8.
    #[schemars(range(min = 1, max = 64))]
    pub connections: u32,
    /// How long a connection may take to be made, 100 ms to 10 m. Default 5 s.
    pub connect_timeout: Span,
    /// How long the server works at one statement, 100 ms to 1 h. Default 30 s.
    pub statement_timeout: Span,
    /// How long a statement waits for a lock, 1 ms to 1 h. Default 5 s.
    pub lock_timeout: Span,
    /// What a commit waits for. Default on.
    pub synchronous_commit: SynchronousCommit,
    /// Whether a server that may lose what it has committed is accepted. Default false.
    pub allow_fsync_off: bool,
    /// Whether the server is asked for its load once a second. Default true.
    pub feedback: bool,
    /// The name of the connections in the server's views, up to 63 bytes. Default tidegate.
    pub application_name: String,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// If the server can; nothing is verified.
    Prefer,
    /// Always; nothing is verified.
    Require,
    /// Always, and certificate and name are verified.
    VerifyFull,
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynchronousCommit {
    /// Synchronous standbys, if there are any, show it.
    RemoteApply,
    /// It is on the disks of server and synchronous standbys.
    On,
    /// It is on the server's disk, and synchronous standbys have got it.
    RemoteWrite,
    /// It is on the server's disk.
    Local,
}

/// What happens to a row whose key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The new row takes its place.
    Update,
    /// The old row stays.
    Nothing,
}

/// The name of a field or of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Name(pub String);

impl Default for PostgresConfig {
    fn default() -> Self {
        let sink = Settings::new(Server::new("localhost", 5432, "tidegate", "tidegate"), "");
        Self {
            url: Secret::default(),
            host: None,
            port: None,
            user: None,
            password: Secret::default(),
            database: None,
            sslmode: None,
            root_cert: None,
            schema: sink.schema,
            table: "events".to_owned(),
            create: sink.create,
            columns: BTreeMap::new(),
            key: Vec::new(),
            on_conflict: OnConflict::Update,
            connections: sink.connections,
            connect_timeout: sink.connect_timeout.into(),
            statement_timeout: sink.statement_timeout.into(),
            lock_timeout: sink.lock_timeout.into(),
            synchronous_commit: SynchronousCommit::On,
            allow_fsync_off: sink.allow_fsync_off,
            feedback: sink.feedback,
            application_name: sink.application_name,
        }
    }
}

impl PostgresConfig {
    /// The settings of the sink of this name.
    ///
    /// # Errors
    ///
    /// [`SettingError`] with the first field that is refused, its value and its bound.
    pub fn settings(&self, name: &str) -> Result<Settings, SettingError> {
        let settings = Settings {
            schema: self.schema.clone(),
            table: self.table()?,
            create: self.create,
            connections: self.connections,
            connect_timeout: self.connect_timeout.duration(),
            statement_timeout: self.statement_timeout.duration(),
            lock_timeout: self.lock_timeout.duration(),
            synchronous_commit: match self.synchronous_commit {
                SynchronousCommit::RemoteApply => postgres::SynchronousCommit::RemoteApply,
                SynchronousCommit::On => postgres::SynchronousCommit::On,
                SynchronousCommit::RemoteWrite => postgres::SynchronousCommit::RemoteWrite,
                SynchronousCommit::Local => postgres::SynchronousCommit::Local,
            },
            allow_fsync_off: self.allow_fsync_off,
            feedback: self.feedback,
            application_name: self.application_name.clone(),
            ..Settings::new(self.server()?, name)
        };
        settings.validate()?;
        Ok(settings)
    }

    fn server(&self) -> Result<Server, SettingError> {
        let Self { host, port, user, password, database, .. } = self;
        let server = if self.url.is_empty() {
            let user = user.as_deref().unwrap_or("tidegate");
            let port = port.unwrap_or(5432);
            let port = u16::try_from(port).ok().filter(|port| *port > 0);
            let port = port.ok_or_else(|| {
                SettingError::new("port", self.port.unwrap_or(0), "between 1 and 65535")
            })?;
            let database = database.as_deref().unwrap_or(user);
            let server = Server::new(host.as_deref().unwrap_or("localhost"), port, user, database);
            if password.is_empty() { server } else { server.with_password(password.expose()) }
        } else {
            let parts = [host.is_some(), port.is_some(), user.is_some(), database.is_some()];
            if parts.contains(&true) || !password.is_empty() {
                let bound = "alone: give the parts in it, or no url";
                return Err(SettingError::new("url", "beside its parts", bound));
            }
            Server::parse(self.url.expose())?
        };
        let needs_root = || {
            let bound = "a PEM file of authorities, which sslmode verify_full needs";
            SettingError::new("root_cert", "null", bound)
        };
        Ok(match self.sslmode {
            None => server,
            Some(SslMode::Disable) => server.with_tls(TlsMode::Disable),
            Some(SslMode::Prefer) => server.with_tls(TlsMode::Prefer),
            Some(SslMode::Require) => server.with_tls(TlsMode::Require),
            Some(SslMode::VerifyFull) => {
                let root_cert = self.root_cert.clone().ok_or_else(needs_root)?;
                server.with_tls(TlsMode::VerifyFull { root_cert })
            }
        })
    }

    fn table(&self) -> Result<Table, SettingError> {
        if self.columns.is_empty() {
            if !self.key.is_empty() {
                let bound = "empty without `columns`";
                return Err(SettingError::new("key", "not empty", bound));
            }
            return Ok(Table::Own { name: self.table.clone() });
        }
        let column = |(name, field): (&String, &Name)| {
            Column::new(name, &field.0).map_err(|error| {
                SettingError::new("columns", shown(&field.0), format!("fields: {error}"))
            })
        };
        let columns = self.columns.iter().map(column).collect::<Result<_, _>>()?;
        let action = match self.on_conflict {
            OnConflict::Update => ConflictAction::Update,
            OnConflict::Nothing => ConflictAction::Nothing,
        };
        let key: Vec<String> = self.key.iter().map(|name| name.0.clone()).collect();
        let conflict = (!key.is_empty()).then_some(Conflict { key, action });
        Ok(Table::Mapped(Mapping { table: self.table.clone(), columns, conflict }))
    }

    pub(super) fn check(&self, path: &str, check: &mut Check) {
        let Err(SettingError { field, value, bound }) = self.settings("sink") else { return };
        let field = match field {
            "mapping.table" => "table",
            "mapping.columns" => "columns",
            "mapping.conflict.key" => "key",
            other => other,
        };
        check.invalid(&format!("{path}.{field}"), value, bound);
    }
}

impl Section for PostgresConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            url,
            host,
            port,
            user,
            password,
            database,
            sslmode,
            root_cert,
            schema,
            table,
            create,
            columns,
            key,
            on_conflict,
            connections,
            connect_timeout,
            statement_timeout,
            lock_timeout,
            synchronous_commit,
            allow_fsync_off,
            feedback,
            application_name,
        } = self;
        fields.leaf("url", url);
        fields.optional("host", host);
        fields.optional("port", port);
        fields.optional("user", user);
        fields.leaf("password", password);
        fields.optional("database", database);
        fields.optional("sslmode", sslmode);
        fields.optional("root_cert", root_cert);
        fields.leaf("schema", schema);
        fields.leaf("table", table);
        fields.leaf("create", create);
        fields.named("columns", columns);
        fields.list("key", key);
        fields.leaf("on_conflict", on_conflict);
        fields.leaf("connections", connections);
        fields.leaf("connect_timeout", connect_timeout);
        fields.leaf("statement_timeout", statement_timeout);
        fields.leaf("lock_timeout", lock_timeout);
        fields.leaf("synchronous_commit", synchronous_commit);
        fields.leaf("allow_fsync_off", allow_fsync_off);
        fields.leaf("feedback", feedback);
        fields.leaf("application_name", application_name);
    }
}

impl Section for Name {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        fields.leaf("name", &mut self.0);
    }

    fn word(&mut self, word: &str) -> Result<&'static str, Cow<'static, str>> {
        word.clone_into(&mut self.0);
        Ok("name")
    }
}

impl Leaf for SslMode {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let known = [
            ("disable", Self::Disable),
            ("prefer", Self::Prefer),
            ("require", Self::Require),
            ("verify_full", Self::VerifyFull),
        ];
        choice(text, &known).map_err(Cow::Owned)
    }
}

impl Leaf for SynchronousCommit {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let known = [
            ("on", Self::On),
            ("remote_apply", Self::RemoteApply),
            ("remote_write", Self::RemoteWrite),
            ("local", Self::Local),
        ];
        choice(text, &known).map_err(Cow::Owned)
    }
}

impl Leaf for OnConflict {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        choice(text, &[("update", Self::Update), ("nothing", Self::Nothing)]).map_err(Cow::Owned)
    }
}
