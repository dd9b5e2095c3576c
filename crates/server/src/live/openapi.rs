//! How does somebody else's program learn what can be asked? From a document that is generated from
//! the server's own types.
//!
//! The types of [`contract`](super::contract) already have JSON Schemas of draft 2020-12, which is
//! the dialect of OpenAPI 3.1: what is left is a table of routes. It stands here and not at the
//! handlers, because that would take a framework of its own; a test asks the real router for every
//! line of it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::contract::{
    Bye, Curve, DecisionPage, Failure, Gap, History, Letter, LetterPage, Purged, RaceRequest,
    RetryReport, Settings, SimulatorCatalogue, SimulatorRun, Snapshot, Tick,
};

/// A parameter of a route: its name, its JSON type, and what it means.
type Parameter = (&'static str, &'static str, &'static str);

/// One line of the table.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [Parameter],
    /// Reference of the body that is sent.
    takes: Option<Value>,
    /// Media type and schema of the answer.
    gives: (&'static str, Value),
    status: &'static str,
}

const JSON: &str = "application/json";

const LETTER_FILTER: &[Parameter] = &[
    ("id", "integer", "One letter."),
    ("sink", "string", "Of this sink."),
    ("lane", "string", "Of this lane."),
    ("class", "string", "Events of this class."),
    ("kind", "string", "Given up for this: `refused`, `too_large`, `attempts`, `age`."),
    ("reason", "string", "With this text in the reason."),
    ("group", "string", "Of this group, as it is listed."),
    ("position", "integer", "At this position of the journal."),
    ("after", "integer", "Those after this id; for further pages."),
    (
        "limit",
        "integer",
        "At most so many: 1 to 1,000, default 100; a retry up to 10,000, default 1,000.",
    ),
];

/// The OpenAPI 3.1 document of everything that the pages show and do.
///
/// ```
/// let document = tidegate_server::live::openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["components"]["schemas"]["Tick"]["properties"]["says"].is_object());
/// ```
#[must_use]
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut types = settings.into_generator();
    let routes = routes(&mut types);
    let failure = json!({ "description": "Why it was not done.", "content": {
        JSON: { "schema": reference::<Failure>(&mut types) }
    } });
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(&route, &failure);
    }
    let mut schemas = Value::Object(types.take_definitions(true));
    unwrapped(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the dashboard and `tidegate top` ask. With a token configured, every \
                            request carries `Authorization: Bearer <token>`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
    })
}

/// Lines of doc comments are wrapped; those of a description are not.
fn unwrapped(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            fields.values_mut().for_each(unwrapped);
        }
        Value::Array(values) => values.iter_mut().for_each(unwrapped),
        _ => {}
    }
}

fn reference<T: JsonSchema>(types: &mut SchemaGenerator) -> Value {
    types.subschema_for::<T>().to_value()
}

fn operation(route: &Route, failure: &Value) -> Value {
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "integer" } }))
    });
    let in_query = route.query.iter().map(|(name, kind, about)| {
        let schema = json!({ "type": kind });
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    });
    let (media, schema) = &route.gives;
    let mut operation = json!({
        "summary": route.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": {
            route.status: { "description": route.summary, "content": { *media: { "schema": schema } } },
            "default": failure,
        },
    });
    if let Some(takes) = &route.takes {
        operation["requestBody"] =
            json!({ "required": true, "content": { JSON: { "schema": takes } } });
    }
    operation
}

fn routes(types: &mut SchemaGenerator) -> Vec<Route> {
    let mut routes = watching(types);
    routes.extend(letters(types));
    routes.extend(simulator(types));
    routes
}

const fn get(path: &'static str, summary: &'static str, gives: Value) -> Route {
    let (query, takes) = (&[], None);
    Route { method: "get", path, summary, query, takes, gives: (JSON, gives), status: "200" }
}

fn watching(types: &mut SchemaGenerator) -> Vec<Route> {
    let stream = json!({
        "description": "Server-sent events; the data of each is one JSON object: `hello` a Snapshot, \
                        `tick` a Tick, `gap` a Gap, `bye` a Bye. The id of `hello` and `tick` is \
                        `run-sequence`.",
        "anyOf": [
            reference::<Snapshot>(types),
            reference::<Tick>(types),
            reference::<Gap>(types),
            reference::<Bye>(types),
        ],
    });
    vec![
        get("/api/snapshot", "The whole state.", reference::<Snapshot>(types)),
        Route {
            query: &[("after", "string", "In place of the header `Last-Event-ID`.")],
            gives: ("text/event-stream", stream),
            ..get("/api/stream", "What changes, four times a second.", Value::Null)
        },
        Route {
            query: &[
                (
                    "lane",
                    "string",
                    "`sink/lane`, or several with commas, at most 32; without it only totals.",
                ),
                ("series", "string", "Only these series, by name, with commas."),
                ("seconds", "integer", "Only the last so many seconds."),
            ],
            ..get("/api/history", "The last hour.", reference::<History>(types))
        },
        Route {
            query: &[
                ("lane", "string", "`sink/lane`, or several with commas; without it all lanes."),
                ("number", "integer", "Only the decision with this number."),
                ("by", "string", "Only by this controller or guard."),
                ("search", "string", "Only with this text in the reason, in any case."),
                ("from_unix_ms", "integer", "Only from then on."),
                ("until_unix_ms", "integer", "Only before then."),
                ("before", "string", "`next` of the page before."),
                ("limit", "integer", "At most so many: 1 to 1,000, default 100."),
            ],
            ..get(
                "/api/decisions",
                "Changes of plan, the newest first.",
                reference::<DecisionPage>(types),
            )
        },
        Route {
            query: &[
                ("lane", "string", "`sink/lane`."),
                ("points", "integer", "At most so many points, the newest; 0 for none."),
            ],
            ..get("/api/curve", "What a lane has learnt.", reference::<Curve>(types))
        },
        get("/api/settings", "The configuration in force.", reference::<Settings>(types)),
    ]
}

fn letters(types: &mut SchemaGenerator) -> Vec<Route> {
    let letter = reference::<Letter>(types);
    let report = reference::<RetryReport>(types);
    let event =
        json!({ "type": "object", "description": "One event, as `POST /v1/events` takes it." });
    vec![
        Route {
            query: LETTER_FILTER,
            ..get(
                "/api/dead-letters",
                "Groups, and a page of letters.",
                reference::<LetterPage>(types),
            )
        },
        Route {
            method: "delete",
            query: PURGE,
            ..get("/api/dead-letters", "Removes letters for good.", reference::<Purged>(types))
        },
        Route {
            query: EXPORT,
            gives: ("application/x-ndjson", json!({ "type": "string" })),
            ..get(
                "/api/dead-letters/export",
                "A page as NDJSON; `tidegate-next` is the next `after`.",
                Value::Null,
            )
        },
        Route {
            method: "post",
            query: LETTER_FILTER,
            ..get("/api/dead-letters/retry", "Sends letters to their sink again.", report.clone())
        },
        get("/api/dead-letters/{id}", "One letter with its event.", letter.clone()),
        Route {
            method: "put",
            takes: Some(event),
            ..get("/api/dead-letters/{id}", "Replaces a letter's event.", letter)
        },
        Route {
            method: "post",
            ..get("/api/dead-letters/{id}/retry", "Sends one letter again.", report)
        },
    ]
}

const PURGE: &[Parameter] = &[
    ("confirm", "boolean", "Must be true; without it the answer says how many match."),
    ("sink", "string", "Of this sink."),
    ("lane", "string", "Of this lane."),
    ("class", "string", "Events of this class."),
    ("kind", "string", "Given up for this."),
    ("reason", "string", "With this text in the reason."),
    ("group", "string", "Of this group, as it is listed."),
    ("id", "integer", "One letter."),
];

const EXPORT: &[Parameter] = &[
    ("events", "boolean", "Only the events, as `POST /v1/events` takes them."),
    ("sink", "string", "Of this sink."),
    ("lane", "string", "Of this lane."),
    ("kind", "string", "Given up for this."),
    ("reason", "string", "With this text in the reason."),
    ("group", "string", "Of this group, as it is listed."),
    ("after", "integer", "Those after this id; for further pages."),
    ("limit", "integer", "At most so many, 1 to 1,000."),
];

fn simulator(types: &mut SchemaGenerator) -> Vec<Route> {
    let run = reference::<SimulatorRun>(types);
    vec![
        get("/api/simulator", "What can be raced.", reference::<SimulatorCatalogue>(types)),
        Route {
            method: "post",
            takes: Some(reference::<RaceRequest>(types)),
            status: "202",
            ..get("/api/simulator/runs", "Begins a race; one at a time.", run.clone())
        },
        get("/api/simulator/runs/{id}", "A race, with its result once it is done.", run.clone()),
        Route { method: "delete", ..get("/api/simulator/runs/{id}", "Cancels a race.", run) },
    ]
}
