//! The JSON Schema says what the reader does.

use super::*;
use serde_json::Value;

/// A sink of another type than the default one, with no more than it needs.
const HTTP_SINK: &str = "sinks: { a: { type: http, url: http://a } }";

/// The schema at `node`, with references followed.
fn resolved<'s>(root: &'s Value, node: &'s Value) -> Vec<&'s Value> {
    let mut found = vec![node];
    let mut index = 0;
    while let Some(node) = found.get(index).copied() {
        index += 1;
        let target = node["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        found.extend(target.and_then(|target| root.pointer(target)));
        for key in ["oneOf", "anyOf"] {
            found.extend(node[key].as_array().into_iter().flatten());
        }
    }
    found
}

/// The schema of the field `name` of an object.
fn field<'s>(root: &'s Value, object: &'s Value, name: &str) -> Option<&'s Value> {
    let parts = resolved(root, object);
    let named = parts.iter().find_map(|part| part["properties"].get(name));
    named.or_else(|| parts.iter().find_map(|part| part.get("additionalProperties")))
}

/// The schema of the setting at `path`.
pub(super) fn at<'s>(root: &'s Value, path: &str) -> Option<&'s Value> {
    path.split('.').try_fold(root, |node, name| field(root, node, name))
}

fn paths(text: &str) -> Vec<String> {
    load(text).unwrap().effective().into_iter().map(|setting| setting.path).collect()
}

#[test]
fn the_schema_has_every_setting_described() {
    let schema = schema();
    let texts = [
        "",
        "sinks: { a: { controller: load_score } }",
        "classes: { read: {} }",
        HTTP_SINK,
        "sinks: { a: { type: file } }",
    ];
    for path in texts.into_iter().flat_map(paths) {
        let field = at(&schema, &path).unwrap_or_else(|| panic!("{path} is not in the schema"));
        let tag = path.ends_with(".type") || path.ends_with("controller.name");
        assert!(tag || field["description"].is_string(), "{path} is not described");
    }
}

/// The fields of every object in the schema are those that the reader asks for.
#[test]
fn the_reader_knows_every_field_of_the_schema() {
    let schema = schema();
    let groups = [
        ("", ""),
        ("http", ""),
        ("journal", ""),
        ("log", ""),
        ("classes.c", ""),
        ("classes.c.batch_size", ""),
        ("sinks.s", "sqlite"),
        ("sinks.s", "http"),
        ("sinks.s", "file"),
        ("sinks.s.retention", ""),
        ("sinks.s.rotation", "file"),
        ("sinks.s.batch_size", ""),
        ("sinks.s.breaker", ""),
        ("sinks.s.retry", ""),
        ("classes.c.retry", ""),
        ("dead_letters", ""),
        ("sinks.s.controller", "load_score"),
        ("sinks.s.controller", "aimd"),
        ("sinks.s.controller", "gradient"),
        ("sinks.s.controller", "adaptive"),
        ("sinks.s.controller", "joint"),
        ("sinks.s.controller", "vegas"),
    ];
    for (path, tag) in groups {
        let unknown = if path.is_empty() { "zz".to_owned() } else { format!("{path}.zz") };
        let mut text = file_with(&unknown, "1");
        if !tag.is_empty() {
            text = text.replace("load_score", tag);
        }
        if ["sqlite", "http", "file"].contains(&tag) {
            text = text.replace(r#""s":{"#, &format!(r#""s":{{"type":"{tag}","#));
        }
        let found = problems(&text);
        let ProblemKind::Unknown { known, .. } = &found[0].kind else { panic!("{found:?}") };
        let node = if path.is_empty() { Some(&schema) } else { at(&schema, path) };
        let mut fields: Vec<_> = resolved(&schema, node.unwrap())
            .iter()
            .filter(|part| {
                // Of the parts that depend on a tag, only the one in question.
                let own = |marker: &str| part["properties"].get(marker).is_some();
                let owner = match part["properties"]["name"]["const"].as_str() {
                    Some(name) => name,
                    None if own("startup") => "aimd",
                    None if own("factor") => "load_score",
                    None if own("learning_rate") => "gradient",
                    None if own("memory_max") => "adaptive",
                    None if own("cost") => "joint",
                    None if own("busy_timeout") => "sqlite",
                    None if own("method") => "http",
                    None if own("fsync") => "file",
                    None => tag,
                };
                tag.is_empty() || owner == tag
            })
            .flat_map(|part| part["properties"].as_object().into_iter().flat_map(|p| p.keys()))
            .map(String::as_str)
            .collect();
        let mut known = known.clone();
        // A class and a sink hold groups that are looked at on their own.
        fields.sort_unstable();
        fields.dedup();
        known.sort_unstable();
        assert_eq!(known, fields, "{path} {tag}");
    }
}

#[test]
fn every_object_is_closed() {
    fn walk(path: &str, node: &Value, open: &mut Vec<String>) {
        if let Value::Object(fields) = node {
            let object = node["properties"].is_object() && node.get("$ref").is_none();
            let closed = ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|key| node.get(key) == Some(&Value::Bool(false)));
            if object && !closed {
                open.push(path.to_owned());
            }
            for (name, field) in fields.iter().filter(|(name, _)| *name != "default") {
                walk(&format!("{path}/{name}"), field, open);
            }
        }
        for (index, field) in node.as_array().into_iter().flatten().enumerate() {
            walk(&format!("{path}/{index}"), field, open);
        }
    }
    let mut open = Vec::new();
    walk("", &schema(), &mut open);
    open.retain(|path| !path.starts_with("/$defs/ControllerConfig/anyOf/1/anyOf/"));
    open.retain(|path| !path.starts_with("/$defs/SinkConfig/anyOf/"));
    // These are parts of an object that is closed as a whole.
    assert_eq!(
        open,
        [
            "/$defs/AimdConfig",
            "/$defs/FileConfig",
            "/$defs/GradientConfig",
            "/$defs/HttpSinkConfig",
            "/$defs/JointConfig",
            "/$defs/LoadScoreConfig",
            "/$defs/SqliteConfig",
            "/$defs/StrategyConfig",
        ]
    );
}

#[test]
fn descriptions_state_the_default_in_force() {
    let schema = schema();
    let load_score = "sinks: { sqlite: { controller: load_score } }";
    for text in ["", load_score, HTTP_SINK, "sinks: { a: { type: file } }"] {
        for setting in load(text).unwrap().effective() {
            let description = at(&schema, &setting.path).unwrap()["description"].as_str();
            let value = setting.value.as_str().map_or_else(
                || setting.value.to_string().trim_end_matches(".0").to_owned(),
                str::to_owned,
            );
            let tag = ["type", "controller.name", "http.token", "classes", ".url"];
            if tag.iter().any(|tag| setting.path.ends_with(tag)) || value == "[]" || value == "{}" {
                continue;
            }
            let description = description.unwrap().replace(',', "");
            let is_four = text == HTTP_SINK && setting.path.ends_with("concurrency");
            let expected = match value.as_str() {
                "4" if is_four => "of HTTP sinks 4".to_owned(),
                value => format!("Default {value}"),
            };
            assert!(description.contains(&expected), "{}: {expected}: {description}", setting.path);
        }
    }
}

#[test]
fn ranges_of_numbers_are_those_enforced() {
    let schema = schema();
    let (mut checked, mut waiting) = (0, paths(""));
    waiting.extend(paths("sinks: { sqlite: { controller: load_score } }"));
    for path in waiting {
        let node = at(&schema, &path).unwrap();
        let (Some(min), Some(max)) = (node["minimum"].as_f64(), node["maximum"].as_f64()) else {
            continue;
        };
        for value in [min / 2.0 - 0.5, max * 2.0 + 1.0] {
            let value = if node["format"] == "double" { value } else { value.round() };
            let found = problems(&file_with(&path, &value.to_string()));
            assert!(!found.is_empty(), "{path}: {value}");
        }
        for value in [min, max] {
            let found = problems(&file_with(&path, &value.to_string()));
            let ranged = |problem: &&Problem| problem.to_string().contains("between");
            for problem in found.iter().filter(ranged) {
                // The least may be above the most as it is by default, and so on.
                let at_odds = path.contains("batch_size") || path.ends_with("concurrency");
                assert!(problem.path != path || at_odds || path.contains("_a"), "{problem}");
            }
        }
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}
