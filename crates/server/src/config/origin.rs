//! Where did each value come from, and what is in force in the end?
//!
//! A person who wonders why a setting is not what they wrote wants exactly this table: each
//! setting, its value, and whether a flag, the environment, the file or nobody chose it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::env::join;
use super::error::Place;

/// Who chose a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// Who chose what, by the path of the setting. What is not in it is a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, (Origin, Option<Place>)>);

impl Origins {
    pub(super) fn note(&mut self, path: &str, origin: Origin, place: Option<Place>) {
        self.0.insert(path.to_owned(), (origin, place));
    }

    /// Who chose the setting at `path`.
    #[must_use]
    pub fn of(&self, path: &str) -> Origin {
        self.0.get(path).map_or(Origin::Default, |(origin, _)| *origin)
    }

    /// The line of the file where the setting at `path` stands, if the file chose it.
    #[must_use]
    pub fn line(&self, path: &str) -> Option<usize> {
        self.0.get(path).and_then(|(_, place)| place.map(|place| place.line))
    }

    /// Where in the file the setting at `path` stands, or else the group it belongs to, unless a
    /// flag took its place.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some((_, place)) = self.0.get(path) {
                return *place;
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffectiveSetting {
    /// The setting, from the top (`http.listen`).
    pub path: String,
    /// Its value as it would be written; secrets are masked.
    pub value: Value,
    /// Who chose it.
    pub origin: Origin,
}

/// The settings of `tree`, in the order of their paths.
pub(super) fn flat(tree: &Value, origins: &Origins) -> Vec<EffectiveSetting> {
    let mut settings = Vec::new();
    let mut waiting = vec![(String::new(), tree)];
    while let Some((path, value)) = waiting.pop() {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                waiting.extend(fields.iter().map(|(name, value)| (join(&path, name), value)));
            }
            value => {
                let origin = origins.of(&path);
                settings.push(EffectiveSetting { path, value: value.clone(), origin });
            }
        }
    }
    settings.sort_by(|one, other| one.path.cmp(&other.path));
    settings
}
