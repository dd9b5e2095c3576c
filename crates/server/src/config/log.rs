//! How much does the server say of itself, and to whom?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::read::{Fields, Leaf, Section, choice};

/// The server's own log, on stderr.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The least severe messages that are written. Default info.
    pub level: LogLevel,
    /// How a message is written. Default text.
    pub format: LogFormat,
}

/// How severe a message must be to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may soon need one.
    Warn,
    /// What happens seldom and is good to know.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for machines.
    Json,
}

impl LogLevel {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Leaf for LogLevel {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let levels = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        choice(text, &levels.map(|level| (level.as_str(), level))).map_err(Cow::Owned)
    }
}

impl Leaf for LogFormat {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        choice(text, &[("text", Self::Text), ("json", Self::Json)]).map_err(Cow::Owned)
    }
}

impl Section for LogConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { level, format } = self;
        fields.leaf("level", level);
        fields.leaf("format", format);
    }
}
