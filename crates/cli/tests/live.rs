//! Whoever watches, through the real binary: a stream that resumes or says why not, decisions by the
//! thousand, bounds, foreign pages, and the simulator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "live/slow.rs"]
mod slow;
#[path = "live/stream.rs"]
mod stream;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use common::{Answer, Server, agent};
use serde_json::{Value, json};
use stream::Stream;

const NDJSON: &str = "application/x-ndjson";

/// A server with these settings, on a free port.
fn server(dir: &Path, settings: &str) -> Server {
    let file = dir.join("tidegate.yaml");
    std::fs::write(&file, format!("http: {{ listen: '127.0.0.1:0' }}\n{settings}")).unwrap();
    Server::start_with(dir, &["--config", &file.display().to_string()])
}

fn events(count: usize) -> String {
    (0..count).fold(String::new(), |mut body, n| {
        writeln!(body, r#"{{"msg":"event {n}"}}"#).unwrap();
        body
    })
}

fn post(server: &Server, count: usize) {
    assert_eq!(server.post(NDJSON, events(count)).status, 200);
}

/// Sends a request with headers of its own.
fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(agent().run(request.body(body.to_owned()).unwrap()).unwrap())
}

/// Status, and the code of a refusal.
fn code(answer: &Answer) -> (u16, String) {
    if answer.status < 400 {
        return (answer.status, String::new());
    }
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code)
}

#[test]
fn a_stream_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "");
    let mut first = Stream::open(&server, None);
    let hello = first.next().of("hello");
    assert_eq!(hello.data["lanes"][0]["key"], "sqlite/default");
    assert_eq!(hello.data["server"]["tick_ms"], 250);
    let tick = first.next().of("tick");
    let sequence = tick.data["sequence"].as_u64().unwrap();
    assert_eq!(sequence, hello.data["tick"]["sequence"].as_u64().unwrap() + 1, "nothing between");
    drop(first);

    // A break of a few ticks, in which something happens.
    post(&server, 700);
    let mut other = Stream::open(&server, None);
    other.wait_for(|event| event.data["sequence"].as_u64() >= Some(sequence + 4));
    let mut again = Stream::open(&server, Some(&tick.id));
    let mut delivered = 0;
    for expected in sequence + 1..sequence + 8 {
        let tick = again.next().of("tick");
        assert_eq!(tick.data["sequence"], expected, "every tick, once, in order");
        delivered = delivered.max(tick.data["lanes"][0]["delivered"].as_u64().unwrap());
    }
    assert_eq!(delivered, 700);
    assert!(server.stop().0.success());
}

#[test]
fn a_restart_is_told_as_a_gap_and_the_stream_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = server(dir.path(), "");
    let mut stream = Stream::open(&before, None);
    let run = stream.next().of("hello").data["server"]["run"].clone();
    let tick = stream.next().of("tick");
    before.terminate();
    let bye = stream.wait_for(|event| event.name == "bye");
    assert_eq!(bye.data["reason"], "stopping");
    assert!(stream.is_over(), "a stream does not hold up the end of the server");
    assert!(before.wait().success());

    let after = server(dir.path(), "");
    let mut stream = Stream::open(&after, Some(&tick.id));
    let gap = stream.next().of("gap");
    assert_eq!((&gap.data["reason"], &gap.data["after"]), (&json!("restarted"), &json!(tick.id)));
    let hello = stream.next().of("hello");
    assert_ne!(hello.data["server"]["run"], run);
    stream.next().of("tick");

    let mut unknown = Stream::open(&after, Some("nonsense"));
    assert_eq!(unknown.next().of("gap").data["reason"], "unknown");
    unknown.next().of("hello");
    // In place of a header, as a browser's own reader would have it.
    let mut asked = Stream::open_at(&after, &format!("/api/stream?after={}", tick.id), None, None);
    assert_eq!(asked.next().of("gap").data["reason"], "restarted");
}

#[test]
fn a_thousand_decisions_are_found_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let sink = "{ type: blackhole, batch_size: { initial: 1 }, \
                controller: { name: aimd, startup: 1, step: 1 } }";
    let settings = format!("sinks: {{ a: {sink}, b: {sink}, c: {sink}, d: {sink} }}\n");
    let server = server(dir.path(), &settings);
    let total = |server: &Server| server.get("/api/decisions?limit=1").json()["total"].as_u64();
    while total(&server) < Some(1200) {
        post(&server, 5000);
    }
    // No more are made while they are read.
    server.wait_for_metrics(|all| {
        all["lanes"].as_array().unwrap().iter().all(|lane| lane["backlog"] == 0)
    });
    let (mut seen, mut before) = (BTreeSet::new(), String::new());
    let mut last_at = i64::MAX;
    loop {
        let page = server.get(&format!("/api/decisions?limit=100{before}")).json();
        for made in page["decisions"].as_array().unwrap() {
            assert!(seen.insert(made["id"].as_str().unwrap().to_owned()), "told twice: {made}");
            let at = made["at_unix_ms"].as_i64().unwrap();
            assert!(at <= last_at, "the newest first");
            last_at = at;
            assert!(!made["reason"].as_str().unwrap().is_empty());
            assert_ne!(made["from"], made["to"]);
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => {
                assert_eq!(page["kept"].as_u64(), Some(seen.len() as u64));
                break;
            }
        }
    }
    assert!(seen.len() >= 1000, "{}", seen.len());

    let of_lane = server.get("/api/decisions?lane=a/default&number=7").json();
    assert_eq!(of_lane["decisions"][0]["id"], "a/default/7");
    assert_eq!(of_lane["matching"], 1);
    let raised = server.get("/api/decisions?search=RAISED&by=aimd&lane=a/default,b/default").json();
    assert!(raised["matching"].as_u64() > Some(100), "{}", raised["matching"]);
    assert_eq!(server.get("/api/decisions?search=nobody%20says%20this").json()["matching"], 0);
    assert_eq!(code(&server.get("/api/decisions?limit=1001")), (400, "out_of_bounds".into()));
    assert_eq!(code(&server.get("/api/decisions?lane=z")), (404, "no_such_lane".into()));
    assert_eq!(code(&server.get("/api/decisions?befor=1")), (400, "unknown_query".into()));
    // A snapshot is as old as the last tick.
    let told = || server.get("/api/snapshot").json()["decisions"].as_array().unwrap().len();
    assert!((0..10_000).any(|_| told() == 200), "{}", told());
}

#[test]
fn a_guard_lowers_the_plan_whatever_the_controller_thinks() {
    let dir = tempfile::tempdir().unwrap();
    // No process is that small, so the guard speaks as soon as the host is read.
    let settings = "sinks: { a: { type: blackhole, batch_size: { initial: 400 }, controller: fixed, \
                    guards: { process_memory: 1 MiB } } }\n";
    let server = server(dir.path(), settings);
    let size = |all: &Value| all["lanes"][0]["plan"]["batch_size"].as_u64().unwrap();
    server.wait_for_metrics(|all| size(all) <= 200);
    let made = server.get("/api/decisions?by=memory").json()["decisions"][0].clone();
    let reason = made["reason"].as_str().unwrap();
    assert!(reason.contains("of the process's memory limit is in use"), "{made}");
    assert!(made["to"]["batch_size"].as_u64() < made["from"]["batch_size"].as_u64(), "{made}");
    post(&server, 1000);
    server.wait_for_metrics(|all| all["lanes"][0]["delivered"] == 1000);
}

#[test]
fn twenty_lanes_are_one_small_message() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "classes: { x: {}, y: {}, z: {} }\nsinks: { a: { type: blackhole }, b: { type: \
                    blackhole }, c: { type: blackhole }, d: { type: blackhole }, e: { type: sqlite } }\n";
    let server = server(dir.path(), settings);
    let mut stream = Stream::open(&server, None);
    let hello = stream.next().of("hello");
    let lanes = hello.data["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 20);
    for class in ["x", "y", "z", "other"] {
        let body = format!(r#"{{"msg":"m","class":"{class}"}}"#);
        assert_eq!(server.post("application/json", body).status, 200);
    }
    let tick = stream.wait_for(|event| {
        let lanes = event.data["lanes"].as_array();
        lanes.is_some_and(|lanes| lanes.iter().all(|lane| lane["delivered"] == 1))
    });
    let bytes = tick.data.to_string().len();
    assert!(bytes < 48_000, "{bytes} bytes a message");
    assert_eq!(tick.data["totals"]["backlog"], 0);
    assert!(tick.data["resources"]["disk_use"]["bytes"].as_u64() > Some(0));
    assert!(tick.data["journal"]["sync_ms"]["p50"].as_f64() > Some(0.0));

    let asked = "/api/history?lane=a/x,e/default&series=out_per_second,batch_size";
    let history = server.get(asked).json();
    let length = history["at_unix_ms"].as_array().unwrap().len();
    assert!(length > 1);
    assert_eq!(history["lanes"]["a/x"].as_object().unwrap().len(), 2);
    assert_eq!(history["lanes"]["e/default"]["batch_size"].as_array().unwrap().len(), length);
    let whole = server.get("/api/history").json();
    for (name, series) in whole["totals"].as_object().unwrap() {
        assert_eq!(
            series.as_array().unwrap().len(),
            whole["at_unix_ms"].as_array().unwrap().len(),
            "{name}"
        );
    }
    let curve = server.get("/api/curve?lane=e/default").json();
    assert_eq!(curve["points"][0]["outcome"], "ok");
    assert_eq!(
        (&curve["gain"]["kind"], &curve["bins"][0]["attempts"]),
        (&json!("unknown"), &json!(1))
    );
    assert_eq!(server.get("/api/curve?lane=e/default&points=0").json()["points"], json!([]));
    assert!(server.stop().0.success());
}

#[test]
fn watchers_are_bounded_and_a_place_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "dashboard: { watchers_max: 2 }\n");
    let (first, mut second) = (Stream::open(&server, None), Stream::open(&server, None));
    let refused = server.get("/api/stream");
    assert_eq!(code(&refused), (503, "too_many_watchers".into()));
    assert_eq!(refused.retry_after.as_deref(), Some("5"));
    assert!(refused.message().contains("dashboard.watchers_max"));
    second.next().of("hello");
    drop(first);
    // The place is free once the server has seen the connection go.
    let mut third = loop {
        match Stream::try_open(&server, "/api/stream", None, None) {
            Ok(stream) => break stream,
            Err(status) => assert_eq!(status, 503),
        }
    };
    third.next().of("hello");
    second.next().of("tick");
}

#[test]
fn actions_of_foreign_pages_are_refused_and_actions_are_logged() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path(), "");
    let (ours, purge) = (format!("http://{}", server.address()), "/api/dead-letters?confirm=true");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = send(&server, "DELETE", purge, &[(name, value)], "");
        assert_eq!(code(&answer), (403, "foreign_origin".into()), "{name}: {value}");
    }
    let race = r#"{"scenario":"pgA","controllers":["fixed"],"seeds":1}"#;
    let headers = [("origin", "https://evil.example"), ("content-type", "application/json")];
    assert_eq!(send(&server, "POST", "/api/simulator/runs", &headers, race).status, 403);
    assert_eq!(send(&server, "POST", "/api/dead-letters/retry", &headers, "").status, 403);
    let refused = server.wait_for_line("an action of a foreign origin was refused");
    assert!(refused.contains("/api/dead-letters"), "{refused}");

    let headers = [("origin", &*ours), ("sec-fetch-site", "same-origin")];
    let answer = send(&server, "DELETE", purge, &headers, "");
    assert_eq!((answer.status, answer.json()["purged"].as_u64()), (200, Some(0)));
    let logged = server.wait_for_line("an action over the API");
    assert!(logged.contains("DELETE") && logged.contains("confirm=true"), "{logged}");
    // Events are handed over by no foreign page either: a form or a beacon needs no preflight.
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let headers = [(name, value), ("content-type", "text/plain")];
        let answer = send(&server, "POST", "/v1/events", &headers, "forged");
        assert_eq!(code(&answer), (403, "foreign_origin".into()), "{name}: {value}");
    }
    let headers = [("origin", &*ours), ("content-type", "text/plain")];
    assert_eq!(send(&server, "POST", "/v1/events", &headers, "of our page").status, 200);
    assert_eq!(server.post("text/plain", "of a program").status, 200);
    let ingest = server.get("/api/metrics").json()["ingest"].clone();
    assert_eq!((&ingest["accepted"], &ingest["requests"]), (&json!(2), &json!(4)), "{ingest}");
    let preflight =
        send(&server, "OPTIONS", "/v1/events", &[("origin", "https://evil.example")], "");
    assert!(preflight.status >= 400, "no preflight is granted");
    // Looking is no action, and a program is no page.
    assert_eq!(
        send(&server, "GET", "/api/snapshot", &[("sec-fetch-site", "cross-site")], "").status,
        200
    );
    assert_eq!(send(&server, "DELETE", purge, &[], "").status, 200);
}

#[test]
fn a_token_guards_the_api_and_not_the_pages() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidegate.yaml");
    let token = "a-token-of-some-length";
    let settings =
        format!("http: {{ listen: '127.0.0.1:0', token: {token} }}\nlog: {{ level: info }}\n");
    std::fs::write(&file, settings).unwrap();
    let server = Server::start_with(dir.path(), &["--config", &file.display().to_string()]);
    for path in ["/api/snapshot", "/api/stream", "/api/settings", "/api/simulator", "/api/history"]
    {
        assert_eq!(code(&server.get(path)), (401, "unauthorized".into()), "{path}");
    }
    assert_eq!(server.get("/").status, 200);
    let bearer = format!("Bearer {token}");
    // Whoever has the token may hand over events, from wherever: a page cannot send it unasked.
    let headers = [("authorization", &*bearer), ("origin", "https://shop.example")];
    assert_eq!(send(&server, "POST", "/v1/events", &headers, "{}").status, 200);
    let mut stream = Stream::open_at(&server, "/api/stream", None, Some(&bearer));
    assert_eq!(stream.next().of("hello").data["server"]["needs_token"], true);

    let settings = send(&server, "GET", "/api/settings", &[("authorization", &bearer)], "");
    assert!(!settings.body.contains(token), "secrets are masked");
    let settings = settings.json();
    let of = |path: &str| {
        let all = settings["settings"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["path"] == path).unwrap()
    };
    assert_eq!(of("http.token")["value"], "***");
    assert_eq!((&of("log.level")["origin"], &of("log.level")["line"]), (&json!("file"), &json!(2)));
    assert_eq!(of("data_dir")["origin"], "flag");
    assert_eq!(of("drain_timeout")["origin"], "default");
    assert_eq!(settings["file"], file.display().to_string());
}

#[test]
fn every_route_of_the_document_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "");
    let document = server.get("/api/openapi.json").json();
    assert_eq!(document, tidegate_server::live::openapi());
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{id}", "1");
            // The stream does not end.
            if path == "/api/stream" {
                continue;
            }
            let answer = send(&server, &method.to_uppercase(), &path, &[], "");
            let (status, code) = code(&answer);
            assert!(code != "no_such_path" && status != 405, "{method} {path}: {status} {code}");
            asked += 1;
        }
    }
    assert!(asked >= 15, "{asked}");
}

#[test]
fn a_race_is_run_by_the_server_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "");
    let catalogue = server.get("/api/simulator").json();
    assert!(catalogue["scenarios"].as_array().unwrap().iter().any(|one| one["name"] == "pgA"));
    assert_eq!(catalogue["last"], Value::Null);
    let json_type = [("content-type", "application/json")];
    let begin = |body: &str| send(&server, "POST", "/api/simulator/runs", &json_type, body);
    let refused = begin(r#"{"scenario":"pgA","controllers":["imd"],"seeds":1}"#);
    assert_eq!(code(&refused), (400, "bad_race".into()));
    let refused = begin(r#"{"scenario":"pgA","controllers":["aimd"],"seeds":100000}"#);
    assert_eq!(code(&refused), (400, "out_of_bounds".into()));
    assert_eq!(code(&begin("{}")), (400, "bad_race".into()));

    let begun = begin(r#"{"scenario":"pgA","controllers":["aimd","fixed"],"seeds":1}"#);
    assert_eq!((begun.status, &begun.json()["state"]), (202, &json!("running")));
    let id = begun.json()["id"].as_u64().unwrap();
    let path = format!("/api/simulator/runs/{id}");
    let run = loop {
        let run = server.get(&path).json();
        if run["state"] != "running" {
            break run;
        }
        let other = begin(r#"{"scenario":"pgA","controllers":["aimd"],"seeds":1}"#);
        assert!(other.status == 409 || other.status == 202, "{}", other.body);
        if other.status == 202 {
            break server.get(&format!("/api/simulator/runs/{}", id + 1)).json();
        }
    };
    if run["id"] == id {
        assert_eq!(run["state"], "done", "{}", run["error"]);
        let runners = run["result"]["runners"].as_array().unwrap();
        assert_eq!(runners.len(), 2);
        let length = runners[0]["timeline"]["at_s"].as_array().unwrap().len();
        assert!(length > 100);
        assert_eq!(runners[0]["timeline"]["batch_size"].as_array().unwrap().len(), length);
        assert!(run["result"]["oracle"]["goodput"][length / 2].as_f64() > Some(0.0));
    }
    let missing = server.get("/api/simulator/runs/99");
    assert_eq!(code(&missing), (404, "no_such_race".into()));
    let cancelled = send(&server, "DELETE", &path, &[], "");
    assert!(cancelled.status == 200 || cancelled.status == 404, "{}", cancelled.body);
    assert!(server.stop().0.success());
}

#[test]
fn masked_fields_do_not_leave_the_server_and_survive_a_mend() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "dashboard: { mask: [password] }\n");
    let database = rusqlite::Connection::open(common::database_path(dir.path())).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.body LIKE 'poison%'
             BEGIN SELECT raise(ABORT, 'poison is not taken'); END",
        )
        .unwrap();
    let event = r#"{"msg":"poison","user":{"name":"ann","Password":"swordfish"}}"#;
    assert_eq!(server.post("application/json", event).status, 200);
    server.wait_for_metrics(|all| all["dead_letters"]["items"] == 1);
    let list = server.get("/api/dead-letters").json();
    assert_eq!(list["groups"][0]["count"], 1);
    let id = list["letters"][0]["id"].as_u64().unwrap();
    let letter = server.get(&format!("/api/dead-letters/{id}"));
    for answer in [
        &letter,
        &server.get("/api/dead-letters/export"),
        &server.get("/api/dead-letters/export?events=true"),
    ] {
        assert!(
            !answer.body.contains("swordfish") && answer.body.contains("***"),
            "{}",
            answer.body
        );
        assert!(answer.body.contains("ann"));
    }
    let mended = letter.json()["event"].to_string().replace("poison", "mended");
    let json_type = [("content-type", "application/json")];
    let path = format!("/api/dead-letters/{id}");
    assert_eq!(send(&server, "PUT", &path, &json_type, &mended).status, 200);
    let retried = send(&server, "POST", "/api/dead-letters/retry", &[], "").json();
    assert_eq!(retried["delivered"], 1, "{retried}");
    let stored: String = common::query(dir.path(), "SELECT attributes FROM events");
    assert!(stored.contains("swordfish"), "what was masked is what it was: {stored}");
}

#[test]
fn a_breaker_that_opens_is_told_with_why_and_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "sinks: { api: { type: http, url: 'http://127.0.0.1:9/', breaker: { failures: 2 }, \
                    retry: { first: 1 ms, max: 50 ms } } }\ndrain_timeout: 0 s\n";
    let server = server(dir.path(), settings);
    let mut stream = Stream::open(&server, None);
    stream.next().of("hello");
    post(&server, 10);
    let tick = stream.wait_for(|event| event.data["sinks"][0]["breaker"] == "open");
    let says = tick.data["lanes"][0]["says"].as_str().unwrap();
    assert!(says.starts_with("waiting ") && says.ends_with("10 events wait"), "{says}");
    assert!(tick.data["says"].as_str().unwrap().starts_with("`api/default`: waiting"), "{says}");
    let snapshot = server.get("/api/snapshot").json();
    let opened = &snapshot["transitions"][0];
    assert_eq!((&opened["to"], &opened["number"]), (&json!("open"), &json!(0)));
    assert!(opened["reason"].as_str().unwrap().contains("2 failures"), "{opened}");
}

/// Invariant: whatever the board asks Prometheus for is what a server exposes.
#[test]
fn every_metric_of_the_board_exists() {
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/tidegate.json");
    let board: Value = serde_json::from_str(&std::fs::read_to_string(board).unwrap()).unwrap();
    let mut queries = Vec::new();
    collect(&board, "expr", &mut queries);
    collect(&board, "query", &mut queries);
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "");
    post(&server, 10);
    server.wait_for_metrics(|all| all["lanes"][0]["backlog"] == 0);
    let exposed = server.get("/metrics").body;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut asked = BTreeSet::new();
    for query in &queries {
        asked.extend(query.split(|c| !is_name(c)).filter(|word| word.starts_with("tidegate_")));
    }
    assert!(asked.len() >= 20, "{asked:?}");
    for name in asked {
        let begins =
            |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        assert!(exposed.lines().any(begins), "the board asks for {name}, which nobody exposes");
    }
}

/// Every text under this key, however deep.
fn collect(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text.clone()),
                    value => collect(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}
