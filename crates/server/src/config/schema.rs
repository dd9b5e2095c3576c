//! What may stand in a configuration file, for editors and other programs?
//!
//! The JSON Schema is derived from the types: descriptions are their documentation, defaults their
//! defaults. Two things of the file's own are added: a number or a choice may also be a variable
//! of the environment, and every object says that it has no other fields.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, json_schema};
use serde_json::{Value, json};

use super::Config;

/// A text that holds a variable (`${NAME}` or `${NAME:-default}`).
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}";

/// The JSON Schema (draft 2020-12) of a configuration file.
///
/// ```
/// let schema = tidegate_server::config::schema();
/// assert_eq!(schema["properties"]["http"]["default"]["listen"], "127.0.0.1:8080");
/// ```
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    Variables.transform(&mut schema);
    schema.insert("title".to_owned(), "Configuration of tidegate".into());
    schema.to_value()
}

/// Lets every scalar be a variable.
struct Variables;

impl Transform for Variables {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::String(description)) = object.get_mut("description") {
            // The lines of a doc comment are wrapped; those of a description are not.
            *description = description.replace('\n', " ");
        }
        let types = match object.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => {
                many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        let is = |name: &str| types.iter().any(|one| one == name);
        if let Some(pattern) = object.get("pattern").and_then(Value::as_str) {
            let either = format!("{pattern}|{VARIABLE}");
            object.insert("pattern".to_owned(), either.into());
        } else if is("integer") || is("number") {
            let with_text = types.iter().map(String::as_str).chain(["string"]).collect::<Vec<_>>();
            object.insert("type".to_owned(), json!(with_text));
            object.insert("pattern".to_owned(), VARIABLE.into());
        }
        if let Some(Value::Array(choices)) = object.get_mut("oneOf")
            && choices.iter().all(|choice| choice.get("const").is_some_and(Value::is_string))
        {
            choices.push(json!({
                "description": "A variable of the environment.",
                "type": "string",
                "pattern": VARIABLE,
            }));
        }
    }
}

/// Closes an object whose fields depend on a tag, and lets the tag `default` be left out.
pub(super) fn tagged(default: &'static str) -> impl Fn(&mut Schema) {
    move |schema| {
        schema.insert("unevaluatedProperties".to_owned(), false.into());
        let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
        let open = |mut variant: Value| {
            let tag = variant.pointer("/required/0").and_then(Value::as_str).unwrap_or_default();
            if variant.pointer(&format!("/properties/{tag}/const")) == Some(&default.into())
                && let Some(variant) = variant.as_object_mut()
            {
                variant.remove("required");
            }
            variant
        };
        let variants: Vec<_> = variants.into_iter().map(open).collect();
        schema.insert("anyOf".to_owned(), variants.into());
    }
}

/// Lets a controller be written as its name alone.
pub(super) fn allow_bare_name(schema: &mut Schema) {
    let description = schema.remove("description");
    let object = std::mem::take(schema);
    *schema = json_schema!({
        "anyOf": [
            {
                "description": "The controller with its defaults.",
                "oneOf": tidegate::ControllerSettings::NAMES
                    .map(|name| json!({ "type": "string", "const": name })),
            },
            object,
        ],
    });
    if let Some(description) = description {
        schema.insert("description".to_owned(), description);
    }
}
