//! Which scenarios does everyone quote? The canonical set, as the files that ship with the crate.

use super::{Scenario, ScenarioError};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../scenarios/", $name, ".yaml")))),*]
    };
}

/// Saturated scenarios: name and YAML.
pub const SATURATED: [(&str, &str); 9] =
    files!["pgA", "pgB", "pgC", "http_rl", "http", "fsync", "creep", "step", "outage"];

/// Scenarios of arrivals on pgA: name and YAML.
pub const ARRIVALS: [(&str, &str); 6] = files![
    "arrivals_half",
    "arrivals_full",
    "arrivals_sine",
    "arrivals_spikes",
    "arrivals_ramp",
    "arrivals_burst",
];

/// Scenarios of many instances on pgA that share it, with and without hearing of its queue: name
/// and YAML.
pub const SHARERS: [(&str, &str); 4] =
    files!["sharers_4", "sharers_16", "sharers_64", "sharers_4_silent"];

/// Scenarios fitted to what real backends did: name and YAML.
pub const MEASURED: [(&str, &str); 5] = [
    ("pg_copy", include_str!("../../scenarios/measured/pg_copy.yaml")),
    ("pg_copy_far", include_str!("../../scenarios/measured/pg_copy_far.yaml")),
    ("pg_copy_neighbour", include_str!("../../scenarios/measured/pg_copy_neighbour.yaml")),
    ("sqlite_full", include_str!("../../scenarios/measured/sqlite_full.yaml")),
    ("http_standin", include_str!("../../scenarios/measured/http_standin.yaml")),
];

/// Scenarios whose source is slow, or silent for a minute: name and YAML.
pub const SOURCE: [(&str, &str); 2] = files!["source_slow", "source_idle"];

/// Scenarios of several classes on one sink: name and YAML.
pub const CLASSES: [(&str, &str); 1] = files!["classes"];

/// The scenarios of slow sources.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn source() -> Result<Vec<Scenario>, ScenarioError> {
    SOURCE.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The scenarios of classes.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn classes() -> Result<Vec<Scenario>, ScenarioError> {
    CLASSES.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The scenarios as measured.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn measured() -> Result<Vec<Scenario>, ScenarioError> {
    MEASURED.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The scenarios of sharers.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn sharers() -> Result<Vec<Scenario>, ScenarioError> {
    SHARERS.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The saturated scenarios.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn saturated() -> Result<Vec<Scenario>, ScenarioError> {
    SATURATED.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The scenarios of arrivals.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn arrivals() -> Result<Vec<Scenario>, ScenarioError> {
    ARRIVALS.iter().map(|(_, text)| Scenario::from_yaml(text)).collect()
}

/// The canonical scenario of that name, if there is one.
///
/// # Errors
///
/// [`ScenarioError`] if a shipped file were wrong, which a test rules out.
pub fn by_name(name: &str) -> Result<Option<Scenario>, ScenarioError> {
    let canonical = SATURATED.iter().chain(&ARRIVALS).chain(&SOURCE);
    let mut all = canonical.chain(&SHARERS).chain(&MEASURED).chain(&CLASSES);
    let found = all.find(|(known, _)| *known == name);
    found.map(|(_, text)| Scenario::from_yaml(text)).transpose()
}
