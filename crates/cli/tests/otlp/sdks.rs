//! The SDKs that programs really use, for Python and Node, each over every protocol it has: each
//! record is then found field by field in the database.
//!
//! `sdks/records.json` says what is exported. The SDKs are installed by `scripts/otlp-sdks`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::common::{self, Server};
use crate::start;

const TOKEN: &str = "0123456789abcdef";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp/sdks").join(path)
}

/// What `scripts/otlp-sdks` has installed.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/otlp-sdks").join(path);
    assert!(path.exists(), "{} is missing: run scripts/otlp-sdks", path.display());
    path
}

fn given() -> Value {
    serde_json::from_slice(&std::fs::read(here("records.json")).unwrap()).unwrap()
}

/// Runs an exporter to its end.
fn export(mut command: Command, protocol: &str, endpoint: &str, compression: &str) {
    command.arg(here("records.json")).args([protocol, endpoint, compression, TOKEN]);
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {}\n{said}", ended.status);
}

fn python() -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(here("python/export.py"));
    command
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.env("SDK", installed("node")).arg(here("node/export.mjs"));
    command
}

fn server(dir: &Path) -> Server {
    start(dir, &format!("http: {{ token: {TOKEN} }}\nclasses: {{ bulk: {{}} }}"))
}

fn grpc(server: &Server) -> String {
    format!("http://{}", server.otlp_grpc().unwrap())
}

fn http(server: &Server) -> String {
    format!("http://{}/v1/logs", server.otlp_http().unwrap())
}

/// A value as the database has it: bytes as base64, NUL as U+FFFD.
fn stored(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("$bytes") => members["$bytes"].clone(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), stored(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(stored).collect(),
        Value::String(text) => text.replace('\0', "\u{fffd}").into(),
        other => other.clone(),
    }
}

/// What the row of a record should be, apart from what an SDK adds to its resource.
fn expected(given: &Value, record: &Value, scope_attributes: bool) -> Value {
    let mut attributes = Map::new();
    for (name, value) in given["resource"].as_object().unwrap() {
        if name != "service.name" {
            attributes.insert(format!("resource.{name}"), stored(value));
        }
    }
    let scope = &given["scope"];
    for name in ["name", "version", "schema_url"] {
        attributes.insert(format!("scope.{name}"), scope[name].clone());
    }
    if scope_attributes {
        attributes.insert("scope.attributes.team".into(), scope["attributes"]["team"].clone());
    }
    for (name, value) in record["attributes"].as_object().unwrap() {
        // The resource has that name already.
        let name = if attributes.contains_key(name) { format!("{name}#2") } else { name.clone() };
        attributes.insert(name, stored(value));
    }
    let number = |field: &str| record[field].as_str().unwrap().parse::<i64>().unwrap();
    if number("observed") != number("timestamp") {
        attributes.insert("otel.observed_time_unix_nano".into(), number("observed").into());
    }
    if let Some(name) = record.get("event_name") {
        attributes.insert("otel.event_name".into(), name.clone());
    }
    if let Some(flags @ 1..) = record.get("flags").and_then(Value::as_u64) {
        attributes.insert("otel.flags".into(), flags.into());
    }
    let text = record["severity_text"].as_str().unwrap();
    let severity = match record["severity_number"].as_u64().unwrap() {
        0 => u64::from(tidegate_event::severity::number(text)),
        number => number,
    };
    json!({
        "timestamp": number("timestamp"), "severity": severity,
        // The columns of texts have null for none.
        "severity_text": Some(text).filter(|text| !text.is_empty()),
        "service": "checkout", "class": record.get("class"),
        "body": stored(&record["body"]), "attributes": attributes,
        "trace_id": record.get("trace_id"), "span_id": record.get("span_id"),
    })
}

/// The row of the record with this timestamp, as often as it is there.
fn found(dir: &Path, timestamp: i64) -> Vec<Value> {
    let database = common::database(&dir.join("data"));
    let mut rows = database
        .prepare(
            "SELECT json_object('timestamp', timestamp, 'severity', severity_number,
                'severity_text', severity_text, 'service', service, 'class', class, 'body', body,
                'attributes', json(attributes), 'trace_id', trace_id, 'span_id', span_id)
             FROM events WHERE timestamp = ?1",
        )
        .unwrap();
    let rows = rows.query_map([timestamp], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap()).collect()
}

/// Numbers that are equal are the same: one SDK writes 42 as a double, another as an integer.
fn plain(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(double) =
                number.as_f64().filter(|double| double.fract() == 0.0 && double.abs() < 9e15)
            {
                *value = json!(double as i64);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(plain),
        Value::Object(members) => members.values_mut().for_each(plain),
        _ => {}
    }
}

/// Every record is there as often as it was exported, and says in every field what was sent.
fn check(dir: &Path, server: Server, exports: usize, scope_attributes: bool) {
    let given = given();
    let records = given["records"].as_array().unwrap();
    assert!(server.stop().0.success());
    for record in records {
        let mut expected = expected(&given, record, scope_attributes);
        plain(&mut expected);
        let rows = found(dir, expected["timestamp"].as_i64().unwrap());
        assert_eq!(rows.len(), exports, "{expected:#}");
        for mut row in rows {
            // The body's column is text: what was no string is JSON in it.
            if !expected["body"].is_string() && !expected["body"].is_null() {
                row["body"] = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
            }
            plain(&mut row);
            // What the SDK says of itself is there too, and of its own making.
            let attributes = row["attributes"].as_object_mut().unwrap();
            attributes.retain(|name, _| !name.starts_with("resource.telemetry."));
            assert_eq!(row, expected, "what was found, and what was sent");
        }
    }
    let stored: i64 = common::query(&dir.join("data"), "SELECT count(*) FROM events");
    assert_eq!(stored as usize, records.len() * exports);
}

#[test]
fn the_sdk_for_python_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    export(python(), "grpc", &grpc(&server), "none");
    export(python(), "grpc", &grpc(&server), "gzip");
    export(python(), "http", &http(&server), "none");
    export(python(), "http", &http(&server), "gzip");
    check(dir.path(), server, 4, true);
}

#[test]
fn the_sdk_for_node_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    export(node(), "grpc", &grpc(&server), "none");
    export(node(), "grpc", &grpc(&server), "gzip");
    export(node(), "proto", &http(&server), "none");
    export(node(), "proto", &http(&server), "gzip");
    export(node(), "json", &http(&server), "none");
    export(node(), "json", &http(&server), "gzip");
    // Its exporters leave the attributes of a scope out.
    check(dir.path(), server, 6, false);
}
