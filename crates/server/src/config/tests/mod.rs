//! Tests of the configuration as a whole.

mod bounds;
mod forms;
mod intake;
mod invariants;
mod odds;
mod postgres;
mod schemas;
mod sinks;
mod whole;

use super::*;

/// Loads `text` as `tidegate.yaml`, with these variables.
fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let source = Source::Text { name: "tidegate.yaml", text };
    let lookup = |name: &str| {
        env.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    };
    Config::load(source, &Overrides::default(), &lookup)
}

fn load(text: &str) -> Result<Loaded, ConfigError> {
    load_with(text, &[])
}

fn config(text: &str) -> Config {
    load(text).unwrap().config
}

/// What `text` is refused with.
fn refusal(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

fn problems(text: &str) -> Vec<Problem> {
    match load(text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Refused { problems, .. }) => problems,
        Err(other) => panic!("{other}"),
    }
}

/// A file that sets the one setting at `path`, and what is needed beside it.
fn file_with(path: &str, value: &str) -> String {
    let mut tree = serde_json::Value::from(value);
    for part in path.rsplit('.') {
        let mut level = serde_json::Map::new();
        if part == "controller" {
            let fields = tree.as_object_mut().unwrap();
            let name = controller_with(fields.keys().next().unwrap());
            fields.entry("name").or_insert_with(|| name.into());
        }
        level.insert(part.to_owned(), tree);
        tree = level.into();
    }
    tree.to_string()
}

/// A controller that has this setting, also when it is misspelt.
fn controller_with(field: &str) -> &'static str {
    match field {
        field if ["th", "la", "co"].iter().any(|start| field.starts_with(start)) => "joint",
        "memory_max" | "cpu_max" => "adaptive",
        "size_min" | "size_max" | "learning_rate" | "step_max" => "gradient",
        field if field.starts_with("st") || field.starts_with("de") => "aimd",
        _ => "load_score",
    }
}
