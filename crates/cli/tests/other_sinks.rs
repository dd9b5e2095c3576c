//! Events over HTTP, out through the sinks of the types `http`, `file` and `stdout`, side by side.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Server, tidegate};
use serde_json::Value;
use tidegate_testbed::http::{Behaviour, Deed, HttpBackend, Reply};

const NDJSON: &str = "application/x-ndjson";

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("{{\"msg\":\"event {n}\",\"n\":{n}}}\n")).collect()
}

/// A configuration as the reference shows it.
fn configure(dir: &Path, url: &str) -> String {
    let path = dir.join("tidegate.yaml");
    let text = format!(
        "sinks:
  api:
    type: http
    url: {url}
    headers: {{ Authorization: \"Bearer ${{TEST_API_TOKEN:-t0ken-of-the-test}}\" }}
    compression: zstd
    batch_size: {{ initial: 100, max: 1000 }}
  lines:
    type: file
    rotation: {{ bytes_max: 256 KiB }}
"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The texts of the events in all files of the sink `lines`, and how often each is there.
fn in_files(dir: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("lines.ndjson") {
            for line in fs::read_to_string(path).unwrap().lines() {
                *found.entry(text(line)).or_default() += 1;
            }
        }
    }
    found
}

fn text(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["body"].as_str().unwrap(), format!("event {}", event["attributes"]["n"]));
    event["body"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_reach_an_api_that_fails_and_a_file_that_rotates() {
    let backend =
        HttpBackend::start(Behaviour { honours_keys: true, ..Behaviour::default() }).unwrap();
    let echo = Reply::status(401).body("unknown: Bearer t0ken-of-the-test");
    backend.script([
        Deed::Refuse(echo),
        Deed::TakeAndDrop,
        Deed::status(503),
        Deed::Refuse(Reply::status(429).header("Retry-After", "0")),
        Deed::Drop,
    ]);
    let dir = tempfile::tempdir().unwrap();
    let url = backend.url("/v1/{lane}/events");
    let config = configure(dir.path(), &url);
    let data = dir.path().join("data");
    let server = tokio::task::spawn_blocking(move || {
        let server = Server::start_with(&data, &["--listen", "127.0.0.1:0", "--config", &config]);
        for request in 0..10 {
            let body = lines(request * 500..(request + 1) * 500);
            assert_eq!(server.post(NDJSON, body).status, 200);
        }
        server
    });
    let server = server.await.unwrap();
    backend.until(|ledger| ledger.items.len() == 5_000).await;
    let (status, log) = tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
    assert!(status.success(), "{log:#?}");

    let ledger = backend.ledger();
    assert!(ledger.items.values().all(|taken| taken.times == 1));
    let texts: BTreeMap<_, _> = ledger.items.values().map(|taken| (text(&taken.text), 1)).collect();
    assert_eq!(in_files(&dir.path().join("data")), texts);
    assert_eq!(texts.len(), 5_000);
    let first = &ledger.requests[0];
    assert_eq!(first.line, "POST /v1/default/events");
    assert_eq!(first.headers["authorization"], "Bearer t0ken-of-the-test");
    // Told what to change, without the secret that the backend repeated.
    let warning = log.iter().find(|line| line.contains("401 Unauthorized")).expect("no warning");
    assert!(warning.contains("Check the credentials in the sink's headers"), "{warning}");
    assert!(!log.iter().any(|line| line.contains("t0ken-of-the-test")), "{log:#?}");
}

#[test]
fn standard_output_gets_lines_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tidegate.yaml");
    fs::write(&config, "sinks: { console: { type: stdout } }").unwrap();
    let output = dir.path().join("output");
    let mut command = tidegate();
    command.arg("serve").arg("--data-dir").arg(dir.path().join("data"));
    command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&config);
    command.stdout(fs::File::create(&output).unwrap());
    let server = Server::run(command);
    assert_eq!(server.post(NDJSON, lines(0..1_000)).status, 200);
    assert!(server.stop().0.success());
    let written = fs::read_to_string(&output).unwrap();
    let expected: Vec<_> = (0..1_000).map(|n| format!("event {n}")).collect();
    assert_eq!(written.lines().map(text).collect::<Vec<_>>(), expected);
}

#[test]
fn a_sink_that_cannot_be_used_is_told_before_anything_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tidegate.yaml");
    for (sink, expected) in [
        ("type: http", "sinks.s.url is empty, but must be the address of an HTTP server"),
        ("type: http, url: 'http://a/{lan}'", "did you mean `{lane}`?"),
        ("type: http, url: 'https://a', ca_file: missing.pem", "ca_file missing.pem: "),
        ("type: file, path: /", "sinks.s.path is \"/\", but must be the path of a file"),
        ("type: file, path: /dev/null/a", "cannot create its directory"),
    ] {
        fs::write(&config, format!("sinks: {{ s: {{ {sink} }} }}")).unwrap();
        let mut command = tidegate();
        command.arg("serve").arg("--data-dir").arg(dir.path().join("data"));
        let output = command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&config).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{said}");
    }
}
