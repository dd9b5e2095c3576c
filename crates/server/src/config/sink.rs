//! Where do events go?

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::breaker::BreakerConfig;
use super::check::Check;
use super::defaults;
use super::file_sink::FileConfig;
use super::http_sink::HttpSinkConfig;
use super::intake::IntakeConfig;
use super::lane::LaneConfig;
use super::postgres::PostgresConfig;
use super::read::{Fields, Leaf, Section, choice};
use super::schema;
use super::units::Span;

/// A sink: its type, what that type needs, and how its lanes batch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(transform = schema::tagged("sqlite"))]
pub struct SinkConfig {
    /// What the sink is, and what only sinks of that type have.
    #[serde(flatten)]
    pub kind: SinkKind,
    /// Which events it gets, and how many may wait for it.
    #[serde(flatten)]
    pub intake: IntakeConfig,
    /// When it counts as away.
    pub breaker: BreakerConfig,
    /// How its lanes batch.
    #[serde(flatten)]
    pub lane: LaneConfig,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SinkKind {
    /// An SQLite database on this machine, exactly once.
    Sqlite(SqliteConfig),
    /// A PostgreSQL database, exactly once.
    Postgres(Box<PostgresConfig>),
    /// An HTTP API, at least once.
    Http(Box<HttpSinkConfig>),
    /// A file of lines of JSON on this machine, at least once.
    File(FileConfig),
    /// Standard output, as lines of JSON, at least once.
    Stdout {},
    /// Nowhere: every event is taken and forgotten. For measurements.
    Blackhole {},
}

/// Settings of a sink of the type `sqlite`, the default type.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct SqliteConfig {
    /// The database file, relative to where the server is started; no two sinks may share one.
    /// Default null: `events.db` in `data_dir`.
    pub path: Option<PathBuf>,
    /// How long to wait for another process that has locked the database, up to 10 m. Default 5 s.
    pub busy_timeout: Span,
    /// Which events are deleted from the database. Default none.
    pub retention: Retention,
}

/// Which events are deleted, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Retention {
    /// Those older than this, 1 s to 36500 d. Default null: however old.
    pub max_age: Option<Span>,
    /// Those beyond this number, 1 to 10¹⁵. Default null: however many.
    #[schemars(range(min = 1, max = defaults::ROWS_MAX))]
    pub max_rows: Option<u64>,
}

impl Default for SinkKind {
    fn default() -> Self {
        Self::Sqlite(SqliteConfig::default())
    }
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: None,
            busy_timeout: defaults::BUSY_TIMEOUT.default,
            retention: Retention::default(),
        }
    }
}

impl SqliteConfig {
    /// The database file, when the server's data lives in `data_dir`.
    #[must_use]
    pub fn file(&self, data_dir: &Path) -> PathBuf {
        self.path.clone().unwrap_or_else(|| data_dir.join(defaults::SQLITE_FILE))
    }
}

impl SinkKind {
    /// Attempts in flight that the backend takes at most: SQLite has one writer, PostgreSQL as many
    /// as connections are allowed. It is what [`Limits`](tidegate_sinks::Limits) says of the sink
    /// once there is one.
    #[must_use]
    pub fn concurrency_max(&self) -> Option<f64> {
        match self {
            Self::Sqlite(_) | Self::File(_) | Self::Stdout {} => Some(1.0),
            Self::Postgres(postgres) => Some(f64::from(postgres.connections)),
            Self::Http(_) | Self::Blackhole {} => None,
        }
    }

    pub(super) fn check(&self, path: &str, check: &mut Check) {
        match self {
            Self::Postgres(postgres) => postgres.check(path, check),
            Self::Http(http) => http.check(path, check),
            Self::File(file) => file.check(path, check),
            Self::Sqlite(_) | Self::Stdout {} | Self::Blackhole {} => {}
        }
        let Self::Sqlite(SqliteConfig { path: file, busy_timeout, retention }) = self else {
            return;
        };
        if file.as_deref().is_some_and(|file| file.as_os_str().is_empty() || file == ":memory:") {
            let bound = "a file on disk: events are to outlive this process";
            check.invalid(&format!("{path}.path"), "no file", bound);
        }
        let busy_path = format!("{path}.busy_timeout");
        check.within(&busy_path, *busy_timeout, defaults::BUSY_TIMEOUT);
        if let Some(age) = retention.max_age
            && !(defaults::AGE_MIN..=defaults::AGE_MAX).contains(&age)
        {
            let bound = format!("between {} and {}", defaults::AGE_MIN, defaults::AGE_MAX);
            check.invalid(&format!("{path}.retention.max_age"), age, bound);
        }
        if let Some(rows) = retention.max_rows
            && !(1..=defaults::ROWS_MAX).contains(&rows)
        {
            let bound = format!("between 1 and {}", defaults::ROWS_MAX);
            check.invalid(&format!("{path}.retention.max_rows"), rows, bound);
        }
    }
}

/// What stands under `type`.
#[derive(Clone, Copy)]
enum Type {
    Sqlite,
    Postgres,
    Http,
    File,
    Stdout,
    Blackhole,
}

impl Leaf for Type {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let types = [
            ("sqlite", Self::Sqlite),
            ("postgres", Self::Postgres),
            ("http", Self::Http),
            ("file", Self::File),
            ("stdout", Self::Stdout),
            ("blackhole", Self::Blackhole),
        ];
        choice(text, &types).map_err(Cow::Owned)
    }
}

impl Section for SinkConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { kind, intake, breaker, lane } = self;
        let mut name = Type::Sqlite;
        fields.leaf("type", &mut name);
        match (name, kind) {
            (Type::Sqlite, SinkKind::Sqlite(sqlite)) => {
                let SqliteConfig { path, busy_timeout, retention } = sqlite;
                fields.optional("path", path);
                fields.leaf("busy_timeout", busy_timeout);
                fields.section("retention", retention);
            }
            (Type::Sqlite, kind) => *kind = SinkKind::default(),
            (Type::Postgres, kind) => {
                let mut postgres = PostgresConfig::default();
                postgres.fields(fields);
                *kind = SinkKind::Postgres(Box::new(postgres));
                lane.concurrency = defaults::POSTGRES_CONCURRENCY;
            }
            (Type::Http, kind) => {
                let mut http = HttpSinkConfig::default();
                http.fields(fields);
                *kind = SinkKind::Http(Box::new(http));
                // Requests overlap well; what a backend takes at most is found from there.
                lane.concurrency = defaults::HTTP_CONCURRENCY;
            }
            (Type::File, kind) => {
                let mut file = FileConfig::default();
                file.fields(fields);
                *kind = SinkKind::File(file);
            }
            (Type::Stdout, kind) => *kind = SinkKind::Stdout {},
            (Type::Blackhole, kind) => *kind = SinkKind::Blackhole {},
        }
        intake.fields(fields);
        fields.section("breaker", breaker);
        lane.fields(fields);
    }
}

impl Section for Retention {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { max_age, max_rows } = self;
        fields.optional("max_age", max_age);
        fields.optional("max_rows", max_rows);
    }
}
