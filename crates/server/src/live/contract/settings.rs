//! What is set, and by whom?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The configuration file; null if there is none.
    pub file: Option<String>,
    /// Every setting, in the order of their paths. Secrets are `***`.
    pub settings: Vec<Setting>,
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// From the top, like `http.listen`.
    pub path: String,
    /// Its value as it would be written.
    pub value: Value,
    /// Who chose it.
    pub origin: Origin,
    /// Where it stands in the file; null if it does not.
    pub line: Option<u64>,
    /// What it means, with its unit, bounds and default, from the schema; null if the path is not in it.
    pub description: Option<String>,
}

/// Who chose a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody: it is the default.
    Default,
    /// The configuration file.
    File,
    /// A variable of the environment.
    Env,
    /// A flag of the command.
    Flag,
}
