//! Clients that mean harm, over real sockets: whatever they send, the server goes on, and stores
//! nothing that they did not openly send as a request of their own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test that hangs must end by the clock")]

mod common;

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{PATIENCE, Server, query};

const NDJSON: &str = "application/x-ndjson";

fn start(dir: &Path, http: &str) -> Server {
    let config = dir.join("config.yaml");
    std::fs::write(&config, format!("http: {{ {http} }}\n")).unwrap();
    Server::start_with(dir, &["--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"])
}

/// Everything the server answers to these bytes until it closes. Our side stays open: whatever is
/// taken for a request is waited for.
fn answers(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may close under our writing: what it said is read all the same.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

fn statuses(said: &str) -> Vec<&str> {
    said.match_indices("HTTP/1.1 ").filter_map(|(at, _)| said.get(at + 9..at + 12)).collect()
}

/// Invariant: where a body ends is never a matter of opinion. A request whose head can be read in
/// two ways gets at most one answer, and what hides behind it is no request.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of shapes, and what becomes of each")]
fn nothing_is_smuggled_behind_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "header_timeout: 500 ms, body_timeout: 500 ms");
    let hidden = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n\
                  content-length: 8\r\n\r\nsmuggled";
    let chunked = format!("0\r\n\r\n{hidden}");
    let long = chunked.len();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n";
    let shapes = [
        (
            "both lengths",
            format!("{head}content-length: {long}\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"),
        ),
        (
            "both, the other way",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunked}"),
        ),
        (
            "two lengths",
            format!("{head}content-length: 2\r\ncontent-length: {long}\r\n\r\nhi{hidden}"),
        ),
        ("a list of lengths", format!("{head}content-length: 2, {long}\r\n\r\nhi{hidden}")),
        ("a signed length", format!("{head}content-length: +2\r\n\r\nhi{hidden}")),
        ("a hexadecimal length", format!("{head}content-length: 0x2\r\n\r\nhi{hidden}")),
        ("a length with a blank", format!("{head}content-length : 2\r\n\r\nhi{hidden}")),
        ("a negative length", format!("{head}content-length: -1\r\n\r\nhi{hidden}")),
        (
            "a huge length",
            format!("{head}content-length: 99999999999999999999999\r\n\r\nhi{hidden}"),
        ),
        ("an unknown coding", format!("{head}transfer-encoding: xchunked\r\n\r\n{chunked}")),
        (
            "chunked is not last",
            format!("{head}transfer-encoding: chunked, identity\r\n\r\n{chunked}"),
        ),
        ("chunked with a tab", format!("{head}transfer-encoding:\tchunked, x\r\n\r\n{chunked}")),
        (
            "two codings",
            format!("{head}transfer-encoding: identity\r\ntransfer-encoding: x\r\n\r\n{chunked}"),
        ),
        ("a name with a blank", format!("{head}transfer-encoding : chunked\r\n\r\n{chunked}")),
        (
            "a folded line",
            format!(
                "{head}x: y\r\n transfer-encoding: chunked\r\ncontent-length: {long}\r\n\r\n{chunked}"
            ),
        ),
        ("a bare carriage return", format!("{head}x: y\rcontent-length: 0\r\n\r\n{hidden}")),
        ("NUL in a name", format!("{head}content-length\0: 0\r\n\r\n{hidden}")),
        (
            "a huge chunk",
            format!("{head}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        ),
        ("a chunk without a size", format!("{head}transfer-encoding: chunked\r\n\r\n\r\n{hidden}")),
        ("a signed chunk", format!("{head}transfer-encoding: chunked\r\n\r\n-1\r\n{hidden}")),
        (
            "HTTP/1.0 chunked",
            format!(
                "POST /v1/events HTTP/1.0\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"
            ),
        ),
        (
            "no such version",
            format!("POST /v1/events HTTP/3.7\r\nhost: x\r\ncontent-length: 0\r\n\r\n{hidden}"),
        ),
    ];
    for (name, shape) in &shapes {
        let said = answers(&server, shape.as_bytes());
        let statuses = statuses(&said);
        assert!(statuses.len() <= 1, "{name}: {said}");
        assert_ne!(statuses.first(), Some(&"200"), "{name}: {said}");
    }
    // Two requests on one connection are two requests.
    let said = answers(&server, hidden.replace("smuggled", "openly!!").repeat(2).as_bytes());
    assert_eq!(statuses(&said), ["200", "200"], "{said}");
    assert!(server.stop().0.success());
    let count = |body: &str| {
        query::<i64>(dir.path(), &format!("SELECT count(*) FROM events WHERE body = '{body}'"))
    };
    assert_eq!((count("smuggled"), count("openly!!")), (0, 2));
}

#[test]
fn floods_of_headers_and_heads_without_an_end_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "header_timeout: 500 ms");
    let mut many = String::from("GET /metrics HTTP/1.1\r\nhost: x\r\n");
    for n in 0..1_000 {
        write!(many, "x-{n}: y\r\n").unwrap();
    }
    let said = answers(&server, format!("{many}\r\n").as_bytes());
    assert_eq!(statuses(&said), ["431"], "{said}");
    let long = format!("GET /metrics HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let said = answers(&server, long.as_bytes());
    assert_eq!(statuses(&said), ["431"], "{said}");
    let target = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(1 << 20));
    let said = answers(&server, target.as_bytes());
    // It closes while we still write, so that its answer may not be read.
    assert!(statuses(&said).iter().all(|status| ["414", "431"].contains(status)), "{said}");
    assert_eq!(server.post(NDJSON, "{}").status, 200);
    assert!(server.stop().0.success());
}

/// Clients that ask and never read, that say nothing, and that vanish in the middle, each hold a
/// place for a while, and no longer: with two places the third client is served in the end.
#[test]
fn those_who_never_read_never_write_or_vanish_lose_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        start(dir.path(), "connections_max: 2, header_timeout: 300 ms, body_timeout: 300 ms");
    let connect = || TcpStream::connect(server.address()).unwrap();
    let silent = connect();
    let mut deaf = connect();
    deaf.set_write_timeout(Some(PATIENCE)).unwrap();
    let ask = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    // Until the server reads no more, or has closed the connection.
    while deaf.write_all(ask.as_bytes()).is_ok() {}
    assert_eq!(server.post(NDJSON, "{\"msg\":\"third\"}").status, 200);
    for _ in 0..20 {
        let mut vanishing = connect();
        vanishing
            .write_all(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{")
            .unwrap();
        drop(vanishing);
    }
    assert_eq!(server.post(NDJSON, "{\"msg\":\"last\"}").status, 200);
    drop((silent, deaf));
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 2);
}

/// Sends `first`, and then one byte of `drips` after the other for as long as the server lets it;
/// returns what it said.
fn drip(server: &Server, first: &str, drips: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // The pace of the drops: nothing is waited for in vain.
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    let deadline = Instant::now() + PATIENCE;
    for byte in drips.bytes().cycle() {
        assert!(Instant::now() < deadline, "it lets itself be kept for ever");
        let closed = stream.write_all(&[byte]).is_err();
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && !closed => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Slow on purpose: something arrives all the time, and never the whole. The time allowed is for
/// all of it.
#[test]
fn a_head_or_a_body_that_drips_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        start(dir.path(), "connections_max: 1, header_timeout: 300 ms, body_timeout: 300 ms");
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n";
    let said = drip(&server, head, "x-more: y\r\n");
    assert!(statuses(&said).iter().all(|status| *status == "408"), "{said}");
    let said = drip(&server, &format!("{head}content-length: 1000000\r\n\r\n"), "x");
    assert_eq!(statuses(&said), ["408"], "{said}");
    let said = drip(&server, &format!("{head}transfer-encoding: chunked\r\n\r\n"), "1\r\nx\r\n");
    assert_eq!(statuses(&said), ["408"], "{said}");
    // The only place is free again.
    assert_eq!(server.post(NDJSON, "{\"msg\":\"quick\"}").status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 1);
}

/// Half a connection: the client has ended its side in the middle of a request and waits. Nothing
/// more can come, so its place is free at once, long before the time allowed is over.
#[test]
fn a_connection_that_is_half_closed_in_a_request_ends() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "connections_max: 1, header_timeout: 10 m, body_timeout: 1 h");
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n";
    for half in [
        "POST /v1/ev".to_owned(),
        head.to_owned(),
        format!("{head}content-length: 50\r\n\r\n{{"),
        format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nabc"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(half.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!statuses(&said).contains(&"200"), "{half:?}: {said}");
    }
    assert_eq!(server.post(NDJSON, "{\"msg\":\"whole\"}").status, 200);
    assert!(server.stop().0.success());
    assert_eq!(query::<i64>(dir.path(), "SELECT count(*) FROM events"), 1);
}

/// Documents that are cheap to send and dear to read: refused, or taken as what they are, and the
/// server's memory stays within what one request may take.
#[test]
fn documents_made_to_hurt_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "event_bytes_max: 8 MiB");
    let keys = |name: &dyn Fn(usize) -> String| {
        let members: Vec<_> = (0..200_000).map(|n| format!("\"{}\":1", name(n))).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut million = String::from("{");
    for n in 0..1_000_000 {
        write!(million, "{}\"{n:x}\":0", if n == 0 { "" } else { "," }).unwrap();
    }
    million.push('}');
    let deep = |open: &str, close: &str, n: usize| open.repeat(n) + "1" + &close.repeat(n);
    let digits = "9".repeat(100_000);
    let documents = [
        ("the same key two hundred thousand times", keys(&|_| "a".into()), 200),
        ("numbered keys that meet", keys(&|n| format!("a#{}", n % 100_000)), 200),
        ("a million keys", million, 413),
        ("a deep array", format!("{{\"a\":{}}}", deep("[", "]", 100_000)), 400),
        ("a deep object", deep("{\"a\":", "}", 100_000), 400),
        (
            "a number of many digits",
            format!("{{\"a\":{digits},\"b\":-{digits}.{digits}e{digits}}}"),
            400,
        ),
        ("a time of many digits", format!("{{\"ts\":{digits},\"level\":{digits}}}"), 200),
        (
            "escapes of escapes",
            format!("{{\"a\":\"{}\"}}", "\\\\\\u0000\\ud800".repeat(50_000)),
            200,
        ),
        ("ten thousand empty events", "{}\n".repeat(10_000), 200),
        ("more events than a request may have", "{}\n".repeat(100_001), 413),
    ];
    for (name, document, status) in &documents {
        let answer = server.post(NDJSON, document);
        let taken = answer.status == 200;
        // How it is refused is for the parser's own tests; whether it is, is said here.
        assert_eq!(
            taken,
            *status == 200,
            "{name}: {}",
            answer.body.get(..300).unwrap_or(&answer.body)
        );
        assert!(answer.status < 500, "{name}: {}", answer.status);
    }
    let metrics = server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    let memory = metrics["resources"]["process_memory_bytes"].as_u64().unwrap();
    assert!(memory < 1 << 30, "{memory} bytes");
    assert!(server.stop().0.success());
    let sum = "SELECT count(*) FROM events";
    assert_eq!(query::<i64>(dir.path(), sum), 10_000 + 4);
}
