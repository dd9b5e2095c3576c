//! How are the events for a sink chosen, and how are they changed?
//!
//! Tests and steps are small mappings in lists. That each says one thing, and of a field that
//! there is, shows when they are turned into what the lanes use.

use schemars::JsonSchema;
use serde::Serialize;
use tidegate_event::members::written;

use super::check::Check;
use super::defaults;
use super::error::shown;
use super::read::{Fields, Section, nearest};
use super::secret::Secret;
use crate::route::{self, Field, Key, Step, Test, When};

/// A condition on an event: all of `all` hold, at least one of `any` if there are any, and none of
/// `not`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct WhenConfig {
    /// Tests that must all hold, at most 64. Default none.
    pub all: Vec<TestConfig>,
    /// Tests of which at least one must hold, if there are any, at most 64. Default none.
    pub any: Vec<TestConfig>,
    /// Tests of which none may hold, at most 64. Default none.
    pub not: Vec<TestConfig>,
}

/// A test of one field. A field that an event does not have passes no test but `exists: false`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct TestConfig {
    /// The field: `severity`, `severity_text`, `service`, `class`, `body`, `trace_id`, `span_id`, or
    /// `attributes.NAME` for an attribute. Required.
    pub field: String,
    /// Its text is this; of an attribute that is no text, its JSON.
    pub equals: Option<String>,
    /// Its text is one of these, at most 1,000.
    #[serde(rename = "in")]
    pub is_in: Option<Vec<String>>,
    /// Its text begins so.
    pub prefix: Option<String>,
    /// The event has it (`true`) or not (`false`).
    pub exists: Option<bool>,
    /// Its number is this or more: for `severity` a name like `warn` or a number from 1 to 24, for an
    /// attribute any number.
    pub at_least: Option<String>,
    /// Its number is less than this, written as for `at_least`; both may be given together.
    pub below: Option<String>,
}

/// A change of an event: one of `drop`, `redact` and `rename`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct StepConfig {
    /// The field is taken away.
    pub drop: Option<String>,
    /// The field's value becomes `[redacted]`, or its hash if there is a `hash_key`.
    pub redact: Option<String>,
    /// Beside `redact`: the value becomes its HMAC-SHA256 with this key, as 32 hexadecimal digits.
    /// At least 16 characters.
    pub hash_key: Option<Secret>,
    /// An attribute gets another name.
    pub rename: Option<RenameConfig>,
}

/// A new name for an attribute; if it is taken, the next free one (`name#2`).
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct RenameConfig {
    /// The attribute, as `attributes.NAME`. Required.
    pub from: String,
    /// Its new name, as `attributes.NAME`. Required.
    pub to: String,
}

impl WhenConfig {
    pub(super) fn compiled(&self, path: &str, check: &mut Check) -> When {
        let mut list = |name: &str, tests: &[TestConfig]| {
            let path = format!("{path}.{name}");
            if tests.len() > defaults::TESTS_MAX {
                let bound = format!("at most {} tests", defaults::TESTS_MAX);
                check.invalid(&path, format!("{} tests", tests.len()), bound);
            }
            let compiled = tests.iter().enumerate();
            compiled
                .filter_map(|(at, test)| test.compiled(&format!("{path}[{at}]"), check))
                .collect()
        };
        When {
            all: list("all", &self.all),
            any: list("any", &self.any),
            not: list("not", &self.not),
        }
    }
}

impl TestConfig {
    fn compiled(&self, path: &str, check: &mut Check) -> Option<Test> {
        let Self { field: name, equals, is_in, prefix, exists, at_least, below } = self;
        let field = field(&format!("{path}.field"), name, check)?;
        let bounds = at_least.is_some() || below.is_some();
        let given = [equals.is_some(), is_in.is_some(), prefix.is_some(), exists.is_some(), bounds];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let bound = "a test with one of `equals`, `in`, `prefix`, `exists`, `at_least` and \
                         `below` (the last two may stand together)";
            check.invalid(path, format!("a test of {name} with {}", shown_count(given)), bound);
            return None;
        }
        let numbers = matches!(field, Field::Severity | Field::Attribute(_));
        let texts = !matches!(field, Field::Severity | Field::TraceId | Field::SpanId);
        let must = |asked: &str, of: &str| format!("asked with {asked}: {name} is {of}");
        if bounds && !numbers {
            let bound = must("`equals`, `in`, `prefix` or `exists`", "no number");
            check.invalid(path, "asked for a number", bound);
            return None;
        }
        if !bounds && exists.is_none() && !texts {
            let bound = match field {
                Field::Severity => {
                    must("`at_least` or `below`", "a number, `severity_text` a text")
                }
                _ => must("`exists`", "no text"),
            };
            check.invalid(path, "asked for a text", bound);
            return None;
        }
        let asked = if bounds {
            let number =
                |name: &str, text: &Option<String>, open: f64, check: &mut Check| match text {
                    Some(text) => number(&format!("{path}.{name}"), &field, text, check),
                    None => Some(open),
                };
            let at_least = number("at_least", at_least, f64::NEG_INFINITY, check);
            let below = number("below", below, f64::INFINITY, check);
            route::Check::Within { at_least: at_least?, below: below? }
        } else if let Some(exists) = exists {
            route::Check::Exists(*exists)
        } else if let Some(prefix) = prefix {
            route::Check::Prefix(prefix.clone())
        } else {
            let values = is_in.clone().or_else(|| equals.clone().map(|one| vec![one]));
            let values = values.unwrap_or_default();
            if values.is_empty() || values.len() > defaults::VALUES_MAX {
                let bound = format!("a list of 1 to {} values", defaults::VALUES_MAX);
                check.invalid(&format!("{path}.in"), format!("a list of {}", values.len()), bound);
            }
            route::Check::In(values)
        };
        Some(Test { field, check: asked })
    }
}

fn shown_count(given: [bool; 5]) -> &'static str {
    if given.contains(&true) { "several of them" } else { "nothing asked" }
}

/// The field of this name; else says which there are.
fn field(path: &str, name: &str, check: &mut Check) -> Option<Field> {
    let field = Field::named(name);
    if field.is_none() {
        let names = Field::NAMES;
        let mut bound = format!("one of {}, or attributes.NAME", names.join(", "));
        match nearest(name, names.into_iter()) {
            Some(meant) => bound.push_str(&format!(" (did you mean `{meant}`?)")),
            None if !name.is_empty() => {
                bound.push_str(&format!(" (did you mean `attributes.{}`?)", shown(name)));
            }
            None => {}
        }
        check.invalid(path, shown(name), bound);
    }
    field
}

/// A bound of a number, on the severity scale for `severity`.
fn number(path: &str, field: &Field, text: &str, check: &mut Check) -> Option<f64> {
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let (found, bound) = if *field == Field::Severity {
        // Digits are OpenTelemetry's number itself, not one of the older scales.
        let named = || match tidegate_event::severity::number(text.trim()) {
            0 => None,
            number => Some(f64::from(number)),
        };
        let on_scale = number.filter(|number| (1.0..=24.0).contains(number));
        let found = if number.is_some() { on_scale } else { named() };
        (
            found,
            "a severity like `debug`, `info`, `warn`, `error` or `fatal`, or a number from 1 to 24",
        )
    } else {
        (number, "a number")
    };
    if found.is_none() {
        check.invalid(path, shown(text), bound);
    }
    found
}

impl StepConfig {
    pub(super) fn compiled(&self, path: &str, check: &mut Check) -> Option<Step> {
        let Self { drop, redact, hash_key, rename } = self;
        match (drop, redact, rename) {
            (Some(name), None, None) => {
                self.no_key(path, check);
                field(&format!("{path}.drop"), name, check).map(Step::Drop)
            }
            (None, Some(name), None) => {
                let path_of = format!("{path}.redact");
                let field = field(&path_of, name, check)?;
                if matches!(field, Field::Severity | Field::TraceId | Field::SpanId) {
                    let bound = "a field with a text: this one can only be dropped";
                    check.invalid(&path_of, name, bound);
                    return None;
                }
                let key = match hash_key {
                    Some(key) => Some(hash_key_of(&format!("{path}.hash_key"), key, check)?),
                    None => None,
                };
                Some(Step::Redact(field, key))
            }
            (None, None, Some(RenameConfig { from, to })) => {
                self.no_key(path, check);
                let mut name = |end: &str, name: &str| {
                    let attribute =
                        name.strip_prefix("attributes.").filter(|name| !name.is_empty());
                    if attribute.is_none() {
                        let bound = "an attribute, as attributes.NAME";
                        check.invalid(&format!("{path}.rename.{end}"), shown(name), bound);
                    }
                    attribute.map(written)
                };
                let (from, to) = (name("from", from), name("to", to));
                Some(Step::Rename { from: from?, to: to? })
            }
            _ => {
                let bound = "a step with one of `drop`, `redact` and `rename`";
                let several = [drop.is_some(), redact.is_some(), rename.is_some()];
                let found = if several.contains(&true) { "several steps in one" } else { "empty" };
                check.invalid(path, found, bound);
                None
            }
        }
    }

    fn no_key(&self, path: &str, check: &mut Check) {
        if self.hash_key.is_some() {
            check.invalid(&format!("{path}.hash_key"), "given", "beside `redact` only");
        }
    }
}

fn hash_key_of(path: &str, key: &Secret, check: &mut Check) -> Option<Key> {
    let count = key.expose().chars().count();
    let bound = format!("at least {} characters long", defaults::TOKEN_CHARS_MIN);
    let made = Key::new(key.expose()).filter(|_| count >= defaults::TOKEN_CHARS_MIN);
    if made.is_none() {
        check.invalid(path, format!("{count} characters long"), bound);
    }
    made
}

impl Section for WhenConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { all, any, not } = self;
        fields.list("all", all);
        fields.list("any", any);
        fields.list("not", not);
    }
}

impl Section for TestConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { field, equals, is_in, prefix, exists, at_least, below } = self;
        fields.leaf("field", field);
        fields.optional("equals", equals);
        fields.optional_leaves("in", is_in);
        fields.optional("prefix", prefix);
        fields.optional("exists", exists);
        fields.optional("at_least", at_least);
        fields.optional("below", below);
    }
}

impl Section for StepConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { drop, redact, hash_key, rename } = self;
        fields.optional("drop", drop);
        fields.optional("redact", redact);
        fields.optional("hash_key", hash_key);
        fields.optional_section("rename", rename);
    }
}

impl Section for RenameConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { from, to } = self;
        fields.leaf("from", from);
        fields.leaf("to", to);
    }
}
