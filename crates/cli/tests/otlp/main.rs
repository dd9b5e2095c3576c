//! OpenTelemetry logs into the real binary: over gRPC and HTTP, from clients that are written by
//! hand, generated, and the SDKs' own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod grpc;
mod http;
mod load;
mod ports;
mod sdks;
mod status;
mod tls;

use std::path::Path;

use common::Server;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Starts with free ports for OTLP and this configuration besides.
fn start(dir: &Path, config: &str) -> Server {
    let file = dir.join("tidegate.yaml");
    let otlp = "otlp: { grpc: 127.0.0.1:0, http: 127.0.0.1:0 }";
    std::fs::write(&file, format!("{otlp}\n{config}\n")).unwrap();
    let file = file.to_str().unwrap();
    Server::start_with(&dir.join("data"), &["--listen", "127.0.0.1:0", "--config", file])
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.to_owned())) }
}

/// A request with these bodies, of the service `checkout`.
fn request(bodies: &[&str]) -> ExportLogsServiceRequest {
    let service = KeyValue {
        key: "service.name".into(),
        value: Some(text("checkout")),
        ..KeyValue::default()
    };
    let record = |body: &&str| LogRecord {
        time_unix_nano: 1_790_000_000_000_000_000,
        severity_number: 9,
        body: Some(text(body)),
        ..LogRecord::default()
    };
    let log_records = bodies.iter().map(record).collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: vec![service], ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    }
}

/// A request of which one record is nested deeper than is taken.
fn request_with_a_bad_record() -> ExportLogsServiceRequest {
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    let mut deep = text("er");
    for _ in 0..100 {
        deep = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![deep] })) };
    }
    let mut request = request(&["ebb", "bad", "flood"]);
    request.resource_logs[0].scope_logs[0].log_records[1].body = Some(deep);
    request
}

/// Waits until so many events are in the database, and returns their bodies in order.
fn bodies(dir: &Path, server: &Server, events: u64) -> Vec<String> {
    server.wait_for_metrics(|metrics| {
        metrics["lanes"][0]["delivered"].as_u64().is_some_and(|delivered| delivered >= events)
    });
    let database = common::database(&dir.join("data"));
    let mut rows = database.prepare("SELECT body FROM events ORDER BY position").unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
