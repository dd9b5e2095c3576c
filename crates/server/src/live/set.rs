//! What is set, by whom, and what does it mean?

use serde_json::Value;

use super::contract::{Origin, Setting, Settings};
use crate::config::{self, Loaded};

/// The configuration in force, as it was loaded from `file`.
pub(crate) fn settings(loaded: &Loaded, file: Option<String>) -> Settings {
    let schema = config::schema();
    let config = serde_json::to_value(&loaded.config).unwrap_or_default();
    let settings = loaded.effective().into_iter().map(|setting| Setting {
        line: loaded.origins.line(&setting.path).map(|line| line as u64),
        description: description(&schema, &config, &setting.path),
        origin: match setting.origin {
            config::Origin::Default => Origin::Default,
            config::Origin::File => Origin::File,
            config::Origin::Env => Origin::Env,
            config::Origin::Flag => Origin::Flag,
        },
        value: setting.value,
        path: setting.path,
    });
    Settings { file, settings: settings.collect() }
}

/// What the schema says of the setting at this path of a configuration.
fn description(schema: &Value, config: &Value, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let found = find(schema, schema, config, &parts)?;
    found.get("description")?.as_str().map(str::to_owned)
}

/// The node at this path below `node`: through references, named groups, and the variant that the
/// value has chosen.
fn find<'s>(
    schema: &'s Value,
    node: &'s Value,
    value: &Value,
    parts: &[&str],
) -> Option<&'s Value> {
    let Some((name, rest)) = parts.split_first() else { return Some(node) };
    let own = node.get("properties").and_then(|fields| fields.get(*name));
    if own.is_some_and(|own| rest.is_empty() && own.get("const").is_some()) {
        // A tag means what its variant is.
        return Some(node);
    }
    let named = node.get("additionalProperties").filter(|any| any.is_object());
    let below = value.get(*name).unwrap_or(&Value::Null);
    let direct = own.or(named).and_then(|node| find(schema, node, below, rest));
    let referred = || {
        let reference = node.get("$ref")?.as_str()?.strip_prefix('#')?;
        find(schema, schema.pointer(reference)?, value, parts)
    };
    let variant = || {
        let groups = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| node.get(key));
        let mut chosen = groups
            .filter_map(Value::as_array)
            .flatten()
            .filter(|variant| is_chosen(variant, value));
        chosen.find_map(|variant| find(schema, variant, value, parts))
    };
    direct.or_else(referred).or_else(variant)
}

/// Whether no tag of the variant contradicts the value.
fn is_chosen(variant: &Value, value: &Value) -> bool {
    let fields = variant.get("properties").and_then(Value::as_object);
    fields.into_iter().flatten().all(|(name, field)| match (field.get("const"), value.get(name)) {
        (Some(tag), Some(own)) => tag == own,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides, Source};

    #[test]
    fn a_setting_has_its_origin_line_and_meaning_and_a_secret_is_masked() {
        let text = "http:\n  token: ${TOKEN}\nsinks:\n  pg:\n    type: sqlite\n    linger: 5 ms\n";
        let source = Source::Text { name: "tidegate.yaml", text };
        let env = |name: &str| (name == "TOKEN").then(|| "correct-horse-battery".to_owned());
        let loaded = Config::load(source, &Overrides::default(), &env).unwrap();
        let settings = settings(&loaded, Some("tidegate.yaml".into()));
        let of = |path: &str| settings.settings.iter().find(|one| one.path == path).unwrap();
        let linger = of("sinks.pg.linger");
        assert_eq!((linger.origin, linger.line), (Origin::File, Some(6)));
        assert!(linger.description.as_deref().unwrap().contains("Default 0 s"), "{linger:?}");
        let token = of("http.token");
        assert_eq!((token.origin, &token.value), (Origin::Env, &Value::from("***")));
        assert_eq!(of("http.listen").origin, Origin::Default);
        assert_eq!(of("http.listen").line, None);
        assert!(!serde_json::to_string(&settings).unwrap().contains("horse"));
    }

    #[test]
    fn every_setting_is_described_as_the_type_has_it() {
        let text = "sinks: { api: { type: http, url: 'http://h/', controller: joint }, \
                    db: { type: sqlite } }";
        let source = Source::Text { name: "tidegate.yaml", text };
        let loaded = Config::load(source, &Overrides::default(), &|_| None).unwrap();
        let settings = settings(&loaded, None).settings;
        let mute = settings.iter().filter(|one| one.description.is_none());
        let mute: Vec<_> = mute.map(|one| &*one.path).collect();
        assert!(mute.is_empty(), "{mute:?}");
        let of = |path: &str| {
            let found = settings.iter().find(|one| one.path == path).unwrap();
            found.description.clone().unwrap()
        };
        assert!(!of("sinks.api.url").contains("postgres"), "{}", of("sinks.api.url"));
        assert!(of("sinks.api.type").contains("HTTP"), "{}", of("sinks.api.type"));
        assert!(of("sinks.db.type").contains("SQLite"), "{}", of("sinks.db.type"));
    }
}
