//! At and over each bound: what clients are told, and that it goes on by itself. `docs/overload.md`
//! names these tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test that hangs must end by the clock")]
#![allow(clippy::print_stdout, reason = "it says what it could not show")]
#![allow(unreachable_pub, reason = "a file that another test shares")]

mod common;
#[path = "chaos/disk.rs"]
mod disk;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::{PATIENCE, Server, query, tidegate};

const NDJSON: &str = "application/x-ndjson";
const GOOD: &str = "{\"msg\":\"good\"}\n";

fn config(dir: &Path, text: &str) -> String {
    let file = dir.join("config.yaml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn start(dir: &Path, text: &str) -> Server {
    Server::start_with(dir, &["--config", &config(dir, text), "--listen", "127.0.0.1:0"])
}

/// Sends until it is taken.
fn goes_on(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while server.post(NDJSON, GOOD).status != 200 {
        assert!(Instant::now() < deadline, "it does not go on");
    }
}

/// A request whose body never comes, of so many bytes.
fn announce(server: &Server, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: {NDJSON}\r\n\
         content-length: {bytes}\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It is asked for the body once its room is set aside.
    let mut said = [0; 25];
    stream.read_exact(&mut said).unwrap();
    assert!(said.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&said));
    stream
}

#[test]
fn bodies_over_the_memory_for_all_are_refused_at_once_and_the_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = "http: { body_bytes_max: 1 MiB, decompressed_bytes_max: 1 MiB, \
                  event_bytes_max: 64 KiB, in_flight_bytes_max: 3 MiB }\n";
    let server = start(dir.path(), bounds);
    let held: Vec<_> = (0..3).map(|_| announce(&server, 1 << 20)).collect();
    // Room is set aside a moment after the body was asked for.
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        let answer = server.post(NDJSON, GOOD);
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "three bodies of a MiB leave no room");
    };
    assert_eq!((refused.status, refused.retry_after.as_deref()), (503, Some("1")));
    assert_eq!(refused.json()["error"]["code"], "overloaded", "{}", refused.body);
    drop(held);
    goes_on(&server);
    assert!(server.stop().0.success());
}

#[test]
fn over_the_bound_of_connections_the_next_one_waits_for_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "http: { connections_max: 2 }\n");
    let held = [announce(&server, 100), announce(&server, 100)];
    let address = server.address();
    let third = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    // Nobody can wait for something not to happen; that both are still served shows enough.
    for mut stream in held {
        stream.write_all(format!("{{\"msg\":\"held\"{}}}", " ".repeat(86)).as_bytes()).unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 200");
    }
    assert!(third.join().unwrap().starts_with("HTTP/1.1 200"));
    assert!(server.stop().0.success());
}

#[test]
fn without_file_descriptors_connections_wait_and_nothing_accepted_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(tidegate().get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    let mut server = Server::run(command);
    assert_eq!(server.post(NDJSON, GOOD).status, 200);
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let said = server.wait_for_line("could not be accepted");
    assert!(said.contains("is the limit of open files low?"), "{said}");
    drop(idle);
    goes_on(&server);
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    assert!(query::<i64>(dir.path(), "SELECT count(*) FROM events WHERE body = 'good'") >= 2);
}

/// The disk runs full under load: 503 with a time, then it goes on in the same process, and what was
/// acknowledged is there once.
#[test]
fn a_full_disk_refuses_until_there_is_room_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let small = disk::Disk::mount(&dir.path().join("disk"));
    if !small.can_be_filled() {
        println!("not shown: no file system may be mounted here");
        return;
    }
    let database = dir.path().join("events.db");
    let bounds = format!(
        "http: {{ body_bytes_max: 64 KiB, decompressed_bytes_max: 64 KiB, event_bytes_max: 16 KiB }}\n\
         journal: {{ segment_bytes: 128 KiB, max_bytes: 64 MiB, tail_bytes: 1 MiB }}\n\
         sinks: {{ lite: {{ path: '{}' }} }}\n",
        database.display()
    );
    let file = config(dir.path(), &bounds);
    let data = dir.path().join("disk/data");
    let server = Server::start_with(&data, &["--config", &file, "--listen", "127.0.0.1:0"]);
    let mut next = 0;
    let mut accepted = Vec::new();
    let mut send = |server: &Server| {
        let body: String = (next..next + 100)
            .map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(200)))
            .collect();
        let answer = server.post(NDJSON, body);
        if answer.status == 200 {
            accepted.extend(next..next + 100);
        }
        next += 100;
        answer
    };
    for round in 0..3 {
        for _ in 0..20 {
            assert_eq!(send(&server).status, 200);
        }
        small.fill();
        let deadline = Instant::now() + PATIENCE;
        let refused = loop {
            let answer = send(&server);
            if answer.status != 200 {
                break answer;
            }
            assert!(Instant::now() < deadline, "round {round}: the full disk takes everything");
        };
        assert_eq!(refused.status, 503);
        assert!(refused.retry_after.is_some(), "{}", refused.body);
        let code = refused.json()["error"]["code"].clone();
        assert!(
            ["no_space", "no_segment", "journal_full"].contains(&code.as_str().unwrap()),
            "{code}"
        );
        small.free();
        let deadline = Instant::now() + PATIENCE;
        while send(&server).status != 200 {
            assert!(Instant::now() < deadline, "round {round}: it does not go on");
        }
    }
    server.wait_for_metrics(|metrics| metrics["lanes"][0]["backlog"] == 0);
    assert!(server.stop().0.success());
    let stored = rusqlite::Connection::open(&database).unwrap();
    let mut rows = stored.prepare("SELECT attributes ->> 'n' FROM events ORDER BY 1").unwrap();
    let stored: Vec<i64> =
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(stored, accepted);
}
