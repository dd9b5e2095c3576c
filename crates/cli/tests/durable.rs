//! Does the sync really come before the answer? The system calls of the running binary say so.
//!
//! Needs strace, and leave to trace a child; without it nothing is shown.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "it says what it could not show")]

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Server, tidegate};

const REQUESTS: usize = 25;

/// A system call in the order in which it was made and had returned.
#[derive(Debug)]
struct Call {
    text: String,
    began: usize,
    ended: usize,
}

fn can_trace() -> bool {
    let mut tried = Command::new("strace");
    tried.args(["-D", "-o", "/dev/null", "true"]).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// The calls of a trace. A call of one thread may be split by those of others.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(thread, (at, begin.to_owned()));
        } else if rest.starts_with("<... ") {
            let Some((began, begin)) = open.remove(thread) else { continue };
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            calls.push(Call { text: begin + end, began, ended: at });
        } else {
            calls.push(Call { text: rest.to_owned(), began: at, ended: at });
        }
    }
    calls.sort_by_key(|call| call.ended);
    calls
}

/// The file descriptor of a call.
fn descriptor(call: &Call) -> &str {
    let inside = call.text.split_once('(').map_or("", |(_, inside)| inside);
    inside.split([',', ')']).next().unwrap_or("")
}

fn trace(dir: &Path, durability: &str) -> Vec<Call> {
    let config = dir.join("config.yaml");
    std::fs::write(&config, format!("journal: {{ durability: {durability} }}\n")).unwrap();
    let file = dir.join("trace");
    let mut command = Command::new("strace");
    command.args([
        "-D",
        "-f",
        "-s",
        "8192",
        "-e",
        "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg",
        "-o",
    ]);
    command.arg(&file).arg(tidegate().get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.join("data"));
    command.arg("--config").arg(&config);
    let server = Server::run(command);
    for n in 0..REQUESTS {
        let body = format!("{{\"msg\":\"marker-{n}-of-this-request\"}}");
        assert_eq!(server.post("application/json", body).status, 200);
    }
    assert!(server.stop().0.success());
    calls(&std::fs::read_to_string(file).unwrap())
}

/// How many requests were answered only after what holds them was written, and synced.
fn synced_before_answered(calls: &[Call]) -> usize {
    let mut answered = calls
        .iter()
        .filter(|call| call.text.contains("HTTP/1.1 200") && !call.text.starts_with("pwrite64"));
    let mut synced = 0;
    for n in 0..REQUESTS {
        let marker = format!("marker-{n}-of");
        let written = calls
            .iter()
            .find(|call| call.text.starts_with("pwrite64") && call.text.contains(&marker))
            .unwrap_or_else(|| panic!("request {n} was never written"));
        // One request at a time: the answers come in the order of the requests.
        let answer = answered.next().unwrap_or_else(|| panic!("request {n} has no answer"));
        assert!(written.ended < answer.began, "request {n} was answered before it was written");
        let sync = calls.iter().find(|call| {
            (call.text.starts_with("fdatasync") || call.text.starts_with("fsync"))
                && descriptor(call) == descriptor(written)
                && written.ended < call.began
                && call.ended < answer.began
                && call.text.ends_with("= 0")
        });
        synced += usize::from(sync.is_some());
    }
    synced
}

#[test]
fn the_sync_comes_before_the_answer() {
    let strace = std::process::Command::new("strace").arg("-V").output();
    assert!(strace.is_ok(), "strace is missing: `make needs-tests` installs it");
    if !can_trace() {
        println!("not shown: no process may be traced here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(synced_before_answered(&trace(dir.path(), "fsync")), REQUESTS);
    // That the look can fail: without the promise there is no such sync.
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(synced_before_answered(&trace(dir.path(), "written")), 0);
}
