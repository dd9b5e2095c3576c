//! Watchers that do not read: they cost a place for a while and a few messages, nothing piles up for
//! them, and whoever reads again is told where the stream goes on.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::code;
use super::common::{PATIENCE, Server};
use super::stream::{Event, Stream};

const DEAF: usize = 24;
/// What may be remembered of the ticks for all together; see `docs/dashboard.md`.
const REMEMBERED_BYTES: u64 = 16 << 20;

/// So many lanes that a tick is large, and what is between server and client full after a few. `http`
/// has more settings of that section.
fn large(dir: &Path, http: &str) -> Server {
    let mut settings = format!(
        "http: {{ listen: '127.0.0.1:0'{http} }}\ndashboard: {{ watchers_max: {} }}\nclasses:\n",
        DEAF + 1
    );
    for class in 0..15 {
        writeln!(settings, "  class{class}: {{}}").unwrap();
    }
    settings.push_str("sinks:\n");
    for sink in 0..16 {
        writeln!(settings, "  sink{sink}: {{ type: blackhole }}").unwrap();
    }
    let file = dir.join("large.yaml");
    std::fs::write(&file, settings).unwrap();
    Server::start_with(dir, &["--config", &file.display().to_string()])
}

/// One who asks and reads nothing but that it may.
fn deaf(server: &Server) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"GET /api/stream HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // So much of the answer says that it has a place.
    let mut status = [0; 15];
    client.read_exact(&mut status).unwrap();
    assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 200 OK");
    client
}

fn sequence(event: &Event) -> Option<u64> {
    event.data["sequence"].as_u64()
}

fn memory(tick: &Event) -> u64 {
    tick.data["resources"]["process_memory_bytes"].as_u64().unwrap()
}

/// The number of the last whole tick in what the client got before it was let go of, and its id.
fn last_seen(mut client: TcpStream) -> (u64, String) {
    let mut got = Vec::new();
    // A reset is an end as well.
    let _ = client.read_to_end(&mut got);
    let text = String::from_utf8_lossy(&got);
    // What follows the last empty line is half an event.
    let whole = text.rsplit_once("\n\n").unwrap().0;
    let id = whole.rsplit("\nid: ").next().unwrap().lines().next().unwrap().trim().to_owned();
    (id.rsplit_once('-').unwrap().1.parse().unwrap(), id)
}

#[test]
fn watchers_that_do_not_read_cost_little_and_go_on_without_a_gap_or_are_told_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = large(dir.path(), "");
    let mut reader = Stream::open(&server, None);
    reader.next().of("hello");
    let before = memory(&reader.next().of("tick"));

    let mut clients: Vec<_> = (0..DEAF).map(|_| deaf(&server)).collect();
    // Each has a place until it is let go of.
    assert_eq!(code(&server.get("/api/stream")), (503, "too_many_watchers".into()));
    let (mut first, mut most) = (None, 0);
    let mut again = loop {
        // One that reads is not held up by those that do not, and misses nothing.
        let tick = reader.next().of("tick");
        most = most.max(memory(&tick));
        if let Some(before) = first.replace(sequence(&tick).unwrap()) {
            assert_eq!(sequence(&tick), Some(before + 1));
        }
        // All of them: one that is not let go of yet when it begins to read is never let go of.
        if server.get("/metrics").body.contains("\ntidegate_watchers 1.0\n") {
            break Stream::try_open(&server, "/api/stream", None, None).unwrap();
        }
    };
    let more = most.saturating_sub(before);
    assert!(more < REMEMBERED_BYTES + (24 << 20), "{DEAF} deaf watchers took {more} bytes");
    again.next().of("hello");
    drop((again, reader));

    // It begins to read: what it still gets ends somewhere, and from there on nothing is missing.
    let (at, id) = last_seen(clients.pop().unwrap());
    let mut resumed = open(&server, &id);
    for next in at + 1..at + 10 {
        assert_eq!(sequence(&resumed.next().of("tick")), Some(next));
    }
    drop(resumed);

    // Another one comes back when what it missed is not remembered any more, and hears how much.
    let (at, id) = last_seen(clients.pop().unwrap());
    let mut meanwhile = open(&server, &id);
    let gap = loop {
        let first = open(&server, &id).next();
        if first.name == "gap" {
            break first;
        }
        assert_eq!(sequence(&first), Some(at + 1));
        meanwhile.next();
    };
    assert_eq!(gap.data["reason"], "too_old");
    assert_eq!(gap.data["after"], Value::from(id.clone()));
    assert!(gap.data["missed"].as_u64() > Some(0), "{}", gap.data);
    let mut late = open(&server, &id);
    late.next().of("gap");
    let hello = late.next().of("hello");
    let now = hello.data["tick"]["sequence"].as_u64().unwrap();
    assert_eq!(sequence(&late.next().of("tick")), Some(now + 1));
}

/// Opens the stream as soon as there is a place.
fn open(server: &Server, id: &str) -> Stream {
    loop {
        match Stream::try_open(server, "/api/stream", Some(id), None) {
            Ok(stream) => return stream,
            Err(status) => assert_eq!(status, 503),
        }
    }
}

/// One that reads, but less than there is to read, is told so if it still hears it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a slow reader is what is tested")]
fn a_watcher_that_reads_too_slowly_is_let_go_of_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // Its connection is not taken for one that has stalled.
    let mut server = large(dir.path(), ", header_timeout: 30 s");
    let mut slow = deaf(&server);
    let connection = slow.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut piece, mut got) = ([0; 2048], 0);
        // Little enough to fall behind, often enough not to count as gone.
        while let Ok(bytes @ 1..) = slow.read(&mut piece) {
            got += bytes;
            std::thread::sleep(Duration::from_millis(50));
        }
        got
    });
    server.wait_for_line("a watcher of the live stream read too slowly and was dropped");
    // What is still on its way would take it a minute.
    connection.shutdown(Shutdown::Both).unwrap();
    assert_eq!(code(&server.get("/api/snapshot")).0, 200);
    assert!(server.stop().0.success());
    assert!(reading.join().unwrap() > 0);
}
