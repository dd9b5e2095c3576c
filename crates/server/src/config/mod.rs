//! What is the server told, and what does it do when it is told nothing?
//!
//! A configuration is data: a YAML file of which every part may be left out, variables of the
//! environment in its values, and a few flags above it. Nothing is guessed and nothing is clamped:
//! an unknown field, a value out of its bounds or two settings at odds are refused, all of them
//! together, each with what it must be.
//!
//! [`example.yaml`](https://github.com/tidegate/tidegate/blob/main/crates/server/src/config/example.yaml)
//! shows every setting with its default.
//!
//! | to … | see |
//! |---|---|
//! | load one | [`Config::load`], [`Source`], [`Overrides`] |
//! | see what is in force, and who chose it | [`Loaded::effective`] |
//! | configure the library | [`LaneConfig`], [`Config::lanes`] |
//! | offer completion in an editor | [`schema()`] |

mod breaker;
mod check;
mod class;
mod controller;
mod dashboard;
mod dead_letters;
mod defaults;
mod env;
mod error;
mod file_sink;
mod guards;
mod hill;
mod http;
mod http_sink;
mod idempotency;
mod intake;
mod joint;
mod journal;
mod lane;
mod load;
mod load_score;
mod log;
mod origin;
mod otlp;
mod postgres;
mod read;
mod recording;
mod retry;
mod route;
mod schema;
mod secret;
mod sink;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod validate;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

pub use breaker::BreakerConfig;
pub use class::{ClassBatchSize, ClassConfig};
pub use controller::{AimdConfig, ControllerConfig};
pub use dashboard::DashboardConfig;
pub use dead_letters::{DeadLettersConfig, LetterKind, ReprocessConfig};
pub use env::Lookup;
pub use error::{ConfigError, Place, Problem, ProblemKind};
pub use file_sink::{FileConfig, Rotation};
pub use guards::GuardsConfig;
pub use http::HttpConfig;
pub use http_sink::{
    Address, Answers, Compression, Format, Header, HttpSinkConfig, Method, StatusMeaning,
};
pub use idempotency::IdempotencyConfig;
pub use intake::{IntakeConfig, OnFull};
pub use journal::{Durability, JournalConfig};
pub use lane::{BatchSize, LaneConfig};
pub use load::{Loaded, Overrides, Source};
pub use load_score::{CustomMetric, LoadScoreConfig};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use origin::{EffectiveSetting, Origin, Origins};
pub use otlp::{OtlpConfig, OtlpListen};
pub use postgres::{OnConflict, PostgresConfig, SslMode, SynchronousCommit};
pub use recording::RecordingConfig;
pub use retry::{ClassRetry, RetryConfig, Treatment};
pub use route::{RenameConfig, StepConfig, TestConfig, WhenConfig};
pub use schema::schema;
pub use secret::Secret;
pub use sink::{Retention, SinkConfig, SinkKind, SqliteConfig};
pub use tls::TlsConfig;
pub use units::{ByteSize, Share, Span, UnitError};

use check::Check;
use read::{Fields, Section};

/// Everything the server is told.
///
/// ```
/// use tidegate_server::config::Config;
///
/// let config = Config::default();
/// assert!(config.http.is_loopback());
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Config {
    /// Where the journal and the default database live; created if it is missing. Default
    /// ./tidegate-data.
    pub data_dir: PathBuf,
    /// The one listener: events, health, metrics and the API.
    pub http: HttpConfig,
    /// Where logs of OpenTelemetry come in.
    pub otlp: OtlpConfig,
    /// The durable log of accepted events.
    pub journal: JournalConfig,
    /// The declared classes by name, at most 16: each gets a lane of its own in every sink. Names
    /// have 1 to 64 of the characters a-z, 0-9, `_` and `-`; `default` is reserved. Default none.
    #[schemars(extend(
        "propertyNames" = { "pattern": "^[a-z0-9_-]{1,64}$", "not": { "const": "default" } },
        "maxProperties" = 16,
    ))]
    pub classes: BTreeMap<String, ClassConfig>,
    /// The sinks by name, 1 to 16; names as those of classes. Default one, `sqlite`, of the type
    /// sqlite.
    #[schemars(extend(
        "propertyNames" = { "pattern": "^[a-z0-9_-]{1,64}$" },
        "minProperties" = 1,
        "maxProperties" = 16,
    ))]
    pub sinks: BTreeMap<String, SinkConfig>,
    /// The items that were given up.
    pub dead_letters: DeadLettersConfig,
    /// The pages, and what they show.
    pub dashboard: DashboardConfig,
    /// How long to wait for batches in flight when the server ends, up to 1 h. Default 30 s.
    pub drain_timeout: Span,
    /// Whether arrivals are recorded, for the simulator.
    pub recording: RecordingConfig,
    /// The server's own log, on stderr.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(defaults::DATA_DIR),
            http: HttpConfig::default(),
            otlp: OtlpConfig::default(),
            journal: JournalConfig::default(),
            classes: BTreeMap::new(),
            sinks: BTreeMap::from([(defaults::SINK.to_owned(), SinkConfig::default())]),
            dead_letters: DeadLettersConfig::default(),
            dashboard: DashboardConfig::default(),
            drain_timeout: defaults::DRAIN_TIMEOUT.default,
            recording: RecordingConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// Checks every setting against its bounds and against the others. What [`load`](Self::load)
    /// returns is checked already.
    ///
    /// # Errors
    ///
    /// All problems, if there are any.
    pub fn validate(&self) -> Result<(), Vec<Problem>> {
        let mut check = Check::default();
        validate::check(self, &mut check);
        if check.problems.is_empty() { Ok(()) } else { Err(check.problems) }
    }

    /// The lanes of a sink by name: `default`, then one for each declared class. Every sink has
    /// the same ones.
    pub fn lanes<'c>(
        &'c self,
        sink: &'c SinkConfig,
    ) -> impl Iterator<Item = (&'c str, LaneConfig)> {
        let classes = self.classes.iter();
        let declared = classes.map(|(name, class)| (name.as_str(), sink.lane.with(class)));
        std::iter::once((defaults::LANE, sink.lane.clone())).chain(declared)
    }
}

impl Section for Config {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            data_dir,
            http,
            otlp,
            journal,
            classes,
            sinks,
            dead_letters,
            dashboard,
            drain_timeout,
            recording,
            log,
        } = self;
        fields.leaf("data_dir", data_dir);
        fields.section("http", http);
        fields.section("otlp", otlp);
        fields.section("journal", journal);
        fields.named("classes", classes);
        fields.named("sinks", sinks);
        fields.section("dead_letters", dead_letters);
        fields.section("dashboard", dashboard);
        fields.leaf("drain_timeout", drain_timeout);
        fields.section("recording", recording);
        fields.section("log", log);
    }
}
