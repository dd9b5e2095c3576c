//! Over HTTP, by hand: protobuf and JSON, packed or not, at both ports.

use std::io::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use serde_json::{Value, json};

use crate::common::{Server, agent};
use crate::status::Status;
use crate::{bodies, request, request_with_a_bad_record, start};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// An answer, whatever its encoding.
struct Answer {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.content_type, JSON);
        serde_json::from_slice(&self.body).unwrap()
    }

    fn refusal(&self) -> Status {
        assert_eq!(self.content_type, PROTOBUF);
        Status::decode(&self.body[..]).unwrap()
    }
}

/// Posts to the port of OTLP.
fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let url = format!("http://{}{path}", server.otlp_http().unwrap());
    let mut asked = agent().post(url);
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    let mut answer = asked.send(body).unwrap();
    let header = |name| {
        let value = answer.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let (content_type, retry_after) = (header("content-type"), header("retry-after"));
    Answer {
        status: answer.status().as_u16(),
        content_type: content_type.unwrap_or_default(),
        retry_after,
        body: answer.body_mut().read_to_vec().unwrap(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

fn one(body: &str) -> String {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "body": { "stringValue": body } }] }] }] })
        .to_string()
}

#[test]
fn every_encoding_is_taken_and_answered_in_itself() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "");
    let protobuf = request(&["one"]).encode_to_vec();
    let answer = post(&server, "/v1/logs", &[("content-type", PROTOBUF)], &protobuf);
    assert_eq!((answer.status, answer.content_type.as_str()), (200, PROTOBUF));
    let told = ExportLogsServiceResponse::decode(&answer.body[..]).unwrap();
    assert_eq!(told, ExportLogsServiceResponse::default());

    let answer = post(
        &server,
        "/v1/logs",
        &[("content-type", "application/json; charset=utf-8")],
        one("two").as_bytes(),
    );
    assert_eq!((answer.status, answer.json()), (200, json!({})));

    let packed = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(
        post(&server, "/v1/logs", &packed, &gzip(&request(&["three"]).encode_to_vec())).status,
        200
    );
    let packed = [("content-type", JSON), ("content-encoding", "gzip")];
    assert_eq!(post(&server, "/v1/logs", &packed, &gzip(one("four").as_bytes())).status, 200);
    // And at the main port.
    let answer = server.post_to("/v1/logs", &[("content-type", JSON)], one("five"));
    assert_eq!(answer.status, 200);
    // A request of nothing is as good as others.
    assert_eq!(post(&server, "/v1/logs", &[("content-type", PROTOBUF)], b"").status, 200);
    assert_eq!(post(&server, "/v1/logs", &[("content-type", JSON)], b"{}").status, 200);
    assert_eq!(bodies(dir.path(), &server, 5), ["one", "two", "three", "four", "five"]);
}

#[test]
fn the_records_that_are_refused_are_counted_in_the_encoding_of_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "");
    let protobuf = [("content-type", PROTOBUF)];
    let json = [("content-type", JSON)];

    let partial =
        post(&server, "/v1/logs", &protobuf, &request_with_a_bad_record().encode_to_vec());
    assert_eq!(partial.status, 200);
    let told = ExportLogsServiceResponse::decode(&partial.body[..]).unwrap();
    assert_eq!(told.partial_success.unwrap().rejected_log_records, 1);
    let text =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"INFO"},{}]}]}]}"#;
    let partial = post(&server, "/v1/logs", &json, text.as_bytes()).json();
    assert_eq!(partial["partialSuccess"]["rejectedLogRecords"], "1");
    let why = partial["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(why.contains("log record 1"), "{why}");
    assert_eq!(server.get("/api/metrics").json()["ingest"]["accepted"], 3);
}

#[test]
fn what_cannot_be_taken_is_told_in_the_encoding_of_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(
        dir.path(),
        "http: { body_bytes_max: 8 KiB, decompressed_bytes_max: 64 KiB, event_bytes_max: 64 KiB }",
    );
    let protobuf = [("content-type", PROTOBUF)];
    let json = [("content-type", JSON)];

    let answer = post(&server, "/v1/logs", &protobuf, &[0x0a, 0xff]);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.refusal().code, 3);
    assert!(answer.refusal().message.contains("at byte"), "{}", answer.refusal().message);
    let answer = post(&server, "/v1/logs", &json, b"{\"resourceLogs\": [{]}");
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(3)));
    assert!(answer.json()["message"].as_str().unwrap().contains("line 1 column"));
    assert_eq!(answer.retry_after, None);

    assert_eq!(post(&server, "/v1/logs", &[("content-type", "text/plain")], b"x").status, 415);
    let brotli = [("content-type", PROTOBUF), ("content-encoding", "br")];
    assert_eq!(post(&server, "/v1/logs", &brotli, b"x").status, 415);
    assert_eq!(post(&server, "/v1/logs", &protobuf, &[0; 9000]).status, 413);
    let bomb = gzip(&vec![0; 1 << 20]);
    let packed = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let answer = post(&server, "/v1/logs", &packed, &bomb);
    assert_eq!(answer.status, 413);
    assert!(answer.refusal().message.contains("unpacks to more than 65536 bytes"));
    // A resource that is repeated in every row may not be more than the bound either.
    let wide = json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "a", "value": { "stringValue": "x".repeat(4000) } }] },
        "scopeLogs": [{ "logRecords": vec![json!({}); 100] }],
    }] });
    let answer = post(&server, "/v1/logs", &json, wide.to_string().as_bytes());
    assert_eq!(answer.status, 413);
    assert!(answer.json()["message"].as_str().unwrap().contains("with its resource and scope"));

    assert_eq!(server.get("/api/metrics").json()["ingest"]["accepted"], 0);
}

#[test]
fn other_signals_and_paths_are_told_that_they_are_not_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "");
    let protobuf = [("content-type", PROTOBUF)];
    let json = [("content-type", JSON)];
    for (path, signal) in [("/v1/traces", "traces"), ("/v1/metrics", "metrics")] {
        let answer = post(&server, path, &protobuf, b"");
        assert_eq!((answer.status, answer.refusal().code), (404, 12));
        assert!(answer.refusal().message.starts_with(&format!("{signal} are not accepted")));
        let answer = server.post_to(path, &json, "{}");
        assert_eq!(answer.status, 404);
        assert!(answer.json()["message"].as_str().unwrap().contains("only those"));
    }
    assert_eq!(post(&server, "/v1/events", &json, b"{}").status, 404);
    assert_eq!(
        agent()
            .get(format!("http://{}/v1/logs", server.otlp_http().unwrap()))
            .call()
            .unwrap()
            .status(),
        404
    );
}

#[test]
fn a_token_is_asked_for_at_both_ports() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "http: { token: 0123456789abcdef }");
    let without = [("content-type", JSON)];
    let with = [("content-type", JSON), ("authorization", "Bearer 0123456789abcdef")];
    let answer = post(&server, "/v1/logs", &without, one("a").as_bytes());
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (401, Some(16)));
    assert_eq!(server.post_to("/v1/logs", &without, one("a")).status, 401);
    assert_eq!(post(&server, "/v1/logs", &with, one("a").as_bytes()).status, 200);
    assert_eq!(server.post_to("/v1/logs", &with, one("a")).status, 200);
}

#[test]
fn over_a_bound_it_is_said_when_to_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(
        dir.path(),
        "http: { body_bytes_max: 64 KiB, decompressed_bytes_max: 64 KiB, event_bytes_max: 16 KiB, \
         in_flight_bytes_max: 64 KiB }",
    );
    // Its own body is more than all bodies together may take beside its rows.
    let body = one(&"x".repeat(60_000));
    let packed = [("content-type", JSON), ("content-encoding", "gzip")];
    let answer = post(&server, "/v1/logs", &packed, &gzip(body.as_bytes()));
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
    assert_eq!(answer.json()["code"], 14);
    assert_eq!(answer.json()["details"][0]["retryDelay"], "1s");
}
