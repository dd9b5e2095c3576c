//! Whatever is wrong with what comes in: the status or exit code, a message that says what, where
//! and what to do, and that nothing accepted is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test that hangs must end by the clock")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Output;

use common::{Server, database_path, query, tidegate};

const NDJSON: &str = "application/x-ndjson";
const GOOD: &str = "{\"msg\":\"good\"}\n";

/// A server that accepts one good event before and one after whatever happens in between.
fn around(bad: impl FnOnce(&Server)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    bad(&server);
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    assert!(server.stop().0.success());
    let good: i64 = query(dir.path(), "SELECT count(*) FROM events WHERE body = 'good'");
    assert_eq!(good, 2);
    dir
}

fn only_good(dir: &Path) {
    assert_eq!(query::<i64>(dir, "SELECT count(*) FROM events"), 2);
}

#[test]
fn a_bad_line_refuses_the_request_and_names_the_line() {
    let dir = around(|server| {
        for (body, reason) in [
            ("{\"a\":1}\n{\"a\":\n{\"a\":3}\n", "the JSON ends too early"),
            ("{\"a\":1}\n{a:1}\n", "not valid JSON"),
            ("{\"a\":1}\n42\n", "expected an object, found a number"),
            ("{\"a\":1}\n{\"a\":1} x\n", "not valid JSON"),
        ] {
            let answer = server.post(NDJSON, body);
            assert_eq!(answer.status, 400, "{body}");
            let error = &answer.json()["error"];
            assert_eq!((&error["code"], &error["total"]), (&"bad_lines".into(), &1.into()));
            assert_eq!(error["lines"][0]["line"], 2);
            assert!(error["lines"][0]["reason"].as_str().unwrap().contains(reason), "{error}");
            assert!(answer.message().contains("nothing was accepted"));
        }
    });
    only_good(dir.path());
}

#[test]
fn with_partial_the_good_lines_are_taken_and_the_bad_ones_listed() {
    let dir = around(|server| {
        let body = "{\"msg\":\"kept\"}\nnot json\n{\"msg\":\"kept\"}\n";
        let answer = server.post_to("/v1/events?partial=true", &[("content-type", NDJSON)], body);
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["accepted"], &told["rejected"]),
            (200, &2.into(), &1.into())
        );
        assert_eq!(told["lines"][0]["line"], 2);
        let none = server.post_to("/v1/events?partial=true", &[("content-type", NDJSON)], "x\ny");
        assert_eq!((none.status, &none.json()["accepted"]), (400, &0.into()));
    });
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events WHERE body = 'kept'"), 2);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_place() {
    let dir = around(|server| {
        let answer = server.post(NDJSON, b"{\"a\":1}\n{\"a\":\"\xff\"}\n");
        assert_eq!(answer.status, 400);
        let error = &answer.json()["error"]["lines"][0];
        assert_eq!(error["line"], 2);
        assert!(error["reason"].as_str().unwrap().contains("is not UTF-8"), "{error}");
    });
    only_good(dir.path());
}

#[test]
fn an_empty_body_is_refused() {
    let dir = around(|server| {
        for (content_type, body) in [(NDJSON, ""), (NDJSON, "\n \n"), ("application/json", "[]")] {
            let answer = server.post(content_type, body);
            assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &"empty".into()));
            assert_eq!(answer.message(), "the body holds no event: send at least one");
        }
    });
    only_good(dir.path());
}

#[test]
fn a_gigabyte_is_refused_before_it_is_sent() {
    let dir = around(|server| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
                    content-length: 1073741824\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    });
    only_good(dir.path());
}

#[test]
fn a_chunked_body_is_refused_at_the_bound() {
    let dir = around(|server| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
        // 16 MiB are offered and 10 MiB taken; then the server may close under our writing.
        for _ in 0..256 {
            if stream.write_all(&chunk).is_err() {
                break;
            }
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    });
    only_good(dir.path());
}

#[test]
fn a_compression_bomb_is_refused() {
    let dir = around(|server| {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![b' '; 1 << 20];
        (0..100).for_each(|_| zip.write_all(&zeros).unwrap());
        let bomb = zip.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let headers = [("content-type", NDJSON), ("content-encoding", "gzip")];
        let answer = server.post_to("/v1/events", &headers, bomb);
        assert_eq!(answer.status, 413);
        assert_eq!(
            answer.message(),
            "the body unpacks to more than 67108864 bytes: send smaller requests"
        );
        let half = server.post_to("/v1/events", &headers, &b"\x1f\x8b\x08\x00\x00"[..]);
        assert_eq!((half.status, &half.json()["error"]["code"]), (400, &"broken_encoding".into()));
        let unknown = server.post_to("/v1/events", &[("content-encoding", "br")], GOOD);
        assert_eq!(
            (unknown.status, &unknown.json()["error"]["code"]),
            (415, &"unknown_encoding".into())
        );
    });
    only_good(dir.path());
}

#[test]
fn an_unknown_content_type_is_told_what_to_send() {
    let dir = around(|server| {
        let answer = server.post("application/x-www-form-urlencoded", GOOD);
        assert_eq!(answer.status, 415);
        assert!(answer.message().contains("send NDJSON as `application/x-ndjson`"));
    });
    only_good(dir.path());
}

#[test]
fn an_event_over_the_cap_is_refused_with_its_size_and_the_bound() {
    let dir = around(|server| {
        let large = format!("{{\"msg\":\"{}\"}}\n", "x".repeat(1 << 20));
        let answer = server.post(NDJSON, format!("{GOOD}{large}"));
        assert_eq!(answer.status, 400);
        let reason = answer.json()["error"]["lines"][0]["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("1048586") && reason.contains("1048576"), "{reason}");
    });
    only_good(dir.path());
}

#[test]
fn what_no_sink_could_store_is_replaced_and_counted() {
    let dir = around(|server| {
        let body = r#"{"msg":"a\u0000b","k\ud800ey":"\udfff","deep":[{"x":"\u0000"}],"fine":"\ud83d\ude00 \\u0000"}"#;
        let answer = server.post(NDJSON, body);
        assert_eq!((answer.status, &answer.json()["replaced_characters"]), (200, &4.into()));
    });
    let body: String =
        query(dir.path(), "SELECT body FROM events WHERE attributes ->> 'fine' IS NOT NULL");
    assert_eq!(body, "a\u{fffd}b");
    let fine: String = query(
        dir.path(),
        "SELECT attributes ->> 'fine' FROM events WHERE attributes ->> 'fine' IS NOT NULL",
    );
    assert_eq!(fine, "😀 \\u0000");
    let attributes: String =
        query(dir.path(), "SELECT attributes FROM events WHERE attributes ->> 'fine' IS NOT NULL");
    assert!(!attributes.contains("\"\\u0000\"") && !attributes.contains("\\ud800"), "{attributes}");
}

#[test]
fn a_client_that_dawdles_is_told_and_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, "http: { body_timeout: 100 ms, header_timeout: 100 ms }\n").unwrap();
    let args = ["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Server::start_with(dir.path(), &args);
    let mut half_body = TcpStream::connect(server.address()).unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"msg\":";
    half_body.write_all(head.as_bytes()).unwrap();
    let mut half_head = TcpStream::connect(server.address()).unwrap();
    half_head.write_all(b"POST /v1/ev").unwrap();
    let mut answer = String::new();
    half_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("retry-after: 1"), "{answer}");
    // Reads to the end: the server closes it.
    half_head.read_to_string(&mut String::new()).unwrap();
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 1);
}

#[test]
fn a_full_journal_tells_producers_when_to_come_back_and_goes_on_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    let text = "journal: { segment_bytes: 1 MiB, max_bytes: 4 MiB }\n\
                http: { body_bytes_max: 512 KiB, decompressed_bytes_max: 1 MiB, event_bytes_max: 64 KiB }\n";
    std::fs::write(&config, text).unwrap();
    let args = ["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Server::start_with(dir.path(), &args);
    let neighbour = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = format!("{{\"msg\":\"{}\"}}\n", "x".repeat(1000)).repeat(300);
    let (mut accepted, mut refused) = (0, None);
    for _ in 0..50 {
        let answer = server.post(NDJSON, &body);
        match answer.status {
            200 => accepted += 300,
            _ => refused = Some(answer),
        }
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("4 MiB hold no 15 MB");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &"journal_full".into()));
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    assert!(refused.message().contains("the journal is full"), "{}", refused.message());
    assert_eq!(server.get("/ready").status, 503);
    // What has no room is not even read, but with a key: it may be a repeat of what is stored.
    let unreadable = body.replace('{', "[");
    let unread = server.post(NDJSON, &unreadable);
    assert_eq!((unread.status, &unread.json()["error"]["code"]), (503, &"journal_full".into()));
    let keyed = [("content-type", NDJSON), ("idempotency-key", "a")];
    assert_eq!(server.post_to("/v1/events", &keyed, &unreadable).status, 400);

    neighbour.execute_batch("ROLLBACK").unwrap();
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    let deadline = std::time::Instant::now() + common::PATIENCE;
    while server.post(NDJSON, GOOD).status != 200 {
        assert!(std::time::Instant::now() < deadline, "it does not go on");
    }
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), accepted + 1);
}

#[test]
fn a_wrong_path_method_or_query_says_what_is_right() {
    let dir = around(|server| {
        let lost = server.post_to("/v1/logs-of-mine", &[], GOOD);
        assert_eq!(lost.status, 404);
        assert!(lost.message().contains("POST /v1/events"));
        assert_eq!(server.get("/v1/events").status, 405);
        let query = server.post_to("/v1/events?partail=true", &[("content-type", NDJSON)], GOOD);
        assert_eq!((query.status, &query.json()["error"]["code"]), (400, &"unknown_query".into()));
        assert!(query.message().contains("partail"), "{}", query.message());
    });
    only_good(dir.path());
}

/// How a server that must not start ended.
fn refused(dir: &Path, args: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = tidegate()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir)
        .args(args)
        .output()
        .unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_journal_in_use_is_refused_and_its_owner_goes_on() {
    let dir = around(|server| {
        let _ = server;
    });
    let server = Server::start(dir.path());
    let (code, message) = refused(dir.path(), &[]);
    assert_eq!(code, 1);
    assert!(message.contains("is in use by another process"), "{message}");
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 3);
}

#[test]
fn a_database_path_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let config = dir.path().join("config.yaml");
    let path = file.join("events.db");
    std::fs::write(
        &config,
        format!("sinks:\n  main:\n    type: sqlite\n    path: {}\n", path.display()),
    )
    .unwrap();
    let (code, message) = refused(dir.path(), &["--config", config.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        message.contains("sink `main`") && message.contains(path.to_str().unwrap()),
        "{message}"
    );

    std::fs::write(database_path(dir.path()), "this is no database, whatever it is called")
        .unwrap();
    let (code, message) = refused(dir.path(), &[]);
    assert_eq!(code, 1);
    assert!(message.contains("events.db"), "{message}");
}

#[test]
fn a_copied_journal_does_not_deliver_beside_the_original() {
    let dir = around(|_| {});
    let copy = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp")
        .arg("-r")
        .arg(dir.path().join("journal"))
        .arg(copy.path())
        .status()
        .unwrap();
    assert!(status.success());
    // Both write to one database.
    let config = copy.path().join("config.yaml");
    let path = database_path(dir.path());
    std::fs::write(
        &config,
        format!("sinks:\n  sqlite:\n    type: sqlite\n    path: {}\n", path.display()),
    )
    .unwrap();
    let server = Server::start(dir.path());
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    let (code, message) = refused(copy.path(), &["--config", config.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(message.contains("copied or restored from a backup"), "{message}");
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 4);
}

#[test]
fn a_corrupt_segment_is_reported_and_costs_only_what_was_hit() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing is delivered while the database is locked, so all of it is only in the journal.
    let server = Server::start(dir.path());
    let neighbour = rusqlite::Connection::open(database_path(dir.path())).unwrap();
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..10 {
        assert_eq!(server.post(NDJSON, format!("{{\"msg\":\"marked {n}\"}}\n")).status, 200);
    }
    server.kill();
    neighbour.execute_batch("ROLLBACK").unwrap();
    let segment = first_segment(dir.path());
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(8).position(|window| window == b"marked 4").unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(&segment, bytes).unwrap();

    let server = Server::start(dir.path());
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    let (status, log) = server.stop();
    assert!(status.success(), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("corrupt")), "{log:#?}");
    let left: String = query(
        dir.path(),
        "SELECT group_concat(substr(body, 8), '') FROM events WHERE body LIKE 'marked%'",
    );
    assert_eq!(left, "012356789");
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events WHERE body = 'good'"), 1);
}

fn first_segment(dir: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(dir.join("journal")).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments.swap_remove(0)
}

#[test]
fn a_configuration_that_is_wrong_ends_with_78_and_says_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    for (text, told) in [
        ("htpp:\n  listen: 127.0.0.1:0\n", "did you mean `http`"),
        ("http:\n  lisen: 127.0.0.1:0\n", "did you mean `listen`"),
        (
            "sinks:\n  a:\n    type: sqlite\n    batch_size: { min: 500, max: 100 }\n",
            "sinks.a.batch_size.max",
        ),
        ("sinks:\n  a:\n    type: sqlite\n    target: 0 ms\n", "sinks.a.target"),
        ("http:\n  listen: 0.0.0.0:8080\n", "http.token"),
        ("data_dir: ${TIDEGATE_NOT_SET}\n", "TIDEGATE_NOT_SET"),
        ("http: [\n", "config.yaml:1:7: not valid YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        for command in ["validate", "serve"] {
            let mut run = tidegate();
            run.arg(command);
            if command == "serve" {
                run.arg("--config");
            }
            let output = run.arg(&file).output().unwrap();
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{text}: {message}");
            assert!(message.contains(told), "{text}: {message}");
        }
    }
    let output = tidegate().args(["validate", "/nowhere/at-all.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/at-all.yaml"));
}

#[test]
fn with_a_token_only_its_bearer_is_let_in() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, "http:\n  listen: 0.0.0.0:0\n  token: a-token-of-some-length\n")
        .unwrap();
    let server = Server::start_with(dir.path(), &["--config", config.to_str().unwrap()]);
    let server = server.at_loopback();
    let post = |authorization: &str| {
        let headers = [("content-type", NDJSON), ("authorization", authorization)];
        server.post_to("/v1/events", &headers, GOOD).status
    };
    assert_eq!(post("Bearer a-token-of-some-length"), 200);
    assert_eq!(post("Bearer another"), 401);
    assert_eq!(server.post(NDJSON, GOOD).status, 401);
    assert_eq!(server.get("/api/metrics").status, 401);
    assert_eq!(server.get("/health").status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 1);
}
